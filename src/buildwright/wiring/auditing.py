"""Makes the auditor of a process: its home, its sandbox and its clock. Must never judge."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from buildwright.settings import Settings
from buildwright.wiring.adapters import SystemClock, masker_of, path_of
from buildwright.wiring.allowed import allowed_secrets

if TYPE_CHECKING:
    from buildwright.audit.run import Auditor
    from buildwright.ports import GateTools


def auditor(settings: Settings, sandbox: Literal["auto", "bubblewrap", "none"] = "auto") -> Auditor:
    """Return the auditor of these settings. The sandbox is looked for when it is first needed."""
    from buildwright.audit.run import Auditor

    async def tools() -> GateTools:
        from buildwright.ports import GateTools
        from buildwright.sandbox import choose

        return GateTools(await choose(sandbox, home=settings.tag), path_of(settings), settings.home / "setups")

    return Auditor(
        settings.home,
        settings.environment,
        tools,
        SystemClock().now,
        masker_of(settings),
        partial(allowed_secrets, settings),
    )
