"""Runs commands in containers of an engine of this machine (Docker or podman). Must never use an image that it fetched.

A box, a container, shows one set of folders: a lane or a checkout with its tools. It is started for the first command
that wants them and kept for the next, which gets it with nothing left of the one before. The engine starts a program of ours in
it, and no more: the command's own descriptors, its end and its limits travel by a socket in a folder that both see.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from buildwright.errors import BadSettings, GateBroken, ToolMissing
from buildwright.ports import Command, Completed
from buildwright.process_table import pid_namespace
from buildwright.sandbox.box_limits import are_held, processors, watched
from buildwright.sandbox.container_engine import BoxWanted, ContainerBox, ContainerEngine, engine_of
from buildwright.sandbox.execution import DRAIN, GRACE, LARGEST_FILE, OPEN_FILES, HeadAndTail, enclosed, read_output
from buildwright.sandbox.lending import NOBODY, Loans, folders_to_write
from buildwright.sandbox.relays import relayed
from buildwright.sandbox.system_calls import filter_for
from buildwright.sandbox.view import system_paths, tool_paths
from buildwright.temporary_folders import remove_temporary_folder, temporary_folder

VARIABLES = ("BUILDWRIGHT_CONTAINER_IMAGE", "BUILDWRIGHT_CONTAINER_CPUS", "BUILDWRIGHT_CONTAINER_MEMORY")
"""Variables that say what boxes are made of: an image (this system's own programs without one), processors, memory."""
_GIGABYTE = 1024**3
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": _GIGABYTE}
_OF_THE_ENGINE = frozenset(("/etc/hosts", "/etc/resolv.conf"))
_WIPED = ("/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", "/sys/fs/cgroup")  # noqa: S108
"""The last is a folder in memory that any user may write, where podman shows cgroups of version 1."""
_OWN_PROCESSES = 8
"""Processes of a box beside those of its command: the first one, ours, and those of relays."""
_MOST_KEPT = 4
_TRUSTED_SECONDS = 30.0
"""How long a box counts as well after its programs have answered."""
_START_SECONDS = 20.0
_LOOK = 0.1
_END_SECONDS = 6.0
_KILLED = 137
_WATCHED = "limits watched by buildwright, because the engine cannot set them"


@dataclass(frozen=True, slots=True)
class BoxOptions:
    """What boxes are made of, from the environment."""

    image: str = ""
    cpus: float = 1.0
    memory_bytes: int = _GIGABYTE

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> BoxOptions:
        """Read them. Raises BadSettings for one that cannot be read."""
        image, cpus, memory = (environment.get(name, "").strip() for name in VARIABLES)
        size = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?)(?:i?b)?", memory or "1g", re.IGNORECASE)
        if size is None or (bytes_of := int(float(size[1]) * _UNITS[size[2].lower()])) < 64 * 1024**2:
            raise BadSettings(f"{VARIABLES[2]} is {memory!r}", fix="write a size of at least 64m, such as 512m or 2g")
        if not re.fullmatch(r"\d{1,4}(\.\d+)?", cpus or "1") or float(cpus or "1") < 0.01:
            raise BadSettings(f"{VARIABLES[1]} is {cpus!r}", fix="write a number of processors, such as 1 or 0.5")
        return cls(image, float(cpus or "1"), bytes_of)


