"""What is left when a build is over, read once: journal, git, ledger, files. Judges nothing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.ports import BuildRow
from buildwright.workspace.git import ASIDE
from tests.crash.life import Place, open_builds
from tests.crash.scenes import CANARY, SCENES
from tests.git import git

PATIENCE_SECONDS = 60.0
"""How long processes of a life that was killed may take to be gone."""


class Evidence(NamedTuple):
    """Everything the invariants look at."""

    scene: str
    kills: int
    journal: Sequence[Recorded]
    loaded: Build
    row: BuildRow
    holder: str | None
    ledger: Sequence[Sequence[str]]
    tree: str
    """Of the delivered branch, "" without one."""
    commits: Sequence[tuple[str, str, str]]
    """Commit, tree and message of what the build added to the branch, newest first."""
    moves: Sequence[tuple[str, str]]
    """Every move of the delivered branch, from its reflog: old and new commit."""
    integration: str
    processes: Sequence[str]
    locks: Sequence[str]
    lanes: Sequence[str]
    strays: Sequence[str]
    """Files where nothing of ours may be: the user's home, the place for temporary files, beside the build's folders."""
    checkout: str
    leaks: Sequence[str]
    """Files with the canary in them."""


def gather(place: Place, kills: int) -> Evidence:
    """Look at everything. Raises IllegalMove, NotFound or StoreFailed when the journal cannot even be read."""
    journal, loaded, row, holder = asyncio.run(_journal(place))
    repository = place.folder / "repository"
    result = place.folder / "remote" if SCENES[place.scene].pushed else repository
    branch = f"refs/heads/buildwright/{loaded.id[:8]}"
    delivered = _ref(result, branch)
    log = git(result, "log", "-z", "--format=%H%x1f%T%x1f%B", f"main..{branch}") if delivered else ""
    commits = [tuple(entry.split("\x1f")) for entry in log.split("\0") if entry]
    return Evidence(
        scene=place.scene,
        kills=kills,
        journal=journal,
        loaded=loaded,
        row=row,
        holder=holder,
        ledger=place.ledger(),
        tree=git(result, "rev-parse", f"{branch}^{{tree}}") if delivered else "",
        commits=[(commit, tree, message) for commit, tree, message in commits],
        moves=_moves(result, branch),
        integration=_integration(place, loaded.id),
        processes=_processes(place.folder),
        locks=sorted(str(path.relative_to(place.folder)) for path in place.folder.rglob("*.lock")),
        # A home whose worker never comes back is not looked at: nobody is there to tidy it up.
        lanes=[entry for name in ("lanes", "checkouts") for entry in _entries(place.homes()[-1] / name)],
        strays=strays(place),
        checkout=git(repository, "status", "--porcelain", "--ignored"),
        leaks=_leaks(place.folder),
    )


async def _journal(place: Place) -> tuple[list[Recorded], Build, BuildRow, str | None]:
    builds = await open_builds(place)
    try:
        (row,) = [row for row in await builds.rows() if row.project_id == place.folder.name]
        journal, loaded = await builds.read(row.build_id), await builds.load(row.build_id)
        return journal, loaded, row, await builds.holder(row.build_id)
    finally:
        await builds.close()


def _git_dir(repository: Path) -> Path:
    return repository / ".git" if (repository / ".git").exists() else repository


def _ref(repository: Path, name: str) -> str:
    loose = _git_dir(repository) / name
    return loose.read_text().strip() if loose.exists() else ""


def _moves(repository: Path, branch: str) -> list[tuple[str, str]]:
    reflog = _git_dir(repository) / "logs" / branch
    lines = reflog.read_text().splitlines() if reflog.exists() else []
    return [(line.split()[0], line.split()[1]) for line in lines]


def _integration(place: Place, build_id: str) -> str:
    name = f"refs/buildwright/{build_id}/integration"
    where = [place.hub / name] if place.shared else place.homes()[-1].glob(f"mirrors/*/{name}")
    found = [path.read_text().strip() for path in where if path.exists()]
    return found[0] if found else ""


def _entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def _processes(folder: Path) -> list[str]:
    """Command lines of processes that work in the folder, once those that are just ending have gone."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = []
        for process in psutil.process_iter():
            try:
                words = " ".join(process.cmdline())
                if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE and str(folder) in words:
                    found.append(words)
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


OURS = {"home", "repository", "remote", "ledger", "points", "stderr", "user", "tmp"}
IN_HOME = {"artifacts", "checkouts", "gitconfig", "lanes", "mirrors", "mirrors.guard", "owners", "scratch"}
DATABASE = {"state.db", "state.db-shm", "state.db-wal"}


def strays(place: Place) -> list[str]:
    """What lies where nothing of ours may be, as paths below the place's folder."""
    folder, homes = place.folder, place.homes()
    known = {folder / "home" / "hub.git", *homes} if place.shared else set()
    beside = [path for path in folder.iterdir() if path.name not in OURS]
    inside = [
        path
        for home in {folder / "home", *homes}
        for path in home.iterdir()
        # In a home whose worker never comes back nobody tidies up what it used for git.
        if path.name not in IN_HOME | DATABASE and not (path.name.startswith(ASIDE) and home in homes[:-1])
    ]
    private = [path for name in ("user", "tmp") for path in (folder / name).iterdir()]
    # Nor does anybody find the checkout that such a worker was judging: only its home knows where it is.
    known |= {link.readlink().parent for home in homes[:-1] for link in home.glob("checkouts/*/*") if link.is_symlink()}
    mirrors = [path for path in (homes[-1] / "mirrors").glob("*") if "." in path.name]
    found = {*beside, *inside, *private, *mirrors} - known
    return sorted(str(path.relative_to(folder)) for path in found)


def _leaks(folder: Path) -> list[str]:
    word = CANARY.encode()
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and word in path.read_bytes()
    )
