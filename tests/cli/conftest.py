"""The program as a user starts it: a process of its own, in a home and a repository of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.amount import FULL
from tests.forges.served import Hosted, forge
from tests.git import git
from tests.starter import Started, Starter, as_in_a_terminal, plain_environment

Process = subprocess.Popen[str] | Started
"""A program that runs; what both can do is the same."""
WRITES = 'echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"'
"""An agent's command that adds one file named after its task."""


@dataclass
class Ended:
    """How a run of the program ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def object(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        (line,) = self.out.splitlines()
        loaded: dict[str, Any] = json.loads(line)
        return loaded


@dataclass
class Program:
    """Starts `python -m buildwright`, by the starter where that makes no difference."""

    home: Path
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    patience: float = 180
    """Seconds that a run may take."""
    starter: Starter | None = None
    """What starts it faster, None for a Python of its own."""

    def __call__(self, *arguments: str | Path, **environment: str) -> Ended:
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=self.patience)
        return Ended(process.wait(), out, err)

    def start(self, *arguments: str | Path, **environment: str) -> Process:
        """Start it and do not wait."""
        words, whole = [*map(str, arguments)], self.environment | environment
        if self.starter is not None and self.starter.can(whole):
            return self.starter.start(words, self.directory, whole)
        return subprocess.Popen(
            [sys.executable, "-m", "buildwright", *words],
            cwd=self.directory,
            env=whole,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            preexec_fn=as_in_a_terminal,  # noqa: PLW1509  it only sets signals
        )


@pytest.fixture
def program(tmp_path: Path, starter: Starter) -> Program:
    directory = tmp_path / "work"
    directory.mkdir()
    home = tmp_path / "home"
    environment = plain_environment() | {"BUILDWRIGHT_HOME": str(home)}
    return Program(home, directory, environment, starter=None if FULL else starter)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository with one commit."""
    path = tmp_path / "target"
    path.mkdir()
    (path / "README.md").write_text("# Target\n", encoding="utf-8")
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-q", "-m", "Start")):
        subprocess.run(["git", *command], cwd=path, check=True, capture_output=True)
    return path


def write_tasks(path: Path, *tasks: Mapping[str, object], title: str = "Sample") -> Path:
    """A complete task list in our own form."""
    path.write_text(json.dumps({"title": title, "tasks": tasks}), encoding="utf-8")
    return path


@pytest.fixture
def three(tmp_path: Path) -> Path:
    """A list of three tasks; two need the first."""
    return write_tasks(
        tmp_path / "tasks.json",
        {"id": "a", "title": "First", "goal": "sleep 0.01"},
        {"id": "b", "title": "Second", "goal": "sleep 0.01", "depends_on": ["a"]},
        {"id": "c", "title": "Third", "goal": "sleep 0.01", "depends_on": ["a"]},
    )


def shell(command: str, *more: str) -> tuple[str, ...]:
    """Options for a build by the shell agent, without walls and without gates found from the repository."""
    return ("--agent", "shell", "--agent-command", command, "--sandbox", "none", *more)


@pytest.fixture
def kind() -> str:
    """The forge of `hosted`."""
    return "github"


@pytest.fixture
def hosted(kind: str, tmp_path: Path, repository: Path, program: Program) -> Iterator[Hosted]:
    """A forge whose repository is `origin` of the user's, with the base on it; the program knows it."""
    with forge(kind, tmp_path / "hosted") as here:
        git(repository, "push", "-q", str(here.folder), "main")
        git(repository, "remote", "add", "origin", here.remote)
        program.environment |= here.environment
        yield here
