"""Has the files of a tree read, and keeps their outlines by blob, so that only what changed is read again.

Outlines are kept in one file beside the mirror's objects, which goes with the mirror. A file that is too large, that no
parser ends with, or that the time does not suffice for is left out, with a note. Must never run a file of the tree.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json, to_json

from buildwright.code_map.outline import FORMAT, Outline, outline_language

if TYPE_CHECKING:
    from buildwright.workspace import GitWorkspace

LARGEST_FILE = 400_000
"""Bytes of the largest file that is read; what is larger is made by a program."""
MOST_FILES = 20_000
FILE_SECONDS = 5.0
"""Longest time for one file."""
WHOLE_SECONDS = 120.0
"""Longest time for all files of a map; the rest is left out, and read the next time."""
KEPT = "code-map.json"
_RESTARTS = 20
_LONGEST_ANSWER = 4 * 1024 * 1024

OnRead = Callable[[int, int], None]
"""Is told how many files of how many have been read."""


class ReadTree(NamedTuple):
    """The outline of each file of a tree by its path, empty for one that is not read; and what was left out and why."""

    outlines: dict[str, Outline]
    notes: tuple[str, ...]
    fresh: int
    """Number of files that were read now; the others were known."""


async def read_tree(
    workspace: GitWorkspace, build_id: str, tree: str, on_read: OnRead = lambda _done, _all: None, *, anew: bool = False
) -> ReadTree:
    """Return the outlines of a tree. `anew` reads every file again. Raises GitFailed, BadRepository."""
    by_path = await workspace.blobs(build_id, tree)
    kept_in = await workspace.mirror_with(build_id, tree) / KEPT
    languages = {path: language for path in sorted(by_path) if (language := outline_language(path))}
    wanted = {f"{language}:{by_path[path]}": path for path, language in list(languages.items())[:MOST_FILES]}
    known = {} if anew else await asyncio.to_thread(_kept, kept_in)
    answers: dict[str, Any] = {key: known[key] for key in wanted if key in known}
    missing = {key: path for key, path in wanted.items() if key not in answers}
    notes: list[str] = []
    if len(languages) > MOST_FILES:
        notes.append(f"{len(languages) - MOST_FILES:,} files of code are left out: a map has at most {MOST_FILES:,}")
    if missing:
        reading = _Reading(missing, on_read)
        answers |= await reading.read(workspace, build_id, tree)
        notes += reading.notes
    if missing or answers.keys() != known.keys():
        await asyncio.to_thread(_keep, kept_in, answers)
    notes += (f"{one} was left out: it could not be read" for one in _unread(wanted, answers))
    by_key = {key: _outline(answer) for key, answer in answers.items()}
    empty = Outline()
    outlines = dict.fromkeys(by_path, empty)
    outlines |= {path: by_key.get(f"{language}:{by_path[path]}", empty) for path, language in languages.items()}
    return ReadTree(outlines, tuple(notes), len(missing))


def _unread(wanted: Mapping[str, str], answers: Mapping[str, Any]) -> list[str]:
    return [path for key, path in wanted.items() if key in answers and answers[key] is None]


class _Reading:
    """One reading of files that are not known yet: `wanted` has a path for each `LANGUAGE:BLOB`."""

    def __init__(self, wanted: Mapping[str, str], on_read: OnRead) -> None:
        self._wanted = wanted
        self._on_read = on_read
        self._process: asyncio.subprocess.Process | None = None
        self._ends = monotonic() + WHOLE_SECONDS
        self._starts = 0
        self.notes: list[str] = []

    async def read(self, workspace: GitWorkspace, build_id: str, tree: str) -> dict[str, Any]:
        """Return the answers of the program; a file that it could not end with has None."""
        by_blob: dict[str, list[str]] = {}
        for key in self._wanted:
            by_blob.setdefault(key.partition(":")[2], []).append(key)
        answers: dict[str, Any] = {}
        waiting: list[tuple[str, bytes]] = []
        try:
            async with contextlib.aclosing(workspace.contents(build_id, tree, list(by_blob), LARGEST_FILE)) as contents:
                async for blob, content in contents:
                    for key in by_blob[blob]:
                        if content is None:
                            answers[key] = []
                            self.notes.append(
                                f"{self._wanted[key]} was left out: it has more than {LARGEST_FILE:,} bytes"
                            )
                        else:
                            waiting.append((key, content))
                    if len(waiting) >= 64:
                        answers |= await self._ask(waiting)
                        waiting = []
                        self._on_read(len(answers), len(self._wanted))
                        if self._is_over():
                            break
            answers |= await self._ask(waiting)
        finally:
            await self._end()
        if left := len(self._wanted) - len(answers):
            self.notes.append(f"{left:,} files were left out: the time or the tries for one map were used up")
        return answers

    def _is_over(self) -> bool:
        return monotonic() > self._ends or self._starts > _RESTARTS

    async def _ask(self, files: list[tuple[str, bytes]]) -> dict[str, Any]:
        """Return the answers for these files. One that takes too long, or at which the program ends twice, has None."""
        answers: dict[str, Any] = {}
        broke_at = ""
        while files and not self._is_over():
            try:
                process = self._process or await self._start()
            except OSError as trouble:
                self._starts = _RESTARTS + 1
                self.notes.append(f"the program that reads files cannot be started: {trouble.strerror}")
                break
            assert process.stdin is not None
            assert process.stdout is not None
            sending = asyncio.ensure_future(_send(process.stdin, files))
            done = 0
            try:
                for key, _ in files:
                    answers[key] = json.loads(await asyncio.wait_for(process.stdout.readline(), FILE_SECONDS))
                    done += 1
            except (TimeoutError, ValueError) as ended:  # no answer in time, or none at all
                await self._end()
                if isinstance(ended, TimeoutError) or broke_at == files[done][0]:
                    broke_at = files[done][0]
                    answers[broke_at] = None
                    done += 1
                else:
                    broke_at = files[done][0]  # whatever ended the program may have nothing to do with the file
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            files = files[done:]
        return answers

    async def _start(self) -> asyncio.subprocess.Process:
        self._starts += 1
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "buildwright.code_map.reader"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path(__file__).parents[2])},
            limit=_LONGEST_ANSWER,
        )
        return self._process

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _send(pipe: asyncio.StreamWriter, files: list[tuple[str, bytes]]) -> None:
    with contextlib.suppress(ConnectionError):  # reading its answers shows that the program has ended
        for key, content in files:
            pipe.write(f"{key.partition(':')[0]} {len(content)}\n".encode())
            pipe.write(content)
            await pipe.drain()


def _outline(answer: Any) -> Outline:
    """Return the outline that an answer of the program stands for."""
    return Outline(*answer) if answer else Outline()


def _kept(file: Path) -> dict[str, Any]:
    """Return the answers that were kept; none when there are none, or they are of another version."""
    try:
        known = from_json(
            file.read_bytes(), cache_strings=False
        )  # in half the time of `json`, and it is the most of it
        return dict(known["outlines"]) if known["format"] == FORMAT else {}
    except (OSError, ValueError, TypeError, LookupError):
        return {}


def _keep(file: Path, answers: Mapping[str, Any]) -> None:
    """Replace the kept answers. What cannot be kept is read again the next time."""
    with contextlib.suppress(OSError):
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}.")
        with os.fdopen(descriptor, "wb") as new:
            new.write(to_json({"format": FORMAT, "outlines": answers}))
        Path(name).replace(file)
