"""Objects of Git LFS, on request: brings those of a commit into a mirror. Must never send any, nor run another filter.

What the user's own clone has is copied from there; the rest git-lfs fetches, with the user's access.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from buildwright.errors import BadRepository, CouldNot, DiskFull, GitFailed, ToolMissing
from buildwright.workspace.attributes import POINTER_BYTES, read_attributes, read_pointer
from buildwright.workspace.contents import empty_tree
from buildwright.workspace.git import Git, mask, naming_full_disk, persistently
from buildwright.workspace.packs import id_hash
from buildwright.workspace.source import Source, locate, read_remotes
from buildwright.workspace.submodules import check_place
from buildwright.workspace.user_settings import UserSettings

# What is not in the mirror stays a pointer. Nothing is fetched while files are written: a tree's `.lfsconfig`, which may
# be an agent's, would say from where. ("--skip" leaves those that are there as pointers, too.)
FILTER = (
    *("-c", "filter.lfs.process=git-lfs filter-process", "-c", "filter.lfs.required=true"),
    *("-c", "lfs.url=file:///dev/null", "-c", "lfs.skipDownloadErrors=true"),
)
"""Lets git write the contents of LFS objects that are in the mirror, where it would write pointers."""
LANE_FILTER = """\
[filter "lfs"]
	clean = git-lfs clean -- %f
	smudge = git-lfs smudge --skip -- %f
