"""Where the tasks of one phase stand in its picture: layers by the longest path, ordered by few crossings. Pure.

The same tasks always give the same picture, and a task that is added moves no other without need: places depend
on the graph and on the order of the list alone (layered drawing after Sugiyama, Tagawa and Toda, 1981).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 8
"""Passes over the layers, down and up in turn, that order each by the mean place of its neighbours."""


class Spot(NamedTuple):
    """A place in the picture: the layer from 0, and the row in it, from 0."""

    layer: int
    row: int


def layered(count: int, edges: Sequence[tuple[int, int]]) -> list[Spot]:
    """Return the place of each of `count` tasks, named by their place in the list; an edge leads from the task needed.

    The edges must have no circle. O(sweeps * edges).
    """
    before: list[list[int]] = [[] for _ in range(count)]
    after: list[list[int]] = [[] for _ in range(count)]
    for needed, needing in edges:
        before[needing].append(needed)
        after[needed].append(needing)
    layer = _layers(count, before, after)
    rows: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for task in range(count):
        rows[layer[task]].append(task)
    best, fewest = [list(row) for row in rows], _crossings(rows, after)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        _order(rows if down else rows[::-1], before if down else after)
        crossings = _crossings(rows, after)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return [place for _, place in sorted((t, Spot(layer[t], at)) for row in best for at, t in enumerate(row))]


def _layers(count: int, before: list[list[int]], after: list[list[int]]) -> list[int]:
    layer, unmet = [0] * count, [len(needed) for needed in before]
    due = [task for task in range(count) if not unmet[task]]
    for task in due:  # grows while it is read
        for following in after[task]:
            layer[following] = max(layer[following], layer[task] + 1)
            unmet[following] -= 1
            if not unmet[following]:
                due.append(following)
    return layer


def _order(rows: list[list[int]], neighbours: list[list[int]]) -> None:
    """Order each layer but the first by the mean place of the neighbours in the layers before it; ties stay as they are."""
    at: dict[int, float] = {}
    for row in rows:
        for place, task in enumerate(row):
            known = [at[one] for one in neighbours[task] if one in at]
            at[task] = sum(known) / len(known) if known else float(place)
        row.sort(key=at.__getitem__)
        at.update({task: float(place) for place, task in enumerate(row)})


def _crossings(rows: list[list[int]], after: list[list[int]]) -> int:
    """Return how many pairs of edges between neighbouring layers cross."""
    found = 0
    for row, below in pairwise(rows):
        at = {task: place for place, task in enumerate(below)}
        ends = [place for task in row for place in sorted(at[one] for one in after[task] if one in at)]
        found += _inversions(ends, len(below))
    return found


def _inversions(values: list[int], size: int) -> int:
    """Return how many pairs stand in the wrong order, with a Fenwick tree: O(n log n)."""
    tree, found = [0] * (size + 1), 0
    for seen, value in enumerate(values):
        place, smaller = value + 1, 0
        while place:
            smaller += tree[place]
            place &= place - 1
        found += seen - smaller
        place = value + 1
        while place <= size:
            tree[place] += 1
            place += place & -place
    return found
