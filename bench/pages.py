"""The pages in a real browser: first paint, a long log, a large graph, events until they are seen, memory of a tab.

python -m bench.pages --state DIR [--tiny]

The server is a process, the browser is another (Debian's chromium, driven by playwright-core of `web/`), and this one
writes the journals, as a worker would. Prints one JSON line; needs `make tools` and `make web/node_modules/.installed`.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import json
import os
import re
import shutil
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.machine import load
from bench.measure import RunFailed
from bench.streams import Server

ROOT = Path(__file__).parent.parent
BUNDLE = ROOT / "src" / "buildwright" / "api" / "web"
EVENTS_PER_SECOND = 50
IN_A_LAYER = 20
LIMIT = 400.0
"""Seconds after which the browser is ended and the run has failed."""


class Size(NamedTuple):
    """How large a run is. `events` is an hour's worth, of which the first sixth is ten minutes' worth."""

    lines: int
    tasks: int
    seconds: float
    events: int


FULL = Size(100_000, 500, 10.0, 36_000)
TINY = Size(3_000, 60, 2.0, 600)


def first_page_bytes() -> int:
    """Return the compressed size of what the first page needs: all that index.html names."""
    page = (BUNDLE / "index.html").read_bytes()
    named = re.findall(rb'(?:href|src)="/(assets/[^"]+)"', page)
    return sum(len(gzip.compress(one)) for one in (page, *((BUNDLE / name.decode()).read_bytes() for name in named)))


class Journals:
    """Builds that no process runs, written as a worker writes them."""

    def __init__(self, builds: Any) -> None:
        self._builds = builds

    async def begin(self, title: str, tasks: int) -> str:
        """Make a build with a plan of so many tasks, in layers, each needing two of the layer before."""
        from buildwright.core import event as e
        from buildwright.core.graph import Graph
        from buildwright.core.limits import Options
        from buildwright.core.spec import Spec
        from buildwright.core.task import Task

        build_id = str(uuid.uuid4())
        planned = tuple(
            Task(
                id=f"t{n}",
                title=f"Task {n} of the plan",
                milestone="All of it",
                depends_on=tuple(
                    sorted({f"t{n - IN_A_LAYER}", f"t{n - IN_A_LAYER + (1 if n % IN_A_LAYER < IN_A_LAYER - 1 else 0)}"})
                )
                if n >= IN_A_LAYER
                else (),
            )
            for n in range(tasks)
        )
        created = e.BuildCreated(
            build_id=build_id, project_id="bench", user_id="bench", repository="", spec=Spec(title=title),
            options=Options(agent="noop", lanes=False),
        )  # fmt: skip
        made = await self._builds.create(build_id, [created], datetime.now(UTC))
        await self.add(
            build_id,
            made[-1].seq,
            [
                e.TargetPrepared(commit="", tree=""),
                e.PlanMade(graph=Graph(tasks=planned)),
                e.TaskStarted(task="t0", attempt=1),
            ],
        )
        return build_id

    async def add(self, build_id: str, after: int, events: Sequence[Any]) -> int:
        """Append events, and return the number of the last one."""
        return int((await self._builds.append(build_id, after, events, datetime.now(UTC)))[-1].seq)

    async def write_lines(self, build_id: str, lines: int) -> None:
        from buildwright.ports import LogEntry

        for start in range(0, lines, 1000):
            texts = (f"line {n} ".ljust(100, "x") for n in range(start, min(start + 1000, lines)))
            await self._builds.write_log(
                build_id, [LogEntry(datetime.now(UTC), "t1", 1, "said", text) for text in texts]
            )

    async def say(self, build_id: str, seconds: float) -> int:
        """Send messages at the steady rate; each has the time at which it was written. Returns their number."""
        from buildwright.core import event as e

        seq, began, number = (
            await self._builds.version(build_id),
            time.perf_counter(),
            round(seconds * EVENTS_PER_SECOND),
        )
        for step in range(number):
            await asyncio.sleep(max(0.0, began + step / EVENTS_PER_SECOND - time.perf_counter()))
            now = time.time()
            mark = f"@{int(now * 1000)}.{step}"
            seq = await self.add(build_id, seq, [e.MessageSent(id=f"m{step}", text=mark)])
        return number

    async def replay(self, build_id: str, events: int) -> None:
        """Append so many events, as fast as a page takes them: messages, and their receipts."""
        from buildwright.core import event as e

        seq = await self._builds.version(build_id)
        for start in range(0, events // 2, 10):
            names = [f"r{seq}-{n}" for n in range(start, start + 10)]
            pairs = [
                (e.MessageSent(id=name, text=name), e.MessageDelivered(id=name, task="t0", attempt=1)) for name in names
            ]
            seq = await self.add(build_id, seq, [event for pair in pairs for event in pair])
            await asyncio.sleep(0.02)


async def measure(state: Path, size: Size) -> dict[str, Any]:
    """One round. Raises RunFailed when the browser fails."""
    from buildwright.store.journal_sqlite import SqliteBuilds

    chromium = shutil.which("chromium")
    if chromium is None:
        raise RunFailed("there is no chromium: make tools")
    home = state / "home"
    home.mkdir(parents=True)
    server = Server(home)
    builds = await SqliteBuilds.open(home / "buildwright.db", home / "artifacts")
    try:
        journals = Journals(builds)
        shown = {
            "small": await journals.begin("Small", 20),
            "graph": await journals.begin("Graph", size.tasks),
            "log": await journals.begin("Log", 20),
            "live": await journals.begin("Live", 20),
            "long": await journals.begin("Long", 20),
        }
        await journals.write_lines(shown["log"], size.lines)
        given = {
            **shown,
            "address": server.url,
            "tokens": [server.token("--sign-in") for _ in range(2)],
            "lines": size.lines,
            "tasks": size.tasks,
            "web": str(ROOT / "web"),
            "chromium": chromium,
        }
        before = load()
        process = await asyncio.create_subprocess_exec(
            "node", str(ROOT / "bench" / "pages.mjs"), env={**os.environ, "GIVEN": json.dumps(given)},
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        found: dict[str, Any] = {}
        sent, start_seconds = 0, 0.0
        asyncio.get_running_loop().call_later(LIMIT, lambda: process.returncode is None and process.kill())
        async for line in process.stdout:
            answer = ""
            match line.decode().strip():
                case "live":
                    sent = await journals.say(shown["live"], size.seconds)
                case "sixth":
                    await journals.replay(shown["long"], size.events // 6)
                case "rest":
                    await journals.replay(shown["long"], size.events - size.events // 6)
                case "cold":
                    await asyncio.to_thread(server.close)
                    (home / "server.json").unlink(missing_ok=True)
                    began = time.perf_counter()
                    server = await asyncio.to_thread(Server, home)
                    start_seconds = time.perf_counter() - began
                    answer = server.url
                case text:
                    found = json.loads(text)
                    break
            process.stdin.write(f"{answer}\n".encode())
        process.stdin.close()
        complaint = await process.stderr.read() if process.stderr is not None else b""
        if await process.wait() or not found:
            raise RunFailed(f"the browser failed: {complaint.decode(errors='replace')[-1500:]}")
        waits = sorted(found["waits"])
        return {
            "load": round(before, 2),
            "first_page_bytes": first_page_bytes(),
            "cold_ms": {"server": start_seconds * 1000, **found["cold"]},
            "warm_ms": found["warm"],
            "log": {**found["log"], "lines": size.lines},
            "graph": found["graph"],
            "events": {
                "sent": sent,
                "seen": len(waits),
                "p50": waits[len(waits) // 2],
                "p95": waits[int(len(waits) * 0.95)],
                "most": waits[-1],
            },
            "heaps": found["heaps"],
            "replayed": size.events,
        }
    finally:
        await builds.close()
        server.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description="Measure the pages in a real browser.")
    parser.add_argument("--state", type=Path, default=ROOT / ".bench" / "pages")
    parser.add_argument("--tiny", action="store_true", help="small builds: to see that it works")
    given = parser.parse_args()
    shutil.rmtree(given.state, ignore_errors=True)
    given.state.mkdir(parents=True)
    try:
        print(json.dumps({"pages": asyncio.run(measure(given.state, TINY if given.tiny else FULL))}))
    finally:
        shutil.rmtree(given.state, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
