"""`python -m tests.simulation --seeds 10000`: runs seeds and says what they met. Exit code 1 when an invariant does not hold."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.run import Result, simulate, simulate_many

CHUNK = 25
MUST_BE_SEEN = (
    *("fate: death", "fate: freeze", "fate: jump", "fate: outage", "fate: cut", "redis wiped", "detached"),
    *("died at a request", "froze at a request", "done after death", "another takes over"),
    *("store.lost", "store.unanswered", "store.slow", "git.lost", "git.unanswered", "git.slow"),
    *("gate.lost", "redis.lost", "hint.lost", "hint.doubled", "hint.late", "planner.model", "planner.graph"),
    *("run ended: BuildIsRunning", "run ended: LostLease", "run ended: StoreFailed", "command refused: IllegalMove"),
    *("command: pause", "command: go", "command: retry", "command: say", "command: stop", "answered skip"),
    *("agent: right", "agent: slow", "agent: wrong", "agent: nothing", "agent: crash", "agent: clash", "agent: hang"),
    *("agent: overloaded", "agent: unsafe", "agent: mute", "agent: refuse", "agent: listen"),
    *("merge.conflicted", "merge.judged", "change.landed", "task.failed", "task.skipped", "task.waited", "build.stuck"),
    *("other checks", "build.verified", "build.delivered", "delivery.failed", "message.delivered", "plan.rejected"),
)
"""What a thousand seeds must have met, or the simulation does not try what it is for."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds to run (1000)")
    parser.add_argument("--from", type=int, default=0, dest="first", metavar="N", help="the first seed (0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--trace", action="store_true", help="print the whole trace of the first seed, and run only that"
    )
    given = parser.parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    if given.trace:
        result = simulate(given.first, whole_trace=True)
        print("\n".join(result.trace))
        print(result.failure or "every invariant holds")
        return 1 if result.failure else 0
    return report(given.seeds, results(given.first, given.seeds, given.jobs))


def results(first: int, seeds: int, jobs: int) -> Iterator[Result]:
    """The results, in the order of the seeds."""
    chunks = [range(start, min(start + CHUNK, first + seeds)) for start in range(first, first + seeds, CHUNK)]
    with ProcessPoolExecutor(jobs) as pool:
        for chunk in pool.map(simulate_many, chunks):
            yield from chunk


def report(seeds: int, found: Iterator[Result]) -> int:
    """Tell how it goes, then what was met; the exit code."""
    began = time.perf_counter()
    seen: Counter[str] = Counter()
    failures: list[Result] = []
    done, virtual = 0, 0.0
    for result in found:
        done += 1
        virtual += result.seconds
        seen += result.seen
        if result.failure:
            failures.append(result)
            tell(result)
        if done % 500 == 0:
            rate = done / (time.perf_counter() - began)
            print(f"{done} of {seeds} seeds, {rate:.0f} a second, {len(failures)} failed", flush=True)
    took = time.perf_counter() - began
    print(f"{done} seeds in {took:.1f} s ({done / took:.1f} a second), {virtual / 3600:.0f} hours of their time")
    for name, count in sorted(seen.items()):
        print(f"  {count:>9}  {name}")
    missing = [name for name in MUST_BE_SEEN if not seen[name]] if seeds >= 1000 else []
    if missing:
        print(f"Never met: {', '.join(missing)}. The scenarios do not try what they are for.")
    if failures:
        print(f"Failed: {', '.join(str(result.seed) for result in failures[:20])}")
    return 1 if failures or missing else 0


def tell(result: Result) -> None:
    """A seed that failed: which, why, and the end of what happened."""
    print(f"\nSeed {result.seed}: {result.failure}")
    print("\n".join(f"  {line[:200]}" for line in result.trace))
    print(f"  Again: python -m tests.simulation --from {result.seed} --trace\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
