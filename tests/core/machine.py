"""A world made of dice: carries out whatever `decide` wants, with results drawn by Hypothesis. For core's property tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from buildwright.core import action as a
from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build, Control, Stage, is_undone
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Finding, Report, Verdict, fingerprint_of
from buildwright.core.graph import Graph
from buildwright.core.limits import Commits, Limits, Options
from buildwright.core.models import NamedModel
from buildwright.core.patch import FileChange, Patch
from buildwright.core.paths import overlapping
from buildwright.core.spec import Spec
from buildwright.core.task import Task

START = datetime(2026, 1, 1, tzinfo=UTC)


@st.composite
def graphs(draw: st.DrawFn, most: int = 8) -> Graph:
    """Acyclic graphs with shared files and up to three milestones."""
    size = draw(st.integers(1, most))
    milestones = sorted(draw(st.lists(st.integers(0, 2), min_size=size, max_size=size)))
    tasks = []
    for index in range(size):
        needs = draw(st.sets(st.integers(0, index - 1), max_size=3)) if index else set()
        files = draw(st.sets(st.sampled_from(["a.py", "b.py", "src/", "src/c.py", "./src/d.py"]), max_size=2))
        tasks.append(
            Task(
                id=f"T{index}",
                title=f"Task {index}",
                depends_on=tuple(f"T{need}" for need in sorted(needs)),
                files_expected=tuple(sorted(files)),
                milestone=f"m{milestones[index]}",
                minutes=draw(st.sampled_from([0.5, 1, 3])),
                critical=draw(st.integers(0, 9)) == 0,
            )
        )
    return Graph(tasks=tuple(tasks), milestones=("m0", "m1", "m2"))


MODELS = (NamedModel(name="small", model="m1"), NamedModel(name="large", model="m2"))


@st.composite
def options(draw: st.DrawFn) -> Options:
    lanes = draw(st.booleans())
    return Options(
        models=draw(st.sampled_from([(), MODELS])),
        model="auto",
        lanes=lanes,
        gates=draw(st.booleans()),
        commits=Commits(mark_phases=draw(st.booleans())),
        on_failure=draw(st.sampled_from(["pause", "fail"])),
        limits=Limits(
            concurrency=draw(st.integers(1, 4)),
            attempts=draw(st.integers(1, 3)),
            train=draw(st.integers(1, 3)),
            pushes=2,
        ),
    )


def consent(task: str) -> Finding:
    """What a person may approve of a task."""
    found = Finding(code="scope.protected", message="no")
    return found.model_copy(update={"fingerprint": fingerprint_of(found, task)})


def verdict(tree: str, ok: bool, bad: Finding | None = None) -> Verdict:
    findings = () if ok else (bad or Finding(code="test.failed", message="no"),)
    return Verdict(tree=tree, reports=(Report(gate="checks", kind="test", ok=ok, findings=findings),))


def _refused_for(build: Build, task: str, roll: Callable[[int], int]) -> Finding | None:
    """Now and then something that nobody has approved yet, though a person may."""
    asked = consent(task)
    approved = {approval.finding for approval in build.task(task).approvals}
    return asked if roll(2) and asked.fingerprint not in approved else None


def outcome(build: Build, action: a.Action, roll: Callable[[int], int]) -> list[AnyEvent]:  # noqa: C901  a case for each
    """What might come of an action. `roll(n)` draws 0..n-1; 0 is the lucky throw."""
    good = roll(4) != 3
    match action:
        case a.PrepareTarget():
            return [e.TargetPrepared(commit="base", tree="tree-base")]
        case a.MakePlan():
            raise AssertionError("the specs of these tests have graphs")
        case a.RevisePlan(number):
            return [e.PlanChanged(spec=number)]
        case a.SealTests(task):
            return [e.TestsSealed(task=task, tests=roll(3), why_none="")]
        case a.RunAgent(task, attempt):
            return [_attempted(build, task, attempt, roll if good else None)]
        case a.JudgePatch(task, attempt, tree) | a.JudgeMerge(task, attempt, tree):
            bad = None if good else _refused_for(build, task, roll)
            fact = e.PatchJudged if isinstance(action, a.JudgePatch) else e.MergeJudged
            return [fact(task=task, attempt=attempt, verdict=verdict(tree, good, bad), round=build.judging_round)]
        case a.PrepareMerge(task, attempt, onto):
            if not good:
                return [e.MergeConflicted(task=task, attempt=attempt, onto=onto, files=("f",), tree="marked")]
            return [_prepared(build, task, attempt, onto)]
        case a.LandChange(task, attempt, _, commit, tree):
            landed = e.ChangeUndone if is_undone(build.task(task)) else e.ChangeLanded
            return [landed(task=task, attempt=attempt, commit=commit, tree=tree)]
        case a.JudgeBase(tree):
            return [e.BaseJudged(verdict=verdict(tree, good), round=build.judging_round)]
        case a.Diagnose(number):
            return [_diagnosed(build, number, roll if good else None)]
        case a.VerifyBuild(tree):
            return [e.BuildVerified(verdict=verdict(tree, good), round=build.judging_round)]
        case a.AuditPhase(phase, base, head):
            mark = f"mark-{head}" if build.marks_phases else ""
            return [e.PhaseAudited(phase=phase, base=base, head=head, verdict=verdict(f"tree-{head}", good), mark=mark)]
        case a.MarkPhase(phase, onto, commit):
            return [e.PhaseMarked(phase=phase, onto=onto, commit=commit)]
        case a.Deliver(commit, _):
            if not good:
                return [e.DeliveryFailed(message="net", temporary=roll(2) == 0)]
            in_part = build.stage is Stage.WORKING
            return [e.BuildDelivered(kind="branch", ref="refs/heads/x", commit=commit, in_part=in_part)]


def _attempted(build: Build, task: str, attempt: int, roll: Callable[[int], int] | None) -> AnyEvent:
    """Without `roll` the agent broke. Now and then the patch is empty, and now and then the one that was there before."""
    if roll is None:
        return e.AgentBroke(task=task, attempt=attempt, kind="crashed", message="boom")
    changes = (FileChange(path=f"{task}.txt", kind="added"),) if roll(8) else ()
    patch = Patch(base_tree="x", tree=f"tree-{task}-{attempt if roll(3) else 0}", changes=changes)
    return e.AgentFinished(task=task, attempt=attempt, patch=patch if build.options.lanes else None)


def _prepared(build: Build, task: str, attempt: int, onto: str) -> AnyEvent:
    state = build.task(task)
    if is_undone(state):
        return e.MergePrepared(
            task=task, attempt=attempt, onto=onto, commit=f"({onto}-{task}-{attempt})", tree=f"tree({onto}-{task})"
        )
    same = onto == state.base and state.patch is not None
    tree = state.patch.tree if same and state.patch else f"tree({onto}+{task}-{attempt})"
    return e.MergePrepared(task=task, attempt=attempt, onto=onto, commit=f"({onto}+{task}-{attempt})", tree=tree)


def _diagnosed(build: Build, number: int, roll: Callable[[int], int] | None) -> AnyEvent:
    """Without `roll` there is no model."""
    row = build.failures_in_row
    stuck = e.BuildStuck(failures=len(row), tasks=tuple(dict.fromkeys(row)), number=number, no_advice="no model")
    if roll is None:
        return stuck
    return stuck.model_copy(update={"no_advice": "", "advice": "why", "ask_person": roll(3) == 2})


class Machine:
    """Drives one build with drawn results, keeping the journal it makes."""

    def __init__(self, graph: Graph, chosen: Options, roll: Callable[[int], int]) -> None:
        self.journal: list[Recorded] = []
        self.build: Any = None
        self.roll = roll
        self.take(
            e.BuildCreated(
                build_id="b",
                project_id="p",
                user_id="u",
                repository="/r" if chosen.lanes else "",
                spec=Spec(title="t", graph=graph),
                options=chosen,
            )
        )

    def take(self, event: AnyEvent) -> None:
        recorded = Recorded(len(self.journal) + 1, START + timedelta(seconds=len(self.journal)), event)
        self.build = apply(self.build, recorded)
        self.journal.append(recorded)

    def step(self) -> bool:
        """One move of the machine; False when the build rests."""
        decision = decide(self.build)
        if decision.facts:
            for fact in decision.facts:
                self.take(fact)
            return True
        # A paused build still names what it would want; a plan that is in the spec was never asked for.
        actions = [action for action in decision.actions if not isinstance(action, a.MakePlan)]
        if self.build.is_terminal or not actions:
            return False
        if not decision.start and self.roll(3) == 0:
            return False  # what was in flight when the pause came need not end
        chosen = actions[self.roll(len(actions))]
        for fact in outcome(self.build, chosen, self.roll):
            self.take(fact)
        return True

    def run(self, most: int = 2_000) -> None:
        for _ in range(most):
            if not self.step():
                return
        raise AssertionError(f"no rest after {most} moves: {[r.event.type for r in self.journal[-20:]]}")

    def approve(self, task: str) -> bool:
        """What the command `approve` does; False when there is nothing to approve, or another task has its files."""
        state = self.build.task(task)
        asked = [found for found in state.findings if found.code == "scope.protected"]
        needs = self.build.plan.task(task).files_expected
        if not asked or overlapping(needs, self.build.holders, task):
            return False
        found = asked[0]
        self.take(e.FindingApproved(task=task, finding=found.fingerprint, code=found.code, reason="fine", by="u"))
        self.take(e.JudgingReopened(task=task, attempt=state.attempt))
        return True

    def answer_pause(self) -> None:
        """What a user might do about a pause."""
        assert self.build.control is Control.PAUSED
        failed = self.build.failed
        choice = self.roll(4) if failed else 0
        if choice == 2:
            self.take(e.StopRequested(how="abort"))
            return
        if choice == 3 and self.approve(failed[0]):
            failed = self.build.failed
        for task in failed:
            self.take(
                e.TaskRetried(task=task, by="user", message="try harder") if choice == 0 else e.TaskSkipped(task=task)
            )
        self.take(e.BuildResumed())
