"""The pages in a real browser, on a real server, with a build whose agent follows a script."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from buildwright.core import event as e
from tests.api.conftest import OWNER, Served, ended, repository, served
from tests.git import git
from tests.web.conftest import Browse

__all__ = ["repository", "served"]

pytestmark = pytest.mark.timeout(400)


async def begun(served: Served, repository: Path, command: str, title: str, *tasks: dict[str, Any]) -> str:
    """A build by the shell agent."""
    options = {
        "agent": "shell",
        "agent_command": command,
        "sandbox": "none",
        "accept_base": True,
        "checks": [{"name": "there", "command": "test -n there"}],
    }
    wanted = {"repository": str(repository), "title": title, "tasks": list(tasks), "options": options}
    answer = await served.client.post("/api/builds", wanted)
    assert answer.status == 202, answer.text
    return str(answer.json["build_id"])


def signed_in(served: Served) -> dict[str, str]:
    token = served.site.signer.issue(OWNER, "sign-in", 600, served.site.app.clock.now())
    return {"address": served.address, "token": token}


async def test_a_person_follows_pauses_resumes_and_reads_by_keyboard(
    served: Served, repository: Path, tmp_path: Path, browse: Browse
) -> None:
    done = tmp_path / "done"
    command = f'echo first line; while [ ! -e "{done}" ]; do sleep 0.1; done; echo done > "$BUILDWRIGHT_TASK_ID.txt"'
    build = await begun(served, repository, command, "Guestbook", {"id": "greet", "title": "Greet visitors"})
    said = await browse("steer.mjs", **signed_in(served), build=build, next=f"/builds/{build}")
    done.touch()
    assert said["faults"] == []
    assert said["asked"] == [served.address], "something was asked of elsewhere"
    assert said["loads"] == 0, "the page was loaded again"
    assert "Guestbook" in said["title"]
    status = await ended(served.client, build)
    assert status["outcome"] == "succeeded"
    events = (await served.client.get(f"/api/builds/{build}/events?limit=500")).json["items"]
    kinds = [event["type"] for event in events]
    assert kinds.count("build.paused") == kinds.count("build.resumed") == 1
    assert [event["text"] for event in events if event["type"] == "message.sent"][:1] == ["be brief"]


SHOP = "def total(prices):\n    return sum(prices)\n\n\ndef name():\n    return 'shop'\n"
EDITS = (
    'case "$BUILDWRIGHT_TASK_ID" in '
    "tax) sed -i 's/sum(prices)/sum(prices) * 1.2/' src/shop.py; echo extra > notes.txt;; "
    "name) sed -i \"s/'shop'/'market'/\" src/shop.py;; "
    '*) echo "$BUILDWRIGHT_TASK_ID" >> README.md;; esac'
)


async def shop(served: Served, repository: Path) -> str:
    """A build that has ended, of two tasks that change one file, one of which makes a file that it did not name."""
    (repository / "src").mkdir()
    (repository / "src/shop.py").write_text(SHOP, encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Shop")
    named = {"files_expected": ["src/shop.py"]}
    tasks = [
        {"id": "tax", "title": "Add the tax", "requirements": ["R1: prices have tax"], **named},
        {"id": "name", "title": "Rename it", "goal": "It is a market.", "depends_on": ["tax"], **named},
    ]
    build = await begun(served, repository, EDITS, "Shop", *tasks)
    assert (await ended(served.client, build))["outcome"] == "succeeded"
    return build


async def test_a_person_reviews_a_change_reads_its_files_and_takes_it_by_keyboard(
    served: Served, repository: Path, browse: Browse
) -> None:
    build = await shop(served, repository)
    said = await browse("take.mjs", **signed_in(served), send=True, next=f"/builds/{build}/review")
    assert said["faults"] == []
    assert said["asked"] == [served.address]
    assert said["marked"] == [" * 1.2", "shop", "market"]
    assert said["hunk"].startswith("f"), "the keyboard is at a hunk"
    assert said["command"].startswith(f"buildwright review {build[:8]} --comment ")
    assert said["writers"] == ["tax", "name"]
    assert int(said["at"]) > 0
    assert said["saved"] == f"evidence-{build[:8]}.zip"
    status = await ended(served.client, build)
    assert (status["outcome"], status["total"]) == ("succeeded", 3)
    events = (await served.client.get(f"/api/builds/{build}/events?limit=500")).json["items"]
    (sent,) = [event for event in events if event["type"] == "review.sent"]
    assert [one["text"] for one in sent["comments"]] == ["say it <b>better</b>"]


async def test_every_page_is_accessible_in_both_themes_and_at_three_widths(
    served: Served, repository: Path, tmp_path: Path, browse: Browse
) -> None:
    command = 'echo trying; test "$BUILDWRIGHT_TASK_ID" != hard || exit 3; echo x > "$BUILDWRIGHT_TASK_ID.txt"'
    tasks = [
        {"id": "easy", "title": "Easy", "goal": "It is easy.", "acceptance": ["A file is there."]},
        {"id": "hard", "title": "Hard", "goal": "It is hard.", "depends_on": ["easy"]},
        {"id": "later", "title": "Later", "depends_on": ["hard"]},
    ]
    build = await begun(served, repository, command, "Three tasks", *tasks)
    assert (await ended(served.client, build))["pause"]["reason"] == "failure"
    await spend(served, build)
    pages = {
        "/": "Needs you",
        f"/builds/{build}": "See task hard",
        f"/builds/{build}?task=hard": "Attempts",
        f"/builds/{build}/log": "trying",
        f"/builds/{build}/complete": "Left out",
        f"/builds/{build}/costs?by=task": "Planning, diagnosis and review",
        "/costs?by=model": "large",
    }
    await all_accessible(browse, served, pages, repository)


async def test_a_person_sees_by_keyboard_what_the_server_is_and_how_to_mend_it(served: Served, browse: Browse) -> None:
    said = await browse("settings.mjs", **signed_in(served))
    assert said["faults"] == []
    assert said["asked"] == [served.address]
    assert "lacking" in said["lack"]
    assert "Fix: set GEMINI_API_KEY where Buildwright runs" in said["lack"]
    assert "from environment" in said["settings"]
    assert said["here"].strip() == "Settings"
    await all_accessible(browse, served, {"/settings": "Settings that count"})


async def all_accessible(browse: Browse, served: Served, pages: dict[str, str], repository: Path | None = None) -> None:
    """Look at pages in both themes and at three widths; each has a text that says it is there.

    Pictures of them have another path in place of that of `repository`.
    """
    shots = os.environ.get("BUILDWRIGHT_SHOTS", "")
    renamed = [(str(repository), "/home/you/shop")] if repository is not None else []
    said = await browse("pages.mjs", 380, **signed_in(served), pages=pages, shots=shots, renamed=renamed)
    assert said["seen"] == 6 * len(pages)
    assert not said["found"], "\n".join(said["found"])
    assert said["faults"] == []


async def test_the_pages_of_a_result_are_accessible_in_both_themes_and_at_three_widths(
    served: Served, repository: Path, browse: Browse
) -> None:
    build = await shop(served, repository)
    pages = {
        f"/builds/{build}/review": "unasked",
        f"/builds/{build}/review?view=split": "unasked",
        f"/builds/{build}/files?path=src/shop.py": "market",
        f"/builds/{build}/complete": "Copy all as Markdown",
        f"/builds/{build}/costs": "No model was asked yet.",
    }
    await all_accessible(browse, served, pages, repository)


async def spend(served: Served, build: str) -> None:
    """Give the build requests to models, as an agent that asks one leaves them."""
    builds, now = served.site.app.builds, served.site.app.clock.now()
    used = [
        e.TokensUsed(
            task=task, attempt=1, model=model, input_tokens=40_000, cache_read_tokens=9_000, cost_usd=Decimal(cost)
        )
        for task, model, cost in (("", "large", "0.31"), ("easy", "small", "0.12"), ("hard", "small", "0.07"))
    ]
    await builds.append(build, await builds.version(build), used, now)
