"""The demo: what a newcomer types first."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from buildwright.agents.acp_agents import KNOWN_AGENTS
from buildwright.core.agents import KNOWN, PROGRAMS
from tests.agents.installed import FULL, names, programs
from tests.cli.conftest import Program


def test_the_demo_builds_what_it_promises(program: Program, tmp_path: Path) -> None:
    place = tmp_path / "sample"
    ended = program("demo", "--dir", place, "--json")
    assert ended.code == 0, ended.err
    assert "scripted" in ended.err.splitlines()[0]
    assert "Everything else is real" in ended.err
    assert "passes the project's own tests. Ran " in ended.err
    assert "Models were chosen by complexity: 9 tasks began with middle, 2 tasks began with small." in ended.err
    assert "period went from middle to large: an attempt failed with middle." in ended.err
    assert "Lessons: period taught one, and " in ended.err
    *events, summary = ended.lines
    assert summary["estimated"]["estimate"]["basis"] == "prices"
    assert (summary["outcome"], summary["counts"]) == ("succeeded", {"done": summary["total"]})
    assert summary["total"] >= 8
    kinds = [event["type"] for event in events]
    assert "merge.conflicted" in kinds
    assert any(task["attempt"] > 1 for task in summary["tasks"])
    branch = summary["delivered"].removeprefix("refs/heads/")
    log = subprocess.run(["git", "log", "--oneline", branch], cwd=place, capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == summary["total"] + 1


def test_the_demo_overwrites_nothing(program: Program, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    ended = program("demo", "--dir", tmp_path)
    assert ended.code == 2
    assert "not an empty folder" in ended.err


BY_PROTOCOL = tuple(f"acp:{known.command}" for known in KNOWN_AGENTS)
WRITERS = (*(name for name in names(PROGRAMS) if FULL or name == "codex"), *(BY_PROTOCOL if FULL else ()))


@pytest.mark.parametrize("agent", WRITERS)
def test_the_demo_is_written_by_any_agent(program: Program, tmp_path: Path, agent: str) -> None:
    program.patience = 600
    installed = programs(agent.removeprefix("acp:").partition(" ")[0])
    path = f"{installed}{os.pathsep}{os.environ['PATH']}"
    ended = program("demo", "--agent", agent, "--dir", tmp_path / "sample", "--json", PATH=path)
    assert ended.code == 0, ended.err
    assert "passes the project's own tests. Ran " in ended.err


def test_the_demo_refuses_an_agent_that_asks_no_model(program: Program) -> None:
    ended = program("demo", "--agent", "shell")
    assert ended.code == 2
    assert "choose one of direct, claude, codex" in ended.err


def test_the_doctor_lists_the_agents_that_start_in_the_sandbox(program: Program) -> None:
    path = f"{programs('codex')}{os.pathsep}{os.environ['PATH']}"
    ended = program("doctor", "--agents", "--json", PATH=path)
    agents = {agent["name"]: agent for agent in ended.lines[0]["agents"]}
    assert tuple(agents) == (*KNOWN, *BY_PROTOCOL)
    assert [agents[name]["trouble"] for name in ("direct", "shell", "claude")] == ["", "", ""]
    assert agents["claude"]["protocols"] == ["anthropic"]
    assert (agents["codex"]["resumes"], agents["codex"]["told"]) == (True, "after its turn, and continues")
    assert all(agents[name]["install"] for name in (*PROGRAMS, *BY_PROTOCOL))
    for name in ("codex", "gemini", "acp:gemini --acp"):
        assert (agents[name]["version"], agents[name]["trouble"]) == (agents[name]["tried"], "")
        assert agents[name]["found"].endswith(f"/{name.removeprefix('acp:').partition(' ')[0]}")
    # Also of one that is not here, as the guide says of all.
    assert all(agents[name]["resumes"] for name in BY_PROTOCOL)


def test_the_doctor_says_what_an_agent_asks_for_and_may_not_reach(program: Program, tmp_path: Path) -> None:
    agent = tmp_path / "bin" / "pi"
    agent.parent.mkdir()
    agent.write_text("#!/bin/sh\ncurl -sS https://far.invalid/ 2>&1; echo 1.2.3\n")
    agent.chmod(0o755)
    path = f"{agent.parent}{os.pathsep}{os.environ['PATH']}"
    agents = {one["name"]: one for one in program("doctor", "--agents", "--json", PATH=path).lines[0]["agents"]}
    assert (agents["pi"]["version"], agents["pi"]["asked"]) == ("1.2.3", ["far.invalid:443"])
    assert agents["shell"]["asked"] == []
    assert "asked for far.invalid:443, which it may not reach" in program("doctor", "--agents", PATH=path).out
