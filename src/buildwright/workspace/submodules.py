"""Fetches the submodules of a commit and writes them into lanes and checkouts. Must never run what they configure.

Formats: gitmodules(5). A submodule that the user's clone has is taken from there, any other from its address.
"""

from __future__ import annotations

import asyncio
import functools
import os
import posixpath
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from buildwright.confined_fs import move_beneath
from buildwright.errors import BadRepository, DiskFull, GitFailed
from buildwright.workspace.git import Git, mask, persistently
from buildwright.workspace.hub import FETCH
from buildwright.workspace.source import Source, locate

_DEPTH = 5
"""Submodules in submodules are followed so far."""


class Submodule(NamedTuple):
    """A submodule of a commit: where it lies, at which commit, and how .gitmodules names and finds it."""

    path: str
    commit: str
    name: str
    url: str


class FetchedModule(NamedTuple):
    """A submodule that is in the mirror: its commit, the ref that keeps it, and the repository that it came from."""

    commit: str
    ref: str
    place: Source


async def gitlinks(git: Git, mirror: Path, tree: str) -> dict[str, str]:
    """Return the commit of each submodule of a tree by path."""
    answer = await git.run(mirror, "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", tree)
    entries = (line.partition("\t") for line in answer.output.decode(errors="surrogateescape").split("\0"))
    return {path: head.split(" ")[2] for head, _, path in entries if head.startswith("160000 ")}


@dataclass(frozen=True, slots=True)
class Fetching:
    """Fetches the submodules of one build into its mirror, each below its own ref."""

    git: Git
    mirror: Path
    ref: str
    """Begins the refs that keep the submodules."""
    environment: Mapping[str, str]

    async def fetch(self, source: Source, commit: str) -> list[FetchedModule]:
        """Return each submodule of a commit, submodules in submodules included.

        One that the user has switched off (`submodule.<name>.update none`, `active false`) stays empty, as git leaves
        it, and so does one that .gitmodules does not name. Raises BadRepository that names what cannot be fetched.
        """
        found: list[FetchedModule] = []
        await self._level(source, commit, "", 0, found)
        return found

    async def _level(self, source: Source, commit: str, above: str, depth: int, found: list[FetchedModule]) -> None:
        for module in await self._modules(source, commit):
            ref = f"{self.ref}/{module.commit}"  # so that another base of the build takes none away
            place = await self._bring(source, module._replace(path=f"{above}{module.path}"), ref)
            found.append(FetchedModule(module.commit, ref, place))
            if depth < _DEPTH:
                await self._level(place, module.commit, f"{above}{module.path}/", depth + 1, found)

    async def _modules(self, source: Source, commit: str) -> list[Submodule]:
        links = await gitlinks(self.git, self.mirror, commit)
        if not links:
            return []
        settings = await self._settings(self.mirror, f"--blob={commit}:.gitmodules")
        own = await self._settings(source.git_dir) if source.git_dir is not None else {}
        found: list[Submodule] = []
        for name, said in settings.items():
            mine = said | own.get(name, {})
            path = said.get("path", "")
            if path in links and mine.get("update") != "none" and mine.get("active") not in {"false", "no", "0"}:
                found.append(Submodule(path, links[path], name, mine.get("url", "")))
        return found

    async def _settings(self, git_dir: Path, *options: str) -> dict[str, dict[str, str]]:
        """Return the settings of each submodule by name, those of a blob or of a repository."""
        pattern = r"^submodule\..*\.(path|url|update|active)$"
        answer = await self.git.run(
            git_dir, "config", "-z", *options, "--get-regexp", "--end-of-options", pattern, okay=(0, 1, 128)
        )
        found: dict[str, dict[str, str]] = {}
        for entry in answer.output.decode(errors="surrogateescape").split("\0"):
            key, _, value = entry.partition("\n")
            name, _, kind = key.removeprefix("submodule.").rpartition(".")
            if name:
                found.setdefault(name, {})[kind] = value
        return found

    async def _bring(self, source: Source, module: Submodule, ref: str) -> Source:
        """Fetch a submodule's commit to `ref`; return the repository that it came from."""
        here = _in_clone(source, module.name)
        if here is not None and await self.git.resolve(Path(here.location), f"{module.commit}^{{commit}}"):
            return await self._fetch(here, module, ref)
        try:
            place = locate(await self._address(source, module), self.environment, climb=False)
            check_place(source, place, self.environment)
            return await self._fetch(place, module, ref)
        except DiskFull:
            raise
        except (BadRepository, GitFailed) as error:
            where = f" from {mask(module.url)}" if module.url else ""
            top = source.work_tree or source.location
            raise BadRepository(
                f"The submodule {module.path} cannot be fetched{where}: {error.message}",
                fix=f"Run `git -C {top} submodule update --init --recursive`, or build without it: "
                f"`git -C {top} config submodule.{module.name}.update none`.",
            ) from error

    async def _fetch(self, place: Source, module: Submodule, ref: str) -> Source:
        if not await self.git.holds(self.mirror, module.commit):
            fetch = functools.partial(
                self.git.run, self.mirror, "fetch", *FETCH, protocol=place.protocol, near=place.near
            )
            one = functools.partial(fetch, "--end-of-options", place.location, f"+{module.commit}:{ref}")
            try:
                await (one() if place.git_dir is not None else persistently(one))
            except DiskFull:
                raise
            except GitFailed as error:
                # Not every server gives a commit that no branch is at.
                if "not our ref" not in error.message and "unadvertised" not in error.message:
                    raise
                await fetch("--end-of-options", place.location, f"+refs/heads/*:{ref}-heads/*")
        await self.git.run(self.mirror, "update-ref", "--end-of-options", ref, module.commit)
        return place

    async def _address(self, source: Source, module: Submodule) -> str:
        """Return a submodule's address, one that is relative as seen from the repository's own (gitmodules(5))."""
        if not module.url:
            raise BadRepository(".gitmodules gives no address.", fix="Add one.")
        if not module.url.startswith(("./", "../")):
            return module.url
        base = source.location if source.git_dir is None else ""
        if source.git_dir is not None:
            answer = await self.git.run(source.git_dir, "config", "--get", "remote.origin.url", okay=(0, 1))
            base = answer.text or str(source.work_tree or source.git_dir)
            if not re.match(r"[A-Za-z0-9+.-]+:|[^/]+:", base):
                base = str((source.work_tree or source.git_dir) / base)
        head, mark, path = base.partition("://")
        joined = posixpath.normpath(posixpath.join(path if mark else head, module.url))
        return f"{head}://{joined}" if mark else joined


