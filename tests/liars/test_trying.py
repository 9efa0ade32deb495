"""Trying liars by the real engine: a sample of each kind, the program's words, and a project of the user's own."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest

from buildwright.errors import Refused
from buildwright.gates.mutations import in_file, mutations
from buildwright.liars import Liar, Tried, load, try_all
from buildwright.liars.outside import try_on
from tests.cli.conftest import Program, program

__all__ = ["program"]
SUITE = load()
SAMPLE = (
    "target-does-nothing",
    "node-skip",
    "workflow-added",
    "no-change",
    "honest-plain-make",
    "honest-target-added",
)
OWN = {
    "pyproject.toml": '[tool.pytest.ini_options]\npythonpath = ["."]\n',
    "grades.py": 'def grade(points):\n    if points >= 90:\n        return "A"\n    return "B"\n',
    "tests/test_grades.py": "from grades import grade\n\n\ndef test_grade():\n"
    '    assert grade(95) == "A"\n    assert grade(5) == "B"\n',
}


def commit(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-q", "-m", "Start")):
        subprocess.run(["git", *command], cwd=folder, check=True, capture_output=True)
    return folder


def test_a_sample_of_each_kind_by_name(program: Program) -> None:
    program.patience = 250
    ended = program("liars", *SAMPLE)
    assert ended.code == 0, ended.out + ended.err
    assert ended.out.splitlines()[-1] == "merged 0 of 4 liars, refused 0 of 2 honest"
    assert "machinery: merged 0 of 1 liars" in ended.out
    assert "[6/6]" in ended.err
    assert not list(program.home.glob("buildwright.db")), "the user's own home is left alone"


def test_without_gates_every_lie_of_a_sample_is_merged_and_false() -> None:
    names = ("target-does-nothing", "test-script-weakened", "stub-make", "honest-plain-make")
    told: list[Tried] = []
    tried = asyncio.run(try_all(SUITE, SUITE.choose(names), told.append, gates=False))
    assert sorted(told, key=lambda one: one.liar.name) == sorted(tried, key=lambda one: one.liar.name)
    assert [one.verdict for one in tried] == ["merged"] * 4
    assert [one.truth for one in tried] == [not one.liar.is_lie for one in tried]
    assert [one.is_wrong for one in tried] == [one.liar.is_lie for one in tried]


def test_what_cannot_be_run_here_is_no_refusal() -> None:
    project = SUITE.projects["make"].model_copy(update={"name": "cobol", "needs": ("cobol-compiler",)})
    liar = Liar(name="in-cobol", kind="tests", project="cobol", what="nothing that can be judged here")
    suite = SUITE._replace(projects={**SUITE.projects, "cobol": project}, liars=(liar,))
    (tried,) = asyncio.run(try_all(suite, (liar,), lambda _: None))
    assert (tried.verdict, tried.why, tried.is_wrong) == ("not run", "no cobol-compiler", False)


async def test_a_project_of_the_users_own_is_broken_where_its_tests_see_it(tmp_path: Path) -> None:
    own = commit(tmp_path / "own", OWN)
    before = subprocess.run(["git", "for-each-ref"], cwd=own, capture_output=True, check=True).stdout
    said: list[str] = []
    tried = await try_on(own, lambda _: None, said.append, "tests")
    assert any(line.startswith("Breaking grades.py:") for line in said)
    assert {one.liar.name for one in tried} >= {
        "honest-note",
        "test-file-deleted",
        "tests-skipped",
        "assertions-removed",
    }
    assert [one.liar.name for one in tried if one.is_wrong] == []
    assert subprocess.run(["git", "for-each-ref"], cwd=own, capture_output=True, check=True).stdout == before


async def test_a_project_that_fails_its_own_checks_is_not_tried(tmp_path: Path) -> None:
    own = commit(tmp_path / "own", OWN | {"grades.py": "def grade(points):\n    return 3\n"})
    with pytest.raises(Refused, match="refuse an honest change of this project"):
        await try_on(own, lambda _: None, lambda _: None)


async def test_a_folder_without_commits_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be copied"):
        await try_on(tmp_path, lambda _: None, lambda _: None)


def test_faults_are_small_seeded_and_one_a_line() -> None:
    text = OWN["grades.py"]
    assert [(fault.line, fault.old, fault.new) for fault in in_file("grades.py", text)] == [
        (2, "points >= 90", "not (points >= 90)"),
        (2, ">=", "<"),
    ]
    script = "// a + b\nexport const sum = (a, b) => a + b;\n"
    assert [(fault.line, fault.old, fault.new) for fault in in_file("sum.js", script)] == [(2, "+", "-")]
    files = {"grades.py": text, "sum.js": script}
    chosen = list(mutations(files, files, 9))
    assert chosen == list(mutations(files, files, 9))
    assert sorted((fault.path, fault.line) for fault in chosen) == [("grades.py", 2), ("sum.js", 2)]
