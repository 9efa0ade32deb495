"""How long `buildwright` takes to be there: help, status, the first task of a build; and its memory. Changes nothing of yours.

python -m bench.startup
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.measure import ROOT, STATE, RunFailed

PROGRAM = (sys.executable, "-m", "buildwright")
FIRST_TASK_LIMIT = 60.0


def _once(argv: tuple[str, ...], environment: dict[str, str], cwd: Path) -> tuple[float, int]:
    """Seconds and largest memory (bytes) of one run. Raises RunFailed when it does not end well."""
    output = STATE / "output"
    with output.open("wb") as sink:
        began = time.perf_counter()
        process = subprocess.Popen(argv, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RunFailed(
            f"{' '.join(argv)}: exit code {process.returncode}: {output.read_text(errors='replace')[-1500:]}"
        )
    return seconds, _bytes(usage)


def _bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * 1024


def _small_build(folder: Path) -> tuple[Path, Path]:
    """A task list with one task, and a repository for it."""
    repository = folder / "repository"
    repository.mkdir()
    (repository / "README.md").write_text("A small repository.\n")
    git = ("git", "-C", str(repository), "-c", "user.name=b", "-c", "user.email=b@localhost")
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "Start"], check=True)
    tasks = folder / "tasks.json"
    tasks.write_text(
        json.dumps({"title": "One task", "tasks": [{"id": "one", "title": "Write the time", "goal": "Write the time"}]})
    )
    return tasks, repository


def measure_all(times: int) -> dict[str, Any]:
    """Medians over `times` runs, after one that is not counted. A part that fails is named under `failures`."""
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    try:
        return _measure_all(times, {**os.environ, "BUILDWRIGHT_HOME": str(STATE / "home"), "NO_COLOR": "1"})
    except RunFailed as problem:
        return {"times": times, "failures": [f"a build to look at: {problem}"]}
    finally:
        shutil.rmtree(STATE, ignore_errors=True)


def _measure_all(times: int, environment: dict[str, str]) -> dict[str, Any]:
    tasks, repository = _small_build(STATE)
    # A build of a hundred tasks, so that `status` has something to show.
    _once(
        (sys.executable, "-m", "bench.buildwright_core", "size", "--n", "100", "--state", str(STATE)), environment, ROOT
    )
    # The lane may be gone when the build ends, so the agent's only act is to write the time into a file that is delivered.
    agent = "date +%s.%N > started.txt"
    build = (
        *(*PROGRAM, "build", str(tasks), "--repo", str(repository)),
        *("--agent", "shell", "--agent-command", agent, "--check", "true"),
    )
    found: dict[str, Any] = {"times": times, "failures": []}

    def first_task() -> tuple[float, int]:
        branches = _branches(repository)
        spawned = time.time()
        _, memory = _once(build, environment, STATE)
        fresh = sorted(_branches(repository) - branches)
        if not fresh:
            raise RunFailed("the build delivered no branch")
        shown = subprocess.run(
            ["git", "-C", str(repository), "show", f"{fresh[0]}:started.txt"],
            capture_output=True,
            text=True,
            check=True,
        )
        return float(shown.stdout) - spawned, memory

    parts: dict[str, Callable[[], tuple[float, int]]] = {
        "status": lambda: _once((*PROGRAM, "status"), environment, STATE),
        "help": lambda: _once((*PROGRAM, "--help"), environment, STATE),
        "python": lambda: _once((sys.executable, "-c", "pass"), environment, STATE),
        "first_task": first_task,
    }
    for name, part in parts.items():
        try:
            part()
            rows = [part() for _ in range(times)]
        except (RunFailed, subprocess.CalledProcessError, ValueError) as problem:
            found["failures"].append(f"{name}: {problem}")
            continue
        seconds = [row[0] for row in rows]
        found[name] = {
            "seconds": statistics.median(seconds),
            "least": min(seconds),
            "most": max(seconds),
            "peak_rss_bytes": max(row[1] for row in rows),
        }
    return found


def _branches(repository: Path) -> set[str]:
    done = subprocess.run(
        ["git", "-C", str(repository), "for-each-ref", "--format=%(refname)", "refs/heads"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


if __name__ == "__main__":
    print(json.dumps(measure_all(7), indent=1))
