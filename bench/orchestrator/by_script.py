"""The plain script that a user would write: a worktree for each agent, the project's tests, a merge. Nothing is kept.

Its strict form runs the tests once more on what the merge made, before the branch moves. Killed, it would begin anew.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from bench.measure import RunFailed
from bench.orchestrator.contest import ATTEMPTS, BRANCH, Outcome, Site, git, tree_of
from bench.orchestrator.course import run as run_tests


class PlainScript:
    """Worktrees and tests."""

    def __init__(self, *, strict: bool) -> None:
        self.name = "script-strict" if strict else "script"
        self._strict = strict

    def run(self, site: Site) -> Outcome:
        """See `contest.Contestant`."""
        return _Script(site, strict=self._strict).outcome()


class _Script:
    def __init__(self, site: Site, *, strict: bool) -> None:
        self._site, self._strict = site, strict
        self._merging = threading.Lock()
        self._ready = threading.Condition()
        self._done: set[str] = set()
        self._failed: set[str] = set()
        self._refused: dict[str, list[str]] = {}

    def outcome(self) -> Outcome:
        site, began = self._site, time.time()
        git(site.repository, "branch", BRANCH)
        git(site.repository, "worktree", "add", "--quiet", str(site.folder / "trunk"), BRANCH)
        self._set_up(site.folder / "trunk")
        if site.rules.kill_every:
            raise RunFailed("the plain script does not go on after it was killed")
        begun: list[Future[None]] = []
        with ThreadPoolExecutor(site.rules.agents_at_once) as pool:
            waiting = list(site.course.tasks)
            while waiting:
                with self._ready:
                    ready = [one for one in waiting if set(one.depends_on) <= self._done]
                    hopeless = [one for one in waiting if set(one.depends_on) & self._failed]
                    self._failed |= {one.id for one in hopeless}
                    waiting = [one for one in waiting if one not in ready and one not in hopeless]
                    begun += [pool.submit(self._task, one.id) for one in ready]
                    if waiting and not ready and not hopeless:
                        self._ready.wait()
        for one in begun:
            if error := one.exception():
                raise RunFailed(f"the script broke: {error}") from error
        gates = {task: tuple(found) for task, found in self._refused.items()}
        tree = tree_of(site.repository, BRANCH, site.folder)
        return Outcome(frozenset(self._done), gates, tree, 0, time.time() - began)

    def _set_up(self, place: Path) -> None:
        if self._site.setup:
            environment = self._site.environment()
            subprocess.run(self._site.setup, shell=True, cwd=place, env=environment, check=True, capture_output=True)

    def _task(self, task: str) -> None:
        """Do a task, in as many attempts as it may have, and tell the others."""
        said, is_merged = "", False
        try:
            for attempt in range(1, ATTEMPTS + 1):
                said = self._attempt(task, attempt, said)
                self._refused.setdefault(task, []).append(said.partition("\n")[0])
                is_merged = not said
                if is_merged:
                    break
        finally:
            with self._ready:
                (self._done if is_merged else self._failed).add(task)
                self._ready.notify_all()

    def _attempt(self, task: str, attempt: int, said: str) -> str:
        """Make one attempt; return "" when it is merged, else what refused it and what that printed."""
        site = self._site
        name = f"{task}-{attempt}"
        place = site.folder / "lanes" / name
        git(site.repository, "worktree", "add", "--quiet", "-b", name, str(place), BRANCH)
        self._set_up(place)
        prompt = site.folder / "lanes" / f"{name}.md"
        prompt.write_text(f"{site.goal(task)}\n\n{said}", encoding="utf-8")
        words = [sys.executable, str(site.agent), str(prompt)]
        agent = subprocess.run(words, cwd=place, env=site.environment(), capture_output=True, text=True, check=False)
        if agent.returncode:
            return f"agent\n{agent.stdout}{agent.stderr}"
        git(place, "add", "--all")
        if not git(place, "status", "--porcelain"):
            return "no change\n"
        git(place, "commit", "--quiet", "--message", task)
        tests = run_tests(site.course.check, place)
        if tests.returncode:
            return f"tests\n{tests.stdout[-4000:]}"
        return self._merge(name)

    def _merge(self, name: str) -> str:
        trunk = self._site.folder / "trunk"
        with self._merging:
            before = git(trunk, "rev-parse", "HEAD")
            merge = subprocess.run(
                ["git", "merge", "--quiet", "--no-edit", name], cwd=trunk, capture_output=True, text=True, check=False
            )
            if merge.returncode:
                git(trunk, "merge", "--abort")
                return f"merge\n{merge.stdout}{merge.stderr}"
            if self._strict and (tests := run_tests(self._site.course.check, trunk)).returncode:
                git(trunk, "reset", "--quiet", "--hard", before)
                return f"tests after the merge\n{tests.stdout[-4000:]}"
        return ""
