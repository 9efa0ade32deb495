"""A paused build goes on with other options: nothing is planned or built again for that."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import WRITES, Program, shell, write_tasks


def test_a_base_that_its_checks_refuse_goes_on_with_others(program: Program, repository: Path, tmp_path: Path) -> None:
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})
    built = program("build", one, "--repo", repository, *shell(WRITES, "--check", "hard=false"))
    assert built.code != 0
    assert program("status", "--json").object["pause"]["reason"] == "base"
    resumed = program("resume", "--check", "easy=true", "--attempts", "5", "--branch", "made")
    assert resumed.code == 0, resumed.err
    assert "Changed: --check, --branch, --attempts." in resumed.err
    made = subprocess.run(["git", "show", "made:a.txt"], cwd=repository, capture_output=True, text=True, check=True)
    assert made.stdout == "a\n"
    journal = [event["type"] for event in program("events", "").lines]
    assert (journal.count("base.judged"), journal.count("task.started")) == (2, 1)


def test_a_branch_in_the_way_is_answered_with_another(program: Program, repository: Path, tmp_path: Path) -> None:
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})
    second = f"test $BUILDWRIGHT_ATTEMPT -gt 1 && {WRITES}"
    taken = ("--no-gates", "--attempts", "1", "--branch", "taken")
    assert program("build", one, "--repo", repository, *shell(second, *taken)).code == 4
    subprocess.run(["git", "checkout", "-q", "-b", "taken"], cwd=repository, check=True)
    barred = program("resume", "--retry")
    assert (barred.code, "taken is checked out" in barred.err, "--branch taken-2" in barred.out) == (4, True, True)
    assert program("resume", "--branch", "other").code == 0
    listed = subprocess.run(["git", "branch"], cwd=repository, capture_output=True, text=True, check=True)
    assert "other" in listed.stdout


@pytest.mark.parametrize(
    ("branch", "words"), [("a..b", "cannot be a branch name"), ("main", "checked out"), ("theirs", "not of this build")]
)
def test_a_branch_that_cannot_take_the_result_is_refused_before_anything_is_tried_again(
    program: Program, repository: Path, tmp_path: Path, branch: str, words: str
) -> None:
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})
    assert program("build", one, "--repo", repository, *shell("exit 1", "--no-gates", "--attempts", "1")).code == 4
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    if branch == "theirs":
        for command in (
            ("checkout", "-q", "-b", "theirs"),
            (*who, "commit", "-q", "--allow-empty", "-m", "Other"),
            ("checkout", "-q", "-"),
        ):
            subprocess.run(["git", *command], cwd=repository, check=True)
    refused = program("resume", "--retry", "--branch", branch)
    assert (refused.code not in {0, 4}, words in refused.err, "  fix: " in refused.err) == (True, True, True), (
        refused.err
    )
    assert program("status", "--json").object["pause"]["reason"] == "failure"
    assert [event["type"] for event in program("events", "").lines].count("task.started") == 1


def test_options_out_of_bounds_are_named(program: Program, three: Path) -> None:
    for wrong in (("--attempts", "0"), ("--gate-time", "-1"), ("--check", ""), ("--check", "nix:x=y")):
        refused = program("resume", *wrong)
        assert (refused.code, wrong[0] in refused.err, "  fix: " in refused.err) == (2, True, True), refused.err


def test_a_base_that_has_moved_is_said_when_the_same_build_goes_on(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})
    again: tuple[str | Path, ...] = (
        "build",
        one,
        "--repo",
        repository,
        *shell(WRITES, "--check", "mended=test -e mended"),
    )
    assert program(*again).code != 0
    assert "Its base has moved" not in program(*again).err
    (repository / "mended").write_text("", encoding="utf-8")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for command in (("add", "mended"), (*who, "commit", "-q", "-m", "Mend")):
        subprocess.run(["git", *command], cwd=repository, check=True)
    said = program(*again)
    assert (said.code != 0, "Its base has moved" in said.err, "--new" in said.err) == (True, True, True)
    assert "--rebase" in said.err
    assert program(*again, "--new").code == 0
    first = program("status", "--state", "paused", "--json").object["builds"][0]["build_id"]
    assert program("resume", first, "--rebase", "--branch", "moved").code == 0
