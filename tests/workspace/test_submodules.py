"""Submodules are there for agents and checks, and named before the start where they cannot be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from buildwright.core.limits import Options
from buildwright.errors import BadRepository
from buildwright.gates.scope import ScopeGate
from buildwright.ports import Judged, LaneKey
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import git, make, opened, trap
from tests.workspace.served import smart_http

ALLOW = ("-c", "protocol.file.allow=always")


def with_submodule(tmp_path: Path, address: str = "", path: str = "lib/inner") -> Path:
    """A repository with a submodule at `lib/inner` that has a submodule itself."""
    make(tmp_path / "deep", {"deep.py": b"D = 1\n"})
    inner = make(tmp_path / "inner", {"inner.py": b"I = 1\n", "run.bat": b"x\n", ".gitattributes": b"*.bat eol=crlf\n"})
    git(inner, *ALLOW, "submodule", "add", "-q", str(tmp_path / "deep"), "deep")
    git(inner, "commit", "-qm", "deep")
    repository = make(tmp_path / "r")
    git(repository, *ALLOW, "submodule", "add", "-q", "--name", "the inner", str(inner), path)
    git(repository, *ALLOW, "submodule", "update", "-q", "--init", "--recursive")
    if address:
        git(repository, "config", "--file", ".gitmodules", "submodule.the inner.url", address)
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "module")
    return repository


async def test_lanes_and_checkouts_have_the_files(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = with_submodule(tmp_path)
    shutil.rmtree(tmp_path / "deep")
    shutil.rmtree(tmp_path / "inner")
    lane = await opened(workspace, repository)
    async with workspace.checkout("build-1", lane.base_tree) as files:
        for place in (files, lane.files):
            assert (place / "lib/inner/inner.py").read_text() == "I = 1\n"
            assert (place / "lib/inner/deep/deep.py").read_text() == "D = 1\n"
            assert (place / "lib/inner/run.bat").read_bytes() == b"x\r\n"
            assert git(place, "status", "--porcelain") == ""
    assert (await workspace.take_patch(lane)).is_empty
    assert sorted(path.name for path in lane.files.parent.iterdir()) == ["files", "home", "owner"]


async def test_changes_below_are_no_part_of_the_change_and_are_named(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, with_submodule(tmp_path))
    (lane.files / "lib/inner/inner.py").write_text("I = 2\n")
    (lane.files / "lib/inner/deep/deep.py").unlink()
    (lane.files / "lib/inner/made-by-a-test").write_text("x")
    (lane.files / "README.md").write_text("changed\n")
    patch = await workspace.take_patch(lane)
    assert patch.paths == ("README.md",)
    assert patch.left_out == ("lib/inner/inner.py", "lib/inner/deep/deep.py")
    judgements = await ScopeGate().judge(Judged("b", None, patch.tree, patch, None, Options()))
    findings = [(one.code, one.file, one.severity) for one in judgements[0].report.findings]
    assert findings == [("scope.submodule_kept", path, "warning") for path in patch.left_out]
    again = await workspace.open_lane(
        LaneKey("build-1", "one", 2), git(tmp_path / "r", "rev-parse", "HEAD"), patch.tree
    )
    assert (again.files / "lib/inner/inner.py").read_text() == "I = 1\n"
    shutil.rmtree(again.files / "lib")
    assert (await workspace.take_patch(again)).left_out == ("lib/inner",)
    (again.files / "lib").symlink_to(tmp_path)
    assert (await workspace.take_patch(again)).left_out == ()


@pytest.mark.parametrize("relative", [False, True])
async def test_a_clone_without_them_gets_them_from_their_address(
    workspace: GitWorkspace, tmp_path: Path, relative: bool
) -> None:
    with_submodule(tmp_path, "../inner" if relative else "")
    git(tmp_path, "clone", "-q", "r", "clone")
    lane = await opened(workspace, tmp_path / "clone")
    assert (lane.files / "lib/inner/deep/deep.py").read_text() == "D = 1\n"


async def test_over_the_network(workspace: GitWorkspace, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    with smart_http(tmp_path / "served") as (address, _):
        repository = with_submodule(tmp_path, "../inner")
        git(tmp_path / "inner", "config", "--file", ".gitmodules", "submodule.deep.url", f"{address}/deep")
        git(tmp_path / "inner", "commit", "-qam", "over http")
        git(repository / "lib/inner", *ALLOW, "pull", "-q")
        git(repository, "commit", "-qam", "newer")
        for name in ("r", "inner", "deep"):
            git(tmp_path, "clone", "-q", "--bare", name, f"served/{name}")
        target = await workspace.prepare("b", f"{address}/r")
        async with workspace.checkout("b", target.tree) as files:
            assert (files / "lib/inner/deep/deep.py").exists()
        git(repository, "config", "--file", ".gitmodules", "submodule.the inner.url", str(tmp_path / "inner"))
        git(repository, "commit", "-qam", "a path of this machine")
        git(repository, "push", "-q", str(tmp_path / "served/r"), "main")
        (tmp_path / "other").mkdir()
        with pytest.raises(BadRepository, match="another host"):
            await GitWorkspace(tmp_path / "other", dict(os.environ)).prepare("c", f"{address}/r")


@pytest.mark.parametrize(
    "address", ["/nowhere/at/all", "ext::sh -c touch% {canary}", "http://10.0.0.1/x", "ftp://x.example/y"]
)
async def test_one_that_cannot_be_fetched_is_named_with_the_fix(
    workspace: GitWorkspace, tmp_path: Path, address: str
) -> None:
    _, canary = trap(tmp_path)
    with_submodule(tmp_path, address.format(canary=canary))
    git(tmp_path, "clone", "-q", "r", "clone")
    clone = tmp_path / "clone"
    with pytest.raises(BadRepository, match="The submodule lib/inner cannot be fetched") as caught:
        await workspace.prepare("b", str(clone))
    assert f"git -C {clone} submodule update --init" in str(caught.value.fix)
    assert not canary.exists()
    git(clone, "config", "submodule.the inner.update", "none")
    lane = await opened(workspace, clone)
    assert list((lane.files / "lib/inner").iterdir()) == []
    assert (await workspace.take_patch(lane)).is_empty


async def test_a_lost_commit_is_named(workspace: GitWorkspace, tmp_path: Path) -> None:
    with_submodule(tmp_path)
    git(tmp_path, "clone", "-q", "r", "clone")
    git(tmp_path / "inner", "commit", "-q", "--amend", "-m", "rewritten")
    git(tmp_path / "inner", "reflog", "expire", "--expire=now", "--all")
    git(tmp_path / "inner", "gc", "-q", "--prune=now")
    with pytest.raises(BadRepository, match="The submodule lib/inner cannot be fetched"):
        await workspace.prepare("b", str(tmp_path / "clone"))


async def test_a_repository_in_the_files_without_an_entry_stays_empty(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    make(repository / "inner")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "embedded")
    lane = await opened(workspace, repository)
    assert list((lane.files / "inner").iterdir()) == []


async def test_a_link_in_the_way_of_a_restored_submodule_is_not_followed(
    workspace: GitWorkspace, tmp_path: Path
) -> None:
    lane = await opened(workspace, with_submodule(tmp_path))
    point = await workspace.checkpoint(lane)
    shutil.rmtree(lane.files / "lib")
    (tmp_path / "outside").mkdir()
    (lane.files / "lib").symlink_to(tmp_path / "outside")
    await workspace.restore(lane, point)
    assert list((tmp_path / "outside").iterdir()) == []
    assert (lane.files / "lib/inner/inner.py").exists()


async def test_roots_of_a_server_hold_for_submodules(tmp_path: Path) -> None:
    with_submodule(tmp_path)
    git(tmp_path, "clone", "-q", "r", "allowed/clone")
    environment = {**os.environ, "BUILDWRIGHT_ROOTS": str(tmp_path / "allowed")}
    with pytest.raises(BadRepository, match="outside of BUILDWRIGHT_ROOTS"):
        await GitWorkspace(tmp_path / "home", environment).prepare("b", str(tmp_path / "allowed/clone"))
    (tmp_path / "allowed/clone/.git/modules").mkdir()
    (tmp_path / "allowed/clone/.git/modules/the inner").symlink_to(tmp_path / "inner/.git")
    with pytest.raises(BadRepository, match="outside of BUILDWRIGHT_ROOTS"):
        await GitWorkspace(tmp_path / "home", environment).prepare("c", str(tmp_path / "allowed/clone"))


async def test_another_machine_gets_them_from_the_hub(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--bare", "hub")
    first, second = (GitWorkspace(tmp_path / home, dict(os.environ), str(tmp_path / "hub")) for home in "ab")
    target = await first.prepare("b", str(with_submodule(tmp_path)))
    for name in ("r", "inner", "deep"):
        shutil.rmtree(tmp_path / name)
    await second.prepare("b", "/nowhere")
    async with second.checkout("b", target.tree) as files:
        assert (files / "lib/inner/deep/deep.py").exists()
    await first.retire("b")
    assert git(tmp_path / "hub", "for-each-ref") == ""


async def test_each_base_of_a_build_keeps_its_own_in_every_home(tmp_path: Path) -> None:
    """Also where the next base has others at the first place, and for a build that goes on from the base before."""
    hub = str(tmp_path / "hub")
    git(tmp_path, "init", "-q", "--bare", "hub")
    first, second, third = (GitWorkspace(tmp_path / home, dict(os.environ), hub) for home in "abc")
    repository = with_submodule(tmp_path)
    old = await first.prepare("b", str(repository))
    make(tmp_path / "other", {"other.py": b"O = 1\n"})
    git(repository, "rm", "-q", "lib/inner")
    git(repository, *ALLOW, "submodule", "add", "-q", str(tmp_path / "other"), "lib/another")
    git(repository, "commit", "-qm", "another")
    new = await first.rebase_target("b", str(repository))
    for name in ("r", "inner", "deep", "other"):
        shutil.rmtree(tmp_path / name)

    for workspace in (first, second):
        await workspace.stand_on("b", new.commit)
        async with workspace.checkout("b", new.tree) as files:
            assert (files / "lib/another/other.py").exists()
            assert not (files / "lib/inner").exists()
    assert "lib/another" in await third.diff("b", old.commit, new.commit), "where nobody has stood on it"
    for workspace, build, base in ((second, "before", old), (third, "after", new)):
        await workspace.branch_off(build, "/nowhere", "b", base.commit, base.commit)
    await first.retire("b")
    git(tmp_path / "hub", "gc", "-q", "--prune=now")
    for home in ("d", "e"):
        workspace = GitWorkspace(tmp_path / home, dict(os.environ), hub)
        async with workspace.checkout("before", old.tree) as files:
            assert (files / "lib/inner/deep/deep.py").exists()
        async with workspace.checkout("after", new.tree) as files:
            assert (files / "lib/another/other.py").exists()
