"""Commands that the program prints can be typed: their verbs and options exist, and what is next really works."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest

from buildwright.cli.app import make_app
from buildwright.cli.verbs import VERBS
from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.cli.test_docs import BELOW, options_of
from tests.git import git
from tests.starter import SOURCE

NAMES = "|".join(verb.name for verb in VERBS)
COMMAND = re.compile(rf"(?<![\w./-])buildwright ((?:{NAMES})\b[^`\n;|]*)")


def printed() -> Iterator[tuple[str, list[str]]]:
    """Every command in a text of the program (not in its docstrings): its place and its words, `X` for what is filled in."""
    for file in sorted((SOURCE / "buildwright").rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        inner = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        for node in ast.walk(tree):
            text = ""
            if isinstance(node, ast.JoinedStr):
                text = "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents | inner:
                text = node.value
            for found in COMMAND.finditer(text):
                yield f"{file.name}:{node.lineno}", [word.strip("'\"`,.;:()") for word in found[1].split()]  # type: ignore[attr-defined]


def test_every_command_that_is_printed_has_a_verb_and_options_that_exist() -> None:
    app, seen = make_app(), 0
    for place, (verb, *words) in printed():
        if verb in BELOW and words[:1] == ["X"]:
            continue  # which of its verbs is known when it is printed
        path = [verb, *([words[0]] if verb in BELOW and words and (words[0],) in BELOW[verb] else [])]
        assert verb not in BELOW or path[1:] or not words or words[0].startswith("--"), f"{place}: {verb} {words}"
        known = set(options_of(app, *path)) | {"--help"}
        for word in words:
            option = re.match(r"--[a-z][a-z-]*", word)
            if option is not None:
                seen += 1
                assert option[0] in known, f"{place}: buildwright {' '.join(path)} has no {option[0]}"
    assert seen > 20


def type_in(program: Program, command: str) -> subprocess.CompletedProcess[str]:
    """Give a shell the command as it was printed; it was started as `python -m buildwright`."""
    typed = re.sub(r"^(BUILDWRIGHT_HOME=\S+ )?\S*python[\d.]* -m", rf"\1{shlex.quote(sys.executable)} -m", command)
    return subprocess.run(
        ["sh", "-c", typed],
        cwd=program.directory,
        env=program.environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def commands_of(program: Program) -> list[str]:
    """What `status` says to type next: of a paused build each of its choices."""
    view = program("status", "--json").object
    return [view["next"], *(choice["command"] for choice in (view["pause"] or {"choices": ()})["choices"])]


@pytest.mark.parametrize(
    ("agent", "more", "reason"),
    [
        ("false", ("--no-gates", "--attempts", "1"), "failure"),
        (WRITES, ("--check", "test:slow=sleep 2", "--gate-time", "1"), "base"),
        (f"sleep 1; {WRITES}", ("--no-gates", "--phase-time", "0.5"), "phase"),
        (WRITES, (), "base"),
        (WRITES, ("--no-gates",), ""),
        ("false", ("--no-gates", "--attempts", "1", "--on-failure", "fail"), ""),
    ],
    ids=["failed task", "limit of a check", "limit of a phase", "nothing to check with", "done", "failed"],
)
def test_what_is_next_works_as_it_is_printed(
    program: Program, repository: Path, tmp_path: Path, agent: str, more: tuple[str, ...], reason: str
) -> None:
    two = write_tasks(tmp_path / "two.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B", "depends_on": ["a"]})
    program("build", two, "--repo", repository, *shell(agent, *more))
    view = program("status", "--json").object
    assert (view["pause"] or {"reason": ""})["reason"] == reason
    for command in dict.fromkeys(commands_of(program)):
        if program("status", "--json").object["pause"] is None and " resume " in command:
            continue  # a choice before it has ended the pause
        done = type_in(program, command)
        assert done.returncode in {0, 1, 3, 4, 5}, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Usage" not in done.stderr
    assert git(repository, "status", "--porcelain") == ""


CASSETTE = """\
version: 1
model: claude-sonnet-5-5
turns:
  - when: {task: plan, tool: final_result_diagnosis}
    reply: {json: {cause: the tool frob is not installed, advice: [{task: a, text: do without frob}], ask_person: true}}
  - when: {task: a}
    reply: {files: {a.txt: "a\\n"}}
    usage: {input: 1000000, output: 1000}
  - when: {task: b}
    reply: {files: {b.txt: "b\\n"}}
