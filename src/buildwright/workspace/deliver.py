"""Brings a commit to the user: a branch in their repository or a push to a remote. Never forces, never touches a checkout."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from buildwright.core.failpoint import failpoint
from buildwright.core.limits import Delivery
from buildwright.errors import BadRepository, Conflict, DiskFull, GitFailed
from buildwright.ports import Delivered
from buildwright.workspace.git import Git, check_branch, check_name, mask
from buildwright.workspace.mirror import Pin
from buildwright.workspace.source import Source, locate

# The user's own repository is written without its hooks and helpers, and never into its working tree.
_QUIET_RECEIVER = (
    "git -c core.hooksPath=/dev/null -c core.fsmonitor=false -c core.alternateRefsCommand=true "
    "-c receive.denyCurrentBranch=refuse -c receive.autogc=false receive-pack"
)
# A remote's own hooks are its policy and run as in any push; ours would be taken for its setting on a local path.
_LOCAL_RECEIVER = "git -c core.hooksPath=hooks receive-pack"


@dataclass(frozen=True, slots=True)
class _Goal:
    source: Source
    ref: str
    remote: str
    """As the user knows it; "" for their own repository."""
    own: bool


async def deliver(
    git: Git, environment: Mapping[str, str], pin: Pin, build_id: str, repository: str, commit: str, delivery: Delivery
) -> Delivered:
    """Put `commit` where `delivery` says, unless it is there. Raises Conflict, GitFailed, BadRepository, DiskFull."""
    goal = await _goal(git, environment, build_id, repository, delivery)
    done = Delivered(goal.ref, commit, goal.remote)
    if delivery.kind == "none":
        return Delivered("", commit)
    before = await _look(git, goal)
    if before == commit:
        return done
    if before:
        await _check_ours(git, pin, goal, before, commit)
    if goal.own and goal.source.git_dir is not None:
        await _check_not_checked_out(git, goal.source.git_dir, goal.ref)
    failpoint("workspace.deliver.before")
    await _push(git, pin, goal, before, commit)
    failpoint("workspace.deliver.after")
    return done


async def _goal(git: Git, environment: Mapping[str, str], build_id: str, repository: str, delivery: Delivery) -> _Goal:
    branch = check_branch(delivery.branch or f"buildwright/{check_name(build_id, 'build')[:8]}")
    ref = f"refs/heads/{branch}"
    source = locate(repository, environment)
    if delivery.kind != "push":
        return _Goal(source, ref, "" if source.git_dir else mask(repository), source.git_dir is not None)
    if source.git_dir is None:
        address = delivery.remote if delivery.remote else repository
        return _Goal(locate(address, environment, climb=False), ref, mask(address), own=False)
    remote = delivery.remote or "origin"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}", remote) or Path(remote).is_absolute():
        return _Goal(locate(remote, environment, climb=False), ref, mask(remote), own=False)
    address = await _address(git, source.git_dir, remote)
    if not re.match(r"[A-Za-z0-9+.-]+:", address) and not address.startswith("/"):
        address = str((source.work_tree or source.git_dir) / address)
    return _Goal(locate(address, environment, climb=False), ref, remote, own=False)


async def _address(git: Git, git_dir: Path, remote: str) -> str:
    for key in ("pushurl", "url"):
        answer = await git.run(git_dir, "config", "--get", f"remote.{remote}.{key}", okay=(0, 1))
        if answer.code == 0 and answer.text:
            return answer.text
    listing = await git.run(git_dir, "config", "--name-only", "--get-regexp", r"^remote\..*\.url$", okay=(0, 1))
    names = ", ".join(name.removeprefix("remote.").removesuffix(".url") for name in listing.text.split("\n") if name)
    raise BadRepository(
        f"The repository has no remote {remote!r}.",
        fix=f"Name one of: {names}." if names else "Run `git remote add origin <address>` there first.",
    )


async def _look(git: Git, goal: _Goal) -> str:
    """The commit that the branch has now, "" when it is not there."""
    answer = await git.run(
        Path("/dev/null"),
        "ls-remote",
        "--end-of-options",
        goal.source.location,
        goal.ref,
        protocol=goal.source.protocol,
        seconds=120,
    )
    for line in answer.text.splitlines():
        found, _, name = line.partition("\t")
        if name == goal.ref:
            return found
    return ""


async def _check_ours(git: Git, pin: Pin, goal: _Goal, before: str, commit: str) -> None:
    """A branch may only grow: what is there must lie behind the new commit."""
    answer = await git.run(
        pin.mirror, "merge-base", "--is-ancestor", "--end-of-options", before, commit, okay=(0, 1, 128)
    )
    if answer.code:
        branch = goal.ref.removeprefix("refs/heads/")
        raise Conflict(
            f"The branch {branch} has commits that are not of this build ({before[:12]}).",
            fix="Deliver to another branch name, or rename that branch.",
        )


async def _check_not_checked_out(git: Git, git_dir: Path, ref: str) -> None:
    answer = await git.run(git_dir, "worktree", "list", "--porcelain")
    bare = False
    for line in answer.text.split("\n"):
        if line.startswith("worktree "):
            bare = False
        bare = bare or line == "bare"
        if line == f"branch {ref}" and not bare:
            branch = ref.removeprefix("refs/heads/")
            raise Conflict(
                f"The branch {branch} is checked out in your repository.",
                fix="Deliver to another branch name, or switch to another branch there.",
            )


async def _push(git: Git, pin: Pin, goal: _Goal, before: str, commit: str) -> None:
    receiver = []
    if goal.source.git_dir is not None:
        receiver = [f"--receive-pack={_QUIET_RECEIVER if goal.own else _LOCAL_RECEIVER}"]
    try:
        await git.run(
            pin.mirror,
            "push",
            "--quiet",
            "--no-verify",
            "--no-recurse-submodules",
            *receiver,
            f"--force-with-lease={goal.ref}:{before}",
            "--end-of-options",
            goal.source.location,
            f"{commit}:{goal.ref}",
            protocol=goal.source.protocol,
            seconds=600,
        )
    except DiskFull:
        raise
    except GitFailed as error:
        # A push that fails may have arrived all the same: the answer can be lost on the way back.
        now = await _look(git, goal)
        if now == commit:
            return
        if now != before:
            branch = goal.ref.removeprefix("refs/heads/")
            raise Conflict(
                f"The branch {branch} moved meanwhile.", fix="Resume, or deliver to another branch."
            ) from error
        raise
