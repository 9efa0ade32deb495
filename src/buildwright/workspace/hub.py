"""The hub: a bare repository through which homes on many machines share builds. Must know only refs and objects.

All refs of a build are below `refs/buildwright/<build>/`. A receiving git lists every ref it has before it takes one,
so a hub on this machine is told to list this build's refs only.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from buildwright.core.failpoint import failpoint
from buildwright.errors import BadRepository, Conflict, GitFailed
from buildwright.ports import Guard
from buildwright.workspace.git import OTHER_FORMAT, Git, GitAnswer, check_name, mask, naming_full_disk, persistently
from buildwright.workspace.source import Source, locate, look

_SECONDS = 3600.0
"""Limit of one transfer: a build's first carries a whole history. A connection that goes quiet ends long before."""
_GRACE = "1.day.ago"
_AT_ONCE = 500
"""Refs deleted by one command."""
# The hub's own hooks are its policy and run as in any push. On a local path our hooksPath would replace them.
_LOCAL = (
    "git -c core.hooksPath=hooks -c core.fsmonitor=false -c core.alternateRefsCommand=true "
    "-c receive.autogc=false -c receive.shallowUpdate=true -c receive.denyCurrentBranch=refuse"
)
FETCH = ("--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--quiet")


def ref_of(build_id: str, *parts: str) -> str:
    """Return a ref of a build. Raises BadRepository for an id that no ref can hold."""
    return "/".join(("refs/buildwright", check_name(build_id, "build"), *parts))


class HubAddress:
    """Where the hub is: an absolute path or a URL. Must never ask the network itself."""

    def __init__(self, address: str, environment: Mapping[str, str]) -> None:
        self._address = address
        self._environment = environment
        self._located: Source | None = None

    @property
    def is_url(self) -> bool:
        """Whether the hub is reached through a URL."""
        return "://" in self._address

    @property
    def name(self) -> str:
        """The address as the user knows it, without a password."""
        return mask(self._address)

    @property
    def source(self) -> Source:
        """The repository at the address. Raises BadRepository."""
        if self._located is None:
            if not self.is_url and ":" not in self._address and not Path(self._address).is_absolute():
                raise BadRepository(
                    f"The hub {self.name!r} is neither an absolute path nor a URL.", fix="Give the whole path."
                )
            try:
                found = locate(self._address, self._environment, climb=False)
            except BadRepository as error:
                fix = (
                    error.fix
                    if self.is_url
                    else f"Make one with `git init --bare {self.name}`, or correct BUILDWRIGHT_HUB."
                )
                raise BadRepository(f"The hub cannot be used: {error.message}", fix=fix) from error
            if found.work_tree is not None:
                raise BadRepository(
                    f"The hub {self.name} has a working tree.", fix="Make one with `git init --bare <path>`."
                )
            self._located = found
        return self._located

    @property
    def place(self) -> Path | None:
        """The absolute path at which the hub is or could be made, None for a URL."""
        path = Path(self._address)
        return path if not self.is_url and path.is_absolute() else None

    def options(self, program: str, build_id: str, *refs: str) -> tuple[str, ...]:
        """Return options for git's other end (`receive-pack`, `upload-pack`): list this build's refs and `refs` only.

        Empty for a URL, whose end takes none: it lists all refs to a push, and those asked for to a fetch.
        """
        if self.source.git_dir is None:
            return ()
        kind = program.partition("-")[0].replace("upload", "uploadpack")
        shown = (ref_of(build_id), *(ref for ref in refs if "*" not in ref))
        hidden = " ".join(f"-c '{kind}.hideRefs={name}'" for name in ("refs/", *(f"!{ref}" for ref in shown)))
        return (f"--{program}={_LOCAL} {hidden} {program}",)


