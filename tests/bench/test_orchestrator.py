"""The measure of the orchestrator, on a small project of our own: its cut, its draws, its truth, and whole runs."""

from __future__ import annotations

import argparse
import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from bench.orchestrator import __main__ as command
from bench.orchestrator.by_buildwright import Buildwright
from bench.orchestrator.by_script import PlainScript
from bench.orchestrator.contest import Outcome
from bench.orchestrator.course import Course, Task, prepare, run
from bench.orchestrator.draws import HONEST, draw
from bench.orchestrator.history import apply, cut
from bench.orchestrator.projects import Project, Release
from bench.orchestrator.provider import Asked
from bench.orchestrator.report import html_page, text
from bench.orchestrator.score import holds, interval, score

BEFORE = '''"""Small sums."""


def double(number):
    return number * 2


def largest(numbers):
    found = numbers[0]
    for number in numbers:
        if number > found:
            found = number
    return found


def words(text):
    return text.split(" ")


def last(numbers):
    return numbers[-1]
'''
AFTER = '''"""Small sums."""


def double(number):
    if isinstance(number, str):
        raise TypeError("a text is no number")
    return number * 2


def largest(numbers, fallback=0):
    if not numbers:
        return fallback
    found = numbers[0]
    for number in numbers:
        if number > found:
            found = number
    return found


def words(text):
    return [clean(word) for word in text.split(" ") if word]


def last(numbers):
    return numbers[-1]


def clean(word):
    return word.strip(".,") if len(word) > 1 else word
'''
OLD_TESTS = """from sums import double, largest, last, words


def test_double():
    assert double(2) == 4


def test_largest():
    assert largest([1, 3, 2]) == 3


def test_last():
    assert last([1, 2]) == 2


def test_words():
    assert words("a bc") == ["a", "bc"]
"""
NEW_TESTS = (
    OLD_TESTS
    + """

def test_more():
    assert largest([]) == 0
    assert largest([], fallback=5) == 5
    assert words("one,  two.") == ["one", "two"]
    assert words(".") == ["."]
    try:
        double("x")
    except TypeError:
        return
    raise AssertionError
"""
)


