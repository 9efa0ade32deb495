"""Odd repositories: each is built on, or refused with a fix; the user's own repository never changes."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from buildwright.core.limits import Delivery
from buildwright.errors import BadRepository, NotFound
from buildwright.ports import LaneKey, Merged
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import AT, commit, git, make, opened, trap


async def test_a_plain_repository_is_pinned_once(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "my répo it's")
    first = await workspace.prepare("build-1", str(repository))
    assert (first.commit, first.branch, first.notes) == (git(repository, "rev-parse", "HEAD"), "main", ())
    commit(repository, {"new": b"x"})
    assert await workspace.prepare("build-1", str(repository)) == first
    # Another process, after a restart, sees the same pin.
    assert await GitWorkspace(tmp_path / "home", dict(os.environ)).prepare("build-1", str(repository)) == first
    second = await workspace.prepare("build-2", str(repository))
    assert second.commit == git(repository, "rev-parse", "HEAD") != first.commit


async def test_a_file_in_place_of_its_lfs_pointer_is_no_change(workspace: GitWorkspace, tmp_path: Path) -> None:
    """Git asks the filter what such a file is, where its times do not tell; ours runs none."""
    content = b"large\n" * 1000
    digest = hashlib.sha256(content).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize {len(content)}\n".encode()
    repository = make(tmp_path / "r", {"a.bin": pointer, "b.bin": pointer, "dir/c d.bin": pointer})
    for name in ("a.bin", "dir/c d.bin"):
        (repository / name).write_bytes(content)
    assert not (await workspace.prepare("b", str(repository))).notes
    (repository / "b.bin").write_bytes(content[:-1] + b"?")
    told = (await workspace.prepare("c", str(repository))).notes
    assert told == ("1 uncommitted change is left out; commit to include them.",)


async def test_uncommitted_changes_are_counted_and_stay(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r", {"a": b"1\n", "b": b"2\n", ".gitignore": b"*.log\n"})
    (repository / "a").write_text("changed\n")
    (repository / "x.log").write_text("ignored\n")
    (repository / "new").write_text("untracked\n")
    # An environment that ignores itself, as uv makes it, is no change.
    (repository / ".venv").mkdir()
    (repository / ".venv" / ".gitignore").write_text("*\n")
    (repository / "staged").write_text("s\n")
    git(repository, "add", "staged")
    before = git(repository, "status", "--porcelain")
    target = await workspace.prepare("b", str(repository))
    assert target.notes == ("3 uncommitted changes are left out; commit to include them.",)
    assert git(repository, "status", "--porcelain") == before
    lane = await workspace.open_lane(LaneKey("b", "t", 1), target.commit)
    assert (lane.files / "a").read_bytes() == b"1\n"
    assert not (lane.files / "new").exists()


async def test_touched_but_equal_files_are_no_change(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    os.utime(repository / "README.md", (1, 1))
    assert (await workspace.prepare("b", str(repository))).notes == ()


async def test_bare_subfolder_detached_worktree_and_named_base(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    head = git(repository, "rev-parse", "HEAD")
    git(tmp_path, "clone", "-q", "--bare", str(repository), "bare.git")
    assert (await workspace.prepare("bare", str(tmp_path / "bare.git"))).commit == head
    assert (await workspace.prepare("sub", str(repository / "src"))).commit == head
    git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "linked"))
    side = commit(tmp_path / "linked", {"side": b"1"})
    found = await workspace.prepare("linked", str(tmp_path / "linked"))
    assert (found.commit, found.branch, found.notes) == (side, "side", ())
    assert (await workspace.prepare("named", str(repository), "side")).branch == "side"
    git(repository, "tag", "-a", "-m", "t", "v1", "side")
    tagged = await workspace.prepare("tagged", str(repository), "v1")
    assert (tagged.commit, tagged.branch) == (side, "")
    assert (await workspace.prepare("short", str(repository), side[:9])).commit == side
    git(repository, "checkout", "-q", "--detach")
    detached = await workspace.prepare("detached", str(repository))
    assert detached.branch == ""
    assert "detached" in detached.notes[0]
    commit(repository, {"loose": b"1"})
    assert (await workspace.prepare("loose", str(repository))).commit == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("form", ["sha1", "sha256"])
async def test_a_repository_without_commits_starts_from_nothing(
    workspace: GitWorkspace, tmp_path: Path, form: str
) -> None:
    repository = tmp_path / "empty"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "trunk", f"--object-format={form}")
    target = await workspace.prepare("b", str(repository))
    assert target.branch == "trunk"
    assert "no commit yet" in target.notes[0]
    lane = await workspace.open_lane(LaneKey("b", "t", 1), target.commit)
    assert [entry.name for entry in lane.files.iterdir()] == [".git"]
    (lane.files / "first").write_text("1")
    patch = await workspace.take_patch(lane)
    assert [(change.path, change.kind) for change in patch.changes] == [("first", "added")]
    assert len(patch.tree) == (40 if form == "sha1" else 64)


async def test_submodules_stay_as_they_are(workspace: GitWorkspace, tmp_path: Path) -> None:
    inner = make(tmp_path / "inner")
    repository = make(tmp_path / "r")
    git(repository, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib/inner")
    git(repository, "commit", "-qm", "module")
    target = await workspace.prepare("b", str(repository))
    assert "submodule" in target.notes[0]
    lane = await workspace.open_lane(LaneKey("b", "t", 1), target.commit)
    assert (lane.files / "lib/inner/README.md").exists()
    assert (await workspace.take_patch(lane)).is_empty
    shutil.rmtree(lane.files / "lib")
    (lane.files / "x").write_text("x")
    patch = await workspace.take_patch(lane)
    assert patch.paths == ("x",)
    assert "lib/inner" in await workspace.list_files("b", patch.tree)


async def test_a_shallow_clone_works_and_is_noted(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    commit(repository, {"two": b"2"})
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{repository}", "shallow")
    target = await workspace.prepare("b", str(tmp_path / "shallow"))
    assert target.commit == git(repository, "rev-parse", "HEAD")
    assert "shallow" in target.notes[0]
    assert "two" in await workspace.list_files("b", target.tree)


async def test_what_cannot_be_built_on_is_refused_with_a_fix(workspace: GitWorkspace, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    repository = make(tmp_path / "r")
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / ".git").write_text("gitdir: /nowhere/at/all\n")
    for address, base in [
        (str(tmp_path / "missing"), ""),
        (str(tmp_path / "plain"), ""),
        (str(tmp_path / "lost"), ""),
        (str(repository), "no-such-branch"),
        (str(repository), "--upload-pack=touch CANARY"),
        ("", ""),
        ("a\nb", ""),
    ]:
        with pytest.raises(BadRepository) as caught:
            await workspace.prepare("b", address, base)
        assert caught.value.fix
    with pytest.raises(NotFound):
        await workspace.list_files("never", "HEAD")


async def test_a_repository_of_somebody_else_needs_consent(tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    me = os.geteuid()
    assert me == 0, "the test needs to give a repository away, which only root can"
    os.chown(repository / ".git", 12345, 12345)
    home = tmp_path / "user"
    home.mkdir()
    workspace = GitWorkspace(tmp_path / "home", {**os.environ, "HOME": str(home)})
    with pytest.raises(BadRepository) as caught:
        await workspace.prepare("b", str(repository))
    assert caught.value.fix
    assert "safe.directory" in caught.value.fix
    (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = {repository}\n")
    assert (await workspace.prepare("b", str(repository))).branch == "main"


async def test_a_half_made_mirror_is_put_aside_and_made_again(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    target = await workspace.prepare("b", str(repository))
    (mirror,) = [path for path in (tmp_path / "home" / "mirrors").iterdir() if path.name != "builds"]
    (mirror / "HEAD").unlink()
    again = GitWorkspace(tmp_path / "home", dict(os.environ))
    assert await again.prepare("b", str(repository)) == target
    assert await again.list_files("b", target.tree) == ["README.md", "src/app.py"]
    assert [path.name for path in mirror.parent.iterdir() if ".broken-" in path.name]


async def test_the_mirror_shares_no_file_with_the_repository(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    await opened(workspace, repository)
    mine = {path.stat().st_ino for path in (repository / ".git").rglob("*") if path.is_file()}
    theirs = {path.stat().st_ino for path in (tmp_path / "home" / "mirrors").rglob("*") if path.is_file()}
    assert not mine & theirs
    shutil.rmtree(repository)
    assert await workspace.list_files("build-1", "refs/buildwright/build-1/base") == ["README.md", "src/app.py"]


@pytest.mark.parametrize("kept", ["blob:none", "tree:0"])
async def test_a_partial_clone_is_built_on_and_delivered_to(workspace: GitWorkspace, tmp_path: Path, kept: str) -> None:
    repository = make(tmp_path / "r")
    git(repository, "config", "uploadpack.allowFilter", "true")
    for text in (b"old", b"new"):
        commit(repository, {"x": text})
    git(tmp_path, "clone", "-q", f"--filter={kept}", f"file://{repository}", "partial")
    clone = tmp_path / "partial"
    lane = await opened(workspace, clone)
    (lane.files / "y").write_text("y")
    patch = await workspace.take_patch(lane)
    head = git(clone, "rev-parse", "HEAD")
    merged = await workspace.rebase("build-1", head, patch.tree, head, "change", AT)
    assert isinstance(merged, Merged)
    delivered = await workspace.deliver("build-1", str(clone), merged.commit, Delivery(kind="branch"))
    assert git(clone, "rev-parse", delivered.ref) == merged.commit


async def test_a_partial_clone_that_lacks_files_of_the_base_says_so(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    git(repository, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", f"file://{repository}", "partial")
    clone = tmp_path / "partial"
    _, canary = trap(tmp_path)
    git(clone, "config", "remote.origin.uploadpack", f"{tmp_path}/trap.sh")
    with pytest.raises(BadRepository, match="partial clone") as caught:
        await workspace.prepare("b", str(clone))
    assert not canary.exists()
    git(clone, "config", "--unset", "remote.origin.uploadpack")
    assert caught.value.fix is not None
    subprocess.run(caught.value.fix.partition(": ")[2].split(), check=True)
    assert (await workspace.prepare("b", str(clone))).commit == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "name", ["feature/#12-login", "función/añadir", "fix@home", "日本", "v1+2", "a=b", "100%", "it's", "(x)", "@"]
)
async def test_names_that_git_allows_are_bases(workspace: GitWorkspace, tmp_path: Path, name: str) -> None:
    repository = make(tmp_path / "r")
    git(repository, "checkout", "-qb", "other" if name == "@" else name)
    commit(repository, {"x": b"x"})
    if name != "@":
        git(repository, "checkout", "-q", "main")
    target = await workspace.prepare("b", str(repository), name)
    assert (target.commit, target.branch) == (git(repository, "rev-parse", name), "" if name == "@" else name)


async def test_every_way_to_name_a_commit(workspace: GitWorkspace, tmp_path: Path) -> None:
    make(tmp_path / "origin")
    git(tmp_path, "clone", "-q", "origin", "r")
    repository = tmp_path / "r"
    git(tmp_path / "origin", "branch", "fetched")
    git(repository, "fetch", "-q")
    for number in range(3):
        commit(repository, {"x": str(number).encode()})
    git(repository, "tag", "-a", "-m", "t", "v1", "HEAD~1")
    git(repository, "pack-refs", "--all")
    names = [
        "origin/main",
        "HEAD~2",
        "HEAD^",
        "v1",
        "v1^0",
        "refs/tags/v1",
        "refs/heads/main",
        "@{upstream}",
        "HEAD@{1}",
    ]
    for number, name in enumerate(names):
        found = await workspace.prepare(f"b{number}", str(repository), name)
        assert found.commit == git(repository, "rev-parse", f"{name}^{{commit}}"), name
        assert found.branch == ("main" if name == "refs/heads/main" else "")
    with pytest.raises(BadRepository) as caught:
        await workspace.prepare("b", str(repository), "fetched")
    assert caught.value.fix == "Name origin/fetched, which was fetched."
    for name in ("a b", "^main", "main..v1", "main:README.md", "a\u200bb", "-x"):
        with pytest.raises(BadRepository):
            await workspace.prepare("b", str(repository), name)


async def test_a_branch_goes_before_a_tag_of_the_same_name(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    git(repository, "tag", "both")
    first = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-qb", "both")
    second = commit(repository, {"x": b"x"})
    found = await workspace.prepare("b1", str(repository), "both")
    assert (found.commit, found.branch) == (second, "both")
    assert "both is a branch and a tag" in found.notes[0]
    assert (await workspace.prepare("b2", str(repository), "refs/tags/both")).commit == first
    assert (await workspace.prepare("b3", str(repository))).commit == second


@pytest.mark.parametrize("kind", ["worktree", "bare"])
async def test_worktrees_and_bare_repositories_are_targets(workspace: GitWorkspace, tmp_path: Path, kind: str) -> None:
    repository = make(tmp_path / "r")
    git(repository, "tag", "v1")
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "exclude").write_text("*.local\n")
    if kind == "worktree":
        git(repository, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    else:
        git(tmp_path, "clone", "-q", "--bare", "r", "side")
    target = await workspace.prepare("b", str(tmp_path / "side"), "", Delivery(kind="branch"))
    assert target.branch == ("side" if kind == "worktree" else "main")
    async with workspace.checkout("b", target.tree) as files:
        assert git(files, "describe", "--tags") == "v1"
        assert ("*.local" in (files / ".git/info/exclude").read_text()) is (kind == "worktree")
