"""Port for git, lanes and merges. Must never hold logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from buildwright.core.limits import Delivery
    from buildwright.core.patch import Patch


BUILD_TRAILER = "Buildwright-Build"
"""Key of the line in a landed commit's message that names its build: the commit is known by it, not by its author."""


class LaneKey(NamedTuple):
    """The attempt that a lane belongs to."""

    build_id: str
    task: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Target:
    """A prepared repository: the commit and tree to build on (an unborn branch gets an empty root commit)."""

    commit: str
    tree: str
    branch: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FirstCommit:
    """Files that a build puts on top of the commit it is based on, before its first task."""

    files: Mapping[str, str]
    """Texts by their paths from the top of the repository."""
    message: str
    author: str = ""
    """`Name <address>`; "" for our own."""
    key: str = ""
    """As of `rebase`: what signs it; "" for nothing."""


@dataclass(frozen=True, slots=True)
class Lane:
    """An open lane. `files` is all that the agent sees, `home` a private empty home.

    The `.git` in `files` belongs to the agent alone: it is never read and never part of a patch.
    """

    key: LaneKey
    files: Path
    home: Path
    base_tree: str
    left_out: tuple[str, ...] = ()
    """Files and directories that set-up made: they are in no patch."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A state of one lane to return to. Only that lane accepts it."""

    key: LaneKey
    tree: str


@dataclass(frozen=True, slots=True)
class Merged:
    """The change fits: `commit` is the change on top of the other commit, `tree` its tree."""

    commit: str
    tree: str


@dataclass(frozen=True, slots=True)
class Conflicted:
    """The change does not fit: `files` conflict; `tree` holds them with both sides marked."""

    tree: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delivered:
    """The delivered result: full ref name, commit, and the remote ("" for the user's own repository)."""

    ref: str
    commit: str
    remote: str = ""
    address: str = field(default="", repr=False)
    """What was pushed to; it may hold a password, so it is never shown or kept."""


@dataclass(frozen=True, slots=True)
class KeptWork:
    """What an attempt made that did not land: `commit` has `tree`, and its first parent is the attempt's `base`."""

    key: LaneKey
    base: str
    commit: str
    tree: str
    reason: str
    """Why it did not land."""
    at: datetime


Guard = Callable[[], Awaitable[None]]
"""Called right before a ref moves that others see. Raises LostLease when the caller may no longer move it."""


class Workspace(Protocol):
    """Git, lanes and merges. Must never touch the user's checkout, nor run git where an agent can write.

    Every method is idempotent. Raises GitFailed, BadRepository, DiskFull, ToolMissing.
    """

    async def prepare(
        self,
        build_id: str,
        repository: str,
        base: str = "",
        delivery: Delivery | None = None,
        *,
        lfs: bool = False,
        first: FirstCommit | None = None,
    ) -> Target:
        """Mirror the repository (path or URL) and pin the commit, or `first` on it. Raises BadRepository with the fix.

        With `delivery` also Conflict when it is known already that the result cannot be delivered so. With `lfs` lanes
        and checkouts have the contents that pointers of Git LFS stand for.
        """

    async def branch_off(
        self, build_id: str, repository: str, source: str, base: str, head: str, delivery: Delivery | None = None
    ) -> Target:
        """Prepare a build that goes on from the commits `base` and `head` of another build, which stays as it is.

        Raises NotFound when the other build's commits are gone, and what `prepare` does for the delivery.
        """

    async def open_lane(self, key: LaneKey, base: str, carry: str = "") -> Lane:
        """Create a directory with the files of commit `base`, or tree `carry`; an older lane of that key goes."""

    async def leave_out(self, lane: Lane, tree: str) -> Lane:
        """Return the lane, filled from `tree` and set up since, so that what set-up made is in no patch of it.

        Files of the tree that set-up changed get their content back.
        """

    async def checkpoint(self, lane: Lane) -> Checkpoint:
        """Save the lane's files as they are."""

    async def restore(self, lane: Lane, checkpoint: Checkpoint) -> None:
        """Bring the lane's files back. Raises UnsafePath when the checkpoint is another lane's."""

    async def take_patch(self, lane: Lane) -> Patch:
        """Return how the lane's files differ from its base tree, by hashing every file; the tree is in the mirror."""

    async def close_lane(self, key: LaneKey) -> None:
        """Remove the lane's directory, if any."""

    def checkout(self, build_id: str, tree: str) -> AbstractAsyncContextManager[Path]:
        """Yield a private directory with the files of `tree`, and a `.git` as a lane's; it is removed at the end."""

    async def rebase(
        self,
        build_id: str,
        base: str,
        tree: str,
        onto: str,
        message: str,
        at: datetime,
        author: str = "",
        key: str = "",
    ) -> Merged | Conflicted:
        """Put the change (commit `base` to `tree`) on commit `onto` as one commit; same input, same commit id.

        `author` is `Name <address>`, Buildwright itself when left out. `key` signs it (`Commits.signing_key`), which
        may give another id each time. Raises GitFailed when it does not.
        """

    async def take_back(
        self, build_id: str, commit: str, onto: str, message: str, at: datetime, author: str = "", key: str = ""
    ) -> Merged | Conflicted:
        """Put the reverse of a landed commit on commit `onto`, as `rebase` does with a change."""

    async def stand_on(self, build_id: str, base: str) -> None:
        """Let the build stand on another base, which `rebase_target` has fetched here or in a home with the same hub.

        Raises NotFound when it was not fetched.
        """

    async def keep(self, key: LaneKey, base: str, tree: str, message: str, at: datetime, author: str = "") -> str:
        """Keep what an attempt made on commit `base` under a ref of its own; return the commit.

        `tree` "" means what the attempt's lane holds. Returns "" and keeps nothing when there is no such lane, or no
        change. `message` is a line, an empty line, and why the work did not land. Also raises UnsafePath.
        """

    async def kept(self, build_id: str) -> tuple[KeptWork, ...]:
        """Return all kept work of a build, by task and attempt."""

    async def land(self, build_id: str, commit: str, onto: str, guard: Guard | None = None, *, number: int = 0) -> None:
        """Move the integration branch from `onto` to `commit`; do nothing when it is there. Raises Conflict otherwise.

        Each base that the build is put on has a branch of its own, by `number`. Also raises what `guard` raises, and has
        moved nothing then.
        """

    async def deliver(
        self, build_id: str, repository: str, commit: str, delivery: Delivery, guard: Guard | None = None
    ) -> Delivered:
        """Bring the commit to the user, unless it is already there. Raises GitFailed, Conflict (branch is not ours).

        Also raises what `guard` raises, and has moved nothing then.
        """

    async def diff(self, build_id: str, old: str, new: str, *, binary: bool = False, ignore_space: bool = False) -> str:
        """Return the unified diff of two commits or trees; with `binary` also of files that are no text.

        With `ignore_space` lines that differ in white space alone count as the same.
        """

    async def read_file(self, build_id: str, tree: str, path: str, limit: int = 200_000) -> bytes | None:
        """Return at most `limit` bytes of a file in a tree, None when there is no such file."""

    async def list_files(self, build_id: str, tree: str) -> list[str]:
        """Return all paths in a tree, sorted."""

    async def forget(self, build_id: str) -> None:
        """Remove every lane and checkout of a build; its integration branch and mirror stay."""
