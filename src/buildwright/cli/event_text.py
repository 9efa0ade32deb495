"""The line that people see for each event, or none. Must never print, or read anything but the event and the build."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from buildwright.cli.argv0 import typed
from buildwright.cli.output import REASON, one_line
from buildwright.cli.table import duration
from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import Recorded, Rejection, StepMode
from buildwright.core.figures import count, money
from buildwright.core.finding import Verdict
from buildwright.core.judged_base import base_troubles, what_bars
from buildwright.core.limits import AsOption, marked
from buildwright.core.terminal import lines_of
from buildwright.views.money import budget_words, limit_words

Tone = Literal["done", "bad", "dot", "again", "pause"]

STYLES: dict[Tone, str] = {"done": "green", "bad": "red", "dot": "", "again": "yellow", "pause": "yellow"}


_MOST_LINES = 3
"""Lines of what a check said that are shown as it happens: the pause and `why` have all that matter."""


_MOST_PLACES = 5


class EventLine(NamedTuple):
    """One line for people. `tone` selects the sign in front of it and its colour."""

    tone: Tone
    text: str


def tell(recorded: Recorded, build: Build) -> EventLine | None:
    """Return the line for an event, None if people do not need one. `build` is the state after the event."""
    teller = TELLERS[type(recorded.event)]
    return teller(recorded.event, build, recorded.at) if teller is not None else None


def options_named(changed: Iterable[str]) -> list[str]:
    """Return options as the user types them: `--attempts` for `limits.attempts`; one without a name as it is."""
    names = {".".join(place): mark.names.split()[0] for place, _, mark in marked(AsOption)}
    return [names.get(one, one) for one in changed]


def _what(message: str, most: int) -> str:
    """Return what happened, without the fix: the summary at the end has that in a line of its own."""
    return one_line(message.partition(" Fix: ")[0], most)


def first_finding(verdict: Verdict) -> str:
    """Return which gates refused, the first finding, and how many more there are."""
    gates = ", ".join(report.gate for report in verdict.reports if not report.ok)
    findings = verdict.findings
    if not findings:
        return gates
    more = f" (+{len(findings) - 1} more)" if len(findings) > 1 else ""
    return f"{gates}: {one_line(str(findings[0]), 300)}{more}"


def _way_out(verdict: Verdict, build_id: str) -> str:
    """Return what to change so that the first error is gone, and the command that lets it pass instead."""
    errors = [finding for finding in verdict.findings if finding.severity == "error"]
    if not errors:
        return ""
    fix = f"\n    to land: {one_line(errors[0].fix, 300)}" if errors[0].fix else ""
    if not errors[0].can_be_approved:
        return fix
    approve = typed(f'buildwright approve {build_id[:8]} {errors[0].fingerprint} -m "..."')
    return f"{fix}\n    or, if it is wanted as it is: {approve}"


def _target(event: e.TargetPrepared, build: Build, _at: datetime) -> EventLine | None:
    if not event.commit:
        return None
    notes = "".join(f"\n  note: {one_line(note)}" for note in event.notes)
    return EventLine("dot", f"building on {event.branch or build.base_ref or 'HEAD'} at {event.commit[:12]}{notes}")


def _forked(event: e.BuildForked, _build: Build, _at: datetime) -> EventLine:
    kept = sum(one.counts for one in event.landed)
    reused = f"; {count(kept, 'task')} done there" if kept else ""
    other = f", with another {' and '.join(event.changed)}" if event.changed else ""
    return EventLine("dot", f"forked from build {event.source[:8]} at event {event.last}{other}{reused}")


def _plan(_event: e.PlanMade, build: Build, _at: datetime) -> EventLine | None:
    if build.plan is None:
        return None
    waves = max(build.plan.depth) + 1
    return EventLine("dot", f"planned {count(build.total, 'task')} in {count(waves, 'wave')}")


_AGAIN: dict[Rejection, str] = {
    "agent": "after the agent's failure",
    "empty": "because it had changed nothing",
    "gate": "with the findings as feedback",
    "conflict": "to resolve the conflict",
    "train": "with what did not fit as feedback",
    "undone": "because you have it redone",
}


def _started(event: e.TaskStarted, build: Build, _at: datetime) -> EventLine:
    if event.attempt > 1:
        rejection = build.task(event.task).rejection
        why = f", {_AGAIN[rejection]}" if rejection is not None else ""
        changed = f" by {event.agent}" if event.agent not in {"", build.options.agent} else ""
        return EventLine("again", f"{event.task} starts again (attempt {event.attempt}{changed}){why}")
    title = build.plan.task(event.task).title if build.plan is not None else ""
    shown = "" if title.casefold() == event.task.casefold() else f": {one_line(title, 80)}"
    by = f" by {event.agent}" if event.agent not in {"", build.options.agent} else ""
    return EventLine("dot", f"{event.task} started{by}{shown}")


def _judged(event: e.PatchJudged | e.MergeJudged, build: Build, _at: datetime) -> EventLine | None:
    if event.verdict.ok or build.task(event.task).phase is TaskPhase.MERGING:
        return None  # it passed, or failed on top of a change that has not landed: it will be judged again on the head
    where = " on top of what landed meanwhile" if isinstance(event, e.MergeJudged) else ""
    reason = lines_of(str(event.verdict.findings[0]))[1:] if event.verdict.findings else ()
    more = "".join(f"\n{REASON}{one_line(line, 300)}" for line in reason[-_MOST_LINES:])
    way = _way_out(event.verdict, build.id)
    return EventLine("bad", f"{event.task} did not pass{where}, {first_finding(event.verdict)}{more}{way}")


def _conflicted(event: e.MergeConflicted, build: Build, _at: datetime) -> EventLine | None:
    if build.task(event.task).phase is TaskPhase.MERGING:
        return None  # with a change that has not landed, which may never land
    return EventLine(
        "again", f"{event.task} conflicts with what landed meanwhile in {one_line(', '.join(event.files))}"
    )


def _landed(event: e.ChangeLanded, build: Build, at: datetime) -> EventLine:
    state = build.task(event.task)
    took = state.seconds(build.clock, at) or 0.0
    again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
    proof = f", {event.proof}" if event.proof else ""
    return EventLine("done", f"{event.task} done in {duration(took)}{again}{proof}")


def _agent_finished(event: e.AgentFinished, build: Build, at: datetime) -> EventLine | None:
    """With lanes a task is done when its change lands; without lanes, when its agent has finished."""
    if build.options.lanes:
        if event.patch is None or not event.patch.is_empty or event.to_prove:
            return None
        return EventLine("bad", f"{event.task}: {event.nothing}")
    took = build.task(event.task).seconds(build.clock, at) or 0.0
    return EventLine("done", f"{event.task} done in {duration(took)}")


def _lessons_given(event: e.LessonsGiven, _build: Build, _at: datetime) -> EventLine:
    held = f", without {count(len(event.held_out), 'other')} to try them" if event.held_out else ""
    return EventLine("dot", f"{event.task} is given {count(len(event.given), 'lesson')}{held}")


def _denied(event: e.AgentDenied, _build: Build, _at: datetime) -> EventLine:
    return EventLine("dot", f"{event.task}: its agent asked for {denied_places(event.places)}, which it may not reach")


def _compacted(event: e.ConversationCompacted, _build: Build, _at: datetime) -> EventLine:
    sizes = f"from about {event.tokens_before:,} to {event.tokens_after:,} tokens"
    return EventLine("dot", f"{event.task}: its conversation is near the model's limit and was cut {sizes}")


def denied_places(places: Sequence[str]) -> str:
    """Return the first of the places that an agent was denied, in one line."""
    more = f" and {len(places) - _MOST_PLACES} more" if len(places) > _MOST_PLACES else ""
    return one_line(", ".join(places[:_MOST_PLACES]), 300) + more


def _broke(event: e.AgentBroke, _build: Build, _at: datetime) -> EventLine:
    return EventLine("bad", f"{event.task}: the agent failed ({event.kind}): {_what(event.message, 300)}")


def _failed(event: e.TaskFailed, build: Build, _at: datetime) -> EventLine:
    """The reason is left out: each attempt's line has said it, and the summary says it again."""
    return EventLine("bad", f"{event.task} failed after {count(build.task(event.task).attempt, 'attempt')}")


