"""A build about a part of a monorepo, from the folder that `--repo` names to what is said at its end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Program, shell, write_tasks
from tests.git import git

WORKS = 'cat "$BUILDWRIGHT_PROMPT_FILE" > "$SEEN"; echo new > packages/a/made.txt'
CHECK = """[checks]
own = { command = "test -e here.txt", kind = "other" }
"""


@pytest.fixture
def monorepo(repository: Path) -> Path:
    """Two packages: the checks of the first are its own, those of the second would refuse everything."""
    for name, text in (("a", CHECK), ("b", CHECK.replace("here", "nowhere"))):
        folder = repository / "packages" / name
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "code.py").write_text("x = 1\n")
        (folder / "here.txt").write_text("here\n")
        (folder / "buildwright.toml").write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "Two packages")
    return repository


def test_a_folder_is_built_by_its_own_settings(program: Program, tmp_path: Path, monorepo: Path) -> None:
    tasks = write_tasks(
        tmp_path / "one.json",
        {
            "id": "a",
            "title": "First",
            "files_expected": ["made.txt"],
            "validation": {"command": "test -e made.txt", "expected": "it is there"},
        },
    )
    part = monorepo / "packages" / "a" / "src"
    planned = program("plan", tasks, "--repo", part, "--json").object
    assert planned["checks"] == ["cd packages/a && test -e here.txt"]

    checked = program("check", "--repo", part, "--json")
    assert checked.code == 0, checked.err
    (found,) = checked.object["checks"]
    assert (found["command"], found["source"]) == (planned["checks"][0], "packages/a/buildwright.toml")

    works = WORKS.replace("$SEEN", str(tmp_path / "seen"))
    built = program("build", tasks, "--repo", part, "--json", *shell(works))
    assert built.code == 0, built.err
    assert "this build is about packages/a" in built.err
    summary = built.lines[-1]
    assert program("events", summary["id"]).lines[0]["options"]["part"] == "packages/a"
    assert git(monorepo, "show", f"{summary['delivered'].rpartition('refs/heads/')[2]}:packages/a/made.txt") == "new"
    assert "## The part of the repository\nThis build is about the folder `packages/a`." in (
        tmp_path / "seen"
    ).read_text(encoding="utf-8")
    told = program("why", summary["id"], "a", "--json").object
    assert not told["outside"], "a file that the task names from the part is one that it names"


def test_a_change_outside_of_the_part_is_named_at_the_end(program: Program, tmp_path: Path, monorepo: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    works = "echo new > packages/a/made.txt; echo other > packages/b/made.txt"
    built = program("build", tasks, "--repo", monorepo / "packages" / "a", *shell(works))
    assert built.code == 0, built.err
    said = "Outside of packages/a, the part whose checks judge this build, it changes packages/b/made.txt."
    assert said in built.out.replace("\n", " ")
    assert said in program("status").out.replace("\n", " ")


def test_the_settings_of_a_part_are_protected(program: Program, tmp_path: Path, monorepo: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    works = "echo '[checks]' > packages/a/buildwright.toml"
    words = ("--attempts", "1", "--on-failure", "fail")
    built = program("build", tasks, "--repo", monorepo / "packages" / "a", *words, *shell(works))
    assert built.code == 3
    assert "packages/a/buildwright.toml may not be changed without a person" in built.out.replace("\n", " ")


def test_the_same_command_goes_on_with_the_build_of_a_part(program: Program, tmp_path: Path, monorepo: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    line: tuple[str | Path, ...] = (
        "build",
        tasks,
        "--repo",
        monorepo / "packages" / "a",
        "--attempts",
        "1",
        *shell("false"),
    )
    assert program(*line).code == 4
    assert "Continuing build" in program(*line).err
    assert (
        subprocess.run(["git", "-C", monorepo, "status", "--porcelain"], capture_output=True, check=True).stdout == b""
    )


def test_a_part_that_no_check_judges_is_named(program: Program, tmp_path: Path, repository: Path) -> None:
    made = {
        "package.json": '{"name": "all", "private": true}',
        "packages/a/package.json": '{"name": "a", "version": "1.0.0", "scripts": {"test": "node --test"}}',
        "packages/a/a.test.js": 'require("node:test")("a", () => {});\n',
        "packages/c/package.json": '{"name": "c", "version": "1.0.0"}',
        "packages/c/index.js": "module.exports = 1;\n",
    }
    for path, text in made.items():
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "One part with tests, one without")
    checked = program("check", "--repo", repository)
    assert checked.code == 0, checked.err
    assert "packages/c/ has no tests, and no check judges it." in checked.out
    assert "exited with code 1: a test that must fail ran beside the project's own\n" in checked.err
    named = "no check judges it"
    for path, told in (("packages/a/new.js", False), ("packages/c/index.js", True)):
        tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": path, "files_expected": [path]})
        build = program("build", tasks, "--new", "--repo", repository, *shell(f"echo 'module.exports = 2;' > {path}"))
        assert build.code == 0, build.err
        assert (f"Look at a: packages/c/ has no tests, and {named}" in build.out + build.err) is told
