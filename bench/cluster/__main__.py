"""Measures one part of the cluster's benchmarks and prints one line of JSON: `python -m bench.cluster PART --state DIR`."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from bench.cluster import latency, reach, recovery, throughput, waiting
from bench.cluster.parts import PARTS
from bench.cluster.stage import Stage
from bench.contestants import dbos


async def _measure(given: argparse.Namespace) -> Any:
    folder = given.state.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    tiny = given.tiny
    async with Stage.raised(folder) as stage:
        match given.part:
            case "throughput":
                return await throughput.measure(stage, folder / "throughput", tiny=tiny)
            case "queue":
                return await latency.measure(stage, tiny=tiny)
            case "recovery":
                peer = dbos() if given.peers else None
                return await recovery.measure(stage, folder / "recovery", peer, tiny=tiny, long=given.long)
            case "waiting":
                return await waiting.measure(stage, tiny=tiny)
            case _:
                return await reach.measure(stage, tiny=tiny)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster")
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--state", type=Path, required=True, help="folder for servers and workers; removed at the end")
    parser.add_argument("--tiny", action="store_true", help="as little as possible: to see that it works")
    parser.add_argument("--long", action="store_true", help="recovery also with the default lease: over a minute")
    parser.add_argument("--peers", action="store_true", help="recovery also of DBOS: needs its environment")
    given = parser.parse_args()
    print(json.dumps({given.part: asyncio.run(_measure(given))}), flush=True)


if __name__ == "__main__":
    main()
