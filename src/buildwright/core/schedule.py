"""How long the tasks of a plan take together, when only some of them run at once. Pure; must never know progress."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from buildwright.core.graph import Plan


def makespan(plan: Plan, seconds: Callable[[int, int], float], slots: int) -> float:
    """Return when the last task ends, in seconds, if each starts as soon as it may and one of the slots is free.

    `seconds` gives the time of a task from its place in the order of starting and its index in the plan. A task of 0
    seconds takes no slot. O(tasks * log(slots) + dependencies).
    """
    tasks = plan.graph.tasks
    if not tasks:
        return 0.0
    ends: dict[int, float] = {}
    free = [0.0] * max(1, min(slots, len(tasks)))
    order = sorted(range(len(tasks)), key=lambda index: (plan.milestone[index], plan.depth[index], plan.rank[index]))
    over: dict[int, float] = {}
    for place, index in enumerate(order):
        needs = [ends[plan.position[name]] for name in tasks[index].depends_on]
        before = max((end for phase, end in over.items() if phase < plan.milestone[index]), default=0.0)
        took = seconds(place, index)
        began = max(before, *needs, 0.0)
        if took:
            began = max(heapq.heappop(free), began)
            heapq.heappush(free, began + took)
        ends[index] = began + took
        over[plan.milestone[index]] = max(over.get(plan.milestone[index], 0.0), ends[index])
    return max(ends.values())
