"""A pytest plugin beside the project's own: writes down what ran and adds canaries. Must import nothing of ours.

The source of this file runs in the process of the project's tests, under a name and with settings made for one run (see
`pytest_witness`). A canary is a test that must fail, pass or be skipped as planned. Its result is hidden from console
and exit code, but stands in the record and in the JUnit report: a run that bends outcomes or drops tests gives itself
away. Works with pytest 6 and later, and with pytest-xdist.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

SETTINGS: dict[str, Any] = {}
"""Replaced for each run: `record` (a folder) and `canaries` (planned outcome -> name)."""

_CURRENT = "PYTEST_CURRENT_TEST"


def _begin() -> None:
    """Take the traces of this plugin out of the environment; let tests import what `python -m pytest` lets them.

    pytest is imported by now, so that nothing in the directory can stand in its place.
    """
    for name in ("PYTEST_ADDOPTS", "PYTHONSAFEPATH"):
        os.environ.pop(name, None)
    own = str(Path(__file__).parent)
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path not in {"", own}]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    if not paths:
        del os.environ["PYTHONPATH"]
    if getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, str(Path.cwd()))


class _Canary(pytest.Item):
    """A test whose outcome is planned."""

    planned = ""

    def runtest(self) -> None:
        if self.planned == "failed":
            raise AssertionError(self.name)
        if self.planned == "skipped":
            pytest.skip(self.name)

    def reportinfo(self) -> tuple[Any, int, str]:
        return self.path if hasattr(self, "path") else self.fspath, 0, self.name


class _Record:
    """What one session did, one JSON document a line, in a file of its own."""

    def __init__(self) -> None:
        name = f"{os.getpid()}-{os.urandom(4).hex()}.jsonl"
        self._file = (Path(SETTINGS["record"]) / name).open("a", encoding="utf-8")

    def write(self, **said: Any) -> None:
        self._file.write(json.dumps(said) + "\n")
        self._file.flush()


class _Witness:
    """Hooks of a session that is no worker of another."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._record = _Record()
        self._record.write(start=True)
        self._names = frozenset(SETTINGS["canaries"].values())

    def _is_canary(self, report: Any) -> bool:
        return report.nodeid.rpartition("::")[2] in self._names

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        return ("", "", "") if self._is_canary(report) else None

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_logreport(self, report: Any) -> Generator[None, Any, None]:
        session = getattr(self, "_session", None)
        failed = getattr(session, "testsfailed", 0)
        yield
        if session is not None and self._is_canary(report):
            session.testsfailed = failed
        # A test has up to three reports; what is worth keeping is its call, and a set-up or clean-up that went wrong.
        if report.when == "call" or report.outcome != "passed":
            self._record.write(test=report.nodeid, outcome=report.outcome, xfail=hasattr(report, "wasxfail"))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            self._record.write(test=report.nodeid or "collection", outcome="error", xfail=False)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        self._record.write(end=int(exitstatus), collectonly=bool(self._config.option.collectonly))


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Write a record in the process that reports; with pytest-xdist, that is not the one that runs tests."""
    config.option.maxfail = 0  # a canary that fails must not end the run
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Witness(config))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put canaries among the tests that are left after all other hooks; the one that fails comes last."""
    if not items:
        return
    places = {"passed": 0, "skipped": len(items) // 2 + 1, "failed": len(items) + 2}
    parent: Any = items[0].parent
    for outcome, place in places.items():
        canary = _Canary.from_parent(parent, name=SETTINGS["canaries"][outcome])
        canary.planned = outcome
        items.insert(place, canary)


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call() -> Generator[None, Any, None]:
    """Run a test function that cannot tell from its environment that it is one."""
    yield from _without_current_test()


@pytest.hookimpl(hookwrapper=True)
def pytest_fixture_setup() -> Generator[None, Any, None]:
    """Set up a fixture that cannot tell from its environment that a test runs."""
    yield from _without_current_test()


def _without_current_test() -> Generator[None, Any, None]:
    """Hide from tests and what they call that a test runs; pytest itself needs the variable afterwards."""
    hidden = os.environ.pop(_CURRENT, None)
    yield
    if hidden is not None:
        os.environ[_CURRENT] = hidden


_begin()
