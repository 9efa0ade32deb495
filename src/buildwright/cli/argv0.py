"""How the user can start this program, so that the commands we print work in their shell. Must never print."""

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
    """Return the text with every `buildwright VERB` in it turned into a command that works in the user's shell.

    Only for text of our own: text of agents and repositories is shown as it is.
    """
    return _OURS.sub(lambda _: f"{program()} ", text)


@cache
def program() -> str:
    """Return what to type for this program, with BUILDWRIGHT_URL and BUILDWRIGHT_HOME in front if the environment sets them."""
    url, home = os.environ.get("BUILDWRIGHT_URL", ""), os.environ.get("BUILDWRIGHT_HOME", "")
    server = f"BUILDWRIGHT_URL={shlex.quote(url)} " if url else ""
    place = f"BUILDWRIGHT_HOME={shlex.quote(str(Path(home).expanduser().absolute()))} " if home else ""
    return f"{server}{place}{name()}"


@cache
def name() -> str:
    """Return what to type for this program where its home does not matter, such as in its help."""
    return " ".join(words_for(sys.argv[0], os.environ.get("PATH", os.defpath), Path.cwd()))


def words_for(started_as: str, path: str, here: Path) -> list[str]:
    """Return the words that start this program: `buildwright` if `path` leads to it, else its path, else `python -m`.

    `started_as` is argv[0], `path` the search path; a file below the directory `here` is named relative to it.
    """
    started = Path(os.path.abspath(started_as))  # noqa: PTH100 - the name that was typed, links and all
    if started.name == "__main__.py" and started.parent.name == "buildwright":
        python = Path(sys.executable)
        return [_shown("python", python, path, here), "-m", "buildwright"]
    if started.name != "buildwright" or not started.is_file():
        return ["buildwright"]  # inside another program, which has no name for us
    return [_shown("buildwright", started, path, here)]


def _shown(short: str, file: Path, path: str, here: Path) -> str:
    """Return `short` if the search path leads to `file`, else the path of `file`, quoted for a shell."""
    found = shutil.which(short, path=path)
    if found is not None and Path(found).absolute() == file:
        return short
    if not file.is_relative_to(here):
        return shlex.quote(str(file))
    below = file.relative_to(here)
    return shlex.quote(str(below) if len(below.parts) > 1 else f"./{below}")
