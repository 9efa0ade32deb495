"""The parts of the cluster's benchmarks, each run in a process of its own. Imports nothing of Buildwright."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.measure import ROOT, RunFailed

PARTS = ("throughput", "queue", "recovery", "waiting", "reach")
STATE = ROOT / ".bench" / "cluster"
LIMIT = 420.0
"""Seconds after which a part is ended and counts as failed."""


def run_part(part: str, *options: str, state: Path = STATE) -> Any:
    """What one round of a part found. Raises RunFailed."""
    return run_module(part, "bench.cluster", part, "--state", str(state), *options)


def run_module(part: str, *words: str) -> Any:
    """What a module that prints `{part: found}` as its last line has found. Raises RunFailed."""
    argv = [sys.executable, "-m", *words]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        output, trouble = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # the servers and workers are ended by it
        process.communicate()
        raise RunFailed(f"{words[0]} {part}: no result in {LIMIT:.0f} s") from None
    found = [line for line in output.splitlines() if line.startswith("{")]
    if process.returncode or not found:
        raise RunFailed(f"{words[0]} {part}: exit code {process.returncode}: {trouble[-1500:]}")
    return json.loads(found[-1])[part]
