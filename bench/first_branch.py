"""From `git clone` of a small project to its first delivered branch, over its own set-up and tests once by hand.

python -m bench.first_branch [--rounds N] [--only NAME]

Prints one JSON object: the load, and for each project the seconds of each part and the ratios. Two projects are tiny, so
that our own start and the second run of the tests weigh most: `npm ci` of one package, and a virtual environment. Two
are releases with the set-up and the tests that they came with, which the target is for. Two runs of the tests are the
least: one judges the base, before an agent is paid for, and one the change, which an agent may make only after that.
Set-ups fetch from the package indexes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.real_projects.kinds import KINDS, Release
from tests.e2e.real_projects.release import unpack

from bench.machine import load
from bench.measure import RunFailed
from bench.startup import PROGRAM
from buildwright.gates.setup_cache import Setup, SetupCache
from buildwright.sandbox import Bubblewrap
from buildwright.shared_folders import beside

MOST = 1.3
"""Times of doing it once by hand that the first branch may take."""
MOST_SECOND = 0.1
"""Times of the first set-up that a second one may take."""


class Sample(NamedTuple):
    """A small project: its files, how a person sets it up and tests it, and what makes its lock file."""

    files: Mapping[str, str]
    """All files, or those beside a release."""
    setup: str
    tests: str
    made: str
    """The folder that the set-up makes."""
    lock: str = ""
    release: Release | None = None


def _release(package: str) -> Release:
    """Return one of the pinned releases that the tests use."""
    found = (kind.source for kind in KINDS if isinstance(kind.source, Release))
    return next(release for release in found if release.package == package)


_NODE_TEST = """const { test } = require('node:test');
test('knows two', () => require('assert').equal(require('ms')('2s'), 2000));
"""
SAMPLES = {
    "node": Sample(
        {
            "package.json": json.dumps(
                {
                    "name": "small",
                    "version": "1.0.0",
                    "scripts": {"test": "node --test"},
                    "dependencies": {"ms": "2.1.3"},
                }
            ),
            ".gitignore": "node_modules/\n",
            "small.test.js": _NODE_TEST,
        },
        "npm ci --no-audit --no-fund",
        "npm test",
        "node_modules",
        "npm install --package-lock-only --no-audit --no-fund",
    ),
    "python": Sample(
        {
            "requirements.txt": "",
            ".gitignore": "env/\n",
            "buildwright.toml": '[setup]\ncommands = ["python3 -m venv env"]\ninputs = ["requirements.txt"]\n'
            'outputs = ["env"]\n\n[checks]\ntest = "env/bin/python -m unittest discover -v"\n',
            "test_small.py": "import unittest\n\n\nclass Words(unittest.TestCase):\n"
            "    def test_upper(self):\n        self.assertEqual('a'.upper(), 'A')\n",
        },
        "python3 -m venv env",
        "env/bin/python -m unittest discover -v",
        "env",
    ),
    "process-warning": Sample(
        {".gitignore": "node_modules/\n"},
        "npm ci --no-audit --no-fund",
        "npm run lint && npm test",
        "node_modules",
        "npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund",
        _release("process-warning"),
    ),
    "more-itertools": Sample(
        {
            ".gitignore": "env/\n",
            "buildwright.toml": '[setup]\ncommands = ["python3 -m venv env && env/bin/pip install -q pytest==8.4.2"]\n'
            'inputs = ["pyproject.toml"]\noutputs = ["env"]\n\n[checks]\ntest = "env/bin/python -m pytest -q"\n',
        },
        "python3 -m venv env && env/bin/pip install -q pytest==8.4.2",
        "env/bin/python -m pytest -q",
        "env",
        release=_release("more-itertools"),
    ),
}
REAL = tuple(name for name, sample in SAMPLES.items() if sample.release is not None)
"""The projects that the target is for."""


def _seconds(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> float:
    """Measure one run. Raises RunFailed when it does not end well."""
    began = time.perf_counter()
    done = subprocess.run(
        words, check=False, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        said = (done.stdout + done.stderr)[-1500:]
        raise RunFailed(f"{shlex.join(words)}: exit code {done.returncode}: {said}")
    return seconds


def _origin(sample: Sample, place: Path, environment: Mapping[str, str]) -> Path:
    """A repository to clone, with one commit."""
    place.parent.mkdir(parents=True)
    if sample.release is not None:
        unpack(sample.release, place.parent / "release", place)
    place.mkdir(exist_ok=True)
    for name, text in sample.files.items():
        (place / name).write_text(text)
    if sample.lock:
        _seconds(["sh", "-c", sample.lock], place, environment)
    git = ["git", "-c", "user.name=b", "-c", "user.email=b@localhost"]
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "Start"]):
        _seconds([*git, *words], place, environment)
    return place


def _by_hand(sample: Sample, origin: Path, place: Path, environment: Mapping[str, str]) -> dict[str, float]:
    clone = _seconds(["git", "clone", "-q", str(origin), str(place)], origin, environment)
    setup = _seconds(["sh", "-c", sample.setup], place, environment)
    tests = _seconds(["sh", "-c", sample.tests], place, environment)
    return {"clone": clone, "setup": setup, "tests": tests, "whole": clone + setup + tests}


def _by_us(origin: Path, place: Path, environment: Mapping[str, str]) -> float:
    """Clone, then one build of one task by a scripted agent, to its branch."""
    tasks = place.with_suffix(".json")
    tasks.write_text(
        json.dumps({"title": "First", "tasks": [{"id": "one", "title": "Say it", "goal": "Write a note"}]})
    )
    clone = _seconds(["git", "clone", "-q", str(origin), str(place)], origin, environment)
    agent = ("--agent", "shell", "--agent-command", "echo said > NOTE.txt")
    build = [*PROGRAM, "build", str(tasks), "--repo", str(place), *agent, "--branch", "first", "--yes", "--json"]
    return clone + _seconds(build, place, environment)


def _second_setup(sample: Sample, home: Path, clone: Path) -> float:
    """Place what the build kept of its set-up into one more checkout, as each later one in the sandbox does."""
    cache = SetupCache(home / "setups")
    kept = [path.name for path in (home / "setups").iterdir() if not path.name.startswith("draft-")]
    if len(kept) != 1:
        raise RunFailed(f"the set-up was made {len(kept)} times")
    shutil.rmtree(clone / sample.made, ignore_errors=True)
    shares = asyncio.run(Bubblewrap().shares(beside(clone)))
    began = time.perf_counter()
    if not asyncio.run(cache.place(kept[0], Setup((), (), (sample.made,)), clone, share=shares)):
        raise RunFailed("the set-up was not kept")
    return time.perf_counter() - began


def measure_all(rounds: int, names: Sequence[str] = tuple(SAMPLES)) -> dict[str, Any]:
    """Measure by hand and by us in turns, each time with a new home and a new clone; medians. Raises RunFailed."""
    # Not below this repository: pytest would find its settings there.
    place = Path(tempfile.mkdtemp(prefix="first-branch-")) / "place"
    found: dict[str, Any] = {"load": round(load(), 2), "rounds": rounds}
    for name in names:
        sample, turns = SAMPLES[name], []
        for _ in range(rounds):
            shutil.rmtree(place, ignore_errors=True)
            home = place / "home"
            environment = {**os.environ, "BUILDWRIGHT_HOME": str(home), "NO_COLOR": "1"}
            for variable in ("VIRTUAL_ENV", "PYTHONDONTWRITEBYTECODE"):  # a user's program is compiled once
                environment.pop(variable, None)
            origin = _origin(sample, place / "origin", environment)
            hand = _by_hand(sample, origin, place / "hand", environment)
            first = _by_us(origin, place / "us", environment)
            second = _second_setup(sample, home, place / "us")
            turns.append({**hand, "first": first, "second": second})
        shutil.rmtree(place, ignore_errors=True)
        middle = {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        ratios = {
            "first_branch": statistics.median(turn["first"] / turn["whole"] for turn in turns),
            "second_setup": statistics.median(turn["second"] / turn["setup"] for turn in turns),
        }
        found[name] = {key: round(value, 3) for key, value in (middle | ratios).items()}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.first_branch")
    parser.add_argument("--rounds", type=int, default=3, help="how often it is done (default 3)")
    parser.add_argument("--only", action="append", choices=list(SAMPLES), help="one project; may be repeated")
    given = parser.parse_args()
    names = given.only or list(SAMPLES)
    found = measure_all(given.rounds, names)
    print(json.dumps(found, indent=1))
    late = [name for name in names if name in REAL and found[name]["first_branch"] > MOST]
    slow = [name for name in names if found[name]["second_setup"] > MOST_SECOND]
    return int(bool(late or slow))


if __name__ == "__main__":
    sys.exit(main())
