"""The frames of streams, made from events and log lines by one table. Pure; must never read a store or know a client.

A frame is `{type, ts, projectId, payload}`. Each event has one row: the fields of its `execution-update` (the names of
`/ws/devteam`), and its frames by the names of `/ws`. The names are those of the documents.
Large because it is a table: each event once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from pydantic_core import to_json

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import Event, Recorded, encode
from buildwright.core.finding import Finding, Verdict
from buildwright.core.judged_base import base_troubles
from buildwright.core.languages import language_of
from buildwright.ports import LogLine
from buildwright.views.overview import task_counts
from buildwright.views.project import phase_at
from buildwright.views.statuses import BUSY, AgentStatus, agent_status, is_failure, is_refusal, stream_status

Names: TypeAlias = Literal["devteam", "builder", "journal"]
"""The names that frames use: those of `/ws/devteam`, those of `/ws`, or the journal's own events, whole."""
Fields: TypeAlias = dict[str, Any]

MOST_FINDINGS = 20
MOST_TASKS = 500
"""Tasks in one `build_plan`; a larger plan comes in parts."""
MOST_FILES = 200
LONGEST_TEXT = 2_000
_WRITTEN = re.compile(r"(.+): wrote (\d+) bytes", re.DOTALL)
"""The line of a log that says which file an agent has written (`engine.attempt`)."""
LineLevel = Literal["info", "warning", "error"]
_LEVELS: dict[str, LineLevel] = {"error": "error", "warned": "warning"}


class StreamFrame(NamedTuple):
    """One message of a stream. `at` is when it happened."""

    type: str
    at: datetime
    project_id: str
    payload: Fields

    def encoded(self) -> bytes:
        """Return the envelope as JSON, the payload last."""
        return to_json({"type": self.type, "ts": stamp(self.at), "projectId": self.project_id, "payload": self.payload})


class EventFrames(NamedTuple):
    """The frames of one type of event."""

    fields: Callable[[Any], Fields]
    """Returns the fields of an `execution-update` beside those it always has."""
    frames: Callable[[Any, Moment], Iterable[tuple[str, Fields]]]
    """Returns types and payloads by the names of `/ws`."""


class Moment(NamedTuple):
    """An event between the states before and after it."""

    recorded: Recorded
    before: Build | None
    after: Build

    def task(self, task_id: str) -> Fields:
        """Return the fields of a task and of the phase (milestone) that it belongs to."""
        plan = self.after.plan
        if plan is None or task_id not in plan.position:
            return {"task": task_id}
        return {"task": task_id, **phase_fields(self.after, plan.milestone[plan.position[task_id]])}


def event_frames(names: Names, moment: Moment) -> list[StreamFrame]:
    """Return the frames of an event: always one for `devteam` and `journal`; none, one or several for `builder`."""
    recorded, build = moment.recorded, moment.after
    always = {"executionId": build.id, "seq": recorded.seq}
    made: Iterable[tuple[str, Fields]]
    if names == "journal":
        made = [("journal", {"event": recorded.event.type, "data": encode(recorded.event)})]
    elif names == "devteam":
        made = [("execution-update", _update(moment))]
    else:
        made = [*ROWS[type(recorded.event)].frames(recorded.event, moment), *_agents(moment), *_phases(moment)]
    return [StreamFrame(kind, recorded.at, build.project_id, {**always, **fields}) for kind, fields in made]


class LogFrame(NamedTuple):
    """A frame made of lines of a log, and the last of them."""

    frame: StreamFrame
    last: int


def log_frames(names: Names, build_id: str, project_id: str, lines: Sequence[LogLine]) -> list[LogFrame]:
    """Return some consecutive lines of a build's log: one frame, but `builder` has one for each file that was written."""
    if names != "builder":
        return [_lines("execution-log", build_id, project_id, lines)]
    found: list[LogFrame] = []
    waiting: list[LogLine] = []
    for line in lines:
        written = _WRITTEN.fullmatch(line.text) if line.kind == "wrote" else None
        if written is None:
            waiting.append(line)
            continue
        if waiting:
            found.append(_lines("build_log", build_id, project_id, waiting))
            waiting = []
        fields = {"task": line.task, "attempt": line.attempt, "line": line.seq}
        kind, payload = _file_created(written[1], int(written[2]), "written", fields)
        found.append(LogFrame(StreamFrame(kind, line.at, project_id, {"executionId": build_id, **payload}), line.seq))
    return [*found, _lines("build_log", build_id, project_id, waiting)] if waiting else found


