"""The sample project is right: replayed by hand in several orders, with its bug and its conflict, every step is green."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from buildwright.advisors.planner import PlannedGraph
from buildwright.advisors.spec_file import parse_spec
from buildwright.cli import sample
from buildwright.core.graph import Plan, compile_plan

Files = dict[str, str]
RIVALS = ("storage", "csv-import")
SHARED = "ledgerline/__init__.py"


class Cassette:
    def __init__(self) -> None:
        self.raw: dict[str, Any] = yaml.safe_load(sample.cassette_path().read_text(encoding="utf-8"))
        self.turns: list[dict[str, Any]] = self.raw["turns"]

    def plan(self) -> Plan:
        [answer] = [turn["reply"]["json"] for turn in self.turns if turn["when"]["task"] == "plan"]
        return compile_plan(PlannedGraph.model_validate(answer).graph())

    def files(self, task: str, attempt: int) -> Files:
        [files] = [turn["reply"]["files"] for turn in self.turns if turn["when"] == {"task": task, "attempt": attempt}]
        assert isinstance(files, dict)
        return files

    def attempts(self, task: str) -> list[int]:
        return [turn["when"]["attempt"] for turn in self.turns if turn["when"]["task"] == task]


@pytest.fixture(scope="module")
def cassette() -> Cassette:
    return Cassette()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Files:
    directory = tmp_path_factory.mktemp("base") / "repository"
    sample.make_repository(directory)
    listed = subprocess.run(["git", "ls-files"], cwd=directory, check=True, capture_output=True, text=True)
    return {name: (directory / name).read_text(encoding="utf-8") for name in listed.stdout.splitlines()}


def write(files: Mapping[str, str], directory: Path) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return directory


def run_suite(files: Mapping[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", "tests", "-t", "."]
    return subprocess.run(command, cwd=write(files, directory), capture_output=True, text=True, check=False)


def conflicts(old: str, ours: str, theirs: str, directory: Path) -> bool:
    paths = [directory / name for name in ("ours", "old", "theirs")]
    for path, text in zip(paths, (ours, old, theirs), strict=True):
        path.write_text(text, encoding="utf-8")
    merged = subprocess.run(["git", "merge-file", "-p", *map(str, paths)], capture_output=True, check=False)
    return merged.returncode > 0 and b"<<<<<<<" in merged.stdout


def an_order(plan: Plan, seed: int, first: str) -> list[str]:
    """A topological order in which `first` comes before its rival; the rest is shuffled."""
    shuffled = random.Random(seed)
    second = RIVALS[1] if first == RIVALS[0] else RIVALS[0]
    done: list[str] = []
    while len(done) < len(plan.graph.tasks):
        ready = [
            task.id
            for task in plan.graph.tasks
            if task.id not in done and set(task.depends_on) <= set(done) and (task.id != second or first in done)
        ]
        done.append(shuffled.choice(ready))
    return done


def test_the_plan_is_worth_showing(cassette: Cassette) -> None:
    plan = cassette.plan()
    assert len(plan.graph.tasks) >= 9
    assert max(len(wave) for wave in plan.waves) >= 4
    assert len(plan.waves) >= 4
    assert "model" not in cassette.raw, "each answer costs what the model that was chosen costs"
    written = {turn["when"]["task"] for turn in cassette.turns} - {"plan"}
    assert written == {task.id for task in plan.graph.tasks}


def test_every_task_names_the_files_it_writes_but_the_one_that_conflicts(cassette: Cassette) -> None:
    for task in cassette.plan().graph.tasks:
        undeclared = set(cassette.files(task.id, 1)) - set(task.files_expected)
        assert undeclared == ({SHARED} if task.id in RIVALS else set())


def test_the_rivals_can_run_side_by_side_and_nobody_else_touches_what_they_share(cassette: Cassette) -> None:
    plan = cassette.plan()
    one, other = (plan.task(rival) for rival in RIVALS)
    assert one.depends_on == other.depends_on
    assert not set(one.files_expected) & set(other.files_expected)
    for turn in cassette.turns:
        if SHARED in turn["reply"].get("files", {}):
            assert turn["when"]["task"] in RIVALS


def test_the_base_repository_is_green_and_the_same_every_time(base: Files, tmp_path: Path) -> None:
    suite = run_suite(base, tmp_path / "suite")
    assert suite.returncode == 0, suite.stderr
    assert "Ran 1 test" in suite.stderr
    heads = set()
    for name in ("one", "two"):
        sample.make_repository(tmp_path / name)
        git = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path / name, check=True, capture_output=True)
        heads.add(git.stdout)
    assert len(heads) == 1
    with pytest.raises(FileExistsError):
        sample.make_repository(tmp_path / "one")


def test_the_first_try_at_months_fails_its_own_tests_and_the_second_passes(
    cassette: Cassette, base: Files, tmp_path: Path
) -> None:
    first = {**base, **cassette.files("period", 1)}
    failed = run_suite(first, tmp_path / "first")
    assert failed.returncode == 1
    assert "test_december_ends_with_the_year" in failed.stderr
    mended = run_suite({**first, **cassette.files("period", 2)}, tmp_path / "second")
    assert mended.returncode == 0, mended.stderr


@pytest.mark.parametrize("side_by_side", [True, False], ids=["side-by-side", "one-after-the-other"])
@pytest.mark.parametrize("first", RIVALS)
def test_every_order_is_green_after_every_task_and_ends_the_same(
    cassette: Cassette, base: Files, tmp_path: Path, first: str, side_by_side: bool
) -> None:
    plan = cassette.plan()
    landed = dict(base)
    needs_no_retry = {task.id for task in plan.graph.tasks} - {"period", *RIVALS}
    for place, task in enumerate(an_order(plan, seed=place_of(first, side_by_side), first=first)):
        tried = {**landed, **cassette.files(task, 1)}
        if task in RIVALS and task != first:
            if side_by_side:
                old, ours, theirs = base[SHARED], landed[SHARED], cassette.files(task, 1)[SHARED]
                assert conflicts(old, ours, theirs, tmp_path)
            else:
                # It saw nothing of its rival's line and wrote over it: the rival's own tests say so.
                assert run_suite(tried, tmp_path / f"{place}-overwritten").returncode == 1
            tried |= cassette.files(task, 2)
        elif task == "period":
            tried |= cassette.files(task, 2)
        else:
            assert task in needs_no_retry | {first}
        suite = run_suite(tried, tmp_path / str(place))
        assert suite.returncode == 0, f"{task}: {suite.stderr}"
        landed = tried
    assert landed == final_state(cassette, base)


def place_of(first: str, side_by_side: bool) -> int:
    return RIVALS.index(first) * 2 + int(side_by_side)


def final_state(cassette: Cassette, base: Files) -> Files:
    state = dict(base)
    for task in cassette.plan().graph.tasks:
        for attempt in cassette.attempts(task.id):
            state |= cassette.files(task.id, attempt)
    return state


def test_the_finished_project_is_clean_typed_and_works(cassette: Cassette, base: Files, tmp_path: Path) -> None:
    project = tmp_path / "ledgerline"
    suite = run_suite(final_state(cassette, base), project)
    assert suite.returncode == 0
    assert int(suite.stderr.split("Ran ")[1].split()[0]) >= 25

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-B", "-m", *command], cwd=project, capture_output=True, text=True, check=False
        )

    for tool in (("ruff", "check", "--no-cache", "."), ("ruff", "format", "--check", "--no-cache", ".")):
        assert run(*tool).returncode == 0, run(*tool).stdout
    typed = run("mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "ledgerline", "tests")
    assert typed.returncode == 0, typed.stdout
    (project / "bank.csv").write_text("date,amount,category,note\n2025-03-01,1200,home,rent\n", encoding="utf-8")
    assert run("ledgerline", "add", "2025-03-14", "12.50", "food", "lunch with Ada").returncode == 0
    assert run("ledgerline", "import", "bank.csv").stdout == "entries imported: 1\n"
    report = run("ledgerline", "report", "2025-03").stdout
    assert report.splitlines()[-1].split() == ["total", "1,212.50"]
    assert report in (project / "README.md").read_text(encoding="utf-8")


def test_the_demo_is_short(cassette: Cassette) -> None:
    usage = [turn["usage"] for turn in cassette.turns]
    assert sum(entry["output"] for entry in usage) < 12_000
    assert all(turn["pace"]["tokens_per_second"] >= 900 for turn in cassette.turns)


def test_the_spec_needs_the_planner() -> None:
    spec = parse_spec(sample.spec_text(), "spec.md")
    assert (spec.form, spec.title, spec.graph) == ("markdown", "Ledgerline", None)
