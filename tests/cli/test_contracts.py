"""Contracts from the command line: made of answers, edited, built from, and what a change makes stale."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from tests.cli.conftest import Program, shell
from tests.cli.test_remote import serving
from tests.git import git

ANSWERS = """title: Calculator
answers:
  - section: product_intent
    text: Exact sums on the command line.
  - section: database_schema
    text: "sums (id, amount numeric)"
  - section: architectural_boundaries
    text: "`core` must not import sqlite3"
  - section: phase_breakdown
    text: |
      Phase 1: Ground: add two numbers in `core/add.py`; keep sums in `store.py`
      Done when: `test -f core/add.py` passes
      Phase 2: Surface: a command in `main.py`
"""
ADD, KEEP, COMMAND = "p1-add-two-numbers-in-core-add-py", "p1-keep-sums-in-store-py", "p2-a-command-in-main-py"
HONEST = "echo 'def add(a, b): return a + b'"
AGENT = """
case "$BUILDWRIGHT_TASK_ID" in
  *add*) mkdir -p core; echo 'def add(a, b): return a + b' > core/add.py;;
  *keep*) echo 'import sqlite3' > store.py;;
  *command*) echo 'from core.add import add' > main.py;;
esac
grep -q 'Exact sums' Forge/Contracts/blueprint.md
"""
BUILD = ("--check", "build:ok=true", *shell(AGENT))


@pytest.fixture
def calculator(program: Program, tmp_path: Path) -> Program:
    """The program with a project that has contracts."""
    program.patience = 240
    (tmp_path / "answers.yaml").write_text(ANSWERS, encoding="utf-8")
    made = program("contracts", "generate", "calc", "--answers", tmp_path / "answers.yaml")
    assert made.code == 0, made.err
    assert len(made.out.splitlines()) == 10
    return program


def delivered(repository: Path) -> str:
    return git(repository, "for-each-ref", "--format=%(refname)", "refs/heads/buildwright/").strip()


def subjects(repository: Path) -> list[str]:
    return git(repository, "log", "--reverse", "--format=%s", f"main..{delivered(repository)}").splitlines()


def test_a_build_runs_from_contracts_phase_by_phase(calculator: Program, repository: Path) -> None:
    ended = calculator("build", "--contracts", "calc", "--repo", repository, *BUILD)
    assert ended.code == 0, ended.err
    assert subjects(repository) == [
        "Contracts: calc",
        f"Task {ADD}: add two numbers in `core/add.py`",
        f"Task {KEEP}: keep sums in `store.py`",
        "forge: Phase 1 complete",
        f"Task {COMMAND}: a command in `main.py`",
        "forge: Phase 2 complete",
    ]
    branch = delivered(repository)
    names = git(repository, "ls-tree", "-r", "--name-only", branch, "Forge/").splitlines()
    assert len(names) == 10
    assert "Forge/Contracts/boundaries.json" in names
    shown = calculator("contracts", "show", "calc", "phases").out
    assert git(repository, "show", f"{branch}:Forge/Contracts/phases.md").strip() == shown.strip()
    assert "blueprint 1" in git(repository, "log", "-1", "--format=%b", f"{branch}~5")
    assert not (repository / "Forge").exists()
    again = calculator("build", "--contracts", "calc", "--repo", repository, *BUILD)
    assert again.code == 0, again.err


def test_comments_are_written_listed_and_resolved(calculator: Program, tmp_path: Path) -> None:
    said = calculator("contracts", "comment", "calc", "schema", "1", "-m", "why sums?")
    assert said.code == 0, said.err
    name = said.out.split()[1]
    assert calculator("contracts", "comment", "calc", "schema", "9999", "-m", "x").code == 2
    listed = calculator("contracts", "comments", "calc")
    assert f"{name}  schema" in listed.out
    assert "why sums?" in listed.out
    assert "On line 1 of version 1." in listed.out
    other = tmp_path / "schema.yaml"
    other.write_text("tables:\n  - name: totals\n", encoding="utf-8")
    assert calculator("contracts", "edit", "calc", "schema", "--file", other).code == 0
    (found,) = calculator("contracts", "comments", "calc", "schema", "--json").object["comments"]
    assert (found["changed_in"], found["line"], found["text"]) == (2, 0, "why sums?")
    assert "has changed in version 2" in calculator("contracts", "comments", "calc").out
    assert calculator("contracts", "resolve", "calc", name).out.strip() == f"Comment {name} is resolved."
    assert (
        calculator("contracts", "comments", "calc").out.strip() == "There is no open comment on the contracts of calc."
    )
    assert "resolved by" in calculator("contracts", "comments", "calc", "--all").out
    assert calculator("contracts", "resolve", "calc", name, "--reopen").out.strip() == f"Comment {name} is open."
    assert calculator("contracts", "resolve", "calc", "none").code == 2


def test_no_agent_may_change_a_contract_nor_cross_a_boundary(calculator: Program, repository: Path) -> None:
    tampering = AGENT + "echo '{\"layers\": []}' > Forge/Contracts/boundaries.json\n"
    crossing = AGENT.replace(HONEST, "printf 'import sqlite3\\ndef add(a, b): return a + b\\n'")
    for command, code in ((tampering, "scope.protected"), (crossing, "boundaries.import")):
        check = ("--check", "build:ok=true", "--attempts", "1", "--on-failure", "fail", "--new", *shell(command))
        ended = calculator("build", "--contracts", "calc", "--repo", repository, *check)
        assert ended.code != 0
        found = json.loads(calculator("gates", "newest", ADD, "--json").out)
        assert code in json.dumps(found)


def test_three_refusals_of_a_phase_pause_the_build_and_findings_reach_the_agent(
    calculator: Program, repository: Path, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    wrong = AGENT.replace(HONEST, "printf 'import sqlite3\\nx = %s\\n' $BUILDWRIGHT_ATTEMPT")
    crossing = f'cat "$BUILDWRIGHT_PROMPT_FILE" >> {seen}\n{wrong}'
    ended = calculator(
        "build", "--contracts", "calc", "--repo", repository, "--check", "build:ok=true", *shell(crossing)
    )
    assert ended.code == 4, (ended.code, ended.out, ended.err)
    shown = calculator("status", "newest", "--json").object
    assert shown["control"] == "paused"
    told = seen.read_text()
    assert told.count(f"# Task {ADD}:") == 3
    assert told.count("core must not import sqlite3.") == 2


def test_changing_a_contract_says_what_is_stale(calculator: Program, repository: Path, tmp_path: Path) -> None:
    assert calculator("contracts", "stale", "calc").out.strip() == "calc has no build that runs from contracts."
    assert calculator("build", "--contracts", "calc", "--repo", repository, *BUILD).code == 0
    assert "Nothing in build" in calculator("contracts", "stale", "calc").out
    text = calculator("contracts", "show", "calc", "phases").out
    changed = tmp_path / "phases.md"
    changed.write_text(text.replace("keep sums in `store.py`", "keep sums and dates in `store.py`"), encoding="utf-8")
    said = calculator("contracts", "edit", "calc", "phases", "--file", changed)
    assert said.code == 0, said.err
    assert "phases is at version 2" in said.out
    assert f"{KEEP}, merged: store.py: phases 1 -> 2" in said.out
    assert ADD not in said.out
    assert f"`BUILDWRIGHT_HOME={calculator.home} " in said.err, "the command can be typed as it stands"
    told = calculator("contracts", "stale", "calc", "--json").object
    assert [(one["task"], one["landed"], one["files"]) for one in told["stale"]] == [(KEEP, True, ["store.py"])]


MENDING = """
case "$BUILDWRIGHT_TASK_ID" in
  *show-dates*) echo 'dates' > dates.py;;
  *keep-sums-and-dates*) grep -q 'Task p1-keep-sums-in-store-py was built from older contracts' "$BUILDWRIGHT_PROMPT_FILE" &&
    echo 'import datetime' >> store.py;;
  *add*) mkdir -p core; echo 'def add(a, b): return a + b' > core/add.py;;
  *keep*) echo 'import sqlite3' > store.py;;
  *command*) echo 'from core.add import add' > main.py;;
