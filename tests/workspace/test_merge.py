"""Merges without a checkout, and an integration branch that moves only as said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildwright.errors import BadRepository, Conflict
from buildwright.ports import Conflicted, LaneKey, Merged
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import AT, git, make

BODY = b"".join(b"line %d\n" % number for number in range(40))
BASE = {"a.txt": BODY, "b.txt": b"b\n" * 30, "bin": bytes(range(256)), "old/name.txt": b"content %d\n" * 20}


async def change(workspace: GitWorkspace, base: str, task: str, edits: dict[str, bytes | None]) -> str:
    """The tree of a lane in which `edits` were made; None deletes."""
    lane = await workspace.open_lane(LaneKey("b", task, 1), base)
    for path, content in edits.items():
        target = lane.files / path
        if content is None:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    tree = (await workspace.take_patch(lane)).tree
    await workspace.close_lane(lane.key)
    return tree


async def meet(
    tmp_path: Path, first: dict[str, bytes | None], second: dict[str, bytes | None]
) -> tuple[GitWorkspace, Merged | Conflicted]:
    workspace = GitWorkspace(tmp_path / "home", dict(os.environ))
    target = await workspace.prepare("b", str(make(tmp_path / "r", BASE)))
    one = await workspace.rebase(
        "b", target.commit, await change(workspace, target.commit, "one", first), target.commit, "one", AT
    )
    assert isinstance(one, Merged)
    two = await change(workspace, target.commit, "two", second)
    return workspace, await workspace.rebase("b", target.commit, two, one.commit, "two", AT)


async def test_changes_in_one_file_that_do_not_touch_fit(tmp_path: Path) -> None:
    workspace, merged = await meet(
        tmp_path,
        {"a.txt": BODY.replace(b"line 1\n", b"ONE\n")},
        {"a.txt": BODY.replace(b"line 30\n", b"THIRTY\n"), "new": b"n"},
    )
    assert isinstance(merged, Merged)
    content = await workspace.read_file("b", merged.tree, "a.txt")
    assert content == BODY.replace(b"line 1\n", b"ONE\n").replace(b"line 30\n", b"THIRTY\n")


async def test_a_renamed_file_takes_the_edit_along(tmp_path: Path) -> None:
    workspace, merged = await meet(
        tmp_path, {"a.txt": None, "moved/a.txt": BODY}, {"a.txt": BODY.replace(b"line 9\n", b"NINE\n")}
    )
    assert isinstance(merged, Merged)
    assert b"NINE" in (await workspace.read_file("b", merged.tree, "moved/a.txt") or b"")
    assert await workspace.read_file("b", merged.tree, "a.txt") is None


@pytest.mark.parametrize(
    ("first", "second", "files"),
    [
        ({"a.txt": BODY.replace(b"line 1\n", b"X\n")}, {"a.txt": BODY.replace(b"line 1\n", b"Y\n")}, ("a.txt",)),
        ({"a.txt": None}, {"a.txt": BODY + b"more\n"}, ("a.txt",)),
        ({"bin": bytes(range(255))}, {"bin": bytes(range(200))}, ("bin",)),
        ({"ünï c.txt": b"1\n"}, {"ünï c.txt": b"2\n"}, ("ünï c.txt",)),
    ],
    ids=["content", "delete-modify", "binary", "add-add"],
)
async def test_conflicts_name_their_files(
    tmp_path: Path, first: dict[str, bytes | None], second: dict[str, bytes | None], files: tuple[str, ...]
) -> None:
    workspace, merged = await meet(tmp_path, first, second)
    assert isinstance(merged, Conflicted)
    assert merged.files == files
    if files == ("a.txt",) and first["a.txt"]:
        assert b"<<<<<<<" in (await workspace.read_file("b", merged.tree, "a.txt") or b"")


async def test_the_same_input_gives_the_same_commit(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r", BASE)
    target = await workspace.prepare("b", str(repository))
    tree = await change(workspace, target.commit, "one", {"x": b"1"})
    first = await workspace.rebase(
        "b", target.commit, tree, target.commit, "Title\n\nBody ünï\n\nBuildwright-Task: one", AT
    )
    other = GitWorkspace(tmp_path / "elsewhere", dict(os.environ))
    await other.prepare("b", str(repository))
    await change(other, target.commit, "one", {"x": b"1"})
    assert first == await other.rebase(
        "b", target.commit, tree, target.commit, "Title\n\nBody ünï\n\nBuildwright-Task: one", AT
    )
    (mirror,) = [path for path in (tmp_path / "home/mirrors").iterdir() if path.name != "builds"]
    assert isinstance(first, Merged)
    shown = git(mirror, f"--git-dir={mirror}", "show", "-s", "--format=%an <%ae> %cn %at %P%n%B", first.commit)
    head = f"Buildwright <buildwright@localhost> Buildwright {int(AT.timestamp())} {target.commit}"
    assert shown == f"{head}\nTitle\n\nBody ünï\n\nBuildwright-Task: one"
    assert git(mirror, f"--git-dir={mirror}", "fsck", "--full", "--strict").count("error") == 0


async def test_a_change_moves_alone_even_when_its_base_left_the_branch(workspace: GitWorkspace, tmp_path: Path) -> None:
    """Car two was made on top of car one; car one left the train, and nothing of it may come along."""
    target = await workspace.prepare("b", str(make(tmp_path / "r", BASE)))
    one = await workspace.rebase(
        "b", target.commit, await change(workspace, target.commit, "one", {"one": b"1"}), target.commit, "1", AT
    )
    assert isinstance(one, Merged)
    two = await change(workspace, one.commit, "two", {"two": b"2"})
    moved = await workspace.rebase("b", one.commit, two, target.commit, "2", AT)
    assert isinstance(moved, Merged)
    listed = await workspace.list_files("b", moved.tree)
    assert "two" in listed
    assert "one" not in listed


async def test_landing_moves_the_branch_once(workspace: GitWorkspace, tmp_path: Path) -> None:
    target = await workspace.prepare("b", str(make(tmp_path / "r", BASE)))
    made = []
    for name in ("one", "two"):
        tree = await change(workspace, target.commit, name, {name: b"1"})
        merged = await workspace.rebase("b", target.commit, tree, target.commit, name, AT)
        assert isinstance(merged, Merged)
        made.append(merged.commit)
    await workspace.land("b", made[0], target.commit)
    await workspace.land("b", made[0], target.commit)
    with pytest.raises(Conflict):
        await workspace.land("b", made[1], target.commit)
    assert (await workspace.prepare("b", str(tmp_path / "r"))).commit == target.commit
    with pytest.raises(BadRepository):
        await workspace.open_lane(LaneKey("b", "three", 1), "0" * 40)
