"""Lanes hold exactly the bytes of their tree, and a patch sees every change whatever was done to hide it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from buildwright.errors import UnsafePath
from buildwright.ports import Checkpoint, LaneKey
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import commit, git, make, opened

BYTES = {
    "crlf.txt": b"a\r\nb\r\n",
    "lf.txt": b"a\nb\n",
    "mixed.txt": b"a\r\nb\n",
    "ident.c": b"$Id$\n",
    "utf16.txt": "häß\n".encode("utf-16"),
    "big.bin": bytes(range(256)) * 50,
    "empty": b"",
    "dir with space/ünï.txt": b"x\n",
    ".gitattributes": b"",
}
ATTRIBUTES = b"* text=auto eol=crlf ident\n*.txt filter=evil working-tree-encoding=UTF-16\n*.bin diff=evil merge=evil\n"


async def test_a_lane_has_the_bytes_of_a_clone(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r", BYTES)
    (repository / ".gitattributes").write_bytes(ATTRIBUTES)
    (repository / "run.sh").write_text("#!/bin/sh\n")
    (repository / "run.sh").chmod(0o755)
    (repository / "link").symlink_to("lf.txt")
    blob = git(repository, "hash-object", "-w", "--no-filters", ".gitattributes")
    script = git(repository, "hash-object", "-w", "--no-filters", "run.sh")
    link = git(repository, "hash-object", "-w", "--stdin", stdin=b"lf.txt")
    lines = f"100644 {blob}\t.gitattributes\n100755 {script}\trun.sh\n120000 {link}\tlink\n"
    git(repository, "update-index", "--index-info", stdin=lines.encode())
    git(repository, "commit", "-qm", "attributes")
    git(tmp_path, "clone", "-q", str(repository), "clone")
    lane = await opened(workspace, repository)
    for path in (*BYTES, ".gitattributes"):
        assert (lane.files / path).read_bytes() == (tmp_path / "clone" / path).read_bytes(), path
    assert os.access(lane.files / "run.sh", os.X_OK)
    assert (lane.files / "link").readlink() == Path("lf.txt")
    assert (await workspace.take_patch(lane)).is_empty
    async with workspace.checkout("build-1", lane.base_tree) as files:
        assert files.stat().st_mode & 0o777 == 0o700
        assert (files / "crlf.txt").read_bytes() == (tmp_path / "clone" / "crlf.txt").read_bytes()
    assert not files.exists()


async def test_every_planted_change_is_seen(workspace: GitWorkspace, tmp_path: Path) -> None:
    """The thirteen ways to hide a change from `git status` or `git diff`."""
    names = ["assume", "skip", "plain", "mode", "renamed", "crlf", "typed", "diffed", "ignored.log", "deleted"]
    base = {name: f"{name}\nline\n".encode() * 5 for name in names} | {
        ".gitignore": b"*.log\n",
        ".gitattributes": b"diffed -diff\n",
    }
    repository = make(tmp_path / "r", base)
    git(repository, "add", "-f", "ignored.log")
    git(repository, "commit", "-qm", "ignored but tracked")
    lane = await opened(workspace, repository)
    files = lane.files
    git(files, "commit", "-qm", "the agent's own", "--allow-empty")
    git(files, "update-index", "--assume-unchanged", "assume")
    git(files, "update-index", "--skip-worktree", "skip")
    (files / ".git/info/exclude").write_text("excluded\n")
    for name in ("assume", "skip", "plain", "diffed", "ignored.log", "excluded", "untracked", 'nön "quoted"'):
        (files / name).write_text("planted")
    (files / "mode").chmod(0o755)
    (files / "renamed").rename(files / "renamed2")
    (files / "renamed2").write_text("edited")
    (files / "crlf").write_bytes(base["crlf"].replace(b"\n", b"\r\n"))
    (files / "typed").unlink()
    (files / "typed").symlink_to("plain")
    (files / "deleted").unlink()
    make(files / "nested")
    git(files, "add", "-fA")
    git(files, "commit", "-qm", "hide it in a commit")
    patch = await workspace.take_patch(lane)
    assert {change.path: change.kind for change in patch.changes} == {
        "assume": "modified",
        "skip": "modified",
        "plain": "modified",
        "diffed": "modified",
        "ignored.log": "modified",
        "excluded": "added",
        "untracked": "added",
        'nön "quoted"': "added",
        "mode": "mode",
        "renamed": "deleted",
        "renamed2": "added",
        "crlf": "modified",
        "typed": "type",
        "deleted": "deleted",
        "nested/README.md": "added",
        "nested/src/app.py": "added",
    }
    assert await workspace.read_file("build-1", patch.tree, "typed") == b"plain"
    assert await workspace.read_file("build-1", patch.tree, "crlf") == base["crlf"].replace(b"\n", b"\r\n")
    listed = await workspace.list_files("build-1", patch.tree)
    assert not [path for path in listed if ".git/" in path]


async def test_what_tools_make_is_left_out_unless_it_is_tracked(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r", {".gitignore": b"dist/\n*.log\n", "vendor/node_modules/kept.js": b"1"})
    lane = await opened(workspace, repository)
    for path in ("dist/app.js", "a.log", "node_modules/x/y.js", "src/__pycache__/a.pyc", ".venv/bin/python", "b.pyc"):
        (lane.files / path).parent.mkdir(parents=True, exist_ok=True)
        (lane.files / path).write_text("made")
    (lane.files / "vendor/node_modules/kept.js").write_text("2")
    (lane.files / "real.py").write_text("x")
    assert (await workspace.take_patch(lane)).paths == ("real.py", "vendor/node_modules/kept.js")


async def test_case_only_renames_and_directories_for_files(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r", {"readme.md": b"r", "lib": b"file", "pkg/a": b"a"})
    lane = await opened(workspace, repository)
    (lane.files / "readme.md").rename(lane.files / "README.md")
    (lane.files / "lib").unlink()
    (lane.files / "lib").mkdir()
    (lane.files / "lib/inner").write_text("x")
    (lane.files / "pkg/a").unlink()
    (lane.files / "pkg").rmdir()
    (lane.files / "pkg").write_text("now a file")
    patch = await workspace.take_patch(lane)
    assert await workspace.list_files("build-1", patch.tree) == ["README.md", "lib/inner", "pkg"]
    asked = ["pkg", "lib", "nothing", "lib/inner", "README.md", "missing words 12"]
    assert await workspace.file_sizes("build-1", patch.tree, asked) == {"pkg": 10, "lib/inner": 1, "README.md": 1}
    assert await workspace.file_sizes("build-1", patch.tree, []) == {}
    for path in ("../x", "/x", "a\nb", "a\0b", ""):
        with pytest.raises(UnsafePath):
            await workspace.file_sizes("build-1", patch.tree, [path])


async def test_special_files_are_left_out_and_bad_names_refused(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    os.mkfifo(lane.files / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(lane.files)
        try:
            listener.bind("sock")
        finally:
            os.chdir(here)
        assert (await workspace.take_patch(lane)).is_empty
    for name in (b"bad\xff", b"new\nline", b"back\\slash", b".GIT", b"git~1", "sub/.g\u200cit".encode()):
        path = lane.files / os.fsdecode(name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
        with pytest.raises(UnsafePath):
            await workspace.take_patch(lane)
        path.unlink()


async def test_all_names_that_cannot_be_taken_are_named_at_once(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    for name in ("a\nb", ".GIT", *(f"git~1{letter}/git~1" for letter in "abcdefghijklmnopqrstuv")):
        (lane.files / name).parent.mkdir(exist_ok=True)
        (lane.files / name).write_bytes(b"x")
    with pytest.raises(UnsafePath) as refused:
        await workspace.take_patch(lane)
    told = refused.value.message
    assert "'a\\nb' is refused" in told
    assert "'.GIT' would be" in told
    assert told.count("would be a git directory") == 19
    assert told.endswith(" And 4 more.")


async def test_a_gitignore_that_is_a_pipe_hangs_nobody(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r", {".gitignore": b"x\n"}))
    (lane.files / "new").write_text("1")
    (lane.files / "sub").mkdir()
    os.mkfifo(lane.files / "sub/.gitignore")
    with pytest.raises(UnsafePath, match="gitignore"):
        await workspace.take_patch(lane)


async def test_a_file_too_large_is_refused(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    with (lane.files / "huge").open("wb") as file:
        file.truncate(101 * 1024 * 1024)
    with pytest.raises(UnsafePath, match="101 MB"):
        await workspace.take_patch(lane)


async def test_links_out_of_the_lane_are_taken_as_links(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("canary")
    (lane.files / "out").symlink_to(secret)
    (lane.files / "src" / "app.py").unlink()
    (lane.files / "src").rmdir()
    (lane.files / "src").symlink_to(secret)
    patch = await workspace.take_patch(lane)
    assert await workspace.list_files("build-1", patch.tree) == ["README.md", "out", "src"]
    assert await workspace.read_file("build-1", patch.tree, "out") == os.fsencode(secret)
    assert "canary" not in await workspace.diff("build-1", patch.base_tree, patch.tree)


async def test_checkpoints_bring_a_lane_back(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    (lane.files / "kept").write_text("kept")
    point = await workspace.checkpoint(lane)
    (lane.files / "kept").write_text("broken")
    (lane.files / "junk").mkdir(mode=0o000)
    (lane.files / "README.md").unlink()
    (lane.files / "src/app.py").chmod(0o755)
    await workspace.restore(lane, point)
    assert (await workspace.take_patch(lane)).paths == ("kept",)
    assert (lane.files / "kept").read_text() == "kept"
    assert not (lane.files / "junk").exists()
    with pytest.raises(UnsafePath):
        await workspace.restore(lane, Checkpoint(LaneKey("build-1", "two", 1), point.tree))


async def test_a_lane_can_carry_the_tree_of_an_earlier_attempt(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    lane = await opened(workspace, repository)
    (lane.files / "half").write_text("done")
    tree = (await workspace.take_patch(lane)).tree
    target = await workspace.prepare("build-1", str(repository))
    (lane.home / "left").write_text("over")
    second = await workspace.open_lane(lane.key, target.commit, carry=tree)
    assert second.base_tree == target.tree
    assert not (second.home / "left").exists()
    assert (await workspace.take_patch(second)).tree == tree
    await workspace.close_lane(lane.key)
    await workspace.close_lane(lane.key)
    assert not second.files.exists()
    assert await workspace.read_file("build-1", tree, "half", 2) == b"do"
    assert await workspace.read_file("build-1", tree, "none") is None


async def test_unreadable_and_very_deep_lanes_end_in_words(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, make(tmp_path / "r"))
    here = os.open(lane.files, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(UnsafePath, match="deep"):
        await workspace.take_patch(lane)
    await workspace.forget("build-1")
    assert not lane.files.exists()


async def test_thousands_of_files(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r", {f"d{n % 50}/f{n}": b"%d\n" % n for n in range(2000)})
    lane = await opened(workspace, repository)
    (lane.files / "d7/f7").write_text("changed")
    patch = await workspace.take_patch(lane)
    assert patch.paths == ("d7/f7",)
    assert len(await workspace.list_files("build-1", patch.tree)) == 2000
    assert commit(repository, {"d7/f7": b"changed"})
    assert git(repository, "rev-parse", "HEAD^{tree}") == patch.tree


async def test_what_set_up_made_is_in_no_patch(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r", {"package.json": b"{}\n", "lock": b"1\n", "src/a.py": b"a\n", "run": b"r\n"})
    lane = await opened(workspace, repository)
    for path in ("deps/one.js", "src/pkg.egg-info/PKG-INFO", "src/made.txt"):
        (lane.files / path).parent.mkdir(parents=True, exist_ok=True)
        (lane.files / path).write_text("made by set-up\n")
    (lane.files / "lock").write_text("2\n")
    (lane.files / "run").unlink()
    ready = await workspace.leave_out(lane, lane.base_tree)
    assert sorted(ready.left_out) == ["deps", "src/made.txt", "src/pkg.egg-info"]
    assert (lane.files / "lock").read_text() == "1\n", "what set-up changed is as the tree has it"
    assert (lane.files / "run").read_text() == "r\n"
    assert (await workspace.take_patch(ready)).is_empty
    (lane.files / "deps/one.js").write_text("changed by the agent\n")
    (lane.files / "lock").write_text("3\n")
    (lane.files / "src/b.py").write_text("b\n")
    assert (await workspace.take_patch(ready)).paths == ("lock", "src/b.py")
    point = await workspace.checkpoint(ready)
    assert point.tree == (await workspace.take_patch(ready)).tree


async def test_no_file_outside_is_written_when_set_up_changed_files_into_links(
    workspace: GitWorkspace, tmp_path: Path
) -> None:
    repository = make(tmp_path / "r", {"src/a.py": b"a\n", "b.py": b"b\n"})
    lane = await opened(workspace, repository)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.py").write_text("not ours\n")
    (lane.files / "src/a.py").unlink()
    (lane.files / "src").rmdir()
    (lane.files / "src").symlink_to(outside)
    (lane.files / "b.py").unlink()
    (lane.files / "b.py").symlink_to(outside / "a.py")
    await workspace.leave_out(lane, lane.base_tree)
    assert (outside / "a.py").read_text() == "not ours\n"
