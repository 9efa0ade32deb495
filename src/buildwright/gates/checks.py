"""Runs a project's own commands on an exact tree and reads their output. Must never trust a report over exit code."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import hashlib
import os
import shlex
import shutil
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from buildwright.core.finding import NOT_RUN, CheckKind, Evidence, Finding
from buildwright.core.limits import Check
from buildwright.errors import GateBroken, ToolMissing
from buildwright.gates.changed import checkout, read_bytes
from buildwright.gates.interpreter import Python, find_python
from buildwright.gates.junit import LARGEST_REPORT, Tally, read_junit
from buildwright.gates.reporting import clip, finding, judgement
from buildwright.gates.setup_cache import Setup, SetupCache
from buildwright.gates.test_output import read_run, runner_of
from buildwright.gates.tool_output import findings_in, within
from buildwright.gates.toolchain import ProjectFiles, Toolchain, find_toolchain
from buildwright.ports import Command, Completed, GateTools, Judged, Judgement

_TAIL = 1_800
_SETUP_SECONDS = 600.0
_NOT_FOUND = 127
_PYTEST_NOTHING = 5
_UNSEEN_FOLDERS = frozenset((".git", "node_modules", ".venv", "__pycache__"))


@dataclass(frozen=True, slots=True)
class _Run:
    """One judgement: its checkout, its private directory, the environment of its commands."""

    judged: Judged
    files: Path
    private: Path
    env: dict[str, str]

    @property
    def report(self) -> Path:
        return self.private / "report.xml"


class ChecksGate:
    """Runs the project's own typecheck, lint, test and build, and the validation command of the task.

    Of our environment the commands get only the PATH; they have network only while dependencies are installed.
    """

    name = "checks"
    needs_files = True
    refuses = "whatever the project's own commands refuse"

    def __init__(self, tools: GateTools) -> None:
        """The commands find the Python of the checks before anything else on the PATH of `tools`."""
        self._sandbox = tools.sandbox
        self._path = tools.path
        self._setups = SetupCache(tools.setups) if tools.setups is not None else None
        self._python: asyncio.Future[Python] | None = None

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement per command, up to the first that refuses.

        Raises GateBroken without a checkout or when the sandbox fails, BadSettings when buildwright.toml is wrong.
        """
        files = checkout(judged)
        python = await self._find_python()
        path = os.pathsep.join(dict.fromkeys((str(python.executable.parent), *self._path.split(os.pathsep))))
        toolchain = find_toolchain(_project(files, python, path), judged.options)
        done: list[Judgement] = []
        if toolchain.findings:
            done.append(judgement("checks", "other", toolchain.findings))
            if not done[-1].report.ok:
                return done
        with tempfile.TemporaryDirectory(prefix="buildwright-checks-", ignore_cleanup_errors=True) as folder:
            private = Path(folder)
            run = _Run(judged, files, private, _environment(private, path, files, toolchain))
            async with contextlib.aclosing(self._in_order(run, toolchain)) as judgements:
                async for one in judgements:
                    done.append(one)
                    if not one.report.ok:
                        break
        return done

    async def _find_python(self) -> Python:
        """Find Python once per gate: a version manager's script takes a tenth of a second to answer."""
        if self._python is None or self._python.cancelled():
            self._python = asyncio.ensure_future(find_python(self._path, os.environ))
        return await asyncio.shield(self._python)

    async def _in_order(self, run: _Run, toolchain: Toolchain) -> AsyncGenerator[Judgement, None]:
        for setup in toolchain.setup:
            for judgement_of_setup in await self._make_ready(run, setup):
                yield judgement_of_setup
        patch = run.judged.patch
        for check in toolchain.checks:
            if patch is not None and not check.concerns(patch.paths):
                message = f"not run: the change touches none of {', '.join(check.paths)}"
                yield judgement(check.name, check.kind, [finding(NOT_RUN, message, severity="note")])
                continue
            run.report.unlink(missing_ok=True)
            completed = await self._carry_out(run, check.command, run.judged.options.limits.gate_seconds)
            yield _judge_check(run, check, completed, self._sandbox.name)
        task = run.judged.task
        if task is not None and task.validation is not None:
            command = task.validation.command
            completed = await self._carry_out(run, command, run.judged.options.limits.gate_seconds)
            yield _judge_plain(run, "validation", "validation", command, completed, self._sandbox.name)

    async def _make_ready(self, run: _Run, setup: Setup) -> list[Judgement]:
        key = self._setups.key(setup, run.files, run.env["PATH"]) if self._setups is not None else None
        if self._setups is not None and key is not None:
            async with self._setups.alone(key):
                if await self._setups.place(key, setup, run.files):
                    return [judgement("setup", "other", [_reused(setup)])]
                async with self._setups.draft(setup, run.files) as draft:
                    done = await self._set_up(run, setup, draft)
                    kept = done[-1].report.ok and await self._setups.keep(key, setup, draft)
                if kept and await self._setups.place(key, setup, run.files):
                    return done
                if any(one.code == "check.timeout" for one in done[-1].report.findings):
                    return done
        # Cannot be kept, or needed more than its inputs: made in this checkout, for this once.
        return await self._set_up(run, setup, run.files)

    async def _set_up(self, run: _Run, setup: Setup, folder: Path) -> list[Judgement]:
        done: list[Judgement] = []
        for command in setup.commands:
            completed = await self._carry_out(run, command, _SETUP_SECONDS, network=True, folder=folder)
            done.append(_judge_plain(run, "setup", "other", command, completed, self._sandbox.name))
            if not done[-1].report.ok:
                break
        return done

    async def _carry_out(
        self, run: _Run, command: str, seconds: float, *, network: bool = False, folder: Path | None = None
    ) -> Completed:
        limits = run.judged.options.limits
        wanted = Command(
            argv=("sh", "-c", command),
            cwd=folder or run.files,
            env=run.env,
            seconds=seconds,
            output_bytes=limits.output_bytes,
            memory_bytes=limits.memory_bytes,
            processes=limits.processes,
            network=network,
            writable=(run.private,),
        )
        try:
            with _telling(run.judged.on_output) as tell:
                return await self._sandbox.run(wanted, tell)
        except ToolMissing as error:
            raise GateBroken(f"the check `{command}` could not run: {error}", fix=error.fix) from error


