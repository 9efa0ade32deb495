"""A delivery that a user asked for after the end of a build, while it is under way. Pure; must never deliver anything."""

from __future__ import annotations

from buildwright.core.build import Build, Control
from buildwright.core.limits import DeliveryKind
from buildwright.core.record import Record

_GOALS: dict[DeliveryKind, str] = {
    "pr": "as a pull request",
    "push": "by a push",
    "branch": "to a branch of the repository",
    "files": "into the files that are checked out",
    "none": "nowhere",
}


class LaterDelivery(Record):
    """Where what has landed is going, how the build had ended, and how far the delivery is."""

    deliver: DeliveryKind
    branch: str = ""
    """"" for the one that the build has."""
    outcome: str
    """How the build had ended, and ends again."""
    attempt: int
    """From 1."""
    words: str
    stopping: bool = False
    """Whether it was asked to stop."""


def later_delivery(build: Build) -> LaterDelivery | None:
    """Return the delivery under way of a build that had ended, None for any other build."""
    end = build.past_end
    if end is None:
        return None
    goal = build.options.delivery
    attempt = build.deliveries + 1
    if build.control is Control.STOPPING:
        words = "The delivery is being stopped."
    elif build.delivered_commit == build.head:
        words = "It is delivered."
    else:
        where = f", branch {goal.branch}" if goal.branch else ""
        words = f"What has landed is being delivered {_GOALS[goal.kind]}{where}."
        if build.delivery_error:
            most = build.options.limits.pushes
            words += f" Attempt {attempt} of {most}: the one before failed: {build.delivery_error}"
    return LaterDelivery(
        deliver=goal.kind,
        branch=goal.branch,
        outcome=end.outcome,
        attempt=attempt,
        words=words,
        stopping=build.control is Control.STOPPING,
    )
