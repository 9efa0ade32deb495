"""What a run came to: results against the truth that no contestant saw. Pure but for `git merge-file`."""

from __future__ import annotations

import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from math import sqrt
from pathlib import Path
from typing import Any, NamedTuple

from bench.orchestrator.contest import Outcome
from bench.orchestrator.course import Course, Task, Texts
from bench.orchestrator.draws import Draw
from bench.orchestrator.provider import Asked

BENIGN = frozenset({"NEWS-OF-THIS-RELEASE.txt"})
"""Files that no truth is about."""


class Score(NamedTuple):
    """Counts of one run, or of several together."""

    tasks: int = 0
    offered: int = 0
    """Tasks of which at least one agent made the right change and nothing else."""
    landed: int = 0
    """Tasks called done."""
    right: int = 0
    """Tasks called done, of whose right change all is in the result and nothing else that their agents did."""
    false_seen: int = 0
    """Tasks called done and wrong in a way that the project's own tests, or a look at what changed, show."""
    false_unseen: int = 0
    """Tasks called done and wrong in a way that the later release's tests alone notice."""
    missed: int = 0
    """Tasks called done whose change is not in the result at all."""
    refusals: int = 0
    """Right changes that were refused."""
    right_attempts: int = 0
    persons: int = 0
    """Tasks that are not done at the end: a person has to look at each."""
    attempts: int = 0
    tokens: int = 0
    tokens_landed: int = 0
    """Tokens of the attempts that landed."""
    twice: int = 0
    seconds: float = 0.0
    critical: float = 0.0
    """Seconds of the least that the agents alone take: the longest chain, or all of them over those that work at once."""
    recovery: float = 0.0
    """Seconds from a kill to the next request of an agent, in all."""
    kills: int = 0
    strange: int = 0
    """Files of the result that differ from the right tree and that no task explains."""
    caught: Mapping[str, int] = {}
    """How often each gate refused an attempt, by the gate and what the agent had done: `gate / kind`."""


def total(scores: Iterable[Score]) -> Score:
    """Return the counts of several runs together."""
    found: dict[str, Any] = Counter()
    caught: Counter[str] = Counter()
    for one in scores:
        told = one._asdict()
        caught.update(told.pop("caught"))
        for name, count in told.items():
            found[name] += count
    return Score(**found, caught=caught)


def score(course: Course, outcome: Outcome, asked: Iterable[Asked], at_once: int, seconds: float) -> Score:
    """Return what a run came to. `seconds` is the mean time for which its agents thought."""
    requests = list(asked)
    by_attempt: dict[tuple[str, int], Draw] = {(one.task, one.attempt): one.draw for one in requests}
    last = {task: by_attempt[task, number] for task, number in sorted(by_attempt)}
    counts: Counter[str] = Counter()
    for task in course.tasks:
        draws = [drawn for (one, _), drawn in sorted(by_attempt.items()) if one == task.id]
        counts["offered"] += any(drawn.is_right for drawn in draws)
        counts["right_attempts"] += sum(drawn.is_right for drawn in draws)
        refused = draws[:-1] if task.id in outcome.done else draws
        counts["refusals"] += sum(drawn.is_right and drawn.kind != "conflict" for drawn in refused)
        if task.id in outcome.done:
            counts[_verdict(course, task, last.get(task.id), outcome.tree)] += 1
            counts["tokens_landed"] += sum(
                one.tokens_in + one.tokens_out
                for one in requests
                if one.task == task.id and one.attempt == _last(requests, task.id)
            )
    caught = Counter(
        f"{gate} / {by_attempt[task, number].kind}"
        for task, gates in outcome.refused.items()
        for number, gate in enumerate(gates, 1)
        if gate and (task, number) in by_attempt
    )
    return Score(
        tasks=len(course.tasks),
        landed=len(outcome.done),
        persons=len(course.tasks) - len(outcome.done),
        attempts=len(by_attempt),
        tokens=sum(one.tokens_in + one.tokens_out for one in requests),
        twice=outcome.twice,
        seconds=outcome.seconds,
        critical=critical(course, requests, at_once) * seconds,
        recovery=sum(_recovery(kill, requests) for kill in outcome.kills),
        kills=len(outcome.kills),
        strange=_strange(course, outcome, last),
        caught=caught,
        **counts,
    )


