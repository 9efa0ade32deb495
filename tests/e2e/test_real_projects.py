"""The main job on real input: releases of open-source projects, twenty changes and more to each, every agent, kill -9.

`make test` asks for a sample of the changes, `make real` for all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest

from tests.e2e.real_projects import agent as agent_script
from tests.e2e.real_projects.change import Change, cassette, orders, planned, task_list
from tests.e2e.real_projects.project import PROJECTS as WHOLE
from tests.e2e.real_projects.project import SUITE, Project, fetch, files_of, make_repository

pytestmark = [pytest.mark.real_input, pytest.mark.timeout(600)]
SOURCE = Path(__file__).parents[2] / "src"
BRANCH = "made"
FULL = os.environ.get("BUILDWRIGHT_PROOFS") == "full"
"""Whether every agent builds every project whole (`make real`); else a sample of the smallest, and the other is killed once."""
PROJECTS = WHOLE if FULL else tuple(project.sampled() for project in WHOLE)


@pytest.fixture(scope="module")
def archives() -> dict[str, Path]:
    """Filled as projects are asked for: one download each."""
    return {}


@dataclass
class Site:
    """A repository of a project's release, what is to be built on it, and a home of Buildwright's own."""

    project: Project
    folder: Path
    base: dict[str, str]

    @property
    def repository(self) -> Path:
        return self.folder / "target"

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def talk(self) -> Path:
        """What all the processes wrote to stderr."""
        return self.folder / "said.txt"

    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """`python -m buildwright`, as a process."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        own = {"PYTHONPATH": str(SOURCE), "BUILDWRIGHT_HOME": str(self.home), "VIRTUAL_ENV": sys.prefix}
        with self.talk.open("a", encoding="utf-8") as talk:
            return subprocess.Popen(
                [sys.executable, "-m", "buildwright", *map(str, arguments)],
                cwd=self.folder,
                env=kept | own,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=talk,
                text=True,
                encoding="utf-8",
            )

    def build(self, *agent: str | Path) -> subprocess.Popen[str]:
        """Start the build of all the changes."""
        tasks = self.folder / "tasks.json"
        tasks.write_text(json.dumps(task_list(self.project.name, self.project.changes)), encoding="utf-8")
        return self.start(
            *("build", tasks, "--repo", self.repository, *agent, "--check", f"suite={SUITE}"),
            # Conflicts cost attempts, and how many there are depends on what lands first.
            *("--branch", BRANCH, "--sandbox", "none", "--yes", "--json", "--attempts", "6"),
        )

    def by(self, agent: str, thinks: float = 0.0) -> tuple[str | Path, ...]:
        """The options for an agent, with its script written down."""
        script = self.folder / ("orders.json" if agent == "shell" else "cassette.yaml")
        if agent == "shell":
            script.write_text(json.dumps(orders(self.project.changes)), encoding="utf-8")
            return ("--agent", agent, "--agent-command", f"{sys.executable} {agent_script.__file__} {script} {thinks}")
        script.write_text(json.dumps(cassette(self.project.name, self.base, self.project.changes)), encoding="utf-8")
        return ("--agent", agent, "--cassette", script)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.repository, capture_output=True, text=True, check=True)
        return done.stdout

    def checkout(self) -> tuple[str, str, str, bytes]:
        """What a user would notice if anybody touched it."""
        index = (self.repository / ".git" / "index").read_bytes()
        return (
            self.git("status", "--porcelain", "--ignored"),
            self.git("rev-parse", "HEAD"),
            self.git("branch", "--show-current"),
            index,
        )


