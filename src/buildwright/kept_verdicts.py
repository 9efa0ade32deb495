"""Keeps what passed once, by everything it depended on, so that it costs once. Must import nothing heavy, nor of ours.

Only what passed is kept: a refusal is looked at again, because what is missing is often mended outside of the tree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

KEPT = 256
"""Number of answers that stay, those used last."""

_ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT")
_FOLDERS = (".venv", "venv", "env", ".conda")
_NO_PARTS = frozenset(("node_modules", "vendor", "target", "dist", "build"))
"""Large folders in which no part of a project has an environment of its own."""


def surroundings(repository: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what verdicts on a repository depend on beside its tree: search path, environments, what is in them."""
    active = {name: environment[name] for name in _ACTIVE if environment.get(name)}
    packages, top = "lib/python*/site-packages", Path(repository)
    parts = [top, *_below(top)]
    parts += [inner for part in parts[1:] for inner in _below(part)]
    inside = [place for part in parts for name in _FOLDERS if (place := part / name).is_dir()]
    inside += (*top.glob(".tox/*"), *top.glob(".nox/*"))
    places = [place for folder in (*map(Path, active.values()), *inside) for place in folder.glob(packages)]
    stamps = {str(place): place.stat().st_mtime_ns for place in sorted(places)}
    pin = Path(repository, ".python-version")
    about = {"repository": repository, "path": environment.get("PATH", ""), "active": active, "packages": stamps}
    return {**about, "pin": pin.read_text("utf-8", "replace")[:200] if pin.is_file() else ""}


def _below(folder: Path) -> list[Path]:
    """Return the folders in which a part of a project may lie."""
    try:
        with os.scandir(folder) as entries:
            found = [one.name for one in entries if one.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [folder / name for name in found if not name.startswith(".") and name not in _NO_PARTS]


class KeptVerdicts:
    """Answers to questions below one directory, which belongs to this class. Questions and answers are JSON objects."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, question: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the kept answer; None when there is none, or a program that it came from has changed."""
        path = self._folder / _key(question)
        try:
            kept = json.loads(path.read_bytes())
            os.utime(path)
        except (OSError, ValueError):
            return None
        if not isinstance(kept, dict) or any(_stamp(name) != stamp for name, stamp in kept["programs"].items()):
            return None
        answer = kept["answer"]
        return answer if isinstance(answer, dict) else None

    def put(
        self, question: Mapping[str, Any], answer: Mapping[str, Any], commands: Iterable[str] = (), path: str = ""
    ) -> None:
        """Keep an answer that came of `commands`, whose programs are on `path`. What cannot be kept is asked again."""
        words = {word for command in commands for word in command.split()} | {"python3", "node"}
        programs = filter(None, (shutil.which(word, path=path) for word in sorted(words) if "/" not in word))
        kept = {"programs": {program: _stamp(program) for program in programs}, "answer": answer}
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(kept, file)
            Path(name).replace(self._folder / _key(question))
            ages = sorted(self._folder.iterdir(), key=lambda one: one.stat().st_mtime)
            for old in ages[:-KEPT]:
                old.unlink(missing_ok=True)


def _key(question: Mapping[str, Any]) -> str:
    """Return the hash of a question to this version: another version may judge otherwise."""
    here = Path(__file__)
    # importlib.metadata would tell the version, in a fifth of the time that the whole command has.
    installed = [folder.name for folder in sorted(here.parents[1].glob("buildwright-*.dist-info"))]
    asked = {**question, "installed": installed, "written": here.stat().st_mtime_ns}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _stamp(program: str) -> list[Any] | None:
    """Return what changes when a program is replaced: the file behind it, its size and time; None when it is gone."""
    try:
        real = Path(program).resolve()
        what = real.stat()
    except OSError:
        return None
    return [str(real), what.st_size, what.st_mtime_ns]
