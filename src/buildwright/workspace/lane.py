"""Directories with exactly the files of a tree: lanes for agents, private checkouts for gates.

The engine's git data lies outside of them. A lane's `.git` is for the agent and must never be read by Buildwright.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
import time
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

from buildwright.core.failpoint import failpoint
from buildwright.errors import BadRepository, GitFailed
from buildwright.ports import Lane, LaneKey
from buildwright.shared_folders import beside
from buildwright.workspace.git import Git, check_name, naming_full_disk
from buildwright.workspace.lane_git import LaneGit
from buildwright.workspace.lfs import FILTER
from buildwright.workspace.merge import trees_of
from buildwright.workspace.mirror import Pin
from buildwright.workspace.submodules import write_submodules

_OWNED = "owner"
_YOUNG_SECONDS = 60.0
_ROOM = 2 * 1024**3
"""Free bytes that a file system must have for a checkout to be made there and not below the home."""
_FEW = 400
"""Entries below a directory that are removed in this process."""
_PLAIN = ("project", "product", "service", "website", "program", "toolbox", "workshop", "homepage")
"""Names that a person may give to a clone: code must not know by a name that it is judged."""
_TEMPORARY = re.compile(r"tmp\w{8}")
"""What `tempfile` calls a directory."""


class Lanes:
    """All lanes and checkouts below one home."""

    def __init__(self, home: Path, git: Git) -> None:
        self._lanes = home / "lanes"
        self._checkouts = home / "checkouts"
        self._git = git
        self._owner = LaneOwner(home / "owners")

    async def open(self, pin: Pin, key: LaneKey, base: str, carry: str) -> Lane:
        """Create a lane with the files of tree `carry`, or commit `base` if ""; an older lane of the key is removed."""
        folder = self._folder(key)
        await remove(folder)
        failpoint("workspace.lane.before")
        try:
            (found,) = await trees_of(self._git, pin, base)
        except GitFailed:
            raise BadRepository(
                f"There is no commit {base!r} to open a lane on.", fix="Start the build again."
            ) from None
        lane = Lane(key, folder / "files", folder / "home", found)
        with naming_full_disk(folder):
            self._lanes.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(parents=True, mode=0o700)
            (folder / _OWNED).write_text(self._owner.name())
            lane.files.mkdir(mode=0o700)
            lane.home.mkdir(mode=0o700)
        await self._fill(pin, carry or found, lane.files, found)
        failpoint("workspace.lane.after")
        return lane

    async def refill(self, pin: Pin, tree: str, files: Path, base: str) -> None:
        """Replace the files of a lane by those of a tree. The directory itself stays, for a process whose cwd it is."""
        for entry in await asyncio.to_thread(os.listdir, files):
            await remove(files / entry)
        await self._fill(pin, tree, files, base)

    async def _fill(self, pin: Pin, tree: str, files: Path, base: str) -> None:
        """Write the files of `tree`, and meanwhile the throw-away repository with a commit of tree `base`."""
        repository = LaneGit(self._git, pin, files)
        making = asyncio.create_task(repository.make(base, tree))
        try:
            async with self._filled(pin, tree, files) as index:
                if await making:
                    await repository.place(index)
        finally:
            making.cancel()
            await asyncio.gather(making, return_exceptions=True)
            await repository.discard()

    @asynccontextmanager
    async def _filled(self, pin: Pin, tree: str, files: Path) -> AsyncIterator[Path]:
        """Write a tree's files, as a clone has them, into an empty directory; yield git's index, kept outside."""
        with tempfile.TemporaryDirectory(prefix=f"{files.name}-index-", dir=files.parent) as name:
            index, options = Path(name) / "index", FILTER if pin.lfs is not None else ()
            await self._git.run(
                pin.mirror,
                *options,
                "read-tree",
                "--reset",
                "-u",
                "--end-of-options",
                tree,
                index=index,
                work_tree=files,
            )
            if pin.modules:
                await write_submodules(self._git, pin.mirror, tree, files, index.parent, options)
            yield index

    async def close(self, key: LaneKey) -> None:
        """Remove a lane, if it exists."""
        await remove(self._folder(key))

    @asynccontextmanager
    async def checkout(self, pin: Pin, build_id: str, tree: str) -> AsyncIterator[Path]:
        """Yield a private directory with a tree's files, whose path says nothing of us; it is removed at the end.

        Below the home stands a link to it, by which it is found when this process was killed.
        """
        with naming_full_disk(self._checkouts):
            owner = self._owner.name()
            entry = self._checkouts / check_name(build_id, "build") / f"{owner}-{secrets.token_hex(4)}"
            self._checkouts.mkdir(parents=True, exist_ok=True, mode=0o700)
            entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder = _plain_place(entry)
        try:
            await self._fill(pin, tree, folder, tree)
            yield folder
        finally:
            await remove_lane(entry)
            await remove(beside(entry))

    async def forget(self, build_id: str) -> None:
        """Remove every lane and checkout of a build."""
        check_name(build_id, "build")
        await remove(self._lanes / build_id)
        for entry in (self._checkouts / build_id).glob("*"):
            await remove_lane(entry)
        await remove(self._checkouts / build_id)

    def files_of(self, key: LaneKey) -> Path:
        """Return where the files of the key's lane are, if it is open."""
        return self._folder(key) / "files"

    def _folder(self, key: LaneKey) -> Path:
        name = f"{check_name(key.task, 'task')}-{int(key.attempt)}"
        return self._lanes / check_name(key.build_id, "build") / name