"""
"""What makes git in a lane see that a file with its content is what the pointer stands for."""
_SECONDS = 3600.0
_STORED = "lfs/objects"
_BLOCK = 1 << 20


class Contents(NamedTuple):
    """The files of a commit, and of its submodules, that are in Git LFS."""

    pointers: Mapping[str, str]
    """The blob of the pointer by the id that the content would have as a blob."""
    addresses: Mapping[str, str]
    """Where they can be fetched again, by commit; "" where no other machine can: an address without a password."""


class LargeObject(NamedTuple):
    """An object of Git LFS: a path that has it, the blob of its pointer, its SHA-256 and size."""

    path: str
    pointer: str
    oid: str
    size: int

    def below(self, git_dir: Path) -> Path:
        """Return where a repository keeps it."""
        return git_dir / _STORED / self.oid[:2] / self.oid[2:4] / self.oid


class LargeFiles:
    """Brings LFS objects into mirrors; `environment` is the user's."""

    def __init__(self, git: Git, environment: Mapping[str, str]) -> None:
        self._git = git
        self._environment = environment

    async def fetch(self, mirror: Path, holders: Mapping[str, Source], width: int) -> Contents:
        """Bring the objects of commits, each from its repository, and return what they are.

        Raises BadRepository, ToolMissing, DiskFull.
        """
        self._check_program()
        pointers: dict[str, str] = {}
        addresses: dict[str, str] = {}
        for commit, source in holders.items():
            wanted = await self._wanted(mirror, commit)
            place = await self._place(mirror, source, commit) if wanted else None
            if source.git_dir is not None:
                await asyncio.to_thread(_copy, wanted, Path(source.location), mirror)
            await self._download(mirror, commit, wanted, place, source)
            pointers |= await asyncio.to_thread(_content_ids, wanted, mirror, width)
            address = place.location if place is not None and place.git_dir is None else ""
            addresses[commit] = address if mask(address) == address else ""
        return Contents(pointers, addresses)

    async def note(self, mirror: Path, commit: str) -> tuple[str, ...]:
        """Return what a user must know of a commit whose objects were not asked for; () when it has none."""
        nothing = await empty_tree(self._git, mirror)
        named = await self._git.run(
            mirror, "diff-tree", "-r", "--quiet", "-G", "filter=lfs", "--end-of-options", nothing, commit,
            "--", ":(glob)**/.gitattributes", okay=(0, 1),
        )  # fmt: skip
        if not named.code:
            return ()
        wanted = await self._wanted(mirror, commit)
        if not wanted:
            return ()
        which = f"{len(wanted)}, such as {min(one.path for one in wanted)}" if wanted[1:] else wanted[0].path
        return (
            f"Files in Git LFS ({which}) are pointers for agents and checks; the option lfs brings their contents.",
        )

    async def fetch_again(self, mirror: Path, contents: Contents) -> None:
        """Bring what another home has found into this one's mirror. Raises as `fetch` does."""
        self._check_program()
        for commit, address in contents.addresses.items():
            place = locate(address, self._environment, rewritten=True) if address else None
            source = Source(str(mirror), "file") if place is None else place
            await self._download(mirror, commit, await self._wanted(mirror, commit), place, source)

    def _check_program(self) -> None:
        if shutil.which("git-lfs", path=self._environment.get("PATH")) is None:
            raise ToolMissing(
                "git-lfs is not installed, and this build is to have the contents of Git LFS.",
                fix="Install it (https://git-lfs.com; on Debian: apt-get install git-lfs), or build without lfs.",
            )

    async def _wanted(self, mirror: Path, commit: str) -> list[LargeObject]:
        """Return the objects that the pointers of a commit stand for, each once."""
        listed = await self._git.run(mirror, "ls-tree", "-r", "-l", "-z", "--full-tree", "--end-of-options", commit)
        blobs: dict[str, str] = {}
        for entry in listed.output.decode(errors="surrogateescape").split("\0"):
            about, _, path = entry.partition("\t")
            fields = about.split()
            if len(fields) == 4 and fields[0].startswith("100") and 0 < int(fields[3]) <= POINTER_BYTES:
                blobs[path] = fields[2]
        with self._git.aside() as aside:
            await self._git.run(mirror, "read-tree", "--end-of-options", commit, index=aside / "index")
            rules = await read_attributes(self._git, mirror, aside / "index", blobs)
        named = {blobs[path]: path for path, its in rules.items() if its.is_large}
        if not named:
            return []
        asked = "".join(f"{blob}\n" for blob in named).encode()
        output = (await self._git.run(mirror, "cat-file", "--batch", stdin=asked)).output
        found: list[LargeObject] = []
        for blob, path in named.items():
            # "<id> SP blob SP <size> LF <content> LF" (git-cat-file(1), "BATCH OUTPUT")
            line, _, output = output.partition(b"\n")
            size = int(line.rpartition(b" ")[2])
            pointer, output = read_pointer(output[:size]), output[size + 1 :]
            if pointer is not None:
                found.append(LargeObject(path, blob, *pointer))
        return found

    async def _place(self, mirror: Path, source: Source, commit: str) -> Source | None:
        """Return the repository or address to fetch from: that of the settings, of `.lfsconfig`, else the remote's."""
        of_clone = partial(UserSettings(self._environment, source.git_dir).value, "lfs.url")
        if source.git_dir is not None and (own := await asyncio.to_thread(of_clone)):
            return locate(own, self._environment, climb=False, rewritten=True)
        said = await self._git.run(
            mirror, "config", f"--blob={commit}:.lfsconfig", "--get", "lfs.url", okay=(0, 1, 128)
        )
        if said.code == 0 and said.text:
            place = locate(said.text, self._environment, climb=False)
            check_place(source, place, self._environment)
            return place
        if source.git_dir is None:
            return source
        remotes = await read_remotes(self._git, source, self._environment)
        for name in ("origin", *sorted(remotes)):
            if name in remotes:
                return locate(remotes[name], self._environment, climb=False, rewritten=True)
        return None

    async def _download(
        self, mirror: Path, commit: str, wanted: Iterable[LargeObject], place: Source | None, source: Source
    ) -> None:
        """Let git-lfs fetch what the mirror lacks of a commit, but for what `lfs.fetchexclude` leaves out."""
        missing = [one for one in wanted if not one.below(mirror).is_file()]
        if not missing:
            return
        needed, free = sum(one.size for one in missing), shutil.disk_usage(mirror).free
        if needed > free:
            raise DiskFull(
                f"The objects of Git LFS take {needed // 1024**2} MB, and {mirror} has {free // 1024**2} MB free.",
                fix="Free some space, or build without lfs.",
            )
        try:
            if place is None:
                raise GitFailed("the clone has no remote")
            words = ("-c", f"remote.origin.url={place.location}", "lfs", "fetch", "origin", commit)
            run = partial(self._git.run, mirror, *words, protocol=place.protocol, near=source.near, seconds=_SECONDS)
            await (run() if place.git_dir is not None else persistently(run))
        except DiskFull:
            raise
        except CouldNot as error:
            where = f" from {mask(place.location)}" if place is not None else ""
            top = source.work_tree or source.location
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            fix = f"Run `git -C {top} lfs fetch` and start again" if source.git_dir else "Check the address and access"
            raise BadRepository(
                f"{missing[0].path}{more} of Git LFS cannot be fetched{where}: {error.message}",
                fix=f"{fix}, or build without lfs.",
            ) from error


def _copy(wanted: Iterable[LargeObject], clone: Path, mirror: Path) -> None:
    """Copy the objects that a clone on this machine has and the mirror lacks."""
    for one in wanted:
        held, target = one.below(clone), one.below(mirror)
        if target.exists() or held.is_symlink() or not held.is_file() or held.stat().st_size != one.size:
            continue
        with naming_full_disk(mirror):
            target.parent.mkdir(parents=True, exist_ok=True)
            fresh = target.with_name(f"{one.oid}.{secrets.token_hex(4)}")
            shutil.copyfile(held, fresh)
            if _digest(fresh, hashlib.sha256()) == one.oid:
                fresh.replace(target)
            else:
                fresh.unlink()


def _content_ids(wanted: Iterable[LargeObject], mirror: Path, width: int) -> dict[str, str]:
    """Return the pointer of each object by the id that git would give to the content."""
    found = {}
    for one in wanted:
        if not one.below(mirror).is_file():
            continue  # left out by `lfs.fetchexclude` of the project
        state = id_hash(width)
        state.update(b"blob %d\0" % one.size)
        found[_digest(one.below(mirror), state)] = one.pointer
    return found


def _digest(file: Path, state: hashlib._Hash) -> str:
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            state.update(block)
    return state.hexdigest()
