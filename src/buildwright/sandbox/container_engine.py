"""Speaks with a container engine of this machine through the Docker API: makes, starts and removes boxes.

Must never remove a container that is not a box of a dead process, or of this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import os
import re
import resource
import shutil
import stat
import tarfile
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from buildwright.errors import GateBroken
from buildwright.process_table import is_abandoned, new_mark
from buildwright.sandbox.execution import OPEN_FILES
from buildwright.sandbox.lending import NOBODY
from buildwright.sandbox.relays import INSIDE
from buildwright.temporary_folders import SHORT, make_temporary_folder, remove_temporary_folder

if TYPE_CHECKING:
    from aiodocker import Docker
    from aiodocker.execs import Exec

ADDRESSES = ("DOCKER_HOST", "CONTAINER_HOST")
"""Variables that say where the engine listens, as its own programs read them."""
_SOCKETS = ("/run/podman/podman.sock", "/var/run/docker.sock")
_MARK = "org.buildwright.mark"
"""Label of every box: whose it is, see `process_table.new_mark`."""
_PROJECT = "org.buildwright.project"
"""Label of a box with the name of the project whose commands run there."""
_LONGEST_TITLE = 20
_SECONDS = 60.0
_NO_ANSWER = 900
"""What aiodocker calls the status when it cannot connect."""
_ANY_VERSION = "v1.44"
"""Of the API, until the engine has told its own."""
_rootless: dict[str, bool] = {}
"""By address: asked once, for it takes podman most of a second."""
IN_MEMORY = ("/tmp", "/var/tmp")  # noqa: S108
"""Folders of a box that are kept in memory, beside its `/dev/shm`."""
_CONTROL_GROUP = "cgroup"
"""What engines name when they may not set a limit."""
_LIMITS = (("NanoCpus",), ("Memory", "MemorySwap", "PidsLimit"))
"""Limits in the order in which they are given up: systemd leaves its users memory and processes, and no processors."""
_ULIMITS = (("nofile", resource.RLIMIT_NOFILE, OPEN_FILES), ("nproc", resource.RLIMIT_NPROC, 32_768))
"""Limits of each process in a box (setrlimit(2)); the second is the number that Linux has of all, pid_max, by default."""
_PROGRAM = "box_program.py"
_FOLDERS = ("dev", "etc", "home", "proc", "root", "run", "sys", "tmp", "usr", "var", "var/tmp")
_SYSTEM_LINKS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_FIX = "start Docker or podman (`systemctl start podman.socket`), or name its socket: DOCKER_HOST=unix:///PATH"


class BoxWanted(NamedTuple):
    """What a box has to be like; two commands that want the same may have the same box, one after the other."""

    project: str
    """What the box is named for; "" for nothing."""
    image: str
    mounts: tuple[tuple[str, bool, int, int], ...]
    """Each folder or file that is shown: path, whether it may be written, device and inode."""
    network: bool
    memory_bytes: int
    processes: int

    def is_there(self) -> bool:
        """Return whether the folders that may be written are still the same ones: a lane goes with its attempt."""
        for path, writable, device, inode in self.mounts:
            if writable:
                try:
                    found = Path(path).stat()
                except OSError:
                    return False
                if (found.st_dev, found.st_ino) != (device, inode):
                    return False
        return True

    @property
    def title(self) -> str:
        """The project in letters that every engine takes in a name, and short: paths of sockets have its length."""
        return re.sub(r"[^a-z0-9]+", "-", self.project.lower())[:_LONGEST_TITLE].strip("-") or "box"


@dataclass(slots=True)
class ContainerBox:
    """One running container, and the folder that it shows at `INSIDE`."""

    id: str
    folder: Path
    wanted: BoxWanted
    tried_at: float = 0.0
    """When its programs last answered, on the event loop's clock."""
    well: bool = False
    """Whether the last command ended with nothing left."""
    held: bool = True
    """Whether the kernel holds its limits; the engine of an unprivileged user may not be able to set them."""


