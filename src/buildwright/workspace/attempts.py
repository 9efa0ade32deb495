"""Kept work: what attempts made that did not land, as commits below `refs/buildwright/<build>/attempts/`.

One ref for each attempt, `<task>/<attempt>`. Its commit lies on the commit that the attempt began at, so that it is a
change like any other; what the ref held before is its second parent, so that nothing kept is ever lost. The refs go
with those of the build.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from buildwright.ports import BUILD_TRAILER, KeptWork, LaneKey
from buildwright.workspace.git import IDENTITY, Git, check_name
from buildwright.workspace.hub import ref_of
from buildwright.workspace.mirror import Pin

_FORMAT = "%00".join(("%(refname)", "%(objectname)", "%(tree)", "%(parent)", "%(committerdate:unix)", "%(contents)"))
_TRAILERS = f"\n\n{BUILD_TRAILER}: "


def attempt_ref(key: LaneKey) -> str:
    """Return the ref of an attempt. Raises BadRepository for ids that no ref can hold."""
    return ref_of(key.build_id, "attempts", check_name(key.task, "task"), str(int(key.attempt)))


async def keep(git: Git, pin: Pin, key: LaneKey, base: str, tree: str, message: str, at: datetime, author: str) -> str:
    """Write the commit and its ref; return the commit. The same work kept again with the same words stays as it is.

    Raises GitFailed, DiskFull.
    """
    ref = attempt_ref(key)
    text = (
        f"{message.strip()}{_TRAILERS}{key.build_id}\nBuildwright-Task: {key.task}\nBuildwright-Attempt: {key.attempt}"
    )
    before = next(iter(await read(git, pin, key.build_id, ref)), None)
    words = message.strip().partition("\n\n")[2].strip()
    if before is not None and (before.tree, before.base, before.reason) == (tree, base, words):
        return before.commit
    parents = (base, before.commit) if before is not None else (base,)
    commit = await asyncio.to_thread(pin.objects.commit, tree, parents, text, at, author or IDENTITY)
    await git.run(pin.mirror, "update-ref", "--end-of-options", ref, commit)
    return commit


async def read(git: Git, pin: Pin, build_id: str, ref: str = "") -> tuple[KeptWork, ...]:
    """Return the kept work of a build, or of one ref, by task and attempt. Raises GitFailed."""
    place = ref or ref_of(build_id, "attempts")
    listed = await git.run(pin.mirror, "for-each-ref", f"--format={_FORMAT}%00", "--end-of-options", place)
    fields = listed.output.decode(errors="replace").split("\0")[:-1]
    found = []
    for start in range(0, len(fields), 6):
        name, commit, tree, parents, at, text = fields[start : start + 6]
        task, number = name.strip().split("/")[-2:]
        reason = text.partition("\n\n")[2].rpartition(_TRAILERS)[0].strip()
        moment = datetime.fromtimestamp(int(at), UTC)
        found.append(
            KeptWork(LaneKey(build_id, task, int(number)), parents.split(" ")[0], commit, tree, reason, moment)
        )
    return tuple(sorted(found, key=lambda one: (one.key.task, one.key.attempt)))
