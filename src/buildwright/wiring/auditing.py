"""Makes the auditor of a process: its home, its sandbox and its clock. Must never judge."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from buildwright.settings import Settings
from buildwright.wiring.adapters import SystemClock, masker_of, project_path_of
from buildwright.wiring.allowed import allowed_secrets, repository_name

if TYPE_CHECKING:
    from buildwright.audit.run import Auditor
    from buildwright.ports import AuditedPhase, EndedPhase, GateTools
    from buildwright.workspace import GitWorkspace


class LazyPhaseAuditor:
    """The auditor of the phases of builds, whose modules are imported at the first audit. It runs no command."""

    def __init__(self, settings: Settings, workspace: GitWorkspace) -> None:
        self._settings = settings
        self._workspace = workspace

    async def audit(self, phase: EndedPhase) -> AuditedPhase:
        """See `PhaseAuditor.audit`."""
        from buildwright.audit.run import BuildAuditor

        name_of = partial(repository_name, self._settings)
        return await BuildAuditor(auditor(self._settings), self._workspace.mirror_with, name_of).audit(phase)


def auditor(settings: Settings, sandbox: Literal["auto", "bubblewrap", "container", "none"] = "auto") -> Auditor:
    """Return the auditor of these settings. The sandbox is looked for when it is first needed."""
    from buildwright.audit.run import Auditor

    async def tools() -> GateTools:
        from buildwright.ports import GateTools
        from buildwright.sandbox import choose

        return GateTools(
            await choose(sandbox, settings.tag, settings.environment),
            project_path_of(settings),
            settings.home / "setups",
        )

    return Auditor(
        settings.home,
        settings.environment,
        tools,
        SystemClock().now,
        masker_of(settings),
        partial(allowed_secrets, settings),
    )