def _lines(kind: str, build_id: str, project_id: str, lines: Sequence[LogLine]) -> LogFrame:
    shown = [
        {
            "seq": line.seq,
            "ts": stamp(line.at),
            "task": line.task,
            "attempt": line.attempt,
            "kind": line.kind,
            "level": level_of(line),
            "text": line.text,
        }
        for line in lines
    ]
    return LogFrame(
        StreamFrame(kind, lines[-1].at, project_id, {"executionId": build_id, "lines": shown}), lines[-1].seq
    )


def _file_created(path: str, size: int, change: str, more: Fields) -> tuple[str, Fields]:
    about = {"path": path, "size_bytes": size, "language": language_of(path), "change": change}
    return "file_created", {**about, **more}


def level_of(line: LogLine) -> LineLevel:
    """Return how much a line of a log matters."""
    if is_failure(line.kind, line.text):
        return "error"
    if is_refusal(line.kind, line.text):
        return "warning"
    return _LEVELS.get(line.kind, "info")


def phase_fields(build: Build, index: int) -> Fields:
    """Return the name and number of the phase at a place among the milestones, as `project.phases_of` has them."""
    name, number = phase_at(build, index)
    return {"phase": name, "number": number}


def stamp(at: datetime) -> str:
    """Return a time as the wire has it: UTC, to the microsecond."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _update(moment: Moment) -> Fields:
    event, build = moment.recorded.event, moment.after
    return {
        "event": event.type,
        "status": stream_status(build),
        "stage": build.stage.value,
        "tasks": {"total": build.total, **task_counts(build)},
        **ROWS[type(event)].fields(event),
    }


def _phases(moment: Moment) -> Iterator[tuple[str, Fields]]:
    """Yield the phases that ended or began with this event."""
    before, after = moment.before, moment.after
    if after.plan is None:
        return
    total = {"total": sum(1 for size in after.milestone_sizes if size)}
    fresh = before is None or before.plan is None
    was = -1 if before is None or fresh else before.milestone
    for index in range(max(was, 0), after.milestone):
        if not fresh and after.milestone_sizes[index]:
            yield "phase_complete", {**phase_fields(after, index), **total}
    if after.milestone > was:
        yield "phase_start", {**phase_fields(after, after.milestone), **total}
    if after.all_tasks_done and before is not None and not before.all_tasks_done:
        yield "phase_complete", {**phase_fields(after, after.milestone), **total}


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…"


def _findings(findings: Iterable[Finding]) -> list[Fields]:
    return [
        {"code": found.code, "message": _short(found.message), "severity": found.severity}
        | ({"file": found.file} if found.file else {})
        | ({"line": found.line} if found.line else {})
        | ({"fix": _short(found.fix)} if found.fix else {})
        | ({"fingerprint": found.fingerprint} if found.fingerprint else {})
        for found in list(findings)[:MOST_FINDINGS]
    ]


def _verdict(verdict: Verdict) -> Fields:
    gates = [{"gate": report.gate, "ok": report.ok} for report in verdict.reports]
    return {"ok": verdict.ok, "gates": gates, "findings": _findings(verdict.findings)}


def _of_task(event: Any) -> Fields:
    return {"task": event.task, "attempt": event.attempt}


def _audit(subject: str, about: Fields, verdict: Verdict) -> tuple[str, Fields]:
    """Return an audit's type and fields: it passes when every gate did."""
    gates = [{"gate": report.gate, "ok": report.ok} for report in verdict.reports]
    fields = {"subject": subject, **about, "gates": gates, "findings": _findings(verdict.findings)}
    return ("audit_pass" if verdict.ok else "audit_fail"), fields


def _audit_of_task(subject: str) -> Callable[[Any, Moment], Iterator[tuple[str, Fields]]]:
    def frames(event: e.PatchJudged | e.MergeJudged, moment: Moment) -> Iterator[tuple[str, Fields]]:
        about = {**moment.task(event.task), "attempt": event.attempt, "loop_count": event.attempt}
        yield _audit(subject, about, event.verdict)

    return frames


def _audit_of_base(event: e.BaseJudged, moment: Moment) -> Iterator[tuple[str, Fields]]:
    """Yield what the gates said of the base. `expected`: it lacks only what the tasks are to bring, so nothing waits."""
    expected = not event.verdict.ok and not base_troubles(moment.after)
    yield _audit("base", {"expected": True} if expected else {}, event.verdict)


