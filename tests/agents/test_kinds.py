"""Every kind of failure, for every agent, through a whole build: a wrong kind costs attempts, or money.

The answers come from a cassette, so that one row of the table stands for the agents of all protocols.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from buildwright.agents.acp_agents import KNOWN_AGENTS
from buildwright.core.agents import PROGRAMS
from tests.agents.installed import FULL, programs
from tests.agents.test_programs import SHELLS, WRITES
from tests.cli.conftest import Program, program, repository, write_tasks

__all__ = ["program", "repository"]

PATIENCE = 900
"""Seconds that a build may take: an agent that tries again and again waits longer each time."""
pytestmark = pytest.mark.timeout(PATIENCE + 60)

TEXT = "reply: {text: All done.}"


class Case(NamedTuple):
    """What the model answers, and what becomes of it."""

    answer: str
    """The rest of the entry of a cassette; SHELL stands for a call of the agent's tool that runs commands."""
    kind: str
    """That of the failed attempt, or the reason for which the build pauses."""
    told: str = ""
    """Words of the message, where the kind alone does not tell one cause from another."""
    options: tuple[str, ...] = ()


REFUSED = {
    "refused": Case(f"{TEXT}, faults: [{{kind: 400, times: 99}}]", "refused"),
    "refusal": Case("reply: {text: I cannot help with that.}, ends: refused", "refused"),
    "long": Case(f"{TEXT}, faults: [{{kind: 413, times: 99}}]", "context_length"),
}
UNDONE = {
    "cut": Case("reply: {text: 'I begin to'}, ends: output_limit", "output_limit"),
    "nothing": Case(TEXT, "", "changed no file"),
    "asks": Case("reply: {text: 'Which of the two files do you mean?'}", "", "no user answers while it works"),
}
CRASHED = {"crash": Case("reply: {tools: [SHELL]}", "crashed")}
BOUND = {"bound": Case(f"reply: {WRITES}", "request_limit", options=("--requests", "1"))}
"""Failures of an attempt: those of a group in one build, a task each."""

PAUSES = {
    "auth": Case(f"{TEXT}, faults: [{{kind: 401, times: 99}}]", "trouble", "refuses the key"),
    "rate_limit": Case(f"{TEXT}, faults: [{{kind: 429, times: 99, retry_after: 0}}]", "trouble", "no more requests"),
    "overloaded": Case(f"{TEXT}, faults: [{{kind: 529, times: 99, retry_after: 0}}]", "trouble", "is overloaded"),
    "unavailable": Case(f"{TEXT}, faults: [{{kind: cut, times: 99, after_chars: 2}}]", "trouble", "cannot be reached"),
    "budget": Case(
        f"reply: {WRITES}, usage: {{input: 90000, output: 90000}}", "budget", "of a budget", ("--max-cost", "0.01")
    ),
}
"""Failures that are not the task's fault: each pauses a build of its own, and no attempt is lost."""

ACP = tuple(f"acp:{known.command}" for known in KNOWN_AGENTS)
AGENTS = ("claude", *PROGRAMS, *ACP)
SAMPLE = {"codex": (REFUSED, UNDONE), "aider": (UNDONE,)}
"""What every run of the tests tries, `make agents` tries all."""
PAUSED_SAMPLE = (("codex", "auth"), ("codex", "budget"))
_SHELLS = {**SHELLS, "claude": ("Bash", "command"), "claude-agent-acp": ("Bash", "command")}
_SHELLS["codex-acp"] = SHELLS["codex"]


KILLS_ALL = "printf 'kill -9 -1' | sh"
"""Not plainly: Copilot refuses to run that."""


def tool_of(agent: str) -> tuple[str, str] | None:
    """The tool by which the agent runs a command, and the name of the command in its input."""
    return _SHELLS.get(agent.removeprefix("acp:").partition(" ")[0])