def _paused(event: e.BuildPaused, build: Build, _at: datetime) -> EventLine:
    """The line is short: the summary printed after a pause has the whole message and the choices."""
    match event.reason:
        case "failure":
            what = f"{event.task} needs you" if event.task else "it needs you"
        case "plan":
            what = "there is no plan to build"
        case "delivery" if build.deliveries:  # else it is told before the work what would bar it
            what = "the result could not be delivered"
        case _:
            what = _what(event.message, 300) or ("as you asked" if event.reason == "user" else event.reason)
    return EventLine("pause", f"paused{_by(event.asked_by, build)}: {what}")


def _by(user: str, build: Build) -> str:
    """Return whose doing it was, if not the build's own user's."""
    return f", by {one_line(user, 80)}" if user and user != build.user_id else ""


def _name(user: str, build: Build) -> str:
    return "you" if user in {"", build.user_id} else one_line(user, 80)


def _sealed(event: e.TestsSealed, _build: Build, _at: datetime) -> EventLine:
    if not event.tests:
        return EventLine("dot", f"{event.task} has no sealed tests: {one_line(event.why_none, 200)}")
    dropped = f"; {count(len(event.dropped), 'other')} proved nothing" if event.dropped else ""
    return EventLine("dot", f"{event.task}: {count(event.tests, 'sealed test')}{dropped}")


