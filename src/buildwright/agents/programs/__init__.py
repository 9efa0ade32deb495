"""Coding agents of other makers: one module each, with all that is known of the program. Importing this loads none.

A new agent is one module with a `PROGRAM` and one line here; its page is made from that.
"""

from __future__ import annotations

from importlib import import_module

from buildwright.agents.programs.program import AgentProgram

PROGRAMS = ("codex", "gemini", "aider", "opencode", "qwen", "copilot", "pi", "mini")
"""Names of the agents, each a module of this package, in the order in which they are shown."""


def program(name: str) -> AgentProgram:
    """Return what is known of the program; `name` is one of `PROGRAMS`."""
    found: AgentProgram = import_module(f"{__name__}.{name}").PROGRAM
    return found
