"""Runs a project's own commands on one checkout and reads what they say. Must never trust a report over an exit code."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

from buildwright.core.finding import CheckKind, Evidence, Finding
from buildwright.core.limits import Check
from buildwright.core.running_command import RunningCommand
from buildwright.core.sanitize import sanitize
from buildwright.errors import GateBroken, ToolMissing
from buildwright.gates.baselines import BaselineResult
from buildwright.gates.canaries import Canaries, barred, naming_tests
from buildwright.gates.causes import (
    refused_by_the_wall,
    way_to_get,
    with_cause,
    with_lack,
    with_refused,
    with_settings,
    with_way_out,
)
from buildwright.gates.certificates import lend_certificates
from buildwright.gates.changed import listing
from buildwright.gates.check_environment import check_environment
from buildwright.gates.comparison import MOST_NAMED
from buildwright.gates.junit import Tally
from buildwright.gates.needs import SETTINGS, Network, Step, Supplies, joined, masked, masking, supplied, supply
from buildwright.gates.node_reporting import node_reporting
from buildwright.gates.package_settings import found_settings, found_variables, lent, may_name_a_registry, secrets_in
from buildwright.gates.project_folder import Toolchain
from buildwright.gates.pytest_witness import PytestWitness
from buildwright.gates.registries import Registries
from buildwright.gates.reporting import clip, finding, judgement
from buildwright.gates.results import clear_reports, results_of
from buildwright.gates.services import beside, relays_of
from buildwright.gates.setup_cache import Setup, SetupCache
from buildwright.gates.surface import is_test
from buildwright.gates.telling import telling
from buildwright.gates.test_output import runner_of
from buildwright.gates.tool_output import findings_in, within
from buildwright.ports import Command, Completed, Judged, Judgement, Reach, Sandbox
from buildwright.shared_folders import beside as beside_of
from buildwright.shared_folders import shared_in
from buildwright.time_advice import limit_advice, time_advice

_TAIL = 1_800
_SETUP_SECONDS = 600.0
_REGISTRIES = Registries()
NOT_FOUND = 127
"""Exit code of a shell that did not find the program."""
_SHELL = re.compile(r"^\S*sh: (?:line )?\d+: (?P<name>[^:]+): (?P<why>(?:command )?not found|Permission denied)$")
"""What dash and bash say of a program that they cannot start."""
_PYTHON = re.compile(r"(?:^|&& )(/[^\s']*/bin/python3?) -m ")
_PYTEST_NOTHING = 5
_STARTED_BY_US = "-m pytest -q"
"""End of the command by which pytest is run when the project names none: it may be started more safely."""


class CheckRun(NamedTuple):
    """A check that ran: how its command ended, which tests it told of, and what shows that it cannot be believed."""

    check: Check
    completed: Completed
    tests: Tally | None
    wrong: tuple[Finding, ...]
    python: str = "python"
    """Path of the Python of the checks."""
    tells_of_canaries: bool = False
    """Whether its output also tells of tests that are not the project's."""
    bars_canaries: bool = False
    """Whether it ran without canary tests, because a tool of its own does not let them pass."""

    @property
    def result(self) -> BaselineResult:
        """Return what a later tree is compared with."""
        failed = self.tests is not None and bool(self.tests.findings)
        wrong = any(one.severity == "error" for one in self.wrong)
        ok = self.completed.exit_code == 0 and not failed and not wrong
        return BaselineResult(ok, self.tests.cases if self.tests is not None else (), self.bars_canaries)


