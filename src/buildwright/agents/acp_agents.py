"""Agents that are known to speak the Agent Client Protocol: a row for each. Must never run anything.

A new one is a row here. One that is not known gets the variables of all protocols.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from buildwright.agents.programs import program
from buildwright.agents.programs.program import OwnForm, ProgramPlace, Start, door_variables
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.ports import Assignment

PREFIX = "acp:"
"""What the name of such an agent begins with; its command is the rest."""


def is_acp(agent: str) -> bool:
    """Return whether this names an agent by its command."""
    return agent.startswith(PREFIX)


class KnownAgent(NamedTuple):
    """One program that speaks the protocol."""

    command: str
    """What stands behind `acp:`."""
    title: str
    install: str
    like: str
    """The agent of `programs` whose settings it reads; "" for Claude Code's variables."""
    tried: str
    """The version that the tests drive."""
    env: Mapping[str, str] = {}
    keeps: tuple[str, ...] = ()
    """Patterns of more files below its home without which it does not find a conversation again."""

    @property
    def program(self) -> str:
        """The name of its executable."""
        return self.command.partition(" ")[0]

    @property
    def default_model(self) -> str:
        """The model that it asks when none is named."""
        return program(self.like).default_model if self.like else DEFAULT_MODEL

    @property
    def models(self) -> tuple[str, ...]:
        """What the names of its models begin with."""
        return program(self.like).models if self.like else ("claude-",)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Patterns of names at the top of the lane that are its own files."""
        return program(self.like).leaves if self.like else (".claude",)


KNOWN_AGENTS = (
    KnownAgent(
        "gemini --acp",
        "Gemini CLI",
        "npm install --global @google/gemini-cli",
        "gemini",
        "0.61.0",
        keeps=(".gemini/projects.json", ".gemini/*/*/.project_root"),
    ),
    KnownAgent(
        "codex-acp",
        "Codex",
        "npm install --global @agentclientprotocol/codex-acp",
        "codex",
        "2.6.0",
        # Its own walls do not stand inside ours.
        {"INITIAL_AGENT_MODE": "agent-full-access"},
    ),
    KnownAgent(
        "claude-agent-acp",
        "Claude Code",
        "npm install --global @agentclientprotocol/claude-agent-acp",
        "",
        "0.49.0",
        {
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            # Its turn ends while such a task still works, and what that has not done yet would be cut off.
            "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
            "CLAUDE_CODE_MAX_RETRIES": "4",
        },
    ),
    KnownAgent("opencode acp", "opencode", "npm install --global opencode-ai", "opencode", "1.18.33"),
    KnownAgent("qwen --acp", "Qwen Code", "npm install --global @qwen-code/qwen-code", "qwen", "0.24.4"),
    KnownAgent("copilot --acp", "GitHub Copilot CLI", "npm install --global @github/copilot", "copilot", "1.0.102"),
)


def known_agent(words: list[str]) -> KnownAgent | None:
    """Return what is known of the program in these words of a command, None for one that is not known."""
    names = {Path(word).name for word in words}
    return next((each for each in KNOWN_AGENTS if each.program in names), None)


def own_form(known: KnownAgent | None, words: list[str]) -> OwnForm | None:
    """Return how its conversations are carried over; None for one that keeps plain files, or is started by another."""
    if known is None or not known.like or Path(words[0]).name != known.program:
        return None
    return program(known.like).own_form


def settings_of(known: KnownAgent | None, assignment: Assignment, model: str) -> Start:
    """Return variables and files that lead the program to the door and name its model; `argv` of them means nothing."""
    assert assignment.door is not None
    env = {
        **door_variables(assignment.door),
        "ANTHROPIC_MODEL": model,
        "OPENAI_MODEL": model,
        "GEMINI_MODEL": model,
        "NO_COLOR": "1",
    }
    if known is None or not known.like:
        return Start((), {**env, **(known.env if known is not None else {})})
    place = ProgramPlace("", assignment.lane, assignment.home, assignment.door, model, "")
    start = program(known.like).start(place)
    return Start((), {**env, **start.env, **known.env}, start.files)
