"""`python -m bench`: runs every engine on every workload in turn, prints the comparison, keeps it in .bench/results.json."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import first_branch, report, startup
from bench.cluster.parts import PARTS, run_module, run_part
from bench.contestants import Contestant, contestants
from bench.machine import calibrate, load, machine
from bench.measure import ROOT, STATE, RunFailed, measure
from bench.peers.environment import CannotMakeEnvironment
from bench.workload import CRASH_CHAIN, graph_of, lower_bound, perfect_makespan

RESULTS = ROOT / ".bench" / "results.json"
SIZES = (10, 100, 1000, 10_000)
MODULES = {
    "http": "bench.over_http",
    "streams": "bench.streams",
    "boxes": "bench.boxes",
    "gateway": "bench.gateway",
    "crew": "bench.crew",
    "interrupt": "bench.interrupt",
    "stats": "bench.stats",
    "money": "bench.money",
    "prompts": "bench.prompts",
    "pages": "bench.pages",
}
"""Parts that are a module of their own, by the name under which it prints what it found."""
WORKLOADS = (
    "w1",
    "w2",
    "w3",
    "w3-lanes",
    "w3-lanes-memory",
    "w4",
    "size",
    "lane",
    "startup",
    "first_branch",
    *MODULES,
    *PARTS,
)
SLOWER = 1.25
"""Arithmetic this much slower than the best seen means that somebody else uses the processor."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Compare Buildwright with other engines and with floors."
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often everything runs (default 3)")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="a workload, an engine, or `cluster` for all of its parts; may be given several times",
    )
    parser.add_argument(
        "--quick", action="store_true", help="one round, without w3-lanes and the 10,000 tasks: to see that it works"
    )
    parser.add_argument("--no-peers", action="store_true", help="only the floor and Buildwright: needs no network")
    given = parser.parse_args()
    if "cluster" in given.only:
        given.only = [name for name in given.only if name != "cluster"] + list(PARTS)
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    return given


def _plan(given: argparse.Namespace, engines: list[Contestant]) -> list[tuple[Contestant, str, int]]:
    """What one round runs, in its order: workload by workload, each engine in turn."""
    named_engines = {engine.name for engine in engines} & set(given.only)
    named_workloads = set(WORKLOADS) & set(given.only)
    sizes = SIZES[:-1] if given.quick else SIZES
    plan = []
    for workload in WORKLOADS:
        if (named_workloads and workload not in named_workloads) or (given.quick and workload.startswith("w3-lanes")):
            continue
        for n in sizes if workload == "size" else (0,):
            plan += [
                (engine, workload, n)
                for engine in engines
                if workload in engine.workloads and (not named_engines or engine.name in named_engines)
            ]
    return plan


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _look_at_machine(best: list[float]) -> dict[str, float]:
    """Load and speed now; warns when they say that the figures of this round will be noisy."""
    now = {"load": round(load(), 2), "calibration": round(calibrate(), 4)}
    best.append(now["calibration"])
    slow = now["calibration"] / min(best)
    _say(f"load {now['load']}, arithmetic {slow:.2f}x the best seen")
    if now["load"] > (os.cpu_count() or 1) / 2 or slow > SLOWER:
        _say("warning: this machine is busy; the figures of this round will be noisy")
    return now


