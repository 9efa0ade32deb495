"""A lane is a repository for whoever works in it, and no repository at all for the engine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from buildwright.ports import BUILD_TRAILER, LaneKey, Merged
from buildwright.workspace import GitWorkspace, lane_git
from buildwright.workspace.git import Git
from buildwright.workspace.mirror import Mirrors
from tests.workspace.repositories import AT, git, make, opened


async def test_git_shows_the_agents_change(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    assert git(lane.files, "status", "--porcelain") == ""
    (lane.files / "README.md").write_text("changed\n")
    (lane.files / "new.txt").write_text("new\n")
    (lane.files / "__pycache__").mkdir()
    (lane.files / "__pycache__" / "x.pyc").write_bytes(b"x")
    assert git(lane.files, "status", "--porcelain").splitlines() == ["M README.md", "?? new.txt"]
    assert "-hello\n+changed" in git(lane.files, "diff")
    assert git(lane.files, "log", "--format=%s") == "start"
    git(lane.files, "fsck", "--full", "--strict")


async def test_a_lane_on_a_landed_commit_does_not_say_whose_that_is(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    git(repository, "commit", "-q", "--allow-empty", "-m", f"Task a: First\n\n{BUILD_TRAILER}: 1")
    lane = await opened(workspace, repository)
    assert git(lane.files, "log", "--format=%s") != "Task a: First"
    assert "Buildwright" not in git(lane.files, "log", "--format=%an %ae %B")


async def test_it_commits_without_anybodys_identity(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    (lane.files / "README.md").write_text("changed\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(lane.home)}
    assert os.spawnvpe(os.P_WAIT, "git", ["git", "-C", str(lane.files), "commit", "-qam", "mine"], environment) == 0
    patch = await workspace.take_patch(lane)
    assert [change.path for change in patch.changes] == ["README.md"]


@pytest.mark.parametrize("form", ["sha1", "sha256"])
async def test_attributes_and_both_forms_of_ids(workspace: GitWorkspace, tmp_path: Path, form: str) -> None:
    files = {".gitattributes": b"* text=auto eol=crlf\n*.id ident\n", "a.txt": b"a\n", "b.txt": b"b\r\n"}
    lane = await opened(workspace, make(tmp_path / "r", files, f"--object-format={form}"))
    assert (lane.files / "a.txt").read_bytes() == b"a\r\n"
    assert (await workspace.take_patch(lane)).is_empty
    assert git(lane.files, "status", "--porcelain") == ""
    assert git(lane.files, "fsck", "--full") == ""


async def test_it_shares_nothing_with_the_mirror(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    lane = await opened(workspace, repository)
    inner = lane.files / ".git"
    assert not (inner / "objects" / "info").exists()
    linked = [path for path in inner.rglob("*") if path.is_symlink() or (path.is_file() and path.stat().st_nlink > 1)]
    assert linked == []
    shutil.rmtree(inner / "objects")
    again = await workspace.open_lane(LaneKey("build-1", "two", 1), git(repository, "rev-parse", "HEAD"))
    assert git(again.files, "status", "--porcelain") == ""


async def test_a_carried_change_is_staged_and_a_restored_one_too(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    lane = await opened(workspace, repository)
    (lane.files / "README.md").write_text("kept\n")
    point = await workspace.checkpoint(lane)
    carried = await workspace.open_lane(LaneKey("build-1", "one", 2), git(repository, "rev-parse", "HEAD"), point.tree)
    assert git(carried.files, "diff", "--name-only", "HEAD") == "README.md"
    assert git(carried.files, "diff", "--name-only") == ""
    (lane.files / "README.md").write_text("more\n")
    await workspace.restore(lane, point)
    assert git(lane.files, "diff", "--name-only", "--cached") == "README.md"
    assert git(lane.files, "diff", "--name-only") == ""
    assert (await workspace.take_patch(lane)).tree == point.tree


@pytest.mark.parametrize("what", ["gone", "file", "link", "pipe", "rewritten"])
async def test_whatever_becomes_of_it_the_patch_is_the_same(workspace: GitWorkspace, tmp_path: Path, what: str) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    inner = lane.files / ".git"
    (lane.files / "README.md").write_text("changed\n")
    expected = await workspace.take_patch(lane)
    if what == "rewritten":
        (inner / "info" / "exclude").write_text("*\n")
        (inner / "config").write_text("[core]\n\tworktree = /\n\tbare = true\n")
        git(lane.files, "--git-dir", str(inner), "update-index", "--assume-unchanged", "README.md", check=False)
    else:
        shutil.rmtree(inner)
    if what == "file":
        inner.write_text("gitdir: /\n")
    if what == "link":
        inner.symlink_to(tmp_path)
    if what == "pipe":
        os.mkfifo(inner)
    assert await workspace.take_patch(lane) == expected
    point = await workspace.checkpoint(lane)
    await workspace.restore(lane, point)
    assert git(lane.files, "diff", "--name-only", "HEAD") == "README.md"


async def test_a_tree_of_very_many_files_gets_none(tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    blob = git(repository, "rev-parse", "HEAD:README.md")
    # One directory object, named many times: a tree of many files without as many objects.
    inner = "".join(f"100644 blob {blob}\tf{number}\n" for number in range(250))
    folder = git(repository, "mktree", stdin=inner.encode())
    outer = "".join(f"040000 tree {folder}\td{number}\n" for number in range(lane_git.MOST_FILES // 250))
    fits = git(repository, "mktree", stdin=outer.encode())
    too_many = git(repository, "mktree", stdin=f"{outer}100644 blob {blob}\tone\n".encode())
    both = git(repository, "mktree", stdin=f"040000 tree {fits}\tfits\n040000 tree {too_many}\ttoo-many\n".encode())
    git(repository, "update-ref", "refs/heads/main", git(repository, "commit-tree", both, "-m", "large"))
    runner = Git(tmp_path / "home", dict(os.environ))
    mirrors = Mirrors(tmp_path / "home" / "mirrors", runner, dict(os.environ), None)
    pin = await mirrors.prepare("build-1", str(repository), "")
    for tree, expected in ((fits, True), (too_many, False)):
        made = lane_git.LaneGit(runner, pin, tmp_path / "lane" / "files")
        assert await made.make(tree, tree) is expected
        assert (tmp_path / "lane").exists()
        await made.discard()
        assert list((tmp_path / "lane").iterdir()) == []


async def test_trees_that_only_git_can_read_are_packed_by_git_or_get_none(
    workspace: GitWorkspace, tmp_path: Path
) -> None:
    repository = make(tmp_path / "r")
    runner = Git(tmp_path / "home", dict(os.environ))
    pin = await Mirrors(tmp_path / "home" / "mirrors", runner, dict(os.environ), None).prepare("b", str(repository), "")
    blob = bytes.fromhex(git(repository, "rev-parse", "HEAD:README.md"))
    for content, expected in (
        (b"100644 a\0" + blob, True),
        (b"100644 a\0" + blob + b"100644 a\0" + blob, True),
        (b"1", False),
    ):
        words = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
        tree = git(pin.mirror, *words, stdin=content)
        made = lane_git.LaneGit(runner, pin, tmp_path / "lane" / "files")
        assert await made.make(tree, tree) is expected
        await made.discard()


async def test_a_file_with_a_mode_of_an_old_program_is_no_change(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    blob = bytes.fromhex(git(repository, "rev-parse", "HEAD:README.md"))
    words = ("hash-object", "-t", "tree", "-w", "--literally", "--stdin")
    below = bytes.fromhex(git(repository, *words, stdin=b"100664 in\0" + blob))
    tree = git(repository, *words, stdin=b"100664 a\0" + blob + b"40755 d\0" + below + b"100775 x\0" + blob)
    git(repository, "update-ref", "refs/heads/main", git(repository, "commit-tree", tree, "-m", "old"))
    lane = await opened(workspace, repository)
    assert (await workspace.take_patch(lane)).is_empty
    assert git(lane.files, "status", "--porcelain") == ""
    (lane.files / "a").write_text("changed\n")
    patch = await workspace.take_patch(lane)
    assert [(change.path, change.kind, change.mode) for change in patch.changes] == [("a", "modified", "100644")]
    async with workspace.checkout("build-1", patch.tree) as files:
        assert {path.name for path in files.iterdir()} - {".git"} == {"a", "d", "x"}
        assert git(files, "ls-tree", "HEAD", "d").split()[2] == below.hex()


async def test_a_task_in_a_small_repository_starts_git_four_times(tmp_path: Path) -> None:
    """Once for each directory with files, and once for the ref that moves."""
    started, program = tmp_path / "started", tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {started}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    workspace = GitWorkspace(tmp_path / "home", environment)
    repository = make(tmp_path / "r", {f"d{number}/f{number}": b"1\n" * 20 for number in range(20)})
    start = (await workspace.prepare("b", str(repository))).commit
    head = start
    for task in ("one", "two", "three"):
        started.unlink()
        key = LaneKey("b", task, 1)
        lane = await workspace.open_lane(key, start)
        (lane.files / "d1" / task).write_text("new\n")
        (lane.files / "d2" / "f2").unlink()
        (lane.files / "d2" / "f2").write_text("1\n" * 20 if task != "two" else "two\n")
        patch = await workspace.take_patch(lane)
        async with workspace.checkout("b", patch.tree) as files:
            assert (files / "d1" / task).read_text() == "new\n"
            git(files, "fsck", "--full", "--strict")
        merged = await workspace.rebase("b", start, patch.tree, head, task, AT)
        assert isinstance(merged, Merged)
        async with workspace.checkout("b", merged.tree) as files:
            assert sorted(path.name for path in (files / "d1").iterdir())[0] == "f1"
        await workspace.land("b", merged.commit, head)
        await workspace.close_lane(key)
        head = merged.commit
        lines = started.read_text().splitlines()
        verbs = [next(word for word in line.split() if word in ("read-tree", "update-ref")) for line in lines]
        assert verbs == ["read-tree"] * 3 + ["update-ref"]
    assert await workspace.read_file("b", git(repository, "rev-parse", "HEAD:"), "d1/f1") == b"1\n" * 20
