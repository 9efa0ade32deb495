"""python -m tests.chaos: breaks everything around real builds, again and again, and looks whether all promises hold.

    python -m tests.chaos [--seed 1] [--builds 200] [--minutes 20] [--only storm] [--write]

Exits with 1 when a promise is broken. `--write` puts what was measured into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.campaigns import CAMPAIGNS, Result, hold

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
START, END = "<!-- measured: chaos -->", "<!-- end: chaos -->"


def table(results: Sequence[Result], arguments: argparse.Namespace) -> str:
    """What was measured, in Markdown."""
    given = {name: value for name, value in vars(arguments).items() if name != "write" and value != ""}
    command = "python -m tests.chaos " + " ".join(
        f"--{name} {value:g}" if name != "only" else f"--only {value}" for name, value in given.items()
    )
    lines = ["| campaign | fault | times | builds | seconds | failures |", "| --- | --- | ---: | ---: | ---: | ---: |"]
    for result in results:
        rest = f"{result.builds} | {result.seconds:.0f} | {result.failures}"
        for number, fault in enumerate(result.campaign.faults):
            about = (result.campaign.name, rest) if number == 0 else ("", " | | ")
            lines.append(f"| {about[0]} | {fault.name} | {result.times[fault.name]} | {about[1]} |")
    builds, times = sum(r.builds for r in results), sum(sum(r.times.values()) for r in results)
    lines += ["", f"{times} faults, {builds} builds of 8 tasks, {sum(r.failures for r in results)} failures."]
    lines += [f"Measured by `{command}` on {os.cpu_count()} cores, {platform.system()} {platform.machine()}."]
    return "\n".join(lines)


def write(text: str) -> None:
    page = PAGE.read_text("utf-8")
    before, start, rest = page.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise SystemExit(f"{PAGE} lacks the markers {START} and {END}")
    PAGE.write_text(f"{before}{START}\n{text}\n{END}{after}", "utf-8")


async def run(arguments: argparse.Namespace) -> list[Result]:
    results = []
    for campaign in CAMPAIGNS:
        if arguments.only not in {"", campaign.name}:
            continue
        chosen = campaign._replace(builds=max(1, campaign.builds * arguments.builds // 200))
        print(f"{chosen.name}:", flush=True)
        result = await hold(chosen, arguments.seed, arguments.minutes, lambda text: print(text, flush=True))
        results.append(result)
        for name, broken in result.found.items():
            print(f"  {'FAILED' if broken else 'ok':7} {name}", flush=True)
            for line in broken[:10]:
                print(f"          {line}", flush=True)
        if arguments.write:
            write(table(results, arguments))
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the luck that times the faults")
    parser.add_argument("--builds", type=int, default=200, help="in the storm; the others have fewer, in proportion")
    parser.add_argument("--minutes", type=float, default=20.0, help="the most that one campaign may take")
    parser.add_argument("--only", default="", choices=["", *(campaign.name for campaign in CAMPAIGNS)])
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # everything that was started is ended then, too
    results = asyncio.run(run(arguments))
    print(table(results, arguments))
    return 1 if any(result.failures for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
