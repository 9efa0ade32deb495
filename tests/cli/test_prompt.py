"""`prompt` shows, byte for byte, what an agent was told, and before its start what it would be told."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks
from tests.git import git


def told_twice(program: Program, tmp_path: Path, repository: Path) -> str:
    """A build whose first attempt at `a` is refused and whose second passes; each prompt is kept in `tmp_path`."""
    works = (
        f'cp "$BUILDWRIGHT_PROMPT_FILE" "{tmp_path}/$BUILDWRIGHT_TASK_ID.$BUILDWRIGHT_ATTEMPT.md"; '
        'echo "$BUILDWRIGHT_ATTEMPT" > "$BUILDWRIGHT_TASK_ID.txt"'
    )
    (repository / "src/deep").mkdir(parents=True)
    (repository / "AGENTS.md").write_text("# Rules\nBe brief.\n")
    (repository / "CLAUDE.md").write_text("# Rules\nBe brief.\n")
    (repository / "src/AGENTS.md").write_text("Nested: use tabs.\n")
    (repository / "src/deep/CLAUDE.md").write_text("Nearest: use spaces.\n")
    (repository / "other").mkdir()
    (repository / "other/AGENTS.md").write_text("Elsewhere.\n")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "rules")
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "First", "goal": "Write it.", "files_expected": ["a.txt", "src/deep/x.py"]},
        {"id": "b", "title": "Second", "depends_on": ["a"]},
    )
    ended = program(
        "build", tasks, "--repo", repository, "--check", "grep -q 2 a.txt || test ! -e a.txt", "--json", *shell(works)
    )
    return str(ended.lines[-1]["id"])


def test_it_is_what_the_agent_was_told(program: Program, tmp_path: Path, repository: Path) -> None:
    build = told_twice(program, tmp_path, repository)
    sent = (tmp_path / "a.2.md").read_text(encoding="utf-8")
    assert "# Rejected: The previous attempt at this task was judged and rejected." in sent
    shown = program("prompt", build, "a")
    assert (shown.code, shown.out) == (0, sent)
    first = program("prompt", build, "a", "--attempt", "1").out
    assert first == (tmp_path / "a.1.md").read_text(encoding="utf-8") != sent
    view = program("prompt", "newest", "a", "--json").object
    assert (view["attempt"], view["to_come"]) == (2, False)
    assert sum(part["bytes"] + 2 for part in view["parts"]) - 1 + 2 + len(view["feedback"].encode()) == len(
        sent.encode()
    )
    sizes = program("prompt", build, "a", "--sizes").out
    assert f"Attempt 2 at a was told {len(sent.encode()):,} bytes" in sizes
    assert {"conventions", "instructions", "list of files", "feedback"} <= {
        line.rpartition("  ")[2] for line in sizes.splitlines()
    }


def test_the_nearest_conventions_come_first_and_a_copy_is_left_out(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    build = told_twice(program, tmp_path, repository)
    (conventions,) = (
        part["text"]
        for part in program("prompt", build, "a", "--json").object["parts"]
        if part["name"] == "conventions"
    )
    places = [conventions.find(text) for text in ("Nearest: use spaces.", "Nested: use tabs.", "Be brief.")]
    assert -1 not in places
    assert places == sorted(places)
    assert conventions.count("Be brief.") == 1
    assert "Elsewhere." not in conventions


def test_before_its_start_it_is_what_the_agent_would_be_told(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "First"},
        {"id": "b", "title": "Second", "goal": "Go on.", "depends_on": ["a"]},
    )
    works = f'cp "$BUILDWRIGHT_PROMPT_FILE" "{tmp_path}/$BUILDWRIGHT_TASK_ID.md"; echo 1 > "$BUILDWRIGHT_TASK_ID.txt"'
    stopped = program("build", tasks, "--repo", repository, "--no-gates", "--by-hand", "--json", *shell(works))
    build = str(stopped.lines[-1]["id"])
    while "a.txt" not in program("prompt", build, "b").out:  # it has not landed yet, or there is no plan
        assert program("step", build).code in {0, 4}
    view = program("prompt", build, "b", "--json").object
    assert (view["attempt"], view["to_come"]) == (1, True)
    before = program("prompt", build, "b").out
    assert "a.txt" in before
    while not (tmp_path / "b.md").exists():
        assert program("step", build).code in {0, 4}
    assert (tmp_path / "b.md").read_text(encoding="utf-8") == before == program("prompt", build, "b").out


def test_a_task_that_is_not_there_is_said(program: Program, tmp_path: Path, repository: Path) -> None:
    build = told_twice(program, tmp_path, repository)
    late = program("prompt", build, "a", "--attempt", "7")
    assert (late.code, "there was no attempt 7 at a" in late.err) == (2, True)
    none = program("prompt", build, "zebra")
    assert (none.code, "there is no task zebra" in none.err) == (2, True)
    assert git(repository, "status", "--porcelain") == ""
