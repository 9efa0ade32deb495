"""How the result of a build is taken and run: git commands for where it is, the project's own commands. Pure words.

Must never name a command that does not fit the build: what is not known is left out.
"""

from __future__ import annotations

import shlex
from typing import Literal

from buildwright.core.build import Build
from buildwright.core.project_summary import Delivery
from buildwright.core.project_views import status_name
from buildwright.core.record import Record


class Stack(Record):
    """What a project is made of and how it is worked with, as its own files say."""

    languages: tuple[str, ...] = ()
    install: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Step(Record):
    """One thing to do, with the commands that do it, to be typed in this order."""

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
    steps: tuple[Step, ...]
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
"""Manifest at the top of a project, what it makes the project, and what its tools install and build with."""


def stack_of(
    paths: frozenset[str],
    has_package: bool,
    setup: tuple[str, ...],
    checks: tuple[tuple[str, str], ...],
    notes: tuple[str, ...] = (),
) -> Stack:
    """The stack of a project with these paths, from the commands that its toolchain was found to have.

    `checks` are kind and command each. `has_package` says whether its pyproject.toml describes something to install.
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


def instructions_of(build: Build, stack: Stack, delivery: Delivery | None) -> Instructions:
    """The instructions. `delivery` is None while the result is nowhere but in the build itself."""
    steps = [_take(build, delivery)]
    steps += [
        Step(kind=kind, title=title, commands=commands)
        for kind, title, commands in (
            ("install", "Install what it needs", stack.install),
            ("test", "Run its checks", (*stack.checks, *stack.test)),
            ("build", "Build it", stack.build),
        )
        if commands
    ]
    steps += [Step(kind="note", title="Note", text=note) for note in stack.notes]
    return Instructions(
        build_id=build.id,
        status=status_name(build.control, build.outcome or "", build.version),
        delivered=bool(delivery and delivery.ref),
        branch=delivery.branch if delivery else "",
        commit=delivery.commit if delivery else build.head,
        repository=build.repository,
        stack=stack,
        steps=tuple(steps),
        markdown=_markdown(build.spec.title, steps),
    )


def _take(build: Build, delivery: Delivery | None) -> Step:
    if delivery is None or not delivery.ref:
        return _undelivered(build)
    branch, place = shlex.quote(delivery.branch), _address(build, delivery)
    commands: tuple[str, ...]
    if delivery.kind == "branch" and build.repository == place and place.startswith("/"):
        commands = (f"cd {shlex.quote(place)}", f"git log --oneline {branch}", f"git switch {branch}")
        text = f"The branch is in the repository it was built in; `git merge {branch}` brings it into another branch."
        return Step(kind="take", title="Take the branch", commands=commands, text=text)
    if "://" in place or place.startswith("/") or ":" in place:
        folder = shlex.quote(_folder(place))
        commands = (f"git clone --branch {branch} {shlex.quote(place)} {folder}", f"cd {folder}")
        return Step(kind="take", title="Take the branch", commands=commands, text=f"It was pushed to {place}.")
    remote = shlex.quote(place)
    commands = (f"cd {shlex.quote(build.repository)}", f"git fetch {remote} {branch}", "git switch --detach FETCH_HEAD")
    return Step(kind="take", title="Take the branch", commands=commands, text=f"It was pushed to the remote {place}.")


def _address(build: Build, delivery: Delivery) -> str:
    """The address, or the name of the remote, that has the branch."""
    if delivery.kind == "push":
        return build.options.delivery.remote or delivery.remote or build.repository
    return delivery.remote or build.repository


def _folder(place: str) -> str:
    name = place.rstrip("/").removesuffix(".git").replace(":", "/").rpartition("/")[2]
    return name if name and not name.startswith("-") else "result"


def _undelivered(build: Build) -> Step:
    if not build.options.lanes:
        text = "This build worked without a repository, so there is nothing to take."
        return Step(kind="take", title="Nothing to take", text=text)
    if not build.head or build.head == build.base:
        text = "Nothing has landed yet, so there is nothing to take."
        return Step(kind="take", title="Nothing to take yet", text=text)
    patch = f"buildwright diff {build.id} > result.patch"
    text = "The result was not put into any repository. Where the server keeps its builds, this writes it as a patch:"
    return Step(kind="take", title="Take the changes as a patch", commands=(patch, "git apply result.patch"), text=text)


def _markdown(title: str, steps: list[Step]) -> str:
    parts = [f"# {' '.join(title.split())}"]
    for number, step in enumerate(steps, 1):
        parts.append(f"## {number}. {step.title}")
        if step.text:
            parts.append(step.text)
        if step.commands:
            parts.append("\n".join(f"    {line}" for command in step.commands for line in command.splitlines()))
    return "\n\n".join(parts) + "\n"
