"""Requests one after the other on a kept connection: how many answers are held back, and how small they are compressed.

    python -m bench.kept_connection [--requests 200] [--tasks 1000]

A client that delays what it acknowledges holds back the second packet of an answer by 40 ms where a server waits for
that. Prints, for `GET /api/builds` and `GET /api/build/{id}`: median and p95 in milliseconds, their ratio, answers that
took 38 to 60 ms, and bytes plain, compressed and to whoever knows the answer; as text and as one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.api.conftest import NOTHING, Served, serving

HELD_BACK = range(38, 61)
"""Milliseconds of an answer that waited for a delayed acknowledgement."""


def asked(address: str, path: str, headers: dict[str, str], requests: int) -> dict[str, Any]:
    """Return what one client saw, which sends the next request when it has the whole answer."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"))
    times = []

    def once(**more: str) -> tuple[http.client.HTTPResponse, bytes]:
        connection.request("GET", path, headers={**headers, **more})
        answer = connection.getresponse()
        return answer, answer.read()

    plain, body = once()
    assert plain.status == 200, body
    for _ in range(requests):
        began = time.perf_counter()
        once()
        times.append((time.perf_counter() - began) * 1000)
    _, packed = once(**{"Accept-Encoding": "gzip"})
    known, nothing = once(**{"If-None-Match": plain.headers["ETag"] or ""})
    connection.close()
    median, p95 = statistics.median(times), statistics.quantiles(times, n=20)[-1]
    return {
        "path": path,
        "median_ms": round(median, 2),
        "p95_ms": round(p95, 2),
        "ratio": round(p95 / median, 2),
        "held_back": sum(int(each) in HELD_BACK for each in times),
        "bytes": [len(body), len(packed), len(nothing) if known.status == 304 else len(body)],
    }


async def ready(served: Served, tasks: int) -> str:
    """Make a build of so many tasks; return its id."""
    wanted = {"tasks": [{"id": f"t{n}", "title": f"Task {n}"} for n in range(tasks)], "options": NOTHING}
    made = await served.client.post("/api/build/start", {"project_id": "bench", "seed": {}, **wanted})
    while made.json["build_graph"] is None:
        made = await served.client.post("/api/build/step", {"build_id": made.json["build_id"], "mode": "plan_only"})
        assert made.status == 200, made.text
    return str(made.json["build_id"])


async def measured(requests: int, tasks: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory(prefix="buildwright-bench-") as folder:
        async with serving(Path(folder)) as served:
            build = await ready(served, tasks)
            headers = {"Authorization": served.client.session.headers["Authorization"]}
            return [
                await asyncio.to_thread(asked, served.address, path, headers, requests)
                for path in ("/api/builds", f"/api/build/{build}")
            ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--tasks", type=int, default=1000)
    given = parser.parse_args()
    rows = asyncio.run(measured(given.requests, given.tasks))
    for row in rows:
        plain, packed, known = row["bytes"]
        print(
            f"{row['path'][:16]:16}  median {row['median_ms']:7.2f} ms  p95 {row['p95_ms']:7.2f} ms ({row['ratio']:.2f}x)"
            f"  held back {row['held_back']} of {given.requests}  {plain:,} bytes, compressed {packed:,}, known {known:,}"
        )
    print(json.dumps({"load": round(os.getloadavg()[0], 2), "tasks": given.tasks, "rows": rows}))


if __name__ == "__main__":
    main()
