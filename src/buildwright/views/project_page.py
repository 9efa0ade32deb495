"""A project as its page shows it: what it has, what it still needs, and what a build of it would be. Pure; must never decide.

The page draws what stands here; a command line stands beside each thing that it offers.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from pydantic import Field

from buildwright.core.agents import OURS, PROGRAMS
from buildwright.core.figures import count
from buildwright.core.limits import Options
from buildwright.core.record import Record
from buildwright.views.home import BuildCard
from buildwright.views.interview import InterviewView

SourceKind = Literal["contracts", "spec", "tasks", "interview", ""]
"""What a build of a project is made from, the first that there is; "" for nothing yet."""
_MOST_SHOWN = 20_000
"""Characters of a spec that the page shows."""


class ProjectStep(Record):
    """One thing on the way to a build."""

    name: Literal["target", "interview", "contracts", "build"]
    title: str
    state: Literal["done", "open", "waits"]
    words: str
    path: str = ""
    """Where it is done in the pages; "" for what is done on this one."""
    command: str = ""


class AgentChoice(Record):
    """An agent that a build can be made with, and what it is."""

    name: str
    words: str


class BuildDefaults(Record):
    """What a build has where the user says nothing."""

    agent: str
    budget_usd: Decimal | None = None
    approve_plan: bool
    agents: tuple[AgentChoice, ...]
    may_run_commands: bool
    """Whether the caller may name checks, and an agent that is a command."""


class ProjectOverview(Record):
    """All of a project's page."""

    id: str
    name: str
    description: str
    target_type: str
    target_ref: str
    source: SourceKind
    spec: str = ""
    """The beginning of the text that it was made with."""
    spec_chars: int = 0
    """Characters of the whole."""
    steps: tuple[ProjectStep, ...]
    needs: tuple[str, ...] = ()
    """What is missing before a build can begin, in words; () when nothing is."""
    command: str
    """What starts the build on the command line."""
    defaults: BuildDefaults
    builds: tuple[BuildCard, ...] = Field((), description="The newest first.")
    refused: dict[str, str] = Field(
        default_factory=dict, description="What the caller may not do to the project, each with the reason."
    )


class ProjectParts(NamedTuple):
    """What the store has of a project."""

    id: str
    name: str
    description: str
    target_type: str
    target_ref: str
    spec: str
    """Its Markdown; "" without one."""
    tasks: int
    """Tasks of its list; 0 without one."""
    contracts: int
    """How many of the contracts it has."""
    interview: InterviewView


def defaults_of(*, may_run_commands: bool) -> BuildDefaults:
    """Return what a build has by default, and the agents that the caller may name."""
    usual = Options()
    ours = {name: words for name, words in OURS.items() if name != "shell" or may_run_commands}
    agents = [
        *(AgentChoice(name=name, words=words) for name, words in ours.items()),
        *(AgentChoice(name=name, words="a program of another maker") for name in PROGRAMS),
    ]
    return BuildDefaults(
        agent=usual.agent,
        budget_usd=usual.limits.budget_usd,
        approve_plan=usual.approve_plan,
        agents=tuple(agents),
        may_run_commands=may_run_commands,
    )


def project_page(
    parts: ProjectParts, builds: Sequence[BuildCard], refused: Mapping[str, str], *, may_run_commands: bool
) -> ProjectOverview:
    """Return the page of a project. `builds` are its own, newest first; `refused` is what the caller may not do."""
    source = _source(parts)
    needs = []
    if not parts.target_ref:
        needs.append("It does not say where to build: name a repository below.")
    if not source:
        needs.append("It does not say what to build: hold the interview, or begin a project with a spec.")
    return ProjectOverview(
        id=parts.id,
        name=parts.name,
        description=parts.description,
        target_type=parts.target_type,
        target_ref=parts.target_ref,
        source=source,
        spec=parts.spec[:_MOST_SHOWN],
        spec_chars=len(parts.spec),
        steps=_steps(parts, source, builds),
        needs=tuple(needs),
        command=_command(parts, source),
        defaults=defaults_of(may_run_commands=may_run_commands),
        builds=tuple(builds),
        refused=dict(refused),
    )


def _source(parts: ProjectParts) -> SourceKind:
    if parts.contracts:
        return "contracts"
    if parts.spec or parts.tasks:
        return "spec" if parts.spec else "tasks"
    return "interview" if parts.interview.is_complete else ""


def _command(parts: ProjectParts, source: SourceKind) -> str:
    repository = f" --repo {shlex.quote(parts.target_ref)}" if parts.target_ref else ""
    if source == "contracts":
        return f"buildwright build --contracts {shlex.quote(parts.name)}{repository}"
    name = {"spec": "SPEC.md", "tasks": "TASKS.yaml"}.get(source, "SPEC.json")
    return f"buildwright build {name}{repository}"


def _steps(parts: ProjectParts, source: SourceKind, builds: Sequence[BuildCard]) -> tuple[ProjectStep, ...]:
    place = f"/projects/{parts.id}"
    return (
        ProjectStep(
            name="target",
            title="Where",
            state="done" if parts.target_ref else "open",
            words=parts.target_ref or "No repository is named yet.",
        ),
        _interview_step(parts, f"{place}/interview"),
        ProjectStep(
            name="contracts",
            title="Contracts",
            state="done" if parts.contracts else "open" if parts.interview.is_complete else "waits",
            words=_contract_words(parts),
            path=f"{place}/contracts",
            command=f"buildwright contracts list {shlex.quote(parts.name)}",
        ),
        ProjectStep(
            name="build",
            title="Build",
            state="done" if builds else "open" if source and parts.target_ref else "waits",
            words=f"{builds[0].title or 'The newest build'}: {builds[0].state}." if builds else "Nothing is built yet.",
            path=f"/builds/{builds[0].id}" if builds else "",
        ),
    )


def _interview_step(parts: ProjectParts, path: str) -> ProjectStep:
    talk = parts.interview
    answers = sum(len(section.answers) for section in talk.sections)
    settled = len(talk.sections) - len(talk.remaining)
    is_begun = bool(answers or talk.question or talk.reply) and not talk.is_complete
    if talk.is_complete:
        words = f"The interview is complete: {count(answers, 'answer')}."
    elif is_begun:
        words = f"{settled} of {count(len(talk.sections), 'section')} {'is' if settled == 1 else 'are'} complete."
        pairs = len(talk.contradictions)
        words += f" {count(pairs, 'pair')} of answers cannot both hold." if pairs else ""
        given = "spec" if parts.spec else "list of tasks" if parts.tasks else ""
        words += f" A build of the {given} alone need not wait for the rest." if given else ""
    elif parts.spec:
        words = f"A spec of {count(len(parts.spec.split()), 'word')}. An interview asks only for what it leaves open."
    elif parts.tasks:
        words = f"A list of {count(parts.tasks, 'task')}."
    else:
        words = "Nothing is said yet: the interview asks for what a builder must know."
    return ProjectStep(
        name="interview",
        title="What",
        state="done" if talk.is_complete or ((parts.spec or parts.tasks) and not is_begun) else "open",
        words=words,
        path=path,
        command=f"buildwright init --project {parts.id[:8]}",
    )


def _contract_words(parts: ProjectParts) -> str:
    if parts.contracts:
        return f"{count(parts.contracts, 'contract')}: a build runs from {'it' if parts.contracts == 1 else 'them'}."
    if parts.interview.is_complete:
        return "They can be made of the answers."
    return "They are made of the answers of the interview; a build can do without them."
