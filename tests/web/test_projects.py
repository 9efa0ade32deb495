"""The pages of projects, and of plans, in a real browser: in both themes, at three widths, and full of hostile words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.interview import SECTIONS
from tests.api.conftest import SHELL, Client, Served, ended, repository, served, serving
from tests.api.test_questionnaire import INTENT, playing, turn
from tests.web.conftest import Browse
from tests.web.hostile import HOSTILE
from tests.web.test_browser import signed_in

__all__ = ["repository", "served"]

pytestmark = pytest.mark.timeout(500)
SOME = HOSTILE[::10]


def turns(words: Sequence[str]) -> list[dict[str, Any]]:
    """An interview whose answers have these words, and of which two contradict each other."""
    names = list(SECTIONS)
    answers = [
        {"section": names[place % len(names)], "text": text, "question": f"And {text}?"[:200]}
        for place, text in enumerate(words)
    ]
    conflict = {"first": "A1", "second": "A2", "sentence": f"They clash: {words[0]}"}
    reply = {"reply": words[0], "answers": answers, "title": words[0], "questions": [INTENT]}
    return [turn("A1", {**reply, "contradictions": [conflict]})]


async def told(client: Client, words: Sequence[str], place: str, name: str) -> str:
    """A project with an interview, contracts of the same answers, and a spec. Returns its id."""
    target = {"target_type": "local_path", "target_ref": place}
    made = await client.post("/projects", {"name": name, "description": words[0], "spec": "\n\n".join(words), **target})
    assert made.status == 201, made.text
    path = f"/projects/{made.json['id']}"
    answer = await client.post(f"{path}/questionnaire", {"message": "go"})
    assert answer.status == 200, answer.text
    assert answer.json["contradictions"]
    answers = [
        {"section": "phase_breakdown", "text": "Phase 1: Base: make `a.txt`"},
        *({"section": "product_intent", "text": text} for text in words),
    ]
    generated = await client.post(f"{path}/contracts/generate", {"answers": answers, "title": words[0]})
    assert generated.status == 200, generated.text
    return str(made.json["id"])


async def planned(client: Client, project: str, titles: Sequence[str]) -> str:
    """A build of the project whose plan waits for a person."""
    tasks = [
        {"id": f"t{place}", "title": text, "goal": text, "acceptance": [text], "depends_on": ["t0"] if place else []}
        for place, text in enumerate(titles)
    ]
    options = {**SHELL, "accept_base": True, "approve_plan": True, "checks": [{"name": "there", "command": "true"}]}
    started = await client.post(f"/projects/{project}/build", {"tasks": tasks, "options": options})
    assert started.status == 202, started.text
    build = str(started.json["build_id"])
    assert (await ended(client, build, 120))["pause"]["reason"] == "approval"
    return build


async def pages_of(served: Served, words: Sequence[str], place: Path, name: str) -> dict[str, str]:
    """The addresses of the pages, each with words that it shows when it is ready."""
    project = await told(served.client, words, str(place), name)
    build = await planned(served.client, project, words)
    return {
        "/new": "Create, and start the interview",
        f"/projects/{project}": words[0],
        f"/projects/{project}/interview": f"They clash: {words[0]}",
        f"/projects/{project}/contracts": "As it reads",
        f"/projects/{project}/contracts?show=phases": "As it reads",
        f"/builds/{build}/plan": words[-1],
        f"/builds/{build}?task=t0": "Add a task after it …",
    }


async def test_pages_of_projects_are_accessible(tmp_path: Path, repository: Path, browse: Browse) -> None:
    words = ("A shop for books.", "No shop at all.", "It runs on one machine.")
    async with playing(tmp_path, turns(words)) as environment, serving(tmp_path, **environment) as served:
        pages = await pages_of(served, words, repository, "Bookshop")
        said = await browse("pages.mjs", 400, **signed_in(served), pages=pages)
        assert said["seen"] == 6 * len(pages)
        assert not said["found"], "\n".join(said["found"])
        assert said["faults"] == []
        assert said["asked"] == [served.address]


async def test_hostile_words_run_no_script_on_pages_of_projects(
    tmp_path: Path, repository: Path, browse: Browse
) -> None:
    async with playing(tmp_path, turns(SOME)) as environment, serving(tmp_path, **environment) as served:
        pages = await pages_of(served, SOME, repository, SOME[0])
        said = await browse("hostile.mjs", 300, **signed_in(served), pages=pages)
        assert said["faults"] == []
        assert said["asked"] == [served.address]
        assert said["strange"] == []
