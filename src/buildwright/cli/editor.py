"""Opens a file in the user's editor, the one that git would open. Must never lose what was typed."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from buildwright.cli.output import Output
from buildwright.cli.session import read_spec
from buildwright.core.spec import Spec
from buildwright.errors import BadSpec, Refused

T = TypeVar("T")


async def edited_list(path: Path, output: Output) -> Spec:
    """Open a task list in the editor until it can be used, or the user gives up; return it.

    Raises Refused when the editor fails, BadSpec for a list that is left as it is: the file stays.
    """

    async def read() -> Spec:
        found = await read_spec(path)
        if found.graph is None:
            raise BadSpec(f"{path} is not a task list any more", fix="keep the key `tasks`")
        return found

    return await edited(path, output, read)


async def edited(path: Path, output: Output, read: Callable[[], Awaitable[T]]) -> T:
    """Open a file in the editor until `read` raises no BadSpec, or the user gives up; return what it returns.

    Raises Refused when the editor fails, and the BadSpec when the user gives up or cannot be asked: the file stays.
    """
    while True:
        _open(path)
        try:
            return await read()
        except BadSpec as error:
            if not output.can_ask:
                raise
            output.say(f"{error}", style="red")
            if not await output.confirm("Edit it again?", yes=False):
                raise


def _open(path: Path) -> None:
    found = subprocess.run(["git", "var", "GIT_EDITOR"], capture_output=True, text=True, check=False)
    editor = found.stdout.strip()
    if not editor:
        raise Refused("there is no editor to open", fix="name one: export EDITOR=nano")
    before = signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C is the editor's
    try:
        # A shell reads it, as git does: it may have options.
        done = subprocess.run(["sh", "-c", f'trap : INT; {editor} "$@"', editor, str(path)], check=False)
    finally:
        signal.signal(signal.SIGINT, before)
    if done.returncode:
        raise Refused(f"the editor ({editor}) ended with exit code {done.returncode}", fix=f"{path} is there still")
