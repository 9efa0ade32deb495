"""kill -9 before and after every durable write and outside effect of a three-task build, then the same again: nothing is lost.

The build has a parallel-ready pair, a gate that refuses the first attempt of one task, and a join. Concurrency is 1 so
that the points come in the same order each time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

HALVES = 2


def drive(scene: str, folder: Path, first: int, step: int) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.crash_driver", scene, str(folder), str(first), str(step)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(300)
def test_every_point_of_a_build_can_be_the_last(tmp_path: Path) -> None:
    undisturbed, points = drive("plain", tmp_path / "calm", 0, 1)
    names = points["points"]
    assert undisturbed["outcome"] == "succeeded"
    assert {name.split(".")[0] for name in names} >= {"store", "perform", "workspace"}

    with ThreadPoolExecutor(HALVES) as pool:
        runs = pool.map(lambda half: drive("plain", tmp_path / f"half-{half}", half + 1, HALVES), range(HALVES))
        crashed = sorted((run for half in runs for run in half), key=lambda run: int(run["point"]))

    assert [run["point"] for run in crashed] == list(range(1, len(crashed) + 1))
    assert len(crashed) >= len(names) - 5, "a crash at (nearly) every point that the undisturbed run passed"
    for run in crashed:
        where = f"killed at point {run['point']} ({names[run['point'] - 1] if run['point'] <= len(names) else '?'})"
        assert run["killed"], where
        for same in ("outcome", "tree", "subjects", "checkout", "left", "kinds"):
            assert run[same] == undisturbed[same], f"{where}: {same}"
        assert run["gapless"], where
        assert run["version"], where
        again = {key: count for key, count in run["attempts"].items() if count > 1}
        assert sum(count - 1 for count in again.values()) <= 1, f"{where}: {again} ran again after it had finished"
        assert set(run["attempts"]) == set(undisturbed["attempts"]), where


@pytest.mark.timeout(300)
def test_conflicts_pauses_and_pushes_survive_it_too(tmp_path: Path) -> None:
    """Every eighth point, from two starts: two tasks at once do not pass their points in the same order each time."""
    undisturbed, _ = drive("rough", tmp_path / "calm", 0, 1)
    assert undisturbed["outcome"] == "succeeded"
    assert undisturbed["kinds"]["merge.conflicted"] == 1
    assert (undisturbed["kinds"]["build.paused"], undisturbed["kinds"]["build.resumed"]) == (1, 1)

    with ThreadPoolExecutor(HALVES) as pool:
        runs = pool.map(lambda half: drive("rough", tmp_path / f"half-{half}", 1 + 4 * half, 8), range(HALVES))
        crashed = [run for half in runs for run in half]
    assert len(crashed) > 20
    for run in crashed:
        where = f"killed at point {run['point']}"
        assert run["killed"], where
        for same in ("outcome", "tree", "checkout", "left", "kinds"):
            assert run[same] == undisturbed[same], f"{where}: {same}"
        assert sorted(run["subjects"]) == sorted(undisturbed["subjects"]), where
        assert run["gapless"], where
        assert run["version"], where
