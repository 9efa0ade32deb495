"""The work every engine is given, as data: chains, fan-outs and layered graphs. Standard library only; peers import it too."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass

SEED = 42
"""Gives the layered graph of 300 a critical path of 2.005 s and 43.76 s of work: at 16 at once no schedule beats 2.735 s."""

SLOTS = 16
"""How many tasks of a layered graph may run at once."""

CHAIN = 200
FAN = 1000
LAYERED = 300
CRASH_CHAIN = 100
CRASH_SECONDS = 0.02
WARM_UP = 3
"""Tasks of the chain that every engine runs before its clock starts."""


@dataclass(frozen=True, slots=True)
class Job:
    """One task: does nothing but sleep `seconds`; `needs` are positions of jobs before it."""

    seconds: float
    needs: tuple[int, ...]


Graph = tuple[Job, ...]
"""Jobs in an order in which every job comes after those it needs."""


def chain(n: int, seconds: float = 0.0) -> Graph:
    """n jobs, each needing the one before."""
    return tuple(Job(seconds, (i - 1,) if i else ()) for i in range(n))


def fan(n: int) -> Graph:
    """n jobs that need nothing, and one (the last) that needs all of them."""
    return (*(Job(0.0, ()) for _ in range(n)), Job(0.0, tuple(range(n))))


def layered(n: int, low: float = 0.0, high: float = 0.0, width: int = 30) -> Graph:
    """n jobs in layers of `width`, each needing one to three of the layer before; sleeps drawn from low..high seconds."""
    draw = random.Random(SEED)
    jobs: list[Job] = []
    for i in range(n):
        start = (i // width - 1) * width
        needs = sorted(draw.sample(range(start, start + width), draw.randint(1, 3))) if start >= 0 else []
        jobs.append(Job(round(draw.uniform(low, high), 4), tuple(needs)))
    return tuple(jobs)


def dependents_of(graph: Graph) -> list[list[int]]:
    """For each job, the jobs that need it."""
    dependents: list[list[int]] = [[] for _ in graph]
    for i, job in enumerate(graph):
        for needed in job.needs:
            dependents[needed].append(i)
    return dependents


def remaining_of(graph: Graph) -> list[float]:
    """For each job, the seconds of the longest path from its start to the end of the graph."""
    dependents = dependents_of(graph)
    remaining = [0.0] * len(graph)
    for i in range(len(graph) - 1, -1, -1):
        remaining[i] = graph[i].seconds + max((remaining[d] for d in dependents[i]), default=0.0)
    return remaining


def lower_bound(graph: Graph, slots: int = SLOTS) -> float:
    """Seconds no schedule can beat: the critical path, or all the work spread over the slots."""
    return max(*remaining_of(graph), sum(job.seconds for job in graph) / slots)


def perfect_makespan(graph: Graph, slots: int = SLOTS) -> float:
    """Seconds a greedy list scheduler without any cost of its own takes: longest remaining path first (R. L. Graham, 1966)."""
    dependents, remaining = dependents_of(graph), remaining_of(graph)
    unmet = [len(job.needs) for job in graph]
    ready = [(-remaining[i], i) for i, count in enumerate(unmet) if count == 0]
    heapq.heapify(ready)
    running: list[tuple[float, int]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < slots:
            i = heapq.heappop(ready)[1]
            heapq.heappush(running, (now + graph[i].seconds, i))
        now, done = heapq.heappop(running)
        for d in dependents[done]:
            unmet[d] -= 1
            if unmet[d] == 0:
                heapq.heappush(ready, (-remaining[d], d))
    return now


def graph_of(workload: str, n: int = 0) -> Graph:
    """The graph of a workload by its name; `n` replaces the usual number of jobs. Raises KeyError for an unknown name."""
    match workload:
        case "w1":
            return chain(n or CHAIN)
        case "w2":
            return fan(n or FAN)
        case "w3":
            return layered(n or LAYERED, 0.05, 0.25)
        case "w3-lanes" | "w3-lanes-memory":
            return layered(n or LAYERED, 0.5, 2.5)
        case "w4":
            return chain(n or CRASH_CHAIN, CRASH_SECONDS)
        case "size":
            return layered(n, width=10)
        case _:
            raise KeyError(workload)
