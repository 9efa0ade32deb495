"""Which model an attempt asks, and what is asked instead when it fails. Pure; must never know what a model can do.

With the model `auto` the complexity of a task chooses among the sizes, and after an attempt whose work was refused the
next one goes up one size. What the provider or the machine fails in says nothing about the size: `instead_of` says what
is asked then, in the same attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from buildwright.core.activity import MODEL_AWAY, FailureKind
from buildwright.core.build import Build, TaskPhase, TaskState
from buildwright.core.complexity import Complexity, complexity_of
from buildwright.core.event import ModelChosen, ModelReason
from buildwright.core.limits import Options
from buildwright.core.models import AUTO, LADDER, NamedModel, id_of, named, size_place, sizes

_LATE: Final = frozenset({"conflict", "train", "undone"})
"""Rejections that say nothing about the model: another change was faster."""
_SAME: Final[frozenset[str]] = frozenset(
    {"rate_limit", "auth", "budget", "crashed", "overloaded", "unavailable", "unknown_model"}
)
"""Failures that the same model is asked after: waiting, a person or the machine has to help."""

_GIVES_WAY: Final[Mapping[str, str]] = {
    "overloaded": "is overloaded",
    "unavailable": "cannot be reached",
    "unknown_model": "is not known to its provider",
    "timeout": "took its provider too long",
}
"""Failures of a model's provider that another model may not have, and what is said of the model."""


class ChosenModel(NamedTuple):
    """A model and why it is asked."""

    model: NamedModel
    kind: ModelReason
    reason: str

    def event(self, task: str, state: TaskState) -> ModelChosen:
        """Return the fact that the task's attempt asks it from now on."""
        return ModelChosen(
            task=task,
            attempt=state.attempt,
            name=self.model.name,
            model=self.model.id,
            kind=self.kind,
            reason=self.reason,
            before=state.model if state.model != self.model.name else "",
        )


def candidates(options: Options, asked: str) -> list[NamedModel]:
    """Return every model that an attempt may ask where `asked` is what its agent is to ask; () for a model's own name."""
    first = (
        sizes(options.models) if asked == AUTO else [one for one in (named(options.models, asked),) if one is not None]
    )
    if not first:
        return []
    further = [one for name in options.fallback if (one := named(options.models, name)) is not None]
    return list({one.name: one for one in (*first, *sizes(options.models), *further)}.values())


def first_choice(options: Options, asked: str, found: Complexity) -> NamedModel | None:
    """Return the model for the first attempt of a task that is so complex; None where models have no names."""
    if asked != AUTO:
        return named(options.models, asked)
    ladder = sizes(options.models)
    fitting = (model for model in ladder if size_place(model) >= LADDER.index(found.size))
    return next(fitting, ladder[-1] if ladder else None)


def models_chosen(build: Build, tasks: Iterable[str]) -> tuple[ModelChosen, ...]:
    """Return the choice of a model for each of these tasks whose attempt has begun without one, if models have names."""
    if not build.options.models:
        return ()
    states = {task: build.task(task) for task in tasks}
    waiting = [
        task for task, one in states.items() if one.phase is TaskPhase.WORKING and one.model_attempt != one.attempt
    ]
    return tuple(chosen.event(task, states[task]) for task in waiting if (chosen := choose(build, task)) is not None)


def options_of_attempt(options: Options, state: TaskState) -> Options:
    """Return the options as the attempt's agent has them, with the model that was chosen for the attempt."""
    own = options.as_of(state.agent)
    chosen = named(options.models, state.model) if state.model_attempt == state.attempt else None
    return own.model_copy(update={"model": chosen.id if chosen is not None else id_of(options.models, own.model)})


def model_instead(build: Build, task: str, attempt: int, failure: FailureKind) -> ModelChosen | None:
    """Return that a running attempt goes on with another model of the user's; None when that would not help.

    Its next run goes on from its newest checkpoint, if its agent can, else it begins again.
    """
    state = build.task(task)
    if state.attempt != attempt or state.model_attempt != attempt:
        return None
    chosen = instead_of(build.options, state, failure)
    return chosen.event(task, state) if chosen is not None else None


