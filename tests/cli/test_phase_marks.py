"""Phases of a plan that are marked as complete in the history of the result."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.git import git

DONE = [
    "forge: Phase 2 complete",
    "Task b: B",
    "forge: Phase 1 complete",
    "Task a: A",
]


def phases(folder: Path, repository: Path) -> tuple[str | Path, ...]:
    first = {"id": "a", "title": "A", "milestone": "Phase 1 - Ground"}
    second = {"id": "b", "title": "B", "milestone": "Phase 2: Roof", "depends_on": ["a"]}
    tasks = write_tasks(folder / "phases.json", first, second)
    return "build", tasks, "--repo", repository, "--mark-phases", "--check", "build:ok=true", *shell(WRITES)


def history(repository: Path, form: str = "%s") -> list[str]:
    branch = git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/buildwright/")
    return git(repository, "log", f"--format={form}", f"main..{branch}").splitlines()


def test_each_phase_ends_with_a_commit_that_says_so(program: Program, repository: Path, tmp_path: Path) -> None:
    line = phases(tmp_path, repository)
    ended = program(*line, "--author", "Kim <kim@example.org>")
    assert ended.code == 0, ended.err
    assert "Phase 1 - Ground is marked as complete by commit" in ended.out + ended.err
    assert history(repository) == DONE
    trees = history(repository, "%T")
    assert (trees[0], trees[2]) == (trees[1], trees[3])
    assert set(history(repository, "%an")) == {"Kim"}
    assert all(history(repository, "%(trailers:key=Buildwright-Build,valueonly)")[::2])
    bundle = program("evidence", "--out", tmp_path / "ev", "--json").object["bundle"]
    verified = program("verify", bundle, "--repo", repository)
    assert verified.code == 0, verified.err


@pytest.mark.parametrize(
    "point",
    ["perform.AuditPhase.after:1", "perform.MarkPhase.before:1", "perform.MarkPhase.after:1", "workspace.land.after:2"],
)
def test_a_phase_is_marked_once_whenever_the_process_is_killed(
    program: Program, repository: Path, tmp_path: Path, point: str
) -> None:
    line = phases(tmp_path, repository)
    assert program(*line, BUILDWRIGHT_FAILPOINT=point).code == -9
    ended = program(*line)
    assert ended.code == 0, ended.err
    assert history(repository) == DONE
    kinds = [event["type"] for event in program("events", "newest").lines]
    assert (kinds.count("phase.marked"), kinds.count("change.landed")) == (2, 2)


def test_without_an_audit_nothing_could_be_marked(program: Program, repository: Path, tmp_path: Path) -> None:
    refused = program(*phases(tmp_path, repository), "--no-audit")
    assert refused.code == 2
    assert "leave out --mark-phases" in refused.err
