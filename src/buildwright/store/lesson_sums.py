"""What trials of lessons came to, kept when their build is removed. Must never import SQLAlchemy: it loads slowly.

As generators of statements, as those of `stats`.
"""

from __future__ import annotations

from typing import Final

from buildwright.store.asking import Asking, Query

SUMS: Final = ("tasks", "attempts", "squares", "failed", "cost")
"""The columns of `lesson_sums` that are sums: over tasks, their attempts and the squares of these; cost in 1e-10 USD."""
_TAKE = (
    "DELETE FROM lesson_trials WHERE build_id = $1 RETURNING user_id, lesson_id, given, ended, attempts, failed, cost"
)
_ADD = (
    f"INSERT INTO lesson_sums (user_id, lesson_id, given, {', '.join(SUMS)})"  # noqa: S608  names of ours
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id, lesson_id, given)"
    f" DO UPDATE SET {', '.join(f'{name} = lesson_sums.{name} + excluded.{name}' for name in SUMS)}"
)


def keep_sums(build_id: str) -> Asking[None]:
    """Remove the trials of a build that is removed, and add those that ended to the sums of their lessons."""
    rows = yield Query(_TAKE, (build_id,))
    sums: dict[tuple[str, str, bool], list[int]] = {}
    for user, lesson, given, ended, *counted in rows:
        if ended:
            attempts, failed, cost = map(int, counted)
            before = sums.get((user, lesson, bool(given)), [0] * len(SUMS))
            one = (1, attempts, attempts * attempts, failed, cost)
            sums[user, lesson, bool(given)] = [left + right for left, right in zip(before, one, strict=True)]
    # In one order for all, so that two that remove builds at once do not wait for each other.
    yield Query(_ADD, many=[(*key, *values) for key, values in sorted(sums.items())])
