"""Users who say anything at any moment, against the whole machine: each move is legal exactly when it should be."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build, Control, Stage, TaskPhase, can_be_reopened
from buildwright.core.event import AnyEvent
from buildwright.core.graph import Graph
from buildwright.core.limits import Check, Options
from buildwright.core.options_change import OptionsChange
from buildwright.core.paths import overlapping
from buildwright.core.snapshot import dump
from buildwright.errors import IllegalMove
from tests.core.machine import Machine, consent, graphs, options
from tests.core.test_machine import check

GOING = {Control.RUNNING, Control.PAUSED}


class Users(RuleBasedStateMachine):
    """A build that runs by dice, with commands thrown in between its moves."""

    machine: Machine
    data: st.DataObject
    spent = 0

    @initialize(graph=graphs(most=5), chosen=options(), data=st.data())
    def begin(self, graph: Graph, chosen: Options, data: st.DataObject) -> None:
        self.data = data
        self.machine = Machine(graph, chosen, lambda n: data.draw(st.integers(0, n - 1)))

    @property
    def build(self) -> Build:
        build: Build = self.machine.build
        return build

    def command(self, event: AnyEvent, legal: bool) -> None:
        before = self.build
        try:
            self.machine.take(event)
        except IllegalMove:
            assert not legal, f"{event} was refused: {before.control} {before.stage}"
            assert self.build is before
        else:
            assert legal, f"{event} was taken: {before.control} {before.stage}"

    @rule(times=st.integers(1, 6))
    def move(self, times: int) -> None:
        for _ in range(times):
            self.machine.step()

    @rule()
    def pause(self) -> None:
        self.command(e.BuildPaused(reason="user"), self.build.control is Control.RUNNING)

    @rule()
    def resume(self) -> None:
        self.command(e.BuildResumed(), self.build.control is Control.PAUSED)

    @rule(more=st.booleans(), checks=st.booleans())
    def change(self, more: bool, checks: bool) -> None:
        """A user changes options: what waits to land is judged anew when the checks are others."""
        change = OptionsChange(
            attempts=self.build.options.limits.attempts + more,
            checks=(Check(name=f"v{self.build.version}", command="true"),) if checks else None,
        )
        event = e.OptionsChanged(options=change.of(self.build.options))
        legal = self.build.control is Control.PAUSED
        self.command(event, legal)
        if legal and checks:
            assert self.build.base_verdict is None
            assert not any(car.passed or car.commit for car in self.build.train)

    @rule()
    def say(self) -> None:
        self.command(e.MessageSent(id=f"m{self.build.version}", text="hello"), self.build.control in GOING)

    @rule()
    def spend(self) -> None:
        legal = not self.build.is_terminal
        self.command(e.TokensUsed(model="m", input_tokens=1, cost_usd=Decimal(1)), legal)
        self.spent += legal

    @precondition(lambda self: self.build.failed)
    @rule(retry=st.booleans())
    def answer(self, retry: bool) -> None:
        task = self.build.failed[0]
        event = e.TaskRetried(task=task, by="user") if retry else e.TaskSkipped(task=task)
        self.command(event, self.build.control in GOING)

    @precondition(lambda self: self.build.plan is not None and self.build.tasks)
    @rule(data=st.data())
    def approve(self, data: st.DataObject) -> None:
        """A person approves what a task was, or was not, refused for; then a change may be judged again, or not."""
        task = data.draw(st.sampled_from(sorted(self.build.tasks)))
        state, found = self.build.task(task), consent(task)
        going = self.build.control in GOING and self.build.stage is Stage.WORKING
        over = state.phase in {TaskPhase.WAITING, TaskPhase.DONE, TaskPhase.SKIPPED}
        fresh = found.fingerprint not in {approval.finding for approval in state.approvals}
        event = e.FindingApproved(task=task, finding=found.fingerprint, code=found.code, reason="fine", by="u")
        self.command(event, going and not over and fresh)
        state = self.build.task(task)
        plan = self.build.plan
        assert plan is not None
        free = overlapping(plan.task(task).files_expected, self.build.holders, task) is None
        legal = going and free and can_be_reopened(state)
        self.command(e.JudgingReopened(task=task, attempt=state.attempt), legal)
        if legal:
            assert self.build.task(task).phase is TaskPhase.JUDGING
            assert self.build.task(task).attempt == state.attempt

    @precondition(lambda self: self.build.version > 25)
    @rule(how=st.sampled_from(["stop", "abort"]))
    def end(self, how: str) -> None:
        legal = self.build.control is Control.PAUSED or (how == "stop" and self.build.control is Control.RUNNING)
        self.command(e.StopRequested(how="stop" if how == "stop" else "abort"), legal)

    @rule(data=st.data())
    def something_late(self, data: st.DataObject) -> None:
        """A result that was recorded once comes again: it is refused, or leaves a state that holds."""
        results = [r.event for r in self.machine.journal if r.event.type in {"agent.finished", "change.landed"}]
        if results:
            self.command(data.draw(st.sampled_from(results)), legal=False)

    @invariant()
    def holds(self) -> None:
        check(self.build)
        assert self.build.usage.cost_usd == self.spent

    def teardown(self) -> None:
        if not hasattr(self, "machine"):
            return
        if self.build.control in GOING:
            self.machine.take(e.StopRequested())
        self.machine.run()
        assert self.build.is_terminal
        assert dump(fold(self.machine.journal)) == dump(self.build)


TestUsers = Users.TestCase
TestUsers.settings = settings(max_examples=80, stateful_step_count=30, deadline=None)
