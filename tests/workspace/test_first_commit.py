"""The commit that a build begins with: files on top of the base, made on git's objects and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildwright.errors import BadRepository
from buildwright.ports import FirstCommit
from buildwright.workspace import GitWorkspace
from tests.git import git

FIRST = FirstCommit(
    {"plan/a.md": "one\n", "plan/deep/b.yaml": "x: \u00e9\n"}, "Contracts\n\nui 1\n", "Kim <kim@example.org>"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "r"
    (path / "plan").mkdir(parents=True)
    (path / "plan" / "a.md").write_text("old\n")
    (path / "plan" / "kept.md").write_text("kept\n")
    (path / "README.md").write_text("# R\n")
    git(path, "init", "-q", "-b", "main")
    commit(path, "Start")
    return path


def commit(path: Path, message: str) -> str:
    git(path, "add", "-A")
    git(path, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "-q", "-m", message)
    return git(path, "rev-parse", "HEAD").strip()


def workspace(folder: Path, hub: str = "") -> GitWorkspace:
    return GitWorkspace(folder, dict(os.environ), hub=hub)


async def files(found: GitWorkspace, tree: str, build: str = "b") -> dict[str, str]:
    listed = await found.list_files(build, tree)
    return {path: (await found.read_file(build, tree, path) or b"").decode() for path in listed}


async def test_files_lie_on_the_base_and_the_checkout_stays_as_it_was(repository: Path, tmp_path: Path) -> None:
    head = git(repository, "rev-parse", "HEAD").strip()
    home = workspace(tmp_path / "home")
    target = await home.prepare("b", str(repository), first=FIRST)
    assert await files(home, target.tree) == {
        "README.md": "# R\n",
        "plan/a.md": "one\n",
        "plan/deep/b.yaml": "x: \u00e9\n",
        "plan/kept.md": "kept\n",
    }
    (mirror,) = (path for path in (tmp_path / "home" / "mirrors").iterdir() if (path / "HEAD").exists())
    shown = git(mirror, "log", "-2", "--format=%H %an %s", target.commit).splitlines()
    assert shown == [f"{target.commit} Kim Contracts", f"{head} T Start"]
    assert git(repository, "status", "--porcelain") == ""
    assert await home.prepare("b", str(repository), first=FIRST) == target
    assert await workspace(tmp_path / "other").prepare("b", str(repository), first=FIRST) == target


async def test_another_base_gets_them_as_well(repository: Path, tmp_path: Path) -> None:
    home = workspace(tmp_path / "home")
    before = await home.prepare("b", str(repository), first=FIRST)
    (repository / "new.md").write_text("new\n")
    newer = commit(repository, "Newer")
    target = await home.rebase_target("b", str(repository), first=FIRST)
    assert target.commit not in {before.commit, newer}
    await home.stand_on("b", target.commit)
    assert (await files(home, target.tree)).keys() >= {"new.md", "plan/a.md", "plan/deep/b.yaml"}


async def test_an_empty_repository_begins_with_them(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    home = workspace(tmp_path / "home")
    target = await home.prepare("b", str(path), first=FIRST)
    assert (await files(home, target.tree)).keys() == FIRST.files.keys()


async def test_another_home_takes_them_from_the_hub(repository: Path, tmp_path: Path) -> None:
    hub = str(tmp_path / "hub.git")
    first, second = workspace(tmp_path / "one", hub), workspace(tmp_path / "two", hub)
    await first.create_hub()
    target = await first.prepare("b", str(repository), first=FIRST)
    assert await second.prepare("b", "/nowhere", first=FIRST) == target
    assert (await files(second, target.tree))["plan/a.md"] == "one\n"


@pytest.mark.parametrize("what", ["file", "link"])
async def test_what_stands_in_the_way_of_a_folder_is_told(repository: Path, tmp_path: Path, what: str) -> None:
    place = repository / "plan" / "deep"
    place.write_text("x") if what == "file" else place.symlink_to(tmp_path)
    commit(repository, "In the way")
    with pytest.raises(BadRepository, match="plan/deep is there, and it is not a folder"):
        await workspace(tmp_path / "home").prepare("b", str(repository), first=FIRST)
    assert not (tmp_path / "b.yaml").exists()