def _project(files: Path, python: Python, path: str) -> ProjectFiles:
    def read(name: str) -> str | None:
        content = read_bytes(files, name)
        return None if content is None else content.decode("utf-8", "replace")

    command = "python" if (python.executable.parent / "python").exists() else "python3"
    listing = sorted(_listing(files))
    return ProjectFiles(
        listing, read, lambda program: shutil.which(program, path=path) is not None, command, python.has_pytest
    )


def _listing(files: Path) -> Iterator[str]:
    for folder, below, names in os.walk(files):
        below[:] = [name for name in below if name not in _UNSEEN_FOLDERS]
        for name in names:
            yield (Path(folder) / name).relative_to(files).as_posix()


def _environment(private: Path, path: str, files: Path, toolchain: Toolchain) -> dict[str, str]:
    """Return all that a check may know of this machine, with a home and temporary files of its own."""
    # Without it an editable install of the project in the Python of the checks would be tested instead of the tree.
    sources = {"PYTHONPATH": os.pathsep.join(str(files / source) for source in toolchain.sources)}
    home, scratch = private / "home", private / "tmp"
    home.mkdir()
    scratch.mkdir()
    return {
        **(sources if toolchain.sources else {}),
        "PATH": path,
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "CI": "1",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTEST_ADDOPTS": f"-p no:cacheprovider --junitxml={shlex.quote(str(private / 'report.xml'))}",
    }


@contextlib.contextmanager
def _telling(listener: Callable[[str], None] | None) -> Iterator[Callable[[bytes], None] | None]:
    """Yield a function that passes on a command's output, whole letters only; the next command begins a new line."""
    if listener is None:
        yield None
        return
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    told = ""

    def say(piece: bytes, *, final: bool = False) -> None:
        nonlocal told
        if text := decoder.decode(piece, final):
            told = text
            listener(text)

    try:
        yield say
    finally:
        say(b"", final=True)
        if told and not told.endswith("\n"):
            listener("\n")


def _judge_plain(run: _Run, gate: str, kind: CheckKind, command: str, done: Completed, sandbox: str) -> Judgement:
    """Judge a command by its exit code alone."""
    findings = _ended(gate, command, done)
    if not findings and done.exit_code != 0:
        findings = [_failed(f"{gate}.failed", command, done)]
    return judgement(gate, kind, findings, done.output, _evidence(run, command, done, None, sandbox))