class ProjectRun:
    """Commands on one checkout, with a private directory and an environment of their own.

    Of our environment the commands get only the PATH, the time zone and what the project's needs name; they reach the
    registries alone, and only while dependencies are installed, unless the needs say otherwise. Secrets of the needs are
    masked in what they say.

    Large because each command of a checkout shares its directory, environment, needs and services.
    """

    def __init__(
        self,
        judged: Judged,
        files: Path,
        private: Path,
        sandbox: Sandbox,
        path: str,
        toolchain: Toolchain,
        surface: Literal["", "base"] = "",
        more: Mapping[str, str] | None = None,
        caches: Path | None = None,
        share: bool = True,
    ) -> None:
        """`path` is the PATH of the commands; `surface` stands in the evidence, `more` in the environment.

        `caches` is where tools keep what they download, if that is to outlive `private`. Without `share` a kept set-up
        is copied: an agent outside of the sandbox sees nothing of a shared folder.
        """
        self._judged = judged
        self._files = files
        self._private = private
        self._sandbox = sandbox
        self._surface: Literal["", "base"] = surface
        self._caches = caches or private
        self._share = share
        self._needs = toolchain.needs
        shown = judged.options.package_settings
        settings, registries = found_settings(os.environ), found_variables(os.environ)
        self._settings = settings if shown else {}
        self._registries = registries if shown else {}
        self._not_lent = () if shown else (*settings, *(name for name in registries if may_name_a_registry(name)))
        self._certificates: dict[str, str] | None = None
        self._mask = masking(Supplies())
        self._witness = PytestWitness(private)
        self._more = more or {}
        env = {**self._environment(path, toolchain.sources), **self._more}
        self._env = {name: value for name, value in env.items() if value}

    def _environment(self, path: str, sources: Sequence[str]) -> dict[str, str]:
        """Return all that a check may know of this machine, with a home and temporary files of its own."""
        home, scratch = self._private / secrets.token_hex(3), self._private / secrets.token_hex(3)
        home.mkdir()
        scratch.mkdir()
        # Sources: else an editable install of the project in the Python of the checks would be tested, not the tree.
        imports = (self._witness.import_path, *(str(self._files / source) for source in sources))
        return {
            "PATH": path,
            "HOME": str(home),
            "TMPDIR": str(scratch),
            "LANG": "C.UTF-8",
            "TZ": os.environ.get("TZ", ""),
            "CI": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **check_environment(self._caches, self._files, path, os.environ),
            **node_reporting(self._private),
            "PYTHONPATH": os.pathsep.join(imports),
            "PYTEST_ADDOPTS": f"-p no:cacheprovider {self._witness.option} --junitxml={shlex.quote(str(self._report))}",
        }

    def environment_for_an_agent(self, path: str, sources: Sequence[str]) -> dict[str, str]:
        """Return what an agent in this checkout needs to run the same commands: programs, caches, the code's place."""
        imports = os.pathsep.join(str(self._files / source) for source in sources)
        found = {"PATH": path, **check_environment(self._caches, self._files, path, os.environ), "PYTHONPATH": imports}
        found |= {**self._needs.values, **{name: os.environ.get(name, "") for name in self._needs.passed}}
        return {name: value for name, value in found.items() if value}

    def _python_of(self, check: Check) -> str:
        """Return the Python that a check names by its path, else the first on its PATH."""
        named = _PYTHON.search(check.command)
        return named[1] if named else shutil.which("python3", path=self._env["PATH"]) or "python3"

    @property
    def _report(self) -> Path:
        return self._private / "report.xml"

    async def set_up(self, setups: Sequence[Setup], kept: SetupCache | None) -> list[Judgement]:
        """Prepare the checkout: bring what its commands need, then every set-up in turn, until one fails."""
        supplies = await asyncio.to_thread(supply, self._needs, self._judged.repository, self._files, os.environ)
        texts = (file.read_text("utf-8", "replace") for file in self._settings.values())
        variables = (f"{name} = {value}" for name, value in self._registries.items())
        hidden = supplies.hidden.union(*map(secrets_in, (*texts, *variables)))
        self._mask = masking(supplies._replace(hidden=hidden))
        done: list[Judgement] = []
        if supplies.errors:
            return [judgement("setup", "other", supplies.errors)]
        if self._needs.is_outside:
            done.append(judgement("setup", "other", [supplied(self._needs, supplies)]))
        for setup in setups:
            done += await self.make_ready(setup, kept)
            if done and not done[-1].report.ok:
                break
        return done

    async def make_ready(self, setup: Setup, setups: SetupCache | None) -> list[Judgement]:
        """Prepare the checkout, from a kept result where there is one; the last judgement says whether it is ready."""
        key = setups.key(setup, self._files, self._env["PATH"]) if setups is not None else None
        if setups is not None and key is not None:
            share = self._share and await self._sandbox.shares(beside_of(self._files))
            async with setups.alone(key):
                if await setups.place(key, setup, self._files, share=share):
                    return [judgement("setup", "other", [_reused(setup)])]
                async with setups.draft(setup, self._files) as draft:
                    done = await self._set_up(setup, draft)
                    kept = done[-1].report.ok and await setups.keep(key, setup, draft)
                if kept and await setups.place(key, setup, self._files, share=share):
                    return done
                if any(one.code == "check.timeout" for one in done[-1].report.findings):
                    return done
        # Cannot be kept, or needed more than its inputs: made in this checkout, for this once.
        return await self._set_up(setup, self._files)

    async def _set_up(self, setup: Setup, folder: Path) -> list[Judgement]:
        done: list[Judgement] = []
        for command in setup.commands:
            with lent(self._settings, Path(self._env["HOME"]), self._env):
                completed = await self._carry_out("setup", command, _SETUP_SECONDS, step="setup", folder=folder)
            done.append(self._plain("setup", "other", command, completed))
            if not done[-1].report.ok:
                return done
        # Without a wall they would have the network, too.
        for command in setup.scripts if self._sandbox.name != "none" else ():
            completed = await self._carry_out(
                "setup", command, _SETUP_SECONDS, step="setup", folder=folder, offline=True
            )
            done.append(judgement("setup", "other", _scripts_failed(command, completed), completed.output))
        return done

    async def validate(self, command: str) -> Judgement:
        """Run the task's own command, which is judged by its exit code alone."""
        completed = await self._carry_out("validation", command, self._judged.options.limits.gate_seconds)
        return self._plain("validation", "validation", command, completed)

    async def run(self, check: Check) -> CheckRun:
        """Run a check and read what it says. Raises GateBroken when the sandbox cannot run it."""
        canaries = self._place_canaries(check)
        completed = await self._carry_out_beside(check, canaries)
        placed, bars = canaries, canaries is not None and canaries.are_barred(completed.exit_code, completed.output)
        if bars:
            canaries = None
            self._witness.sessions()  # of the run that does not count
            completed = await self._carry_out_beside(check, None)
            bars = completed.exit_code == 0
        sessions = self._witness.sessions()
        if check.kind != "test" or completed.exit_code is None or completed.exit_code == NOT_FOUND:
            return CheckRun(check, completed, None, (), self._python_of(check))
        text = completed.output.decode("utf-8", "replace")
        ended_well, own = completed.exit_code == 0, self._witness.own_tests
        results = results_of(check, self._files, self._private, self._report.name, text, own, ended_well=ended_well)
        tests, wrong = results.tally, list(results.findings)
        if sessions:
            tests = self._witness.tally(sessions, tests)
            wrong += [one for session in sessions for one in self._witness.disagreements(session)]
        elif canaries is not None and tests is not None:
            seen = canaries.judge(tests, completed.exit_code)
            completed = replace(completed, exit_code=seen.exit_code)
            tests, wrong = seen.tally, [*wrong, *seen.findings]
        if placed is not None and canaries is None:
            tests = placed.forget(tests) if tests is not None else None
            wrong += [barred()] if bars else []
        return CheckRun(check, completed, tests, tuple(wrong), self._python_of(check), canaries is not None, bars)

    async def _carry_out_beside(self, check: Check, canaries: Canaries | None) -> Completed:
        """Run a check's command with canary tests in place, and take them out again."""
        clear_reports(self._files, self._report, check)
        try:
            return await self._carry_out_check(check, planted=canaries is not None and canaries.fails)
        finally:
            if canaries is not None:
                canaries.remove(self._files)

    async def _carry_out_check(self, check: Check, *, planted: bool) -> Completed:
        """Run a check's command; once more without the witness if it sets PYTHONPATH itself, which hides the plugin."""
        seconds = self._judged.options.limits.gate_seconds
        name, command = check.name, naming_tests(check.command)
        more = {"PYTHONSAFEPATH": "1"} if command.endswith(_STARTED_BY_US) else {}
        completed = await self._carry_out(name, command, seconds, more, planted=planted)
        if completed.exit_code != 0 and self._witness.is_missing(completed.output):
            alone = {"PYTEST_ADDOPTS": self._env["PYTEST_ADDOPTS"].replace(self._witness.option, "")}
            completed = await self._carry_out(name, command, seconds, alone)
        return completed

    def _place_canaries(self, check: Check) -> Canaries | None:
        """Put canaries beside the project's tests; pytest has its own (see `pytest_witness`)."""
        if check.kind != "test":
            return None
        named = frozenset(check.command.split())
        tests = [path for path in listing(self._files) if is_test(path) or path in named]
        return Canaries.place(self._files, check, tests)

    async def _carry_out(
        self,
        name: str,
        command: str,
        seconds: float,
        more: Mapping[str, str] | None = None,
        *,
        step: Step = "checks",
        folder: Path | None = None,
        offline: bool = False,
        planted: bool = False,
    ) -> Completed:
        network = Network() if offline else self._needs.network[step]
        env = {
            **self._env,
            **(await self._trusted() if network.all or network.registries or network.hosts else {}),
            **(self._registries if step == "setup" else {}),
            **joined(self._env, self._needs.environment(step, os.environ)),
            **self._more,
            **(more or {}),
        }
        limits = self._judged.options.limits
        services = self._needs.services if step == "checks" else ()
        on_command, running = self._judged.on_command, RunningCommand(name, command, seconds, planted)
        if on_command is not None:
            on_command(self._mask(str(running)))
        wanted = Command(
            argv=beside(services, command, self._private),
            cwd=folder or self._files,
            env={name: value for name, value in env.items() if value},
            seconds=seconds + max((one.seconds for one in services if one.command), default=0.0),
            output_bytes=limits.output_bytes,
            memory_bytes=limits.memory_bytes,
            disk_bytes=limits.disk_bytes,
            processes=limits.processes,
            network=network.all,
            reach=await self._reach(network, command),
            relays=relays_of(services),
            writable=tuple(dict.fromkeys((self._private, self._caches))),
            shared=shared_in(self._files) if folder in {None, self._files} else (),
        )
        try:
            with telling(self._judged.on_output, self._mask) as tell:
                done = await self._sandbox.run(wanted, tell)
            done = replace(done, output=masked(done.output, self._mask))
        except ToolMissing as error:
            raise GateBroken(f"the check `{command}` could not run: {error}", fix=error.fix) from error
        if on_command is not None:
            on_command(running.ended(done.exit_code))
        return done

    async def _trusted(self) -> dict[str, str]:
        """Return the variables that name copies of the user's certificates, made once for this judgement."""
        if self._certificates is None:
            self._certificates = await asyncio.to_thread(lend_certificates, os.environ, self._private)
        return self._certificates

    async def _reach(self, network: Network, command: str) -> Reach | None:
        """Return the hosts that a command may reach in a sandbox without network; None when there are none."""
        if self._sandbox.name == "none" or network.all or not (network.registries or network.hosts):
            return None
        trusted = await _REGISTRIES.of(command, os.environ) if network.registries else ()
        return Reach(network.hosts, trusted)

    def _plain(self, gate: str, kind: CheckKind, command: str, done: Completed) -> Judgement:
        """Judge a command by its exit code alone."""
        findings = ended(gate, command, done)
        if not findings and done.exit_code != 0:
            step = "setup" if gate == "setup" else "checks"
            findings = [with_refused(with_way_out(failed(f"{gate}.failed", command, done), step), step, done)]
            if step == "setup":
                findings = [with_settings(one, self._not_lent) for one in findings]
        findings += refused_by_the_wall(gate, command, done)
        return judgement(gate, kind, findings, done.output, self._evidence(command, done, None))

    def judgement(self, run: CheckRun, name: str, findings: Sequence[Finding]) -> Judgement:
        """Return a judgement with the evidence of the run."""
        tests = run.tests.ran if run.tests is not None else None
        evidence = self._evidence(run.check.command, run.completed, tests)
        clean = (sanitize(one, self._mask) for one in findings)
        lacking = (
            with_lack(with_way_out(one, "checks"), self._judged.repository, self._files, os.environ) for one in clean
        )
        agreed = [
            self._judged.consent(one)
            for one in (
                *(with_refused(one, "checks", run.completed) for one in lacking),
                *refused_by_the_wall("checks", run.check.command, run.completed),
            )
        ]
        return judgement(name, run.check.kind, agreed, run.completed.output, evidence)

    def _evidence(self, command: str, done: Completed, tests: int | None) -> Evidence:
        return Evidence(
            tree=self._judged.tree,
            command=command,
            exit_code=done.exit_code,
            seconds=done.seconds,
            output_digest=hashlib.sha256(done.output).hexdigest(),
            started_at=done.started_at,
            tests=tests,
            sandbox=self._sandbox.name,
            surface=self._surface,
        )


