"""What a person may approve, what names a finding over attempts, and what becomes of a change whose findings are approved."""

from __future__ import annotations

from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.action import JudgePatch
from buildwright.core.build import Build, Control, TaskPhase, can_be_reopened, unapproved
from buildwright.core.decide import decide
from buildwright.core.finding import Finding, Report, Verdict, fingerprint_of, needs_consent
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.repetition import rejections
from buildwright.core.snapshot import dump, parse
from buildwright.core.task import Task
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.commands import ApproveFinding
from buildwright.errors import IllegalMove, NotFound, Refused
from buildwright.views.explain import why
from tests.core.machine import START, Machine


def finding(message: str, code: str = "scope.protected", task: str = "a", **more: Any) -> Finding:
    found = Finding(code=code, message=message, **more)
    return found.model_copy(update={"fingerprint": fingerprint_of(found, task)})


ONE, TWO = finding("ci.yml may not be changed"), finding("ci.yaml may not be changed")
BROKEN = finding("it fails", "check.failed")
GRAPH = Graph(
    tasks=(Task(id="a", title="A", files_expected=("a.py",)), Task(id="b", title="B", files_expected=("a.py",)))
)


class Site(Machine):
    """A build at which task `a` has made an attempt that the gates look at."""

    def __init__(self, attempts: int = 1, **more: Any) -> None:
        limits = Limits(attempts=attempts, concurrency=1)
        super().__init__(GRAPH, Options(limits=limits, **more), lambda _: 0)
        self.take(e.TargetPrepared(commit="base", tree="tree-base"))
        self.settle()
        self.take(e.BaseJudged(verdict=Verdict(tree="tree-base")))
        self.attempt(1)

    @property
    def at(self) -> Build:
        build: Build = self.build
        return build

    def settle(self) -> None:
        while facts := decide(self.build).facts:
            for fact in facts:
                self.take(fact)

    def attempt(self, number: int, tree: str = "new") -> None:
        self.settle()
        patch = Patch(base_tree="tree-base", tree=tree, changes=(FileChange(path="a.py", kind="modified"),))
        self.take(e.AgentFinished(task="a", attempt=number, patch=patch))
        self.settle()

    def refuse(self, *findings: Finding, attempt: int = 1, dropped: int = 0) -> None:
        report = Report(gate="scope", ok=False, findings=findings, dropped=dropped)
        self.take(e.PatchJudged(task="a", attempt=attempt, verdict=Verdict(tree="new", reports=(report,))))
        self.settle()

    def ask(self, command: BuildCommand) -> list[str]:
        facts = command.facts(self.build, "id")
        for fact in facts:
            self.take(fact)
        self.settle()
        return [fact.type for fact in facts]

    def let_pass(self, found: Finding) -> list[str]:
        return self.ask(ApproveFinding(found.fingerprint, "it is wanted"))


def test_a_fingerprint_is_of_the_thing_and_not_of_its_place() -> None:
    def name(message: str, task: str = "a", **more: Any) -> str:
        return fingerprint_of(Finding(code="tests.lost", message=message, **more), task)

    same = name("test_x at /tmp/work-1a/files/tests/test_x.py:12: gone, line 12, after 0.31 s at 0x7f00", line=12)
    assert same == name("test_x at /srv/work-9/files/tests/test_x.py:140: gone, line 99, after 2 s at 0xbeef", line=140)
    assert len(same) == 12
    assert int(same, 16) >= 0
    assert len({name(text) for text in ("test_1 is gone", "test_2 is gone", "And 3 more", "And 4 more")}) == 4
    assert name("x", file="a.py") != name("x", file="b.py")
    assert name("x", task="a") != name("x", task="b")


@pytest.mark.parametrize(
    "code",
    ["scope.protected", "scope.tests_deleted", "tests.lost", "reach.workflow", "secrets.x", "dependencies.undeclared"],
)
def test_what_asks_for_consent_may_be_approved(code: str) -> None:
    assert needs_consent(code)


@pytest.mark.parametrize(
    "code", ["scope.empty", "scope.unsafe", "check.failed", "test.bent", "syntax.json", "conflicts.marker", "test", ""]
)
def test_what_does_not_work_may_not(code: str) -> None:
    assert not needs_consent(code)
    site = Site()
    site.refuse(finding("it does not work", code))
    with pytest.raises(IllegalMove, match="cannot be approved"):
        site.let_pass(finding("it does not work", code))


def test_the_last_approval_has_the_kept_change_judged_again_and_the_build_go_on() -> None:
    site = Site()
    site.refuse(ONE, TWO)
    assert (site.at.control, site.at.task("a").phase) == (Control.PAUSED, TaskPhase.FAILED)
    assert site.let_pass(ONE) == ["finding.approved"]
    assert unapproved(site.at.task("a")) == (TWO,)
    assert site.at.control is Control.PAUSED
    assert site.let_pass(TWO) == ["finding.approved", "judging.reopened", "build.resumed"]
    state = site.at.task("a")
    assert (state.phase, state.attempt, state.findings) == (TaskPhase.JUDGING, 1, ())
    assert [approval.by for approval in state.approvals] == ["u", "u"]
    assert JudgePatch("a", 1, "new") in decide(site.build).actions
    assert site.at.failed == ()
    assert parse(dump(site.at)).task("a") == state
    assert [one.reason for one in why(site.at, "a", site.journal, START).approvals] == ["it is wanted"] * 2


