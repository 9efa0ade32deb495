"""The command that answers a pause, or goes on with a build that has ended. Must never do an effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.build import Build, Control
from buildwright.core.event import AnyEvent
from buildwright.core.judged_base import base_refusal, refusing
from buildwright.core.limits import Budget, Options
from buildwright.core.models import AUTO, LADDER, named, sizes
from buildwright.core.options_change import OptionsChange, changed_options
from buildwright.core.task import Task
from buildwright.engine.build_command import BuildCommand, Words, reopened
from buildwright.errors import IllegalMove, Refused
from buildwright.ports import Target

Choice = Literal["go", "retry", "skip", "abort"]


@dataclass(frozen=True, slots=True)
class ResumeBuild(BuildCommand):
    """Answer a pause and go on. `go` to a build that is not paused changes nothing but sees that it is carried out.

    With new `options` the base is judged anew if they can change its verdict. With another `base` what has landed is
    put on top of it anew. A build that has ended goes on where something of it is left.
    """

    name = "resume"
    wakes = True
    reopens = True
    choice: Choice = "go"
    message: Annotated[Words, Field(description="For the agents that continue; with `abort` why it ends.")] = ""
    budget_usd: Annotated[Budget | None, Field(description="What the build may cost from now on.")] = None
    options: Annotated[OptionsChange | None, Field(description="New values of options.")] = None
    from_attempt: Annotated[
        int, Field(ge=0, le=10**6, description="With `retry`: the attempt whose work the next one continues from.")
    ] = 0
    base: Annotated[
        str, Field(max_length=1_000, description="Branch, tag or commit of the repository to stand on from now on.")
    ] = ""
    rebase: Annotated[bool, Field(description="Stand on the newest commit of the base that the build was given.")] = (
        False
    )

    accept_plan: Annotated[bool, Field(description="Take the changed plan that the diagnosis proposes.")] = False

    @property
    def moves_base(self) -> bool:
        return self.rebase or bool(self.base)

    def asks_of_machine(self) -> tuple[Options, Sequence[Task]]:
        return self._of(Options()), ()

    def check_pause(self, build: Build) -> None:
        """Raises IllegalMove when the build gives no occasion to resume it."""
        if build.is_terminal:
            _check_left(build, self)
        elif build.pause is None:
            changes = self.options is not None or self.moves_base
            if self.choice == "abort":
                raise IllegalMove(
                    "the build is not paused, so there is no pause to answer",
                    fix=f"end it with `buildwright stop {build.id}`",
                )
            raise IllegalMove(
                "the build is not paused, so there is nothing to resume",
                fix=f"pause it first: `buildwright pause {build.id}`"
                if changes
                else f"see `buildwright status {build.id}`; if no process runs it, `buildwright run {build.id}` continues it",
            )

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:
        if self.moves_base:
            raise Refused("the new base was not fetched", fix="give the command to the program that has the repository")
        return self.facts_on(build, new_id)

    def facts_on(self, build: Build, new_id: str, *base: AnyEvent) -> Sequence[AnyEvent]:
        """Return the facts, `base` among them: that the build stands on another base."""
        self.check_pause(build)
        self._check_together()
        changes = (*self._changed(build), *self._replanned(build), *base)
        first = reopened(build)
        rests = build.pause is not None or bool(changes) or self.budget_usd is not None
        if first and rests:  # options and base change while nothing begins
            first = (*first, e.BuildPaused(reason="user", message="opened again"))
        return (*first, *changes, *self._answer(build, new_id, resumed=rests))

    def _check_together(self) -> None:
        if self.from_attempt and self.choice != "retry":
            raise Refused(
                "only an attempt that is made again can continue from the work of an earlier one", fix="choose retry"
            )
        if self.base and self.rebase:
            raise Refused("the build can stand on one base only", fix="give either base or rebase")

    def _replanned(self, build: Build) -> tuple[AnyEvent, ...]:
        """Return the change of the plan that the user accepts. Raises IllegalMove where none is proposed."""
        if not self.accept_plan:
            return ()
        if build.proposal is None:
            raise IllegalMove("no changed plan is proposed", fix=f"see `buildwright why {build.id} stuck`")
        if self.choice != "go":
            raise IllegalMove("another plan says what becomes of failed tasks", fix="accept the plan alone")
        return (e.PlanChanged(tasks=build.proposal.tasks, dropped=build.proposal.dropped),)

    def _of(self, options: Options) -> Options:
        return options if self.options is None else self.options.of(options)

    def _changed(self, build: Build) -> tuple[AnyEvent, ...]:
        """Return the change of the options, if they change. Raises IllegalMove where one has no effect."""
        options = self._of(build.options)
        changed = changed_options(build.options, options)
        if not changed:
            return ()
        if self.choice == "abort":
            raise IllegalMove(
                "a build that ends takes no new options", fix="leave them out, or continue without --abort"
            )
        if "model" in changed:
            _check_size(options)
        return (e.OptionsChanged(options=options, changed=changed),)

    def _answer(self, build: Build, new_id: str, *, resumed: bool) -> Sequence[AnyEvent]:
        goes_on = (e.BuildResumed(budget_usd=self.budget_usd),) if resumed else ()
        told = (e.MessageSent(id=new_id, text=self.message),) if self.message else ()
        match self.choice:
            case "abort":
                return (e.StopRequested(how="abort", message=self.message or "given up by the user"),)
            case "retry":
                carried = self.from_attempt
                if carried and len(build.failed) != 1:
                    raise IllegalMove(
                        f"{len(build.failed)} tasks have failed, so it is not clear whose attempt {carried} is meant",
                        fix="leave the attempt out",
                    )
                again = (
                    e.TaskRetried(task=task, by="user", message=self.message, from_attempt=carried)
                    for task in build.failed
                )
                return (*again, *(() if build.failed else told), *goes_on)
            case "skip":
                if not build.failed:
                    raise IllegalMove("there is no failed task to skip", fix="resume without --skip")
                return (*(e.TaskSkipped(task=task) for task in build.failed), *told, *goes_on)
            case "go":
                failed = self._left_failed(build)
                if failed and (build.options.on_failure == "pause" or build.is_terminal):
                    raise IllegalMove(
                        f"task {failed[0]} has failed and needs your choice",
                        fix="add --retry (with -m to guide the agent), --skip or --abort",
                    )
                return (*told, *goes_on)

    def _left_failed(self, build: Build) -> tuple[str, ...]:
        """Return the failed tasks that stay so: those in an accepted plan begin anew, or are gone."""
        given = build.proposal if self.accept_plan else None
        changed = {*(task.id for task in given.tasks), *given.dropped} if given is not None else set()
        return tuple(task for task in build.failed if task not in changed)

    def holds(self, build: Build) -> bool:
        again, there = replace(self, options=None), self._of(build.options) == build.options
        return build.control is Control.RUNNING and there and again == ResumeBuild()


@dataclass(frozen=True, slots=True)
class ResumeOnBase(BuildCommand):
    """A `ResumeBuild` whose new base is fetched. No command of users: the program that has the repository makes it of theirs."""

    name = "resume"
    wakes = True
    reopens = True
    resume: ResumeBuild
    base: str
    target: Target

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:
        target = self.target
        if target.commit == build.base:
            raise IllegalMove(
                f"the build stands on {target.commit[:12]} already, which is what {self.base or 'its base'} names",
                fix="resume without another base",
            )
        changed = e.BaseChanged(
            commit=target.commit,
            tree=target.tree,
            branch=target.branch,
            base=self.base,
            number=build.rebases + 1,
            notes=target.notes,
        )
        return self.resume.facts_on(build, new_id, changed)


def _check_size(options: Options) -> None:
    """Raise Refused for a model that stands for sizes which the build was made without."""
    name = options.model
    if (name == AUTO and not sizes(options.models)) or (name in LADDER and named(options.models, name) is None):
        raise Refused(
            f"the build was made without models to choose from, and {name} stands for one of them",
            fix=f"name a model, or start a new build with --model {name}",
        )


def _check_left(build: Build, resume: ResumeBuild) -> None:
    """Raises IllegalMove when nothing of an ended build is left to go on with."""
    if resume.choice == "abort":
        raise IllegalMove(f"the build has ended ({build.outcome})", fix=f"see `buildwright status {build.id}`")
    if build.outcome == "succeeded" and not resume.moves_base:
        raise IllegalMove(
            "the build has ended (succeeded), and nothing of it is left to do",
            fix=f"add a task with `buildwright task add {build.id} --title TEXT`, or have one done again with"
            f" `buildwright task redo {build.id} TASK`",
        )
    asks = resume.moves_base or resume.options is not None
    if build.options.on_failure == "fail" and not asks and base_refusal(build):
        raise IllegalMove(
            "the build has ended for its base does not pass, and would end so again",
            fix=f"fix it and say --rebase, or {' '.join(f'--accept-base {name}' for name in refusing(build))}",
        )
