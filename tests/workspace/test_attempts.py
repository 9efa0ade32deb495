"""Work of attempts that did not land, kept as refs of the mirror and of the hub until its build is removed."""

from __future__ import annotations

import os
from pathlib import Path

from buildwright.ports import LaneKey
from buildwright.workspace import GitWorkspace
from buildwright.workspace.retention import MirrorPruner
from tests.workspace.repositories import AT, git, make
from tests.workspace.test_hub import BUILD, hub, refs, worker

__all__ = ["hub"]

KEY = LaneKey(BUILD, "a", 2)
REF = f"refs/buildwright/{BUILD}/attempts/a/2"
REFUSED = "Task a, attempt 2: do it\n\nrefused by tests\n\n- it fails"
CUT = "Task a, attempt 2: do it\n\ntimeout: too long"


def mirror_of(workspace: GitWorkspace, home: Path) -> Path:
    return MirrorPruner(home, dict(os.environ)).pins()[BUILD]


async def test_kept_work_is_a_commit_on_its_base_with_its_reason_and_author(
    tmp_path: Path, workspace: GitWorkspace
) -> None:
    target = await workspace.prepare(BUILD, str(make(tmp_path / "r")))
    lane = await workspace.open_lane(KEY, target.commit)
    (lane.files / "made.txt").write_text("half\n")
    commit = await workspace.keep(KEY, target.commit, "", CUT, AT, "User <user@example.org>")
    mirror = mirror_of(workspace, tmp_path / "home")
    assert git(mirror, "rev-parse", REF) == commit
    assert git(mirror, "log", "-1", "--format=%an %ae %s", commit) == "User user@example.org Task a, attempt 2: do it"
    assert "Buildwright-Attempt: 2" in git(mirror, "log", "-1", "--format=%b", commit)
    assert git(mirror, "diff", "--name-status", f"{commit}^", commit) == "A\tmade.txt"
    (kept,) = await workspace.kept(BUILD)
    assert (kept.key, kept.base, kept.commit, kept.reason) == (KEY, target.commit, commit, "timeout: too long")
    assert kept.tree == git(mirror, "rev-parse", f"{commit}^{{tree}}")
    assert kept.at == AT


async def test_keeping_again_changes_nothing_and_other_work_loses_nothing(
    tmp_path: Path, workspace: GitWorkspace
) -> None:
    target = await workspace.prepare(BUILD, str(make(tmp_path / "r")))
    lane = await workspace.open_lane(KEY, target.commit)
    (lane.files / "made.txt").write_text("half\n")
    first = await workspace.keep(KEY, target.commit, "", CUT, AT)
    assert await workspace.keep(KEY, target.commit, "", CUT, AT) == first
    (lane.files / "made.txt").write_text("whole\n")
    tree = (await workspace.take_patch(lane)).tree
    second = await workspace.keep(KEY, target.commit, tree, REFUSED, AT)
    assert await workspace.keep(KEY, target.commit, tree, REFUSED, AT) == second
    (kept,) = await workspace.kept(BUILD)
    assert (kept.commit, kept.tree, kept.reason) == (second, tree, "refused by tests\n\n- it fails")
    mirror = mirror_of(workspace, tmp_path / "home")
    assert git(mirror, "rev-parse", f"{second}^1", f"{second}^2").split() == [target.commit, first]


async def test_a_lane_that_is_gone_or_unchanged_keeps_nothing(tmp_path: Path, workspace: GitWorkspace) -> None:
    target = await workspace.prepare(BUILD, str(make(tmp_path / "r")))
    assert await workspace.keep(KEY, target.commit, "", CUT, AT) == ""
    await workspace.open_lane(KEY, target.commit)
    assert await workspace.keep(KEY, target.commit, "", CUT, AT) == ""
    assert await workspace.kept(BUILD) == ()


async def test_pruning_keeps_the_objects_and_removing_the_build_removes_the_refs(
    tmp_path: Path, workspace: GitWorkspace
) -> None:
    home = tmp_path / "home"
    target = await workspace.prepare(BUILD, str(make(tmp_path / "r")))
    lane = await workspace.open_lane(KEY, target.commit)
    (lane.files / "made.txt").write_text("half\n")
    commit = await workspace.keep(KEY, target.commit, "", CUT, AT)
    mirror, attic = mirror_of(workspace, home), MirrorPruner(home, dict(os.environ))
    for file in [*mirror.glob("objects/*/*"), *mirror.glob("objects/pack/*")]:
        os.utime(file, (0, 0))  # old enough to go, if nothing held them

    async def none(_build: str) -> tuple[str, ...]:
        return ()

    assert await attic.compact({BUILD}, none, lambda _: None) == 0
    assert git(mirror, "show", f"{commit}:made.txt") == "half"
    await attic.retire(BUILD, workspace)
    assert git(mirror, "for-each-ref", "refs/buildwright") == ""


async def test_homes_that_share_a_hub_share_kept_work(tmp_path: Path, hub: Path) -> None:
    repository = str(make(tmp_path / "r"))
    one, two = worker(tmp_path, "one", hub), worker(tmp_path, "two", hub)
    target = await one.prepare(BUILD, repository)
    lane = await one.open_lane(KEY, target.commit)
    (lane.files / "made.txt").write_text("half\n")
    first = await one.keep(KEY, target.commit, "", CUT, AT)
    await two.prepare(BUILD, repository)
    (seen,) = await two.kept(BUILD)
    assert seen.commit == first
    assert "+half" in await two.diff(BUILD, seen.base, seen.commit)
    lane = await two.open_lane(KEY, target.commit)
    (lane.files / "made.txt").write_text("whole\n")
    second = await two.keep(KEY, target.commit, "", REFUSED, AT)
    assert refs(hub, REF) == {REF: second}
    assert [work.commit for work in await one.kept(BUILD)] == [second]
    await one.retire(BUILD)
    assert refs(hub, "refs/buildwright") == {}