class ContainerEngine:
    """An open connection to the engine."""

    def __init__(self, docker: Docker, podman: bool, rootless: bool) -> None:
        self._docker = docker
        self._podman = podman
        self._rootless = rootless

    @property
    def title(self) -> str:
        """The engine, for people."""
        return f"{'podman' if self._podman else 'docker'}{', rootless' if self._rootless else ''}"

    @property
    def user(self) -> str:
        """User and group of commands: never one that is root outside."""
        if os.geteuid() == 0:
            return f"{NOBODY}:{NOBODY}"
        # In a rootless Docker the first user is the one that runs the engine, and podman keeps the numbers.
        return "0:0" if self._rootless and not self._podman else f"{os.geteuid()}:{os.getegid()}"

    async def has_image(self, name: str) -> bool:
        """Return whether the engine has an image; none is ever fetched."""
        from aiodocker import DockerError

        try:
            await self._docker.images.inspect(name)
        except DockerError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def empty_image(self) -> str:
        """Return the name of an image with nothing but folders and the links of this system, made when it is missing."""
        links = {name: str(Path(f"/{name}").readlink()) for name in _SYSTEM_LINKS if Path(f"/{name}").is_symlink()}
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            for name in _FOLDERS:
                entry = tarfile.TarInfo(name)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
                tar.addfile(entry)
            for name, target in links.items():
                entry = tarfile.TarInfo(name)
                entry.type, entry.linkname = tarfile.SYMTYPE, target
                tar.addfile(entry)
        name = f"localhost/buildwright-box-{hashlib.sha256(content.getvalue()).hexdigest()[:12]}"
        if not await self.has_image(name):
            await self._docker._query_json(
                "images/create",
                method="POST",
                params={"fromSrc": "-", "repo": name, "tag": "latest"},
                data=content.getvalue(),
                headers={"Content-Type": "application/x-tar"},
            )
        return name

    async def start(self, wanted: BoxWanted, cpus: float, home: str) -> ContainerBox:
        """Make and start a box. `home` is the tag of the home whose later processes may remove it.

        Limits that the engine has no right to set are left out: the caller asks the kernel which it holds.
        """
        from aiodocker import DockerError

        folder = make_temporary_folder(f"buildwright-{wanted.title}-", SHORT)
        made = None
        try:
            shutil.copyfile(Path(__file__).with_name(_PROGRAM), folder / _PROGRAM)
            if os.geteuid() == 0:
                for path in (folder, folder / _PROGRAM):
                    os.chown(path, NOBODY, NOBODY)
            config = self._config(wanted, folder, cpus, new_mark(home))
            while True:
                made = await self._docker.containers.create(config, name=folder.name)
                try:
                    await made.start()
                    break
                except DockerError as error:
                    if not (_CONTROL_GROUP in error.message and _with_fewer_limits(config["HostConfig"])):
                        raise
                    await self._delete(made.id)
                    made = None
        except BaseException:
            remove_temporary_folder(folder)
            if made is not None:
                await asyncio.shield(self._delete(made.id))
            raise
        return ContainerBox(made.id, folder, wanted)

    def _config(self, wanted: BoxWanted, folder: Path, cpus: float, mark: str) -> dict[str, Any]:
        mounts = [(path, path, writable) for path, writable, _, _ in wanted.mounts]
        host: dict[str, Any] = {
            "Mounts": [
                {"Type": "bind", "Source": source, "Target": target, "ReadOnly": not writable}
                for source, target, writable in (*mounts, (str(folder), str(INSIDE), False))
            ],
            "NetworkMode": "host" if wanted.network else "none",
            "Memory": wanted.memory_bytes,
            "MemorySwap": wanted.memory_bytes,
            "NanoCpus": int(cpus * 1e9),
            "PidsLimit": wanted.processes,
            "ReadonlyRootfs": True,
            # Homes of the image, which other users may not walk, would hide what is shown below them.
            "Tmpfs": {
                **dict.fromkeys(IN_MEMORY, f"rw,exec,nosuid,nodev,mode=1777,size={wanted.memory_bytes}"),
                "/run": "rw,nosuid,nodev,mode=755,size=1m",
                **dict.fromkeys(("/root", "/home"), "rw,nosuid,nodev,mode=755,size=1m"),
            },
            "ShmSize": wanted.memory_bytes,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges", "label=disable"],
            "RestartPolicy": {"Name": "always"},
            "Ulimits": [] if self._rootless else _ulimits(),
            "UsernsMode": ("keep-id" if self._podman else "") if self._rootless else "host",
        }
        return {
            "Image": wanted.image,
            "Cmd": ["sleep", "infinity"],
            "User": self.user,
            "WorkingDir": "/",
            "Hostname": "" if wanted.network else "localhost",
            "Labels": {_MARK: mark, **({_PROJECT: wanted.project} if wanted.project else {})},
            "HostConfig": host,
        }

    async def execute(self, box: ContainerBox, python: str, control: str) -> Exec:
        """Start our program in a box, which takes a command from the socket `control`."""
        container = self._docker.containers.container(box.id)
        argv = (python, "-I", "-S", str(INSIDE / _PROGRAM), str(INSIDE / control))
        started = await container.exec(argv, stdout=False, stderr=False, user=self.user, workdir="/")
        await started.start(detach=True)
        return started

    async def state(self, box: ContainerBox) -> Mapping[str, Any]:
        """Return what the engine says of a box: `Running`, `OOMKilled` (for want of memory); nothing when it is gone."""
        from aiodocker import DockerError

        try:
            told = await self._docker.containers.container(box.id).show()
        except DockerError as error:
            if error.status == 404:
                return {}
            raise
        return dict(told["State"])

    async def end(self, box: ContainerBox) -> None:
        """End a box, whatever runs in it; its folder stays until it is removed."""
        await self._delete(box.id)

    async def remove(self, box: ContainerBox) -> None:
        """End and remove a box, whatever runs in it."""
        await self.end(box)
        remove_temporary_folder(box.folder)

    async def remove_abandoned(self, homes: Collection[str]) -> int:
        """Remove the boxes that dead processes of these homes left; return their number."""
        removed = 0
        for one in await self._docker.containers.list(all=True, filters={"label": [_MARK]}):
            if is_abandoned(one["Labels"].get(_MARK, ""), homes):
                await self._delete(one.id)
                removed += 1
        return removed

    async def _delete(self, identifier: str) -> None:
        from aiodocker import DockerError

        try:
            await self._docker.containers.container(identifier).delete(force=True, v=True)
        except DockerError as error:
            if error.status != 404:
                raise


