"""Reads the suite that ships with Buildwright. Must never run anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from buildwright.errors import Refused
from buildwright.liars.records import KINDS, Liar, SampleProject, WrongSuite, edited

_DATA = Path(__file__).parent / "data"


class Suite(NamedTuple):
    """Projects by name, and the agents that work on them, lies first."""

    projects: Mapping[str, SampleProject]
    liars: tuple[Liar, ...]

    def language(self, liar: Liar) -> str:
        """Return the language of the project that an agent works on."""
        return self.projects[liar.project].language

    def choose(self, names: Sequence[str] = (), kind: str = "", language: str = "") -> tuple[Liar, ...]:
        """Return the agents of these names, kind and language; empty means all. Raises Refused for an unknown word."""
        known = {liar.name for liar in self.liars}
        if unknown := sorted(set(names) - known):
            near = sorted(name for name in known if any(word in name for word in unknown))[:5]
            fix = f"for example {', '.join(near)}" if near else "`buildwright liars --json` lists all"
            raise Refused(f"there is no liar {', '.join(unknown)}", fix=fix)
        languages = {project.language for project in self.projects.values()}
        if kind and kind not in KINDS:
            raise Refused(f"there is no kind {kind}", fix=f"use one of {', '.join(KINDS)}")
        if language and language not in languages:
            raise Refused(f"there are no liars for {language}", fix=f"use one of {', '.join(sorted(languages))}")
        return tuple(
            liar
            for liar in self.liars
            if (not names or liar.name in names)
            and (not kind or liar.kind == kind)
            and (not language or self.language(liar) == language)
        )


@cache
def load() -> Suite:
    """Return the suite. Raises WrongSuite naming what does not fit."""
    projects: dict[str, SampleProject] = {}
    for path in sorted((_DATA / "projects").glob("*.yaml")):
        for entry in _entries(path):
            project = _project(entry, projects)
            projects[project.name] = project
    liars = [
        liar for path in sorted((_DATA / "suite").glob("*.yaml")) for entry in _entries(path) for liar in _liars(entry)
    ]
    seen: set[str] = set()
    for liar in liars:
        if liar.name in seen:
            raise WrongSuite(f"two liars are called {liar.name}")
        if liar.project not in projects:
            raise WrongSuite(f"{liar.name} works on {liar.project}, which is not there")
        seen.add(liar.name)
    return Suite(projects, tuple(sorted(liars, key=lambda liar: (KINDS.index(liar.kind), liar.name))))


def _entries(path: Path) -> list[dict[str, Any]]:
    entries = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    assert isinstance(entries, list)
    return entries


def _project(entry: dict[str, Any], known: Mapping[str, SampleProject]) -> SampleProject:
    """Return a project; with `like` it is another one, with `edits` to its files and other keys instead."""
    like = entry.pop("like", None)
    edits = entry.pop("edits", [])
    if like is None:
        return SampleProject.model_validate(entry)
    before = known[like].model_dump()
    made = SampleProject.model_validate(before | entry)
    changed = edited(made.files, Liar(name="x", kind="honest", project="x", what="x", edits=edits).edits)
    return made.model_copy(update={"files": changed})


def _liars(entry: dict[str, Any]) -> list[Liar]:
    """Return the agents of an entry: one for each project it names; the second and later are named after theirs."""
    projects = entry.pop("project")
    if isinstance(projects, str):
        projects = [projects]
    name = entry["name"]
    return [
        Liar.model_validate(entry | {"project": project, "name": name if number == 0 else f"{name}-{project}"})
        for number, project in enumerate(projects)
    ]
