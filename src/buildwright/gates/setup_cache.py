"""Keeps a setup's result (`node_modules`) for checkouts with the same inputs. Must never let a judged tree write to it.

A kept result depends on its inputs alone because it was made in a directory that held nothing else; the key is their
hash. In a sandbox that can, checkouts share it and write beside it (`shared_folders`). Others get copies (reflinks
where the file system has them): through a hard link a test could change the input of later judgements.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from buildwright.gates.changed import read_bytes
from buildwright.shared_folders import held, make_shared, shared_in, take_away

KEPT = 8
"""Number of results that stay, those used last."""

_DRAFT = "draft-"
_MADE_IN = ".made-in"
"""File in a kept result: the path of the directory that it was made in."""
_LARGEST_SCRIPT = 1_000_000
_DRAFT_SECONDS = 3600.0
"""Age in seconds after which a draft belongs to a dead process."""


class Setup(NamedTuple):
    """Commands that prepare a checkout. With `outputs`, they read only `inputs` and write only there what matters."""

    commands: tuple[str, ...]
    inputs: tuple[str, ...] = ()
    """Files, relative to the tree."""
    outputs: tuple[str, ...] = ()
    """Directories, relative to the tree."""
    scripts: tuple[str, ...] = ()
    """Commands that follow without network, for the install scripts of packages; that one fails is a warning."""


class SetupCache:
    """The kept results below one directory, which belongs to this class."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self._folder = folder
        self._kept = kept
        self._locks: dict[str, asyncio.Lock] = {}

    def key(self, setup: Setup, files: Path, path: str) -> str | None:
        """Return the hash of commands, inputs and programs; None when the result cannot be kept or is in the tree."""
        shown = {one.place for one in shared_in(files)}
        if not setup.outputs or any(not _is_free(files, output) for output in setup.outputs if output not in shown):
            return None
        parts = [path, *setup.commands, *setup.scripts, *setup.outputs, *_programs(setup.commands, path)]
        for name in setup.inputs:
            content = read_bytes(files, name)
            if content is None:
                return None
            parts += [name, hashlib.sha256(content).hexdigest()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def alone(self, key: str) -> asyncio.Lock:
        """Return the lock to hold while a result is looked up and made, so that only one parallel checkout makes it."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def place(self, key: str, setup: Setup, files: Path, *, share: bool = False) -> bool:
        """Bring a kept result into a checkout, with `share` as shared folders, else as copies.

        Return False when there is none (or another process just removed it).
        """
        kept = self._folder / key
        shown = {one.place: one.lower for one in shared_in(files)}
        if shown.keys() & set(setup.outputs):
            return all(shown.get(output) == (kept / output).resolve() for output in setup.outputs)
        with held(kept, files) as is_there:
            if not is_there:
                return False
            for output in setup.outputs:
                if not (
                    await asyncio.to_thread(_share, kept, output, files) if share else await _put(kept, output, files)
                ):
                    shared = [one.folder for one in shared_in(files) if one.place in setup.outputs]
                    for folder in (*(files / other for other in setup.outputs), *shared):
                        await _remove(folder)
                    return False
            return True

    @asynccontextmanager
    async def draft(self, setup: Setup, files: Path) -> AsyncIterator[Path]:
        """Yield a directory with only the inputs, to run the commands in; removed at the end unless it was kept."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(prefix=_DRAFT, dir=self._folder))
        try:
            for name in setup.inputs:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(read_bytes(files, name) or b"")
            yield folder
        finally:
            await _remove(folder)

    async def keep(self, key: str, setup: Setup, draft: Path) -> bool:
        """Keep a draft under its key; return False when its commands did not make every output."""
        root = draft.resolve()
        if any(
            (draft / output).resolve() != root / output or not (draft / output).is_dir() for output in setup.outputs
        ):
            return False
        (draft / _MADE_IN).write_text(str(draft), encoding="utf-8")
        try:
            draft.rename(self._folder / key)
        except OSError:
            # Another process was faster with the same inputs: its result is as good.
            return (self._folder / key).is_dir()
        await self._prune()
        return True

    async def _prune(self) -> None:
        ages: list[tuple[float, Path]] = []
        for path in self._folder.iterdir():
            # Another process may be removing it.
            with contextlib.suppress(FileNotFoundError):
                ages.append((path.stat().st_mtime, path))
        ages.sort(reverse=True)
        kept = [path for _, path in ages if not path.name.startswith(_DRAFT)]
        dead = [path for age, path in ages if path.name.startswith(_DRAFT) and age < time.time() - _DRAFT_SECONDS]
        for old in kept[self._kept :]:
            aside = old.with_name(f"{_DRAFT}{secrets.token_hex(8)}")
            if await asyncio.to_thread(take_away, old, aside):
                dead.append(aside)
        for path in dead:
            await _remove(path)


def _is_free(files: Path, output: str) -> bool:
    """Return whether `output` is a place inside the checkout where nothing is yet."""
    place = files / output
    return place.parent.resolve().is_relative_to(files.resolve()) and not os.path.lexists(place)


def _programs(commands: Sequence[str], path: str) -> list[str]:
    """Return the identity of the programs that the commands name, and of Node, which npm runs on."""
    words = {word for command in commands for word in command.split()} | {"node"}
    found = []
    for word in sorted(words):
        program = shutil.which(word, path=path) if "/" not in word else None
        if program is not None:
            what = Path(program).stat()
            found.append(f"{word} {Path(program).resolve()} {what.st_size} {what.st_mtime_ns}")
    return found


async def _copy(source: Path, target: Path) -> bool:
    """Return False when the source is no directory or could not be copied completely."""
    try:
        if not stat.S_ISDIR(source.lstat().st_mode):
            return False
    except OSError:
        return False
    process = await asyncio.create_subprocess_exec(
        *("cp", "-a", "--reflink=auto", "--no-target-directory", "--", str(source), str(target)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _put(kept: Path, output: str, files: Path) -> bool:
    if not await _copy(kept / output, files / output):
        return False
    await asyncio.to_thread(_settle, files / output, files / output, kept / _MADE_IN, files)
    return True


def _share(kept: Path, output: str, files: Path) -> bool:
    if not stat.S_ISDIR((kept / output).lstat().st_mode):
        return False
    try:
        shared = make_shared(files, output, (kept / output).resolve())
        _settle(kept / output, shared.upper, kept / _MADE_IN, files)
    except OSError:
        return False
    return True


def _settle(folder: Path, target: Path, made_in: Path, files: Path) -> None:
    """Let the scripts of a virtual environment (venv, "How venvs work") name the place where it is seen, in `target`."""
    if not (folder / "pyvenv.cfg").is_file() or not made_in.is_file():
        return
    old, new = made_in.read_bytes(), str(files).encode()
    for script in (folder / "pyvenv.cfg", *(folder / "bin").iterdir()):
        if script.is_symlink() or not script.is_file() or script.stat().st_size > _LARGEST_SCRIPT:
            continue
        content = script.read_bytes()
        if old in content and b"\0" not in content:
            place = target / script.relative_to(folder)
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content.replace(old, new))
            shutil.copymode(script, place)
            shutil.copymode(script.parent, place.parent)


async def _remove(path: Path) -> None:
    await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