def words_of(
    repository: Path, tmp_path: Path, agent: str, cases: dict[str, Case], command: str
) -> tuple[tuple[str | Path, ...], str]:
    """The words of a build with a task for each case, and the PATH on which its agent is found.

    SHELL in their answers runs the command.
    """
    tool, key = tool_of(agent) or ("", "")
    more = ", is_background: false" if tool == "run_shell_command" else ""
    call = f"{{name: {tool}, input: {{{key}: {json.dumps(command)}, description: end{more}}}}}"
    entries = "".join(f"  - {{when: {{task: {name}}}, {case.answer}}}\n" for name, case in cases.items())
    cassette = tmp_path / "cassette.yaml"
    cassette.write_text(f"version: 1\nturns:\n{entries.replace('SHELL', call)}")
    tasks = write_tasks(tmp_path / "tasks.json", *({"id": name, "title": f"Task {name}"} for name in cases))
    installed = programs(agent.removeprefix("acp:").partition(" ")[0]) if agent != "claude" else ""
    options = tuple(word for case in cases.values() for word in case.options)
    words = ("--agent", agent, "--cassette", cassette, "--no-gates", "--attempts", "1", "--stuck-after", "99", "-j3")
    return ("build", tasks, "--repo", repository, *words, *options), f"{installed}{os.pathsep}{os.environ['PATH']}"


def run(
    program: Program, repository: Path, tmp_path: Path, agent: str, cases: dict[str, Case], *more: str
) -> list[dict[str, Any]]:
    """The events of the build."""
    words, path = words_of(repository, tmp_path, agent, cases, KILLS_ALL)
    program.patience = PATIENCE
    done = program(*words, *more, "--json", PATH=path)
    assert done.lines, done.err
    return done.lines


@pytest.mark.parametrize(
    ("agent", "cases"),
    [
        pytest.param(agent, cases, id=f"{agent}-{'-'.join(cases)}")
        for agent in AGENTS
        for cases in (REFUSED, UNDONE, CRASHED, BOUND)
        if (FULL or cases in SAMPLE.get(agent, ()))
        # It runs no commands, and asks once.
        and not (agent == "aider" and cases in (CRASHED, BOUND))
    ],
)
def test_a_failed_attempt_has_its_kind(
    program: Program, repository: Path, tmp_path: Path, agent: str, cases: dict[str, Case]
) -> None:
    events = run(program, repository, tmp_path, agent, cases, "--on-failure", "fail")
    broke = {event["task"]: event["kind"] for event in events if event.get("type") == "agent.broke"}
    assert broke == {name: case.kind for name, case in cases.items() if case.kind}
    failed = {event["task"]: event["message"] for event in events if event.get("type") == "task.failed"}
    assert set(failed) == set(cases)
    for name, case in cases.items():
        # mini speaks through its shell alone: whatever it says besides is no question to a user.
        assert ("changed no file" if (agent, name) == ("mini", "asks") else case.told) in failed[name]
    assert "build.paused" not in {event.get("type") for event in events}


@pytest.mark.parametrize(
    ("agent", "name"), [(agent, name) for agent in AGENTS for name in PAUSES if FULL or (agent, name) in PAUSED_SAMPLE]
)
def test_what_is_not_the_tasks_fault_pauses_the_build_and_costs_no_attempt(
    program: Program, repository: Path, tmp_path: Path, agent: str, name: str
) -> None:
    case = PAUSES[name]
    events = run(program, repository, tmp_path, agent, {name: case})
    assert [event["reason"] for event in events if event.get("type") == "build.paused"] == [case.kind]
    (message,) = [event["message"] for event in events if event.get("type") == "build.paused"]
    assert case.told in message
    assert not {"agent.broke", "task.failed"} & {event.get("type") for event in events}


@pytest.mark.parametrize("agent", [agent for agent in AGENTS if agent == "codex" or (FULL and agent != "aider")])
def test_nothing_of_an_agent_outlives_an_engine_that_is_killed(
    program: Program, repository: Path, tmp_path: Path, agent: str
) -> None:
    command = "(trap '' TERM INT HUP; touch here; while :; do sleep 1; done) & sleep 3600"
    words, path = words_of(repository, tmp_path, agent, {"wait": Case("reply: {tools: [SHELL]}", "")}, command)
    engine = program.start(*words, PATH=path)
    ours = psutil.Process(engine.pid)
    while not list((program.home / "lanes").glob("*/*/files/here")):
        assert engine.poll() is None, engine.communicate()
        time.sleep(0.05)
    family = ours.children(recursive=True)
    assert any("sleep" in process.name() for process in family)
    engine.kill()
    engine.communicate()
    _, alive = psutil.wait_procs(family, timeout=60)
    assert alive == []