def _plan(event: e.PlanMade, moment: Moment) -> Iterator[tuple[str, Fields]]:
    tasks = event.graph.tasks
    for start in range(0, len(tasks), MOST_TASKS):
        shown = [
            {
                "id": task.id,
                "description": task.title,
                "phase": moment.task(task.id).get("phase", ""),
                "status": moment.after.task(task.id).phase.value,
                "depends_on": list(task.depends_on),
            }
            for task in tasks[start : start + MOST_TASKS]
        ]
        yield "build_plan", {"tasks": shown, "first": start, "total": len(tasks)}


def _landed(event: e.ChangeLanded, moment: Moment) -> Iterator[tuple[str, Fields]]:
    patch = moment.before.task(event.task).patch if moment.before is not None else None
    written = [change for change in (patch.changes if patch else ()) if change.kind in {"added", "modified"}]
    for change in written[:MOST_FILES]:
        yield _file_created(change.path, change.size, change.kind, {"task": event.task})
    yield _complete(event.task, event.attempt, moment)


def _agent_finished(event: e.AgentFinished, moment: Moment) -> Iterator[tuple[str, Fields]]:
    if moment.after.task(event.task).phase is TaskPhase.DONE:  # a build without lanes: nothing has to land
        yield _complete(event.task, event.attempt, moment)


def _complete(task: str, attempt: int, moment: Moment) -> tuple[str, Fields]:
    state = moment.after.task(task)
    return "task_complete", {**moment.task(task), "id": task, "attempt": attempt, "status": state.phase.value}


def _skipped(event: e.TaskSkipped, moment: Moment) -> Iterator[tuple[str, Fields]]:
    yield _complete(event.task, moment.after.task(event.task).attempt, moment)


def _paused(event: e.BuildPaused, moment: Moment) -> Iterator[tuple[str, Fields]]:
    build = moment.after
    state = build.task(event.task) if event.task else None
    findings: Sequence[Finding] = state.findings if state is not None else ()
    if event.reason == "base":
        findings = base_troubles(build)
    elif not findings and build.verdict is not None and not build.verdict.ok:
        findings = build.verdict.findings
    options = ["retry", "retry_with_message"]
    if event.reason == "failure" and build.failed:
        options.append("skip_phase")
    phase = moment.task(event.task) if event.task else phase_fields(build, build.milestone)
    yield (
        "build_paused",
        {
            **phase,
            "loop_count": state.attempt if state is not None else 0,
            "audit_findings": _findings(findings),
            "options": [*options, "abort"],
            "reason": event.reason,
            "fault": event.fault,
            "message": _short(event.message),
        },
    )


def _heartbeat(event: e.AgentHeartbeat, _moment: Moment) -> Iterator[tuple[str, Fields]]:
    yield _sign_of_life(event.task, event.attempt, event.status, event.percent)


def _sign_of_life(task: str, attempt: int, status: str, percent: int) -> tuple[str, Fields]:
    about = {"instance_id": f"{task}#{attempt}", "status": status, "current_task_id": task}
    return "agent.heartbeat", {**about, "progress_percent": percent}


def _agents(moment: Moment) -> Iterator[tuple[str, Fields]]:
    """Yield a heartbeat for each agent whose state this event changed, at once instead of with the next one."""
    event, before, after = moment.recorded.event, moment.before, moment.after
    percent = 100 * (after.done + after.skipped) // max(after.total, 1)
    if isinstance(event, e.TaskStarted):
        yield _sign_of_life(event.task, event.attempt, AgentStatus.INITIALIZING, percent)
    elif isinstance(event, e.BuildStuck):
        for task in dict.fromkeys(event.tasks):
            yield _sign_of_life(task, after.task(task).attempt, AgentStatus.STUCK, percent)
    elif isinstance(event, e.BuildFinished):
        for task in after.active:
            if after.task(task).phase in BUSY:
                yield _sign_of_life(task, after.task(task).attempt, AgentStatus.FAILED, percent)
    elif before is not None and (task := getattr(event, "task", "")):
        was, now = agent_status(before.task(task)), agent_status(after.task(task))
        if now is not None and now is not was:
            yield _sign_of_life(task, after.task(task).attempt, now, percent)


