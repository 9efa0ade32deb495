"""What a box costs: a command in bubblewrap over the bare one, and in a container, in a new one and in one that is kept.

python -m bench.boxes

Containers need an engine of this machine (DOCKER_HOST says which); without one that part says why it is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.machine import load
from buildwright.errors import BadSettings
from buildwright.ports import Command, Sandbox
from buildwright.sandbox import Bubblewrap, NoSandbox, choose
from buildwright.sandbox.container import ContainerSandbox

MOST_KEPT_P50, MOST_KEPT_P95 = 0.5, 1.5
"""Seconds that a command in a kept container may take."""
MOST_OVER_BARE = 0.015
"""Seconds that bubblewrap may add to a bare command."""


async def _seconds(sandbox: Sandbox, folder: Path) -> float:
    command = Command(("true",), folder, {"PATH": "/usr/bin:/bin"})
    began = time.perf_counter()
    done = await sandbox.run(command)
    assert done.exit_code == 0, done
    return time.perf_counter() - began


def _row(times: list[float]) -> dict[str, float]:
    return {"p50": statistics.median(times), "p95": statistics.quantiles(times, n=20)[-1], "runs": len(times)}


async def measure(times: int) -> dict[str, Any]:
    """Measure each kind of box `times` times, in turns."""
    found: dict[str, list[float]] = {"bare": [], "bubblewrap": [], "container new": [], "container kept": []}
    bare, wall, missing = NoSandbox(), Bubblewrap(), ""
    container: Sandbox | None = None
    try:
        container = await choose("container", "bench", os.environ)
    except BadSettings as error:
        missing = str(error)
    with tempfile.TemporaryDirectory() as name:
        for number in range(times):
            folder = Path(name) / str(number)
            folder.mkdir()
            await _seconds(bare, folder)
            found["bare"].append(await _seconds(bare, folder))
            found["bubblewrap"].append(await _seconds(wall, folder))
            if container is not None:
                found["container new"].append(await _seconds(container, folder))
                found["container kept"].append(await _seconds(container, folder))
    if isinstance(container, ContainerSandbox):
        await container.remove_all()
    rows = {kind: _row(took) for kind, took in found.items() if took}
    return {"load": load(), **rows, **({"containers": missing} if missing else {})}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.boxes", description="Measure what a box costs.")
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--state", type=Path, help="as a part of `python -m bench`: no goal is a failure then")
    parser.add_argument("--tiny", action="store_true", help="few runs: to see that it works")
    given = parser.parse_args()
    found = asyncio.run(measure(2 if given.tiny else given.times))
    print(json.dumps({"boxes": found}))
    if given.state:
        return 0
    over = found["bubblewrap"]["p50"] - found["bare"]["p50"] > MOST_OVER_BARE
    kept = found.get("container kept", {"p50": 0.0, "p95": 0.0})
    return int(over or kept["p50"] > MOST_KEPT_P50 or kept["p95"] > MOST_KEPT_P95)


if __name__ == "__main__":
    sys.exit(main())
