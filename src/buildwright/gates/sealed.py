"""Runs sealed tests on a checkout and judges a finished change by them. Must never tell what they ask or answer.

A finding names the acceptance line and how many tests fail: with the inputs the next attempt could learn the answers by
heart. The files lie in the checkout only while they run, each under a name of this run alone.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from buildwright.core.finding import Evidence, Finding
from buildwright.core.limits import Check
from buildwright.core.sealed import Language, SealedFile, SealedRun, SealedTests
from buildwright.gates.changed import checkout, listing
from buildwright.gates.checks import read_project
from buildwright.gates.interpreter import Pythons
from buildwright.gates.junit import Tally
from buildwright.gates.project_run import CheckRun, ProjectRun, ended
from buildwright.gates.replay import elsewhere, make_old
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.setup_cache import SetupCache
from buildwright.gates.toolchain import find_toolchain
from buildwright.ports import GateTools, Judged, Judgement
from buildwright.temporary_folders import temporary_folder

_SCRIPTS = frozenset((".js", ".cjs", ".mjs"))
_FIX = (
    "do what this line of the task asks, for every input and not only for those that it names; a person can look at "
    "these tests and approve this"
)


class SealedRunner:
    """Runs sealed tests as the project's own tests are run. Implements the port `SealedTrial`."""

    def __init__(self, tools: GateTools) -> None:
        self._sandbox = tools.sandbox
        self._setups = SetupCache(tools.setups) if tools.setups is not None else None
        self._pythons = Pythons(tools.path)

    @property
    def sandbox(self) -> str:
        """Return the name of the sandbox."""
        return self._sandbox.name

    async def languages(self, repository: str, files: Path) -> tuple[Language, ...]:
        """Return the languages of this checkout whose runner is here; of an empty one all that are."""
        python, path = await self._pythons.of(repository)
        paths = [PurePosixPath(one) for one in listing(files)]
        has_python = any(one.suffix == ".py" or one.name == "pyproject.toml" for one in paths)
        has_node = any(one.suffix in _SCRIPTS or one.name == "package.json" for one in paths)
        neither = not has_python and not has_node
        found: list[Language] = []
        if python.has_pytest and (has_python or neither):
            found.append("python")
        if shutil.which("node", path=path) and (has_node or neither):
            found.append("node")
        return tuple(found)

    async def run(self, judged: Judged, tests: SealedTests, *, away: bool = False) -> list[SealedRun]:
        """Return what each file did on the checkout. Raises GateBroken, BadSettings when buildwright.toml is wrong.

        With `away` the surroundings are other ones than those of the project's own checks (see `replay`).
        """
        files = checkout(judged)
        more = elsewhere() if away else None
        if away:
            make_old(files)
        python, path = await self._pythons.of(judged.repository)
        project = read_project(files, python, path)
        toolchain = find_toolchain(project, judged.options)
        unheard = replace(judged, on_output=None, on_command=None)  # what tests print tells what they ask
        beside = files.parent if away and os.access(files.parent, os.W_OK) else None
        with temporary_folder(secrets.token_hex(3), beside) as folder:
            run = ProjectRun(unheard, files, folder, self._sandbox, path, toolchain, more=more)
            done = await run.set_up(toolchain.setup, self._setups)
            if done and not done[-1].report.ok:
                return [SealedRun(broken="the set-up of the checks fails")] * len(tests.files)
            return [await _run_file(run, files, file, project.python) for file in tests.files]


