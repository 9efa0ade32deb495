"""Trees of real repositories, read by the real program: what is read again, and what is left out and said."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import psutil
import pytest

from buildwright.code_map.outline import Outline
from buildwright.code_map.read import KEPT, LARGEST_FILE, ReadTree, read_tree
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import commit, git, make

FILES = {
    "shop/__init__.py": b"",
    "shop/money.py": b"def pence(pounds): ...\n",
    "shop/cart.py": b"from shop.money import pence\n\n\nclass Cart: ...\n",
    "README.md": b"# Shop\n",
}


@pytest.fixture
def workspace(tmp_path: Path) -> GitWorkspace:
    return GitWorkspace(tmp_path / "home", dict(os.environ))


async def read(workspace: GitWorkspace, repository: Path, name: str, anew: bool = False) -> ReadTree:
    target = await workspace.prepare(name, str(repository))
    return await read_tree(workspace, name, target.tree, anew=anew)


def names(found: ReadTree, path: str) -> list[str]:
    return [symbol.name for symbol in found.outlines[path].symbols]


async def test_after_a_commit_only_what_changed_is_read(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "shop", FILES)
    first = await read(workspace, repository, "b1")
    assert (first.fresh, first.notes) == (3, ())
    assert names(first, "shop/cart.py") == ["Cart"]
    assert first.outlines["README.md"] == Outline()
    git(repository, "mv", "shop/money.py", "shop/coins.py")
    commit(repository, {"shop/cart.py": b"class Basket: ...\n"})
    second = await read(workspace, repository, "b2")
    assert second.fresh == 1  # what was moved has the same content
    assert names(second, "shop/cart.py") == ["Basket"]
    assert names(second, "shop/coins.py") == ["pence"]
    again = await read(workspace, repository, "b3")
    assert (again.fresh, again.outlines) == (0, second.outlines)
    anew = await read(workspace, repository, "b4", anew=True)
    assert (anew.fresh, anew.outlines) == (3, second.outlines)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 0, "outlines": {}}'])
async def test_damaged_or_older_outlines_are_made_anew(workspace: GitWorkspace, tmp_path: Path, damage: bytes) -> None:
    repository = make(tmp_path / "shop", FILES)
    first = await read(workspace, repository, "b1")
    (kept,) = (tmp_path / "home" / "mirrors").glob(f"*/{KEPT}")
    kept.write_bytes(damage)
    second = await read(workspace, repository, "b2")
    assert (second.fresh, second.outlines) == (3, first.outlines)


async def test_odd_files_are_left_out_and_named(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(
        tmp_path / "odd",
        {
            **FILES,
            "made/large.js": b"x = 1;\n" * (LARGEST_FILE // 7 + 1),
            "odd/binary.py": bytes(range(256)) * 100,
            "odd/deep.js": b"[" * 200_000,
            "odd/two\nlines\x1b[31m.py": b"def hidden(): ...\n",
        },
    )
    (repository / "link.py").symlink_to("/etc/passwd")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "link")
    found = await read(workspace, repository, "b1")
    # The parser takes quadratic time for brackets that nothing closes.
    assert found.notes == (
        f"made/large.js was left out: it has more than {LARGEST_FILE:,} bytes",
        "odd/deep.js was left out: it could not be read",
    )
    assert (await read(workspace, repository, "b2")).fresh == 0
    assert names(found, "shop/money.py") == ["pence"]
    assert names(found, "odd/two\nlines\x1b[31m.py") == ["hidden"]
    assert "link.py" not in found.outlines


def readers() -> list[psutil.Process]:
    """The programs that read for this process. A child that has ended without being waited for has no command."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a ZombieProcess is one
            if "buildwright.code_map.reader" in child.cmdline():
                found.append(child)
    return found


async def test_a_program_that_is_killed_is_started_again(workspace: GitWorkspace, tmp_path: Path) -> None:
    """The kernel may end it, for want of memory; its files are read by the next one."""
    repository = make(tmp_path / "many", {f"m{number}.py": b"def f%d(): ...\n" % number for number in range(200)})
    target = await workspace.prepare("b1", str(repository))
    killed: list[int] = []

    def kill(_done: int, _whole: int) -> None:
        for child in readers() if not killed else ():
            child.kill()
            killed.append(child.pid)

    found = await read_tree(workspace, "b1", target.tree, kill)
    assert len(killed) == 1
    assert found.notes == ()
    assert all(names(found, f"m{number}.py") == [f"f{number}"] for number in range(200))


async def test_a_cancelled_reading_leaves_no_program(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "many", {f"m{number}.py": b"def f%d(): ...\n" % number for number in range(200)})
    target = await workspace.prepare("b1", str(repository))
    began = asyncio.Event()
    reading = asyncio.create_task(read_tree(workspace, "b1", target.tree, lambda _done, _all: began.set()))
    await began.wait()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert (reading.cancelled(), readers()) == (True, [])
