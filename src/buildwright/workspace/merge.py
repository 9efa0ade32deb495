"""Puts a change on top of another commit and moves the integration branch. Needs no checkout; must decide nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

from buildwright.core.failpoint import failpoint
from buildwright.errors import Conflict, GitFailed
from buildwright.ports import Conflicted, Guard, Merged
from buildwright.workspace.git import IDENTITY, Git
from buildwright.workspace.hub import ref_of
from buildwright.workspace.mirror import Pin
from buildwright.workspace.trees import Unreadable, merged, tree_of


async def trees_of(git: Git, pin: Pin, *names: str) -> list[str]:
    """Return the trees of commits. Raises GitFailed when one is not in the mirror."""
    with contextlib.suppress(Unreadable):
        store = pin.objects
        return await asyncio.to_thread(lambda: [tree_of(store, name) for name in names])
    found = await git.run(pin.mirror, "rev-parse", "--end-of-options", *(f"{name}^{{tree}}" for name in names))
    # Without --verify, which takes only one name, git also prints the option.
    return found.text.split("\n")[-len(names) :]


async def rebase(
    git: Git,
    pin: Pin,
    base: str,
    tree: str,
    onto: str,
    message: str,
    at: datetime,
    author: str,
    sign: Callable[[bytes], str] | None = None,
) -> Merged | Conflicted:
    """Write the change (from commit `base` to `tree`) as one commit on `onto`, or return its conflicts.

    It is signed here and not at the delivery: what is judged, landed, named in the journal and delivered is then one and
    the same commit. Where a key signs otherwise each time (openpgp), only the commit that the journal names counts.
    """
    result = tree
    if onto != base:
        result, files = await _merge(git, pin, base, tree, onto, at)
        if files:
            return Conflicted(result, files)
    commit = await asyncio.to_thread(pin.objects.commit, result, (onto,), message, at, author or IDENTITY, sign=sign)
    return Merged(commit, result)


async def _merge(git: Git, pin: Pin, base: str, tree: str, onto: str, at: datetime) -> tuple[str, tuple[str, ...]]:
    """Merge with exactly `base` as the common ancestor, whatever the history of `onto`; return tree and conflicts.

    Git 2.38 takes no merge base, so the three trees become three commits that have just that history.
    """
    base_tree, onto_tree = await trees_of(git, pin, base, onto)
    if base_tree == onto_tree:
        return tree, ()
    with contextlib.suppress(Unreadable):
        if whole := await asyncio.to_thread(_apart, pin, base_tree, onto_tree, tree):
            return whole, ()
    write = pin.objects.commit
    root = await asyncio.to_thread(write, base_tree, (), "base", at, durable=False)
    ours = await asyncio.to_thread(write, onto_tree, (root,), "onto", at, durable=False)
    theirs = await asyncio.to_thread(write, tree, (root,), "change", at, durable=False)
    answer = await git.run(
        pin.mirror,
        "merge-tree",
        "--write-tree",
        "-z",
        "--name-only",
        "--no-messages",
        "--end-of-options",
        ours,
        theirs,
        okay=(0, 1),
    )
    found, *files = answer.output.decode(errors="surrogateescape").rstrip("\0").split("\0")
    if answer.code == 1 and not files:
        raise GitFailed(
            f"git merge-tree failed: {answer.complaint.strip()[-300:]}", fix="Look into the mirror's health."
        )
    return found, tuple(dict.fromkeys(files)) if answer.code == 1 else ()


def _apart(pin: Pin, base: str, onto: str, tree: str) -> str | None:
    """Return the merged tree of sides that do not touch each other, None for others. Raises Unreadable, DiskFull."""
    store = pin.objects
    with store.together() as write:
        return merged(store, base, onto, tree, write)


async def take_back(
    git: Git,
    pin: Pin,
    commit: str,
    onto: str,
    message: str,
    at: datetime,
    author: str,
    sign: Callable[[bytes], str] | None = None,
) -> Merged | Conflicted:
    """Write the reverse of a commit as one commit on `onto`, signed as `rebase` does, or return its conflicts."""
    (before,) = await trees_of(git, pin, f"{commit}^")
    return await rebase(git, pin, commit, before, onto, message, at, author, sign)


def integration_ref(build_id: str, number: int) -> str:
    """Return the ref that the changes of a build land on: one for each base it was put on (0: the first)."""
    return ref_of(build_id, f"integration-{number}" if number else "integration")


async def land(git: Git, pin: Pin, build_id: str, commit: str, onto: str, guard: Guard | None, number: int) -> None:
    """Move the integration branch from `onto` to `commit`. Raises Conflict if at neither, and what `guard` raises.

    The branch of a later base is made by its first landing.
    """
    ref = integration_ref(build_id, number)
    if number and not await git.resolve(pin.mirror, ref):
        onto = "0" * pin.width
    if guard is not None:
        await guard()
    failpoint("workspace.land.before")
    try:
        await git.run(pin.mirror, "update-ref", "--end-of-options", ref, commit, onto)
    except GitFailed as error:
        # Read only now: as a rule the branch is at `onto`, and git compares it under its own lock.
        at = await git.resolve(pin.mirror, ref)
        if at == commit:
            return
        if at != onto:
            raise Conflict(
                f"The integration branch of build {build_id} is at {at[:12]}, not at {onto[:12]}.",
                fix="Merge the change onto where it is now.",
            ) from error
        raise
    failpoint("workspace.land.after")
