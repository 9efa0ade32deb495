"""The projects, pinned, and how their source archives become repositories. Names no package index: pip knows its own."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.real_projects import inflection_names, inflection_words, toolz_dictionaries, toolz_more, toolz_sequences
from tests.e2e.real_projects.change import Change
from tests.e2e.real_projects.release import download


@dataclass(frozen=True)
class Project:
    """A release of a project that ships its tests."""

    name: str
    version: str
    sha256: str
    tests: int
    """Tests that its suite has as released, skipped ones included."""
    changes: tuple[Change, ...]

    sample: frozenset[str]
    """Those of its changes that `make test` asks for, with all that they need: each way that a change can go is among them."""

    def __str__(self) -> str:
        return self.name

    def sampled(self) -> Project:
        """The project with the changes of its sample alone."""
        return replace(self, changes=tuple(change for change in self.changes if change.id in self.sample))


PROJECTS = (
    Project(
        "toolz",
        "1.2.0",
        "9667a038e9d6ecba37995e26cb2f59ec6420b6ad8dd9677de59db9b956b08490",
        193,
        (
            *toolz_more.CLASHES,
            *toolz_sequences.SEQUENCES,
            *toolz_dictionaries.DICTIONARIES,
            *toolz_more.FUNCTIONS,
            *toolz_more.DOCUMENTS,
        ),
        frozenset({"countwhere", "maxby", "once", "tail-zero", "pick", "omit", "flatten-keys", "readme-paths"}),
    ),
    Project(
        "inflection",
        "0.5.1",
        "1a29730d366e996aaacffb2f1f1cb9593dc38e2ddd30c91250c6dde09ea9b417",
        455,
        (
            *inflection_names.NAMES,
            *inflection_words.RULES,
            *inflection_words.FIXES,
            *inflection_names.DOCUMENTS,
        ),
        frozenset(
            {"classify", "demodulize", "deconstantize", "bonus", "tooth", "separator", "command", "readme-command"}
        ),
    ),
)
SUITE = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q"
"""The projects' own suites need pytest alone; one of them makes errors of the warnings of plugins that happen to be here."""


def fetch(project: Project, folder: Path) -> Path:
    """The project's archive from the package index, by the ordinary client."""
    download(project.name, project.version, project.sha256, folder)
    archive = folder / f"{project.name}-{project.version}.tar.gz"
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == project.sha256
    return archive


def make_repository(archive: Path, place: Path) -> None:
    """A repository with one commit: the files of the archive as they are."""
    with tarfile.open(archive) as tar:
        tar.extractall(place.parent / "unpacked", filter="data")
    (unpacked,) = (place.parent / "unpacked").iterdir()
    unpacked.rename(place)
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for command in (
        ("init", "-q", "-b", "main"),
        ("add", "--all", "--force"),
        (*who, "commit", "-q", "-m", "As released"),
    ):
        subprocess.run(["git", *command], cwd=place, check=True, capture_output=True)


def files_of(repository: Path, revision: str) -> dict[str, str]:
    """Every file of a revision; bytes that are no text (one archive ships a .pyc) stay what they are."""
    names = (
        subprocess.run(
            ["git", "ls-tree", "-r", "-z", "--name-only", revision], cwd=repository, capture_output=True, check=True
        )
        .stdout.decode()
        .rstrip("\0")
        .split("\0")
    )
    return {
        name: subprocess.run(
            ["git", "cat-file", "blob", f"{revision}:{name}"], cwd=repository, capture_output=True, check=True
        ).stdout.decode(errors="surrogateescape")
        for name in names
    }