@pytest.mark.parametrize(
    ("findings", "attempts", "words"),
    [
        ((ONE, TWO), 1, "With all of them let pass the change is judged again as it is."),
        ((ONE, BROKEN), 1, "With all of them let pass another finding keeps the change from landing still."),
        ((BROKEN,), 1, ""),
    ],
)
def test_what_is_said_of_an_approval_is_what_comes_of_it(
    findings: tuple[Finding, ...], attempts: int, words: str
) -> None:
    site = Site(attempts)
    site.refuse(*findings)
    assert why(site.at, "a", site.journal, START).consent == words
    for found in (one for one in findings if one is not BROKEN):
        site.let_pass(found)
    assert (site.at.task("a").phase is TaskPhase.JUDGING) == words.endswith("as it is.")


def test_what_is_let_pass_while_the_next_attempt_works_is_not_judged_again_at_once() -> None:
    site = Site(attempts=2)
    site.refuse(ONE)
    found = why(site.at, "a", site.journal, START)
    assert site.at.task("a").phase is TaskPhase.WORKING
    assert found.consent == "The task is being worked on, so the change is not judged again at once."
    assert site.let_pass(ONE) == ["finding.approved"]


def test_a_user_who_paused_decides_when_it_goes_on() -> None:
    site = Site(attempts=2)
    site.take(e.BuildPaused(reason="user"))
    site.refuse(ONE)
    assert site.at.task("a").phase is TaskPhase.REJECTED
    assert site.let_pass(ONE) == ["finding.approved", "judging.reopened"]
    assert site.at.control is Control.PAUSED
    assert decide(site.build).start is False


def test_an_approval_while_the_gates_judge_counts_for_their_refusal() -> None:
    site = Site(attempts=2)
    site.refuse(ONE)
    site.attempt(2, "newer")
    assert site.at.task("a").phase is TaskPhase.JUDGING
    assert site.let_pass(ONE) == ["finding.approved"]
    site.refuse(ONE, attempt=2)
    assert [rejected.attempt for rejected in rejections(site.journal, ["a"])] == [1]
    assert [recorded.event.type for recorded in site.journal[-2:]] == ["patch.judged", "judging.reopened"]
    assert site.at.task("a").phase is TaskPhase.JUDGING


def test_the_same_change_is_judged_once_its_finding_is_approved() -> None:
    """Without the approval the loop detector would refuse it for what it was refused for before."""
    site = Site(attempts=3)
    site.refuse(ONE)
    assert site.at.task("a").phase is TaskPhase.WORKING
    assert site.let_pass(ONE) == ["finding.approved"]
    site.attempt(2)
    assert site.at.task("a").phase is TaskPhase.JUDGING


def test_a_change_whose_files_another_task_has_waits() -> None:
    site = Site(on_failure="fail")
    site.refuse(ONE, attempt=1)
    assert site.at.task("b").phase is TaskPhase.WORKING
    before = site.at
    with pytest.raises(IllegalMove, match=r"task b works on a\.py"):
        site.let_pass(ONE)
    assert before.task("a").phase is TaskPhase.FAILED


def test_what_the_command_refuses() -> None:
    site = Site(attempts=2)
    site.take(e.BuildPaused(reason="user"))
    site.refuse(ONE, finding("by the way", severity="warning"), BROKEN)
    for command, error, words in (
        (ApproveFinding("0" * 12, "yes"), NotFound, "no finding"),
        (ApproveFinding(ONE.fingerprint[:3], "yes"), NotFound, "no finding"),
        (ApproveFinding(ONE.fingerprint, " "), Refused, "reason"),
        (ApproveFinding(finding("by the way").fingerprint, "yes"), IllegalMove, "is a warning"),
        (ApproveFinding(BROKEN.fingerprint, "yes"), IllegalMove, "does not work"),
    ):
        with pytest.raises(error, match=words):
            command.facts(site.build, "id")
    command = ApproveFinding(ONE.fingerprint, "it is wanted")
    assert not command.holds(site.build)
    assert site.ask(command) == ["finding.approved"]
    assert not can_be_reopened(site.at.task("a"))
    assert command.holds(site.build)
    with pytest.raises(IllegalMove, match="approved already"):
        site.let_pass(ONE)


def test_what_a_gate_did_not_list_cannot_be_approved() -> None:
    site = Site()
    site.refuse(ONE, TWO, dropped=3)
    with pytest.raises(IllegalMove, match="found 3 more than it lists"):
        site.let_pass(ONE)


def test_a_change_is_not_judged_again_for_no_reason() -> None:
    site = Site()
    site.refuse(ONE)
    with pytest.raises(IllegalMove, match="has not been approved"):
        site.take(e.JudgingReopened(task="a", attempt=1))
