"""The whole way by keyboard alone: a project, its interview, contracts and plan, a build that is paused, retried and ends."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildwright.core.interview import SECTIONS
from tests.api.conftest import ended, repository, serving
from tests.api.test_questionnaire import INTENT, STACK, playing, turn
from tests.git import git
from tests.web.conftest import Browse
from tests.web.test_browser import signed_in

__all__ = ["repository"]

pytestmark = pytest.mark.timeout(500)
WORDS = "write it in blue"
COMMAND = (
    'sleep 1; case "$BUILDWRIGHT_TASK_ID" in p1*) echo x > words.txt;; '
    f'*) grep -q "{WORDS}" "$BUILDWRIGHT_PROMPT_FILE" || exit 3; echo x > total.txt;; esac'
)
PHASES = "Phase 1: Words: count words in `words.txt`\nPhase 2: Total: put the total into `total.txt`"
TURNS = [
    turn("A1", {"reply": "What shall it be?", "questions": [INTENT, STACK]}),
    turn(
        "A3",
        {
            "reply": "All is settled.",
            "title": "Lines",
            "answers": [
                {
                    "section": section,
                    "text": PHASES if section == "phase_breakdown" else f"Nothing of {section}.",
                    "origin": "assumed",
                }
                for section in list(SECTIONS)[2:]
            ],
            "complete": list(SECTIONS),
        },
    ),
]


async def test_a_person_goes_the_whole_way_by_keyboard(tmp_path: Path, repository: Path, browse: Browse) -> None:
    async with playing(tmp_path, TURNS) as environment, serving(tmp_path, **environment) as served:
        said = await browse(
            "way.mjs",
            400,
            **signed_in(served),
            name="Lines of text",
            repository=str(repository),
            command=COMMAND,
            words=WORDS,
            tasks=2,
            shots=os.environ.get("BUILDWRIGHT_SHOTS", ""),
        )
        assert said["faults"] == []
        assert said["asked"] == [served.address], "something was asked of elsewhere"
        assert said["loads"] == 0, "a page was loaded again"
        assert not said["found"], "\n".join(said["found"])
        build = said["path"].rpartition("/")[2]
        assert (await ended(served.client, build))["outcome"] == "succeeded"
        events = (await served.client.get(f"/api/builds/{build}/events?limit=500")).json["items"]
        kinds = [event["type"] for event in events]
        assert kinds.count("plan.changed") == 2
        assert kinds.count("build.paused") == 3, "for the plan, by the person, for the failure"
        branch = git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/buildwright/").strip()
        assert git(repository, "show", f"{branch}:total.txt") == "x"
        assert "name: words" in git(repository, "show", f"{branch}:Forge/Contracts/schema.yaml")
