"""Finds the tests with which a patch claims something new, and asks a runner for them alone. Must never run anything."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from buildwright.core.limits import Check
from buildwright.gates.canaries import runner_behind
from buildwright.gates.compared import Compared
from buildwright.gates.comparison import bare_name
from buildwright.gates.facts import TOP
from buildwright.gates.junit import CaseResult
from buildwright.gates.node_scripts import called_script
from buildwright.gates.script import is_script
from buildwright.gates.surface import is_test
from buildwright.gates.tests_changed import tests_of

_TAKES_PATHS = frozenset(("pytest", "node --test", "jest", "vitest", "mocha"))
_NOT_SIMPLE = re.compile(r"[;&|<>\n()`$#]")
_FOLDER = re.compile(r"cd (?:\S+|'[^']*') && ")
_HOLES = re.compile(r"%[sdifjoOpc#%$]|\$\{[^}]*\}|\$[\w.#]+")
"""What a runner or JavaScript puts into titles: places of a table, values by name, expressions."""


class NewTest(NamedTuple):
    """A test that claims something which no test claimed before."""

    path: str
    title: str
    """Of Python its name, with its class; of JavaScript its titles, those around it first."""
    body: str = ""

    def speaks_of(self, name: str) -> bool:
        """Return whether the test's title or body has this word, also as a part of `test_word`."""
        pattern = rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])"
        return re.search(pattern, f"{self.title}\n{self.body}", re.IGNORECASE) is not None

    def is_case(self, case: CaseResult) -> bool:
        """Return whether a runner's result is of this test."""
        if case.file and case.file != self.path and not self.path.endswith(f"/{case.file}"):
            return False
        if self.path.endswith(".py"):
            return bare_name(case.name) == self.title.rpartition(".")[2]
        said = _in_one_line(re.sub(r" #\d+$", "", case.name.partition("::")[2] or case.name))
        pattern = ".*".join(map(re.escape, _HOLES.split(_in_one_line(self.title))))
        return re.fullmatch(pattern, said, re.DOTALL) is not None


def _in_one_line(title: str) -> str:
    return " ".join(title.split())


def new_tests(files: Iterable[Compared]) -> Iterator[NewTest]:
    """Yield the tests that claim more than all tests of the changed files did, wherever these have moved to.

    A new test of which no claim can be read counts too. One that does not run (skipped) does not.
    """
    read = [file for file in files if is_test(file.path) and (file.path.endswith(".py") or is_script(file.path))]
    before = [test for file in read for test in tests_of(file.path, file.before).tests.values()]
    facts = {fact.text for test in before for fact in test.facts}
    known = {test.name for test in before} | {test.body for test in before}
    for file in read:
        for test in tests_of(file.path, file.after).tests.values():
            claims = {fact.text for fact in test.facts}
            is_new = bool(claims - facts) if claims else known.isdisjoint((test.name, test.body))
            if is_new and test.name != TOP and not test.silent:
                yield NewTest(file.path, test.name, test.body)


def narrowed(check: Check, files: Path, paths: Sequence[str]) -> Check:
    """Return the check asked for these test files alone, as it is where its command does not take them.

    `files` is the checkout in which it will run.
    """
    runner = runner_behind(files, check)
    prefix = match[0] if (match := _FOLDER.match(check.command)) else ""
    command = check.command.removeprefix(prefix)
    inside = [path.removeprefix(runner.folder) for path in paths if path.startswith(runner.folder)]
    if runner.name not in _TAKES_PATHS or len(inside) < len(paths) or any(path.startswith("-") for path in inside):
        return check
    if _NOT_SIMPLE.search(command) or _NOT_SIMPLE.search(runner.body):
        return check
    between = " --" if (script := called_script(command)) and script.manager == "npm" else ""
    return check.model_copy(update={"command": f"{prefix}{command}{between} {shlex.join(inside)}"})
