"""Judges whether a task that changed nothing may be done by its own command. Must never take a general check for proof."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from buildwright.core.finding import Finding
from buildwright.core.limits import Check
from buildwright.gates.reporting import finding
from buildwright.ports import Judged


def missing_proof(judged: Judged, checks: Iterable[Check], files: Iterable[str]) -> Iterator[Finding]:
    """Yield why nothing proves that a task's work is there already, whatever its own command says.

    `files` are the files of the tree. Nothing for a change that is not empty. The command itself runs afterwards, like
    that of any other task.
    """
    task = judged.task
    if task is None or judged.patch is None or not judged.patch.is_empty:
        return
    paths = frozenset(files)
    command = task.validation.command if task.validation is not None else ""
    if any(_same(command, check.command) for check in checks):
        yield finding(
            "proof.not_own",
            f"Nothing was changed, and `{command}` is a check of the whole project, which passes without the task.",
            fix="make the change that the task asks for",
        )
    for path in task.files_expected:
        if "*" in path or "?" in path:
            continue
        name = path.rstrip("/")
        is_there = name in paths or any(one.startswith(f"{name}/") for one in paths)
        if is_there == (task.action == "delete"):
            told = "is still there" if is_there else "is not there"
            message = f"Nothing was changed, and {path}, which the task names, {told}."
            yield finding("proof.file", message, path, fix="make the change that the task asks for")


def _same(one: str, other: str) -> bool:
    """Compare command lines without spaces and the words that only make a run quiet or loud."""
    first, second = ([word for word in text.split() if word not in _MANNERS] for text in (one, other))
    return first == second


_MANNERS = frozenset({"-q", "--quiet", "-v", "--verbose", "-vv", "-qq", "-x", "-s", "--silent"})
