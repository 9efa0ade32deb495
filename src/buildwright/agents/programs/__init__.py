"""Coding agents of other makers: one module each, with all that is known of the program. Importing this loads none.

A new agent is one module with a `PROGRAM` and its name in `core.agents`; its page is made from that.
"""

from __future__ import annotations

from importlib import import_module

from buildwright.agents.programs.program import AgentProgram
from buildwright.core.agents import PROGRAMS as PROGRAMS


def program(name: str) -> AgentProgram:
    """Return what is known of the program; `name` is one of `PROGRAMS`."""
    found: AgentProgram = import_module(f"{__name__}.{name}").PROGRAM
    return found
