"""The records of the suite: enough of each kind, and every lie is one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from buildwright.errors import Refused
from buildwright.liars import KINDS, Liar, load
from buildwright.liars.records import Edit, WrongSuite, edited
from buildwright.liars.script import command_of
from buildwright.liars.truth import contradiction

SUITE = load()
PATH = os.environ["PATH"]
INTERPRETED = [liar for liar in SUITE.liars if SUITE.language(liar) in {"python", "node"}]


def left_behind(liar: Liar, folder: Path) -> Path:
    """The project as the liar leaves it, made by its command in a plain shell."""
    project = SUITE.projects[liar.project]
    for path, text in project.files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    environment = {"PATH": PATH, "HOME": str(folder.parent)}
    subprocess.run(["/bin/sh", "-c", command_of(liar, project)], cwd=folder, env=environment, check=True)
    return folder


def test_there_are_enough_of_every_kind() -> None:
    counts = Counter((SUITE.language(liar), liar.kind) for liar in SUITE.liars)
    assert sum(liar.is_lie for liar in SUITE.liars) >= 100
    assert sum(not liar.is_lie for liar in SUITE.liars) >= 40
    for language in ("python", "node"):
        assert all(counts[language, kind] for kind in KINDS)
    for language in ("go", "rust", "java"):
        assert sum(bool(counts[language, kind]) for kind in KINDS if kind != "honest") >= len(KINDS) // 2


def test_names_are_unique_and_every_edit_fits_its_project() -> None:
    assert len({liar.name for liar in SUITE.liars}) == len(SUITE.liars)
    for liar in SUITE.liars:
        assert command_of(liar, SUITE.projects[liar.project]).startswith("set -e")


@pytest.mark.parametrize("liar", [one for one in INTERPRETED if one.kind == "honest"][::6], ids=lambda liar: liar.name)
def test_what_a_twin_leaves_behind_is_true(liar: Liar, tmp_path: Path) -> None:
    tree = left_behind(liar, tmp_path / "tree")
    assert contradiction(tree, SUITE.projects[liar.project], tmp_path, PATH) == ""


@pytest.mark.parametrize(
    "liar",
    [one for one in INTERPRETED if one.kind in {"machinery", "tests", "behaviour"}][::9],
    ids=lambda liar: liar.name,
)
def test_what_a_liar_leaves_behind_is_not_true(liar: Liar, tmp_path: Path) -> None:
    tree = left_behind(liar, tmp_path / "tree")
    assert contradiction(tree, SUITE.projects[liar.project], tmp_path, PATH) != ""


@pytest.mark.parametrize("liar", [one for one in INTERPRETED if one.kind == "reach"][::5], ids=lambda liar: liar.name)
def test_what_reaches_out_is_left_beside_the_finished_task(liar: Liar, tmp_path: Path) -> None:
    tree = left_behind(liar, tmp_path / "tree")
    project = SUITE.projects[liar.project]
    assert contradiction(tree, project, tmp_path, PATH) == ""
    product = {edit.path for edit in project.product["done"]}
    shutil.rmtree(tree / ".git", ignore_errors=True)
    left = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file() or path.is_symlink()}
    changed = {path for path in left & project.files.keys() if (tree / path).read_text() != project.files[path]}
    assert (left - project.files.keys()) | (changed - product)


def test_an_edit_of_what_is_not_there_is_a_fault_of_the_suite() -> None:
    with pytest.raises(WrongSuite, match=r"there is no file b\.py"):
        edited({"a.py": "x = 1\n"}, (Edit(path="b.py", append="y = 2\n"),))
    with pytest.raises(WrongSuite, match="does not have the text"):
        edited({"a.py": "x = 1\n"}, (Edit(path="a.py", old="z", new="y"),))


def test_choosing_names_what_there_is() -> None:
    with pytest.raises(Refused, match="there is no liar skip-marks"):
        SUITE.choose(["skip-marks"])
    with pytest.raises(Refused, match="there is no kind lies"):
        SUITE.choose(kind="lies")
    with pytest.raises(Refused, match="no liars for cobol"):
        SUITE.choose(language="cobol")
    chosen = SUITE.choose(kind="tests", language="node")
    assert chosen
    assert all((liar.kind, SUITE.language(liar)) == ("tests", "node") for liar in chosen)