def _stuck(event: e.BuildStuck, _build: Build, _at: datetime) -> EventLine:
    row = f"stuck: {count(event.failures, 'failure')} in a row ({', '.join(event.tasks)})"
    if event.advice:
        return EventLine("bad", f"{row}; the diagnosis: {one_line(event.advice, 300)}")
    return EventLine("bad", f"{row}; no diagnosis, {one_line(event.no_advice, 160)}" if event.no_advice else row)


def _retried(event: e.TaskRetried, _build: Build, _at: datetime) -> EventLine | None:
    if event.by == "rule":
        return None
    said = f", told: {one_line(event.message, 120)}" if event.message else ""
    return EventLine("again", f"{event.task} may try again{said}")


def _finished(event: e.BuildFinished, _build: Build, _at: datetime) -> EventLine | None:
    if event.outcome == "succeeded":
        return None
    return EventLine("bad", f"{event.outcome}" + (f": {_what(event.message, 300)}" if event.message else ""))


def _verified(event: e.BuildVerified, _build: Build, _at: datetime) -> EventLine:
    if event.verdict.ok:
        return EventLine("done", "the result passed all checks")
    return EventLine("bad", f"the result was refused by {first_finding(event.verdict)}")


def _audited(event: e.PhaseAudited, build: Build, _at: datetime) -> EventLine:
    has_name = build.plan is not None and any(build.plan.milestones)
    name = build.phase_name(event.phase) if has_name else "the result"
    if event.verdict.ok:
        return EventLine("done", f"{name} passed its audit")
    return EventLine("bad", f"{name} was refused by the audit, {first_finding(event.verdict)}")


def _marked(event: e.PhaseMarked, build: Build, _at: datetime) -> EventLine:
    return EventLine("done", f"{build.phase_name(event.phase)} is marked as complete by commit {event.commit[:12]}")


