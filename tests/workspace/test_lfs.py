"""With `lfs` agents and checks have the contents of Git LFS, and what is stored stays the pointer."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from buildwright.errors import BadRepository, ToolMissing, UnsafePath
from buildwright.ports import Lane, LaneKey
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import git, make
from tests.workspace.served import Smart, smart_http

CONTENT = b"weights \x00\xff" * 300
ALLOW = ("-c", "protocol.file.allow=always")
RULES = b"*.bin filter=lfs diff=lfs merge=lfs -text\n"


class LargeFileServer(Smart):
    """Serves repositories, and the objects of Git LFS that lie in each (its batch API, transfer "basic").

    Requests for objects are added to `cuts`, which is for other requests.
    """

    def do_GET(self) -> None:  # noqa: N802  named so by the standard library
        path = urlsplit(self.path).path
        if "/lfs/objects/" not in path:
            return super().do_GET()
        return self._answer(200, (self.top / path[1:]).read_bytes())

    def do_POST(self) -> None:  # noqa: N802
        path = urlsplit(self.path).path
        if not path.endswith("/info/lfs/objects/batch"):
            return super().do_POST()
        self.cuts.append(path)
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        where, host = path.partition("/info/lfs")[0], self.headers["Host"]
        found = []
        for one in asked["objects"]:
            place = f"{where}/lfs/objects/{one['oid'][:2]}/{one['oid'][2:4]}/{one['oid']}"
            there = (self.top / place[1:]).is_file()
            held = {"actions": {"download": {"href": f"http://{host}{place}"}}}
            found.append({**one, **(held if there else {"error": {"code": 404, "message": "Object does not exist"}})})
        return self._answer(200, json.dumps({"transfer": "basic", "objects": found}).encode())

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/vnd.git-lfs+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def with_objects(path: Path) -> Path:
    """A repository whose `model.bin` git-lfs itself has stored."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    git(path, "lfs", "install", "--local")
    (path / ".gitattributes").write_bytes(RULES)
    (path / "model.bin").write_bytes(CONTENT)
    (path / "raw.txt").write_text("raw\n")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "start")
    assert git(path, "cat-file", "blob", "HEAD:model.bin").startswith("version https://git-lfs")
    return path


def served(tmp_path: Path) -> Path:
    """A bare repository with the objects, and a clone of it without."""
    origin = with_objects(tmp_path / "made")
    git(tmp_path, "clone", "-q", "--bare", "made", "top/r.git")
    shutil.move(origin / ".git/lfs", tmp_path / "top/r.git/lfs")
    git(tmp_path, "clone", "-q", "top/r.git", "clone")
    assert (tmp_path / "clone/model.bin").stat().st_size < 200
    return tmp_path / "clone"


async def lane_of(workspace: GitWorkspace, repository: Path | str, build: str = "build-1") -> Lane:
    target = await workspace.prepare(build, str(repository), lfs=True)
    return await workspace.open_lane(LaneKey(build, "one", 1), target.commit)