@pytest.fixture
def site(project: Project, archives: dict[str, Path], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    if project.name not in archives:
        archives[project.name] = fetch(project, tmp_path_factory.mktemp("archives"))
    make_repository(archives[project.name], tmp_path / "target")
    return Site(project, tmp_path, files_of(tmp_path / "target", "HEAD"))


@pytest.mark.parametrize("project", PROJECTS if FULL else PROJECTS[-1:], ids=str)
@pytest.mark.parametrize("agent", ["shell", "direct", "claude"])
def test_every_agent_builds_the_same(site: Site, agent: str) -> None:
    untouched = site.checkout()
    process = site.build(*site.by(agent))
    out, _ = process.communicate(timeout=500)
    assert process.returncode == 0, site.talk.read_text("utf-8")[-4000:]
    assert site.checkout() == untouched
    summary = json.loads(out.splitlines()[-1])
    assert (summary["outcome"], summary["counts"]) == ("succeeded", {"done": len(site.project.changes)})
    journal = _journal(site, summary["id"])
    _check_result(site)
    _check_rounds(site.project.changes, journal)
    tokens = _tokens(journal)
    assert tokens.keys() == (set() if agent == "shell" else {change.id for change in site.project.changes})
    assert all(used > 500 for used in tokens.values()), tokens


@pytest.mark.parametrize(("project", "agent"), list(zip(PROJECTS, ("shell", "claude"), strict=True)), ids=str)
def test_a_build_that_is_killed_goes_on_where_it_was(site: Site, agent: str) -> None:
    untouched = site.checkout()
    options = site.by(agent, thinks=0.3)
    process = site.build(*options)
    assert process.stdout is not None
    seen: Counter[str] = Counter()
    while seen["change.landed"] < len(site.project.changes) // 3:
        seen[json.loads(process.stdout.readline())["type"]] += 1
    process.kill()
    process.communicate()
    assert seen["task.started"] > seen["change.landed"]
    again = site.build(*options)
    out, _ = again.communicate(timeout=500)
    assert again.returncode == 0, site.talk.read_text("utf-8")[-4000:]
    assert "Continuing build" in site.talk.read_text("utf-8")
    journal = _journal(site, json.loads(out.splitlines()[-1])["id"])
    for once in ("agent.finished", "agent.broke", "change.landed"):
        twice = Counter((event["task"], event["attempt"]) for event in journal if event["type"] == once)
        assert not twice or max(twice.values()) == 1, (once, twice)
    assert site.checkout() == untouched
    _check_result(site)


def _journal(site: Site, build: str) -> list[dict[str, Any]]:
    """The journal, which has no gap; when it is read, nothing of the build is left but its home's own files."""
    process = site.start("events", build, "--json")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    journal = [json.loads(line) for line in out.splitlines()]
    assert [event["seq"] for event in journal] == list(range(1, len(journal) + 1))
    assert (journal[0]["type"], journal[-1]["type"]) == ("build.created", "build.finished")
    assert [path for folder in ("lanes", "checkouts") for path in (site.home / folder).iterdir()] == []
    assert _processes(site) == []
    return journal


def _processes(site: Site) -> list[list[str]]:
    """Processes that work in the site's folder or were told of it."""
    left = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = [*(process.info["cmdline"] or ()), process.info["cwd"] or ""]
        if any(str(site.folder) in word for word in words):
            left.append(words)
    return left


def _check_result(site: Site) -> None:
    """The branch has one commit for each task, the planned files, and a suite that passes in a fresh clone."""
    assert set(site.git("branch", "--format=%(refname:short)").split()) == {"main", BRANCH}
    changes = {change.id: change for change in site.project.changes}
    log = site.git(
        "log", "--reverse", "--name-only", "--format=%x00%s%x01%(trailers:only,unfold)%x01", f"main..{BRANCH}"
    )
    order: list[str] = []
    for entry in log.split("\0")[1:]:
        subject, trailers, names = entry.split("\x01")
        task = subject.removeprefix("Task ").partition(":")[0]
        change = changes[task]
        assert subject == f"Task {task}: {change.title}"
        assert f"Buildwright-Task: {task}\n" in trailers, trailers
        assert set(names.split()) == {edit.path for edit in change.edits} | change.files.keys()
        assert set(change.needs) <= set(order), (task, order)
        order.append(task)
    assert sorted(order) == sorted(changes)
    assert files_of(site.repository, BRANCH) == planned(site.base, site.project.changes)
    clone = site.folder / "clone"
    subprocess.run(["git", "clone", "--quiet", "--branch", BRANCH, site.repository, clone], check=True)
    report = site.folder / "report.xml"
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        f"{SUITE} --junitxml={report}", shell=True, cwd=clone, env=environment, check=True, stdout=subprocess.DEVNULL
    )
    (suite,) = ElementTree.parse(report).getroot()
    assert int(suite.attrib["tests"]) == site.project.tests + sum(change.tests for change in changes.values())


def _check_rounds(changes: Sequence[Change], journal: list[dict[str, Any]]) -> None:
    """Attempts were rejected where the changes say so, and nowhere else."""
    rejected = {
        (event["task"], event["attempt"], event["type"])
        for event in journal
        if event["type"] == "merge.conflicted"
        or (event["type"].endswith(".judged") and not all(report["ok"] for report in event["verdict"]["reports"]))
    }
    assert {task for task, _, kind in rejected if kind == "merge.conflicted"} < {one.id for one in changes if one.clash}
    expected = {(change.id, 1, "patch.judged") for change in changes if change.first is not None}
    assert {each for each in rejected if each[2] != "merge.conflicted"} == expected
    assert len(rejected - expected) == 1, rejected
    again = {(event["task"], event["attempt"]) for event in journal if event["type"] == "agent.finished"}
    assert {task for task, attempt in again if attempt > 1} == {task for task, _, _ in rejected}


def _tokens(journal: list[dict[str, Any]]) -> dict[str, int]:
    used: Counter[str] = Counter()
    for event in journal:
        if event["type"] == "tokens.used":
            used[event["task"]] += event.get("input_tokens", 0) + event.get("output_tokens", 0)
    return dict(used)
