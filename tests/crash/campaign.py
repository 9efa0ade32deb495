"""Which lives end where: every point of every scene, and pairs of points. Runs trials in processes of their own."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from tests.crash.evidence import Evidence, gather
from tests.crash.invariants import broken
from tests.crash.life import Place, one_life
from tests.engine.harness import make_repository
from tests.git import git

MORE_POINTS = 12
"""A recovery passes some points again, so a second life may be killed at so many more than the first had left."""


class Trial(NamedTuple):
    """A scene and where its lives end: no kill, one, or one in the first life and one in the second."""

    scene: str
    kills: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.scene} killed at {' then '.join(map(str, self.kills)) or 'no point'}"


class Result(NamedTuple):
    """What came of a trial. `killed` is how many of its kills were reached; `where` names the last point before each."""

    trial: Trial
    killed: int
    where: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    seconds: float = 0.0
    folder: str = ""
    """Where everything still is, of a trial that failed."""


class Grounds(NamedTuple):
    """What a worker needs to know: where to work, and the address of the database, "" for SQLite."""

    folder: str
    database: str = ""
    shared: bool = False
    keep: bool = False


def make_place(grounds: Grounds, scene: str) -> Place:
    """A fresh repository and remote, an empty home."""
    template = _template(grounds.folder)
    folder = Path(tempfile.mkdtemp(prefix=f"{scene}-", dir=grounds.folder))
    shutil.copytree(template, folder, dirs_exist_ok=True)
    for name in ("home", "user", "tmp"):
        (folder / name).mkdir()
    database = grounds.database
    if grounds.shared:
        # Workers do whatever is due in their database: no two trials may share one.
        database = asyncio.run(new_database(database))
    return Place(folder, scene, database, grounds.shared)


async def new_database(server: str) -> str:
    """The address of an empty database on the server of this one."""
    import asyncpg

    name = f"crash_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


@lru_cache
def _template(folder: str) -> Path:
    path = Path(tempfile.mkdtemp(prefix="template-", dir=folder))
    make_repository(path / "repository")
    git(path / "repository", "checkout", "-q", "-b", "newer")
    (path / "repository" / "README.md").write_text("newer\n")
    git(path / "repository", "commit", "-q", "-a", "-m", "Newer")
    git(path / "repository", "checkout", "-q", "main")
    git(path, "clone", "-q", "--bare", "repository", "remote")
    git(path / "remote", "config", "core.logAllRefUpdates", "true")
    git(path / "remote", "remote", "remove", "origin")
    return path


def attempt(grounds: Grounds, trial: Trial, calm: Evidence | None) -> Result:
    """Carry out one trial: its lives, then one that is left alone, then the judgement."""
    began = time.monotonic()
    place = make_place(grounds, trial.scene)
    killed, status = 0, -1
    where: list[str] = []
    wrong: list[str] = []
    for kill in trial.kills:
        status = one_life(place, kill)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            break
        killed += 1
        where.append(points_of(place)[-1])
    if killed == len(trial.kills):
        status = one_life(place)
    if status != 0:
        wrong.append(f"the last life failed ({status}): {(place.folder / 'stderr').read_text()[-2000:]}")
    elif calm is not None:
        wrong += broken(gather(place, killed), calm)
    folder = str(place.folder) if wrong or grounds.keep else ""
    if not folder:
        shutil.rmtree(place.folder)
    return Result(trial, killed, tuple(where), tuple(wrong), time.monotonic() - began, folder)


def points_of(place: Place) -> list[str]:
    """The points that the newest life of this place passed."""
    return (place.folder / "points").read_text().split()


def undisturbed(grounds: Grounds, scene: str) -> tuple[Evidence, list[str]]:
    """The evidence of a build that nobody kills, and the points it passed. Raises AssertionError when it is not sound itself."""
    place = make_place(grounds, scene)
    status = one_life(place)
    told = (place.folder / "stderr").read_text()
    assert status == 0, f"{scene} fails undisturbed: {told}"
    calm = gather(place, 0)
    assert not (wrong := broken(calm, calm)), f"{scene}, undisturbed: {wrong}"
    points = points_of(place)
    shutil.rmtree(place.folder)
    return calm, points


def singles(points: dict[str, int], every: int = 1) -> list[Trial]:
    """Each point of each scene (or every so many), and a few beyond: a scene in parallel does not pass the same number twice."""
    return [Trial(scene, (kill,)) for scene, count in points.items() for kill in range(1, count + MORE_POINTS, every)]


def once(passed: Mapping[str, Sequence[str]], seed: int) -> list[Trial]:
    """One of the points of each name in each scene, drawn by the seed: every kind of place, not every time it is passed."""
    drawn = random.Random(seed)
    return [
        Trial(scene, (drawn.choice([number for number, other in enumerate(names, 1) if other == name]),))
        for scene, names in passed.items()
        for name in sorted(set(names))
    ]


def pairs(points: dict[str, int], wanted: int | None, seed: int) -> list[Trial]:
    """All pairs, or `wanted` of them drawn by the seed: a point of the first life, then one of the second."""
    space = [
        Trial(scene, (first, second))
        for scene, count in points.items()
        for first in range(1, count + 1)
        for second in range(1, count - first + MORE_POINTS)
    ]
    if wanted is None:
        return space
    return random.Random(seed).sample(space, min(wanted, len(space)))


def carry_out(
    grounds: Grounds, trials: Iterable[Trial], calm: dict[str, Evidence], jobs: int
) -> Iterator[Result]:  # fmt: skip
    """Results as they come, `jobs` at a time. Workers are started afresh: they fork lives, so they must have no threads."""
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_begin, initargs=(grounds, calm)
    ) as pool:
        yield from pool.map(_work, trials, chunksize=4)


_GROUNDS: list[Grounds] = []
_CALM: dict[str, Evidence] = {}


def _begin(grounds: Grounds, calm: dict[str, Evidence]) -> None:
    _GROUNDS[:] = [grounds]
    _CALM.update(calm)


def _work(trial: Trial) -> Result:
    return attempt(_GROUNDS[0], trial, _CALM[trial.scene])
