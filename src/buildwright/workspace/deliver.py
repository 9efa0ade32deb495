"""Brings a commit to the user: a branch in their repository, a push, or files. Must never force.

A checkout is touched only where the user asks for its files, and git refuses when they were changed since.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from buildwright.core.failpoint import failpoint
from buildwright.core.limits import Delivery
from buildwright.errors import BadRepository, Conflict, DiskFull, GitFailed
from buildwright.ports import Delivered, Guard
from buildwright.workspace.git import IDENTITY, Git, GitAnswer, check_branch, check_name, mask
from buildwright.workspace.hub import Hub, ref_of
from buildwright.workspace.mirror import Pin
from buildwright.workspace.source import Source, is_elsewhere, is_remote_name, locate, look, read_remotes
from buildwright.workspace.user_settings import UserSettings

# Options for a push to the user's own repository: its hooks and helpers do not run, its working tree is not touched.
_QUIET_RECEIVER = (
    "git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=true "
    "-c receive.denyCurrentBranch=refuse -c receive.autogc=false receive-pack"
)
_FILES_RECEIVER = _QUIET_RECEIVER.replace("denyCurrentBranch=refuse", "denyCurrentBranch=updateInstead")
# A remote's own hooks are its policy and run as in any push. On a local path our hooksPath would replace them.
_LOCAL_RECEIVER = "git -c core.hooksPath=hooks receive-pack"


@dataclass(frozen=True, slots=True)
class _Goal:
    source: Source
    ref: str
    remote: str
    """The remote's name as the user knows it; "" for the user's own repository."""
    own: bool
    files: bool = False
    """Whether the branch is checked out, and its files move with it."""
    writing: tuple[str, ...] = ()
    """Options for a push to it; `looking` holds those for listing its refs."""
    looking: tuple[str, ...] = ()

    @property
    def branch(self) -> str:
        return self.ref.removeprefix("refs/heads/")


class Delivering:
    """Delivers results. With a hub, branches of a repository on another machine go to the hub."""

    def __init__(self, git: Git, environment: Mapping[str, str], hub: Hub | None) -> None:
        self._git = git
        self._environment = environment
        self._hub = hub

    async def deliver(
        self, pin: Pin, build_id: str, repository: str, commit: str, delivery: Delivery, guard: Guard | None
    ) -> Delivered:
        """Bring `commit` to the branch that `delivery` names, unless it is already there.

        Raises Conflict (foreign commits, checked out, moved), GitFailed, BadRepository, DiskFull, what `guard` raises.
        """
        if delivery.kind == "none":
            return Delivered("", commit)
        goal = await self._goal(pin, build_id, repository, delivery)
        done = Delivered(goal.ref, commit, goal.remote, goal.source.location)
        before = await _look(self._git, goal)
        if before == commit:
            return done
        if before:
            await _check_ours(self._git, pin, goal, before, commit)
        if goal.own and not goal.files and goal.source.git_dir is not None:
            await _check_not_checked_out(self._git, goal.source.git_dir, goal)
        if guard is not None:
            await guard()
        failpoint("workspace.deliver.before")
        await _push(self._git, pin, goal, before, commit)
        failpoint("workspace.deliver.after")
        return done

    async def check(self, pin: Pin, build_id: str, repository: str, delivery: Delivery, ours: str = "") -> None:
        """Raise what is known before the work to bar the delivery of its result.

        `ours`: the commit that the result will lie on, when it is not what has landed so far. Raises Conflict
        (a branch in the way), BadRepository (no such remote or name), GitFailed (no access).
        """
        if delivery.kind == "none":
            return
        goal = await self._goal(pin, build_id, repository, delivery)
        if before := await self._check_free(goal):
            landed = await self._git.resolve(pin.mirror, ref_of(build_id, "integration"))
            await _check_ours(self._git, pin, goal, before, ours or landed or pin.target.commit, moved=bool(ours))

    async def foresee(self, build_id: str, repository: str, delivery: Delivery) -> None:
        """Raise Conflict when the branch cannot be made in a repository on this machine, or is checked out there.

        Raises BadRepository for a name that git does not take.
        """
        ref = _ref(build_id, delivery)
        source = locate(repository, self._environment)
        if delivery.kind == "branch" and source.git_dir is not None:
            await self._check_free(_Goal(source, ref, "", True, writing=_receiver(source, _QUIET_RECEIVER)))

    async def _check_free(self, goal: _Goal) -> str:
        """Return the commit that the branch is at, "" when there is none. Raises Conflict when it cannot be written."""
        there = await look(self._git, goal.source, *_in_the_way(goal.ref), options=goal.looking)
        for ref in there:
            name = ref.removeprefix("refs/heads/")
            if goal.ref.startswith(f"{ref}/") or ref.startswith(f"{goal.ref}/"):
                raise Conflict(
                    f"The branch {name} stands in the way of {goal.branch}: git cannot have both.",
                    fix=f"Rename it (`git branch -m {name} NAME`), or name another one for the result: --branch NAME.",
                )
        if goal.own and not goal.files and goal.source.git_dir is not None:
            await _check_not_checked_out(self._git, goal.source.git_dir, goal)
        return there.get(goal.ref, "")

    async def _goal(self, pin: Pin, build_id: str, repository: str, delivery: Delivery) -> _Goal:
        ref = _ref(build_id, delivery)
        if delivery.kind in {"push", "pr"}:
            address, remote, near = await self._remote(pin.remotes, repository, delivery.remote)
            source = locate(address, self._environment, climb=False, rewritten=True)
            source = replace(source, near=near)
            return _Goal(source, ref, remote, False, writing=_receiver(source, _LOCAL_RECEIVER))
        if self._hub is not None and is_elsewhere(repository):
            writing, looking = (self._hub.at.options(end, build_id, ref) for end in ("receive-pack", "upload-pack"))
            return _Goal(self._hub.at.source, ref, self._hub.name, False, writing=writing, looking=looking)
        source = locate(repository, self._environment)
        own = source.git_dir is not None
        if delivery.kind == "files":
            ref = await self._checked_out(source)
            return _Goal(source, ref, "", True, files=True, writing=_receiver(source, _FILES_RECEIVER))
        return _Goal(source, ref, "" if own else mask(repository), own, writing=_receiver(source, _QUIET_RECEIVER))

    async def _checked_out(self, source: Source) -> str:
        """Return the branch that is checked out in the user's repository."""
        head = GitAnswer(1, b"", "")
        if source.git_dir is not None and source.work_tree is not None:
            head = await self._git.run(source.git_dir, "symbolic-ref", "--quiet", "HEAD", okay=(0, 1, 128))
        if not head.text.startswith("refs/heads/"):
            raise BadRepository(
                f"No branch is checked out in {mask(source.location)}, so the result has no files to go to.",
                fix="Switch to a branch there, or deliver to a branch.",
            )
        return head.text

    async def address(self, repository: str, remote: str) -> str:
        """Return the address that a push to `remote` of a repository of this machine goes to. Raises BadRepository."""
        return (await self._remote({}, repository, remote))[0]

    async def _remote(self, known: Mapping[str, str], repository: str, remote: str) -> tuple[str, str, Path | None]:
        """Return the address to push to, its name for the user, and the repository that names it."""
        near: Path | None = None
        address = remote if remote and not is_remote_name(remote) else ""
        if not address and not (self._hub is not None and is_elsewhere(repository)):
            source = locate(repository, self._environment)
            near = source.git_dir
            if near is None:
                address = remote or repository
            else:
                known = await read_remotes(self._git, source, self._environment)
        if address:
            settings = UserSettings(self._environment)
            return await asyncio.to_thread(settings.rewritten, address, push=True), mask(address), None
        name = remote or "origin"
        if name in known:
            return known[name], name, near
        names = ", ".join(known)
        raise BadRepository(
            f"The repository has no remote {name!r}.",
            fix=f"Name one of: {names}." if names else "Run `git remote add origin <address>` there first.",
        )


