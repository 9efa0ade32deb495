"""What makes a task simple or critical: each expected score is added up by hand from the points that the reasons name."""

from __future__ import annotations

import json

import pytest

from buildwright.core.complexity import complexity_of, is_test
from buildwright.core.task import Task, Validation


def task(title: str = "Do it", *files: str, **more: object) -> Task:
    return Task.model_validate({"id": "t", "title": title, "files_expected": files, **more})


@pytest.mark.parametrize(
    ("given", "score", "level", "size"),
    [
        # 22 * log2(2) - 6 for a file of code
        (task("Greet", "src/greet.py"), 16, "simple", "small"),
        # 13 for a page, -12 for a small correction
        (task("Fix a typo", "README.md"), 0, "simple", "small"),  # -7 for a fix as well
        # 22 * log2(4) - 6 = 38, and 10 * log2(2) for the tests
        (task("Greet", "a.py", "b.py", "c.py", "tests/test_a.py"), 48, "moderate", "middle"),
        # 22 * log2(8) - 6 = 60
        (task("Greet", *(f"{name}.ts" for name in "abcdefg")), 60, "complex", "large"),
        # 60, and 12 for a part that needs care, and 8 because it ends the build
        (task("Greet", "auth.ts", *(f"{name}.ts" for name in "abcdef"), critical=True), 80, "critical", "large"),
        # 26: it names no file
        (task("Greet"), 26, "moderate", "middle"),
        # 26, and 2 for each criterion after the second, at most 16
        (task("Greet", acceptance=["x"] * 5), 32, "moderate", "middle"),
        (task("Greet", acceptance=["x"] * 500), 42, "moderate", "middle"),
        # 22 * log2(4) - 6: a folder counts as three files
        (task("Greet", "src/"), 38, "moderate", "middle"),
    ],
)
def test_the_score_is_the_sum_of_its_points(given: Task, score: int, level: str, size: str) -> None:
    found = complexity_of(given)
    assert (found.score, found.level, found.size) == (score, level, size)


def test_the_heaviest_reason_comes_first_with_its_points() -> None:
    found = complexity_of(task("Fix the login", "login.py", "tests/test_login.py"), dependents=4)
    assert found.reasons == (
        "1 file of code (+16)",
        "it touches login, where a mistake is dear (+12)",
        "1 file of tests (+10)",
        "the title is about a fix (-7)",
        "4 tasks need it (+6)",
    )
    assert found.score == 37


def test_what_reaches_further_counts_more_than_a_setting() -> None:
    assert complexity_of(task("Greet", ".github/workflows/ci.yml")).score == 13  # 5, and 8
    assert complexity_of(task("Greet", "ruff.toml")).score == 5


def test_the_minutes_are_those_of_the_plan_where_it_says_any() -> None:
    assert complexity_of(task("Greet", "a.py", minutes=90)).minutes == 90
    silent = task("Greet", "a.py")
    assert complexity_of(silent).minutes == 4  # 2 * 2 ** (16 / 16)
    for read_back in (silent.model_dump(mode="json"), silent.model_dump(mode="json", exclude_defaults=True)):
        assert complexity_of(Task.model_validate_json(json.dumps(read_back))).minutes == 4


def test_hostile_texts_are_repeated_within_bounds_and_take_no_time() -> None:
    nasty = "auth" + "z" * 50_000
    found = complexity_of(
        task("test_" * 40, f"{'a/' * 20_000}x.py", f"src/{nasty}.py", validation=Validation(command="x"))
    )
    assert max(map(len, found.reasons)) < 200
    assert 0 <= found.score <= 100


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tests/data/a.json", True),
        ("src/app.test.ts", True),
        ("pkg/server_test.go", True),
        ("src/test/java/AppTest.java", True),
        ("test_app.py", True),
        ("src/latest.py", False),
        ("src/contest.go", False),
        ("docs/testing.md", False),
    ],
)
def test_tests_are_known_by_their_paths(path: str, expected: bool) -> None:
    assert is_test(path) is expected