async def test_a_lane_has_contents_and_a_patch_has_pointers(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = with_objects(tmp_path / "r")
    pointer = git(repository, "rev-parse", "HEAD:model.bin")
    lane = await lane_of(workspace, repository)
    async with workspace.checkout("build-1", lane.base_tree) as files:
        for place in (files, lane.files):
            assert (place / "model.bin").read_bytes() == CONTENT
            os.utime(place / "raw.txt", (0, 0))
            assert git(place, "status", "--porcelain") == ""
    assert (await workspace.take_patch(lane)).is_empty
    assert (await workspace.checkpoint(lane)).tree == lane.base_tree

    (lane.files / "model.bin").chmod(0o755)
    shutil.copy(lane.files / "model.bin", lane.files / "copy.bin")
    shutil.copy(lane.files / "model.bin", lane.files / "copy.txt")
    patch = await workspace.take_patch(lane)
    assert [(one.path, one.kind) for one in patch.changes] == [
        ("copy.bin", "added"),
        ("copy.txt", "added"),
        ("model.bin", "mode"),
    ]
    mirror = await workspace.mirror_with("build-1", lane.base_tree)
    stored = git(mirror, "ls-tree", patch.tree, "copy.bin", "model.bin")
    assert [line.split()[2] for line in stored.splitlines()] == [pointer, pointer]
    assert await workspace.read_file("build-1", patch.tree, "copy.txt") == CONTENT
    again = await workspace.open_lane(LaneKey("build-1", "one", 2), lane.base_tree, patch.tree)
    assert (again.files / "copy.bin").read_bytes() == CONTENT

    (lane.files / "model.bin").write_bytes(b"made by the set-up")
    assert set((await workspace.leave_out(lane, lane.base_tree)).left_out) == {"copy.bin", "copy.txt"}
    assert (lane.files / "model.bin").read_bytes() == CONTENT
    (lane.files / "model.bin").write_bytes(b"new weights")
    with pytest.raises(UnsafePath, match="belongs to Git LFS"):
        await workspace.take_patch(lane)


@pytest.mark.parametrize("place", ["url", "clone of a url", "clone of a path", ".lfsconfig"])
async def test_objects_come_from_where_git_lfs_finds_them(workspace: GitWorkspace, tmp_path: Path, place: str) -> None:
    clone = served(tmp_path)
    with smart_http(tmp_path / "top", kind=LargeFileServer) as (address, asked):
        if place == "clone of a url":
            git(clone, "remote", "set-url", "origin", f"{address}/r.git")
        elif place == ".lfsconfig":
            git(clone, "remote", "remove", "origin")
            git(clone, "config", "--file", ".lfsconfig", "lfs.url", f"{address}/r.git/info/lfs")
            git(clone, "add", "-A")
            git(clone, "commit", "-qm", "config")
        lane = await lane_of(workspace, f"{address}/r.git" if place == "url" else clone)
    assert len(asked) == (place != "clone of a path")
    assert (lane.files / "model.bin").read_bytes() == CONTENT
    assert (await workspace.take_patch(lane)).is_empty


async def test_a_change_cannot_say_where_objects_come_from(workspace: GitWorkspace, tmp_path: Path) -> None:
    lane = await lane_of(workspace, with_objects(tmp_path / "r"))
    with smart_http(tmp_path, kind=LargeFileServer) as (address, asked):
        (lane.files / ".lfsconfig").write_text(f'[lfs]\n\turl = "{address}/r"\n')
        unknown = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064d\nsize 2000\n" % 7
        (lane.files / "more.bin").write_bytes(unknown)
        patch = await workspace.take_patch(lane)
        async with workspace.checkout("build-1", patch.tree) as files:
            assert (files / "more.bin").read_bytes() == unknown
            assert (files / "model.bin").read_bytes() == CONTENT
        assert asked == []


async def test_what_cannot_be_fetched_is_said_before_the_start(workspace: GitWorkspace, tmp_path: Path) -> None:
    clone = served(tmp_path)
    shutil.rmtree(tmp_path / "top/r.git/lfs")
    with smart_http(tmp_path / "top", kind=LargeFileServer) as (address, _):
        with pytest.raises(BadRepository, match=r"model\.bin of Git LFS cannot be fetched from http") as caught:
            await workspace.prepare("build-1", f"{address}/r.git", lfs=True)
        assert "without lfs" in (caught.value.fix or "")
        git(clone, "config", "--file", ".lfsconfig", "lfs.url", "http://localhost:1/else")
        git(clone, "add", "-A")
        git(clone, "commit", "-qm", "config")
        git(clone, "push", "-q", "origin", "main")
        with pytest.raises(BadRepository, match="another host"):
            await workspace.prepare("build-2", f"{address}/r.git", lfs=True)
    git(clone, "config", "--file", ".lfsconfig", "--unset", "lfs.url")
    git(clone, "commit", "-qam", "none")
    git(clone, "remote", "remove", "origin")
    with pytest.raises(BadRepository, match="no remote") as caught:
        await workspace.prepare("build-3", str(clone), lfs=True)
    assert "lfs fetch" in (caught.value.fix or "")
    target = await workspace.prepare("build-4", str(clone))
    lane = await workspace.open_lane(LaneKey("build-4", "one", 1), target.commit)
    assert (lane.files / "model.bin").stat().st_size < 200


async def test_without_git_lfs_the_one_fix_is_named(tmp_path: Path) -> None:
    repository = with_objects(tmp_path / "r")
    (tmp_path / "bin").mkdir()
    for name in ("git", "rm"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    workspace = GitWorkspace(tmp_path / "home", {**os.environ, "PATH": str(tmp_path / "bin")})
    with pytest.raises(ToolMissing, match="git-lfs is not installed") as caught:
        await workspace.prepare("build-1", str(repository), lfs=True)
    assert "apt-get install git-lfs" in (caught.value.fix or "")
    await workspace.prepare("build-2", str(make(tmp_path / "plain")))


async def test_another_home_fetches_them_again(tmp_path: Path) -> None:
    served(tmp_path)
    hub = str(tmp_path / "hub.git")
    one, other = (GitWorkspace(tmp_path / name, dict(os.environ), hub) for name in ("one", "other"))
    await one.create_hub()
    with smart_http(tmp_path / "top", kind=LargeFileServer) as (address, _):
        lane = await lane_of(one, f"{address}/r.git")
        (lane.files / "raw.txt").write_text("changed\n")
        patch = await one.take_patch(lane)
        async with other.checkout("build-1", patch.tree) as files:
            assert (files / "model.bin").read_bytes() == CONTENT
            assert (files / "raw.txt").read_text() == "changed\n"


async def test_a_build_that_goes_on_from_the_base_before_has_the_contents_of_then(
    workspace: GitWorkspace, tmp_path: Path
) -> None:
    repository = with_objects(tmp_path / "r")
    old = await workspace.prepare("build-1", str(repository), lfs=True)
    (repository / "model.bin").write_bytes(b"new weights\n" * 100)
    git(repository, "commit", "-qam", "newer")
    new = await workspace.rebase_target("build-1", str(repository))
    await workspace.stand_on("build-1", new.commit)
    await workspace.branch_off("fork", str(repository), "build-1", old.commit, old.commit)
    lane = await workspace.open_lane(LaneKey("fork", "one", 1), old.commit)
    assert (lane.files / "model.bin").read_bytes() == CONTENT
    assert (await workspace.take_patch(lane)).is_empty, "the content of before is what its pointer says"


async def test_submodules_have_their_contents_too(workspace: GitWorkspace, tmp_path: Path) -> None:
    with_objects(tmp_path / "inner")
    repository = with_objects(tmp_path / "r")
    git(repository, *ALLOW, "submodule", "add", "-q", str(tmp_path / "inner"), "lib/inner")
    git(repository, "commit", "-qm", "module")
    lane = await lane_of(workspace, repository)
    async with workspace.checkout("build-1", lane.base_tree) as files:
        for place in (files, lane.files):
            assert (place / "lib/inner/model.bin").read_bytes() == CONTENT
    assert (await workspace.take_patch(lane)).left_out == ()
    (lane.files / "lib/inner/model.bin").write_bytes(b"new weights")
    assert (await workspace.take_patch(lane)).left_out == ("lib/inner/model.bin",)


async def test_contents_of_submodules_come_from_their_address_in_every_home(tmp_path: Path) -> None:
    served(tmp_path)
    outer = make(tmp_path / "outer")
    hub = str(tmp_path / "hub.git")
    one, other = (GitWorkspace(tmp_path / name, dict(os.environ), hub) for name in ("one", "other"))
    await one.create_hub()
    with smart_http(tmp_path / "top", kind=LargeFileServer) as (address, _):
        git(outer, *ALLOW, "submodule", "add", "-q", f"{address}/r.git", "lib/inner")
        git(outer, "commit", "-qm", "module")
        git(tmp_path, "clone", "-q", "--bare", "outer", "top/outer.git")
        lane = await lane_of(one, f"{address}/outer.git")
        assert (lane.files / "lib/inner/model.bin").read_bytes() == CONTENT
        async with other.checkout("build-1", lane.base_tree) as files:
            assert (files / "lib/inner/model.bin").read_bytes() == CONTENT


async def test_pointers_are_told_of_where_the_contents_were_not_asked_for(tmp_path: Path) -> None:
    place, workspace = with_objects(tmp_path / "r"), GitWorkspace(tmp_path / "home", dict(os.environ))
    about = "Files in Git LFS (model.bin) are pointers for agents and checks; the option lfs brings their contents."
    assert about in (await workspace.prepare("b", str(place))).notes
    assert about not in (await workspace.prepare("c", str(place), lfs=True)).notes
    git(place, "rm", "-q", "--cached", "model.bin")
    git(place, "commit", "-qm", "not stored there")
    assert not any("LFS" in note for note in (await workspace.prepare("d", str(place))).notes)
