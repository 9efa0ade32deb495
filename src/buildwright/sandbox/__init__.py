"""Where foreign commands run, with limits, and end with nothing left. Must never do without a wall unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Literal, get_args

from buildwright.errors import BadSettings, GateBroken, ToolMissing
from buildwright.ports import Sandbox
from buildwright.sandbox.bubblewrap import Bubblewrap
from buildwright.sandbox.execution import NoSandbox
from buildwright.sandbox.orphans import end_orphans
from buildwright.temporary_folders import remove_abandoned_folders

__all__ = ["Bubblewrap", "NoSandbox", "choose", "end_orphans"]

SandboxMode = Literal["auto", "bubblewrap", "container", "none"]
MODES: tuple[SandboxMode, ...] = get_args(SandboxMode)
_PAUSES = (0.2, 1.0)
"""Seconds before the next trial of a sandbox that did not work."""


async def choose(mode: SandboxMode, home: str = "", environment: Mapping[str, str] | None = None) -> Sandbox:
    """Return the sandbox for a mode. `auto` is bubblewrap, where that does not work containers, and never none.

    What killed processes of this user left in the folders for temporary files is removed first.

    `home` is the tag that marks what belongs to this home. BUILDWRIGHT_SANDBOX in the environment says what `auto`
    means on this machine: where a container around this process is the wall, its owner asks for `none` there. Raises
    BadSettings when the mode is not available.
    """
    environment = environment or {}
    await asyncio.to_thread(remove_abandoned_folders)
    if mode == "auto":
        mode = _of_this_machine(environment)
    if mode == "none":
        return NoSandbox(home)
    if mode == "container":
        return await _in_containers(home, environment)
    wall = Bubblewrap()
    reason = await wall.usable()
    for pause in _PAUSES:
        if reason is None:
            break
        # A machine that is short of processes for a moment is no machine without bubblewrap.
        await asyncio.sleep(pause)
        reason = await wall.usable()
    if reason is None:
        return wall
    if mode == "auto":
        try:
            return await _in_containers(home, environment)
        except BadSettings as other:
            reason = f"{reason}; nor can containers: {other}"
    named = "bubblewrap cannot be used" if mode == "bubblewrap" else "no sandbox works here: bubblewrap cannot be used"
    raise BadSettings(
        f"{named}: {reason}",
        fix="install bubblewrap (`buildwright doctor` tries it), or use `--sandbox none`: agents and checks then run with"
        " your rights",
    )


async def _in_containers(home: str, environment: Mapping[str, str]) -> Sandbox:
    from buildwright.sandbox.container import ContainerSandbox

    wall = ContainerSandbox(home, environment)
    try:
        await wall.prove()
    except (GateBroken, ToolMissing) as error:
        raise BadSettings(f"no command can run in a container: {error}", fix=error.fix) from error
    return wall


def _of_this_machine(environment: Mapping[str, str]) -> SandboxMode:
    named = environment.get("BUILDWRIGHT_SANDBOX", "").strip() or "auto"
    for mode in MODES:
        if named == mode:
            return mode
    raise BadSettings(f"BUILDWRIGHT_SANDBOX is {named!r}", fix=f"use one of {', '.join(MODES)}")
