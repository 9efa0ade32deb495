"""The throw-away repository of a lane, for agents and commands that work better in one. Must never be read.

Written once: one commit with the files of the lane's base, and its own objects, so that no change to it reaches others.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
from datetime import UTC, datetime
from pathlib import Path

from buildwright.errors import DiskFull, GitFailed
from buildwright.workspace.git import Git, naming_full_disk
from buildwright.workspace.mirror import BYTE_FOR_BYTE, Pin
from buildwright.workspace.objects import ObjectStore
from buildwright.workspace.patch import LEFT_OUT

MOST_FILES = 50_000
MOST_BYTES = 500_000_000
"""Of all files together. A larger tree gets no repository: copying its objects would take longer than it helps."""

_AT = datetime(2020, 1, 1, tzinfo=UTC)
_CONFIGURATION = """\
[core]
	repositoryFormatVersion = {version}
	bare = false
	fileMode = true
	autocrlf = false
	fsync = none
[user]
	name = Agent
	email = agent@localhost
[gc]
	auto = 0
[maintenance]
	auto = false
[commit]
	gpgSign = false
"""


class LaneGit:
    """A repository that is made beside the lane's files and moved among them when it is complete."""

    def __init__(self, git: Git, pin: Pin, files: Path) -> None:
        self._git = git
        self._pin = pin
        self._files = files
        self._folder = files.parent / f"git-{secrets.token_hex(4)}"

    async def make(self, base: str, tree: str) -> bool:
        """Write all but the index: a commit of tree `base`, and the objects of `tree`. Returns False when left out.

        Raises DiskFull. After any other failure the lane has no repository: no build depends on it.
        """
        try:
            if not await self._is_small(tree):
                return False
            with naming_full_disk(self._folder):
                await asyncio.to_thread(self._write, base)
            await self._git.run(
                self._pin.mirror,
                "-c",
                "core.fsync=none",
                "pack-objects",
                "--quiet",
                "--revs",
                "--window=0",
                "--end-of-options",
                str(self._folder / "objects" / "pack" / "pack"),
                stdin=f"{base}\n{tree}\n".encode(),
            )
        except DiskFull:
            raise
        except GitFailed:
            return False
        return True

    async def place(self, index: Path) -> None:
        """Add the index that the files were written with, and move the repository to `.git` in the lane."""
        with naming_full_disk(self._folder):
            await asyncio.to_thread(shutil.copyfile, index, self._folder / "index")
            try:
                # Renamed, never written in place: what is there by now may be a link that the agent made.
                self._folder.rename(self._files / ".git")
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                return

    async def discard(self) -> None:
        """Remove a repository that was not placed."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _is_small(self, tree: str) -> bool:
        answer = await self._git.run(
            self._pin.mirror, "ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", tree
        )
        # "mode SP type SP object SP size TAB path" (git-ls-tree(1)); a submodule's size is "-".
        sizes = [line.partition(b"\t")[0].rpartition(b" ")[2] for line in answer.output.split(b"\0") if line]
        return len(sizes) <= MOST_FILES and sum(int(size) for size in sizes if size.isdigit()) <= MOST_BYTES

    def _write(self, base: str) -> None:
        folder = self._folder
        for name in ("objects/pack", "refs/heads", "info"):
            (folder / name).mkdir(parents=True)
        sha256 = self._pin.width == 64
        form = "[extensions]\n\tobjectFormat = sha256\n" if sha256 else ""
        (folder / "config").write_text(_CONFIGURATION.format(version=int(sha256)) + form)
        (folder / "HEAD").write_text("ref: refs/heads/main\n")
        (folder / "info" / "attributes").write_text(BYTE_FOR_BYTE)
        (folder / "info" / "exclude").write_text("".join(f"{name}\n" for name in LEFT_OUT))
        commit = ObjectStore(folder, self._pin.width).commit(base, (), "base", _AT, durable=False)
        (folder / "refs" / "heads" / "main").write_text(f"{commit}\n")