def _base(event: e.BaseJudged, build: Build, _at: datetime) -> EventLine | None:
    troubles = base_troubles(build)
    if not troubles:
        warnings = [one_line(str(warning)) for warning in event.verdict.warnings]
        return (
            EventLine("dot", "\n  ".join(["before any change the checks leave out:", *warnings])) if warnings else None
        )
    lines = [one_line(line, 300) for line in troubles[0].reason[1:]]
    told = f"{what_bars(build)}: {first_finding(event.verdict)}"
    return EventLine("bad", "\n    ".join([told, *lines]))


def _delivered(event: e.BuildDelivered, _build: Build, _at: datetime) -> EventLine | None:
    if event.kind == "none":
        return None
    name = event.ref.removeprefix("refs/heads/")
    if event.kind == "files":
        return EventLine("done", f"delivered to branch {name} and the files of its checkout")
    if event.pull_request:
        what = "draft of a pull request" if event.draft else "pull request"
        return EventLine(
            "done", f"pushed to {event.remote}, branch {name}; {what}: {one_line(event.pull_request, 500)}"
        )
    return EventLine(
        "done", f"pushed to {event.remote}, branch {name}" if event.remote else f"delivered to branch {name}"
    )


def _undo(event: e.UndoRequested, build: Build, _at: datetime) -> EventLine:
    state = build.task(event.task)
    back = f"the change of {event.task} will be taken back" if state.again else f"{event.task} will be attempted"
    return EventLine("again", f"{back}{', and made again' if state.again and event.redo else ''}")


def _new_base(event: e.BaseChanged, build: Build, _at: datetime) -> EventLine:
    again = sum(build.task(car.task).again == "replay" for car in build.train)
    rest = f": {count(again, 'landed change')} put on top of it again" if again else ""
    return EventLine(
        "again", f"stands on {event.commit[:10]} of {event.branch or event.base or 'the repository'}{rest}"
    )


def _contracts_changed(event: e.ContractsChanged, _build: Build, _at: datetime) -> EventLine:
    kept = event.spec.contracts.contracts if event.spec.contracts is not None else ()
    versions = ", ".join(f"{one.contract_type} {one.version}" for one in kept if one.version > 1)
    return EventLine("again", f"continues with newer contracts: {versions or 'all of them'}")


def _plan_changed(event: e.PlanChanged, _build: Build, _at: datetime) -> EventLine:
    parts = [f"added or edited {', '.join(task.id for task in event.tasks)}"] if event.tasks else []
    parts += [f"dropped {', '.join(event.dropped)}"] if event.dropped else []
    who = "the plan for the new spec" if event.spec else "you changed the plan"
    return EventLine("dot", f"{who}: {'; '.join(parts) or 'nothing of it changes'}")


_STEPS: dict[StepMode, str] = {
    "auto": "whatever comes next",
    "plan_only": "of the plan",
    "implement_only": "of an agent",
    "verify_only": "of checking, merging or delivering",
}

