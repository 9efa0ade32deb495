"""The builds that are killed: their tasks, what the agents do, what the user does meanwhile. Holds no judgement."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from buildwright.advisors.contracts import spec_of_contracts
from buildwright.core import event as e
from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.contracts import BuildContracts, Contract
from buildwright.core.event import Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits
from buildwright.core.spec import Spec
from tests.adapters.scripted_agent import Say, Sleep, Step, Wait, Write
from tests.engine.harness import tasks

CANARY = "canary-7f3a91c2d4"
"""A secret that every life has in its environment and that agents say aloud: it may be found in no file afterwards."""

Act = Literal["pause", "go", "retry", "skip", "abort", "stop", "say", "redo", "undo", "rebase", "take"]

User = Callable[[Build, Sequence[Recorded], Collection[str]], Act | None]
"""From the build, its journal, and the tasks whose agents have begun in this life."""


@dataclass(frozen=True)
class Scene:
    """A build to be killed. `user` says what to do now from what outlives the process, so that nothing is done twice."""

    graph: Graph
    script: Mapping[tuple[str, int], Sequence[Step]]
    limits: Limits
    user: User = field(default=lambda *_: None)
    planned: bool = False
    """The spec is words, and a planner makes the graph of them."""
    pushed: bool = False
    paid: bool = False
    """Every attempt asks the model once."""
    after: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Attempts that do nothing until another task's change has landed, however busy the machine is."""
    until_taken: tuple[str, ...] = ()
    """Tasks whose agents do nothing until the user has taken the newer contracts."""
    outcome: str = "succeeded"
    contracts: tuple[Spec, ...] = ()
    """What a build from contracts is made of, first and once the user has taken the newer ones."""
    forked_after: str = ""
    """The task after whose landing in another build, made first, this one goes on; "" for a build of its own."""


def _contracts(version: int, phases: str) -> Spec:
    """The spec of a build from these phases."""
    contract = Contract(contract_type="phases", version=version, content=phases)
    return spec_of_contracts(BuildContracts(contracts=(contract,)), "crash")


_PHASES = """## Phase 1: Ground

**Deliverables:**
- add numbers
- keep sums

## Phase 2: Surface

**Deliverables:**
- show sums
"""
_NEWER_PHASES = _PHASES.replace("add numbers", "add whole numbers") + "- print sums\n"


def _happened(journal: Sequence[Recorded], kind: type[e.Event]) -> int:
    return sum(isinstance(recorded.event, kind) for recorded in journal)


def _phase(build: Build, task: str) -> TaskPhase | None:
    return build.task(task).phase if build.plan is not None else None


def _answers_failure(build: Build, _journal: Sequence[Recorded], _begun: Collection[str]) -> Act | None:
    return "retry" if build.control is Control.PAUSED else None


def _skips_failure(build: Build, _journal: Sequence[Recorded], _begun: Collection[str]) -> Act | None:
    return "skip" if build.control is Control.PAUSED else None


def _talks(build: Build, journal: Sequence[Recorded], _begun: Collection[str]) -> Act | None:
    """A word to the first task, a pause while it works, and on."""
    if build.control is Control.PAUSED:
        return "go"
    if _phase(build, "a") is TaskPhase.WORKING and not _happened(journal, e.MessageSent):
        return "say"
    if _happened(journal, e.MessageSent) and not _happened(journal, e.BuildPaused):
        return "pause"
    return None


def _stops(build: Build, _journal: Sequence[Recorded], begun: Collection[str]) -> Act | None:
    return "stop" if "b" in begun and build.control is Control.RUNNING else None


def _takes_back(build: Build, journal: Sequence[Recorded], _begun: Collection[str]) -> Act | None:
    """When the last task works, the first is made anew; when that has begun, the second is taken back."""
    if not _happened(journal, e.UndoRequested):
        return "redo" if _phase(build, "c") is TaskPhase.WORKING else None
    if _happened(journal, e.UndoRequested) == 1 and build.task("a").attempt == 2:
        return "undo"
    return None


def _moves_on(build: Build, journal: Sequence[Recorded], begun: Collection[str]) -> Act | None:
    """When the last task works, it pauses the build, puts it on another base, and answers what does not fit there."""
    if build.control is Control.PAUSED:
        if not _happened(journal, e.BaseChanged):
            return "rebase"
        return "retry" if build.failed else "go"
    ready = "c" in begun and not _happened(journal, e.BuildPaused)
    return "pause" if ready and _phase(build, "c") is TaskPhase.WORKING else None


def _takes_contracts(build: Build, journal: Sequence[Recorded], begun: Collection[str]) -> Act | None:
    """When the second task works, the newer contracts are taken: the first one, which has landed, is stale by them."""
    ready = "p1-keep-sums" in begun and not _happened(journal, e.ContractsChanged)
    return "take" if ready and _phase(build, "p1-keep-sums") is TaskPhase.WORKING else None


