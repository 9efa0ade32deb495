"""Turns changed files into blobs as `git add` does: line ends, encodings, LFS pointers. Must never run a filter.

git itself converts, on copies in a private directory and with the attributes of the resulting tree. It knows no
filter program: none is configured where it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from buildwright.core.patch import FileChange
from buildwright.errors import GitFailed, UnsafePath
from buildwright.workspace.git import Git

RULES = ".gitattributes"
_AT_CHECKOUT = ("eol", "crlf", "ident", "working-tree-encoding")
_OFF = frozenset(("unspecified", "unset"))
# "The specification of the Git LFS pointer file", version 1: at most 1024 bytes, the version line first.
_POINTER = re.compile(rb"version https?://\S+/spec/v1\n(?:\S+ \S+\n)*oid sha256:([0-9a-f]{64})\nsize (\d+)\n")
POINTER_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Attributes:
    """The attributes of one path (gitattributes(5)), those that decide about its content."""

    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def change_checkouts(self) -> bool:
        """Whether a checkout may write something else than the blob."""
        return any(self.values.get(name, "unset") not in _OFF for name in _AT_CHECKOUT)

    def change(self, content: bytes) -> bool:
        """Return whether `git add` may store something else than `content`."""
        said = {name for name, value in self.values.items() if value not in _OFF}
        if said & {"ident", "working-tree-encoding"}:
            return True
        return bool(said & {"text", "eol", "crlf"}) and b"\r" in content

    @property
    def is_large(self) -> bool:
        """Whether the path belongs to Git LFS."""
        return self.values.get("filter") == "lfs"

    def check(self, path: str, content: bytes) -> None:
        """Raise UnsafePath for a file of Git LFS whose content is no pointer."""
        if self.is_large and content and read_pointer(content) is None:
            raise UnsafePath(
                f"{path!r} belongs to Git LFS (.gitattributes), and what is to be stored is its content, not a pointer.",
                fix="Leave the file as it was, or change it by hand with git-lfs installed; a build stores no LFS objects.",
            )


def read_pointer(content: bytes) -> tuple[str, int] | None:
    """Return the SHA-256 and the size of the object that a pointer of Git LFS stands for; None for another content."""
    found = _POINTER.fullmatch(content) if len(content) <= POINTER_BYTES else None
    return (found[1].decode(), int(found[2])) if found else None


async def read_attributes(git: Git, git_dir: Path, index: Path, paths: Iterable[str]) -> dict[str, Attributes]:
    """Return the attributes that the .gitattributes files in `index` give to paths."""
    asked = b"".join(path.encode(errors="surrogateescape") + b"\0" for path in paths)
    if not asked:
        return {}
    answer = await git.run(
        git_dir,
        *("check-attr", "--cached", "-z", "--stdin"),
        *("text", "eol", "crlf", "ident", "working-tree-encoding", "filter"),
        stdin=asked,
        index=index,
    )
    fields = answer.output.decode(errors="surrogateescape").split("\0")
    found: dict[str, dict[str, str]] = {}
    for path, name, value in zip(fields[0::3], fields[1::3], fields[2::3], strict=False):
        found.setdefault(path, {})[name] = value
    return {path: Attributes(values) for path, values in found.items()}


async def write_out(
    git: Git, git_dir: Path, index: Path, folder: Path, paths: Iterable[str], options: Iterable[str] = ()
) -> None:
    """Write files of `index` below the new directory `folder`, as a checkout has them; one it cannot write is missing.

    `options` are settings of git for the command, such as those of Git LFS.
    """
    asked = b"".join(path.encode(errors="surrogateescape") + b"\0" for path in paths)
    folder.mkdir()
    await git.run(
        git_dir,
        *options,
        *("checkout-index", "--force", "-z", "--stdin", f"--prefix={folder}/"),
        stdin=asked,
        index=index,
        work_tree=folder,
        okay=(0, 1, 128),
    )


async def add(git: Git, git_dir: Path, index: Path, work: Path, changes: Iterable[FileChange]) -> None:
    """Add the files in the directory `work`, copies of what changed, to `index`, converted as their attributes say.

    Raises UnsafePath for a file that is not in the encoding that its attributes name, GitFailed.
    """
    paths = b"".join(change.path.encode(errors="surrogateescape") + b"\0" for change in changes)
    if not paths:
        return
    try:
        await git.run(
            git_dir, "update-index", "--add", "--replace", "-z", "--stdin", stdin=paths, index=index, work_tree=work
        )
    except GitFailed as error:
        if "encod" in error.message or "BOM" in error.message:
            raise UnsafePath(error.message, fix="Write the file in the encoding that .gitattributes names.") from error
        raise


async def changed_paths(git: Git, git_dir: Path, index: Path, tree: str) -> dict[str, bool]:
    """Return the paths in which `index` differs from `tree`: whether the content differs, and not only the mode."""
    answer = await git.run(
        git_dir,
        *("diff-index", "--cached", "--raw", "-z", "--no-renames", "--abbrev=64", "--end-of-options", tree),
        index=index,
    )
    fields = answer.output.decode(errors="surrogateescape").split("\0")
    found: dict[str, bool] = {}
    for head, path in zip(fields[0::2], fields[1::2], strict=False):
        _, _, old, new, _ = head.split(" ")
        found[path] = old != new
    return found