def choose(build: Build, task_id: str) -> ChosenModel | None:
    """Return the model for the attempt that a task has begun, None when its agent's model has no name of the user's."""
    options, state = build.options, build.task(task_id)
    asked = options.as_of(state.agent).model
    before = named(options.models, state.model)
    assert build.plan is not None
    dependents = len(build.plan.dependents[build.plan.position[task_id]])
    found = complexity_of(build.plan.task(task_id), dependents)
    first = first_choice(options, asked, found)
    if first is None:
        return None
    if asked != AUTO:
        if before is not None and state.model_reason == "context_length":
            return ChosenModel(before, "context_length", f"{before.name}: the conversation was too long for {asked}")
        return _stays(state, before, first) or ChosenModel(first, "named", f"{asked} is what the build asks for")
    if not state.model or state.rejection is None or state.attempt == 1:
        why = f"the task is {found.level}, {found.score} of 100: {'; '.join(found.reasons[:3])}"
        return ChosenModel(first, "complexity", why)
    ladder = sizes(options.models)
    if before is not None and before not in ladder and state.model_reason == "context_length":
        return ChosenModel(before, "context_length", f"{before.name}: the conversation was too long for a size")
    # A fallback has no place among the sizes: what counts is the size that it stood in for.
    asked_before = (state.model, *reversed(state.models_down))
    last = next((one for name in asked_before for one in ladder if one.name == name), first)
    chosen = _next(ladder, last, state, before.name if before is not None else last.name)
    return _stays(state, before, chosen.model) or chosen


def _stays(state: TaskState, before: NamedModel | None, wanted: NamedModel) -> ChosenModel | None:
    """Return the fallback that the last attempt ended with, if it stands in for the wanted model; else None."""
    kind = next((one for one in MODEL_AWAY if one == state.model_reason), None)
    if kind is None or before is None or before.name == wanted.name:
        return None
    if state.models_down and wanted.name not in state.models_down:
        return None
    return ChosenModel(before, kind, f"{wanted.name} {_GIVES_WAY[kind]}: {before.name} stands in for it")


def _next(ladder: list[NamedModel], last: NamedModel, state: TaskState, failed: str) -> ChosenModel:
    """Return the model after an attempt whose newest size was `last`, and that ended with the model named `failed`."""
    place = ladder.index(last)
    failure = state.failure if state.rejection == "agent" else ""
    if state.rejection in _LATE or failure in _SAME:
        return ChosenModel(last, "same", f"the last attempt failed for no fault of {failed}")
    if failure == "timeout":
        faster = ladder[max(place - 1, 0)]
        return ChosenModel(faster, "timeout", f"{failed} ran out of time")
    words = "the context was too long for" if failure == "context_length" else "an attempt failed with"
    kind: ModelReason = "context_length" if failure == "context_length" else "failed_attempt"
    return ChosenModel(ladder[min(place + 1, len(ladder) - 1)], kind, f"{words} {failed}")


def instead_of(options: Options, state: TaskState, failure: FailureKind) -> ChosenModel | None:
    """Return what the running attempt asks instead of its model, which has failed so; None when nothing else helps.

    A conversation that is too long goes to the next larger context, a model whose provider takes too long one size down,
    and one that has no smaller size, or cannot be reached, to the next of the user's fallbacks. No model is asked twice
    in one attempt before the user has resumed the build.
    """
    model = named(options.models, state.model)
    if model is None:
        return None
    left = [
        one for one in candidates(options, model.name) if one.name not in state.models_down and one.name != model.name
    ]
    if failure == "context_length":
        larger = sorted((one for one in left if _holds_more(one, model)), key=lambda one: one.context)
        return ChosenModel(larger[0], failure, f"the conversation is too long for {model.name}") if larger else None
    if failure not in _GIVES_WAY:
        return None
    spare = [one for one in left if one.name in options.fallback]
    spare.sort(key=lambda one: options.fallback.index(one.name))
    if failure == "timeout" and model.name in LADDER:
        smaller = [one for one in left if one.name in LADDER and size_place(one) < size_place(model)]
        spare = [*sorted(smaller, key=size_place, reverse=True), *spare]
    return ChosenModel(spare[0], failure, f"{model.name} {_GIVES_WAY[failure]}") if spare else None


def too_long(options: Options, state: TaskState) -> bool:
    """Return whether the last attempt's conversation was too long for its model, and no other model takes a longer one.

    What is asked again is then refused again, and all that leads to it is paid for again.
    """
    return (
        state.rejection == "agent"
        and state.failure == "context_length"
        and instead_of(options, state._replace(models_down=()), "context_length") is None
    )


def _holds_more(one: NamedModel, other: NamedModel) -> bool:
    """Return whether a model takes a longer conversation; of sizes that do not say how long, the larger one may."""
    if one.context and other.context:
        return one.context > other.context
    both = one.name in LADDER and other.name in LADDER
    return both and size_place(one) > size_place(other)