class LaneOwner:
    """This process as an owner of lanes: a file that stays locked as long as the process lives.

    Unlike a process id, the lock is visible from other containers, and no later process can have it after a restart.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = ""
        self._pid = 0

    def name(self) -> str:
        """Return this owner's name, made on the first call."""
        # A forked child is another owner, though it has its parent's memory.
        if self._pid != os.getpid():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            name = secrets.token_hex(8)
            fresh = self._folder / f"{name}.new"
            descriptor = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            weakref.finalize(self, os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            fresh.rename(self._folder / name)  # never seen unlocked
            self._name, self._pid = name, os.getpid()
        return self._name

    def lives(self, name: str) -> bool:
        """Return whether the process that has this name lives."""
        if not name:
            return False
        try:
            descriptor = os.open(self._folder / name, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def tidy(self) -> None:
        """Remove the files of owners whose process is gone."""
        for file in self._folder.glob("*"):
            if file.suffix != ".new" and not self.lives(file.name):
                file.unlink(missing_ok=True)


def abandoned(home: Path) -> list[Path]:
    """Return every lane and checkout below a home whose process is gone."""
    owners, young = LaneOwner(home / "owners"), time.time() - _YOUNG_SECONDS
    found = []
    for name in ("lanes", "checkouts"):
        for folder in sorted((home / name).glob("*/*")):
            try:
                owner = (folder / _OWNED).read_text() if name == "lanes" else folder.name.partition("-")[0]
            except (FileNotFoundError, NotADirectoryError):
                owner = ""
            try:
                # One without an owner may be in the making by another process.
                if not owners.lives(owner) and (owner or folder.lstat().st_mtime < young):
                    found.append(folder)
            except FileNotFoundError:
                continue
    return found


def _plain_place(entry: Path) -> Path:
    """Make the directory of a checkout among temporary files, and a link to it at `entry`; else at `entry` itself.

    It needs a file system with room that lets programs run: `/tmp` is often memory, and a temporary one may be small.
    """
    for parent in dict.fromkeys(filter(None, (os.environ.get("TMPDIR"), "/var/tmp", tempfile.gettempdir()))):  # noqa: S108
        with contextlib.suppress(OSError):
            about = os.statvfs(parent)
            if about.f_flag & os.ST_NOEXEC or about.f_bavail * about.f_frsize < _ROOM:
                continue
            folder = Path(parent).resolve() / f"tmp{secrets.token_hex(4)}" / secrets.choice(_PLAIN)
            entry.symlink_to(folder)  # first: a process killed here leaves no folder that nothing leads to
            try:
                folder.parent.mkdir(mode=0o700)
                folder.mkdir(mode=0o700)
            except OSError:
                entry.unlink()
                raise
            return folder
    entry.mkdir(mode=0o700)
    return entry


async def remove_lane(entry: Path) -> None:
    """Remove a lane, or a checkout with what its link leads to. Raises GitFailed."""
    if entry.is_symlink():
        target = entry.readlink()
        if target.is_absolute() and _TEMPORARY.fullmatch(target.parent.name):
            await remove(target.parent)
    await remove(entry)


async def remove(path: Path) -> None:
    """Remove a file or directory tree of any depth and permissions; links in it are not followed. Raises GitFailed."""
    if not os.path.lexists(path):
        return
    if await asyncio.to_thread(_remove_few, path):
        return
    # An agent can nest directories deeper than Python can recurse.
    if await _run("rm", "-rf", "--", str(path)) == 0:
        return
    await _run("chmod", "-R", "u+rwX", "--", str(path))
    if await _run("rm", "-rf", "--", str(path)) != 0:
        raise GitFailed(f"{path} could not be removed.", fix="Look who owns the files in it, and remove it by hand.")


def _remove_few(path: Path) -> bool:
    """Remove a file, or a directory with few entries; return False if it is still there. The rest is faster by rm."""
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return True
        entries = (name for _, folders, files in os.walk(path) for name in (*folders, *files))
        if sum(1 for _ in islice(entries, _FEW)) == _FEW:
            return False
        shutil.rmtree(path)
    except (OSError, RecursionError):
        return False
    return True


async def _run(*argv: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()