def _judge_check(run: _Run, check: Check, done: Completed, sandbox: str) -> Judgement:
    text = done.output.decode("utf-8", "replace")
    tests = _tests(run, check, text) if check.kind == "test" else None
    findings = _ended(check.name, check.command, done)
    if not findings and tests is not None and (tests.ran == 0 or _says_nothing(check, done)) and not tests.findings:
        findings = [_nothing_collected(check, tests, done)]
    elif not findings and done.exit_code == 0:
        findings = _despite_success(check, tests)
    elif not findings:
        parsed = list(tests.findings) if tests else []
        parsed += [] if parsed else findings_in(text) if check.kind != "test" or not tests else []
        findings = within(parsed, str(run.files))
        if not any(one.severity == "error" for one in findings):
            findings.append(_failed("check.failed", check.command, done))
    ran = tests.ran if tests is not None else None
    evidence = _evidence(run, check.command, done, ran, sandbox)
    return judgement(check.name, check.kind, findings, done.output, evidence)


def _tests(run: _Run, check: Check, text: str) -> Tally | None:
    """Return the result of a test run: from the report the check names, else pytest's, else the console output."""
    if "/" in check.report or check.report.endswith(".xml"):
        content = read_bytes(run.files, check.report, LARGEST_REPORT)
    else:
        content = read_bytes(run.private, run.report.name, LARGEST_REPORT)
    reported = read_junit(content) if content is not None else None
    return reported if reported is not None else read_run(text)


def _ended(name: str, command: str, done: Completed) -> list[Finding]:
    """Return findings about a command that was ended, or never began."""
    if done.exit_code is None:
        message = f"{name} was ended after {done.seconds:.0f} seconds: `{command}`\n{_tail(done)}"
        return [finding("check.timeout", message, fix="make it finish sooner, or raise the limit for gates")]
    if done.exit_code == _NOT_FOUND:
        message = f"A program that `{command}` calls was not found.\n{_tail(done)}"
        return [finding("check.tool_missing", message, fix="declare it as a dependency, or install it on this machine")]
    return []


def _says_nothing(check: Check, done: Completed) -> bool:
    return "pytest" in check.command and done.exit_code == _PYTEST_NOTHING


def _nothing_collected(check: Check, tests: Tally, done: Completed) -> Finding:
    skipped = f"all {tests.skipped} tests were skipped" if tests.skipped else "no test was found"
    message = f"{check.name} proved nothing: {skipped} by `{check.command}`.\n{_tail(done)}"
    return finding("test.none_collected", message, fix="write tests that this command finds and that are not skipped")


def _despite_success(check: Check, tests: Tally | None) -> list[Finding]:
    """Return what is wrong although the command ended with 0."""
    if check.kind != "test":
        return []
    if tests is None:
        message = f"How many tests `{check.command}` ran could not be read from its output."
        fix = "let it write a JUnit XML report and name the file as the check's report"
        # A runner that usually prints the number, or a promised report, may hide that nothing ran; of another command
        # only its exit code is known.
        promised = bool(check.report or runner_of(check.command))
        return [finding("test.uncounted", message, severity="error" if promised else "note", fix=fix)]
    if tests.findings:
        message = f"`{check.command}` ended with exit code 0, but its report says that tests failed."
        return [finding("test.disagreement", message), *tests.findings]
    return []


def _failed(code: str, command: str, done: Completed) -> Finding:
    return finding(code, f"`{command}` ended with exit code {done.exit_code}.\n{_tail(done)}")


def _reused(setup: Setup) -> Finding:
    made, inputs = ", ".join(setup.outputs), ", ".join(setup.inputs)
    message = f"{made}: taken from an earlier run of `{' && '.join(setup.commands)}` with the same {inputs}"
    return finding("setup.reused", message, severity="note")


def _tail(done: Completed) -> str:
    return clip(done.output[-_TAIL:].decode("utf-8", "replace"), _TAIL)


def _evidence(run: _Run, command: str, done: Completed, tests: int | None, sandbox: str) -> Evidence:
    return Evidence(
        tree=run.judged.tree,
        command=command,
        exit_code=done.exit_code,
        seconds=done.seconds,
        output_digest=hashlib.sha256(done.output).hexdigest(),
        started_at=done.started_at,
        tests=tests,
        sandbox=sandbox,
    )
