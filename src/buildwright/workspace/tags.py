"""Finds the tags that a version of a commit can be made of (git-describe(1)). Must never change a repository."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from buildwright.workspace.git import Git

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
