"""The mirrors: bare repositories of our own that hold the commits of builds. Must never be shown to an agent.

A build's pin (its mirror and commit) is a small file beside them, so that a restart finds it without network. With a
hub the pin is in the hub too, and the first one written there counts for all homes.
Large because all that moves a ref of a mirror stands here, under its one lock.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core.failpoint import failpoint
from buildwright.errors import BadRepository, Conflict, DiskFull, GitFailed, NotFound
from buildwright.ports import FirstCommit, Target
from buildwright.workspace.git import IDENTITY, Git, check_name, mask, naming_full_disk, persistently
from buildwright.workspace.hub import FETCH, Hub, ref_of
from buildwright.workspace.lfs import Contents, LargeFiles
from buildwright.workspace.locks import guarded
from buildwright.workspace.objects import ObjectStore
from buildwright.workspace.signing import sign
from buildwright.workspace.source import Head, Source, check_base, locate, read_exclude, read_head, read_remotes
from buildwright.workspace.submodules import Fetching

# Nothing outranks a tree's own .gitattributes. A filter that they name does nothing: no program of it is configured.
_ATTRIBUTES = ""
_START = datetime(2020, 1, 1, tzinfo=UTC)
_NEIGHBOURS = 16
_NAME = re.compile(r"[0-9a-f]{20}(-256)?")
_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Pin:
    """The mirror and the target that a build is based on. `width`: length of an object id (40 SHA-1, 64 SHA-256)."""

    mirror: Path
    target: Target
    width: int
    remotes: Mapping[str, str] = field(default_factory=dict)
    """Remotes of the repository, address by name, for a delivery from a machine that has not got the repository."""
    tags: tuple[NearTag, ...] = ()
    """The tags below the base that a version can be made of."""
    exclude: str = ""
    """The repository's own `info/exclude` (gitignore(5))."""
    modules: Mapping[str, str] = field(default_factory=dict)
    """The refs of the build that keep its submodules, by commit."""
    lfs: Contents | None = None
    """What the base has in Git LFS, if the contents are wanted and not the pointers."""

    @property
    def objects(self) -> ObjectStore:
        return ObjectStore(self.mirror, self.width)


