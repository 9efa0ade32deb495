"""The variables that toolchains of checks need beside PATH. Must never name a folder of this machine that is written to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

GO_CACHE = ".go-cache"
"""Folder in the checkout for Go's caches: what the set-up kept, without a way for a judged tree to change it."""
MAVEN_REPOSITORY, GRADLE_HOME = ".maven-repository", ".gradle-home"
"""Folders in the checkout for what Maven and Gradle have fetched."""


def check_environment(private: Path, files: Path, path: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for the commands of one judgement, whose home is fresh.

    `private` is its folder, `files` its checkout, `path` the PATH of its commands, `environment` that of this process.
    """
    made = {
        # pnpm 12 else asks the registry before each script whether a copied node_modules fits, and there is no network.
        "pnpm_config_verify_deps_before_run": "false",
    }
    if toolchains := _rustup_home(path, environment):
        # The programs beside it choose a toolchain there; what is downloaded and configured stays in this judgement.
        made |= {"RUSTUP_HOME": str(toolchains), "CARGO_HOME": str(private / "cargo")}
    if shutil.which("go", path=path):
        made |= {"GOCACHE": str(files / GO_CACHE / "build"), "GOMODCACHE": str(files / GO_CACHE / "mod")}
    if shutil.which("java", path=path):
        made["MAVEN_OPTS"] = (
            f"-Dmaven.repo.local={files / MAVEN_REPOSITORY}"  # mvn splits it at blanks, also quoted ones
        )
        made["GRADLE_USER_HOME"] = str(files / GRADLE_HOME)
    return made


def _rustup_home(path: str, environment: Mapping[str, str]) -> Path | None:
    """Return the folder of rustup's toolchains: as set, else beside the `.cargo/bin` on the PATH."""
    for folder in _rustup_homes(path, environment):
        if (folder / "toolchains").is_dir():
            return folder
    return None


def _rustup_homes(path: str, environment: Mapping[str, str]) -> Iterator[Path]:
    if given := environment.get("RUSTUP_HOME"):
        yield Path(given)
    for entry in path.split(os.pathsep):
        folder = Path(entry)
        if folder.is_absolute() and folder.name == "bin" and folder.parent.name == ".cargo":
            yield folder.parent.parent / ".rustup"
