"""Services that checks need: started beside each command in its sandbox, or reached on the machine's own loopback.

Must never open any other way out of the sandbox than to the addresses that the base's `buildwright.toml` names.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core.finding import Finding
from buildwright.gates.reporting import finding

READY_SECONDS = 30.0
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_PATIENCE = 2.0


class Service(NamedTuple):
    """A service: a `command` that serves beside the checks, or the `address` of one that the user runs."""

    name: str
    command: str = ""
    ready: str | int = ""
    """A port of the loopback that is to answer, or a command that is to end with 0."""
    seconds: float = READY_SECONDS
    env: tuple[tuple[str, str], ...] = ()
    """Variables that the checks and the command get."""
    address: str = ""

    @property
    def place(self) -> tuple[str, int]:
        """Host and port of the address."""
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port)


class WrongService(ValueError):
    """What is wrong with a service in the file: where, and the fix."""

    def __init__(self, where: str, what: str, fix: str) -> None:
        super().__init__(f"{where}: {what}")
        self.fix = fix


def read_service(name: str, table: Mapping[str, Any]) -> Service:
    """Return a service from its table, whose keys are known. Raises WrongService."""
    where = f"services.{name}"
    if not _NAME.fullmatch(name):
        raise WrongService(where, "is not a name of a service", "use letters, digits, - and _")
    wrong = partial(WrongService, where)
    command, address = table.get("command", ""), table.get("address", "")
    ready, seconds, env = table.get("ready", ""), table.get("seconds", READY_SECONDS), table.get("env", {})
    if not isinstance(command, str) or not isinstance(address, str) or bool(command) == bool(address):
        raise wrong(
            "needs either a command or an address", 'write command = "redis-server", or address = "localhost:6379"'
        )
    if command and (isinstance(ready, bool) or not isinstance(ready, str | int) or not ready):
        raise wrong(
            "does not say when it is ready", "write ready = 6379, a port, or ready = 'redis-cli ping', a command"
        )
    if isinstance(ready, int) and command and not 0 < ready < 65_536:
        raise wrong(f"{ready} is not a port", "write a port from 1 to 65535")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= 600:
        raise wrong("seconds is not a number from 1 to 600", "write seconds = 60")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise wrong("env is not a table of texts", 'write env = { REDIS_URL = "redis://localhost:6379" }')
    host, colon, port = address.rpartition(":")
    if address and (
        not colon or host.strip("[]") not in _LOOPBACK or not port.isdecimal() or not 0 < int(port) < 65_536
    ):
        fix = 'write address = "localhost:5432"; other machines: [network] checks = ["HOST:PORT"]'
        raise wrong(f"{address} is not an address on this machine's loopback", fix)
    return Service(name, command, ready, float(seconds), tuple(env.items()), address)


def unanswered(services: Iterable[Service]) -> Iterator[Finding]:
    """Yield a finding for each address at which nothing answers."""
    for service in services:
        if not service.address:
            continue
        try:
            socket.create_connection(service.place, timeout=_PATIENCE).close()
        except OSError:
            message = f"Nothing answers at {service.address}, where the service {service.name} is to be."
            yield finding("setup.service_missing", message, fix=f"start {service.name}, or fix its address")


def relays_of(services: Iterable[Service]) -> dict[int, tuple[str, int]]:
    """Return the ports of a sandbox's loopback that are to lead to the addresses of services of this machine."""
    return {one.place[1]: one.place for one in services if one.address}


def beside(services: Sequence[Service], command: str, private: Path) -> tuple[str, ...]:
    """Return the arguments that run a command for a shell beside the services; `private` is seen in its sandbox."""
    started = [one for one in services if one.command]
    if not started:
        return ("sh", "-c", command)
    folder = private / f"services-{secrets.token_hex(3)}"
    folder.mkdir()
    program, config = folder / "run.py", folder / "services.json"
    shutil.copyfile(Path(__file__).with_name("service_runner.py"), program)
    told = [
        {"name": one.name, "command": one.command, "ready": one.ready, "seconds": one.seconds}
        | {"log": str(folder / f"{one.name}.log")}
        for one in started
    ]
    config.write_text(json.dumps(told), encoding="utf-8")
    return (sys.executable, "-I", "-S", str(program), str(config), command)
