"""kill -9 at every point of a prune, then the same again: it ends the same, and a build that waits is never touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.timeout(120)
def test_killed_at_any_point_the_next_one_ends_the_same(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.maintenance.prune_driver", str(tmp_path / "prune")],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    first, *runs = [json.loads(line) for line in done.stdout.splitlines()]
    calm = first["calm"]
    assert calm["builds"] == ["kept", "paused"]
    assert calm["pins"] == ["kept", "paused"]
    assert len(calm["mirrors"]) == 2, "the mirror that only the old build used is gone"
    assert all(state[1:] == [0, []] for state in calm["mirrors"].values()), "git finds no fault"
    assert len(calm["artifacts"]) == 1, "the one that the paused build's journal names"
    assert calm["others"] == ["retiring/compact"], "the cache is gone; a mirror waits for the paused build"
    assert " tree " in calm["named"], "what the kept build's journal names can still be shown"
    assert "missing" not in calm["named"]
    steps = {name.split(".")[1] for name in first["points"]}
    assert steps == {
        "note", "journal", "rows", "refs", "artifacts", "mirror", "file", "repack", "vacuum",
    }  # fmt: skip
    assert len(runs) >= len(first["points"])
    for run in runs:
        assert run["killed"], run["point"]
        assert run["again"] == 0, run["point"]
        assert run["live"] == first["live"], run["point"]
        assert run["seen"] == calm, run["point"]
    assert calm["live"] == first["live"]