class Hub:
    """The hub at `address`: an absolute path or a URL. Raises BadRepository when it is none, GitFailed."""

    def __init__(self, address: str, environment: Mapping[str, str], git: Git) -> None:
        self.at = HubAddress(address, environment)
        self._git = git
        self._width = 0
        """Length of its object ids (40 SHA-1, 64 SHA-256), once it is known."""

    @property
    def name(self) -> str:
        """The address as the user knows it, without a password."""
        return self.at.name

    async def create(self) -> None:
        """Create the hub if it is a path with nothing there; do nothing otherwise."""
        path = self.at.place
        if path is None or path.exists():
            return
        with naming_full_disk(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Made aside and moved there whole, so that no other process, now or after a kill, finds half a repository.
            aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            await self._git.run(aside / path.name, "init", "--quiet", "--bare")
            (aside / path.name).rename(path)
        except OSError as error:
            if error.errno not in {errno.EEXIST, errno.ENOTEMPTY}:
                raise
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    async def check(self) -> None:
        """Check that it is a repository and answers. Raises BadRepository, GitFailed."""
        with self._named():
            await self.look("check", ref_of("check", "*"))

    async def look(self, build_id: str, *names: str) -> dict[str, str]:
        """Return the commits of those refs or branches in the hub that match `names`, by ref."""
        return await look(self._git, self.at.source, *names, options=self.at.options("upload-pack", build_id, *names))

    async def push(
        self,
        mirror: Path,
        build_id: str,
        refs: Mapping[str, str],
        *,
        leases: Mapping[str, str] | None = None,
        guard: Guard | None = None,
        near: tuple[str, ...] = (),
        point: str = "workspace.hub-push",
    ) -> None:
        """Push refs (full name to object id), all of them or none. They are durable in the hub when it returns.

        `near` names refs of other builds whose objects need not be sent again if the hub has them. A ref with a lease
        moves from that value only ("": it must not exist). Raises Conflict when it is elsewhere, and what `guard`,
        called before each try, raises.
        """
        held = leases or {}
        options = [f"--force-with-lease={ref}:{old}" for ref, old in held.items()]

        async def attempt() -> GitAnswer:
            if guard is not None:
                await guard()
            failpoint(f"{point}.before")
            try:
                answer = await self._push(
                    mirror, build_id, [f"{new}:{ref}" for ref, new in refs.items()], options, near
                )
            except GitFailed as error:
                # A push that fails may have arrived all the same: the answer can be lost on the way back.
                found = await self.look(build_id, *refs)
                if any(found.get(ref, "") != new for ref, new in refs.items()):
                    for ref, old in held.items():
                        if found.get(ref, "") not in {old, refs[ref]}:
                            where = found.get(ref, "")[:12] or "not there"
                            raise Conflict(
                                f"{ref} moved meanwhile: it is {where}.", fix="Look where it is now."
                            ) from error
                    raise
                answer = GitAnswer(0, b"", "")
            failpoint(f"{point}.after")
            return answer

        await self._ask(attempt)

    async def _push(
        self, mirror: Path, build_id: str, changes: list[str], options: list[str], near: tuple[str, ...] = ()
    ) -> GitAnswer:
        options = [*self.at.options("receive-pack", build_id, *near), *options]
        if len(changes) > 1:
            options.append("--atomic")
        command = ("push", "--quiet", "--no-verify", "--no-recurse-submodules", *options)
        return await self._transfer(mirror, command, changes, peer=self.at.source.git_dir)

    async def _transfer(
        self, mirror: Path, options: Iterable[str], refs: Iterable[str], peer: Path | None = None
    ) -> GitAnswer:
        at, seconds = self.at.source, _SECONDS
        return await self._git.run(
            mirror, *options, "--end-of-options", at.location, *refs, protocol=at.protocol, seconds=seconds, peer=peer
        )

    async def fetch(self, mirror: Path, build_id: str, *refs: str, near: bool = True) -> bool:
        """Fetch exactly these refs, with all they need, into `mirror` under the same names; False if one is missing.

        `near`: offer only this build's refs as already here, not those of all other builds.
        """
        options = [*FETCH, *self.at.options("upload-pack", build_id)]
        if near:
            options.append(f"--negotiation-tip={ref_of(build_id)}/*")

        async def attempt() -> GitAnswer:
            failpoint("workspace.hub-fetch.before")
            try:
                command = ("fetch", *options, "--update-shallow")
                await self._transfer(mirror, command, [f"+{ref}:{ref}" for ref in refs])
            except GitFailed as error:
                if "couldn't find remote ref" in error.message:
                    return GitAnswer(1, b"", error.message)
                raise
            failpoint("workspace.hub-fetch.after")
            return GitAnswer(0, b"", "")

        return (await self._ask(attempt)).code == 0

    async def read(self, build_id: str, name: str) -> bytes | None:
        """Return the blob that a ref of the build points to, None when there is none. Needs no mirror."""
        ref = ref_of(build_id, name)
        _ = self.at.source  # raises what is wrong with the address before a format is tried
        for width in (self._width,) if self._width else (40, 64):
            async with self._scratch(width) as scratch:
                try:
                    found = await self.fetch(scratch, build_id, ref, near=False)
                except BadRepository:
                    continue
                if not found:
                    return None
                self._width = width
                return (await self._git.run(scratch, "cat-file", "--end-of-options", "blob", ref)).output
        raise BadRepository(
            f"The hub {self.name} has an unknown object format.", fix="Make one with `git init --bare`."
        )

    async def retire(self, build_id: str) -> None:
        """Delete all refs of a build; delivered branches stay."""

        async def attempt() -> GitAnswer:
            found = await self.look(build_id, f"{ref_of(build_id)}/*")
            names = [name for name in found if name.startswith(f"{ref_of(build_id)}/")]
            if names:
                async with self._scratch(len(found[names[0]])) as scratch:
                    for first in range(0, len(names), _AT_ONCE):
                        await self._push(
                            scratch, build_id, [f":{name}" for name in names[first : first + _AT_ONCE]], []
                        )
            return GitAnswer(0, b"", "")

        await self._ask(attempt)

    @property
    def path(self) -> Path | None:
        """The hub's directory when it is on this machine and exists, else None."""
        path = self.at.place
        return path if path is not None and path.is_dir() else None

    async def compact(self) -> None:
        """Repack a hub on this machine without unreachable objects.

        Other machines may push meanwhile: git renews the time of objects they need and the hub has, and objects younger
        than a day stay.
        """
        if self.path is None:
            return
        failpoint("prune.hub.before")
        with self._named():
            await self._git.run(self.path, "gc", "--quiet", f"--prune={_GRACE}", seconds=_SECONDS)
        failpoint("prune.hub.after")

    async def builds(self) -> set[str]:
        """Return the builds that have refs in a hub on this machine."""
        if self.path is None:
            return set()
        with self._named():
            listed = await self._git.run(self.path, "for-each-ref", "--format=%(refname)", "refs/buildwright/")
        return {name.split("/")[2] for name in listed.text.splitlines()}

    @asynccontextmanager
    async def _scratch(self, width: int) -> AsyncIterator[Path]:
        """Yield an empty repository for one command."""
        with self._git.aside() as folder:
            await self._git.make_bare(folder / "git", width)
            yield folder / "git"

    async def _ask(self, attempt: Callable[[], Awaitable[GitAnswer]]) -> GitAnswer:
        with self._named():
            return await persistently(attempt)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the hub in every failure, and say what to do about it."""
        try:
            yield
        except GitFailed as error:
            if any(sign in error.message for sign in OTHER_FORMAT):
                raise BadRepository(
                    f"The hub {self.name} and the repository have different object formats.",
                    fix="Use a hub of the repository's format: `git init --bare --object-format=sha256 <path>`, or sha1.",
                ) from error
            fix = error.fix
            if "shallow" in error.message:
                fix = "Fetch the whole history (`git fetch --unshallow`), or set receive.shallowUpdate in the hub."
            raise GitFailed(f"The hub {self.name} did not do its part: {error.message}", fix=fix) from error
