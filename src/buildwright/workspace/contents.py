"""Reads the contents of files in a repository: of a directory, of the index, of commits. Must never run its programs.

Nothing is checked out and nothing diffed: blobs are listed and read by id, so that no filter, hook or diff driver of
the repository has a say.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from buildwright.errors import BadRepository
from buildwright.workspace.git import Git
from buildwright.workspace.source import Source, read_head

_AT_ONCE = 64
_LINK = "120000"


@dataclass(frozen=True, slots=True)
class FileContent:
    """The content of one file in one version."""

    path: str
    content: bytes = field(repr=False)
    blob: str = ""


@dataclass(frozen=True, slots=True)
class ContentChange:
    """Blobs that were replaced or deleted, and blobs that are new, as pairs of path and id."""

    old: tuple[tuple[str, str], ...]
    new: tuple[tuple[str, str], ...]


async def staged(git: Git, source: Source, index: Path | None = None) -> ContentChange:
    """Return how the index (the repository's own when None) differs from HEAD. Raises BadRepository, GitFailed."""
    git_dir = _git_dir(source)
    head = (await read_head(git, source, "")).commit or await empty_tree(git, git_dir)
    answer = await git.run(
        git_dir,
        *("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=64", "--end-of-options", head),
        index=index or git_dir / "index",
    )
    return _changed(answer.output)


async def between(git: Git, source: Source, base: str, head: str) -> ContentChange:
    """Return what the commits of `head` that `base` has not got add, each version of each file, against their base.

    A secret that one commit adds and a later one removes is in the history all the same. Raises BadRepository.
    """
    git_dir = _git_dir(source)
    first, last = (await read_head(git, source, base)).commit, (await read_head(git, source, head)).commit
    if not first or not last:
        raise BadRepository(f"There is no commit {base if not first else head!r}.", fix="Name two commits.")
    fork = await git.run(git_dir, "merge-base", "--end-of-options", first, last, okay=(0, 1))
    start = fork.text if fork.code == 0 else await empty_tree(git, git_dir)
    ends = await git.run(
        git_dir,
        *("diff-tree", "-r", "--raw", "-z", "--no-renames", "--abbrev=64", "--end-of-options", start, last),
    )
    listing = await git.run(git_dir, "rev-list", "--objects", "--end-of-options", last, f"^{first}")
    known = (line.partition(" ") for line in listing.output.decode(errors="surrogateescape").splitlines())
    new = dict.fromkeys((path, blob) for blob, _, path in known if path)
    return ContentChange(_changed(ends.output).old, tuple(new))


async def commit_with(git: Git, source: Source, blob: str, base: str, head: str) -> str:
    """Return the first commit of a range that brought a blob, "" when it cannot be told."""
    answer = await git.run(
        _git_dir(source),
        *("log", "--format=%H", "--no-textconv", "--no-ext-diff", f"--find-object={blob}", "--reverse"),
        *("--end-of-options", f"{base}..{head}"),
        okay=(0, 128),
    )
    return answer.text.partition("\n")[0] if answer.code == 0 else ""


async def read_blobs(git: Git, source: Source, blobs: Iterable[tuple[str, str]]) -> AsyncIterator[FileContent]:
    """Yield the content of each pair of path and id that is a blob, in order."""
    git_dir, asked = _git_dir(source), list(blobs)
    for first in range(0, len(asked), _AT_ONCE):
        part = asked[first : first + _AT_ONCE]
        answer = await git.run(git_dir, "cat-file", "--batch", stdin="".join(f"{blob}\n" for _, blob in part).encode())
        place = 0
        for path, blob in part:
            # A line "<id> <type> <size>", the content, a newline (git-cat-file(1), "BATCH OUTPUT").
            end = answer.output.index(b"\n", place)
            words = answer.output[place:end].split()
            place = end + 1
            if len(words) == 3:
                size = int(words[2])
                if words[1] == b"blob":
                    yield FileContent(path, answer.output[place : place + size], blob)
                place += size + 1


async def files_of(git: Git, source: Source) -> list[str]:
    """Return the paths of all files of the work tree that git tracks or would add, sorted."""
    git_dir = _git_dir(source)
    if source.work_tree is None:
        raise BadRepository(f"{source.location} has no work tree.", fix="Search a range of commits: --diff BASE..HEAD.")
    answer = await git.run(
        git_dir,
        *("ls-files", "-z", "--cached", "--others", "--exclude-standard"),
        index=git_dir / "index",
        work_tree=source.work_tree,
    )
    return sorted({path for path in answer.output.decode(errors="surrogateescape").split("\0") if path})


def read_files(root: Path, paths: Iterable[str], limit: int) -> Iterable[tuple[str, bytes | None]]:
    """Yield each regular file or link below `root` with its content; None for one of more than `limit` bytes."""
    for path in paths:
        full = root / path
        try:
            if full.is_symlink():
                yield path, os.fsencode(full.readlink())
            elif full.is_file():
                yield path, full.read_bytes() if full.stat().st_size <= limit else None
        except OSError:
            continue


def _git_dir(source: Source) -> Path:
    if source.git_dir is None:
        raise BadRepository(f"{source.location} is not on this machine.", fix="Clone it, and name the clone.")
    return source.git_dir


async def empty_tree(git: Git, git_dir: Path) -> str:
    """Return the id of the tree without files, which git knows though it is not stored. Raises GitFailed."""
    return (await git.run(git_dir, "hash-object", "-t", "tree", "--stdin")).text


def _changed(raw: bytes) -> ContentChange:
    """Read the raw format of git-diff(1): `:mode mode id id status NUL path NUL`."""
    fields = raw.decode(errors="surrogateescape").split("\0")
    old, new = [], []
    for head, path in zip(fields[0::2], fields[1::2], strict=False):
        before, after, was, now, _ = head.lstrip(":").split(" ", 4)
        if before.startswith(("100", _LINK)):
            old.append((path, was))
        if after.startswith(("100", _LINK)) and now.strip("0"):
            new.append((path, now))
    return ContentChange(tuple(old), tuple(new))
