"""The sample project of the demo: a spec, the repository it starts from, and the model's scripted turns. Holds no engine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent

_NOT_SHIPPED_AS_FILES: Final = {
    # Build tools leave such files out of a wheel.
    ".gitignore": "__pycache__/\n*.jsonl\n",
}

_WHO: Final = "Buildwright demo"
_MAIL: Final = "demo@buildwright.invalid"
_WHEN: Final = "2025-01-01T00:00:00+00:00"


def spec_text() -> str:
    """The specification, as a user would write it."""
    return (_HERE / "spec.md").read_text(encoding="utf-8")


def cassette_path() -> Path:
    """The model's turns, to be replayed."""
    return _HERE / "cassette.yaml"


def make_repository(directory: Path) -> None:
    """Make a new git repository with one commit on `main`: the same bytes and the same commit id every time.

    `directory` is created; it may exist if it is empty. Raises FileExistsError when it holds anything, and
    subprocess.CalledProcessError when git fails.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if any(directory.iterdir()):
        raise FileExistsError(f"{directory} is not empty")
    shutil.copytree(
        _HERE / "base",
        directory,
        dirs_exist_ok=True,
        copy_function=shutil.copyfile,
        ignore=shutil.ignore_patterns("__pycache__", ".*_cache"),
    )
    for name, text in _NOT_SHIPPED_AS_FILES.items():
        (directory / name).write_text(text, encoding="utf-8")
    _git(directory, "init", "--quiet", "--initial-branch=main", "--template=", "--object-format=sha1")
    _git(directory, "add", "--all")
    _git(directory, "commit", "--quiet", "--no-verify", "--message=Start")


def _git(directory: Path, *arguments: str) -> None:
    # Nothing of the user's own git settings may reach the sample: signing, hooks, templates, line ends.
    environment = {
        "PATH": _path(),
        "HOME": str(directory),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_NAME": _WHO,
        "GIT_AUTHOR_EMAIL": _MAIL,
        "GIT_AUTHOR_DATE": _WHEN,
        "GIT_COMMITTER_NAME": _WHO,
        "GIT_COMMITTER_EMAIL": _MAIL,
        "GIT_COMMITTER_DATE": _WHEN,
    }
    subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )


def _path() -> str:
    git = shutil.which("git")
    return str(Path(git).parent) if git else "/usr/bin:/bin"
