"""What a user meets when things break: kill -9, a full disk, git that is not there, agents that fail and are talked to."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from tests.cli.conftest import Program, shell, write_tasks

EIGHT = [{"id": f"t{n}", "title": f"Task {n}", "depends_on": [f"t{n - 2}"] if n > 2 else []} for n in range(1, 9)]


def git(repository: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=T", "-c", "user.email=t@example.invalid", "-C", str(repository), *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def delivered(repository: Path) -> str:
    """The one branch that builds have made."""
    (name,) = git(repository, "branch", "--list", "--format=%(refname:short)", "buildwright/*").splitlines()
    return name


def events(program: Program) -> list[dict[str, Any]]:
    """The journal of the newest build."""
    ended = program("events", program("status", "--json").object["id"])
    assert ended.code == 0, ended.err
    return ended.lines


def processes_with(word: str) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if word in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def left_behind(home: Path) -> list[str]:
    """Lanes, checkouts and lock files; the folders they stand in do not count."""
    inside = [path for name in ("lanes", "checkouts", "scratch") for path in (home / name).glob("*/*")]
    return sorted(str(path) for path in [*inside, *home.rglob("*.lock")])


def test_killed_again_and_again_a_build_ends_as_if_undisturbed(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    calm_repository = tmp_path / "calm"
    subprocess.run(["git", "clone", "-q", str(repository), str(calm_repository)], check=True)
    tasks = write_tasks(tmp_path / "eight.json", *EIGHT)
    ledger = tmp_path / "ledger"
    trap = f"sleep 86400.{os.getpid()}"
    # Each agent leaves a process in a session of its own, without its parent: the hardest to find again.
    command = (
        f"(setsid {trap} >/dev/null 2>&1 &); echo $BUILDWRIGHT_TASK_ID/$BUILDWRIGHT_ATTEMPT >> {ledger}; sleep 0.4;"
        ' echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"'
    )
    words = (*shell(command), "--check", "sleep 0.2; ls t*.txt")

    calm = program("build", tasks, "--repo", calm_repository, *words, BUILDWRIGHT_HOME=str(tmp_path / "calm-home"))
    assert calm.code == 0, calm.err
    wanted = git(calm_repository, "rev-parse", f"{delivered(calm_repository)}^{{tree}}")

    dice = random.Random(20)
    kills = 0
    for _ in range(8):
        living = program.start("build", tasks, "--repo", repository, *words)
        try:
            living.communicate(timeout=dice.uniform(0.3, 1.7))
        except subprocess.TimeoutExpired:
            living.send_signal(signal.SIGKILL)
            living.communicate()
            kills += 1
        if git(repository, "branch", "--list", "buildwright/*"):
            break
    last = program("build", tasks, "--repo", repository, *words) if kills == 8 else None
    assert kills >= 3, "the build was over before it could be killed"
    assert last is None or (last.code == 0 and "Going on with build" in last.err)

    assert git(repository, "rev-parse", f"{delivered(repository)}^{{tree}}") == wanted
    journal = events(program)
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    for kind in ("agent.finished", "patch.judged", "change.landed", "task.started"):
        counts = Counter((event["task"], event["attempt"]) for event in journal if event["type"] == kind)
        assert set(counts.values()) == {1}, f"{kind}: {counts}"
    attempts = Counter(ledger.read_text().split())
    assert {name for name in attempts if not name.endswith("/1")} == set(), "a kill costs no attempt"
    assert left_behind(program.home) == []
    assert processes_with(trap) == []
    assert git(repository, "status", "--porcelain") == ""
