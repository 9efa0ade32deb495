"""The delivery of what a build that has ended has landed, and when any delivery is given up. Pure; must never build anything."""

from __future__ import annotations

from buildwright.core import event as e
from buildwright.core.action import Deliver
from buildwright.core.build import Build, PastEnd


def delivered_again(build: Build, end: PastEnd) -> tuple[tuple[e.BuildFinished, ...], tuple[Deliver, ...]]:
    """Return the facts, or else the actions, of a build that had ended so: it ends so again, delivered or not."""
    if build.delivered_commit == build.head or is_given_up(build):
        return (ended_as_before(end),), ()
    return (), (Deliver(build.head, build.deliveries + 1),)


def ended_as_before(end: PastEnd) -> e.BuildFinished:
    """Return the fact that a build ends as it had."""
    return e.BuildFinished(outcome=end.outcome, message=end.message)


def is_given_up(build: Build) -> bool:
    """Return whether a delivery has failed for good, or often enough."""
    limit = build.options.limits.pushes
    return bool(build.delivery_error) and (not build.delivery_temporary or build.deliveries >= limit)
