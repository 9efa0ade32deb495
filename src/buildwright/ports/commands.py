"""Port for running foreign commands. Must never hold logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from buildwright.core.addresses import Destination
from buildwright.shared_folders import SharedFolder


class Reach(NamedTuple):
    """Hosts that a command without network may reach all the same, through a proxy that its environment names."""

    hosts: tuple[Destination, ...] = ()
    trusted: tuple[Destination, ...] = ()
    """Hosts of the user's own settings, which may lie inside the network."""


@dataclass(frozen=True, slots=True)
class Command:
    """A foreign command. The environment is exactly `env`: nothing is inherited."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    streams: tuple[int, int] | None = None
    """Descriptors of the caller that are its standard input and output: then only its standard error is kept."""
    seconds: float = 120.0
    output_bytes: int = 4_000_000
    memory_bytes: int = 4 * 1024**3
    disk_bytes: int = 20 * 1024**3
    """What it may write on disk in all, into the directories that it may write."""
    processes: int = 512
    network: bool = False
    """Whether it has this machine's network. Without it a sandbox gives it a loopback of its own."""
    reach: Reach | None = None
    on_refused: Callable[[str], None] | None = None
    """Told at once of each place (`host:port`) that it asks that proxy for and may not reach.

    At its end also of what it tried past the proxy, such as `an address outside, past the proxy (2 times)`.
    """
    relays: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    """Ports of its own loopback, each with the host and port that it leads to."""
    writable: tuple[Path, ...] = ()
    """Directories besides `cwd` that the command may write."""
    readable: tuple[Path, ...] = ()
    """Directories that it may read besides those, the system, and the programs on its PATH."""
    shared: tuple[SharedFolder, ...] = ()
    """Directories of its checkout that show other ones; only for a sandbox that `shares`."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The result of a command; `output` is stdout and stderr as they came, `exit_code` None if time ran out."""

    exit_code: int | None
    output: bytes
    cut: bool
    """Output beyond the limit was dropped from the middle."""
    seconds: float
    started_at: datetime
    refused: tuple[str, ...] = ()
    """Places (`host:port`) that it asked the proxy of its `reach` for, and may not reach."""
    limit: str = ""
    """The limit that ended it, such as `more than 64 processes`; "" when it ended by itself or by time."""


class Sandbox(Protocol):
    """Runs foreign code. When `run` returns or is cancelled, no process of the command is left."""

    name: str

    def named_for(self, project: str) -> Sandbox:
        """Return this sandbox; what it makes that people see on the machine is named for a project."""

    @property
    def limits(self) -> str:
        """How limits are held where they are held less well than this kind of sandbox promises, for people; else ""."""

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
        """Run the command to its end. Raises ToolMissing when the program is missing."""

    async def shares(self, folder: Path) -> bool:
        """Return whether commands can see shared folders whose changes lie in `folder`, which is made."""
