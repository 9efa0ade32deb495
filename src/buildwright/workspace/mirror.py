"""The mirrors: bare repositories of our own that hold what builds need. No agent ever sees one.

A build's pin (which mirror, which commit) is a small file beside them, so that a restart finds it without asking anybody.
"""

from __future__ import annotations

import asyncio
import fcntl
import functools
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from buildwright.core.failpoint import failpoint
from buildwright.errors import DiskFull, GitFailed, NotFound
from buildwright.ports import Target
from buildwright.workspace.git import Git, check_name, naming_full_disk, persistently
from buildwright.workspace.objects import ObjectStore
from buildwright.workspace.source import Head, Source, read_head

# A tree's own .gitattributes must not change one byte of what is written to a lane; this file outranks them.
BYTE_FOR_BYTE = "* -text !eol -ident !filter !working-tree-encoding !crlf\n"
_GUARD_SECONDS = 0.05
_START = datetime(2020, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pin:
    """What a build stands on: its mirror and its target."""

    mirror: Path
    target: Target
    width: int

    @property
    def objects(self) -> ObjectStore:
        return ObjectStore(self.mirror, self.width)


class Mirrors:
    """All mirrors below one directory."""

    def __init__(self, folder: Path, git: Git) -> None:
        self._folder = folder
        self._git = git
        self._pins: dict[str, Pin] = {}

    async def pin(self, build_id: str) -> Pin:
        """The pin of a prepared build. Raises NotFound."""
        if build_id not in self._pins:
            found = await asyncio.to_thread(self._read_pin, build_id)
            if found is None:
                raise NotFound(f"Build {build_id} has no prepared repository here.", fix="Start the build again.")
            self._pins[build_id] = found
        return self._pins[build_id]

    async def prepare(self, build_id: str, source: Source, base: str) -> Pin:
        """Fetch what the build stands on and pin it. A second call gives the same pin, whatever moved meanwhile."""
        check_name(build_id, "build")
        pinned = await asyncio.to_thread(self._read_pin, build_id)
        if pinned is not None and await self._holds(pinned, build_id):
            self._pins[build_id] = pinned
            return pinned
        async with guarded(self._folder):
            return await self._prepare(build_id, source, base)

    async def _prepare(self, build_id: str, source: Source, base: str) -> Pin:
        head = await read_head(self._git, source, base)
        mirror = await self._mirror(source, head.width)
        ref = f"refs/buildwright/{build_id}/base"
        if head.commit:
            await self._fetch(mirror, source, head, ref)
            commit = head.commit
        else:
            commit = await self._root(ObjectStore(mirror, head.width))
        await self._git.run(mirror, "update-ref", "--end-of-options", ref, commit)
        integration = f"refs/buildwright/{build_id}/integration"
        held = await self._git.run(
            mirror, "rev-parse", "--verify", "--quiet", "--end-of-options", integration, okay=(0, 1)
        )
        if held.code:
            await self._git.run(mirror, "update-ref", "--end-of-options", integration, commit, "0" * head.width)
        tree = await self._git.run(mirror, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")
        pin = Pin(mirror, Target(commit, tree.text, head.branch, head.notes), head.width)
        with naming_full_disk(self._folder):
            await asyncio.to_thread(self._write_pin, build_id, pin)
        self._pins[build_id] = pin
        return pin

    async def release(self, build_id: str) -> None:
        """Undo `prepare` for something that was no build: its refs and its pin go, what was fetched stays for the next."""
        pin = await self.pin(build_id)
        for name in ("base", "integration"):
            await self._git.run(
                pin.mirror, "update-ref", "-d", "--end-of-options", f"refs/buildwright/{build_id}/{name}"
            )
        del self._pins[build_id]
        await asyncio.to_thread((self._folder / "builds" / build_id).unlink, missing_ok=True)

    async def _holds(self, pin: Pin, build_id: str) -> bool:
        if not _is_whole(pin.mirror):
            return False
        wanted = f"refs/buildwright/{build_id}/integration^{{tree}}"
        found = await self._git.run(
            pin.mirror, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, okay=(0, 1, 128)
        )
        return found.code == 0

    async def _mirror(self, source: Source, width: int) -> Path:
        name = hashlib.sha256(os.fsencode(source.location)).hexdigest()[:20] + ("-256" if width == 64 else "")
        path = self._folder / name
        if _is_whole(path):
            return path
        failpoint("workspace.mirror.before")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            path.rename(self._folder / f"{name}.broken-{secrets.token_hex(4)}")
        # Made beside and moved into place, so that a crash leaves no half mirror under the real name.
        fresh = self._folder / f"{name}.new-{secrets.token_hex(4)}"
        form = "sha256" if width == 64 else "sha1"
        await self._git.run(fresh, "init", "--quiet", "--bare", f"--object-format={form}")
        (fresh / "info").mkdir(exist_ok=True)
        (fresh / "info" / "attributes").write_text(BYTE_FOR_BYTE)
        try:
            fresh.rename(path)
        except OSError:
            # Another process was faster, and its mirror is as good as this one.
            if not _is_whole(path):
                raise
            await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)
        failpoint("workspace.mirror.after")
        return path

    async def _fetch(self, mirror: Path, source: Source, head: Head, ref: str) -> None:
        have = await self._git.run(
            mirror, "rev-list", "--objects", "--quiet", "--end-of-options", head.commit, okay=(0, 1, 128)
        )
        if have.code == 0:
            return
        options = ["--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--quiet"]
        if head.shallow:
            options.append("--update-shallow")
        wanted = f"+{head.ref or head.commit}:{ref}"
        fetch = functools.partial(
            self._git.run,
            mirror,
            "fetch",
            *options,
            "--end-of-options",
            source.location,
            wanted,
            protocol=source.protocol,
        )
        try:
            await (fetch() if source.git_dir is not None else persistently(fetch))
        except DiskFull:
            raise
        except GitFailed as error:
            raise GitFailed(f"The repository could not be fetched: {error.message}", fix=error.fix) from error

    async def _root(self, objects: ObjectStore) -> str:
        tree = await asyncio.to_thread(objects.write, "tree", b"")
        return await asyncio.to_thread(objects.commit, tree, (), "Start of an empty repository", _START)

    def _read_pin(self, build_id: str) -> Pin | None:
        check_name(build_id, "build")
        try:
            data = json.loads((self._folder / "builds" / build_id).read_text())
            notes = tuple(data["notes"])
            target = Target(data["commit"], data["tree"], data["branch"], notes)
            return Pin(self._folder / data["mirror"], target, data["width"])
        except (FileNotFoundError, ValueError, KeyError):
            return None

    def _write_pin(self, build_id: str, pin: Pin) -> None:
        target = pin.target
        text = json.dumps(
            {
                "mirror": pin.mirror.name,
                "commit": target.commit,
                "tree": target.tree,
                "branch": target.branch,
                "notes": target.notes,
                "width": pin.width,
            }
        )
        folder = self._folder / "builds"
        folder.mkdir(exist_ok=True)
        temporary = folder / f"{build_id}.{secrets.token_hex(4)}"
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / build_id)


@asynccontextmanager
async def guarded(folder: Path, *, alone: bool = False) -> AsyncIterator[bool]:
    """Held while a mirror is made ready, by as many as like, or `alone` while unused ones go and others are compacted.

    Who wants to be alone does not wait: False when somebody is at work. Ends with the process, however it ends.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if alone:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
        else:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    await asyncio.sleep(_GUARD_SECONDS)
                else:
                    break
        yield True
    finally:
        os.close(descriptor)


def _is_whole(path: Path) -> bool:
    return all((path / name).exists() for name in ("HEAD", "config", "objects", "refs", "info/attributes"))
