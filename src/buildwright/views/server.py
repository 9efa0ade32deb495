"""A server and the machine that it runs on, as the page of settings shows them. Pure data."""

from __future__ import annotations

from typing import Literal

from buildwright.core.record import Record, UtcTime

CheckState = Literal["works", "lacking", "broken"]
"""`lacking` is what only some builds need, `broken` what all of them need."""


class MachineCheck(Record):
    """One check of `doctor`. What follows from a lack, and the one fix, are "" where nothing must be mended."""

    name: str
    state: CheckState
    found: str
    costs: str = ""
    fix: str = ""


class ServerSandbox(Record):
    """The sandbox that a build has here unless it asks for another one."""

    name: str
    """"" where none works."""
    limits: str = ""
    """How limits are held where they are held less well than promised."""
    trouble: str = ""
    fix: str = ""


class ServerAgent(Record):
    """An agent that a build can name. Where its program is, and how it is installed, are only for owners of the server."""

    name: str
    title: str
    state: Literal["installed", "works", "does not start", "not installed"]
    """`works`: it was started in the sandbox. Only an answer that was asked for that says so."""
    version: str = ""
    tried: str = ""
    """The version that our tests drive."""
    trouble: str = ""
    found: str = ""
    install: str = ""
    asked: tuple[str, ...] = ()
    """What it asked for when it was started, and may not reach."""


class ServerHomePart(Record):
    """What one part of the home takes, and when it goes."""

    name: str
    bytes: int
    files: int
    whole: bool
    """Whether all was counted; if not, `bytes` and `files` are the least it can be."""
    goes: str


class ServerHome(Record):
    """The folder with all that the server keeps on its machine."""

    path: str
    bytes: int
    files: int
    whole: bool
    parts: tuple[ServerHomePart, ...]


class ServerSetting(Record):
    """A setting that counts. Of a secret only whether it is set."""

    name: str
    value: str
    source: str
    """`environment`, `environment or .env`, `default`, or the path of a file."""
    says: str


class ServerPage(Record):
    """All of the page. Checks, home and settings are only for owners of the server (`sees_all`)."""

    version: str
    address: str
    as_of: UtcTime
    sees_all: bool
    health: CheckState
    """The worst of checks and sandbox; for other users that of the sandbox."""
    sandbox: ServerSandbox
    agents: tuple[ServerAgent, ...]
    checks: tuple[MachineCheck, ...] = ()
    home: ServerHome | None = None
    settings: tuple[ServerSetting, ...] = ()
    settings_trouble: str = ""
    """Why the user's own file of options cannot be used."""


class ServerAgents(Record):
    """The agents after each that is installed was started once in the sandbox."""

    as_of: UtcTime
    agents: tuple[ServerAgent, ...]
