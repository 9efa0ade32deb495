"""The memory of the engine beside agents that run: a build of sixteen tasks, all of them in the hands of agents at once.

python -m bench.crew

The agents are processes in bubblewrap (`shell`), then conversations in the engine's own process (`direct`), which play a
cassette slowly. What the agents' own processes take is their makers' affair and is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import yaml

from bench.machine import load
from bench.measure import ROOT, RunFailed

AGENTS = 16
MOST_BYTES = 150_000_000
"""What the engine may have in memory beside them."""
_PATIENCE = 300.0
_SETTLED_SECONDS = 3.0
_WORDS = "word " * 4000


def _prepare(folder: Path) -> tuple[Path, Path, Path]:
    """A repository, a task list and a cassette whose answers take a quarter of an hour."""
    repository, tasks, cassette = folder / "repository", folder / "tasks.json", folder / "cassette.yaml"
    repository.mkdir(parents=True)
    (repository / "README.md").write_text("sample\n")
    git = ("git", "-C", str(repository), "-c", "user.name=bench", "-c", "user.email=bench@example.org")
    for words in (("init", "--quiet"), ("add", "."), ("commit", "--quiet", "--message", "first")):
        subprocess.run([*git, *words], check=True)
    names = [f"t{number}" for number in range(AGENTS)]
    tasks.write_text(json.dumps({"tasks": [{"id": name, "title": f"Task {name}"} for name in names]}))
    turns = [{"when": {"task": name}, "reply": {"say": _WORDS}} for name in names]
    cassette.write_text(yaml.safe_dump({"version": 1, "pace": {"tokens_per_second": 5}, "turns": turns}))
    return repository, tasks, cassette


def _measure(folder: Path, agent: str) -> dict[str, int]:
    """The engine's memory, once all agents are at work: resident bytes, and those that no other process shares."""
    repository, tasks, cassette = _prepare(folder)
    mark = f"9{os.getpid()}{time.time_ns() % 10**6}"
    ways = {
        "shell": ("--agent", "shell", "--agent-command", f"sleep {mark}"),
        "direct": ("--agent", "direct", "--cassette", str(cassette)),
    }
    argv = (sys.executable, "-m", "buildwright", "build", str(tasks), "--repo", str(repository), "-j", str(AGENTS))
    more = ("--check", "true", "--task-time", "900", "--json")
    environment = os.environ | {"BUILDWRIGHT_HOME": str(folder / "home")}
    with (folder / "events").open("wb") as events, (folder / "errors").open("wb") as errors:
        process = subprocess.Popen([*argv, *ways[agent], *more], stdout=events, stderr=errors, env=environment)
    try:
        until = time.monotonic() + _PATIENCE
        while _at_work(folder, process.pid, mark if agent == "shell" else "") < AGENTS:
            if process.poll() is not None or time.monotonic() > until:
                told = (folder / "errors").read_text("utf-8", "replace")[-1500:]
                raise RunFailed(f"{AGENTS} agents ({agent}) were never at work at once: {told}")
            time.sleep(0.2)
        time.sleep(_SETTLED_SECONDS)
        about = psutil.Process(process.pid).memory_full_info()
        return {"resident": about.rss, "own": about.uss}
    finally:
        process.terminate()
        process.wait()


def _at_work(folder: Path, engine: int, mark: str) -> int:
    """How many agents are at work: processes with the mark, or conversations that have begun."""
    if not mark:
        return (folder / "events").read_bytes().count(b'"task.started"')
    found = 0
    for process in psutil.Process(engine).children(recursive=True):
        try:
            found += process.cmdline()[:2] == ["sleep", mark]
        except psutil.Error:
            continue
    return found


def measure(state: Path) -> dict[str, Any]:
    """Measure with agents of each kind."""
    found: dict[str, Any] = {"agents": AGENTS, "load": load()}
    for agent in ("shell", "direct"):
        folder = state / agent
        try:
            found[agent] = _measure(folder, agent)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.crew", description="Measure the engine beside agents.")
    parser.add_argument("--state", type=Path, help="as a part of `python -m bench`: no goal is a failure then")
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    found = measure(given.state or ROOT / ".bench" / "crew")
    print(json.dumps({"crew": found}))
    return int(not given.state and any(found[agent]["resident"] > MOST_BYTES for agent in ("shell", "direct")))


if __name__ == "__main__":
    sys.exit(main())