def _run(given: argparse.Namespace, engines: list[Contestant]) -> dict[str, Any]:
    runs: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    rounds: list[dict[str, float]] = []
    best: list[float] = []
    plan = _plan(given, engines)
    for turn in range(1 if given.quick else given.rounds):
        rounds.append(_look_at_machine(best))
        for engine, workload, n in plan:
            label = f"round {turn + 1}: {workload}{f' {n}' if n else ''} {engine.name}"
            began = time.perf_counter()
            try:
                result = measure(engine, workload, n, kill_after=CRASH_CHAIN * (3 + turn % 4) // 10)
            except RunFailed as problem:
                failures.append(
                    {"engine": engine.name, "workload": workload, "n": n, "round": turn, "message": str(problem)}
                )
                _say(f"{label}: FAILED: {problem}")
                continue
            runs.append({**result, "engine": engine.name, "round": turn})
            _say(f"{label}: {result['seconds']:.3f} s (whole process {time.perf_counter() - began:.1f} s)")
    return {"rounds": rounds, "runs": runs, "failures": failures}


def main() -> int:
    given = _arguments()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's program is compiled once, not at each start
    try:
        engines = contestants(peers=not given.no_peers)
    except CannotMakeEnvironment as problem:
        _say(f"{problem}\nOr leave the other engines out: python -m bench --no-peers")
        return 1
    unknown = set(given.only) - set(WORKLOADS) - {engine.name for engine in engines}
    if unknown:
        _say(
            f"unknown: {', '.join(sorted(unknown))}. Known: {', '.join((*WORKLOADS, *(engine.name for engine in engines)))}"
        )
        return 2
    if not any(engine.name == "buildwright" for engine in engines):
        _say("buildwright is not installed here: comparing the others only")
    RESULTS.parent.mkdir(exist_ok=True)
    results: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(RESULTS.parent),
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "engines": {engine.name: {"durable": engine.durable, "peer": engine.peer} for engine in engines},
        "ideal": {
            name: {"lower_bound": lower_bound(graph_of(name)), "perfect": perfect_makespan(graph_of(name))}
            for name in ("w3", "w3-lanes", "w3-lanes-memory")
        },
        **_run(given, engines),
    }
    _keep(RESULTS, results)
    if any(engine.name == "buildwright" for engine in engines):
        if not given.only or "lane" in given.only:
            results["lane"] = _lane(500 if given.quick else 5000, 1 if given.quick else given.rounds)
        if not given.only or "startup" in given.only:
            results["startup"] = startup.measure_all(3 if given.quick else 7)
        if "first_branch" in given.only or not (given.only or given.quick or given.no_peers):
            results["first_branch"] = _first_branch(given.rounds)
        for part, module in MODULES.items():
            if not given.only or part in given.only:
                results[part] = _of_module(given, part, module)
        results["cluster"] = _cluster(given, [part for part in PARTS if not given.only or part in given.only])
    _keep(RESULTS, results)
    print(report.as_text(results))
    print(f"\nkept in {RESULTS.relative_to(ROOT)}; `python -m bench.report` makes docs/benchmarks.md of it")
    bad = (
        results["failures"]
        or results.get("cluster", {}).get("failures")
        or results.get("startup", {}).get("failures")
        or results.get("first_branch", {}).get("failures")
        or any(results.get(part, {}).get("failures") for part in MODULES)
        or "failure" in results.get("lane", {})
    )
    return 1 if bad else 0


def _cluster(given: argparse.Namespace, parts: list[str]) -> dict[str, Any]:
    """What each round of each part of the cluster's benchmarks found, the parts in turn; `failures` says what did not run."""
    found: dict[str, Any] = {"rounds": {part: [] for part in parts}, "loads": [], "failures": []}
    for turn in range(1 if given.quick else given.rounds):
        found["loads"].append(round(load(), 2))
        for part in parts:
            options = [*(["--tiny"] if given.quick else []), *([] if given.no_peers else ["--peers"])]
            if part == "waiting" and turn:
                continue  # it takes long, and measures in turn by itself what it compares
            if turn == 0 and not given.quick:
                options.append("--long")
            began = time.perf_counter()
            try:
                found["rounds"][part].append(run_part(part, *options))
            except RunFailed as problem:
                found["failures"].append(f"{part} (round {turn + 1}): {problem}")
                _say(found["failures"][-1])
                continue
            _say(f"round {turn + 1}: cluster, {part}: {time.perf_counter() - began:.0f} s")
    return found


def _of_module(given: argparse.Namespace, name: str, module: str) -> dict[str, Any]:
    """What each round of a part that is a module of its own found; `failures` says what did not run."""
    found: dict[str, Any] = {"rounds": [], "failures": []}
    for turn in range(1 if given.quick else given.rounds):
        words = (module, "--state", str(STATE.parent / name), *(["--tiny"] if given.quick else []))
        try:
            found["rounds"].append(run_module(name, *words))
        except RunFailed as problem:
            found["failures"].append(f"{name} (round {turn + 1}): {problem}")
            _say(found["failures"][-1])
    return found


def _first_branch(rounds: int) -> dict[str, Any]:
    """What the first branch of each project takes; `failures` says why it could not be measured."""
    try:
        return first_branch.measure_all(rounds)
    except (RunFailed, OSError, subprocess.CalledProcessError) as problem:
        return {"failures": [f"first_branch: {problem}"]}


def _lane(files: int, rounds: int) -> dict[str, Any]:
    """What a lane costs beside bare git, on the disk that the other figures are from; `failure` when it could not be measured."""
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    argv = [sys.executable, "-m", "bench.lane", "--files", str(files), "--rounds", str(rounds)]
    try:
        done = subprocess.run(
            argv, cwd=ROOT, env={**os.environ, "TMPDIR": str(STATE)}, capture_output=True, text=True, check=False
        )
    finally:
        shutil.rmtree(STATE, ignore_errors=True)
    found = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not found:
        return {"failure": f"bench.lane: exit code {done.returncode}: {done.stderr[-1500:]}"}
    return dict(json.loads(found[-1]))


def _keep(path: Path, results: dict[str, Any]) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(results, indent=1) + "\n")
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main())
