"""Sets tests aside that must fail still, and shows that they do. Must never set aside a test that the base had.

Only files that a task with `tests_first` added count, and of those only tests: settings such as conftest.py steer other
tests as well. A test that passes before its code is there tests something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from buildwright.core.finding import NOT_RUN, Finding
from buildwright.core.tests_first import EarlyTests
from buildwright.gates.project_run import CheckRun, failed
from buildwright.gates.reporting import finding
from buildwright.gates.surface import is_settings, is_test
from buildwright.ports import Judged

_PROVES_NOTHING = frozenset({None, 0, 5, 127})
"""Ends of a test command that do not show a failing test: in time, well, without any test, without the program."""


def early_files(early: Iterable[EarlyTests]) -> list[str]:
    """Return the files with early tests."""
    return [path for one in early for path in one.paths if is_test(path) and not is_settings(path)]


def remove_early(files: Path, early: Iterable[EarlyTests]) -> None:
    """Remove early tests from a checkout of which nothing else is asked later."""
    with without(files, early, restore=False):
        pass


@contextmanager
def without(files: Path, early: Iterable[EarlyTests], *, restore: bool = True) -> Iterator[None]:
    """Take early tests out of a checkout, and put them back afterwards."""
    kept: dict[Path, tuple[bytes, int]] = {}
    for path in early_files(early):
        place = files / path
        if place.is_file() and not any((files / above).is_symlink() for above in (path, *_above(path))):
            kept[place] = place.read_bytes(), place.stat().st_mode
            place.unlink()
    try:
        yield
    finally:
        for place, (content, mode) in kept.items() if restore else ():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
            place.chmod(mode)


def _above(path: str) -> Iterator[str]:
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def own_red(judged: Judged) -> EarlyTests | None:
    """Return the judged task's own tests, if their code is not there yet."""
    return next((one for one in judged.red if judged.task is not None and one.task == judged.task.id), None)


def left_out(judged: Judged) -> list[Finding]:
    """Return what was left out because its code is not there; a warning on the final tree, where nothing can follow."""
    return [
        finding(
            NOT_RUN,
            f"not run: the tests of {one.task} ({', '.join(early_files([one])[:5])}), which fail until "
            f"{', '.join(one.until)} is done",
            severity="note" if judged.task is not None else "warning",
        )
        for one in judged.red
        if early_files([one])
    ]


def not_red(own: EarlyTests, runs: Sequence[CheckRun]) -> list[Finding]:
    """Return an error unless one of the runs of the test commands shows that a test of the task fails."""
    if any(run.completed.exit_code not in _PROVES_NOTHING for run in runs):
        return []
    later = ", ".join(own.until)
    if not early_files([own]):
        message = f"The task writes tests for {later}, and no new test file came with it."
        return [finding("tests.not_red", message, fix="write the tests into a new file that is named as a test")]
    message = f"The tests of this task are to fail until {later} is done, and they pass now: they test something else."
    return [
        finding("tests.not_red", message, fix="test what the later tasks are to write, as the specification says it")
    ]


def still_red(judged: Judged, run: CheckRun) -> list[Finding]:
    """Return an error when tests fail, as the base has them, that the judged change has to make pass."""
    if not early_files(judged.due) or run.check.kind != "test" or run.completed.exit_code == 0:
        return []
    named = ", ".join(one.task for one in judged.due)
    due = finding("tests.still_red", f"With this change the tests of {named} have to pass.", fix="write what they test")
    return [due, failed("check.failed", run.check.command, run.completed)]
