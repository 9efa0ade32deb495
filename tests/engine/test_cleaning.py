"""What agents, gates and tools say reaches the log, the journal and listeners only cleaned, however it was cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from buildwright.core import event as e
from buildwright.core.activity import Activity, Finished, Ran, Said
from buildwright.core.finding import Finding, Report
from buildwright.core.secrets import MASK, Masker
from buildwright.engine.foreign import cleaned
from buildwright.ports import Assignment, Builds, Judged, Judgement, LogEntry, Message
from buildwright.testing.memory_store import MemoryBuilds
from tests.engine.harness import make_site, tasks

KEY = "k3y-Zq9-w7Tb2xV5mR8/Lp0"
RED = f"\x1b[31m{KEY}\x1b[0m\u202e"


class Talker:
    """An agent that says what it is given, and does nothing."""

    name = "talker"
    resumes = False
    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "never"

    def __init__(self, activities: Sequence[Activity]) -> None:
        self._activities = activities

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        for activity in self._activities:
            yield activity


class Talking:
    """A gate whose command says what it is given, piece by piece, and that refuses in the same words."""

    name = "talking"
    needs_files = False

    def __init__(self, pieces: Sequence[str]) -> None:
        self._pieces = pieces

    async def judge(self, judged: Judged) -> list[Judgement]:
        assert judged.on_output is not None
        for piece in self._pieces:
            judged.on_output(piece)
        finding = Finding(code="x", message="".join(self._pieces), file=f"a\x1b[0m{KEY}", fix=RED)
        return [Judgement(Report(gate="talking", ok=False, findings=(finding,)), b"")]


def cuts(text: str) -> list[list[str]]:
    return [[text[:cut], text[cut:]] for cut in range(1, len(text))]


async def what_is_known_of(
    tmp_path: Path, builds: Builds, activities: Sequence[Activity], pieces: Sequence[str]
) -> tuple[list[str], str, list[str]]:
    """The log of a build in which that was said, its journal as text, and what a listener heard."""
    site = make_site(tmp_path, builds, None, [Talking(pieces)])
    heard: list[LogEntry] = []
    await site.start(tasks("a"), limits={"attempts": 1})
    await site.run(agent=Talker(activities), mask=Masker([KEY]), on_log=heard.append)
    log = await builds.read_log(site.build_id, limit=10_000)
    assert {(entry.kind, entry.text) for entry in heard} >= {
        (line.kind, line.text) for line in log if line.kind == "said"
    }
    journal = "\n".join(e.encode(recorded.event) for recorded in await builds.read(site.build_id))
    return [f"{line.kind}: {line.text}" for line in log], journal, [entry.text for entry in heard]


async def test_a_secret_cut_between_pieces_is_nowhere(tmp_path: Path) -> None:
    text = f"before {RED} after"
    activities: list[Activity] = []
    for first, second in cuts(text):
        activities += [Said(text=first, more=True), Said(text=second)]
    activities += [Ran(command=f"echo {RED}", output=RED), Finished(ok=False, failure="crashed", summary=RED)]
    log, journal, heard = await what_is_known_of(tmp_path, MemoryBuilds(), activities, [])
    assert log.count(f"said: before {MASK} after") == len(text) - 1
    assert f"ran: $ echo {MASK}" in log
    assert "\x1b" not in "".join((*log, *heard))
    for told in ("\n".join(log), journal, "\n".join(heard)):
        assert not any(KEY[start : start + 8] in told for start in range(len(KEY) - 7))
    assert "\\u001b" not in journal
    assert "\\u202e" not in journal


async def test_a_secret_cut_between_pieces_of_a_gates_output_is_nowhere(tmp_path: Path) -> None:
    pieces = [piece for cut in cuts(f"{RED}\n") for piece in cut]
    done = [Finished(ok=True)]

    class Writer(Talker):
        async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
            (assignment.lane / "a.txt").write_text("a")
            async for activity in super().run(assignment, inbox):
                yield activity

    builds = MemoryBuilds()
    site = make_site(tmp_path, builds, None, [Talking(pieces)])
    heard: list[LogEntry] = []
    await site.start(tasks("a"))
    await site.run(agent=Writer(done), mask=Masker([KEY]), on_log=heard.append)
    log = [line.text for line in await builds.read_log(site.build_id, limit=10_000) if line.kind == "gate"]
    assert log.count(MASK) >= len(RED)
    journal = "\n".join(e.encode(recorded.event) for recorded in await builds.read(site.build_id))
    for told in ("\n".join(log), journal, "\n".join(entry.text for entry in heard)):
        assert not any(KEY[start : start + 8] in told for start in range(len(KEY) - 7))
    assert not {"\\u001b", "\\u202e"} & {journal[n : n + 6] for n in range(len(journal))}


async def test_pieces_of_a_line_make_one_line(tmp_path: Path) -> None:
    activities: list[Activity] = [
        Said(text="one, ", more=True),
        Said(text="two\nthr", more=True),
        Said(text="ee"),
        Said(text="half", more=True),
        Ran(command="ls"),
        Said(text="10%\r50%\r", more=True),
        Said(text="100%\r\n"),
        Said(text="last", more=True),
        Finished(ok=False, failure="crashed"),
    ]
    log, _, _ = await what_is_known_of(tmp_path, MemoryBuilds(), activities, [])
    assert [line for line in log if line.startswith(("said", "ran"))] == [
        "said: one, two",
        "said: three",
        "said: half",
        "ran: $ ls",
        "said: 100%",
        "said: last",
    ]


@pytest.mark.parametrize(
    "fact",
    [
        e.BuildPaused(reason="trouble", message=RED),
        e.AgentBroke(task="a", attempt=1, kind="crashed", message=RED),
        e.DeliveryFailed(message=RED),
        e.PlanRejected(message=RED),
        e.BuildFinished(outcome="failed", message=RED),
        e.TargetPrepared(commit="c", tree="t", notes=(RED,)),
        e.AgentFinished(task="a", attempt=1, summary=RED),
        e.BuildStuck(failures=3, tasks=("a",), errors=(RED,), advice=RED, no_advice=RED),
    ],
)
def test_every_fact_that_has_foreign_words_is_cleaned(fact: e.AnyEvent) -> None:
    text = e.encode(cleaned(fact, Masker([KEY])))
    assert MASK in text
    assert KEY not in text
    assert "\\u001b" not in text


def test_a_fact_that_needs_no_cleaning_is_left_as_it_is() -> None:
    fact = e.ChangeLanded(task="a", attempt=1, commit="c", tree="t")
    assert cleaned(fact, str) is fact
