"""The labelled commits: where they come from, their rule, and that the page says what is measured."""

from __future__ import annotations

from pathlib import Path

from bench.complexity import TUNED, Commit, Score, collect, commits, label, score, section

from tests.git import git

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def commit(lines: int, *files: str) -> Commit:
    return Commit("o/n", "0" * 40, lines, 0, files, "Subject")


def test_the_label_follows_from_lines_files_and_tests() -> None:
    assert label(commit(20, "a.py")) == "simple"
    assert label(commit(21, "a.py")) == "moderate"
    assert label(commit(65, "a.py", "tests/test_a.py")) == "moderate"  # 65 + 5 + 10 = 80
    assert label(commit(66, "a.py", "tests/test_a.py")) == "complex"
    assert label(commit(310, "a.py", "b.py", "c.py")) == "complex"  # 310 + 10 = 320
    assert label(commit(311, "a.py", "b.py", "c.py")) == "critical"


def test_at_least_two_hundred_commits_are_held_apart_from_those_that_were_tuned_on() -> None:
    found = commits()
    apart = [one for one in found if not one.is_tuned_on]
    assert len(apart) >= 200
    assert len({one.id for one in found}) == len(found)
    assert {one.repository for one in apart}.isdisjoint(TUNED)
    assert {one.repository for one in found} >= TUNED


def test_nothing_of_a_person_is_kept() -> None:
    assert not [one.subject for one in commits() if "@" in one.subject]


def test_a_judge_is_scored_by_how_far_it_is_off() -> None:
    found = [commit(1, "a.py"), commit(50, "a.py"), commit(200, "a.py"), commit(999, "a.py")]
    assert score(lambda _: "simple", found) == Score(0.25, 0.5, 1.5)  # off by 0, 1, 2 and 3


def test_the_page_says_what_is_measured() -> None:
    assert "\n".join(section()) in PAGE.read_text("utf-8")


def test_facts_are_read_from_a_repository(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    for name, text, subject in (("a.py", "x\ny\n", "Add a, thanks to @someone"), ("package-lock.json", "{}\n", "Lock")):
        (tmp_path / name).write_text(text)
        git(tmp_path, "add", ".")
        git(tmp_path, "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", subject)
    (only,) = collect("o/n", tmp_path)  # what changes nothing but a lock is no task
    assert only[2:] == (2, 0, ("a.py",), "Add a,")
