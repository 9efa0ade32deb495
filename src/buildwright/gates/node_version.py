"""Finds the Node that a repository pins, among those that version managers keep on this machine. Must run nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

_PINS = (".nvmrc", ".node-version")
_VERSION = re.compile(r"v?(\d+(?:\.\d+){0,2})")
_CODE_NAME = re.compile(r"lts/[a-z]+")


def pinned_node(repository: str, environment: Mapping[str, str]) -> Path | None:
    """Return the folder of the programs of the Node that a repository pins; None where it pins none that is here.

    Of several that fit, the newest. A code name (`lts/iron`) is looked up in the aliases of nvm.
    """
    top = Path(repository)
    if not top.is_absolute():
        return None
    home = Path(environment.get("HOME", "/"))
    nvm = Path(environment.get("NVM_DIR") or home / ".nvm")
    wanted = next((text for name in _PINS if (text := _first_line(top / name))), "")
    if _CODE_NAME.fullmatch(wanted):
        wanted = _first_line(nvm / "alias" / wanted)
    asked = _VERSION.fullmatch(wanted)
    if asked is None:
        return None
    fitting = [
        (found, folder) for found, folder in _kept(nvm, home, environment) if f"{found}.".startswith(f"{asked[1]}.")
    ]
    return max(fitting, key=lambda one: tuple(map(int, one[0].split("."))))[1] if fitting else None


def _kept(nvm: Path, home: Path, environment: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Yield each version that nvm, fnm, mise or asdf keeps, with the folder of its programs."""
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    fnm, mise = (
        Path(environment.get("FNM_DIR") or data / "fnm"),
        Path(environment.get("MISE_DATA_DIR") or data / "mise"),
    )
    asdf = Path(environment.get("ASDF_DATA_DIR") or home / ".asdf")
    for folder, below in (
        (nvm / "versions" / "node", "bin"),
        (fnm / "node-versions", "installation/bin"),
        (mise / "installs" / "node", "bin"),
        (asdf / "installs" / "nodejs", "bin"),
    ):
        for place in sorted(folder.glob("*")):
            version = _VERSION.fullmatch(place.name)
            if version and version[1].count(".") == len("..") and os.access(place / below / "node", os.X_OK):
                yield version[1], place / below


def _first_line(file: Path) -> str:
    try:
        lines = file.read_text("utf-8", "replace").split()
    except OSError:
        return ""
    return lines[0] if lines else ""