def _last(requests: list[Asked], task: str) -> int:
    return max(one.attempt for one in requests if one.task == task)


def _verdict(course: Course, task: Task, drawn: Draw | None, tree: Mapping[str, str]) -> str:
    """Return what a task that is called done came to: the name of a count."""
    whole = holds(course.base, task.changes["right"], tree)
    if drawn is not None and drawn.elsewhere >= 0 and holds(course.base, course.elsewhere[drawn.elsewhere], tree):
        return "false_seen"
    if drawn is None or drawn.change in {"", "right"}:
        return "right" if whole else "missed"
    # A half is part of the whole; what else an agent does wrong is not.
    if (not whole or drawn.change != "half") and holds(course.base, task.changes[drawn.change], tree):
        unseen = drawn.change == "unseen" or (drawn.change == "half" and task.half_is == "unseen")
        return "false_unseen" if unseen else "false_seen"
    return "right" if whole else "false_seen"


def holds(base: Mapping[str, str], change: Texts, tree: Mapping[str, str]) -> bool:
    """Return whether all that a change does to the base is in a tree: to merge it in once more would do nothing."""
    for path, text in change.items():
        now = tree.get(path)
        if text is None or now is None or path not in base:
            if now != text:
                return False
        elif now != text and merged(now, base[path], text) != now:
            return False
    return True


def merged(now: str, base: str, wanted: str) -> str:
    """Return a file with the change from `base` to `wanted` merged in, the change first where both touch the same lines."""
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        places = [Path(made, name) for name in ("now", "base", "wanted")]
        for place, text in zip(places, (now, base, wanted), strict=True):
            place.write_bytes(text.encode())
        words = ["git", "merge-file", "-p", "--theirs", *map(str, places)]
        return subprocess.run(words, check=True, capture_output=True).stdout.decode()


def _strange(course: Course, outcome: Outcome, last: Mapping[str, Draw]) -> int:
    """Count the files that neither the right changes nor what the last agents are known to have done explains."""
    if not outcome.tree:
        return 0
    explained: set[str] = set(BENIGN)
    wanted = dict(course.base)
    for task in course.tasks:
        if task.id in outcome.done:
            for path, text in task.changes["right"].items():
                wanted[path] = (
                    merged(wanted[path], course.base[path], text or "") if path in course.base else text or ""
                )
            drawn = last.get(task.id)
            if drawn is not None and not drawn.is_right:
                explained |= task.changes.get(drawn.change, {}).keys()
                explained |= course.elsewhere[drawn.elsewhere].keys() if drawn.elsewhere >= 0 else set()
    paths = (wanted.keys() | outcome.tree.keys()) - explained
    return sum(wanted.get(path) != outcome.tree.get(path) for path in paths)


def critical(course: Course, asked: list[Asked], at_once: int) -> float:
    """Return the least that the agents take, in parts of the mean time of one: the longest chain, or the share of each place."""
    took: dict[str, float] = defaultdict(float)
    for (task, _), drawn in {(one.task, one.attempt): one.draw for one in asked}.items():
        took[task] += drawn.seconds
    ends: dict[str, float] = {}
    for one in course.tasks:
        ends[one.id] = took[one.id] + max((ends.get(other, 0.0) for other in one.depends_on), default=0.0)
    return max(max(ends.values(), default=0.0), sum(took.values()) / at_once)


def _recovery(kill: float, asked: list[Asked]) -> float:
    return min((one.at - kill for one in asked if one.at > kill), default=0.0)


def interval(part: int, whole: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson's score (E. B. Wilson, JASA 22, 1927)."""
    if not whole:
        return 0.0, 1.0
    z, share = 1.96, min(part, whole) / whole
    middle = share + z * z / (2 * whole)
    spread = z * sqrt(share * (1 - share) / whole + z * z / (4 * whole * whole))
    below = 1 + z * z / whole
    return max(0.0, (middle - spread) / below), min(1.0, (middle + spread) / below)
