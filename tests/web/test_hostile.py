"""Every page, full of hostile texts: names, logs, changes, files, Markdown and messages. Texts stay texts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from buildwright.core.paths import check_path
from buildwright.errors import UnsafePath
from tests.api.conftest import Served, ended, repository, served
from tests.web.conftest import Browse
from tests.web.hostile import HOSTILE, STYLES
from tests.web.test_browser import begun, signed_in

__all__ = ["repository", "served"]

pytestmark = pytest.mark.timeout(400)
AGENT = Path(__file__).parent / "hostile_agent.py"
TITLED = 10
"""Tasks beside the first and the last, each with a hostile title and phase."""


def is_name(text: str) -> bool:
    """Whether a file can have this name."""
    try:
        check_path(text)
    except UnsafePath:
        return False
    return "/" not in text and text.isprintable() and len(text.encode()) < 200


def test_there_are_a_hundred_kinds() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) == 100


async def test_no_page_runs_or_asks_for_what_a_text_says(
    served: Served, repository: Path, tmp_path: Path, browse: Browse
) -> None:
    names = [text for text in HOSTILE if is_name(text)]
    assert len(names) > 30
    kept = [tmp_path / "texts.json", tmp_path / "names.json"]
    for path, texts in zip(kept, (HOSTILE, names), strict=True):
        path.write_text(json.dumps(texts), encoding="utf-8")
    half = len(HOSTILE) // 2
    tasks: list[dict[str, Any]] = [
        {"id": "first", "title": HOSTILE[0], "goal": HOSTILE[1], "requirements": HOSTILE[:half], "minutes": 5},
        {"id": "last", "title": HOSTILE[25], "acceptance": HOSTILE[half:], "depends_on": ["first"]},
        *(
            {"id": f"t{place}", "title": text[:200], "milestone": text[:60], "depends_on": ["last"]}
            for place, text in enumerate(HOSTILE[:: len(HOSTILE) // TITLED])
        ),
    ]
    build = await begun(served, repository, f"{sys.executable} {AGENT} {kept[0]} {kept[1]}", HOSTILE[25], *tasks)
    status = await ended(served.client, build, 120)
    assert (status["pause"]["reason"], status["counts"].get("done")) == ("failure", 1), str(status["pause"])[:3000]
    said = await served.client.post(f"/api/builds/{build}/say", {"text": "\n".join(HOSTILE)})
    assert said.status in {200, 202}, said.text
    at = f"/builds/{build}"
    pages = {
        "/": HOSTILE[25],
        at: "See task last",
        f"{at}?task=last": "Attempts",
        f"{at}?task=first": "Attempts",
        f"{at}/log": STYLES[2],
        f"{at}/review": HOSTILE[3],
        f"{at}/review?view=split&space=off": HOSTILE[3],
        f"{at}/review?task=first": HOSTILE[3],
        f"{at}/files": min(names),
        **{f"{at}/files?path={quote(name)}": name for name in ("page.html", "notes.md", "code.txt", names[1])},
        f"{at}/files?path={quote(HOSTILE[25])}&at=1": "no file",
        f"{at}/costs": "It has cost",
        f"{at}/costs?by={quote(HOSTILE[25])}": "It has cost",
        f"{at}/complete": "Links and proof",
        f"/costs?by={quote(HOSTILE[0])}&days=__proto__": "Not paid twice",
    }
    found = await browse("hostile.mjs", 380, **signed_in(served), pages=pages)
    assert found["faults"] == []
    assert found["asked"] == [served.address]
    assert found["strange"] == []
    assert found["seen"] == len(pages)
