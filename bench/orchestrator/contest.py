"""What every contestant gets, and what it has to say at the end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from bench.orchestrator import agent
from bench.orchestrator.course import Course, texts, write

BRANCH = "made"
ATTEMPTS = 3
"""Attempts that a task may have."""


class Rules(NamedTuple):
    """How a contestant is to work."""

    agents_at_once: int
    kill_every: float
    """Seconds after which all its processes are killed and it is started again; 0: never."""
    longest: float
    """Seconds after which it is given up."""


class Site(NamedTuple):
    """A repository with the earlier release, the agent, and room for a contestant."""

    folder: Path
    repository: Path
    agent: Path
    """The agent's script; what it needs lies beside it."""
    course: Course
    setup: str
    address: str
    """The address of the agents' model."""
    rules: Rules

    def goal(self, task: str) -> str:
        """Return what an agent is told to do."""
        told = next(one for one in self.course.tasks if one.id == task)
        return f"[task {task}] Bring {told.name} to what the next release has. All tests go on to pass."

    def environment(self) -> dict[str, str]:
        """Return what a contestant starts with: programs, a home of its own, the model."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            "PATH": programs,
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "TMPDIR": str(self.folder / "tmp"),
            "ANTHROPIC_BASE_URL": self.address,
            "ANTHROPIC_API_KEY": "none",
            "GOFLAGS": "-mod=mod",
            "GOPROXY": "off",
        }


class Outcome(NamedTuple):
    """What a contestant says it did, and what there is."""

    done: frozenset[str]
    """Tasks that it calls done."""
    refused: Mapping[str, tuple[str, ...]]
    """For each task the gates (or whatever it calls what refused) of its attempts, in turn, as far as it tells."""
    tree: Mapping[str, str]
    """The files of its result."""
    twice: int
    """Tasks of which its result has more than one commit."""
    seconds: float
    kills: tuple[float, ...] = ()
    """When it was killed, in seconds since the epoch."""


class Contestant(Protocol):
    """One way to have agents do a course."""

    name: str

    def run(self, site: Site) -> Outcome:
        """Do the whole course. Raises RunFailed when it cannot be run at all."""
        ...


def make_site(folder: Path, course: Course, setup: str, address: str, rules: Rules) -> Site:
    """Make the site of one run below a folder that is empty."""
    repository, place = folder / "repository", folder / "agent"
    for made in (repository, place, folder / "home", folder / "tmp"):
        made.mkdir(parents=True)
    write(repository, course.base)
    git(repository, "init", "--quiet", "--initial-branch=main", "--template=")
    git(repository, "config", "user.name", "A developer")
    git(repository, "config", "user.email", "developer@example.org")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message=As released")
    shutil.copy(agent.__file__, place / "agent.py")
    touched = {path for task in course.tasks for change in task.changes.values() for path in change}
    touched |= {path for change in course.elsewhere for path in change}
    told = {
        "base": {path: text for path, text in course.base.items() if path in touched},
        "tasks": {task.id: task.changes for task in course.tasks},
        "elsewhere": course.elsewhere,
    }
    (place / "changes.json").write_text(json.dumps(told), encoding="utf-8")
    return Site(folder, repository, place / "agent.py", course, setup, address, rules)


def tree_of(repository: Path, branch: str, folder: Path) -> dict[str, str]:
    """Return the files of a branch; none when there is no such branch."""
    if not git(repository, "for-each-ref", f"refs/heads/{branch}"):
        return {}
    place = folder / "result"
    shutil.rmtree(place, ignore_errors=True)
    git(repository, "worktree", "add", "--quiet", "--force", "--detach", str(place), branch)
    (place / ".git").unlink()
    found = texts(place)
    shutil.rmtree(place)
    git(repository, "worktree", "prune")
    return found


def git(repository: Path, *arguments: str, check: bool = True) -> str:
    """Run git in a repository and return what it prints. Raises subprocess.CalledProcessError."""
    words, environment = ["git", *arguments], {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(words, cwd=repository, env=environment, check=check, capture_output=True, text=True)
    return done.stdout.strip()