"""
Fields: TypeAlias = dict[str, object]


class Place:
    """Where a build pauses: the program, its repository, and a folder for what else it takes."""

    def __init__(self, program: Program, repository: Path, folder: Path) -> None:
        self.program, self.repository, self.folder = program, repository, folder
        self.model = folder / "model.yaml"
        self.model.write_text(CASSETTE, "utf-8")

    def build(self, *more: str | Path, first: Fields = {}, second: Fields = {"depends_on": ["a"]}) -> None:  # noqa: B006  never changed
        """Start the build of two tasks, and leave it as it ends."""
        tasks = write_tasks(
            self.folder / "two.json", {"id": "a", "title": "A"} | first, {"id": "b", "title": "B"} | second
        )
        self.program("build", tasks, "--repo", self.repository, *more)


def _budget(place: Place) -> None:
    place.build("--cassette", place.model, "--no-gates", "--sandbox", "none", "--max-cost", "0.50")


def _audit(place: Place) -> None:
    contract = f"{WRITES}; printf '# Phases\\n\\n## Phase 2\\n\\nGET /health\\n' > phases.md"
    place.build(
        *shell(contract, "--check", "build:ok=true"), first={"milestone": "Phase 1"}, second={"milestone": "Phase 2"}
    )


def _taken_branch(place: Place) -> None:
    git(place.repository, "checkout", "-q", "-b", "taken")
    git(place.repository, "commit", "-q", "--allow-empty", "-m", "Theirs")
    git(place.repository, "checkout", "-q", "main")
    place.build(*shell(WRITES, "--no-gates", "--branch", "taken"))


def _refused_push(place: Place) -> None:
    remote = place.folder / "remote.git"
    git(place.folder, "init", "-q", "--bare", str(remote))
    hook = remote / "hooks" / "update"
    hook.write_text("#!/bin/sh\necho closed for today >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    place.build(*shell(WRITES, "--no-gates", "--push", str(remote), "--branch", "made"))


def _undo(place: Place) -> None:
    shared: Fields = {"files_expected": ["shared.txt"]}
    place.build(*shell('echo "$BUILDWRIGHT_TASK_ID" >> shared.txt', "--no-gates"), first=shared, second=shared)
    place.program("task", "undo", "newest", "a")
    place.program("run", "newest")


def _stuck(place: Place) -> None:
    place.build(*shell("echo no such tool; exit 3", "--no-gates", "--stuck-after", "2", "--cassette", str(place.model)))


@pytest.mark.parametrize(
    ("leave", "reason"),
    [
        (_budget, "budget"),
        (_audit, "audit"),
        (_taken_branch, "delivery"),
        (_refused_push, "delivery"),
        (_stuck, "stuck"),
        (_undo, "undo"),
    ],
    ids=["budget", "audit", "taken branch", "refused push", "stuck", "undo"],
)
def test_each_choice_of_a_pause_works_as_it_is_printed(
    program: Program, repository: Path, tmp_path: Path, leave: Callable[[Place], None], reason: str
) -> None:
    leave(Place(program, repository, tmp_path))
    pause = program("status", "--json").object["pause"]
    assert (pause or {"reason": None})["reason"] == reason
    told = program("status").out
    commands = dict.fromkeys(commands_of(program))
    for command in commands:
        assert command in told
    kept = {folder: tmp_path / f"kept-{folder.name}" for folder in (program.home, repository)}
    for folder, copy in kept.items():
        shutil.copytree(folder, copy, symlinks=True)
    for command in commands:
        done = type_in(program, command)
        assert done.returncode in {0, 1, 3, 4, 5}, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        answers = [event["type"] for event in program("events", "newest").lines]
        assert {"build.resumed", "stop.requested"} & set(answers), command
        for folder, copy in kept.items():
            shutil.rmtree(folder)
            shutil.copytree(copy, folder, symlinks=True)
