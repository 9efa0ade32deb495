"""Diagnosing a stuck build: its context becomes one artifact, an advisor is asked. Must never start an attempt.

The same journal and log give the same bytes, so a worker that does it again after a crash keeps one artifact. Without a
model, or when it fails, the fact is the same but for the advice: a build is known to be stuck without an advisor.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import NamedTuple

from buildwright.core import event as e
from buildwright.core.action import Diagnose
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.finding import Diagnosis, TaskAdvice
from buildwright.core.limits import Options
from buildwright.core.repetition import rejections
from buildwright.engine.action_context import ActionContext
from buildwright.engine.proposal import read_proposal
from buildwright.engine.usage import access, shut_door, why_failed
from buildwright.errors import BadSettings, BadSpec, ModelFailed, NotFound
from buildwright.ports import Builds, LogLine
from buildwright.views.stuck import StuckView, stuck_event, with_context

LOG_ENTRIES = 500
"""Number of the newest log entries of the build that are kept."""
TAIL_LINES = 100
"""Number of the newest of these entries that are also kept as text."""
DIAGNOSIS_SECONDS = 180.0
"""Time limit of the model: nothing new starts while it is asked."""
MOST_PLANNED = 200
"""Number of the tasks of the plan that are named."""
LONGEST_ADVICE = 4_000
"""Characters of each piece of advice that the journal keeps."""


class _Answer(NamedTuple):
    """The result of asking: a diagnosis, or why there is none."""

    diagnosis: Diagnosis | None
    why_not: str = ""


async def diagnose(bench: ActionContext, action: Diagnose, build: Build) -> Sequence[AnyEvent]:
    """Return the fact that the build is stuck, with its context and the advice. Raises StoreFailed, DiskFull."""
    tasks = tuple(dict.fromkeys(build.failures_in_row))
    context = await _context(bench, build, tasks)
    digest = await bench.world.builds.put_artifact(context.encode("utf-8", "replace"))
    answer = await _ask(bench, action.number, build, context)
    mask = bench.world.mask
    stuck = e.BuildStuck(
        failures=len(build.failures_in_row),
        tasks=tasks,
        errors=tuple(_error(build, task) for task in tasks),
        number=action.number,
        context=digest,
        no_advice=mask(answer.why_not),
    )
    if answer.diagnosis is None:
        bench.logbook.note("engine", f"stuck, without a diagnosis: {answer.why_not}")
        return (stuck,)
    cause, told, ask_person = answer.diagnosis.cause, answer.diagnosis.advice, answer.diagnosis.ask_person
    advice = tuple(
        TaskAdvice(task=each.task, text=mask(each.text)[:LONGEST_ADVICE]) for each in told if each.task in tasks
    )
    bench.logbook.note("engine", f"stuck; the diagnosis: {cause}")
    proposal, why_not = read_proposal(build, answer.diagnosis.plan, mask)
    if why_not:
        bench.logbook.note("engine", why_not)
    found = {
        "advice": mask(cause)[:LONGEST_ADVICE],
        "task_advice": advice,
        "ask_person": ask_person,
        "proposal": proposal,
        "no_proposal": why_not,
        "instructions": bench.world.instructions.get("diagnoser", ""),
    }
    return (stuck.model_copy(update=found),)


def _error(build: Build, task: str) -> str:
    state = build.task(task)
    return f"{state.reason}: {state.findings[0]}" if state.findings else state.reason


async def _context(bench: ActionContext, build: Build, tasks: tuple[str, ...]) -> str:
    """Return the context as JSON: tasks and history first, the tail of the log last: a reader may cut the middle."""
    builds, mask = bench.world.builds, bench.world.mask
    await bench.logbook.flush()
    log = await builds.read_log(build.id, limit=LOG_ENTRIES, tail=True)
    journal = await builds.read(build.id)
    plan = build.plan
    assert plan is not None
    told = {
        "build": {
            "title": build.spec.title,
            "agent": build.options.agent,
            "checks": [check.command for check in build.options.checks],
            "failures_in_a_row": list(build.failures_in_row),
            "cost_usd": str(build.usage.cost_usd),
            "tokens": build.usage.tokens,
            "budget_usd": None if build.budget_usd is None else str(build.budget_usd),
            "model": build.options.model,
        },
        "tasks": [
            {
                "id": task,
                "title": plan.task(task).title,
                "goal": plan.task(task).goal,
                "agent": build.task(task).agent,
                "attempts": build.task(task).attempt,
                "cost_usd": str(build.task(task).cost_usd),
                "lessons": [lesson.content for lesson in build.task(task).lessons or ()],
            }
            for task in tasks
        ],
        "models": other_models(build.options),
        "plan": [
            {
                "id": task.id,
                "title": task.title,
                "phase": build.task(task.id).phase.value,
                "depends_on": list(task.depends_on),
                "files_expected": list(task.files_expected),
            }
            for task in plan.graph.tasks[:MOST_PLANNED]
        ],
        "history": [each.model_dump(mode="json") for each in rejections(journal, set(tasks))],
        "log": [line._asdict() | {"at": line.at.isoformat()} for line in log],
        "tail": [_line(line) for line in log[-TAIL_LINES:]],
    }
    return json.dumps(_masked(told, mask), ensure_ascii=False, indent=1)


def other_models(options: Options) -> list[str]:
    """Return the models that the options name beside the one that writes, each once."""
    named = (*(one.name for one in options.models), *options.asked_models)
    return [model for model in dict.fromkeys(named) if model != options.model]


def _line(line: LogLine) -> str:
    where = f"{line.task}/{line.attempt} " if line.task else ""
    return f"{line.at:%H:%M:%S} {where}{line.kind}: {line.text}"


def _masked(value: object, mask: Callable[[str], str]) -> object:
    """Return the value with each text masked by itself: in the whole, JSON's own characters could split a secret."""
    match value:
        case str():
            return mask(value)
        case dict():
            return {key: _masked(each, mask) for key, each in value.items()}
        case list() | tuple():
            return [_masked(each, mask) for each in value]
        case _:
            return value


async def _ask(bench: ActionContext, number: int, build: Build, context: str) -> _Answer:
    """Ask the advisor. The cost of its requests is recorded whatever the result."""
    world = bench.world
    gateway = world.gateway
    if world.diagnoser is None or gateway is None:
        return _Answer(None, "no model is available")
    try:
        model = build.options.advising_model(build.options.diagnoser_model)
        door = await gateway.open(access(bench.newest(), attempt=number, model=model))
    except (BadSettings, BadSpec) as missing:
        return _Answer(None, f"no model is available: {missing}")
    try:
        async with asyncio.timeout(DIAGNOSIS_SECONDS):
            return _Answer(await world.diagnoser.diagnose(context, model, door))
    except ModelFailed as failure:
        return _Answer(None, why_failed(gateway, door, failure))
    except TimeoutError:
        return _Answer(None, f"the model did not answer within {DIAGNOSIS_SECONDS:g} s")
    finally:
        await shut_door(bench, door)


async def stuck_of(builds: Builds, build_id: str, number: int = 0) -> StuckView:
    """Return one time that the build was stuck (0: the newest). Raises NotFound when it never was, StoreFailed."""
    view, digest = stuck_event(build_id, await builds.read(build_id), number)
    try:
        return with_context(view, await builds.get_artifact(digest)) if digest else view
    except NotFound:  # pruned since
        return view