def make_repository(folder: Path, environment: Mapping[str, str]) -> None:
    """Make a repository of a folder, with what is there as its first commit; the folder too, if it is missing.

    Builds deliver to its files: `is_in_place` knows it. A second call changes nothing. Raises GitFailed.
    """
    name, _, address = IDENTITY.removesuffix(">").partition(" <")
    user = UserSettings(environment)
    who = [f"user.name={user.value('user.name') or name}", f"user.email={user.value('user.email') or address}"]
    settings = [word for one in (*who, "core.hooksPath=/dev/null", "commit.gpgSign=false") for word in ("-c", one)]

    def run(*words: str) -> str:
        command = ["git", "-C", str(folder), *settings, *words]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=user.environment, timeout=600
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()[-300:]
            raise GitFailed(f"{folder} could not be made a repository: {said}", fix="Make it one by hand: git init.")
        return done.stdout.decode(errors="replace")

    folder.mkdir(parents=True, exist_ok=True)
    run("init", "--quiet")
    run("config", "buildwright.delivery", "files")
    if run("status", "--porcelain") and not run("for-each-ref", "--count=1"):
        run("add", "--all")
        run("commit", "--quiet", "--message", "The files as they were before the first build")


def is_in_place(folder: Path, environment: Mapping[str, str]) -> bool:
    """Return whether the repository is one that `make_repository` has made."""
    return UserSettings(environment, folder / ".git").value("buildwright.delivery") == "files"