class ContainerSandbox:
    """Foreign commands in containers that are made for them.

    The command sees what it would see in bubblewrap, or, with an image of the user's, that image's programs instead of
    this system's. Memory, processors and number of processes are held by the kernel for the whole box. As root commands
    run as an unprivileged user, to which the folders that they write are lent.
    """

    name = "container"

    def __init__(self, home: str = "", environment: Mapping[str, str] | None = None) -> None:
        """`home` is the tag of the home whose later processes may remove what a killed one left."""
        self._home = home
        self._environment = os.environ if environment is None else environment
        self._options = BoxOptions.of(self._environment)
        self._loans = Loans()
        self._kept: list[ContainerBox] = []
        self._project = ""
        atexit.register(self._at_exit)
        self.seen = ""
        """The engine and what the programs of the last box said of themselves, for `doctor`."""
        self.limits = ""
        """How limits are held where the kernel does not hold them, for people; "" where it does."""

    def named_for(self, project: str) -> ContainerSandbox:
        """Return one whose boxes are named for a project; both keep the same boxes, and lend the same folders."""
        named = copy(self)
        named._project = project
        return named

    async def prove(self) -> None:
        """Run a trial command and remove what dead processes left. Raises GateBroken, ToolMissing where it cannot work."""
        async with engine_of(self._environment) as engine:
            await engine.remove_abandoned([self._home])
        with temporary_folder("buildwright-") as folder:
            done = await self.run(
                Command(("sh", "-c", "echo here > seen"), folder, {"PATH": "/usr/bin:/bin"}, seconds=_START_SECONDS)
            )
            if done.exit_code == 0 and (folder / "seen").is_file():
                return
        said = done.output.decode("utf-8", "replace").strip() or f"exit code {done.exit_code}"
        raise GateBroken(
            f"what a command in a container writes does not arrive here: {said}",
            fix="use an engine that runs on this machine itself, and maps no users",
        )

    async def shares(self, folder: Path) -> bool:  # noqa: ARG002  a box without capabilities cannot mount
        """See `Sandbox.shares`."""
        return False

    async def run(self, command: Command, on_output: Callable[[bytes], None] | None = None) -> Completed:
        """Run the command to its end. Raises ToolMissing (program, directory, image), GateBroken (no box possible)."""
        writable = folders_to_write(command)
        user = NOBODY if os.geteuid() == 0 else None
        with self._loans.lent(writable):
            async with (
                engine_of(self._environment) as engine,
                self._box(engine, command, writable) as box,
                relayed(command, user, box.folder, self._python) as relays,
            ):
                argv = (*relays.argv, *command.argv)
                done = await self._carry_out(engine, box, replace(command, argv=argv), on_output)
                done = replace(done, refused=relays.refused)
        if done.exit_code == 127 and done.output.startswith(b"prlimit: failed to execute"):
            raise _missing(command.argv[0])
        return done

    async def remove_all(self) -> None:
        """Remove the boxes that are kept."""
        kept = [self._kept.pop() for _ in range(len(self._kept))]
        if not kept:
            return
        try:
            async with engine_of(self._environment) as engine:
                for box in kept:
                    await engine.remove(box)
        finally:
            for box in kept:
                remove_temporary_folder(box.folder)

    @property
    def _python(self) -> str:
        """The program that runs ours in the box: the image's, or the Python below our environment."""
        return "python3" if self._options.image else os.path.realpath(sys.executable)

    @asynccontextmanager
    async def _box(
        self, engine: ContainerEngine, command: Command, writable: Sequence[Path]
    ) -> AsyncIterator[ContainerBox]:
        """Yield a box for one command alone; at the end it is kept, or removed if it is not well."""
        wanted = await self._wanted(engine, command, writable)
        # Taken out before anything is waited for: others use the same list meanwhile.
        gone = [one for one in self._kept if not one.wanted.is_there()]
        box = next((one for one in self._kept if one.wanted == wanted), None)
        for one in (*gone, *([box] if box is not None else [])):
            self._kept.remove(one)
        for one in gone:
            await asyncio.shield(engine.remove(one))
        if box is not None and not await self._is_well(engine, box):
            await engine.remove(box)
            box = None
        if box is None:
            box = await engine.start(wanted, self._options.cpus, self._home)
            try:
                await self._try_programs(engine, box)
            except BaseException:
                await asyncio.shield(engine.remove(box))
                raise
        try:
            yield box
        finally:
            await asyncio.shield(self._let_go(engine, box))

    async def _let_go(self, engine: ContainerEngine, box: ContainerBox) -> None:
        if not box.well:
            await engine.remove(box)
            return
        self._kept.append(box)
        while len(self._kept) > _MOST_KEPT:
            await engine.remove(self._kept.pop(0))

    def _at_exit(self) -> None:
        # The next process of this home removes what an engine that does not answer keeps.
        with contextlib.suppress(GateBroken, OSError, RuntimeError):
            asyncio.run(self.remove_all())

    async def _wanted(self, engine: ContainerEngine, command: Command, writable: Sequence[Path]) -> BoxWanted:
        image = self._options.image or await engine.empty_image()
        if self._options.image and not await engine.has_image(image):
            raise GateBroken(
                f"the container engine has no image {image}", fix=f"fetch or build it: docker pull {image}"
            )
        system = (
            []
            if self._options.image
            else [
                *(path for path in system_paths(network=False) if str(path) not in _OF_THE_ENGINE),
                *([] if sys.base_prefix.startswith("/usr") else [Path(sys.base_prefix)]),
            ]
        )
        shown = {
            path: False
            for path in (*system, *tool_paths(command))
            if not (path.is_symlink() and len(path.parts) == 2)
            and not any(path.is_relative_to(folder) for folder in writable)
        }
        shown |= dict.fromkeys(writable, True)
        mounts = []
        for path, may_write in shown.items():
            about = path.stat()
            mounts.append((str(path), may_write, about.st_dev, about.st_ino))
        return BoxWanted(
            project=self._project,
            image=image,
            mounts=tuple(sorted(mounts)),
            network=command.network,
            memory_bytes=min(command.memory_bytes, self._options.memory_bytes),
            processes=command.processes + _OWN_PROCESSES,
        )

    async def _is_well(self, engine: ContainerEngine, box: ContainerBox) -> bool:
        if not (await engine.state(box)).get("Running"):
            return False
        if asyncio.get_running_loop().time() - box.tried_at < _TRUSTED_SECONDS:
            return True
        try:
            await self._try_programs(engine, box)
        except (GateBroken, ToolMissing):
            return False
        return True

    async def _try_programs(self, engine: ContainerEngine, box: ContainerBox) -> None:
        """Ask the programs that every box has to have for their versions, and the kernel for the limits that hold."""
        trial = Command(("sh", "-c", "git --version && node --version"), Path("/"), {"PATH": os.defpath}, seconds=30.0)
        done = await self._carry_out(engine, box, trial, None)
        said = done.output.decode("utf-8", "replace").strip()
        if done.exit_code != 0:
            raise GateBroken(
                f"git and node do not answer in a container: {said or f'exit code {done.exit_code}'}",
                fix=f"install both on this machine, or use an image that has git, node and python3 ({VARIABLES[0]})",
            )
        box.tried_at = asyncio.get_running_loop().time()
        self.limits = "" if box.held else _WATCHED
        self.seen = ", ".join([engine.title, *said.splitlines(), *([self.limits] if self.limits else [])])

    async def _carry_out(
        self, engine: ContainerEngine, box: ContainerBox, command: Command, on_output: Callable[[bytes], None] | None
    ) -> Completed:
        box.well = False
        kept = HeadAndTail(command.output_bytes)
        started_at, began = datetime.now(UTC), time.monotonic()
        with processors(box, self._options.cpus) as chosen:
            run = _BoxRun(engine, box, command, self._python, chosen)
            answer, timed_out = await run.to_its_end(kept, on_output)
        if missing := answer.get("missing"):
            raise _missing(command.argv[0], str(missing))
        if (limits := answer.get("limits")) is not None:
            box.held = are_held(box.wanted, self._options.cpus, limits)
        limit = answer.get("limit") or ""
        if answer.get("short"):
            limit = f"more than {box.wanted.memory_bytes // 1024**2} MiB of memory"
        if limit and not timed_out:
            kept.add(f"\n[ended by buildwright: {limit}]\n".encode())
        return Completed(
            exit_code=None if timed_out else answer["code"],
            output=kept.content(),
            cut=kept.cut,
            seconds=time.monotonic() - began,
            started_at=started_at,
            limit="" if timed_out else limit,
        )


