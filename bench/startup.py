"""How long `buildwright` takes to be there: help, status, `check`, the first task of a build; and its memory.

Changes nothing of yours.

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.measure import ROOT, STATE, RunFailed

PROGRAM = (sys.executable, "-m", "buildwright")
FIRST_TASK_LIMIT = 60.0


class Run(NamedTuple):
    """What one run took. `cpu_seconds` are of the process and of those it waited for."""

    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int


def _once(argv: tuple[str, ...], environment: dict[str, str], cwd: Path) -> Run:
    """Measure one run. Raises RunFailed when it does not end well."""
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
    return Run(seconds, usage.ru_utime + usage.ru_stime, _bytes(usage))


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
    """Measure every part `times` times, in turns, after once that is not counted. Failures are under `failures`."""
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    try:
        environment = {**os.environ, "BUILDWRIGHT_HOME": str(STATE / "home"), "NO_COLOR": "1"}
        with _running(STATE, environment) as running:
            return _measure_all(times, environment, running)
    except RunFailed as problem:
        return {"times": times, "failures": [f"a build to look at: {problem}"]}
    finally:
        shutil.rmtree(STATE, ignore_errors=True)


@contextmanager
def _running(folder: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    """Run a build in a home of its own, and yield the environment of that home."""
    hold, home, tasks = folder / "hold", folder / "running", folder / "running.json"
    hold.touch()
    names = [f"task-{number}" for number in range(100)]
    tasks.write_text(
        json.dumps({"title": "Runs", "tasks": [{"id": name, "title": name, "goal": name} for name in names]})
    )
    there = {**environment, "BUILDWRIGHT_HOME": str(home)}
    agent = f"while [ -e '{hold}' ]; do sleep 0.1; done"
    build = (*PROGRAM, "build", str(tasks), "--no-lanes", "--agent", "shell", "--agent-command", agent, "--json")
    process = subprocess.Popen(build, cwd=folder, env=there, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    try:
        while b'"task.started"' not in (line := process.stdout.readline()):
            if not line:
                raise RunFailed("the build that is to run ended")
        yield there
    finally:
        hold.unlink()
        process.kill()
        process.communicate()


def _measure_all(times: int, environment: dict[str, str], running: dict[str, str]) -> dict[str, Any]:
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

    def first_task() -> Run:
        branches = _branches(repository)
        spawned = time.time()
        run = _once(build, environment, STATE)
        fresh = sorted(_branches(repository) - branches)
        if not fresh:
            raise RunFailed("the build delivered no branch")
        shown = subprocess.run(
            ["git", "-C", str(repository), "show", f"{fresh[0]}:started.txt"],
            capture_output=True,
            text=True,
            check=True,
        )
        return run._replace(seconds=float(shown.stdout) - spawned)

    parts: dict[str, Callable[[], Run]] = {
        "status": lambda: _once((*PROGRAM, "status"), environment, STATE),
        "running": lambda: _once((*PROGRAM, "status"), running, STATE),
        "list": lambda: _once((*PROGRAM, "status", "--all"), environment, STATE),
        "help": lambda: _once((*PROGRAM, "--help"), environment, STATE),
        "build_help": lambda: _once((*PROGRAM, "build", "--help"), environment, STATE),
        "prompt": lambda: _once((*PROGRAM, "status", "--short"), environment, STATE),
        # The first run, which is not counted, judges the repository; the others are told the kept verdict.
        "check": lambda: _once(
            (*PROGRAM, "check", "--repo", str(repository), "--check", "true", "--json"), environment, STATE
        ),
        "python": lambda: _once((sys.executable, "-c", "pass"), environment, STATE),
        "first_task": first_task,
    }
    runs: dict[str, list[Run]] = {name: [] for name in parts}
    for _ in range(times + 1):
        for name in list(runs):
            try:
                runs[name].append(parts[name]())
            except (RunFailed, subprocess.CalledProcessError, ValueError) as problem:
                found["failures"].append(f"{name}: {problem}")
                del runs[name]
    found |= {name: _figures(counted) for name, (_, *counted) in runs.items()}
    for name in ("status", "running", "list", "prompt"):
        if {name, "help"} <= runs.keys():
            found[name]["cpu_of_help"] = found[name]["cpu_seconds"] / found["help"]["cpu_seconds"]
    return found


def _figures(runs: list[Run]) -> dict[str, float]:
    """Median, least and most seconds, the mean of processor seconds, and the largest memory."""
    seconds = [run.seconds for run in runs]
    return {
        "seconds": statistics.median(seconds),
        "least": min(seconds),
        "most": max(seconds),
        "cpu_seconds": statistics.mean(run.cpu_seconds for run in runs),
        "peak_rss_bytes": max(run.peak_rss_bytes for run in runs),
    }


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