def _ref(build_id: str, delivery: Delivery) -> str:
    """Return the ref of the branch that the result goes to. Raises BadRepository for a name that git does not take."""
    branch = delivery.branch or f"buildwright/{check_name(build_id, 'build')[:8]}"
    return f"refs/heads/{check_branch(branch)}"


def _receiver(source: Source, program: str) -> tuple[str, ...]:
    return (f"--receive-pack={program}",) if source.git_dir is not None else ()


def _in_the_way(ref: str) -> list[str]:
    """Return the patterns of git-ls-remote(1) for a branch, and for those that cannot be beside it."""
    parts = ref.split("/")
    return [*("/".join(parts[:length]) for length in range(3, len(parts) + 1)), f"{ref}/*"]


async def _look(git: Git, goal: _Goal) -> str:
    """Return the commit the branch is at, "" when there is no such branch."""
    return (await look(git, goal.source, goal.ref, options=goal.looking)).get(goal.ref, "")


async def _check_ours(git: Git, pin: Pin, goal: _Goal, before: str, commit: str, *, moved: bool = False) -> None:
    """Raise Conflict unless `before`, where the branch is now, is an ancestor of `commit`: a branch may only grow.

    `moved`: the build is put on another base.
    """
    answer = await git.run(
        pin.mirror, "merge-base", "--is-ancestor", "--end-of-options", before, commit, okay=(0, 1, 128)
    )
    if answer.code and moved:
        raise Conflict(
            f"The branch {goal.branch} is not on the new base, and a branch only grows.",
            fix="Name another one for the result: --branch NAME.",
        )
    if answer.code:
        raise Conflict(
            f"The branch {goal.branch} has commits that are not of this build ({before[:12]}).",
            fix="Name another one for the result (--branch NAME), or rename that branch.",
        )


async def _check_not_checked_out(git: Git, git_dir: Path, goal: _Goal) -> None:
    answer = await git.run(git_dir, "worktree", "list", "--porcelain")
    bare = False
    for line in answer.text.split("\n"):
        if line.startswith("worktree "):
            bare = False
        bare = bare or line == "bare"
        if line == f"branch {goal.ref}" and not bare:
            raise Conflict(
                f"The branch {goal.branch} is checked out in your repository.",
                fix="Name another one for the result (--branch NAME), or switch to another branch there.",
            )


async def _push(git: Git, pin: Pin, goal: _Goal, before: str, commit: str) -> None:
    try:
        await git.run(
            pin.mirror,
            "push",
            "--quiet",
            "--no-verify",
            "--no-recurse-submodules",
            *goal.writing,
            f"--force-with-lease={goal.ref}:{before}",
            "--end-of-options",
            goal.source.location,
            f"{commit}:{goal.ref}",
            protocol=goal.source.protocol,
            seconds=600,
            near=goal.source.near,
        )
    except DiskFull:
        raise
    except GitFailed as error:
        # A push that fails may have arrived all the same: the answer can be lost on the way back.
        now = await _look(git, goal)
        if now == commit:
            return
        if goal.files and "rejected" in error.message:
            raise Conflict(
                f"The files in {goal.source.work_tree} were changed meanwhile: {error.message}",
                fix="Commit them or put them away (`git stash -u`), and resume.",
            ) from error
        if now != before:
            raise Conflict(
                f"The branch {goal.branch} moved meanwhile.",
                fix="Resume, or name another one for the result: --branch NAME.",
            ) from error
        raise