class _BoxRun:
    """One command on its way through a box."""

    def __init__(
        self, engine: ContainerEngine, box: ContainerBox, command: Command, python: str, chosen: Sequence[int]
    ) -> None:
        """`chosen` are the processors that the command has to keep to; all without one."""
        self._engine = engine
        self._box = box
        self._command = command
        self._python = python
        self._processors = chosen

    async def to_its_end(
        self, kept: HeadAndTail, on_output: Callable[[bytes], None] | None
    ) -> tuple[dict[str, Any], bool]:
        """Return what our program in the box says of the end, and whether time ran out. The box is not well without it."""
        read_end, write_end = os.pipe()
        reading = asyncio.create_task(read_output(read_end, kept, on_output))
        try:
            try:
                control = await self._begin(write_end)
            finally:
                os.close(write_end)
            with contextlib.closing(control):
                async with watched(self._box, self._command, control) as watching:
                    return await self._follow(control, watching)
        finally:
            await asyncio.wait({reading}, timeout=DRAIN)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading

    async def _begin(self, output: int) -> socket.socket:
        """Start our program, give it the command, and return the socket that leads to it. Raises GateBroken."""
        path = self._box.folder / "control"
        with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)) as server:
            server.bind(str(path))
            try:
                path.chmod(0o777)  # in a folder of that user alone
                server.listen(1)
                control = await self._accepted(server)
            finally:
                path.unlink()
        try:
            with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as given:
                told.write(self._told())
                given.write(self._command.stdin)
                for file in (told, given):
                    file.seek(0)
                source, target = self._command.streams or (given.fileno(), output)
                socket.send_fds(control, [b"C"], [told.fileno(), source, target, output])
        except BaseException:
            control.close()
            raise
        return control

    def _told(self) -> bytes:
        """What our program is to do. The file has no name, so no secret of the environment lies about."""
        return json.dumps(
            {
                "argv": self._command.argv,
                "cwd": str(self._command.cwd.resolve()),
                "env": enclosed(self._command),
                "files": LARGEST_FILE,
                "open": OPEN_FILES,
                "forbidden": filter_for(os.uname().machine, keeping_processors=bool(self._processors)).hex(),
                "processors": self._processors,
                "wiped": _WIPED,
                "outside": pid_namespace(),
            }
        ).encode("ascii")

    async def _accepted(self, server: socket.socket) -> socket.socket:
        loop = asyncio.get_running_loop()
        started = await self._engine.execute(self._box, self._python, "control")
        accepting = asyncio.create_task(loop.sock_accept(server))
        try:
            until = loop.time() + _START_SECONDS
            while loop.time() < until:
                await asyncio.wait({accepting}, timeout=_LOOK)
                if accepting.done():
                    return accepting.result()[0]
                about = await started.inspect()
                if not about["Running"] and about.get("ExitCode"):
                    break
        finally:
            accepting.cancel()
        raise GateBroken(
            f"a container could not start {self._python}",
            fix="use an image for this machine's processor that has git, node and python3 with its whole library"
            " (BUILDWRIGHT_CONTAINER_IMAGE)",
        )

    async def _follow(self, control: socket.socket, watching: asyncio.Task[str]) -> tuple[dict[str, Any], bool]:
        answering = asyncio.create_task(_answer(control))
        over: set[asyncio.Task[Any]] = {answering, watching}
        timed_out, limit = False, ""
        try:
            await asyncio.wait(over, timeout=self._command.seconds, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                limit = watching.result()
            elif not answering.done():
                timed_out = True
                _tell(control, b"T")
                await asyncio.wait({answering}, timeout=GRACE)
        finally:
            if not answering.done():
                _tell(control, b"K")
                await asyncio.shield(asyncio.wait({answering}, timeout=_END_SECONDS))
                answering.cancel()
            # Without an answer our program was ended by the command, or for want of memory: the box goes, too.
            answer = answering.result() if not answering.cancelled() and answering.done() else {}
            self._box.well = bool(answer.get("clean"))
        if not answer:
            answer = {"code": _KILLED, "short": (await self._engine.state(self._box)).get("OOMKilled")}
            # What is left of the command would hold its output open, and is watched no more.
            await self._engine.end(self._box)
        return answer | {"limit": limit}, timed_out


def _tell(control: socket.socket, word: bytes) -> None:
    with contextlib.suppress(OSError):
        control.send(word)


async def _answer(control: socket.socket) -> dict[str, Any]:
    """Return what our program says at the end; nothing when it was ended before."""
    said = bytearray()
    with contextlib.suppress(OSError):
        while piece := await asyncio.get_running_loop().sock_recv(control, 4096):
            said += piece
    if not said.endswith(b"\n"):
        return {}
    found = json.loads(said)
    return found if isinstance(found, dict) else {}


def _missing(program: str, why: str = "") -> ToolMissing:
    return ToolMissing(
        f"{program} is not to be found inside the container" + (f" ({why})" if why else ""),
        fix=f"install {program} under /usr, or in the image that BUILDWRIGHT_CONTAINER_IMAGE names",
    )
