"""How to take and run the result of a build: git commands for its place, the project's own commands. Pure words.

Must never name a command that does not fit the build: what is unknown is left out.
"""

from __future__ import annotations

import shlex
from typing import Literal

from buildwright.core.build import Build
from buildwright.core.record import Record
from buildwright.views.statuses import project_status
from buildwright.views.summary import DeliveredResult


class Stack(Record):
    """The tools that a project is made and worked with, as its own files say."""

    languages: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class InstructionStep(Record):
    """One thing to do, with its commands, to be typed in this order."""

    kind: Literal["take", "install", "test", "build", "note"]
    title: str
    commands: tuple[str, ...] = ()
    text: str = ""


class Instructions(Record):
    """How to take the result of a build, as steps and as one Markdown text."""

    build_id: str
    status: str
    delivered: bool
    branch: str = ""
    commit: str = ""
    repository: str = ""
    stack: Stack
    steps: tuple[InstructionStep, ...]
    markdown: str


_MANIFESTS: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("pyproject.toml", "python", ("python -m pip install -e .",), ()),
    ("setup.py", "python", ("python -m pip install -e .",), ()),
    ("requirements.txt", "python", ("python -m pip install -r requirements.txt",), ()),
    ("package.json", "node", (), ()),
    ("go.mod", "go", ("go mod download",), ("go build ./...",)),
    ("Cargo.toml", "rust", ("cargo fetch",), ("cargo build",)),
    ("pom.xml", "java", (), ("mvn -B package",)),
    ("build.gradle", "java", (), ("gradle build",)),
    ("build.gradle.kts", "java", (), ("gradle build",)),
)
"""Manifest at the top of a project, its stack, and the commands that install and build it."""


def stack_of(
    paths: frozenset[str],
    has_package: bool,
    setup: tuple[str, ...],
    checks: tuple[tuple[str, str], ...],
    notes: tuple[str, ...] = (),
) -> Stack:
    """Return the stack of a project with these paths, from the commands that its toolchain was found to have.

    `checks` are pairs of kind and command. `has_package`: whether its pyproject.toml describes something to install.
    """
    languages: list[str] = []
    install = list(setup)
    build = [command for kind, command in checks if kind == "build"]
    for manifest, language, installs, builds in _MANIFESTS:
        if manifest not in paths:
            continue
        languages.append(language)
        if not setup and (manifest != "pyproject.toml" or has_package):
            install += installs
        if not any(kind == "build" for kind, _ in checks):
            build += builds
    return Stack(
        languages=tuple(dict.fromkeys(languages)),
        install=tuple(dict.fromkeys(install)),
        checks=tuple(command for kind, command in checks if kind not in {"build", "test"}),
        test=tuple(command for kind, command in checks if kind == "test"),
        build=tuple(dict.fromkeys(build)),
        notes=notes,
    )


def instructions_of(build: Build, stack: Stack, delivery: DeliveredResult | None) -> Instructions:
    """Return the instructions. `delivery` is None while only the build itself has the result."""
    steps = [_take(build, delivery)]
    steps += [
        InstructionStep(kind=kind, title=title, commands=commands)
        for kind, title, commands in (
            ("install", "Install what it needs", stack.install),
            ("test", "Run its checks", (*stack.checks, *stack.test)),
            ("build", "Build it", stack.build),
        )
        if commands
    ]
    steps += [InstructionStep(kind="note", title="Note", text=note) for note in stack.notes]
    return Instructions(
        build_id=build.id,
        status=project_status(build.control, build.outcome or "", build.version),
        delivered=bool(delivery and delivery.ref),
        branch=delivery.branch if delivery else "",
        commit=delivery.commit if delivery else build.head,
        repository=build.repository,
        stack=stack,
        steps=tuple(steps),
        markdown=_markdown(build.spec.title, steps),
    )


def _take(build: Build, delivery: DeliveredResult | None) -> InstructionStep:
    if delivery is None or not delivery.ref:
        return _undelivered(build)
    branch, place = shlex.quote(delivery.branch), _address(build, delivery)
    if delivery.kind == "files" and build.repository == place:
        return _taking("Take the files", f"They are in {place}.", f"cd {shlex.quote(place)}")
    if delivery.kind == "branch" and build.repository == place and place.startswith("/"):
        text = f"The branch is in the repository it was built in; `git merge {branch}` brings it into another branch."
        enter, look, switch = f"cd {shlex.quote(place)}", f"git log --oneline {branch}", f"git switch {branch}"
        return _taking("Take the branch", text, enter, look, switch)
    if "://" in place or place.startswith("/") or ":" in place:
        folder = shlex.quote(_folder(place))
        clone = f"git clone --branch {branch} {shlex.quote(place)} {folder}"
        return _taking("Take the branch", f"It was pushed to {place}.", clone, f"cd {folder}")
    enter, fetch = f"cd {shlex.quote(build.repository)}", f"git fetch {shlex.quote(place)} {branch}"
    text = f"It was pushed to the remote {place}."
    return _taking("Take the branch", text, enter, fetch, "git switch --detach FETCH_HEAD")


def _taking(title: str, text: str, *commands: str) -> InstructionStep:
    return InstructionStep(kind="take", title=title, commands=commands, text=text)


def _address(build: Build, delivery: DeliveredResult) -> str:
    """Return the address, or the name of the remote, that has the branch."""
    if delivery.kind in {"push", "pr"}:
        return build.options.delivery.remote or delivery.remote or build.repository
    return delivery.remote or build.repository


def _folder(place: str) -> str:
    name = place.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
    return name if name and not name.startswith("-") else "result"


def _undelivered(build: Build) -> InstructionStep:
    if not build.options.lanes:
        return _taking("Nothing to take", "This build worked without a repository, so there is nothing to take.")
    if not build.head or build.head == build.base:
        return _taking("Nothing to take yet", "Nothing has landed yet, so there is nothing to take.")
    patch = f"buildwright diff {build.id} > result.patch"
    text = "The result was not put into any repository. Where the server keeps its builds, this writes it as a patch:"
    return _taking("Take the changes as a patch", text, patch, "git apply result.patch")


def _markdown(title: str, steps: list[InstructionStep]) -> str:
    parts = [f"# {' '.join(title.split())}"]
    for number, step in enumerate(steps, 1):
        parts.append(f"## {number}. {step.title}")
        if step.text:
            parts.append(step.text)
        if step.commands:
            parts.append("\n".join(f"    {line}" for command in step.commands for line in command.splitlines()))
    return "\n\n".join(parts) + "\n"
