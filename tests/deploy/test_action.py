"""`action.yml`, its steps run as the runner of GitHub Actions runs them: environment files, workflow commands, one shell each."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.cli.conftest import WRITES, Program, write_tasks
from tests.faults.amount import FULL
from tests.forges.served import TOKEN, Hosted, forge
from tests.git import git

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
EXPRESSION = re.compile(r"\$\{\{\s*([\w.-]+)\s*\}\}")
ISSUE = "- [ ] T001 Write `one.txt`\n"


class Ran(NamedTuple):
    """How the steps went, up to the first that failed."""

    code: int
    said: str
    outputs: dict[str, str]
    summary: str


class Runner:
    """Runs the action in a checkout, as actions/checkout leaves one: one commit, and the token in git's settings."""

    def __init__(self, place: Path, hosted: Hosted, program: Program) -> None:
        self.place, self.temporary = place / "checkout", place / "temp"
        self.temporary.mkdir()
        self.environment = {
            **program.environment,
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": hosted.environment["GITHUB_API_URL"],
        }
        self.environment.pop("GITHUB_TOKEN", None)
        git(place, "init", "-q", "-b", "main", str(self.place))
        git(self.place, "remote", "add", "origin", hosted.remote)
        git(self.place, "fetch", "-q", "--depth=1", str(hosted.folder), "main:refs/remotes/origin/main")
        git(self.place, "checkout", "-q", "-B", "main", "refs/remotes/origin/main")

    def run(self, **inputs: str) -> Ran:
        declared = ACTION["inputs"]
        assert inputs.keys() <= declared.keys()
        known = {f"inputs.{name}": self._filled(field["default"], {}) for name, field in declared.items()}
        known |= {f"inputs.{name}": value for name, value in inputs.items()}
        summary, said, code = self.temporary / "summary.md", "", 0
        for number, step in enumerate(ACTION["runs"]["steps"]):
            outputs = self.temporary / f"outputs-{number}"
            files = {"GITHUB_OUTPUT": str(outputs), "GITHUB_STEP_SUMMARY": str(summary)}
            own = {name: self._filled(value, known) for name, value in step["env"].items()}
            ended = subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
                cwd=self.place,
                env={**self.environment, **files, **own},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=300,
            )
            said, code = said + ended.stdout, ended.returncode
            lines = outputs.read_text(encoding="utf-8").splitlines() if outputs.exists() else []
            known |= {
                f"steps.{step['id']}.outputs.{name}": value for name, _, value in (x.partition("=") for x in lines)
            }
            if code:
                break
        given = {name: self._filled(one["value"], known) for name, one in ACTION["outputs"].items()}
        return Ran(code, said, given, summary.read_text(encoding="utf-8") if summary.exists() else "")

    def _filled(self, text: str, known: Mapping[str, str]) -> str:
        """The text with its expressions evaluated; outputs that no step has set are empty."""
        context = {"github.token": TOKEN, "github.action_path": str(ROOT), "runner.temp": str(self.temporary), **known}

        def value(found: re.Match[str]) -> str:
            name = found[1]
            return context.get(name, "") if name.startswith("steps.") else context[name]

        return EXPRESSION.sub(value, text)


@pytest.fixture
def hosted(tmp_path: Path, repository: Path) -> Iterator[Hosted]:
    with forge("github", tmp_path / "hosted") as here:
        write_tasks(
            repository / "tasks.json",
            {"id": "a", "title": "First", "goal": "g"},
            {"id": "b", "title": "B", "goal": "g"},
        )
        git(repository, "add", ".")
        git(repository, "commit", "-q", "-m", "Tasks")
        git(repository, "push", "-q", str(here.folder), "main")
        yield here


@pytest.fixture
def runner(tmp_path: Path, hosted: Hosted, program: Program) -> Runner:
    place = tmp_path / "runner"
    place.mkdir()
    started = place / "buildwright"
    started.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m buildwright "$@"\n')
    started.chmod(0o755)
    return Runner(place, hosted, program)