def _spawned(event: e.TaskStarted, moment: Moment) -> Iterator[tuple[str, Fields]]:
    plan = moment.after.plan
    wave = plan.depth[plan.position[event.task]] + 1 if plan is not None else 0
    instance = {"instance_id": f"{event.task}#{event.attempt}", "execution_id": moment.after.id, "wave_number": wave}
    yield "agent.spawned", {**instance, **moment.task(event.task), "attempt": event.attempt, "agent": event.agent}


def _stuck(event: e.BuildStuck, _moment: Moment) -> Iterator[tuple[str, Fields]]:
    about = {"consecutive_failures": event.failures, "tasks": list(event.tasks), "context": event.context}
    yield "build.stuck", {**about, "advice": _short(event.advice), "ask_person": event.ask_person}


def _interjected(event: e.MessageSent, moment: Moment) -> Iterator[tuple[str, Fields]]:
    about = {"id": event.id, "message": event.text, "injected_at": stamp(moment.recorded.at), "delivered": False}
    yield "build_interjection", {**about, "task": event.task}


def _taken_in(event: e.MessageDelivered, moment: Moment) -> Iterator[tuple[str, Fields]]:
    notes = moment.before.notes_to_agents if moment.before is not None else ()
    text = next((note.text for note in notes if note.id == event.id), "")
    about = {"id": event.id, "message": text, "injected_at": stamp(moment.recorded.at), "delivered": True}
    yield "build_interjection", {**about, "task": event.task}


def _finished(event: e.BuildFinished, moment: Moment) -> Iterator[tuple[str, Fields]]:
    build = moment.after
    about = {"outcome": event.outcome, "message": _short(event.message), "tasks": task_counts(build)}
    if event.outcome == "succeeded":
        yield "build_complete", {**about, "result": build.delivered, "commit": build.delivered_commit}
    else:
        findings = build.verdict.findings if build.verdict is not None else ()
        yield "build_error", {**about, "error": _short(event.message) or event.outcome, "findings": _findings(findings)}


def _trouble(text: Callable[[Any], str]) -> Callable[[Any, Moment], Iterator[tuple[str, Fields]]]:
    """Return a maker of a log line for an event that people should read and that has no name of its own."""

    def frames(event: Any, moment: Moment) -> Iterator[tuple[str, Fields]]:
        line = {"seq": 0, "ts": stamp(moment.recorded.at), "task": getattr(event, "task", ""), "attempt": 0}
        yield "build_log", {"lines": [{**line, "kind": "engine", "level": "error", "text": _short(text(event))}]}

    return frames


def _nothing(_event: Any, _moment: Moment) -> tuple[()]:
    return ()


def _tokens(event: e.TokensUsed) -> Fields:
    cost = str(event.cost_usd) if event.cost_usd is not None else None
    counted = {"input": event.input_tokens, "output": event.output_tokens}
    cache = {"cacheRead": event.cache_read_tokens, "cacheWrite": event.cache_write_tokens}
    return {**_of_task(event), "model": event.model, "tokens": {**counted, **cache}, "costUsd": cost}


def _model(event: e.ModelChosen) -> Fields:
    return {
        "name": event.name,
        "model": event.model,
        "kind": event.kind,
        "reason": _short(event.reason),
        "before": event.before,
    }


def _files(event: e.AgentFinished) -> Fields:
    paths = event.patch.paths if event.patch is not None else ()
    return {**_of_task(event), "summary": _short(event.summary), "filesModified": list(paths[:MOST_FILES])}


