"""Finds the Node that a repository pins, among those that version managers keep on this machine. Must run nothing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from buildwright.kept_verdicts import folders_of, node_stores, nvm_home

_PINS = (".nvmrc", ".node-version")
_VERSION = re.compile(r"v?(\d+(?:\.\d+){0,2})")
_ALIAS = re.compile(r"(?:lts/)?(?:[\w-]+|\*)")
_OF_TOOLS = re.compile(r"(?m)^\s*(?:nodejs|node)\s+(\S+)")
_NEWEST = frozenset(("node", "stable"))
"""What nvm calls the newest version that it keeps."""
_MOST_ALIASES = 8
_BEFORE = re.compile(r"lts/-([1-9]\d?)")
"""How nvm names a line of long-term support: by how many lines it lies before the newest."""


def pinned_node(repository: str, environment: Mapping[str, str]) -> Path | None:
    """Return the folder of the programs of the Node that a repository pins; None where it pins none that is here.

    Of several that fit, the newest. Names (`lts/iron`, `lts/*`, `default`) are looked up in the aliases of nvm.
    """
    if not Path(repository).is_absolute():
        return None
    wanted = _meant(_pinned(repository), nvm_home(environment) / "alias")
    asked = _VERSION.fullmatch(wanted)
    if asked is None and wanted not in _NEWEST:
        return None
    fitting = [
        (found, folder)
        for found, folder in _kept(environment)
        if asked is None or f"{found}.".startswith(f"{asked[1]}.")
    ]
    return max(fitting, key=lambda one: tuple(map(int, one[0].split("."))))[1] if fitting else None


def node_told(repository: str, environment: Mapping[str, str]) -> str:
    """Return which Node the checks of a repository get that pins one, for people; "" where it pins none."""
    if not Path(repository).is_absolute() or not (pin := _pinned(repository)):
        return ""
    if (folder := pinned_node(repository, environment)) is not None:
        return f"{folder / 'node'} (it pins {pin})"
    return f"the first on PATH (it pins {pin}, which no version manager keeps here)"


def _pinned(repository: str) -> str:
    """Return the version or name that a repository pins, "" for none; of a folder in it, the nearest pin from there up."""
    return next((pin for folder in folders_of(repository) if (pin := _pinned_in(folder))), "")


def _pinned_in(top: Path) -> str:
    if text := next((text for name in _PINS if (text := _first_word(top / name))), ""):
        return text
    if found := _OF_TOOLS.search(_text(top / ".tool-versions")):
        return found[1]
    try:
        manifest = json.loads(_text(top / "package.json"))
    except ValueError:
        return ""
    volta = manifest.get("volta") if isinstance(manifest, dict) else None
    version = volta.get("node") if isinstance(volta, dict) else None
    return version if isinstance(version, str) else ""


def _meant(name: str, aliases: Path) -> str:
    """Return the version that a name stands for, by the aliases that nvm keeps; the name where it has none of it."""
    if before := _BEFORE.fullmatch(name):
        name = _earlier(int(before[1]), aliases / "lts")
    for _ in range(_MOST_ALIASES):
        if name in _NEWEST or _VERSION.fullmatch(name) or not _ALIAS.fullmatch(name):
            break
        name = _first_word(aliases / name)
    return name


def _earlier(count: int, lines: Path) -> str:
    """Return the version of the line of long-term support that is `count` before the newest, "" where nvm knows none."""
    words = [_first_word(file) for file in lines.glob("*") if file.name != "*"]
    versions = [found[1] for word in words if (found := _VERSION.fullmatch(word))]
    ordered = sorted(set(versions), key=lambda one: tuple(map(int, one.split("."))), reverse=True)
    return ordered[count] if count < len(ordered) else ""


def _kept(environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Yield each version that a version manager keeps, with the folder of its programs."""
    for folder, below in node_stores(environment):
        for place in sorted(folder.glob("*")):
            version = _VERSION.fullmatch(place.name)
            if version and version[1].count(".") == len("..") and os.access(place / below / "node", os.X_OK):
                yield version[1], place / below


def _first_word(file: Path) -> str:
    """Return the first word that is not in a comment."""
    words = (line.partition("#")[0].split() for line in _text(file).splitlines())
    return next((found[0] for found in words if found), "")


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""
