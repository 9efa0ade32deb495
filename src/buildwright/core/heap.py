"""A persistent priority queue of integers (leftist heap). Push, pop, merge take O(log n) and must never change a heap.

Source of the algorithm: C. A. Crane, 1972; functional form after C. Okasaki, Purely Functional Data Structures, 1998.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias


class _Node(NamedTuple):
    height: int
    key: int
    left: Heap
    right: Heap


Heap: TypeAlias = _Node | None
"""A heap; None is the empty one."""


def merge(a: Heap, b: Heap) -> Heap:
    """Return one heap with the keys of both."""
    if a is None:
        return b
    if b is None:
        return a
    if b.key < a.key:
        a, b = b, a
    left, right = a.left, merge(a.right, b)
    left_height = left.height if left else 0
    right_height = right.height if right else 0
    if left_height >= right_height:
        return _Node(right_height + 1, a.key, left, right)
    return _Node(left_height + 1, a.key, right, left)


def push(heap: Heap, key: int) -> Heap:
    """Return the heap with one more key."""
    return merge(heap, _Node(1, key, None, None))


def pop(heap: _Node) -> tuple[int, Heap]:
    """Return the smallest key and the heap without it."""
    return heap.key, merge(heap.left, heap.right)


def heap_of(keys: Iterable[int]) -> Heap:
    """Return a heap of these keys, in O(n) when they are sorted."""
    heap: Heap = None
    for key in sorted(keys, reverse=True):
        heap = _Node(1, key, heap, None)
    return heap


def keys_of(heap: Heap) -> Iterator[int]:
    """Yield all keys, in no useful order. Iterative: a heap may be deep to the left."""
    stack = [heap]
    while stack:
        node = stack.pop()
        if node is not None:
            yield node.key
            stack.append(node.left)
            stack.append(node.right)
