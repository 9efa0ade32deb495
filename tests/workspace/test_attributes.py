"""A lane has the files that a clone has, and a patch what `git add` would store. No filter program runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.errors import UnsafePath
from buildwright.ports import LaneKey
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import commit, git, make, opened, trap

RULES = b"""\
*.bat text eol=crlf
*.sh text eol=lf
*.auto text=auto
*.id ident
*.utf16 text working-tree-encoding=UTF-16LE-BOM eol=crlf
*.raw -text
*.old crlf
[attr]windows text eol=crlf
*.cmd windows
"""
FILES = {
    ".gitattributes": RULES,
    "run.bat": b"echo hi\n",
    "a.sh": b"echo\n",
    "a.auto": b"x\n",
    "with-cr.auto": b"x\r\ny\r\n",
    "a.id": b"$Id$\n",
    "a.utf16": "grün\n".encode(),
    "a.raw": b"x\r\n",
    "a.cmd": b"dir\n",
    "sub/.gitattributes": b"*.txt eol=crlf\n*.bat -text\n",
    "sub/a.txt": b"x\n",
    "sub/a.bat": b"x\n",
    "other.txt": b"x\n",
}


def repository_of(place: Path, files: dict[str, bytes]) -> Path:
    """A repository whose blobs are exactly `files`, and a clone of it beside it."""
    repository = make(place, {"start": b""})
    lines = ""
    for path, content in files.items():
        blob = git(repository, "hash-object", "-w", "--no-filters", "--stdin", stdin=content)
        lines += f"100644 {blob}\t{path}\n"
    git(repository, "update-index", "--index-info", stdin=lines.encode())
    git(repository, "commit", "-qm", "files")
    git(repository, "reset", "-q", "--hard")
    git(place.parent, "clone", "-q", place.name, "clone")
    return repository


async def test_a_lane_and_a_checkout_are_like_a_clone(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = repository_of(tmp_path / "r", FILES)
    lane = await opened(workspace, repository)
    async with workspace.checkout("build-1", lane.base_tree) as files:
        for place in (lane.files, files):
            for path in FILES:
                assert (place / path).read_bytes() == (tmp_path / "clone" / path).read_bytes(), path
            assert git(place, "status", "--porcelain") == ""
    assert (lane.files / "run.bat").read_bytes() == b"echo hi\r\n"
    assert (await workspace.take_patch(lane)).is_empty


async def test_a_patch_stores_what_git_add_would(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = repository_of(tmp_path / "r", FILES)
    lane, clone = await opened(workspace, repository), tmp_path / "clone"
    changed = {
        "run.bat": b"echo two\r\n",
        "new.bat": b"new\r\n",
        "a.sh": b"echo two\r\n",
        "a.auto": b"x\r\ny\r\n",
        "with-cr.auto": b"x\r\ny\r\nz\r\n",
        "new.auto": b"x\r\n",
        "binary.auto": b"\0\r\n",
        "a.id": b"$Id: 1234 $\nmore\n",
        "a.utf16": b"\xff\xfe" + "blau\r\n".encode("utf-16-le"),
        "a.raw": b"x\r\ny\r\n",
        "a.cmd": b"dir /w\n",
        "sub/a.txt": b"y\r\n",
        "sub/deep/new.txt": b"y\r\n",
        "sub/a.bat": b"y\r\n",
        "later/.gitattributes": b"* text\n",
        "later/a": b"x\r\n",
        "tool.bat": b"run\r\n",
    }
    for place in (lane.files, clone):
        for path, content in changed.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(content)
        (place / "tool.bat").chmod(0o755)
        (place / "other.txt").unlink()
        (place / "link.bat").symlink_to("run\r\n")
    git(clone, "add", "-A")
    patch = await workspace.take_patch(lane)
    assert patch.tree == git(clone, "write-tree")
    assert set(patch.paths) == {*changed, "other.txt", "link.bat"}
    again = await workspace.open_lane(LaneKey("build-1", "two", 1), git(repository, "rev-parse", "HEAD"), patch.tree)
    assert (again.files / "new.bat").read_bytes() == b"new\r\n"
    assert (await workspace.take_patch(again)).tree == patch.tree


async def test_only_what_differs_once_stored_is_a_change(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, repository_of(tmp_path / "r", FILES))
    (lane.files / "run.bat").write_bytes(b"echo hi\n")
    (lane.files / "a.sh").write_bytes(b"echo\r\n")
    (lane.files / "a.cmd").chmod(0o755)
    assert [(change.path, change.kind) for change in (await workspace.take_patch(lane)).changes] == [("a.cmd", "mode")]


async def test_changed_rules_do_not_change_files_that_nobody_touched(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, repository_of(tmp_path / "r", FILES))
    (lane.files / ".gitattributes").write_bytes(RULES.replace(b"*.bat text eol=crlf", b"*.bat -text"))
    (lane.files / "new.bat").write_bytes(b"new\r\n")
    patch = await workspace.take_patch(lane)
    assert patch.paths == (".gitattributes", "new.bat")
    assert await workspace.read_file("build-1", patch.tree, "new.bat") == b"new\r\n"
    assert await workspace.read_file("build-1", patch.tree, "run.bat") == b"echo hi\n"


async def test_blobs_that_do_not_fit_their_rules_stay_as_they_are(workspace: GitWorkspace, tmp_path: Path) -> None:
    odd = {".gitattributes": RULES, "a.bat": b"x\r\n", "a.utf16": b"\xff\xfe\xfd", "b.id": b"$Id: kept $\n"}
    lane = await opened(workspace, repository_of(tmp_path / "r", odd))
    (lane.files / "new").write_text("x")
    assert (await workspace.take_patch(lane)).paths == ("new",)


async def test_a_file_in_another_encoding_is_refused(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, repository_of(tmp_path / "r", FILES))
    (lane.files / "a.utf16").write_bytes(b"\x00\xdc\x00\xdcx")
    with pytest.raises(UnsafePath, match=r"a\.utf16") as caught:
        await workspace.take_patch(lane)
    assert caught.value.fix is not None
    assert "encoding" in caught.value.fix


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 2000\n" % 7
LFS = {".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n", "model.bin": POINTER, "raw/other.bin": b"raw"}


async def test_pointers_of_lfs_stay_pointers(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await opened(workspace, repository_of(tmp_path / "r", LFS))
    assert (lane.files / "model.bin").read_bytes() == POINTER
    (lane.files / "copy.bin").write_bytes(POINTER.replace(b"2000", b"2001"))
    (lane.files / "raw/other.bin").rename(lane.files / "moved.txt")
    (lane.files / "empty.bin").touch()
    patch = await workspace.take_patch(lane)
    assert patch.paths == ("copy.bin", "empty.bin", "moved.txt", "raw/other.bin")
    (lane.files / "model.bin").unlink()
    assert "model.bin" in (await workspace.take_patch(lane)).paths


@pytest.mark.parametrize("path", ["model.bin", "new.bin", "raw/other.bin", "big.dat"])
async def test_content_of_lfs_is_refused_in_words(workspace: GitWorkspace, tmp_path: Path, path: str) -> None:
    lane = await opened(workspace, repository_of(tmp_path / "r", LFS))
    if path == "big.dat":
        (lane.files / ".gitattributes").write_bytes(b"*.bin filter=lfs\n*.dat filter=lfs\n")
    (lane.files / path).write_bytes(POINTER + b"and more")
    with pytest.raises(UnsafePath, match="belongs to Git LFS"):
        await workspace.take_patch(lane)
    with pytest.raises(UnsafePath, match="belongs to Git LFS"):
        await workspace.checkpoint(lane)


async def test_filters_of_the_repository_never_run(workspace: GitWorkspace, tmp_path: Path) -> None:
    script, canary = trap(tmp_path)
    repository = make(tmp_path / "r", {".gitattributes": b"* filter=evil text eol=crlf\n", "a.txt": b"a\n"})
    for name in ("clean", "smudge", "process"):
        git(repository, "config", f"filter.evil.{name}", str(script))
    git(repository, "config", "filter.evil.required", "true")
    lane = await opened(workspace, repository)
    assert (lane.files / "a.txt").read_bytes() == b"a\r\n"
    git(lane.files, "config", "filter.evil.clean", str(script))
    (lane.files / "a.txt").write_bytes(b"b\r\n")
    patch = await workspace.take_patch(lane)
    assert await workspace.read_file("build-1", patch.tree, "a.txt") == b"b\n"
    assert not canary.exists()


async def test_the_users_autocrlf_is_not_the_projects(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(
        tmp_path / "r", {"a.txt": b"a\n", "export.txt": b"x", ".gitattributes": b"export.txt export-ignore\n"}
    )
    git(repository, "config", "core.autocrlf", "true")
    commit(repository, {"b.txt": b"b\n"})
    lane = await opened(workspace, repository)
    assert (lane.files / "a.txt").read_bytes() == b"a\n"
    assert (lane.files / "export.txt").exists()
    assert (await workspace.take_patch(lane)).is_empty
