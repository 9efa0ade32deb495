"""Where foreign commands run, with limits, and end with nothing left. Must never run them as root unless told to."""

from __future__ import annotations

import os
from typing import Literal, assert_never

from buildwright.errors import BadSettings
from buildwright.ports import Sandbox
from buildwright.sandbox.bubblewrap import Bubblewrap
from buildwright.sandbox.execution import NoSandbox
from buildwright.sandbox.orphans import end_orphans

__all__ = ["Bubblewrap", "NoSandbox", "choose", "end_orphans"]


async def choose(mode: Literal["auto", "bubblewrap", "none"], root_accepted: bool = False, home: str = "") -> Sandbox:
    """Return the sandbox for a mode. `auto` takes bubblewrap where it works, else no sandbox for an ordinary user.

    `root_accepted` lets `auto` choose no sandbox for root too. `home` is the tag that marks its commands. Raises
    BadSettings when the mode is not available.
    """
    match mode:
        case "none":
            return NoSandbox(home)
        case "bubblewrap" | "auto":
            wall = Bubblewrap()
            reason = await wall.usable()
            if reason is None:
                return wall
            if mode == "bubblewrap":
                raise BadSettings(
                    f"bubblewrap cannot be used: {reason}", fix="install bubblewrap, or say `--sandbox none`"
                )
            if os.geteuid() == 0 and not root_accepted:
                raise BadSettings(
                    f"refusing to run foreign commands as root without a sandbox (bubblewrap: {reason})",
                    fix="install bubblewrap, run as an ordinary user, or say `--sandbox none`",
                )
            return NoSandbox(home)
        case _:
            assert_never(mode)
