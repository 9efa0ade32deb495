"""Steps from facts: each legal fact and all that `decide` adds, with the build after each. Must never wait or write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.decide import Decision, decide
from buildwright.core.event import AnyEvent, Recorded
from buildwright.errors import IllegalMove


class Decided(NamedTuple):
    """One event to be appended, and the build after it."""

    recorded: Recorded
    build: Build


def take_steps(
    build: Build,
    facts: Iterable[AnyEvent],
    at: datetime,
    dropped: Callable[[IllegalMove], None],
    *,
    deciding: bool = True,
) -> tuple[list[Decided], Decision]:
    """Return the steps that the facts lead to, and what should be in flight after them.

    A result that comes after the build has moved on is no longer legal: `dropped` is told. With `deciding` False
    nothing follows from the facts and nothing begins.
    """
    steps: list[Decided] = []
    at = max(at, build.updated_at)  # clocks of two machines differ by a little; a journal does not go back in time

    def take(event: AnyEvent) -> None:
        nonlocal build
        recorded = Recorded(build.version + 1, at, event)
        build = apply(build, recorded)
        steps.append(Decided(recorded, build))

    for fact in facts:
        try:
            take(fact)
        except IllegalMove as late:
            dropped(late)
    while deciding:
        decision = decide(build)
        if not decision.facts:
            return steps, decision
        for fact in decision.facts:
            take(fact)
    return steps, Decision(start=False)