def findings_alone(run: CheckRun, files: Path) -> list[Finding]:
    """Return what is wrong with a check that ran in the checkout `files`, without looking at any other tree."""
    check, done = run.check, run.completed
    findings = ended(check.name, check.command, done) or list(run.wrong)
    if any(one.severity == "error" for one in findings):
        return findings
    return [*findings, *_as_it_ended(run, files)]


def _as_it_ended(run: CheckRun, files: Path) -> list[Finding]:
    """Return what is wrong by the exit code and the tests of a run that was neither ended nor bent."""
    check, done, tests = run.check, run.completed, run.tests
    if tests is not None and (tests.ran == 0 or _says_nothing(check, done)) and not tests.findings:
        return [_nothing_collected(check, tests, "" if run.tells_of_canaries else f"\n{_tail(done)}")]
    if done.exit_code == 0:
        return despite_success(check, tests)
    parsed = list(tests.findings) if tests else []
    if not parsed and (check.kind != "test" or tests is None):
        parsed = findings_in(done.output.decode("utf-8", "replace"))
    findings = within(parsed, str(files))
    if not any(one.severity == "error" for one in findings):
        findings.append(failed("check.failed", check.command, done))
    return [with_cause(one, run.python) for one in findings]


def ended(name: str, command: str, done: Completed) -> list[Finding]:
    """Return findings about a command that was ended, or never began."""
    if done.exit_code is None:
        limit = "" if name == "setup" else ", the limit for one check"
        message = f"{name} timed out after {done.seconds:.0f} s{limit}: `{command}`\n{_tail(done)}"
        return [finding("check.timeout", message, fix=time_advice("" if name == "setup" else "--gate-time"))]
    if done.limit:
        message = f"{name} was ended by a limit, {done.limit}: `{command}`\n{_tail(done)}"
        return [finding("check.limit", message, fix=limit_advice(done.limit))]
    if done.exit_code == NOT_FOUND:
        return [_not_started(command, done)]
    return []


