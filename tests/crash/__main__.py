"""`python -m tests.crash`: every point of every scene, and pairs of points. Exits with 1 when an invariant was broken."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests import services
from tests.crash.campaign import Grounds, Result, Trial, carry_out, new_database, once, pairs, singles, undisturbed
from tests.crash.report import Row, as_json, write_page
from tests.crash.scenes import SCENES


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--scenes", nargs="*", default=list(SCENES), choices=SCENES, help="which builds to kill")
    parser.add_argument("--store", default="sqlite", choices=("sqlite", "postgres", "workers", "all"))
    parser.add_argument("--every", type=int, default=1, help="take only every so many of the single points (0: none)")
    parser.add_argument(
        "--once", action="store_true", help="of the single points, take each name once, drawn by the seed"
    )
    parser.add_argument("--pairs", default="2000", help="how many pairs of points, drawn by the seed; or `all`")
    parser.add_argument("--seed", type=int, default=1, help="of the draw")
    parser.add_argument("--jobs", type=int, default=2, help="trials at a time")
    parser.add_argument("--folder", help="where to work; by default in memory if there is a folder for that")
    parser.add_argument("--json", action="store_true", help="the matrix as one JSON object on stdout")
    parser.add_argument("--write", action="store_true", help="put the matrix into docs/reliability.md")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    # A killed process needs no disk: what it had written is in the kernel, in memory as well as on a device.
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    folder = asked.folder or tempfile.mkdtemp(prefix="crash-", dir=memory)
    rows = []
    if asked.store in {"sqlite", "all"}:
        rows += campaign(asked, Grounds(folder), "SQLite")
    if asked.store != "sqlite":
        services.announce()
        try:
            database = asyncio.run(new_database(services.shared()["postgres"]))
            if asked.store in {"postgres", "all"}:
                rows += campaign(asked, Grounds(folder, database), "PostgreSQL")
            if asked.store in {"workers", "all"}:
                rows += campaign(asked, Grounds(folder, database, shared=True), "PostgreSQL, workers")
        finally:
            services.dismiss()
    if asked.json:
        sys.stdout.write(as_json(rows) + "\n")
    if asked.write:
        write_page(rows, asked.seed)
    failures = sum(row.failures for row in rows)
    if not failures and not asked.folder:
        shutil.rmtree(folder)
    tell(f"{sum(row.runs for row in rows)} killed builds, {failures} failures")
    return 1 if failures else 0


def campaign(asked: argparse.Namespace, grounds: Grounds, store: str) -> list[Row]:
    calm, names = {}, {}
    for scene in asked.scenes:
        calm[scene], names[scene] = undisturbed(grounds, scene)
        tell(f"{scene} on {store}: {len(names[scene])} points, undisturbed {len(calm[scene].journal)} events")
    points = {scene: len(passed) for scene, passed in names.items()}
    trials: list[Trial] = singles(points, asked.every) if asked.every else []
    if asked.once:
        trials = once(names, asked.seed)
    wanted = None if asked.pairs == "all" else int(asked.pairs)
    trials += pairs(points, wanted, asked.seed)
    began, results = time.monotonic(), []
    for number, result in enumerate(carry_out(grounds, trials, calm, asked.jobs), 1):
        results.append(result)
        for wrong in result.wrong:
            tell(f"FAILED {result.trial} ({' then '.join(result.where)}): {wrong}\n  everything is in {result.folder}")
        if number % 200 == 0:
            tell(f"{number} of {len(trials)} in {time.monotonic() - began:.0f} s")
    return [row(scene, store, names[scene], results) for scene in asked.scenes]


def row(scene: str, store: str, points: list[str], results: list[Result]) -> Row:
    mine = [result for result in results if result.trial.scene == scene]
    # A kill that was not reached is no kill: the trial counts for what it was.
    reached = Counter(result.killed for result in mine)
    kinds = sorted({place for result in mine for place in result.where} | set(points))
    failures = sum(bool(result.wrong) for result in mine)
    return Row(scene, store, len(points), kinds, reached[1], reached[2], failures)


def tell(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
