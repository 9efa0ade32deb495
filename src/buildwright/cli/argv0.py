"""How the user can type this program: `buildwright` in what we print becomes what works in their shell. Prints nothing."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from functools import cache
from pathlib import Path

from buildwright.cli.verbs import VERBS

_OURS = re.compile(rf"(?<![\w/.-])(?<!-m )buildwright (?={'|'.join(verb.name for verb in VERBS)})")


def typed(text: str) -> str:
    """The text, with every `buildwright VERB` in it made into a command that works where this one was typed.

    Only for text of our own: what agents and repositories wrote is shown as it is.
    """
    return _OURS.sub(lambda _: f"{program()} ", text)


@cache
def program() -> str:
    """What to type for this program, with the home in front if it was named by the environment."""
    home = os.environ.get("BUILDWRIGHT_HOME", "")
    return f"BUILDWRIGHT_HOME={shlex.quote(str(Path(home).expanduser().absolute()))} {name()}" if home else name()


@cache
def name() -> str:
    """What to type for this program where its home does not matter, such as for its help."""
    return " ".join(words_for(sys.argv[0], os.environ.get("PATH", os.defpath), Path.cwd()))


def words_for(started_as: str, path: str, here: Path) -> list[str]:
    """`buildwright` where the search path leads to this very program, else its path, else the module with its Python."""
    started = Path(os.path.abspath(started_as))  # noqa: PTH100 - the name that was typed, links and all
    if started.name == "__main__.py" and started.parent.name == "buildwright":
        python = Path(sys.executable)
        return [_shown("python", python, path, here), "-m", "buildwright"]
    if started.name != "buildwright" or not started.is_file():
        return ["buildwright"]  # inside another program, which has no name for us
    return [_shown("buildwright", started, path, here)]


def _shown(short: str, file: Path, path: str, here: Path) -> str:
    found = shutil.which(short, path=path)
    if found is not None and Path(found).absolute() == file:
        return short
    if not file.is_relative_to(here):
        return shlex.quote(str(file))
    below = file.relative_to(here)
    return shlex.quote(str(below) if len(below.parts) > 1 else f"./{below}")