esac
"""


def rewrite(calculator: Program, contract: str, old: str, new: str, folder: Path) -> None:
    """Save a contract with other words."""
    text = calculator("contracts", "show", "calc", contract).out
    assert old in text
    changed = folder / "changed"
    changed.write_text(text.replace(old, new), encoding="utf-8")
    saved = calculator("contracts", "edit", "calc", contract, "--file", changed)
    assert saved.code == 0, saved.err
    assert "contracts take calc" in saved.err


def test_a_build_takes_newer_contracts_and_brings_merged_work_up_to_date(
    calculator: Program, repository: Path, tmp_path: Path
) -> None:
    words = ("--check", "build:ok=true", *shell(MENDING))
    assert calculator("build", "--contracts", "calc", "--repo", repository, *words).code == 0
    unchanged = calculator("contracts", "take", "calc")
    assert (unchanged.code, "has the contracts as they are now" in unchanged.err) == (2, True)
    rewrite(calculator, "phases", "- a command in", "- show dates in `dates.py`\n- a command in", tmp_path)
    rewrite(calculator, "phases", "- keep sums in `store.py`", "- keep sums and dates in `store.py`", tmp_path)
    taken = calculator("contracts", "take", "calc")
    assert taken.code == 0, taken.err
    ended = calculator("run")
    assert ended.code == 0, ended.err + ended.out
    first, branch = delivered(repository).splitlines()
    assert branch == f"{first}-again1", "a branch that was delivered only grows"
    told = git(repository, "log", "--reverse", "--format=%s", f"main..{branch}").splitlines()
    assert told[0] == "Contracts: calc"
    assert "phases 3" in git(repository, "log", "-1", "--format=%b", f"{branch}~{len(told) - 1}")
    assert "dates in `store.py`" in git(repository, "show", f"{branch}:Forge/Contracts/phases.md")
    assert git(repository, "show", f"{branch}:store.py") == "import sqlite3\nimport datetime"
    assert git(repository, "show", f"{branch}:dates.py") == "dates"
    assert sum(one.startswith(f"Task {ADD}:") for one in told) == 1
    assert "Nothing in build" in calculator("contracts", "stale", "calc").out
    kinds = [event["type"] for event in calculator("events", "newest").lines]
    assert kinds.count("contracts.changed") == 1


def test_an_edit_is_checked_and_kept_in_versions(calculator: Program, tmp_path: Path) -> None:
    wrong = tmp_path / "schema.yaml"
    wrong.write_text("tables:\n  - name: sums\n    colums: []\n", encoding="utf-8")
    refused = calculator("contracts", "edit", "calc", "schema", "--file", wrong)
    assert refused.code == 2
    assert "schema.yaml:3" in refused.err
    assert "write 'columns'" in refused.err
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/numeric/decimal/' \"$1\"\n", encoding="utf-8")
    editor.chmod(0o755)
    said = calculator("contracts", "edit", "calc", "schema", EDITOR=str(editor), GIT_EDITOR=str(editor))
    assert (said.code, "schema is at version 2" in said.out) == (0, True), said.err
    diff = calculator("contracts", "diff", "calc", "schema").out
    assert '-      - "amount numeric"' in diff
    assert '+      - "amount decimal"' in diff
    shown = calculator("contracts", "show", "calc", "schema", "--sources").out.splitlines()
    assert 'A2          - "id"' in shown
    assert 'edit        - "amount decimal"' in shown
    versions = calculator("contracts", "show", "calc", "schema", "--versions", "--json").object["versions"]
    assert [one["version"] for one in versions] == [2, 1]
    again = calculator("contracts", "generate", "calc", "--answers", tmp_path / "answers.yaml")
    assert "schema stays as you have edited it" in again.out + again.err
    assert "calc is as it was" in again.out


def test_contracts_are_exported_as_a_build_writes_them(calculator: Program) -> None:
    done = calculator("contracts", "export", "calc", "--folder", "docs/plan")
    assert done.code == 0, done.err
    with zipfile.ZipFile(calculator.directory / "calc.zip") as archive:
        assert len(archive.namelist()) == 10
        assert (
            archive.read("docs/plan/Contracts/schema.yaml").decode()
            == calculator("contracts", "show", "calc", "schema").out
        )
    assert calculator("contracts", "export", "calc").code == 2
    refused = calculator("contracts", "export", "calc", "--folder", "../out", "-o", "other.zip")
    assert refused.code == 78
    assert not (calculator.directory / "other.zip").exists()


@pytest.mark.parametrize("folder", ["../out", ".github/workflows"])
def test_a_folder_outside_of_the_repository_is_refused(calculator: Program, repository: Path, folder: str) -> None:
    refused = calculator("build", "--contracts", "calc", "--repo", repository, "--contracts-folder", folder, *BUILD)
    assert refused.code == 78
    assert "name a folder of the repository" in refused.err
    assert calculator("status", "--all", "--json").object["builds"] == []


def test_a_file_in_the_way_of_the_folder_is_told(calculator: Program, repository: Path) -> None:
    (repository / "Forge").symlink_to("/etc")
    git(repository, "add", "Forge")
    git(repository, "-c", "user.name=T", "-c", "user.email=t@e.invalid", "commit", "-qm", "link")
    ended = calculator("build", "--contracts", "calc", "--repo", repository, *BUILD)
    assert ended.code != 0
    assert "Forge is there, and it is not a folder" in ended.out + ended.err
    elsewhere = calculator(
        "build",
        "--contracts",
        "calc",
        "--repo",
        repository,
        "--contracts-folder",
        "plan",
        "--new",
        "--check",
        "build:ok=true",
        *shell(AGENT.replace("Forge/", "plan/")),
    )
    assert elsewhere.code == 0, elsewhere.err


def test_either_a_spec_or_contracts_are_built(calculator: Program, repository: Path, tmp_path: Path) -> None:
    both = calculator("build", tmp_path / "answers.yaml", "--contracts", "calc", "--repo", repository)
    neither = calculator("build", "--repo", repository)
    unknown = calculator("build", "--contracts", "nothing", "--repo", repository)
    assert (both.code, neither.code, unknown.code) == (2, 2, 2)
    assert "give either SPEC" in both.err
    assert "not both" in both.err
    assert "there is nothing to build" in neither.err
    assert "there is no project nothing" in unknown.err


def test_all_of_it_through_a_server(program: Program, repository: Path, tmp_path: Path) -> None:
    (tmp_path / "answers.yaml").write_text(ANSWERS, encoding="utf-8")
    with serving(program) as server:
        there = dict(server.environment)

        def ask(*words: str | Path) -> str:
            ended = program(*words, **there)
            assert ended.code == 0, (words, ended.err)
            return ended.out

        assert "phases is at version 1" in ask("contracts", "generate", "calc", "--answers", tmp_path / "answers.yaml")
        assert "builder_directive" in ask("contracts", "list", "calc")
        (tmp_path / "ui.md").write_text("# UI\n\n## What people see\n\n## States\n", encoding="utf-8")
        assert "ui is at version 2" in ask("contracts", "edit", "calc", "ui", "--file", tmp_path / "ui.md")
        assert "-- " in ask("contracts", "diff", "calc", "ui")
        wrong = program("contracts", "edit", "calc", "phases", "--file", tmp_path / "ui.md", **there)
        assert (wrong.code, "phases.md:3" in wrong.err) == (2, True)
        ask("build", "--contracts", "calc", "--repo", repository, *BUILD)
        assert subjects(repository)[0] == "Contracts: calc"
        assert "Nothing in build" in ask("contracts", "stale", "calc")
        ask("contracts", "export", "calc", "-o", tmp_path / "c.zip")
        assert program("contracts", "list", "other", **there).code == 2


def test_a_model_rewrites_a_paragraph_and_only_yes_saves_it(calculator: Program, tmp_path: Path) -> None:
    cassette = tmp_path / "rewriter.json"
    turn = {"when": {"tool": "final_result_passage"}, "reply": {"json": {"text": "- Sums are exact to the cent."}}}
    cassette.write_text(json.dumps({"version": 1, "turns": [turn]}), encoding="utf-8")
    before = calculator("contracts", "show", "calc", "blueprint").out
    line = 1 + next(at for at, text in enumerate(before.splitlines()) if "Exact sums" in text)
    asked = ("contracts", "rewrite", "calc", "blueprint", str(line), "-m", "say how exact", "--cassette", cassette)
    shown = calculator(*asked)
    assert shown.code == 0, shown.err
    assert "+- Sums are exact to the cent." in shown.out.splitlines()
    assert "--yes saves it" in shown.err
    assert calculator("contracts", "show", "calc", "blueprint").out == before
    saved = calculator(*asked, "--yes")
    assert "blueprint is at version 2" in saved.out
    assert "- Sums are exact to the cent." in calculator("contracts", "show", "calc", "blueprint").out.splitlines()
    none = calculator("contracts", "rewrite", "calc", "blueprint", "two", "-m", "x")
    assert (none.code, "name one as 12" in none.err) == (2, True)
