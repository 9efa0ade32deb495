"""Buildwright as a contestant: one build of the whole course, by its command line."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from bench.measure import RunFailed
from bench.orchestrator.contest import ATTEMPTS, BRANCH, Outcome, Site, git, tree_of

PROGRAM = (sys.executable, "-P", "-m", "buildwright")
MOST_PAUSES = 2_000


class Buildwright:
    """Everything at its defaults but what the work itself says: agents at once, attempts, the command of the tests."""

    name = "buildwright"

    def run(self, site: Site) -> Outcome:
        """See `contest.Contestant`."""
        tasks = [
            {"id": task.id, "title": task.name[:100], "goal": site.goal(task.id), "depends_on": list(task.depends_on)}
            for task in site.course.tasks
        ]
        listed = site.folder / "tasks.json"
        listed.write_text(json.dumps({"title": site.course.project, "tasks": tasks}), encoding="utf-8")
        return _Run(site, listed).outcome()


class _Run:
    """One build, however often its process is killed."""

    def __init__(self, site: Site, listed: Path) -> None:
        self._site = site
        self._said = site.folder / "said.txt"
        self._environment = site.environment() | {
            # What is shown in a box of the machine's programs are the folders of the PATH.
            "PATH": f"{site.agent.parent}{os.pathsep}{site.environment()['PATH']}",
            "BUILDWRIGHT_HOME": str(site.folder / "state"),
        }
        agent = shlex.join(["python", str(site.agent)])
        self._first = [
            *(
                *PROGRAM,
                "build",
                str(listed),
                "--repo",
                str(site.repository),
                "--yes",
                "--json",
            ),
            *("--agent", "shell", "--agent-command", agent, "--attempts", str(ATTEMPTS), "--branch", BRANCH),
            *("--concurrency", str(site.rules.agents_at_once), "--check", f"test:tests={site.course.check}"),
            *(("--setup", site.setup) if site.setup else ()),
        ]

    def outcome(self) -> Outcome:
        began, kills, pauses = time.time(), [], 0
        words = self._first
        while pauses <= MOST_PAUSES:
            if self._is_killed(words, began):
                kills.append(time.time())
                words = [*PROGRAM, "run", "newest", "--json"]
            elif self._told("status", "newest", "--json")["control"] == "paused":
                pauses += 1
                words = [*PROGRAM, "resume", "newest", "--skip", "--json"]
            else:
                break
        seconds = time.time() - began
        told = self._told("status", "newest", "--json")
        done = frozenset(one["id"] for one in told["tasks"] if one["phase"] == "done")
        commits = git(
            self._site.repository,
            "log",
            "--format=%(trailers:key=Buildwright-Task,valueonly)",
            f"main..{BRANCH}",
            check=False,
        )
        names = [line for line in commits.splitlines() if line]
        return Outcome(
            done,
            self._refused(),
            tree_of(self._site.repository, BRANCH, self._site.folder),
            len(names) - len(set(names)),
            seconds,
            tuple(kills),
        )

    def _is_killed(self, words: list[str], began: float) -> bool:
        """Run a command to its end; return whether it was killed instead. Raises RunFailed after the longest time."""
        rules = self._site.rules
        with self._said.open("ab") as said:
            process = subprocess.Popen(
                words,
                cwd=self._site.repository,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        left = rules.longest - (time.time() - began)
        try:
            process.wait(min(left, rules.kill_every) if rules.kill_every else left)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if time.time() - began >= rules.longest:
                raise RunFailed(f"the build took more than {rules.longest:.0f} s") from None
            return True
        return False

    def _told(self, *words: str) -> dict[str, Any]:
        done = subprocess.run([*PROGRAM, *words], env=self._environment, capture_output=True, text=True, check=False)
        with contextlib.suppress(ValueError):
            found: dict[str, Any] = json.loads(done.stdout)
            if "control" in found:
                return found
        said = self._said.read_text(encoding="utf-8", errors="replace")
        raise RunFailed(f"{words}: {done.stdout[-500:]}{done.stderr[-500:]}\n{said[-1000:]}")

    def _refused(self) -> dict[str, tuple[str, ...]]:
        """Return the gates that refused each task's attempts, of the lines that the build printed."""
        found: dict[str, dict[int, str]] = defaultdict(dict)
        for line in self._said.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("{"):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    _note(json.loads(line), found)
        return {
            task: tuple(gates.get(number, "") for number in range(1, max(gates) + 1)) for task, gates in found.items()
        }


def _note(event: dict[str, Any], found: dict[str, dict[int, str]]) -> None:
    """Put down what refused an attempt, by the name that its report has."""
    kind, data = event.get("type"), event.get("data", event)
    if kind in {"patch.judged", "merge.judged"}:
        refused = [report["gate"] for report in data["verdict"]["reports"] if not report["ok"]]
        if refused:
            found[data["task"]][data["attempt"]] = refused[0]
    elif kind == "agent.broke":
        found[data["task"]][data["attempt"]] = f"agent: {data['kind']}"
    elif kind == "merge.conflicted":
        found[data["task"]][data["attempt"]] = "merge"