ROWS: dict[type[Event], EventFrames] = {
    e.BuildCreated: EventFrames(lambda ev: {"title": ev.spec.title, "agent": ev.options.agent}, _nothing),
    e.BuildForked: EventFrames(
        lambda ev: {"source": ev.source, "event": ev.last, "landed": [one.task for one in ev.landed if one.counts]},
        _nothing,
    ),
    e.TargetPrepared: EventFrames(
        lambda ev: {"commit": ev.commit, "branch": ev.branch, "notes": list(ev.notes)}, _nothing
    ),
    e.PlanMade: EventFrames(lambda ev: {"planned": len(ev.graph.tasks)}, _plan),
    e.PlanRejected: EventFrames(
        lambda ev: {"message": _short(ev.message)}, _trouble(lambda ev: f"the plan was rejected: {ev.message}")
    ),
    e.BaseJudged: EventFrames(lambda ev: _verdict(ev.verdict), _audit_of_base),
    e.TaskStarted: EventFrames(_of_task, _spawned),
    e.ModelChosen: EventFrames(
        lambda ev: {**_of_task(ev), **_model(ev)},
        lambda ev, moment: [("model.chosen", {**moment.task(ev.task), "attempt": ev.attempt, **_model(ev)})],
    ),
    e.TestsSealed: EventFrames(
        lambda ev: {"task": ev.task, "tests": ev.tests, "reason": _short(ev.why_none)},
        _nothing,
    ),
    e.TaskWaited: EventFrames(lambda ev: {"task": ev.task, "file": ev.file, "holder": ev.holder}, _nothing),
    e.AgentHeartbeat: EventFrames(
        lambda ev: {**_of_task(ev), "agentStatus": ev.status, "percent": ev.percent}, _heartbeat
    ),
    e.TokensUsed: EventFrames(_tokens, _nothing),
    e.CheckpointCreated: EventFrames(_of_task, _nothing),
    e.CheckpointRestored: EventFrames(_of_task, _nothing),
    e.LessonsGiven: EventFrames(
        lambda ev: {**_of_task(ev), "lessons": [one.id for one in ev.given], "heldOut": list(ev.held_out)}, _nothing
    ),
    e.LessonLearned: EventFrames(
        lambda ev: {**_of_task(ev), "lesson": ev.lesson, "content": _short(ev.content), "confidence": ev.confidence},
        _nothing,
    ),
    e.AgentDenied: EventFrames(lambda ev: {**_of_task(ev), "places": list(ev.places)}, _nothing),
    e.ConversationCompacted: EventFrames(
        lambda ev: {**_of_task(ev), "cut": ev.cut, "tokensBefore": ev.tokens_before, "tokensAfter": ev.tokens_after},
        _nothing,
    ),
    e.AgentFinished: EventFrames(_files, _agent_finished),
    e.AgentBroke: EventFrames(
        lambda ev: {**_of_task(ev), "kind": ev.kind, "message": _short(ev.message)},
        _trouble(lambda ev: f"the agent failed ({ev.kind}): {ev.message}"),
    ),
    e.PatchJudged: EventFrames(lambda ev: {**_of_task(ev), **_verdict(ev.verdict)}, _audit_of_task("task")),
    e.FindingApproved: EventFrames(
        lambda ev: {
            "task": ev.task,
            "finding": ev.finding,
            "code": ev.code,
            "reason": _short(ev.reason),
            "by": ev.by,
        },
        _nothing,
    ),
    e.JudgingReopened: EventFrames(_of_task, _nothing),
    e.MergePrepared: EventFrames(lambda ev: {**_of_task(ev), "onto": ev.onto, "commit": ev.commit}, _nothing),
    e.MergeConflicted: EventFrames(
        lambda ev: {**_of_task(ev), "files": list(ev.files[:MOST_FILES])},
        _trouble(lambda ev: f"conflicts with what landed meanwhile in {', '.join(ev.files[:MOST_FINDINGS])}"),
    ),
    e.MergeJudged: EventFrames(lambda ev: {**_of_task(ev), **_verdict(ev.verdict)}, _audit_of_task("merge")),
    e.ChangeLanded: EventFrames(lambda ev: {**_of_task(ev), "commit": ev.commit}, _landed),
    e.TaskRetried: EventFrames(lambda ev: {"task": ev.task, "by": ev.by, "message": _short(ev.message)}, _nothing),
    e.TaskFailed: EventFrames(
        lambda ev: {"task": ev.task, "message": _short(ev.message), "findings": _findings(ev.findings)},
        _trouble(lambda ev: f"failed: {ev.message}"),
    ),
    e.TaskSkipped: EventFrames(lambda ev: {"task": ev.task}, _skipped),
    e.LoopDetected: EventFrames(
        lambda ev: {**_of_task(ev), "kind": ev.kind, "message": _short(ev.message)},
        _trouble(lambda ev: f"goes in circles: {ev.message}"),
    ),
    e.BuildStuck: EventFrames(
        lambda ev: {"failures": ev.failures, "failedTasks": list(ev.tasks), "advice": _short(ev.advice)}, _stuck
    ),
    e.BudgetReached: EventFrames(
        lambda ev: {
            "percent": ev.percent,
            "spentUsd": str(ev.spent_usd),
            "budgetUsd": str(ev.budget_usd),
            "purse": ev.purse,
            "task": ev.task,
            "day": ev.day,
        },
        _nothing,
    ),
    e.LimitMet: EventFrames(
        lambda ev: {"provider": ev.provider, "model": ev.model, "until": ev.until.isoformat(), "kind": ev.kind},
        _nothing,
    ),
    e.StepRequested: EventFrames(lambda ev: {"stepId": ev.id, "mode": ev.mode}, _nothing),
    e.BuildPaused: EventFrames(
        lambda ev: {
            "reason": ev.reason,
            "message": _short(ev.message),
            "task": ev.task,
            "askedBy": ev.asked_by,
        },
        _paused,
    ),
    e.BuildResumed: EventFrames(
        lambda ev: {"by": ev.by, "askedBy": ev.asked_by}, lambda ev, _m: [("build_resumed", {"by": ev.by})]
    ),
    e.OptionsChanged: EventFrames(lambda ev: {"changed": list(ev.changed)}, _nothing),
    e.SpecChanged: EventFrames(lambda ev: {"characters": len(ev.text)}, _nothing),
    e.PlanChanged: EventFrames(
        lambda ev: {"tasks": [task.id for task in ev.tasks], "dropped": list(ev.dropped)}, _nothing
    ),
    e.UndoRequested: EventFrames(
        lambda ev: {"task": ev.task, "redo": ev.redo, "message": _short(ev.message), "fromAttempt": ev.from_attempt},
        _nothing,
    ),
    e.ChangeUndone: EventFrames(lambda ev: {**_of_task(ev), "commit": ev.commit}, _nothing),
    e.ContractsChanged: EventFrames(
        lambda ev: {
            "contracts": {one.contract_type: one.version for one in ev.spec.contracts.contracts},
            "tasks": [task.id for task in ev.graph.tasks],
        },
        _nothing,
    ),
    e.BaseChanged: EventFrames(lambda ev: {"commit": ev.commit, "base": ev.base, "number": ev.number}, _nothing),
    e.BuildReopened: EventFrames(lambda _: {}, lambda _e, _m: [("build_resumed", {"by": "user"})]),
    e.DeliveryRequested: EventFrames(
        lambda ev: {"kind": ev.delivery.kind, "branch": ev.delivery.branch, "askedBy": ev.asked_by},
        lambda _e, _m: [("build_resumed", {"by": "user"})],
    ),
    e.StopRequested: EventFrames(
        lambda ev: {"how": ev.how, "message": _short(ev.message), "askedBy": ev.asked_by},
        lambda ev, _m: [("build.stop", {"how": ev.how, "message": _short(ev.message)})],
    ),
    e.MessageSent: EventFrames(
        lambda ev: {"messageId": ev.id, "message": _short(ev.text), "task": ev.task, "askedBy": ev.asked_by},
        _interjected,
    ),
    e.ReviewSent: EventFrames(
        lambda ev: {
            "reviewId": ev.id,
            "askedBy": ev.asked_by,
            "comments": len(ev.comments),
            "message": _short(ev.message),
            "tasks": list(ev.tasks),
        },
        _nothing,
    ),
    e.MessageDelivered: EventFrames(lambda ev: {**_of_task(ev), "messageId": ev.id}, _taken_in),
    e.BuildVerified: EventFrames(lambda ev: _verdict(ev.verdict), lambda ev, _m: [_audit("result", {}, ev.verdict)]),
    e.PhaseAudited: EventFrames(
        lambda ev: {**_verdict(ev.verdict), "number": ev.phase, "head": ev.head},
        lambda ev, moment: [_audit("phase", phase_fields(moment.after, ev.phase), ev.verdict)],
    ),
    e.PhaseMarked: EventFrames(lambda ev: {"number": ev.phase, "commit": ev.commit}, _nothing),
    e.BuildDelivered: EventFrames(
        lambda ev: {
            "kind": ev.kind,
            "ref": ev.ref,
            "commit": ev.commit,
            **({"pull_request": ev.pull_request, "draft": ev.draft} if ev.pull_request else {}),
        },
        _nothing,
    ),
    e.DeliveryFailed: EventFrames(
        lambda ev: {"message": _short(ev.message), "temporary": ev.temporary},
        _trouble(lambda ev: f"the delivery failed: {ev.message}"),
    ),
    e.BuildFinished: EventFrames(lambda ev: {"outcome": ev.outcome, "message": _short(ev.message)}, _finished),
}
"""The row of every event; a test fails for an event without one."""