def built(runner: Runner, command: str, **inputs: str) -> Ran:
    options = f"--agent-command\n{command}\n--check\ntest -f README.md\n--attempts\n1"
    program = str(runner.place.parent / "buildwright")
    return runner.run(**{"agent": "shell", "program": program, "options": options, **inputs})


def test_a_file_becomes_a_pull_request_with_outputs_and_summary(runner: Runner, hosted: Hosted) -> None:
    ran = built(
        runner, f"env > env-$BUILDWRIGHT_TASK_ID.txt; {WRITES}", spec="tasks.json", evidence="proof", branch="made"
    )
    assert ran.code == 0, ran.said
    (pull,) = hosted.pulls
    assert (pull["head"]["ref"], pull["draft"]) == ("made", False)
    assert ran.outputs == {
        "build": ran.outputs["build"],
        "outcome": "succeeded",
        "branch": "made",
        "pull-request": pull["html_url"],
        "cost": "0",
    }
    assert ran.outputs["build"] in pull["body"]
    assert ran.summary.startswith("## Sample: succeeded")
    lines = ran.said.splitlines()
    opened = sum(line.startswith("::group::") for line in lines)
    assert opened == lines.count("::endgroup::") > 2
    assert list((runner.place / "proof").glob("*.html"))
    assert TOKEN not in ran.said + ran.summary + git(hosted.folder, "show", "made:env-a.txt")


def test_what_fails_is_a_red_step_with_an_annotation_and_a_draft_of_the_rest(runner: Runner, hosted: Hosted) -> None:
    ran = built(runner, f'test "$BUILDWRIGHT_TASK_ID" != b && {WRITES}', spec="tasks.json")
    assert ran.code == 1, ran.said
    assert (ran.outputs["outcome"], ran.outputs["pull-request"]) == ("failed", hosted.pulls[0]["html_url"])
    assert hosted.pulls[0]["draft"]
    assert [line for line in ran.said.splitlines() if line.startswith("::error title=b%3A ")]


def test_an_issue_is_built(runner: Runner, hosted: Hosted) -> None:
    hosted.file(12, "One note", ISSUE)
    ran = built(runner, "echo 1 > one.txt", issue="12")
    assert ran.code == 0, ran.said
    assert [pull["title"] for pull in hosted.pulls] == ["One note"]


def test_an_issue_of_somebody_who_may_not_write_is_not_built(runner: Runner, hosted: Hosted) -> None:
    hosted.file(13, "One note", ISSUE, author="eve")
    ran = built(runner, "echo 1 > one.txt", issue="13")
    assert ran.code == 2
    assert "issue 13 is by eve" in ran.said
    assert hosted.writes == []


@pytest.mark.parametrize("inputs", [{}, {"spec": "tasks.json", "issue": "12"}])
def test_one_of_file_and_issue_is_asked_for(runner: Runner, inputs: dict[str, str]) -> None:
    ran = built(runner, "true", **inputs)
    assert (ran.code, ran.outputs["build"]) == (2, "")
    assert "::error title=Buildwright::Give either" in ran.said


def test_inputs_are_no_shell(runner: Runner, hosted: Hosted) -> None:
    """An input reaches the steps by the environment alone: text of an issue or a branch's name runs nothing."""
    assert not [step for step in ACTION["runs"]["steps"] if "${{" in step["run"]]
    ran = built(runner, WRITES, spec="$(touch ran).json; touch ran")
    assert ran.code == 2
    assert not (runner.place / "ran").exists()


if FULL:

    def test_it_installs_itself(runner: Runner, hosted: Hosted, tmp_path: Path) -> None:
        copy = tmp_path / "action"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv", "node_modules", ".git", ".*_cache"))
        given = {"PROGRAM": "", "HERE": str(copy), "GITHUB_OUTPUT": str(tmp_path / "outputs")}
        environment = {**runner.environment, **given}
        subprocess.run([copy / "deploy" / "action" / "install.sh"], env=environment, check=True, timeout=900)
        (line,) = (tmp_path / "outputs").read_text().splitlines()
        program = line.removeprefix("program=")
        ran = built(runner, WRITES, spec="tasks.json", program=program)
        assert ran.code == 0, ran.said
