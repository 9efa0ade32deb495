"""Projects of many kinds at the first try: `check` says the truth, a harmless change lands, a breaking one is refused.

Two of them run always; `make real` runs all, which fetches more and takes a while.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.real_projects.kinds import KINDS, Edit, Kind, Release
from tests.e2e.real_projects.release import unpack
from tests.git import git

pytestmark = [pytest.mark.real_input, pytest.mark.timeout(1800)]
SOURCE = Path(__file__).parents[2] / "src"
IS_FULL = os.environ.get("BUILDWRIGHT_PROOFS") == "full"
_EDITS = """import pathlib, sys
path, old, new = pathlib.Path(sys.argv[1]), *sys.argv[2:]
text = path.read_text("utf-8")
sys.exit("these lines do not stand there once") if text.count(old) != 1 else path.write_text(text.replace(old, new), "utf-8")
"""
UV = Path(sys.executable).with_name("uv")


@dataclass(frozen=True)
class Place:
    """A user's checkout of a project, and the environment they type in."""

    kind: Kind
    folder: Path
    environment: Mapping[str, str]

    @property
    def repository(self) -> Path:
        return self.folder / "project"

    def run(self, command: str) -> None:
        """Do what a user does in the checkout, whose clients know their index. Raises CalledProcessError."""
        environment = {**os.environ, "PATH": self.environment["PATH"]}
        words = ["sh", "-c", command]
        subprocess.run(words, cwd=self.repository, env=environment, check=True, stdout=subprocess.DEVNULL)

    def buildwright(self, *words: str | Path) -> tuple[int, list[dict[str, Any]], str]:
        """Return the exit code, the JSON lines of stdout, and stderr."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "buildwright", *map(str, words), "--json"],
            cwd=self.folder,
            env={**self.environment, "PYTHONPATH": str(SOURCE), "BUILDWRIGHT_HOME": str(self.folder / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr

    def build(self, name: str, edit: Edit) -> tuple[int, list[dict[str, Any]], str]:
        """Build one change, by an agent that does exactly that."""
        tasks = self.folder / f"{name}.json"
        task = {"id": name, "title": f"Change {edit.path}", "goal": f"Reword or change {edit.path}."}
        tasks.write_text(json.dumps({"title": f"A {name} change", "tasks": [task]}), encoding="utf-8")
        # The sandbox shows an agent nothing but its lane and the programs, so that all it needs is in its command.
        command = shlex.join(["python3", "-c", _EDITS, edit.path, edit.old, edit.new])
        return self.buildwright(
            *("build", tasks, "--repo", self.repository, "--agent", "shell", "--agent-command", command),
            *("--branch", name, "--attempts", "1", "--on-failure", "fail", "--gate-time", "600", "--yes"),
        )


@pytest.fixture(params=KINDS if IS_FULL else [kind for kind in KINDS if kind.is_quick], ids=lambda kind: kind.name)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    kind: Kind = request.param
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    made = Place(kind, tmp_path, environment)
    if isinstance(kind.source, Release):
        unpack(kind.source, tmp_path / "release", made.repository)
    else:
        for path, text in kind.source.items():
            file = made.repository / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    made = replace(made, environment={**environment, "PATH": _path(made)})
    for path in kind.ignored:
        (made.repository / path).unlink()
        with (made.repository / ".gitignore").open("a", encoding="utf-8") as ignore:
            ignore.write(f"/{path}\n")
    for command in kind.locks:
        made.run(command)
    git(made.repository, "init", "--quiet")
    git(made.repository, "add", "--all")
    git(made.repository, "commit", "--quiet", "--message", "As released")
    if kind.tag:
        git(made.repository, "tag", kind.tag)
    if kind.python is not None:
        made.run(f"{UV} venv --quiet .venv")
        words = " ".join(kind.python)
        made.run(f"{UV} pip install --quiet --compile-bytecode --python .venv/bin/python {words}" if words else "true")
    return made


def _path(place: Place) -> str:
    """Return the PATH of the user, with the programs that the project needs."""
    folders = []
    for index, package in place.kind.programs.items():
        tools = place.folder / "tools"
        if index == "node":
            subprocess.run(["npm", "install", "--silent", "--prefix", tools, package], check=True)
            folders.append(str(tools / "node_modules" / ".bin"))
        else:
            subprocess.run([UV, "venv", "--quiet", tools], check=True)
            subprocess.run([UV, "pip", "install", "--quiet", "--python", tools / "bin" / "python", package], check=True)
            folders.append(str(tools / "bin"))
    return os.pathsep.join((*folders, place.environment["PATH"]))


def test_the_first_try(place: Place) -> None:
    code, (view,), said = place.buildwright("check", "--repo", place.repository, "--gate-time", "600")
    assert (code, view["reasons"]) == (0, []), said[-4000:]
    assert [check["name"] for check in view["checks"]] == list(place.kind.checks)
    ran = [report["evidence"]["tests"] or 0 for report in view["reports"] if report["evidence"]]
    assert sum(ran) == place.kind.tests
    assert not any("uncommitted" in note for note in view["notes"]), view["notes"]

    code, lines, said = place.build("harmless", place.kind.harmless)
    assert code == 0, said[-4000:]
    assert lines[-1]["outcome"] == "succeeded"
    assert git(place.repository, "diff", "--name-only", "HEAD", "harmless") == place.kind.harmless.path

    code, lines, said = place.build("breaking", place.kind.breaking)
    assert (code, lines[-1]["outcome"]) == (3, "failed"), said[-4000:]
    errors = [
        finding["message"]
        for line in lines
        if line.get("type", "").endswith(".judged")
        for report in line["verdict"]["reports"]
        for finding in report.get("findings", ())
        if finding.get("severity", "error") == "error"
    ]
    for words in place.kind.refused_for:
        assert any(words in message for message in errors), errors
    assert git(place.repository, "status", "--porcelain") == ""
