"""Work that did not land, taken out again: `why` lists it, `diff --attempt` writes it, and `git apply` takes it."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks
from tests.git import git

BINARY = r"printf '\000\001\377' > blob.bin"
REFUSED = ("--check", "test ! -e a.txt", "--attempts", "2", "--on-failure", "fail")


def refused_build(program: Program, tmp_path: Path, repository: Path) -> str:
    """A build whose first attempt adds a text and a binary file, whose second adds another text, both refused."""
    works = f'if [ -e "{tmp_path}/once" ]; then echo two > a.txt; else touch "{tmp_path}/once"; {BINARY}; echo one > a.txt; fi'
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    ended = program("build", one, "--repo", repository, *REFUSED, "--json", *shell(works))
    assert ended.code == 3, ended.err
    return str(ended.lines[-1]["id"])


def test_refused_attempts_are_listed_and_taken_out(program: Program, tmp_path: Path, repository: Path) -> None:
    build = refused_build(program, tmp_path, repository)
    told = program("why", build, "a").out
    assert f"diff {build[:8]} a --attempt 1" in told
    assert f"diff {build[:8]} a --attempt 2" in told
    first, second = program("why", build, "a", "--json").object["attempts"]
    assert first["kept"]
    assert first["kept"] != second["kept"]
    assert "test ! -e a.txt" in first["kept_because"]

    patch = tmp_path / "first.patch"
    written = program("diff", build, "a", "--attempt", "1", "--output", patch)
    assert (written.code, written.out) == (0, "")
    assert "git apply" in written.err
    git(repository, "apply", str(patch))
    assert (repository / "a.txt").read_text() == "one\n"
    assert (repository / "blob.bin").read_bytes() == b"\0\1\377"

    piped = program("diff", build, "a", "--attempt", "1").out
    assert piped == patch.read_text(encoding="utf-8")
    shown = program("diff", build, "a", "--attempt", "2", "--json").object
    assert (shown["attempt"], shown["new"]) == (2, second["kept"])
    assert "+two" in shown["diff"]
    assert "GIT binary patch" not in program("diff", build, "a", "--attempt", "1", "--json").object["diff"]

    beside = program("diff", build, "a", "--attempt", "2", "--against", "1")
    assert beside.code == 0, beside.err
    assert "Attempts 1 and 2 at a. They differ in 2 of 2 files." in beside.out
    assert "a.txt (differs)" in beside.out
    assert "  1 +one\n  2 +two" in beside.out
    assert "blob.bin (only attempt 1)\n  It is a binary file." in beside.out
    view = program("diff", build, "a", "--attempt", "2", "--against", "1", "--json").object
    assert [(file["path"], file["match"]) for file in view["files"]] == [
        ("a.txt", "differs"),
        ("blob.bin", "only_left"),
    ]
    assert program("diff", build, "a", "--attempt", "2", "--against", "2").code == 2
    assert program("diff", build, "a", "--against", "2").code == 2


def test_why_answers_when_the_copy_of_the_repository_is_gone(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    build = refused_build(program, tmp_path, repository)
    shutil.rmtree(Path(program.environment["BUILDWRIGHT_HOME"]) / "mirrors")
    told = program("why", build, "a")
    assert told.code == 0, told.err
    assert "It failed after 2 attempts" in told.out
    assert program("diff", build, "a", "--attempt", "1").code != 0


def test_what_cannot_be_taken_out_is_said(program: Program, tmp_path: Path, repository: Path) -> None:
    build = refused_build(program, tmp_path, repository)
    none = program("diff", build, "a", "--attempt", "9")
    assert (none.code, "attempt 9 of a left no change" in none.err, f"why {build[:8]} a" in none.err) == (2, True, True)
    assert program("diff", build, "--attempt", "1").code == 2
    there = tmp_path / "there.patch"
    there.write_text("mine")
    refused = program("diff", build, "a", "--attempt", "1", "-o", there)
    assert (refused.code, there.read_text()) == (2, "mine")


def test_what_an_agent_had_made_when_its_build_was_stopped_is_kept(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    works = f'echo half > half.txt; touch "{tmp_path}/half"; sleep 600'
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    process = program.start("build", one, "--repo", repository, "--no-gates", *shell(works))
    while not (tmp_path / "half").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    build = program("status", "--json").object["id"]
    assert program("stop", build).code == 0
    (attempt,) = program("why", build, "a", "--json").object["attempts"]
    assert (attempt["outcome"], attempt["detail"]) == ("cut short", "the attempt was interrupted")
    assert "+half" in program("diff", build, "a", "--attempt", "1").out
    assert program("prune", "--older-than", "0m", "--keep", "0", "--yes").code == 0
    assert list((program.home / "mirrors").glob("*/refs/buildwright/*")) == []


def test_a_retry_finds_the_work_of_the_attempt_that_is_named(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    seen = tmp_path / "seen"
    works = (
        f'cat "$BUILDWRIGHT_FEEDBACK_FILE" > "{seen}" 2>&1; case "$BUILDWRIGHT_ATTEMPT" in '
        "1) echo one > one.txt; exit 1 ;; 2) echo two > two.txt; exit 1 ;; *) test -e one.txt && echo x > x.txt ;; esac"
    )
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    paused = program("build", one, "--repo", repository, "--no-gates", "--attempts", "2", "--json", *shell(works))
    assert paused.code == 4, paused.err
    build = str(paused.lines[-1]["id"])
    assert program("resume", build, "--from-attempt", "1").code == 2
    none = program("resume", build, "--retry", "--from-attempt", "9")
    assert (none.code, "attempt 9 of a left no change" in none.err) == (2, True)
    done = program("resume", build, "--retry", "--from-attempt", "1", "--json")
    assert done.code == 0, done.err
    branch = f"buildwright/{build[:8]}"
    assert git(repository, "ls-tree", "--name-only", branch).split() == ["README.md", "one.txt", "x.txt"]
    assert "The user has put back what attempt 1 at this task had made" in seen.read_text(encoding="utf-8")
