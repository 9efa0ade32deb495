"""The agents that a build can name: ours, programs of other makers, and the user's own. Pure data; must never choose one.

Which agent makes an attempt follows from the options alone, see `limits.Options.agent_for`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Final

from pydantic import Field

from buildwright.core.record import Record
from buildwright.core.task import Task, TaskAction

OURS: Final = {"direct": "a model, streamed", "claude": "Claude Agent SDK", "shell": "a command"}
"""Agents that are part of Buildwright, and what each is."""
PROGRAMS: Final = ("codex", "gemini", "aider", "opencode", "qwen", "copilot", "pi", "mini")
"""Agents that are programs of other makers, in the order in which they are shown; `agents.programs` has a module of each."""
KNOWN: Final = (*OURS, *PROGRAMS)
"""Every agent that comes with Buildwright. Whatever names agents takes them from here."""

ANY_ACP: Final = "acp:COMMAND"
"""How the agents that speak the Agent Client Protocol are named: by their command."""

_Text = Annotated[str, Field(max_length=2_000)]


def described() -> str:
    """Return the known agents in words."""
    ours = ", ".join(f"`{name}` ({what})" for name, what in OURS.items())
    programs = ", ".join(f"`{name}`" for name in PROGRAMS)
    return f"{ours}, {programs}, `{ANY_ACP}` (any program that speaks the Agent Client Protocol)"


class OwnAgent(Record):
    """What a user says of an agent in `[agents.NAME]`: of a known one, or of one of their own that is made of it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    agent: _Text = ""
    """The agent that it is made of; "" for the known one of its name."""
    arguments: tuple[_Text, ...] = ()
    """More arguments for its program."""
    model: _Text = ""
    command: Annotated[str, Field(max_length=10_000)] = ""
    """What the shell agent runs."""
    env: tuple[_Text, ...] = ()
    """Variables, each as NAME=value."""
    passed: tuple[_Text, ...] = ()
    """Names of variables that it gets from the environment of the process that runs it."""
    secrets: tuple[_Text, ...] = ()
    """Such names whose values are masked in all that is said."""
    of_project: bool = False
    """Whether the project's own file says so: nothing vouches for it."""

    @property
    def base(self) -> str:
        """The agent that it is made of."""
        return self.agent or self.name


@lru_cache(maxsize=64)
def unsaid(name: str) -> OwnAgent:
    """Return an agent of which nothing is said but its name, which may also be that of no `[agents.NAME]`."""
    return OwnAgent.model_construct(name=name)


class AgentRule(Record):
    """A rule that says which agent makes a task. All that it names must fit; `*` also stands for slashes."""

    agent: _Text = Field(min_length=1)
    files: tuple[_Text, ...] = ()
    """Patterns; one of the files that the task means to touch must fit one."""
    phase: _Text = ""
    """Pattern of the name of the task's phase."""
    action: TaskAction | None = None

    def fits(self, task: Task) -> bool:
        """Return whether the rule is about the task."""
        touched = any(fnmatchcase(path, pattern) for path in task.files_expected for pattern in self.files)
        return (
            (touched or not self.files)
            and (not self.phase or fnmatchcase(task.milestone, self.phase))
            and self.action in {None, task.action}
        )
