"""`check` as typed: what it finds, what it says of the base, and that what passed costs once, also for a build."""

from __future__ import annotations

import json
import shutil
import sys
import venv
from pathlib import Path

import pytest

from buildwright.cli.quick_check import IN_FILES, CheckOptions
from buildwright.core.limits import file_keys
from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.git import git

PASSES = "import unittest\n\n\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(1, 1)\n"


def commit(repository: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (repository / name).write_text(text, encoding="utf-8")
    git(repository, "add", "-A")
    git(repository, "commit", "-qm", "more")


def test_what_passed_costs_once_for_check_and_build(program: Program, repository: Path, tmp_path: Path) -> None:
    commit(repository, {"test_a.py": PASSES})
    command = "test:ok=python3 -m unittest -q"
    given = ("--repo", repository, "--check", command, "--sandbox", "none")
    first = program("check", *given, "--json")
    assert first.code == 0, first.err
    assert (first.object["ready"], first.object["kept"]) == (True, False)
    assert [(one["name"], one["source"]) for one in first.object["checks"]] == [("ok", "--check")]
    second = program("check", *given, "--json")
    assert (second.code, second.object["kept"]) == (0, True)
    assert {**second.object, "kept": False} == first.object
    traced = program("check", *given, PYTHONPROFILEIMPORTTIME="1")
    assert "buildwright.kept_verdicts" in traced.err
    heavy = ("asyncio", "cyclopts", "pydantic", "tempfile", "sqlalchemy")
    assert [name for name in heavy if f" {name}\n" in traced.err] == [], "a kept answer needs none of these"
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    built = program("build", tasks, "--repo", repository, *shell(WRITES), "--check", command)
    assert built.code == 0, built.err
    assert "the same tree passed before" in program("logs", "").out


def test_a_kept_answer_is_told_quickly_whatever_files_of_options_count(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    """By the same options as the verb itself reads: typed ones go before the project's, those before the user's own."""
    (repository / "part").mkdir()
    commit(repository, {"part/test_a.py": PASSES, "part/pyproject.toml": "", "buildwright.toml": "gate_time = 90\n"})
    own = tmp_path / "settings" / "buildwright" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('gate_time = 70\nsandbox = "none"\nbranch = "of-the-user"\n')

    def asked(*more: str) -> tuple[bool, bool]:
        """Whether the answer was kept, and whether it was told without reading all that the verb knows."""
        given = ("check", "--repo", "part", *more, "--json")
        program.directory = repository
        ended = program(*given, PYTHONPROFILEIMPORTTIME="1", XDG_CONFIG_HOME=str(tmp_path / "settings"))
        assert ended.code == 0, ended.err
        return ended.object["kept"], " cyclopts\n" not in ended.err

    assert asked() == (False, False)
    assert asked() == (True, True)
    assert asked("--gate-time=90", "--branch", "of-the-user") == (True, True), "as the files say"
    assert asked("--gate-time", "70") == (False, False), "the project's word goes before the user's"
    assert asked("--sandbox", "auto") == (False, False)
    assert asked("--check=test:t=true", "--check", "test:u=true") == (False, False)
    assert asked("--check", "test:t=true", "--check=test:u=true") == (True, True)
    assert asked("--check", "test:u=true", "--check=test:t=true") == (False, False)
    assert asked("--verbose", "--base=HEAD") == (True, True)
    assert asked("--verbose=true") == (True, False), "what is written otherwise is read by the verb"
    own.write_text('sandbox = "none"\n')
    assert asked() == (False, False), "another file may say otherwise"
    (repository / "buildwright.toml").write_text("gate_tiem = 90\n")
    wrong = program("check", "--repo", "part", XDG_CONFIG_HOME=str(tmp_path / "settings"))
    assert (wrong.code, "gate_tiem" in wrong.err) == (78, True), wrong.err
    twice = program("check", "--repo", "part", "--repo", "part")
    assert (twice.code, twice.out) == (2, "")


def test_the_quick_answer_reads_those_options_of_files_that_the_verb_reads() -> None:
    project, own = ({key for key, option in file_keys(of_user).items() if option} for of_user in (False, True))
    assert set(CheckOptions._fields) & (project | own) == IN_FILES


def test_what_refuses_it_is_shown_with_its_last_lines_and_is_not_kept(program: Program, repository: Path) -> None:
    commit(repository, {"test_a.py": PASSES.replace("1, 1", "3, 4")})
    for _ in range(2):
        refused = program("check", "--repo", repository)
        assert refused.code == 3, refused.err
        assert "AssertionError: 3 != 4" in refused.out
        assert "Not ready: a build would pause here" in refused.out
        assert "--accept-base pytest" in refused.err or "--accept-base unittest" in refused.err


def test_what_was_found_and_from_where_is_said(program: Program, repository: Path) -> None:
    manifest = '[tool.pytest.ini_options]\naddopts = "-q"\n'
    commit(repository, {"pyproject.toml": manifest, "test_a.py": PASSES, ".python-version": "3.12\n"})
    found = program("check", "--repo", repository, "--setup", "printf %s '\nof two lines'")
    assert found.code == 0, found.err + found.out
    assert "printf %s ' of two lines'  [--setup]" in found.out
    assert "[pyproject.toml]" in found.out
    assert ".python-version: 3.12" in found.out
    assert "Python of the checks: /" in found.out


def test_nothing_to_check_with_is_refused_before_anything_is_paid_for(program: Program, repository: Path) -> None:
    refused = program("check", "--repo", repository)
    assert refused.code == 3
    assert "Checks: none found" in refused.out
    assert "checks.none" in refused.out
    assert "--accept-base checks.none" in refused.err


def test_of_many_findings_the_first_are_shown_and_the_others_counted(program: Program, repository: Path) -> None:
    lint = "lint:style=for n in $(seq 1 25); do echo a.py:$n:1: F401 unused; done; exit 1"
    refused = program("check", "--repo", repository, "--check", lint, "--sandbox", "none")
    assert refused.out.count("unused [ruff.F401") == 20
    assert "and 5 more: --json has them all" in refused.out
    assert "--accept-base style" in refused.err


def test_the_environment_of_the_repository_is_named(program: Program, repository: Path) -> None:
    commit(repository, {"test_a.py": PASSES, ".gitignore": ".venv/\n"})
    python = repository / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (repository / ".venv" / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    found = program("check", "--repo", repository, "--json").object
    assert found["interpreter_why"] == ".venv of the repository"


def test_a_part_is_judged_on_its_own_environment_which_its_fix_names(program: Program, repository: Path) -> None:
    (repository / "backend").mkdir()
    tests = "import only_in_backend\n\ndef test_a() -> None:\n    assert only_in_backend.VALUE == 1\n"
    commit(repository, {"backend/pyproject.toml": "", "backend/test_a.py": tests, ".gitignore": ".venv/\n"})
    place = repository / "backend" / ".venv"
    venv.create(place, symlinks=True)
    (packages,) = place.glob("lib/python3*/site-packages")
    here = Path(pytest.__file__).parents[1]
    for name in ("pytest", "_pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        shutil.copytree(here / name, packages / name)
    shutil.copy(here / "py.py", packages)
    refused = program("check", "--repo", repository)
    assert refused.code == 3
    assert f"{place}/bin/python" in refused.out.partition("fix:")[2]
    (packages / "only_in_backend.py").write_text("VALUE = 1\n")
    found = program("check", "--repo", repository, "--json")
    assert (found.code, found.object["checks"][0]["name"]) == (0, "pytest (backend)"), found.err
    assert f"{place}/bin/python -m pytest -q" in found.object["checks"][0]["command"]


@pytest.mark.parametrize("given", [("--base", "nosuch"), ("--repo", "/nowhere/at/all")])
def test_what_cannot_be_looked_at_is_an_error(program: Program, repository: Path, given: tuple[str, str]) -> None:
    refused = program("check", "--repo", repository, *given)
    assert refused.code not in {0, 3}
    assert "fix:" in refused.err


def test_tests_of_one_side_are_shown_and_left_out_for_changes_of_the_other(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    scripts = {
        "test": "node --test unit.test.js",
        "test:api": "node --test api.test.js",
        "test:ui": "node --test ui.test.js",
    }
    test = 'require("node:test").test("it", () => {});\n'
    files = dict.fromkeys(("unit.test.js", "api.test.js", "ui.test.js"), test)
    commit(repository, {"package.json": json.dumps({"name": "x", "scripts": scripts}), **files})
    found = program("check", "--repo", repository)
    assert found.code == 0, found.err + found.out
    assert "npm test:api (test): npm run test:api  [package.json; of its API]" in found.out
    assert "npm test:ui: passed, 1 test\n" in found.out
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "files_expected": ["frontend/a.js"]})
    writes = "mkdir frontend; echo 'module.exports = 1;' > frontend/a.js"
    built = program("build", tasks, "--repo", repository, *shell(writes))
    assert built.code == 0, built.err
    said = program("gates", "newest", "a").out
    assert "the change touches only its pages, and these tests are of its API" in said
    assert "these tests are of its pages" not in said


@pytest.mark.parametrize(
    ("branch", "words"),
    [("a..b", "a..b"), ("main", "checked out"), ("main/x", "stands in the way"), ("free/one", "")],
)
def test_a_branch_that_cannot_be_made_is_found_before_the_start(
    program: Program, repository: Path, branch: str, words: str
) -> None:
    commit(repository, {"test_a.py": PASSES})
    done = program("check", "--repo", repository, "--branch", branch)
    assert (done.code == 0) == (not words), done.err
    assert words in done.err
    assert not words or "fix:" in done.err


def test_a_default_branch_that_cannot_be_made_is_found_too(program: Program, repository: Path) -> None:
    commit(repository, {"test_a.py": PASSES})
    git(repository, "branch", "buildwright")
    done = program("check", "--repo", repository)
    assert done.code != 0
    assert "The branch buildwright stands in the way" in done.err


def test_set_up_is_lent_the_settings_of_package_managers(program: Program, repository: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings"
    settings.write_text("registry=http://127.0.0.1:9/\n//127.0.0.1:9/:_authToken=token-of-ours\n")
    mine = {"NPM_CONFIG_USERCONFIG": str(settings)}
    commit(repository, {"test_a.py": PASSES})
    look = ("check", "--repo", repository, "--setup", "cat ~/.npmrc")
    assert program(*look, **mine).code == 3
    lent = program(*look, "--package-settings", "--verbose", **mine)
    assert lent.code == 0, lent.out
    assert "_authToken=[secret]" in lent.err
    assert "token-of-ours" not in lent.err + lent.out


def test_a_package_whose_install_script_fails_is_told_as_a_warning(program: Program, repository: Path) -> None:
    package = {
        "name": "app",
        "version": "1.0.0",
        "scripts": {"test": "node --test"},
        "dependencies": {"bad": "file:bad"},
    }
    bad = {"name": "bad", "version": "1.0.0", "scripts": {"install": "echo needs a header; exit 1"}}
    lock = {
        "name": "app",
        "version": "1.0.0",
        "lockfileVersion": 3,
        "packages": {
            "": {"name": "app", "version": "1.0.0", "dependencies": {"bad": "file:bad"}},
            "bad": {"version": "1.0.0", "hasInstallScript": True},
            "node_modules/bad": {"resolved": "bad", "link": True},
        },
    }
    (repository / "bad").mkdir()
    given = {"package.json": package, "bad/package.json": bad, "package-lock.json": lock}
    files = {name: json.dumps(data, indent=2) for name, data in given.items()}
    commit(repository, files | {".gitignore": "node_modules\n", "a.test.js": 'require("node:test")("a", () => {});\n'})
    found = program("check", "--repo", repository)
    assert found.code == 0, found.err + found.out
    assert "setup: passed, 1 warning\n  `npm rebuild" in found.out
    assert "\n  needs a header\n" in found.out
    assert "npm test: passed, 1 test\n" in found.out
