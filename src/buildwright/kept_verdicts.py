"""Keeps what passed once, by everything it depended on, so that it costs once. Must import nothing heavy, nor of ours.

Only what passed is kept: a refusal is looked at again, because what is missing is often mended outside of the tree.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

KEPT = 256
"""Number of answers that stay, those used last."""

_ACTIVE = ("VIRTUAL_ENV", "CONDA_PREFIX", "UV_PROJECT_ENVIRONMENT")
_FOLDERS = (".venv", "venv", "env", ".conda")
_OF_TOOLS = (
    *("poetry.lock", "poetry.toml", "Pipfile", "hatch.toml", ".pdm-python"),
    *("environment.yml", "environment.yaml", ".python-version"),
)
"""Files by which a repository names the tool that makes its environment."""
_PACKAGES = "lib/python*/site-packages"
_NO_PARTS = frozenset(("node_modules", "vendor", "target", "dist", "build"))
"""Large folders in which no part of a project has an environment of its own."""


def surroundings(repository: str, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what verdicts on a repository depend on beside its tree: search path, environments, what is in them.

    Also an environment or a Node that a tool of the repository has made since then elsewhere on this machine.
    """
    active = {name: environment[name] for name in _ACTIVE if environment.get(name)}
    *inner, top = folders_of(repository)
    below = _below(top)
    parts = dict.fromkeys((*inner, top, *below, *(one for part in below for one in _below(part))))
    inside = [place for part in parts for name in _FOLDERS if (place := part / name).is_dir()]
    inside += (place for part in (*inner, top) for name in (".tox", ".nox") for place in part.glob(f"{name}/*"))
    places = [place for folder in (*map(Path, active.values()), *inside) for place in folder.glob(_PACKAGES)]
    on_path = [Path(folder).parent for folder in environment.get("PATH", "").split(os.pathsep) if folder]
    places += (place for folder in dict.fromkeys(on_path) for place in folder.glob(_PACKAGES))
    for folder in (*inner, top):
        places += (*_made_by_tools(folder, environment), *_kept_nodes(folder, environment))
    stamps = {str(place): place.stat().st_mtime_ns for place in sorted(places)}
    pins = [_text(folder / ".python-version")[:200] for folder in (*inner, top)]
    about = {"repository": repository, "path": environment.get("PATH", ""), "active": active, "packages": stamps}
    return {**about, "pin": pins}


def folders_of(repository: str) -> tuple[Path, ...]:
    """Return the folder that names a repository, and those above it up to the top of its working tree, which is the last.

    That folder alone where it lies in no working tree, as of an address or a bare repository.
    """
    folder = Path(repository)
    above = (folder, *folder.parents) if folder.is_absolute() and not (folder / "HEAD").is_file() else (folder,)
    for count, place in enumerate(above, 1):
        if (place / ".git").exists():
            return above[:count]
    return (folder,)


def _made_by_tools(top: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield the packages of environments that tools keep elsewhere, and their settings, if the repository uses the tool."""
    home = Path(environment.get("HOME", "/"))
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    manifest, there = _text(top / "pyproject.toml"), {name for name in _OF_TOOLS if (top / name).is_file()}
    if "poetry" in manifest or there & {"poetry.lock", "poetry.toml"}:
        cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
        kept = Path(environment.get("POETRY_CACHE_DIR") or cache / "pypoetry") / "virtualenvs"
        yield from Path(environment.get("POETRY_VIRTUALENVS_PATH") or kept).glob(f"*/{_PACKAGES}")
        config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        yield from config.glob("pypoetry/config.toml")
    if "Pipfile" in there:
        yield from Path(environment.get("WORKON_HOME") or data / "virtualenvs").glob(f"*/{_PACKAGES}")
    if "hatch" in manifest or "hatch.toml" in there:
        # One folder for each project, and in it one for each of its checkouts.
        hatch = Path(environment.get("HATCH_DATA_DIR") or data / "hatch")
        yield from hatch.glob(f"env/virtual/*/*/*/{_PACKAGES}")
    if ".pdm-python" in there:
        yield top / ".pdm-python"
        yield from Path(_text(top / ".pdm-python").strip()).parent.parent.glob(_PACKAGES)
    if there & {"environment.yml", "environment.yaml"}:
        made = _text(home / ".conda" / "environments.txt").splitlines()
        yield from (place for line in made if line.startswith("/") for place in Path(line.strip()).glob(_PACKAGES))
    if ".python-version" in there:
        yield from Path(environment.get("PYENV_ROOT") or home / ".pyenv").glob(f"versions/*/{_PACKAGES}")


def _kept_nodes(top: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    """Yield each Node that a version manager keeps, and the names that nvm gives them, if the repository pins one."""
    pins = (".nvmrc", ".node-version", ".tool-versions")
    if any((top / name).is_file() for name in pins) or '"volta"' in _text(top / "package.json"):
        for folder, below in node_stores(environment):
            yield from folder.glob(f"*/{below}/node")
        yield from nvm_home(environment).glob("alias/**/*")


def nvm_home(environment: Mapping[str, str]) -> Path:
    """Return where nvm keeps what it has."""
    return Path(environment.get("NVM_DIR") or Path(environment.get("HOME", "/")) / ".nvm")


def node_stores(environment: Mapping[str, str]) -> tuple[tuple[Path, str], ...]:
    """Return the folders of version managers that hold one folder for each Node, and where programs lie in that one."""
    home = Path(environment.get("HOME", "/"))
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    return (
        (nvm_home(environment) / "versions" / "node", "bin"),
        (Path(environment.get("FNM_DIR") or data / "fnm") / "node-versions", "installation/bin"),
        (Path(environment.get("MISE_DATA_DIR") or data / "mise") / "installs" / "node", "bin"),
        (Path(environment.get("ASDF_DATA_DIR") or home / ".asdf") / "installs" / "nodejs", "bin"),
        (Path(environment.get("VOLTA_HOME") or home / ".volta") / "tools" / "image" / "node", "bin"),
        (Path(environment.get("NODENV_ROOT") or home / ".nodenv") / "versions", "bin"),
        (Path(environment.get("N_PREFIX") or "/usr/local") / "n" / "versions" / "node", "bin"),
    )


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


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

        import tempfile  # for what is new alone: an answer that is kept is told without it

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
