"""What `check` costs the second time, over an interpreter that does nothing; the first time beside it, for comparison.

python -m bench.check
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.measure import STATE, RunFailed
from bench.startup import PROGRAM

MOST_OVER_BARE = 0.3
"""Seconds over the bare interpreter that a second `check` may take."""
FILES = {
    "app.py": "def one():\n    return 1\n",
    "test_app.py": "import unittest\n\nimport app\n\n\nclass T(unittest.TestCase):\n"
    "    def test_one(self):\n        self.assertEqual(app.one(), 1)\n",
}


def _seconds(argv: tuple[str, ...], environment: dict[str, str]) -> float:
    """Measure one run. Raises RunFailed when it does not end well."""
    began = time.perf_counter()
    done = subprocess.run(argv, check=False, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RunFailed(f"{' '.join(argv)}: exit code {done.returncode}: {done.stderr[-1500:]}")
    return seconds


def _repository(path: Path) -> Path:
    """A small project with one test."""
    path.mkdir(parents=True)
    for name, text in FILES.items():
        (path / name).write_text(text)
    git = ("git", "-C", str(path), "-c", "user.name=b", "-c", "user.email=b@localhost")
    for command in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "Start")):
        subprocess.run([*git, *command], check=True)
    return path


def measure_all(times: int) -> dict[str, Any]:
    """Measure a first `check` once, then second ones and the bare interpreter in turns; seconds, medians."""
    place = STATE / "check"
    shutil.rmtree(place, ignore_errors=True)
    try:
        repository = _repository(place / "repository")
        environment = {**os.environ, "BUILDWRIGHT_HOME": str(place / "home"), "NO_COLOR": "1"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's program is compiled once, not at each start
        check = (*PROGRAM, "check", "--repo", str(repository), "--json")
        first = _seconds(check, environment)
        turns = [
            (_seconds((sys.executable, "-c", "pass"), environment), _seconds(check, environment)) for _ in range(times)
        ]
        bare, second = (statistics.median(column) for column in zip(*turns, strict=True))
        over = min(second - bare for bare, second in turns)
        return {"times": times, "first": first, "second": second, "bare": bare, "least_over_bare": over}
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    found = measure_all(7)
    print(json.dumps(found, indent=1))
    sys.exit(int(found["second"] - found["bare"] > MOST_OVER_BARE))
