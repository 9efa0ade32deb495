"""Runs one contestant on one workload in a process of its own, and kills it in the middle for w4. Keeps no results."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from bench.contestants import Contestant
from bench.meter import SPAWNED_AT, traced
from bench.workload import CRASH_CHAIN, CRASH_SECONDS

ROOT = Path(__file__).parent.parent
STATE = ROOT / ".bench" / "state"
"""Beside the repository and not in a temporary folder: that one is often in memory, where a commit costs nothing."""

LIMIT = 300.0
"""Seconds after which a run is ended and counts as failed."""


class RunFailed(Exception):
    """A measured process failed, took too long or said nothing; the message is the end of its output."""


def _spawn(who: Contestant, workload: str, state: Path, n: int, output: Path) -> subprocess.Popen[bytes]:
    argv = [*who.argv, workload, "--state", str(state), *(["--n", str(n)] if n else [])]
    with output.open("ab") as sink:
        environment = {**os.environ, **who.env, "PYTHONHASHSEED": "0", SPAWNED_AT: repr(time.time())}
        return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=sink, stderr=sink, start_new_session=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and everything it started in its group, as a power cut would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _result(process: subprocess.Popen[bytes], output: Path) -> dict[str, Any]:
    try:
        code = process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        raise RunFailed(f"no result in {LIMIT:.0f} s") from None
    finally:
        _kill(process)
    lines = output.read_text(errors="replace").splitlines()
    results = [line for line in lines if line.startswith("{")]
    if code or not results:
        raise RunFailed(f"exit code {code}: " + "\n".join(lines[-15:]))
    return dict(json.loads(results[-1]))


def measure(who: Contestant, workload: str, n: int = 0, kill_after: int = CRASH_CHAIN // 2) -> dict[str, Any]:
    """The result line of one run, from fresh state. Raises RunFailed."""
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    try:
        if workload == "w4":
            return _recovery(who, kill_after)
        return _result(_spawn(who, workload, STATE / "run", n, STATE / "output"), STATE / "output")
    finally:
        shutil.rmtree(STATE, ignore_errors=True)


def _recovery(who: Contestant, kill_after: int) -> dict[str, Any]:
    """Kill -9 half-way through the task after the first `kill_after`; then the same command again.

    `first_task_seconds` is from the start of the second process to the first task in it; `again` counts tasks whose
    body had ended before the kill and ran again.
    """
    state, output = STATE / "run", STATE / "output"
    trace = state / "trace"
    process = _spawn(who, "w4", state, 0, output)
    deadline = time.monotonic() + LIMIT
    try:
        while sum(what == "end" for what, _, _ in traced(trace)) < kill_after:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RunFailed("ended before it could be killed: " + output.read_text(errors="replace")[-2000:])
            time.sleep(0.004)
        time.sleep(CRASH_SECONDS / 2)
    finally:
        _kill(process)
    before = traced(trace)
    ended = {task for what, task, _ in before if what == "end"}
    output.unlink()
    spawned = time.time()
    result = _result(_spawn(who, "w4", state, 0, output), output)
    after = traced(trace)[len(before) :]
    if not after:
        raise RunFailed("no task ran after the restart")
    if len(ended | {task for what, task, _ in after if what == "end"}) != CRASH_CHAIN:
        raise RunFailed("the chain did not come to its end")
    result.update(
        first_task_seconds=after[0][2] - spawned,
        again=len(ended & {task for _, task, _ in after}),
        ended_before=len(ended),
        seconds=after[-1][2] - spawned,
    )
    return result
