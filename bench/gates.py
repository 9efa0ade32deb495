"""What the gates add to a task beyond running the project's own checks once. Changes nothing of yours.

python -m bench.gates [--rounds N] [--files N]

The patch touches no test, so it is judged once. In turns, on a repository of 20 files and one of 5,000: the project's
own command alone in a fresh checkout, and every gate on the same tree. Printed are the processor time of both with that
of their children, their ratio, and the wall time that the gates add.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from bench.machine import load, machine
from buildwright.core.limits import Options
from buildwright.core.patch import FileChange, Patch
from buildwright.core.task import Task
from buildwright.gates import gates
from buildwright.ports import Gate, Judged
from buildwright.sandbox import NoSandbox

TESTS = 40
"""Test functions of a file; each works for a moment, as a small project's tests do."""
_TEST = "def test_{n}():\n    assert sorted(range(20_000, 0, -1))[{n}] == {n} + 1\n\n\n"
_GOAL = "Add a function twice(value) that returns the value times two."


class Cost(NamedTuple):
    """Processor time of this process and its children, and wall time, in seconds."""

    cpu: float
    wall: float


class Project(NamedTuple):
    """A repository with a base and a patched tree."""

    folder: Path
    base: str
    tree: str


def git(folder: Path, *words: str) -> str:
    """Run git in a folder and return what it prints."""
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_project(folder: Path, files: int) -> Project:
    """Make a Python project of about that many files, and a commit that adds a function to one of them."""
    folder.mkdir()
    for number in range(files - 5):
        package = folder / "src" / f"part{number // 100}"
        package.mkdir(parents=True, exist_ok=True)
        (package / f"module{number}.py").write_text(f"def value{number}():\n    return {number}\n" * 5)
    (folder / "pyproject.toml").write_text('[project]\nname = "sample"\nversion = "1"\n')
    (folder / "src" / "calc.py").write_text("def add(a, b):\n    return a + b\n")
    tests = folder / "tests"
    tests.mkdir()
    body = "".join(_TEST.format(n=n) for n in range(TESTS))
    (tests / "test_calc.py").write_text(
        f"from calc import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n\n\n{body}"
    )
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "base")
    base = git(folder, "rev-parse", "HEAD^{tree}")
    with (folder / "src" / "calc.py").open("a") as file:
        file.write("\n\ndef twice(value):\n    return add(value, value)\n")
    git(folder, "commit", "-q", "-a", "-m", "change")
    return Project(folder, base, git(folder, "rev-parse", "HEAD^{tree}"))


def fill(repository: Path, tree: str, folder: Path) -> None:
    """Write a tree's files to a folder."""
    index = {**os.environ, "GIT_INDEX_FILE": f"{folder}.index"}
    for words in (["read-tree", tree], ["checkout-index", "-a", f"--prefix={folder}/"]):
        subprocess.run(["git", *words], cwd=repository, env=index, check=True)


def file_of(repository: Path, name: str) -> bytes | None:
    """Return what a revision and path name in a repository, None when there is no such file."""
    found = subprocess.run(["git", "show", name], cwd=repository, capture_output=True, check=False)
    return found.stdout if found.returncode == 0 else None


def run_alone(where: Path, path: str) -> None:
    """Run the project's own command in a checkout, as a person would."""
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(where / "src")}
    command = ["sh", "-c", "python -m pytest -q -p no:cacheprovider"]
    subprocess.run(command, cwd=where, env=environment, check=True, capture_output=True)


def checkouts(project: Project, scratch: Path) -> Callable[[str], AbstractAsyncContextManager[Path]]:
    """Return what yields a fresh checkout of a tree."""

    @asynccontextmanager
    async def checkout(tree: str) -> AsyncIterator[Path]:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            fill(project.folder, tree, Path(folder))
            yield Path(folder)

    return checkout


async def judge_all(made: tuple[Gate, ...], judged: Judged) -> None:
    """Run every gate. Raises RuntimeError when one refuses: then nothing was measured."""
    for gate in made:
        for one in await gate.judge(judged):
            if not one.report.ok:
                raise RuntimeError(f"{gate.name} refused: {one.report.findings}")


def spent() -> float:
    """Return the processor time of this process and of its children that have ended, in seconds."""
    used = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


async def measure(files: int, rounds: int, scratch: Path) -> tuple[list[Cost], list[Cost]]:
    """Return the costs of the command alone and of the gates, one of each a round, after one that is not counted."""
    project = make_project(scratch / f"project{files}", files)
    checkout = checkouts(project, scratch)
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    made = gates(NoSandbox(), path, scratch / f"home{files}" / "setups")

    async def read_base(name: str) -> bytes | None:
        return file_of(project.folder, f"{project.base}:{name}")

    patch = Patch(
        base_tree=project.base,
        tree=project.tree,
        changes=(FileChange(path="src/calc.py", kind="modified", mode="100644", old_mode="100644"),),
    )
    task = Task(id="twice", title="Add twice", goal=_GOAL)
    alone: list[Cost] = []
    judged: list[Cost] = []
    for number in range(rounds + 1):
        async with checkout(project.tree) as where:
            began, cpu = time.perf_counter(), spent()
            run_alone(where, path)
            cost_alone = Cost(spent() - cpu, time.perf_counter() - began)
        async with checkout(project.tree) as where:
            began, cpu = time.perf_counter(), spent()
            what = Judged(
                "bench", task, project.tree, patch, where, Options(),
                base_tree=project.base, checkout=checkout, read_base=read_base,
            )  # fmt: skip
            await judge_all(made, what)
            cost_judged = Cost(spent() - cpu, time.perf_counter() - began)
        if number:  # the first round fills caches: the baseline, compiled rules
            alone.append(cost_alone)
            judged.append(cost_judged)
    return alone, judged


def main() -> None:
    """Print a line for each size of repository."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, nargs="*", default=[20, 5000])
    asked = parser.parse_args()
    print(machine(Path(tempfile.gettempdir())))
    for files in asked.files:
        with tempfile.TemporaryDirectory() as folder:
            alone, judged = asyncio.run(measure(files, asked.rounds, Path(folder)))
        cpu = statistics.median(one.cpu for one in judged) / statistics.median(one.cpu for one in alone)
        added = statistics.median(one.wall for one in judged) - statistics.median(one.wall for one in alone)
        print(
            f"{files:>6,} files: checks alone {statistics.median(one.cpu for one in alone):.2f} s CPU,"
            f" with all gates {statistics.median(one.cpu for one in judged):.2f} s: {cpu:.2f}x;"
            f" the gates add {added * 1000:.0f} ms; load {load()}"
        )


if __name__ == "__main__":
    main()
