"""The verbs `hook install` and `remove`: git's hook that searches what is staged. Must never change what is staged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.verbs import app_of

if TYPE_CHECKING:
    from buildwright.settings import Settings

hook = app_of("hook")

_Repo = Annotated[Path, Parameter(help="The repository, or a directory in it.")]


@hook.command
async def install(repo: _Repo = Path(), /) -> int:
    """Search what is staged before each commit in this repository. A hook that is there already runs first."""
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.settings import Settings
    from buildwright.workspace.hook import install as install_hook

    output = Output()
    file, chained = install_hook(_folder(Settings.load(), repo), [sys.executable, "-m", "buildwright"])
    output.print(f"{file} is in place{', and the hook that was there runs before it' if chained else ''}")
    output.say("`git commit --no-verify` leaves hooks out: search again where it counts, with `secrets scan --diff`.")
    return Exit.DONE


@hook.command
async def remove(repo: _Repo = Path(), /) -> int:
    """Take the hook out, and bring back the one that was there before."""
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.settings import Settings
    from buildwright.workspace.hook import remove as remove_hook

    folder = _folder(Settings.load(), repo)
    Output().print(f"The hook in {folder} is gone" if remove_hook(folder) else f"There is no hook of ours in {folder}")
    return Exit.DONE


def _folder(settings: Settings, repo: Path) -> Path:
    """Return where git looks for the hooks of the repository at a path. Raises BadRepository."""
    from buildwright.workspace.hook import folder_of_hooks
    from buildwright.workspace.source import locate

    return folder_of_hooks(locate(str(repo.absolute()), settings.environment), settings.environment)
