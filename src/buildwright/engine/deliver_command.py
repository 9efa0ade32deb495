"""The command that delivers what a build that has ended has landed. Must never do an effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent
from buildwright.core.limits import Delivery
from buildwright.engine.build_command import BuildCommand
from buildwright.errors import IllegalMove


@dataclass(frozen=True, slots=True)
class DeliverBuild(BuildCommand):
    """Deliver what a build that has ended has landed: as a pull request (the open one is updated), a push, or a branch.

    The build ends again as it had. Of one that has not succeeded, the pull request is a draft. If the build continues, the
    pull request is updated; a push and a branch are for once.
    """

    name = "deliver"
    wakes = True
    reopens = True
    deliver: Annotated[Literal["pr", "push", "branch", "files"], Field(description="Where what has landed goes.")] = (
        "pr"
    )
    branch: Annotated[
        str, Field(max_length=200, description="Branch for it; the one that the build has when left out.")
    ] = ""

    def facts(self, build: Build, new_id: str) -> Sequence[AnyEvent]:  # noqa: ARG002
        if not build.is_terminal:
            raise IllegalMove(
                "the build has not ended, and delivers its result by itself",
                fix=f"say where: `buildwright pause {build.id}`, then `buildwright resume {build.id} --deliver {self.deliver}`",
            )
        if not build.options.lanes or build.head == build.base:
            raise IllegalMove(
                "nothing of the build has landed, so there is nothing to deliver",
                fix=f"see `buildwright status {build.id}`",
            )
        if build.audit_refusals:
            raise IllegalMove(
                f"the audit refuses what has landed: {build.audit_refusals[0]}",
                fix=f"see `buildwright gates {build.id}`, then say `buildwright resume {build.id}`",
            )
        if self.deliver in {"push", "files"} and build.outcome != "succeeded":
            raise IllegalMove(
                f"the build has ended ({build.outcome}): half of a result is not for a remote, nor into a checkout",
                fix=f"open a draft of a pull request, `buildwright deliver {build.id}`, or name a local branch",
            )
        return (e.DeliveryRequested(delivery=self.delivery_of(build)),)

    def delivery_of(self, build: Build) -> Delivery:
        """Return where what has landed goes, with what the build's options say of the rest."""
        old = build.lasting_delivery
        return old.model_copy(update={"kind": self.deliver, "branch": self.branch or old.branch})
