"""What Buildwright knows of an agent's program: how it is found, started and understood. Must never run anything."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core.activity import Activity, Ran, Said, Warned, Wrote
from buildwright.core.languages import language_of
from buildwright.ports import ModelEndpoint

TAIL = 2_000
"""Characters kept of an output, from the end."""


class ProgramPlace(NamedTuple):
    """Where the program works, and what it is to do."""

    program: str
    lane: Path
    home: Path
    """Its private home, empty but for what `AgentProgram.session` brought back."""
    door: ModelEndpoint
    model: str
    session: str
    """The conversation to go on with, "" for a new one."""


class Start(NamedTuple):
    """How the program is started. The prompt comes on standard input where `argv` has no `PROMPT`."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    """Settings to write first: path below the home, and content."""
    session: str = ""
    """The name of the conversation that it begins or goes on with, where it is given one and tells none."""


def door_variables(door: ModelEndpoint) -> dict[str, str]:
    """Return the variables by which programs of all kinds find the door, whichever protocol they speak."""
    return {
        "ANTHROPIC_BASE_URL": door.url,
        "ANTHROPIC_API_KEY": door.token,
        "OPENAI_BASE_URL": f"{door.url}/v1",
        "OPENAI_API_KEY": door.token,
        "GOOGLE_GEMINI_BASE_URL": door.url,
        "GEMINI_API_KEY": door.token,
    }


PROMPT = "\0prompt"
"""Stands in `Start.argv` for the prompt, for a program that reads none from standard input. Linux takes 128 KiB there."""


PROMPT_FILE = "prompt.md"
"""Where the prompt lies in the home, for a program that reads it from a file."""


@dataclass(slots=True)
class Run:
    """What has been understood of one run of a program. `AgentProgram.read` changes it."""

    lane: Path
    session: str = ""
    said: str = ""
    """The last whole text for the user, which sums the work up."""
    trouble: str = ""
    """Why the program says that it failed, "" if it does not."""
    calls: dict[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict)
    """Tool calls without a result yet: name and input, by id."""

    def says(self, text: object) -> Iterator[Activity]:
        """Take in a whole text for the user."""
        if isinstance(text, str) and text.strip():
            self.said = text
            yield Said(text=text)

    def wrote(self, path: object, *, deleted: bool = False) -> Iterator[Activity]:
        """Tell of a changed file, if it lies in the lane."""
        if not isinstance(path, str) or "\0" in path:
            return
        inside = os.path.relpath(os.path.normpath(self.lane / path), self.lane)
        if inside.startswith(".."):
            return
        try:
            found = os.lstat(self.lane / inside)
        except OSError:
            yield Wrote(path=inside, size_bytes=0, language=language_of(inside), deleted=True)
            return
        if stat.S_ISREG(found.st_mode):
            yield Wrote(path=inside, size_bytes=found.st_size, language=language_of(inside), deleted=deleted)

    def ran(self, command: object, output: object, exit_code: object = None) -> Iterator[Activity]:
        """Tell of a command."""
        code = exit_code if isinstance(exit_code, int) else None
        yield Ran(command=str(command or ""), exit_code=code, output=str(output or "")[-TAIL:])

    def warns(self, text: object) -> Iterator[Activity]:
        """Pass on a warning of the program."""
        if isinstance(text, str) and text.strip():
            yield Warned(text=text.strip()[-TAIL:])


class Unpacks(NamedTuple):
    """How a program that unpacks itself into its home at its start is made to do so once, into a folder for all."""

    variable: str
    """Names the folder, when it unpacks and when it runs."""
    arguments: tuple[str, ...]
    """With these it only unpacks."""
    env: Mapping[str, str] = {}
    """More variables with which it only unpacks."""


class OwnForm(NamedTuple):
    """How a program that holds its conversations in a form of its own, such as a database, hands one over as files."""

    files: tuple[str, ...]
    """Patterns of these files below its home."""
    imports: Callable[[ProgramPlace], tuple[str, ...]]
    """What stands before its command to take them in, where they are there."""
    exports: Callable[[ProgramPlace], tuple[str, ...]]
    """The command that writes them when it is done."""


@dataclass(frozen=True, slots=True)
class AgentProgram:
    """One agent. Whatever it says of itself is shown and not believed; money and tokens come from the gateway."""

    name: str
    title: str
    program: str
    """The name of the executable."""
    install: str
    """The one command that installs it."""
    models: tuple[str, ...]
    """What the names of its models begin with, for people; the first stands in the default."""
    default_model: str
    start: Callable[[ProgramPlace], Start]
    read: Callable[[Run, dict[str, Any]], Iterator[Activity]] | None
    """Reads one event of its stream of JSON lines; None for a program that only writes text."""
    fails: re.Pattern[str] | None = None
    """Found in a line of text: it has failed, although its exit code may be 0."""
    aside: re.Pattern[str] | None = None
    """Found in a line of text that is of the program and not of the model."""
    session_files: Callable[[str], tuple[str, ...]] | None = None
    """Patterns of the files below its home that hold a conversation; None if it cannot go on with one."""
    lost: re.Pattern[str] | None = None
    """Found in what it writes when it does not find the conversation that it is to go on with."""
    own_form: OwnForm | None = None
    """How its conversations are carried over, if it holds them in a form of its own."""
    unpacks: Unpacks | None = None
    """How it unpacks itself, for one that does; None for one that runs as it is installed."""
    tried: str = ""
    """The version that the tests run."""
    version_option: str = "--version"
    """What makes it tell its version and end."""
    leaves: tuple[str, ...] = ()
    """Patterns of names at the top of the lane that are its own files, and never part of the change."""
