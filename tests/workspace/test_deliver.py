"""Delivery looks before it writes, never forces, and never touches a checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildwright.core.limits import Delivery
from buildwright.errors import BadRepository, Conflict, GitFailed
from buildwright.ports import Merged
from buildwright.workspace import GitWorkspace
from buildwright.workspace.git import Git
from buildwright.workspace.source import locate, read_remotes
from tests.workspace.repositories import AT, commit, git, make, opened


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return make(tmp_path / "my repo")


async def result(workspace: GitWorkspace, repository: Path, content: str = "1", build: str = "build-123456") -> str:
    lane = await opened(workspace, repository, build)
    (lane.files / "new").write_text(content)
    patch = await workspace.take_patch(lane)
    base = (await workspace.prepare(build, str(repository))).commit
    merged = await workspace.rebase(build, base, patch.tree, base, content, AT)
    assert isinstance(merged, Merged)
    return merged.commit


async def test_a_branch_in_the_users_repository(workspace: GitWorkspace, repository: Path) -> None:
    made = await result(workspace, repository)
    (repository / "README.md").write_text("dirty")
    for _ in range(2):
        done = await workspace.deliver("build-123456", str(repository), made, Delivery())
        assert (done.ref, done.commit, done.remote) == ("refs/heads/buildwright/build-12", made, "")
    assert git(repository, "status", "--porcelain") == "M README.md"
    assert git(repository, "rev-parse", "buildwright/build-12") == made
    none = await workspace.deliver("build-123456", str(repository), made, Delivery(kind="none"))
    assert none.ref == ""


async def test_a_branch_of_somebody_else_stays(workspace: GitWorkspace, repository: Path) -> None:
    made = await result(workspace, repository)
    git(repository, "checkout", "-q", "-b", "taken")
    theirs = commit(repository, {"theirs": b"1"})
    git(repository, "checkout", "-q", "main")
    with pytest.raises(Conflict) as caught:
        await workspace.deliver("build-123456", str(repository), made, Delivery(branch="taken"))
    assert caught.value.fix
    with pytest.raises(Conflict, match="checked out"):
        await workspace.deliver("build-123456", str(repository), made, Delivery(branch="main"))
    git(repository, "worktree", "add", "-q", "-b", "linked", str(repository.parent / "linked"))
    with pytest.raises(Conflict, match="checked out"):
        await workspace.deliver("build-123456", str(repository), made, Delivery(branch="linked"))
    assert git(repository, "rev-parse", "taken") == theirs
    git(repository, "branch", "behind", "main")
    await workspace.deliver("build-123456", str(repository), made, Delivery(branch="behind"))
    assert git(repository, "rev-parse", "behind") == made


async def test_a_push_to_a_named_remote(workspace: GitWorkspace, repository: Path, tmp_path: Path) -> None:
    made = await result(workspace, repository)
    with pytest.raises(BadRepository, match="no remote"):
        await workspace.deliver("build-123456", str(repository), made, Delivery(kind="push"))
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    git(repository, "remote", "add", "origin", "../remote.git")
    for _ in range(2):
        done = await workspace.deliver("build-123456", str(repository), made, Delivery(kind="push", branch="feature/x"))
        assert (done.ref, done.remote) == ("refs/heads/feature/x", "origin")
    assert git(remote, "rev-parse", "feature/x") == made
    assert git(repository, "branch", "--list", "feature/x") == ""
    other = await result(workspace, repository, "2", "build-two")
    with pytest.raises(Conflict):
        await workspace.deliver("build-two", str(repository), other, Delivery(kind="push", branch="feature/x"))
    assert git(remote, "rev-parse", "feature/x") == made


async def test_a_remote_that_says_no(workspace: GitWorkspace, repository: Path, tmp_path: Path) -> None:
    made = await result(workspace, repository)
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "-q", "--bare", str(remote))
    hook = remote / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho policy: no >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitFailed, match="rejected"):
        await workspace.deliver("build-123456", str(repository), made, Delivery(kind="push", remote=str(remote)))
    hook.unlink()
    # The answer is lost after the commit arrived: delivered all the same.
    late = remote / "hooks" / "post-receive"
    late.write_text("#!/bin/sh\nkill -9 $PPID\n")
    late.chmod(0o755)
    done = await workspace.deliver("build-123456", str(repository), made, Delivery(kind="push", remote=str(remote)))
    assert git(remote, "rev-parse", done.ref) == made


async def test_addresses_of_remotes_are_read_as_git_reads_them(repository: Path, tmp_path: Path) -> None:
    addresses = {
        "short": "git@example.org:me/x.git",
        "url": "ssh://git@example.org/me/x.git",
        "whole": "/srv/x.git",
        "beside": "../x.git",
    }
    for name, address in addresses.items():
        git(repository, "remote", "add", name, address)
    git(repository, "config", "remote.url.pushurl", "https://example.org/me/x.git")
    source = locate(str(repository), {})
    found = await read_remotes(Git(tmp_path / "home", dict(os.environ)), source, {})
    assert found == {**addresses, "url": "https://example.org/me/x.git", "beside": f"{repository}/../x.git"}


async def test_a_repository_by_file_address(workspace: GitWorkspace, repository: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare repo.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    address = bare.as_uri()
    target = await workspace.prepare("by-address", address)
    done = await workspace.deliver("by-address", address, target.commit, Delivery())
    assert git(bare, "rev-parse", done.ref) == target.commit
    assert git(bare, "fsck", "--full") == ""


@pytest.mark.parametrize(
    ("there", "wanted", "said"),
    [
        ("buildwright", "", "The branch buildwright stands in the way of buildwright/build-12"),
        ("feature/one/two", "feature/one", "The branch feature/one/two stands in the way of feature/one"),
        ("a", "a/b/c", "The branch a stands in the way of a/b/c"),
        ("taken", "taken", "has commits that are not of this build"),
        ("", "main", "is checked out"),
        ("", "no branch", "cannot be a branch name"),
    ],
)
@pytest.mark.parametrize("kind", ["branch", "push"])
async def test_what_bars_the_delivery_is_found_before_the_work(
    workspace: GitWorkspace, tmp_path: Path, repository: Path, kind: str, there: str, wanted: str, said: str
) -> None:
    place = repository
    if kind == "push":
        git(tmp_path, "clone", "-q", "--bare", str(repository), "remote.git")
        git(repository, "remote", "add", "origin", str(tmp_path / "remote.git"))
        place = tmp_path / "remote.git"
    if there:
        foreign = git(place, "commit-tree", "main^{tree}", "-p", "main", "-m", "foreign")
        git(place, "update-ref", f"refs/heads/{there}", foreign)
    delivery = Delivery(kind="push" if kind == "push" else "branch", branch=wanted)
    if wanted == "main" and kind == "push":
        await workspace.prepare("build-123456", str(repository), "", delivery)
        return
    with pytest.raises((BadRepository, Conflict), match=said) as caught:
        await workspace.prepare("build-123456", str(repository), "", delivery)
    assert caught.value.fix


async def test_branches_that_do_not_bar_it(workspace: GitWorkspace, repository: Path) -> None:
    for name in ("buildwright/other", "buildwright-2", "x/buildwright", "feature/#1-añadir"):
        git(repository, "branch", name)
    git(repository, "tag", "buildwright")
    made = await result(workspace, repository)
    for delivery in (Delivery(), Delivery(branch="feature/#1-añadir"), Delivery(branch="función/x")):
        await workspace.prepare("build-123456", str(repository), "", delivery)
        done = await workspace.deliver("build-123456", str(repository), made, delivery)
        assert git(repository, "rev-parse", done.ref) == made