def _not_started(command: str, done: Completed) -> Finding:
    """Return a finding about a program that a shell could not start, by the shell's own last word on it."""
    said = [match for line in done.output.splitlines() if (match := _SHELL.search(line.decode("utf-8", "replace")))]
    name, why = (said[-1]["name"], said[-1]["why"]) if said else ("", "not found")
    called = f"{name}, which `{command}` calls," if name else f"A program that `{command}` calls"
    if why.startswith("Permission"):
        message = f"{called} may not be run: {why.lower()}.\n{_tail(done)}"
        return finding("check.tool_missing", message, fix="make it executable, or take the folder off the PATH")
    message = f"{called} was not found.\n{_tail(done)}"
    return finding("check.tool_missing", message, fix=way_to_get(name))


def _says_nothing(check: Check, done: Completed) -> bool:
    return "pytest" in check.command and done.exit_code == _PYTEST_NOTHING


def _nothing_collected(check: Check, tests: Tally, said: str) -> Finding:
    skipped = f"all {tests.skipped} tests were skipped" if tests.skipped else "no test was found"
    message = f"{check.name} proved nothing: {skipped} by `{check.command}`.{said}"
    return finding("test.none_collected", message, fix="write tests that this command finds and that are not skipped")


def despite_success(check: Check, tests: Tally | None) -> list[Finding]:
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
    if any(one.code != "test.disagreement" for one in tests.findings):
        message = f"`{check.command}` exited with code 0, but its report says that tests failed."
        return [finding("test.disagreement", message), *tests.findings]
    again = (f"{name} failed and passed when its runner ran it again." for name in tests.retried[:MOST_NAMED])
    return [*tests.findings, *(finding("test.retried", message, severity="note") for message in again)]


def failed(code: str, command: str, done: Completed) -> Finding:
    """Return a finding about an exit code, with the end of the output."""
    return finding(code, f"`{command}` exited with code {done.exit_code}.\n{_tail(done)}")


def _scripts_failed(command: str, done: Completed) -> list[Finding]:
    """Return a warning about packages' own install scripts: most packages work without theirs."""
    if done.exit_code == 0:
        return []
    message = f"`{command}`, without network, did not run every install script of the packages.\n{_tail(done)}"
    fix = f"if a package needs its script with network: [setup] commands of your own in {SETTINGS}"
    return [finding("setup.scripts_failed", message, severity="warning", fix=fix)]


def _reused(setup: Setup) -> Finding:
    made, inputs = ", ".join(setup.outputs), ", ".join(setup.inputs)
    message = f"{made}: taken from an earlier run of `{' && '.join(setup.commands)}` with the same {inputs}"
    return finding("setup.reused", message, severity="note")


def _tail(done: Completed) -> str:
    return clip(done.output[-_TAIL:].decode("utf-8", "replace"), _TAIL)