def _archive(cache: Path, version: str, files: dict[str, str]) -> Release:
    """Put a release where those that were fetched are kept."""
    (cache / "archives").mkdir(parents=True, exist_ok=True)
    place = cache / "archives" / f"sums-{version}.tar"
    with tarfile.open(place, "w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"sums-{version}/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return Release(version, hashlib.sha256(place.read_bytes()).hexdigest())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def project(cache: Path) -> Project:
    before = _archive(cache, "1.0", {"sums.py": BEFORE, "tests/test_sums.py": OLD_TESTS})
    after = _archive(cache, "2.0", {"sums.py": AFTER, "tests/test_sums.py": NEW_TESTS})
    return Project(
        "sums",
        "python",
        "sums",
        before,
        after,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q",
        ("*.py",),
        ("tests/*",),
    )


@pytest.fixture(scope="module")
def course(project: Project, cache: Path) -> Course:
    return prepare(project, cache, print)


def test_a_cut_is_whole_and_waits_for_what_it_names() -> None:
    steps = cut("sums", {"sums.py": BEFORE}, {"sums.py": AFTER})
    named = {step.name: step for step in steps}
    assert named["sums.py: words"].depends_on == (named["sums.py: clean"].id,)
    assert {step.name for step in steps} == {f"sums.py: {name}" for name in ("double", "largest", "words", "clean")}
    hunks = [hunk for step in steps for piece in step.pieces for hunk in piece.hunks]
    assert "".join(apply(BEFORE.splitlines(keepends=True), hunks)) == AFTER
    order = [step.id for step in steps]
    assert all(order.index(one) < order.index(step.id) for step in steps for one in step.depends_on)


def test_a_course_tells_apart_who_notices_a_fault(course: Course) -> None:
    tasks = {task.name: task for task in course.tasks}
    assert len(tasks) == 4
    largest = tasks["sums.py: largest"]
    assert {"right", "seen", "unseen"} <= largest.changes.keys()
    assert any(name.startswith("lie-") for name in largest.changes)
    assert all(text is None or text != course.base.get(path) for path, text in largest.changes["seen"].items())
    assert Course.read(course.text()) == course


def test_draws_are_repeated_and_get_better(course: Course) -> None:
    task = course.tasks[0]
    first = [draw(course, task, "hostile", seed, 1) for seed in range(300)]
    assert first == [draw(course, task, "hostile", seed, 1) for seed in range(300)]
    later = [draw(course, task, "hostile", seed, 3) for seed in range(300)]
    assert sum(one.kind in HONEST for one in later) > 2 * sum(one.kind in HONEST for one in first)
    assert all(one.change in {"", *task.changes} for one in (*first, *later))


def test_what_a_tree_holds_of_a_change(course: Course) -> None:
    largest = next(task for task in course.tasks if task.name == "sums.py: largest")
    double = next(task for task in course.tasks if task.name == "sums.py: double")
    right = largest.changes["right"]
    assert holds(course.base, right, {**course.base, "sums.py": AFTER})
    assert not holds(course.base, right, course.base)
    assert not holds(course.base, right, {**course.base, **_texts(double, "right")})
    assert not holds(course.base, right, {**course.base, **_texts(largest, "seen")})
    assert holds(course.base, largest.changes["seen"], {**course.base, **_texts(largest, "seen")})


def _texts(task: Task, change: str) -> dict[str, str]:
    return {path: text for path, text in task.changes[change].items() if text is not None}


def _outcome(course: Course, done: set[str], tree: dict[str, str]) -> Outcome:
    return Outcome(frozenset(done), {}, {**course.base, **tree}, 0, 10.0)


def test_a_wrong_change_that_is_called_done_is_false(course: Course) -> None:
    task = next(one for one in course.tasks if one.name == "sums.py: largest")
    for kind, change, tree, verdict in (
        ("right", "right", "right", "right"),
        ("seen", "seen", "seen", "false_seen"),
        ("unseen", "unseen", "unseen", "false_unseen"),
        ("right", "right", "", "missed"),
    ):
        seed = next(
            seed
            for seed in range(3_000)
            if (drawn := draw(course, task, "hostile", seed, 1)).kind == kind and drawn.change == change
        )
        asked = [Asked(task.id, 1, draw(course, task, "hostile", seed, 1), 10, 10, 0.0)]
        found = score(course, _outcome(course, {task.id}, _texts(task, tree) if tree else {}), asked, 8, 1.0)
        assert {name: getattr(found, name) for name in ("right", "false_seen", "false_unseen", "missed")} == {
            name: int(name == verdict) for name in ("right", "false_seen", "false_unseen", "missed")
        }, kind
    seed = next(
        one for one in range(100) if all(draw(course, task, "honest", one, n).kind == "right" for n in (1, 2, 3))
    )
    refused = [Asked(task.id, number, draw(course, task, "honest", seed, number), 10, 10, 0.0) for number in (1, 2, 3)]
    left = score(course, _outcome(course, set(), {}), refused, 8, 1.0)
    assert (left.refusals, left.offered, left.persons) == (3, 1, len(course.tasks))


def test_intervals_are_those_of_wilson() -> None:
    assert interval(0, 0) == (0.0, 1.0)
    assert interval(0, 100) == pytest.approx((0.0, 0.0370), abs=1e-3)
    assert interval(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-3)


def test_tests_that_do_not_end_are_killed_with_all_that_they_started(tmp_path: Path) -> None:
    done = run("sleep 600 & echo $!; wait", tmp_path, seconds=1)
    assert done.returncode == -9
    state = Path(f"/proc/{int(done.stdout)}/stat")
    assert not state.exists() or state.read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "Z"


def test_a_part_of_a_course_holds_all_that_it_waits_for(course: Course) -> None:
    for seed in range(20):
        part = command.part_of(course, 2, seed)
        held = {task.id for task in part.tasks}
        assert 1 <= len(held) <= 2
        assert all(held.issuperset(task.depends_on) for task in part.tasks)
    assert command.part_of(course, 0, 1) == course


@pytest.mark.timeout(600)
def test_contestants_do_a_course(project: Project, cache: Path, course: Course) -> None:
    seed = next(
        seed
        for seed in range(5_000)
        if _first_kinds(course, seed) in ([["lie", "right"], ["right"]], [["right"], ["lie", "right"]])
    )
    given = argparse.Namespace(
        agents="hostile", tasks=2, at_once=2, kill_every=0.0, longest=400.0, seconds=0.1, keep=""
    )
    rows = [command.run(project, one, given, seed, cache) for one in (Buildwright(), PlainScript(strict=True))]
    ours, script = (row["score"] for row in rows)
    assert (ours["tasks"], ours["landed"], ours["right"], ours["attempts"]) == (2, 2, 2, 3)
    assert ours["false_seen"] == ours["missed"] == ours["twice"] == ours["strange"] == ours["refusals"] == 0
    assert [name.rpartition(" / ")[2] for name in ours["caught"]] == ["lie"]
    assert script["landed"] >= 1
    machine = {"cpu": "a", "cores": 2}
    assert all(
        name in made
        for made in (text(rows, machine), html_page(rows, machine))
        for name in ("buildwright", "script-strict")
    )


def _first_kinds(course: Course, seed: int) -> list[list[str]]:
    """Return what the agents of two tasks do until the first that is right."""
    found = []
    for task in command.part_of(course, 2, seed).tasks:
        kinds: list[str] = [draw(course, task, "hostile", seed, attempt).kind for attempt in (1, 2, 3)]
        found.append(kinds[: kinds.index("right") + 1] if "right" in kinds else kinds)
    return found