SCENES = {
    # One after the other, so that the points come in the same order each time: a gate that refuses, a retry, a join.
    "plain": Scene(
        tasks("a", "b", "c: a b"),
        {
            ("a", 1): [Say(f"the key is {CANARY}"), Write("a.txt", "a\n")],
            ("b", 1): [Write("b.txt", "wrong\n")],
            ("b", 2): [Write("b.txt", "right\n")],
            ("c", 1): [Sleep(0.05), Write("c.txt", "c\n")],
        },
        Limits(concurrency=1),
    ),
    # Two at once whose changes do not fit together, a task that fails for good until the user says retry, then a push.
    "rough": Scene(
        tasks("x", "y", "b: x y"),
        {
            ("x", 1): [Write("README.md", "x\n")],
            ("y", 1): [Write("README.md", "y\n")],
            ("x", 2): [Write("README.md", "both\n")],
            ("y", 2): [Write("README.md", "both\n")],
            ("b", 1): [Write("b.txt", "wrong\n")],
            ("b", 2): [Write("b.txt", "wrong\n")],
            ("b", 3): [Write("b.txt", "right\n")],
        },
        Limits(concurrency=2, attempts=2, stuck_after=2),
        user=_answers_failure,
        pushed=True,
        after={("y", 1): "x"},
    ),
    # Words become a plan, every attempt is paid for, and the user talks, pauses and goes on meanwhile.
    "talk": Scene(
        tasks("a", "b: a"),
        {
            ("a", 1): [Wait(), Say(f"the key is {CANARY}"), Write("a.txt", "a\n")],
            ("b", 1): [Write("b.txt", "right\n")],
        },
        Limits(concurrency=2),
        user=_talks,
        planned=True,
        paid=True,
    ),
    # One task is given up, the one that needs it runs all the same.
    "skip": Scene(
        tasks("b", "a: b"),
        {("b", 0): [Write("b.txt", "wrong\n")], ("a", 1): [Write("a.txt", "a\n")]},
        Limits(concurrency=1, attempts=1),
        user=_skips_failure,
    ),
    # What has landed is taken back: one task is made anew, one is given up, while a third works.
    "again": Scene(
        tasks("a", "b", "c"),
        {
            ("a", 1): [Write("a.txt", "a\n")],
            ("a", 2): [Write("a.txt", "anew\n")],
            ("b", 1): [Write("b.txt", "right\n")],
            ("c", 1): [Sleep(0.4), Write("c.txt", "c\n")],
        },
        Limits(concurrency=1),
        user=_takes_back,
    ),
    # The build is put on another base while the last task works: the first change does not fit there and is made anew.
    "moved": Scene(
        tasks("a", "b", "c: a b"),
        {
            ("a", 1): [Write("README.md", "a\n")],
            ("a", 2): [Write("README.md", "a on the new base\n")],
            ("b", 1): [Write("b.txt", "right\n")],
            ("c", 1): [Sleep(0.4), Write("c.txt", "c\n")],
        },
        Limits(concurrency=1, attempts=2),
        user=_moves_on,
    ),
    # It goes on from a point of another build: one task had landed there, the others are made here.
    "fork": Scene(
        tasks("a", "b: a", "c: b"),
        {
            ("a", 1): [Write("a.txt", "a\n")],
            ("b", 1): [Write("b.txt", "right\n")],
            ("c", 1): [Write("c.txt", "c\n")],
        },
        Limits(concurrency=1),
        forked_after="a",
    ),
    # Newer contracts are taken while the second task works: they lie below what has landed, which is brought up to date,
    # and there is one more task.
    "taken": Scene(
        tasks(),
        {
            ("p1-add-numbers", 1): [Write("a.txt", "a\n")],
            ("p1-keep-sums", 1): [Write("b.txt", "right\n")],
            ("p1-add-whole-numbers", 1): [Write("a.txt", "whole\n")],
            ("p2-show-sums", 1): [Write("c.txt", "c\n")],
            ("p2-print-sums", 1): [Write("d.txt", "d\n")],
        },
        Limits(concurrency=1),
        user=_takes_contracts,
        until_taken=("p1-keep-sums",),
        contracts=(_contracts(1, _PHASES), _contracts(2, _NEWER_PHASES)),
    ),
    # The user ends it while the second task works.
    "stop": Scene(
        tasks("a", "b: a"),
        {("a", 1): [Write("a.txt", "a\n")], ("b", 1): [Sleep(30), Write("b.txt", "right\n")]},
        Limits(concurrency=1),
        user=_stops,
        outcome="stopped",
    ),
}