def _ulimits() -> list[dict[str, Any]]:
    """Return limits that are not above those of this process.

    An engine of root otherwise sets higher ones, which the kernel refuses where root may not go beyond its own: in a
    container, or a virtual machine, without CAP_SYS_RESOURCE.
    """
    found = []
    for name, number, wanted in _ULIMITS:
        _, most = resource.getrlimit(number)
        given = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        found.append({"Name": name, "Soft": given, "Hard": given})
    return found


def _with_fewer_limits(host: dict[str, Any]) -> bool:
    """Take out the next limits that an engine may have no right to; return False when there are none left."""
    left = next((names for names in _LIMITS if any(host.get(name) for name in names)), ())
    for name in left:
        host.pop(name, None)
    return bool(left)


def _address(environment: Mapping[str, str]) -> str:
    """Return the address of the engine. Raises GateBroken when there is none on this machine."""
    for name in ADDRESSES:
        if named := environment.get(name, "").strip():
            if not named.startswith("unix://"):
                raise GateBroken(
                    f"{name} is {named!r}: an engine on another machine cannot see the folders of this one",
                    fix=f"name a socket of this machine: {name}=unix:///PATH",
                )
            return named
    own = environment.get("XDG_RUNTIME_DIR", "")
    places: Sequence[str] = [*(f"{own}/{name}" for name in ("podman/podman.sock", "docker.sock") if own), *_SOCKETS]
    for place in places:
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(Path(place).stat().st_mode):
                return f"unix://{place}"
    raise GateBroken("no container engine listens on this machine", fix=_FIX)


async def is_rootless(docker: Docker, address: str) -> bool:
    """Return whether the engine runs without root; asked once for each address."""
    if address not in _rootless:
        about = await docker.system.info()
        # Docker tells it as an option of its security, podman in a field of its own.
        named = any("rootless" in option for option in about.get("SecurityOptions") or ())
        _rootless[address] = bool(about.get("Rootless")) or named
    return _rootless[address]


@asynccontextmanager
async def engine_of(environment: Mapping[str, str]) -> AsyncIterator[ContainerEngine]:
    """Connect to the engine of this machine. Raises GateBroken, also for what it refuses, with its own words."""
    import aiohttp
    from aiodocker import Docker, DockerError

    address = _address(environment)
    docker = Docker(address, timeout=aiohttp.ClientTimeout(total=_SECONDS), api_version=_ANY_VERSION)
    try:
        # Not /version: podman takes a second or two for it.
        async with docker._query("_ping", versioned_api=False) as answer:
            docker.api_version = f"v{answer.headers['Api-Version']}"
            podman = "Libpod-Api-Version" in answer.headers
        yield ContainerEngine(docker, podman, os.geteuid() != 0 and await is_rootless(docker, address))
    except DockerError as error:
        if error.status == _NO_ANSWER:
            raise GateBroken(f"no container engine answers at {address}", fix=_FIX) from error
        raise GateBroken(
            f"the container engine refused: {error.message}", fix=f"see the engine at {address}"
        ) from error
    except (aiohttp.ClientError, TimeoutError) as error:
        why = str(error) or type(error).__name__
        raise GateBroken(f"the container engine at {address} failed: {why}", fix="see the engine's own log") from error
    finally:
        await docker.close()