TELLERS: dict[type[e.Event], Callable[[Any, Build, datetime], EventLine | None] | None] = {
    e.BuildCreated: None,
    e.BuildForked: _forked,
    e.TargetPrepared: _target,
    e.PlanMade: _plan,
    e.PlanRejected: lambda event, _b, _at: EventLine("bad", f"there is no plan: {_what(event.message, 300)}"),
    e.TaskStarted: _started,
    e.ModelChosen: lambda event, _b, _at: EventLine(
        "again" if event.before else "dot",
        f"{event.task} asks {event.name} ({one_line(event.model, 60)}): {one_line(event.reason, 200)}",
    ),
    e.TestsSealed: _sealed,
    e.TaskWaited: lambda event, _b, _at: EventLine(
        "dot", f"{event.task} waits for {event.file}, held by {event.holder}"
    ),
    e.AgentHeartbeat: None,
    e.TokensUsed: None,
    e.CheckpointCreated: None,
    e.CheckpointRestored: lambda event, _b, _at: EventLine("again", f"{event.task} continues from its last checkpoint"),
    e.LessonsGiven: _lessons_given,
    e.LessonLearned: lambda event, _b, _at: EventLine(
        "dot", f"{event.task} taught lesson {event.lesson}: {one_line(event.content, 160)}"
    ),
    e.AgentDenied: _denied,
    e.ConversationCompacted: _compacted,
    e.AgentFinished: _agent_finished,
    e.AgentBroke: _broke,
    e.PatchJudged: _judged,
    e.FindingApproved: lambda event, _b, _at: EventLine(
        "dot", f"{event.by} approved {event.finding} of {event.task} ({event.code}): {one_line(event.reason, 120)}"
    ),
    e.JudgingReopened: lambda event, _b, _at: EventLine("again", f"{event.task} is judged again as it is"),
    e.MergePrepared: None,
    e.MergeJudged: _judged,
    e.MergeConflicted: _conflicted,
    e.ChangeLanded: _landed,
    e.TaskRetried: _retried,
    e.TaskFailed: _failed,
    e.TaskSkipped: lambda event, _b, _at: EventLine("dot", f"{event.task} skipped"),
    e.LoopDetected: lambda event, _b, _at: EventLine("bad", f"{event.task} goes in circles: {event.message}"),
    e.BuildStuck: _stuck,
    e.BudgetReached: lambda event, _b, _at: EventLine(
        "dot", f"{budget_words(event)} are spent: {money(event.spent_usd)} of {money(event.budget_usd)}"
    ),
    e.LimitMet: lambda event, _b, at: EventLine(
        "dot", one_line(limit_words(event.provider, event.model, event.until, at), 200)
    ),
    e.StepRequested: lambda event, _b, _at: EventLine("dot", f"you asked for a step ({_STEPS[event.mode]})"),
    e.BuildPaused: _paused,
    e.BuildResumed: lambda event, build, _at: EventLine(
        "again",
        "continues: the provider's limit is over" if event.by == "clock" else f"continues{_by(event.asked_by, build)}",
    ),
    e.OptionsChanged: lambda event, _b, _at: EventLine("dot", f"changed: {', '.join(options_named(event.changed))}"),
    e.SpecChanged: lambda _e, _b, _at: EventLine("dot", "you changed the spec; the planner is asked what that changes"),
    e.PlanChanged: _plan_changed,
    e.UndoRequested: _undo,
    e.ChangeUndone: lambda event, _b, _at: EventLine(
        "done", f"the change of {event.task} is taken back as {event.commit[:10]}"
    ),
    e.ContractsChanged: _contracts_changed,
    e.BaseChanged: _new_base,
    e.BuildReopened: lambda _e, _b, _at: EventLine("again", "continues after its end"),
    e.DeliveryRequested: lambda event, build, _at: EventLine(
        "again", f"delivers what has landed once more{_by(event.asked_by, build)}: {event.delivery.kind}"
    ),
    e.StopRequested: lambda event, build, _at: EventLine("bad", f"asked to stop{_by(event.asked_by, build)}"),
    e.MessageSent: lambda event, build, _at: EventLine(
        "dot", f"{_name(event.asked_by, build)} said: {one_line(event.text, 120)}"
    ),
    e.ReviewSent: lambda event, build, _at: EventLine(
        "dot", f"{_name(event.asked_by, build)} sent a review: {count(len(event.comments), 'comment')}"
    ),
    e.MessageDelivered: lambda event, _b, _at: EventLine("dot", f"{event.task} received your message"),
    e.BaseJudged: _base,
    e.BuildVerified: _verified,
    e.PhaseAudited: _audited,
    e.PhaseMarked: _marked,
    e.BuildDelivered: _delivered,
    e.DeliveryFailed: lambda event, _b, _at: EventLine("bad", f"delivery failed: {_what(event.message, 300)}"),
    e.BuildFinished: _finished,
}
"""For each event the function that makes its line, or None if people do not need one."""
