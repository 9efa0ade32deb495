"""Who made the commits of a build, and how their messages end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.git import git

NOBODY = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def newest(repository: Path, form: str) -> str:
    branch = git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/buildwright/")
    return git(repository, "log", "-1", f"--format={form}", branch)


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "one.json", {"id": "a", "title": "First", "goal": "Write a.txt."})


def test_the_user_is_author_and_committer_as_git_has_it(program: Program, repository: Path, one: Path) -> None:
    git(repository, "config", "user.name", "Pat Ünal")
    git(repository, "config", "user.email", "pat@example.org")
    line: tuple[str | Path, ...] = ("build", one, "--repo", repository, "--no-gates", *shell(WRITES))
    assert program(*line, **NOBODY).code == 0
    assert newest(repository, "%an <%ae> / %cn <%ce>") == "Pat Ünal <pat@example.org> / Pat Ünal <pat@example.org>"


def test_without_a_name_in_git_the_commits_are_by_the_program(program: Program, repository: Path, one: Path) -> None:
    line: tuple[str | Path, ...] = ("build", one, "--repo", repository, "--no-gates", *shell(WRITES))
    assert program(*line, **NOBODY).code == 0
    assert newest(repository, "%an") == "Buildwright"
    refused = program(*line, "--new", "--sign-off", **NOBODY)
    assert refused.code == 78
    assert "--author" in refused.err


def test_an_author_a_sign_off_and_trailers_can_be_given(program: Program, repository: Path, one: Path) -> None:
    who, also = "Kim Lee <kim@example.org>", "Co-authored-by: A Robot <robot@example.org>"
    given = ("--author", who, "--sign-off", "--trailer", also)
    ended = program("build", one, "--repo", repository, "--no-gates", *given, *shell(WRITES), **NOBODY)
    assert ended.code == 0, ended.err
    assert newest(repository, "%an <%ae>") == who
    assert newest(repository, "%(trailers)").splitlines()[-2:] == [also, f"Signed-off-by: {who}"]


@pytest.mark.parametrize("given", [("--author", "Kim"), ("--author", "K <a b>"), ("--trailer", "no key")])
def test_what_git_could_not_read_is_refused(
    program: Program, repository: Path, one: Path, given: tuple[str, ...]
) -> None:
    refused = program("build", one, "--repo", repository, *given, *shell(WRITES))
    assert refused.code == 2
    assert given[0] in refused.err


def test_the_same_command_goes_on_with_the_same_build(program: Program, repository: Path, tmp_path: Path) -> None:
    git(repository, "config", "user.name", "Pat")
    git(repository, "config", "user.email", "pat@example.org")
    two = write_tasks(tmp_path / "two.json", {"id": "a", "title": "First", "goal": "Write a.txt."})
    line: tuple[str | Path, ...] = (
        "build",
        two,
        "--repo",
        repository,
        "--no-gates",
        "--attempts",
        "1",
        *shell("exit 1"),
    )
    assert program(*line, **NOBODY).code == 4
    assert "Continuing build" in program(*line, **NOBODY).err