def check_place(source: Source, place: Source, environment: Mapping[str, str]) -> None:
    """Raise BadRepository unless the content of a repository may name this address to fetch more from."""
    if source.git_dir is None and (place.git_dir is not None or _host(place.location) != _host(source.location)):
        raise BadRepository("it is on another host than the repository.", fix="Build on a clone that has it.")
    roots = [root for root in environment.get("BUILDWRIGHT_ROOTS", "").split(":") if root]
    if place.git_dir is not None and roots:
        where = Path(os.path.realpath(place.location))
        if not any(where.is_relative_to(os.path.realpath(Path(root).expanduser())) for root in roots):
            raise BadRepository("it is outside of BUILDWRIGHT_ROOTS.", fix="Build on a clone that has it.")


def _in_clone(source: Source, name: str) -> Source | None:
    """Return the repository that the user's clone keeps of a submodule, None when it has none of its own."""
    if source.git_dir is None:
        return None
    common = Path(os.path.realpath(source.location))
    place = Path(os.path.realpath(common / "modules" / name))
    if not place.is_relative_to(common) or not (place / "objects").is_dir():
        return None
    return replace(source, location=str(place), git_dir=place, work_tree=None)


def _host(address: str) -> str:
    if "://" in address:
        return (urlsplit(address).hostname or "").lower()
    return address.partition(":")[0].rpartition("@")[2].lower()


async def write_submodules(
    git: Git, mirror: Path, tree: str, files: Path, aside: Path, options: Sequence[str] = (), depth: int = 0
) -> None:
    """Write the files of a tree's submodules into the directory `files`, those whose commit is in the mirror.

    `options` are git's own, for the filter of Git LFS. Each is written in the private directory `aside` and moved into
    place, so that no link that a process puts in its way is followed.
    """
    for path, commit in (await gitlinks(git, mirror, tree)).items():
        if not await git.resolve(mirror, f"{commit}^{{tree}}"):
            continue
        stage = aside / secrets.token_hex(4)
        await asyncio.to_thread(stage.mkdir)
        await git.run(
            mirror,
            *(*options, "read-tree", "--reset", "-u", "--end-of-options", f"{commit}^{{tree}}"),
            index=aside / f"{stage.name}.index",
            work_tree=stage,
        )
        if depth < _DEPTH:
            await write_submodules(git, mirror, commit, stage, aside, options, depth + 1)
        await asyncio.to_thread(move_beneath, files, path, stage)