async def _run_file(run: ProjectRun, files: Path, file: SealedFile, python: str) -> SealedRun:
    """Put a file into the checkout, run it, take it out."""
    # No word of the name says that it is a test: code may be right where a test calls.
    name = f"m{secrets.token_hex(6)}{'.py' if file.language == 'python' else '.mjs'}"
    # What lies in the checkout must not stand in for pytest; its plugin lets tests import from there.
    command = f"PYTHONSAFEPATH=1 {python} -m pytest -q {name}" if file.language == "python" else f"node --test {name}"
    place = files / name
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "w") as opened:
        opened.write(file.text)
    try:
        ran = await run.run(Check(name="sealed", command=command, kind="test"))
    finally:
        place.unlink(missing_ok=True)
    output, seconds = ran.completed.output, ran.completed.seconds
    if broken := _broken(ran, name, file.language):
        return SealedRun(broken=broken, output=output, seconds=seconds)
    assert ran.tests is not None
    names = {_own_name(case.name, name): case.outcome for case in ran.tests.cases}
    passed = tuple(one for one, outcome in names.items() if outcome == "passed")
    return SealedRun(passed, tuple(one for one in names if one not in passed), "", output, seconds)


def _own_name(case: str, file: str) -> str:
    """Return a test's name without that of its file, which is another one in each run."""
    return case.removeprefix(f"{file}::").removeprefix(f"{file} > ")


def _broken(ran: CheckRun, name: str, language: Language) -> str:
    """Return why a run says nothing about the product, "" when it does."""
    if wrong := ended("it", "it", ran.completed):
        return "it was not done within its time" if wrong[0].code == "check.timeout" else "its runner was not found"
    if ran.wrong:
        return f"its run cannot be believed ({ran.wrong[0].code})"
    if ran.tests is None or not ran.tests.cases:
        return "no test of it can be collected; import the product inside the tests"
    return _own_fault(ran.tests, name) if language == "python" else ""


def _own_fault(tests: Tally, name: str) -> str:
    """Return how a Python file is wrong by itself: an error in set-up, or a name that it does not define."""
    if any(one.code == "test.error" for one in tests.findings):
        return "the set-up of a test fails"
    if any(one.file == name and one.message.endswith(": NameError") for one in tests.findings):
        return "it uses a name that it does not define"
    return ""


class SealedGate:
    """Judges a task's finished change by the tests that were sealed before its agent started."""

    name = "sealed"
    needs_files = True
    refuses = "a change that fails the sealed tests of its task, if they were asked for"

    def __init__(self, tools: GateTools) -> None:
        self._runner = SealedRunner(tools)

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none without a patch, or when no sealed tests were asked for. Raises GateBroken."""
        if judged.patch is None:
            return []
        checkout(judged)  # raises without one
        tests = judged.sealed
        if tests is None:
            return []
        if not tests.files:
            message = f"This change was judged without sealed tests: {tests.why_none}."
            return [judgement(self.name, "test", [finding("sealed.none", message, severity="note")])]
        started_at = datetime.now(UTC)
        runs = await self._runner.run(judged, tests, away=True)
        findings = _findings(tests.files, runs)
        output = b"\n".join(run.output for run in runs)
        evidence = Evidence(
            tree=judged.tree,
            command=f"{len(tests.files)} files of sealed tests",
            exit_code=int(bool(findings)),
            seconds=sum(run.seconds for run in runs),
            output_digest=hashlib.sha256(output).hexdigest(),
            started_at=started_at,
            tests=tests.count,
            sandbox=self._runner.sandbox,
        )
        return [judgement(self.name, "test", [judged.consent(one) for one in findings], output, evidence)]


def _findings(files: Sequence[SealedFile], runs: Sequence[SealedRun]) -> list[Finding]:
    """Return one finding for each acceptance line of which tests fail."""
    findings = []
    for line in dict.fromkeys(file.line for file in files):
        mine = [(file, run) for file, run in zip(files, runs, strict=True) if file.line == line]
        count = sum(len(file.tests) for file, _ in mine)
        failed = sum(test not in run.passed for file, run in mine for test in file.tests)
        if failed:
            message = f"The change does not do what the task asks: {line} ({failed} of {count} sealed tests fail)"
            findings.append(finding("sealed.failed", message, fix=_FIX))
    return findings