class Mirrors:
    """All mirrors below one directory.

    Large because every way to a pin (made, adopted from a hub, on another base) shares its fetches and its lock.
    """

    def __init__(self, folder: Path, git: Git, environment: Mapping[str, str], hub: Hub | None) -> None:
        self._folder = folder
        self._git = git
        self._environment = environment
        self._hub = hub
        self._large = LargeFiles(git, environment)
        self._pins: dict[str, Pin] = {}
        self._asking = asyncio.Lock()

    async def pin(self, build_id: str) -> Pin:
        """Return the pin of a prepared build, from the hub if it was prepared elsewhere. Raises NotFound."""
        if build_id in self._pins:
            return self._pins[build_id]
        if self._hub is None:
            found = _parse(await asyncio.to_thread(self._read_pin, build_id), self._folder)
        else:
            async with self._asking:
                found = self._pins.get(build_id) or await self._known(build_id)
        if found is None:
            raise NotFound(f"Build {build_id} has no prepared repository here.", fix="Start the build again.")
        self._pins[build_id] = found
        return found

    async def prepare(
        self, build_id: str, repository: str, base: str, *, lfs: bool = False, first: FirstCommit | None = None
    ) -> Pin:
        """Fetch the commit that `base` names and pin it. A second call returns the same pin, wherever the branch is."""
        check_name(build_id, "build")
        # With a hub the pin is read first: the repository may be on another machine.
        source = locate(repository, self._environment) if self._hub is None else None
        async with self._asking:
            known = await self._known(build_id)
            if known is not None:
                return known
            async with guarded(self._folder):
                pin = await self._make(
                    build_id, source or locate(repository, self._environment), base, lfs=lfs, first=first
                )
                return await self._settle(build_id, pin)

    async def known(self, build_id: str) -> Pin | None:
        """Return the pin of a build, None when it is not prepared."""
        check_name(build_id, "build")
        async with self._asking:
            return await self._known(build_id)

    async def branch_off(self, build_id: str, source: str, base: str, head: str) -> Pin:
        """Pin a new build in the mirror of another one, at its commits `base` and `head`. Raises NotFound when they are gone.

        From then on the commits stay, even if the other build is pruned.
        """
        now = await self.pin(source)
        async with self._asking, guarded(self._folder):
            pin = now if base == now.target.commit else await self._beside(source, now, base) or now
            there = await self._git.resolve(pin.mirror, f"{base}^{{tree}}")
            if not there or not await self._git.holds(pin.mirror, head, f"^{base}"):
                raise commits_gone(source)
            tree = await self._git.run(pin.mirror, "rev-parse", "--verify", "--end-of-options", f"{base}^{{tree}}")
            prefix = ref_of(source)
            modules = {one: ref.replace(prefix, ref_of(build_id), 1) for one, ref in pin.modules.items()}
            refs = {ref_of(build_id, "base"): base, ref_of(build_id, "integration"): head}
            refs |= {ref: one for one, ref in modules.items()}
            failpoint("workspace.fork.before")
            changes = "".join(f"update {ref} {commit}\n" for ref, commit in refs.items())
            await self._git.run(pin.mirror, "update-ref", "--stdin", stdin=changes.encode())
            failpoint("workspace.fork.after")
            target = Target(base, tree.text, pin.target.branch, ())
            return await self._settle(build_id, replace(pin, target=target, modules=modules))

    async def check_base(self, repository: str, base: str) -> None:
        """Raise BadRepository when a repository on this machine has no such base."""
        source = locate(repository, self._environment)
        if base and source.git_dir is not None:
            await check_base(self._git, source.git_dir, base)

    async def _known(self, build_id: str) -> Pin | None:
        """Return the pin that this home or the hub has, None when neither has one."""
        text = await asyncio.to_thread(self._read_pin, build_id)
        pin = _parse(text, self._folder)
        if pin is not None and await self._holds(pin, build_id):
            if self._hub is None or (text or {}).get("hub") == self._hub.name:
                self._pins[build_id] = pin
                return pin
            return await self._settle(build_id, pin)
        if self._hub is None:
            return None
        async with guarded(self._folder):
            return await self._adopt(build_id)

    async def fetch_base(self, build_id: str, repository: str, base: str, first: FirstCommit | None = None) -> Pin:
        """Fetch the commit that `base` names now, and keep its pin beside the one that counts: see `stand_on`."""
        before = await self.pin(build_id)
        source = locate(repository, self._environment)
        async with guarded(self._folder):
            pin = await self._make(build_id, source, base, again=True, lfs=before.lfs is not None, first=first)
            pin = replace(pin, modules={**before.modules, **pin.modules})
            if pin.target.commit != before.target.commit:
                await self._keep_beside(build_id, before)  # for a build that goes on from there
            await self._keep_beside(build_id, pin)
        return pin

    async def renew_first(self, build_id: str, first: FirstCommit) -> Pin:
        """Write another first commit in the place of the one that the build stands on, and keep its pin: see `stand_on`.

        The commit that the build stands on must be its first commit.
        """
        before = await self.pin(build_id)
        mirror, width = before.mirror, before.width
        async with guarded(self._folder):
            below = await self._git.run(mirror, "rev-parse", "--verify", "--end-of-options", f"{before.target.commit}^")
            commit = await self._with_files(mirror, width, below.text, first)
            tree = await self._git.run(mirror, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")
            await self._git.run(mirror, "update-ref", "--end-of-options", ref_of(build_id, "bases", commit), commit)
            pin = replace(before, target=replace(before.target, commit=commit, tree=tree.text))
            await self._keep_beside(build_id, pin)
        return pin

    async def _keep_beside(self, build_id: str, pin: Pin) -> None:
        """Keep the pin of another base beside the one that counts."""
        commit = pin.target.commit
        blob = await asyncio.to_thread(pin.objects.write, "blob", json.dumps(_record(pin)).encode())
        kept = ref_of(build_id, "pins", commit)
        failpoint("workspace.base.before")
        await self._git.run(pin.mirror, "update-ref", "--end-of-options", kept, blob)
        if self._hub is not None and kept not in await self._hub.look(build_id, kept):
            refs = {kept: blob, ref_of(build_id, "bases", commit): commit}
            refs |= {ref: found for found, ref in pin.modules.items()}
            await self._hub.push(pin.mirror, build_id, refs, near=await self._neighbours(pin))
        failpoint("workspace.base.after")

    async def stand_on(self, build_id: str, commit: str) -> None:
        """Let the pin of this commit count from now on, in this home. Raises NotFound when it was not fetched."""
        pin = await self.pin(build_id)
        if pin.target.commit == commit:
            return
        async with self._asking, guarded(self._folder):
            found = await self._beside(build_id, pin, commit)
            if found is None:
                raise NotFound(f"The base {commit[:12]} of build {build_id} was not fetched.", fix="Choose it again.")
            await self._keep(build_id, found)

    async def _beside(self, build_id: str, pin: Pin, commit: str) -> Pin | None:
        """Return the pin of another base of a build, with all it needs in the mirror; None when none is kept."""
        kept = ref_of(build_id, "pins", commit)
        if self._hub is not None and not await self._git.resolve(pin.mirror, kept):
            refs = (kept, ref_of(build_id, "bases", commit), *pin.modules.values())
            await self._hub.fetch(pin.mirror, build_id, *refs)
        if not await self._git.resolve(pin.mirror, kept):
            return None
        text = (await self._git.run(pin.mirror, "cat-file", "--end-of-options", "blob", kept)).output
        found = _parse(_decode(text), self._folder)
        if found is None:
            raise GitFailed(f"The pin {kept} cannot be read.", fix="Choose the base again.")
        if self._hub is not None and found.modules.keys() - pin.modules.keys():
            await self._hub.fetch(pin.mirror, build_id, *found.modules.values())
        if found.lfs is not None:
            await self._large.fetch_again(pin.mirror, found.lfs)
        return found

    async def _make(
        self,
        build_id: str,
        source: Source,
        base: str,
        *,
        again: bool = False,
        lfs: bool = False,
        first: FirstCommit | None = None,
    ) -> Pin:
        """Fetch the base and return its pin; `again`: of a build that has one, whose refs stay as they are."""
        head = await read_head(self._git, source, base)
        if again and not head.commit:
            raise BadRepository(f"{source.location} has no commit to build on.", fix="Commit something first.")
        name = hashlib.sha256(os.fsencode(source.location)).hexdigest()[:20] + ("-256" if head.width == 64 else "")
        mirror = await self._mirror(name, head.width)
        ref = ref_of(build_id, "bases", head.commit) if again else ref_of(build_id, "base")
        if head.commit:
            await self._fetch(mirror, source, head, ref)
            below = head.commit
        else:
            below = await self._root(ObjectStore(mirror, head.width))
        commit = await self._with_files(mirror, head.width, below, first) if first is not None else below
        if first is not None and again:
            ref = ref_of(build_id, "bases", commit)
        await self._git.run(mirror, "update-ref", "--end-of-options", ref, commit)
        integration = ref_of(build_id, "integration")
        if not again and not await self._git.resolve(mirror, integration):
            await self._git.run(mirror, "update-ref", "--end-of-options", integration, commit, "0" * head.width)
        tree = await self._git.run(mirror, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}")
        remotes = {}
        if self._hub is not None and source.git_dir is not None:
            known = await read_remotes(self._git, source, self._environment)
            remotes = {name: address for name, address in known.items() if mask(address) == address}
        place = source.git_dir if source.git_dir is not None else mirror
        tags = await nearest_tags(self._git, place, below, head.refs) if head.commit else ()
        large = () if lfs or not head.commit else await self._large.note(mirror, below)
        target = Target(commit, tree.text, head.branch, (*head.notes, *large))
        exclude = await asyncio.to_thread(read_exclude, source)
        fetching = Fetching(self._git, mirror, ref_of(build_id, "modules"), self._environment)
        modules = await fetching.fetch(source, below)
        holders = {below: source} | {one.commit: one.place for one in modules}
        contents = await self._large.fetch(mirror, holders, head.width) if lfs else None
        refs = {one.commit: one.ref for one in modules}
        return Pin(mirror, target, head.width, remotes, tags, exclude, refs, contents)

    async def _settle(self, build_id: str, pin: Pin) -> Pin:
        """Write the pin to the hub and this home. If the hub already has another pin, adopt and return that one."""
        if self._hub is not None:
            integration = ref_of(build_id, "integration")
            landed = await self._git.run(pin.mirror, "rev-parse", "--verify", "--end-of-options", integration)
            blob = await asyncio.to_thread(pin.objects.write, "blob", json.dumps(_record(pin)).encode())
            refs = {
                ref_of(build_id, "pin"): blob,
                ref_of(build_id, "base"): pin.target.commit,
                integration: landed.text,
            } | {ref: commit for commit, ref in pin.modules.items()}
            try:
                leases, near = dict.fromkeys(refs, ""), await self._neighbours(pin)
                await self._hub.push(pin.mirror, build_id, refs, leases=leases, near=near)
            except Conflict:
                theirs = await self._adopt(build_id)
                if theirs is None:
                    raise
                return theirs
        await self._keep(build_id, pin)
        return pin

    async def _adopt(self, build_id: str) -> Pin | None:
        """Return the pin that the hub has, with its commits fetched; None when it has none."""
        text = await self._hub.read(build_id, "pin") if self._hub is not None else None
        if self._hub is None or text is None:
            return None
        pin = _parse(_decode(text), self._folder)
        if pin is None:
            raise GitFailed(f"The pin of build {build_id} in the hub cannot be read.", fix="Start the build again.")
        await self._mirror(pin.mirror.name, pin.width)
        refs = (ref_of(build_id, "base"), ref_of(build_id, "integration"), *pin.modules.values())
        if not await self._hub.fetch(pin.mirror, build_id, *refs, near=False):
            return None
        if pin.lfs is not None:
            await self._large.fetch_again(pin.mirror, pin.lfs)
        await self._keep(build_id, pin)
        return pin

    async def _keep(self, build_id: str, pin: Pin) -> None:
        with naming_full_disk(self._folder):
            await asyncio.to_thread(self._write_pin, build_id, pin)
        self._pins[build_id] = pin

    async def _neighbours(self, pin: Pin) -> tuple[str, ...]:
        """Return the bases of the newest other builds of the repository: the hub may have them and their history."""
        listed = await self._git.run(
            pin.mirror,
            "for-each-ref",
            f"--count={_NEIGHBOURS}",
            "--sort=-creatordate",
            "--format=%(refname)",
            "refs/buildwright/*/base",
        )
        return tuple(listed.text.split())

    async def retire(self, build_id: str) -> None:
        """Remove all refs and the pin of a build, here and in the hub; fetched objects stay for the next build."""
        if self._hub is not None:
            await self._hub.retire(build_id)
        self._pins.pop(build_id, None)
        pin = _parse(await asyncio.to_thread(self._read_pin, build_id), self._folder)
        if pin is None:
            return
        if _is_whole(pin.mirror):
            listed = await self._git.run(
                pin.mirror, "for-each-ref", "--format=delete %(refname)", "--end-of-options", ref_of(build_id)
            )
            await self._git.run(pin.mirror, "update-ref", "--stdin", stdin=listed.output)
        await asyncio.to_thread((self._folder / "builds" / build_id).unlink, missing_ok=True)

    async def _holds(self, pin: Pin, build_id: str) -> bool:
        if not _is_whole(pin.mirror):
            return False
        return bool(await self._git.resolve(pin.mirror, f"{ref_of(build_id, 'integration')}^{{tree}}"))

    async def _mirror(self, name: str, width: int) -> Path:
        path = self._folder / name
        if _is_whole(path):
            # An older version switched all attributes off there.
            if (path / "info" / "attributes").read_text() != _ATTRIBUTES:
                (path / "info" / "attributes").write_text(_ATTRIBUTES)
            return path
        failpoint("workspace.mirror.before")
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            path.rename(self._folder / f"{name}.broken-{secrets.token_hex(4)}")
        # Made beside it and moved into place, so that a crash leaves no half mirror under the real name.
        fresh = self._folder / f"{name}.new-{secrets.token_hex(4)}"
        await self._git.make_bare(fresh, width)
        (fresh / "info").mkdir(exist_ok=True)
        (fresh / "info" / "attributes").write_text(_ATTRIBUTES)
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
        if await self._git.holds(mirror, head.commit):
            return
        # Of a partial clone only the base is sure to be complete.
        history = ("--depth=1",) if head.partial else ("--update-shallow",) if head.shallow else ()
        options = (*FETCH, *history)
        words = ("fetch", *options, "--end-of-options", source.location, f"+{head.ref or head.commit}:{ref}")
        fetch = functools.partial(self._git.run, mirror, *words, protocol=source.protocol)
        try:
            await (fetch() if source.git_dir is not None else persistently(fetch))
        except DiskFull:
            raise
        except GitFailed as error:
            if head.partial:
                raise BadRepository(
                    f"{source.location} is a partial clone and lacks files of the commit to build on.",
                    fix=f"Get them: git --git-dir={source.git_dir} archive --output=/dev/null {head.commit}",
                ) from error
            raise GitFailed(f"The repository could not be fetched: {error.message}", fix=error.fix) from error

    async def _with_files(self, mirror: Path, width: int, below: str, first: FirstCommit) -> str:
        """Write `first` on the commit `below` and return it; the same input gives the same commit.

        Raises BadRepository when a file of the commit stands where one of the folders would be.
        """
        folders = {"/".join(path.split("/")[:depth]) for path in first.files for depth in range(1, path.count("/") + 1)}
        listed = await self._git.run(
            mirror, "ls-tree", "-z", "-r", "-t", "--end-of-options", below, "--", *sorted(folders)
        )
        for entry in filter(None, listed.output.decode(errors="replace").split("\0")):
            about, _, path = entry.partition("\t")
            if path in folders and about.split()[1] != "tree":  # what lies in a named folder is listed, too
                raise BadRepository(
                    f"{path} is there, and it is not a folder.", fix="Name another folder, or rename it."
                )
        objects = ObjectStore(mirror, width)
        lines = b""
        for path, text in first.files.items():
            blob = await asyncio.to_thread(objects.write, "blob", text.encode())
            lines += f"100644 {blob}\t{path}\0".encode()
        with self._git.aside() as aside:
            await self._git.run(mirror, "read-tree", "--end-of-options", below, index=aside / "index")
            await self._git.run(mirror, "update-index", "-z", "--index-info", stdin=lines, index=aside / "index")
            tree = (await self._git.run(mirror, "write-tree", index=aside / "index")).text
        moment = await self._git.run(mirror, "show", "--no-patch", "--format=%ct", "--end-of-options", below)
        at = datetime.fromtimestamp(int(moment.text), UTC)
        by = functools.partial(sign, self._environment, first.key) if first.key else None
        return await asyncio.to_thread(
            objects.commit, tree, (below,), first.message, at, first.author or IDENTITY, sign=by
        )

    async def _root(self, objects: ObjectStore) -> str:
        tree = await asyncio.to_thread(objects.write, "tree", b"")
        return await asyncio.to_thread(objects.commit, tree, (), "Start of an empty repository", _START)

    def _read_pin(self, build_id: str) -> dict[str, Any] | None:
        check_name(build_id, "build")
        try:
            return _decode((self._folder / "builds" / build_id).read_bytes())
        except FileNotFoundError:
            return None

    def _write_pin(self, build_id: str, pin: Pin) -> None:
        text = json.dumps(_record(pin) | ({"hub": self._hub.name} if self._hub else {}))
        folder = self._folder / "builds"
        folder.mkdir(exist_ok=True)
        temporary = folder / f"{build_id}.{secrets.token_hex(4)}"
        with temporary.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(folder / build_id)


def commits_gone(source: str) -> NotFound:
    """Return the error of a build that cannot go on from another one whose commits were removed."""
    return NotFound(
        f"The commits of build {source} are not kept here any more.",
        fix="Start a new build; what the other one delivered can be its base.",
    )


def _record(pin: Pin) -> dict[str, Any]:
    target = pin.target
    return {
        "mirror": pin.mirror.name,
        "commit": target.commit,
        "tree": target.tree,
        "branch": target.branch,
        "notes": target.notes,
        "width": pin.width,
        "remotes": dict(pin.remotes),
        "tags": pin.tags,
        "exclude": pin.exclude,
        "modules": dict(pin.modules),
        **({"lfs": pin.lfs._asdict()} if pin.lfs is not None else {}),
    }


def _decode(text: bytes) -> dict[str, Any] | None:
    try:
        data = json.loads(text)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _parse(data: dict[str, Any] | None, folder: Path) -> Pin | None:
    """Return the pin of a record, None when the record is invalid: another machine wrote it."""
    if data is None:
        return None
    match data:
        case {
            "mirror": str(mirror),
            "commit": str(commit),
            "tree": str(tree),
            "branch": str(branch),
            "notes": list(notes),
            "width": 40 | 64 as width,
        } if _NAME.fullmatch(mirror) and _ID.fullmatch(commit) and _ID.fullmatch(tree):
            remotes = {str(name): str(address) for name, address in dict(data.get("remotes", {})).items()}
            tags = tuple(NearTag(str(name), bool(kind), int(far)) for name, kind, far in data.get("tags", ()))
            target = Target(commit, tree, branch, tuple(map(str, notes)))
            exclude, modules = str(data.get("exclude", "")), dict(data.get("modules", {}))
            large = Contents(**data["lfs"]) if "lfs" in data else None
            return Pin(folder / mirror, target, width, remotes, tags, exclude, modules, large)
        case _:
            return None


def _is_whole(path: Path) -> bool:
    return all((path / name).exists() for name in ("HEAD", "config", "objects", "refs", "info/attributes"))


_CANDIDATES = 10
"""Tags that are looked at, as many as git-describe(1) does."""
_FARTHEST = 1_000
"""Commits between a tag and the base; a tag farther away is left out."""


class NearTag(NamedTuple):
    """A tag below a commit: `distance` is the number of commits that the commit has and the tag has not."""

    name: str
    annotated: bool
    distance: int


async def nearest_tags(
    git: Git, git_dir: Path, commit: str, refs: Mapping[str, str] | None = None
) -> tuple[NearTag, ...]:
    """Return the tags nearest to a commit, nearest first.

    `refs` are the refs of a remote as git-ls-remote(1) lists them; without them the tags are those of `git_dir`.
    Raises GitFailed.
    """
    tags = await _local(git, git_dir, commit) if refs is None else _listed(refs)
    if not tags:
        return ()
    walk = await git.run(
        git_dir, "rev-list", "--topo-order", f"--max-count={10 * _FARTHEST}", "--end-of-options", commit
    )
    place = {name: number for number, name in enumerate(walk.text.split("\n"))}
    near = sorted((place[target], name) for name, (target, _) in tags.items() if target in place)[:_CANDIDATES]
    found: list[NearTag] = []
    for _, name in near:
        target, annotated = tags[name]
        count = await git.run(git_dir, "rev-list", "--count", "--end-of-options", commit, f"^{target}")
        if int(count.text) <= _FARTHEST:
            found.append(NearTag(name, annotated, int(count.text)))
    return tuple(sorted(found, key=lambda tag: (tag.distance, tag.name)))


async def _local(git: Git, git_dir: Path, commit: str) -> dict[str, tuple[str, bool]]:
    """Return the commit of each tag below `commit` by name, and whether the tag is annotated."""
    answer = await git.run(
        git_dir,
        *("for-each-ref", f"--merged={commit}", "--format=%(objectname) %(*objectname) %(refname)", "refs/tags"),
    )
    found: dict[str, tuple[str, bool]] = {}
    for line in answer.text.splitlines():
        own, peeled, ref = line.split(" ", 2)
        found[ref.removeprefix("refs/tags/")] = (peeled or own, bool(peeled))
    return found


def _listed(refs: Mapping[str, str]) -> dict[str, tuple[str, bool]]:
    found: dict[str, tuple[str, bool]] = {}
    for ref, own in refs.items():
        if ref.startswith("refs/tags/") and not ref.endswith("^{}"):
            peeled = refs.get(f"{ref}^{{}}", "")
            found[ref.removeprefix("refs/tags/")] = (peeled or own, bool(peeled))
    return found
