"""Judges a patch by the project's own commands, once with the tests of the base and once with its own.

Must never let a tree say alone what is asked of it: what a patch changes of tests, settings and scripts counts only
beside what the base's versions of them say about the new code.
"""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import sys
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

from buildwright.core.finding import NOT_RUN, Finding
from buildwright.core.limits import Check
from buildwright.core.paths import in_part, is_covered
from buildwright.core.tests_first import EarlyTests
from buildwright.gates.baselines import BaselineResult, Baselines
from buildwright.gates.canaries import newly_barred
from buildwright.gates.changed import checkout, listing, read_bytes
from buildwright.gates.comparison import licence_of, no_longer_passing
from buildwright.gates.flaky import Find, Settled, TriedRun, Where, failed_by_tests, rule_of, settle
from buildwright.gates.found_checks import pins_of, sources_of
from buildwright.gates.interpreter import Python, Pythons
from buildwright.gates.levels import unjudged, why_not
from buildwright.gates.overlay import lay_over
from buildwright.gates.project_folder import ProjectFiles, Toolchain
from buildwright.gates.project_run import CheckRun, ProjectRun, despite_success, ended, failed, findings_alone
from buildwright.gates.proof import missing_proof
from buildwright.gates.proof_of_tests import ReadyTree, prove
from buildwright.gates.python_setup import VENV
from buildwright.gates.python_toolchain import needs_pytest
from buildwright.gates.replay import elsewhere, looks_around, make_old, not_repeated
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.setup_cache import SetupCache
from buildwright.gates.surface import Surface, commands_behind, is_settings
from buildwright.gates.tests_first import left_out, not_red, own_red, remove_early, still_red, without
from buildwright.gates.tool_output import within
from buildwright.gates.toolchain import find_toolchain
from buildwright.ports import Furnished, GateTools, Judged, Judgement
from buildwright.temporary_folders import temporary_folder


class _Tree(NamedTuple):
    """A checkout, its project, and the commands found in it."""

    files: Path
    project: ProjectFiles
    toolchain: Toolchain

    def why_not(self, check: Check, touched: Sequence[str]) -> str:
        """Return why a check need not run for a change of these paths, "" if it must."""
        return why_not(check, touched, self.toolchain, self.project)

    def surface(self, validation: str) -> Surface:
        """Return the surface that this tree's commands have; `validation` is the task's own command, or ""."""
        commands = (*(check.command for check in self.toolchain.checks), *([validation] if validation else ()))
        behind = (more for command in commands for more in commands_behind(command, self.project.read))
        return Surface(self.project.files, behind)


class Found(NamedTuple):
    """The Python of a tree's checks, its commands, and what each of them was found from, by the command."""

    python: Python
    toolchain: Toolchain
    sources: Mapping[str, str]
    pins: tuple[str, ...]
    """What the project pins of its tools' versions."""


class ChecksGate:
    """Runs the project's own typecheck, lint, test and build, and the validation command of the task.

    A patch that touches the verification surface is judged twice (see `surface`). Tests that passed on the base must
    pass still, by identity, whether or not it does.

    Large because one judgement has four runs (found, named, the base's, proof) that share a checkout and its results.
    """

    name = "checks"
    needs_files = True
    refuses = "whatever the project's own commands refuse, as they were before the change and as they are with it"

    def __init__(self, tools: GateTools) -> None:
        """The commands find the Python of the checks before anything else on the PATH of `tools`."""
        self._sandbox = tools.sandbox
        self._path = tools.path
        self._setups = SetupCache(tools.setups) if tools.setups is not None else None
        self._baselines = Baselines(tools.setups.with_name("baselines") if tools.setups is not None else None)
        self._pythons = Pythons(tools.path)

    async def found(self, judged: Judged) -> Found:
        """Return what would judge a tree, and from where each command is. Raises BadSettings, as `judge` does."""
        python, _ = await self._programs(judged)
        tree = await self._tree(checkout(judged), judged)
        sources = sources_of(tree.project, tree.toolchain, judged.options)
        return Found(python, tree.toolchain, sources, tuple(pins_of(tree.project)))

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement per command, up to the first that refuses.

        Raises GateBroken without a checkout or when the sandbox fails, BadSettings when buildwright.toml is wrong.
        """
        judged = _from_the_top(judged)
        if not judged.red:
            return await self._judge(judged)
        own = own_red(judged)
        validation = judged.task.validation if judged.task is not None and own is not None else None
        task = judged.task.model_copy(update={"validation": None}) if judged.task is not None and own else judged.task
        with without(checkout(judged), judged.red):
            done = await self._judge(replace(judged, task=task))
        if _all_ok(done):
            done.append(judgement("tests first", "test", left_out(judged)))
            if own is not None:
                done += await self._judge_red(judged, own, validation.command if validation else "")
        return done

    async def furnish(self, judged: Judged, caches: Path, last: str = "", *, share: bool = False) -> Furnished:
        """Make a lane ready as a checkout of the checks is: by the same set-up, which is made once for both.

        `caches` is where tools keep what they download for it, `last` a folder at the end of the agent's PATH. With
        `share` the lane may show what is kept as a shared folder: its agent runs in the sandbox alone. Raises
        GateBroken when the sandbox fails, BadSettings when buildwright.toml is wrong.
        """
        files = checkout(judged)
        tree = await self._tree(files, judged)
        _, path = await self._programs(judged, files)
        with temporary_folder() as folder:
            toolchain = tree.toolchain
            if not judged.options.bring_to_agents:
                toolchain = toolchain._replace(needs=toolchain.needs._replace(bring=()))
            run = ProjectRun(judged, files, folder, self._sandbox, path, toolchain, caches=caches, share=share)
            done = await run.set_up(toolchain.setup, self._setups)
            made = any(check.command.startswith(f"{VENV}/bin/") for check in toolchain.checks)
            programs = os.pathsep.join(filter(None, (str(files / VENV / "bin") if made else "", path, last)))
            return Furnished(tuple(done), run.environment_for_an_agent(programs, toolchain.sources))

    async def _judge_red(self, judged: Judged, own: EarlyTests, validation: str) -> list[Judgement]:
        """Show that the task's own tests fail where its code is not there yet; then run the task's command."""
        tree = await self._tree(checkout(judged), judged)
        async with self._run(judged, tree) as (run, ready):
            if not _all_ok(ready):
                return ready
            runs = [await run.run(check) for check in tree.toolchain.checks if check.kind == "test"]
            findings = not_red(own, runs)
            told = [run.judgement(one, f"{one.check.name}, tests first", findings) for one in runs[-1:]]
            done = told or [judgement("tests first", "test", findings)]
            if _all_ok(done) and validation:
                done.append(await run.validate(validation))
            return done

    async def _judge(self, judged: Judged) -> list[Judgement]:
        tree = await self._tree(checkout(judged), judged)
        if any(one.severity == "error" for one in tree.toolchain.findings):
            return [judgement("checks", "other", tree.toolchain.findings)]
        if missing := list(missing_proof(judged, tree.toolchain.checks, tree.project.files)):
            return [judgement("validation", "validation", missing)]
        done: list[Judgement] = []
        validation = judged.task.validation.command if judged.task and judged.task.validation else ""
        touched = _touched(judged, tree.surface(validation))
        if touched:
            done += await self._judge_as_before(judged, tree.toolchain, validation)
        if not touched or all(one.report.ok for one in done):
            done += await self._judge_as_is(judged, tree, validation, is_same_surface=not touched)
        lacks = unjudged(tree.toolchain, judged.patch.paths if judged.patch is not None else None)
        if told := (*tree.toolchain.findings, *lacks):
            done.insert(0, judgement("checks", "other", told))
        return done

    async def _tree(self, files: Path, judged: Judged) -> _Tree:
        python, path = await self._programs(judged, files)
        project = read_project(files, python, path)
        return _Tree(files, project, find_toolchain(project, judged.options))

    async def _programs(self, judged: Judged, files: Path | None = None) -> tuple[Python, str]:
        def needed() -> bool:
            nothing = Python(Path(sys.executable), has_pytest=False)
            return needs_pytest(read_project(files or checkout(judged), nothing, self._path))

        return await self._pythons.of(judged.repository, needed)

    async def _judge_as_is(
        self, judged: Judged, tree: _Tree, validation: str, *, is_same_surface: bool
    ) -> list[Judgement]:
        """Judge the tree by its own commands, tests and settings, and by the tests that passed on the base."""
        results: dict[Check, BaselineResult] = {}
        find = partial(self._findings_as_is, judged, is_same_surface)
        looks = await looks_around(judged)  # before the code runs, which may change itself
        async with self._run(judged, tree) as (run, done):
            if not _all_ok(done):
                return done
            for check in tree.toolchain.checks:
                if judged.patch is not None and (why := tree.why_not(check, judged.patch.paths)):
                    done.append(_not_run(check, why))
                    continue
                settled = await self._settled(judged, run, tree.files, check, find, "now")
                results[check] = settled.last.result
                done.extend(settled.judgements(run, check.name))
                if not done[-1].report.ok and judged.patch is not None:
                    break  # of the base, all that is wrong is told at once
            if _all_ok(done) and validation:
                done.append(await run.validate(validation))
            if _all_ok(done) and looks:
                done.extend(await self._judge_elsewhere(judged, tree, results))
            if _all_ok(done) and not is_same_surface:
                done.extend(await prove(judged, results, tree.surface(validation), self._opened))
        if judged.patch is None or _all_ok(done):
            await self._keep(judged, judged.tree, results)
        return done

    async def _findings_as_is(self, judged: Judged, is_same_surface: bool, ran: CheckRun, files: Path) -> list[Finding]:
        findings = findings_alone(ran, files)
        if not any(one.severity == "error" for one in findings):
            findings += await self._lost(judged, ran, is_same_surface=is_same_surface)
        return findings

    async def _settled(
        self,
        judged: Judged,
        run: ProjectRun,
        files: Path,
        check: Check,
        find: Find,
        where: Where,
        over: Surface | None = None,
    ) -> Settled:
        """Run a check, again in new checkouts if only tests failed; `find` tells what is wrong with a run."""
        ran = await run.run(check)
        first = TriedRun(ran, await find(ran, files))
        tests = failed_by_tests(ran)
        if first.ok or not tests or judged.checkout is None:
            return Settled((first,), first.findings)
        known = self._baselines.flaky(judged.repository)
        # Not from the checkout that just ran the code: it may have changed itself there.
        async with judged.checkout(judged.tree) as clean:
            rule = await rule_of(replace(judged, files=clean), tests, known, where)
        settled = await settle(first, rule, partial(self._again, judged, check, find, where, over), known)
        if settled.flaky:
            without_change = where == "base" or judged.patch is None
            self._baselines.saw_flaky(judged.repository, settled.flaky, without_change=without_change)
        return settled

    async def _again(
        self, judged: Judged, check: Check, find: Find, where: Where, over: Surface | None
    ) -> TriedRun | None:
        """Run a check in another checkout, with the patch laid over it by `over`; None when it is not made ready."""
        assert judged.checkout is not None
        async with judged.checkout(judged.tree if where == "now" else judged.base_tree) as files:
            tree = await self._tree(files, judged)
            if over is not None and judged.patch is not None:
                lay_over(files, checkout(judged), judged.patch, over)
            async with self._run(judged, tree, "" if where == "now" else "base") as (run, ready):
                if not _all_ok(ready):
                    return None
                ran = await run.run(check)
                return TriedRun(ran, await find(ran, files))

    async def _judge_elsewhere(
        self, judged: Judged, tree: _Tree, results: Mapping[Check, BaselineResult]
    ) -> list[Judgement]:
        """Run the tests again in other surroundings. What the base does not pass there either is not held against it."""
        surroundings = elsewhere()
        make_old(tree.files)
        done: list[Judgement] = []
        async with self._run(judged, tree._replace(toolchain=tree.toolchain._replace(setup=())), more=surroundings) as (
            run,
            _,
        ):
            for check, result in results.items():
                if check.kind != "test":
                    continue
                ran = await run.run(check)
                findings = not_repeated(ran, result)
                if findings and ran.tests is not None and _has_base(judged):
                    before = await self._base_results(judged, (check,), surroundings)
                    base = before.get(check, BaselineResult(ok=True))
                    failed_then = {case.name for case in base.cases if case.outcome != "passed"}
                    lost = [case for case in result.cases if case.name not in failed_then]
                    findings = not_repeated(ran, BaselineResult(base.ok, tuple(lost)))
                done.append(run.judgement(ran, f"{check.name}, elsewhere", findings))
        return done

    async def _lost(self, judged: Judged, ran: CheckRun, *, is_same_surface: bool) -> list[Finding]:
        """Return the tests that passed on the base and do not pass here, and whether canary tests are newly barred."""
        if not _has_base(judged) or (ran.tests is None and not ran.bars_canaries):
            return []
        before = (await self._baseline(judged, (ran.check,))).get(ran.check.name)
        found = newly_barred(ran.bars_canaries, before is not None and before.bars_canaries)
        if before is not None and ran.tests is not None:
            licence = licence_of(judged.task, judged.options.allow)
            found += no_longer_passing(before.cases, ran.tests.cases, licence, is_base_surface=is_same_surface)
        return [judged.consent(one) for one in found]

    async def _judge_as_before(self, judged: Judged, toolchain: Toolchain, validation: str) -> list[Judgement]:
        """Judge the new code by the commands, tests and settings of the base; `toolchain` is the new tree's own."""
        assert judged.checkout is not None
        assert judged.patch is not None
        done: list[Judgement] = []
        async with judged.checkout(judged.base_tree) as files:
            base = await self._tree(files, judged)
            surface = base.surface(validation)
            checks = base.toolchain.checks
            if not any(surface.steers(path) for path in judged.patch.paths):
                checks = tuple(check for check in checks if check.kind == "test")
            checks = tuple(check for check in checks if not base.why_not(check, judged.patch.paths))
            before = await self._baseline(judged, checks)
            remove_early(files, judged.red)
            lay_over(files, checkout(judged), judged.patch, surface)

            async def find(ran: CheckRun, files: Path) -> list[Finding]:
                return _findings_beside(judged, ran, before.get(ran.check.name), files)

            async with self._run(judged, base, "base") as (run, ready):
                if not _all_ok(ready):
                    return ready
                for check in checks:
                    settled = await self._settled(judged, run, files, check, find, "before", surface)
                    done += settled.judgements(run, f"{check.name}, as before")
                    if not done[-1].report.ok:
                        break
                if _all_ok(done) and validation and surface.runs_script(validation):
                    done.append(await run.validate(validation))
        if _all_ok(done) and (dropped := _dropped(judged, base.toolchain, toolchain)):
            done.append(judgement("checks", "other", dropped))
        return done

    async def _baseline(self, judged: Judged, checks: Iterable[Check]) -> Mapping[str, BaselineResult]:
        """Return how checks ended on the base, from earlier judgements or by running them now."""
        python, _ = await self._programs(judged)
        wanted = tuple(checks)
        known = self._baselines.get(judged.base_tree, _beside(python, judged), wanted)
        missing = [check for check in wanted if check.name not in known]
        if not missing or judged.checkout is None:
            return known
        results = await self._base_results(judged, missing)
        await self._keep(judged, judged.base_tree, results)
        return {**known, **{check.name: result for check, result in results.items()}}

    async def _base_results(
        self, judged: Judged, checks: Iterable[Check], more: Mapping[str, str] | None = None
    ) -> dict[Check, BaselineResult]:
        """Run checks on the base itself; one that the base does not have is left out."""
        assert judged.checkout is not None
        results: dict[Check, BaselineResult] = {}

        async def find(ran: CheckRun, files: Path) -> list[Finding]:
            return findings_alone(ran, files)

        async with judged.checkout(judged.base_tree) as files:
            remove_early(files, (*judged.red, *judged.due))
            base = await self._tree(files, judged)
            async with self._run(judged, base, "base", more) as (run, ready):
                for check in checks if _all_ok(ready) else ():
                    if check in base.toolchain.checks and more:
                        results[check] = (await run.run(check)).result
                    elif check in base.toolchain.checks:
                        results[check] = (await self._settled(judged, run, files, check, find, "base")).last.result
        return results

    @asynccontextmanager
    async def _opened(self, judged: Judged, files: Path, is_ready: bool) -> AsyncIterator[ReadyTree]:
        """Yield what runs commands on another state of a checkout; see `proof_of_tests`."""
        tree = await self._tree(files, judged)
        toolchain = tree.toolchain._replace(setup=()) if is_ready else tree.toolchain
        async with self._run(judged, tree._replace(toolchain=toolchain)) as (run, done):
            yield ReadyTree(run, toolchain.checks, _all_ok(done))

    async def _keep(self, judged: Judged, tree: str, results: Mapping[Check, BaselineResult]) -> None:
        python, _ = await self._programs(judged)
        self._baselines.put(tree, _beside(python, judged), results)

    @asynccontextmanager
    async def _run(
        self, judged: Judged, tree: _Tree, surface: Literal["", "base"] = "", more: Mapping[str, str] | None = None
    ) -> AsyncIterator[tuple[ProjectRun, list[Judgement]]]:
        """Yield what runs commands on a checkout that is made ready, and the judgements of making it so."""
        _, path = await self._programs(judged)
        async with AsyncExitStack() as stack:
            # Elsewhere, home and temporary files lie beside the checkout, and not where those of this machine do.
            where = _aside(tree.files) if more else None
            prefix = "tmp" if where is None else secrets.token_hex(3)
            folder = stack.enter_context(temporary_folder(prefix, where))
            run = ProjectRun(judged, tree.files, folder, self._sandbox, path, tree.toolchain, surface, more)
            yield run, await run.set_up(tree.toolchain.setup, self._setups)


def _beside(python: Python, judged: Judged) -> str:
    """Return what the results of a tree depend on beside it."""
    lfs = ("lfs",) if judged.options.lfs else ()
    return "\0".join((str(python.executable), *lfs, *judged.options.bring))


def _from_the_top(judged: Judged) -> Judged:
    """Return what is judged with the task's command and files, written for a part of the repository, as for the top."""
    task, part = judged.task, judged.options.part
    if task is None or not part:
        return judged
    files = checkout(judged)
    named = tuple(in_part(path, part, lambda path: (files / path).exists()) for path in task.files_expected)
    validation = task.validation
    if validation is not None:
        command = f"cd {shlex.quote(part)} && {validation.command}"
        validation = validation.model_copy(update={"command": command})
    return replace(judged, task=task.model_copy(update={"files_expected": named, "validation": validation}))


def _aside(files: Path) -> Path | None:
    """Return the directory around a checkout if we may write there."""
    return files.parent if os.access(files.parent, os.W_OK) else None


def _has_base(judged: Judged) -> bool:
    return judged.patch is not None and bool(judged.base_tree) and judged.checkout is not None


def _touched(judged: Judged, surface: Surface) -> bool:
    """Return whether the patch touches the surface. One that only adds files of prose beside it does not."""
    return _has_base(judged) and judged.patch is not None and any(map(surface.holds, judged.patch.paths))


def _all_ok(done: Iterable[Judgement]) -> bool:
    return all(one.report.ok for one in done)


def _not_run(check: Check, why: str) -> Judgement:
    return judgement(check.name, check.kind, [finding(NOT_RUN, f"not run: {why}", severity="note")])


def _dropped(judged: Judged, before: Toolchain, now: Toolchain) -> list[Finding]:
    """Return a finding for each check of the base whose kind no check of the new tree has, unless a person opened it."""
    kinds = {check.kind for check in now.checks}
    paths = judged.patch.paths if judged.patch is not None else ()
    if all(is_covered(path, judged.options.allow) for path in paths if is_settings(path)):
        return []
    return [
        finding(
            "checks.dropped",
            f"With this change {check.name} would not be run any more, nor any other check of its kind ({check.kind}).",
            fix=f"leave what configures {check.name} as it was; a person can open it with `--allow FILE`",
        )
        for check in before.checks
        if check.kind not in kinds
    ]


def _findings_beside(judged: Judged, ran: CheckRun, before: BaselineResult | None, files: Path) -> list[Finding]:
    """Return what a check of the base finds in the new code that it did not find in the old."""
    barred = newly_barred(ran.bars_canaries, before is not None and before.bars_canaries)
    wrong = [*ran.wrong, *map(judged.consent, barred)]
    bent = [one for one in wrong if one.severity == "error"]
    findings = ended(ran.check.name, ran.check.command, ran.completed) or bent or still_red(judged, ran)
    found = findings or _worse_than(judged, ran, before, files)
    return [*(one for one in wrong if one not in bent and one not in found), *found]


def _worse_than(judged: Judged, ran: CheckRun, before: BaselineResult | None, files: Path) -> list[Finding]:
    """Return what is wrong with a run that can be believed, and was not before."""
    check, done = ran.check, ran.completed
    if before is not None and before.cases and ran.tests is not None:
        licence = licence_of(judged.task, judged.options.allow)
        lost = no_longer_passing(before.cases, ran.tests.cases, licence, is_base_surface=True)
        lost = [judged.consent(one) for one in lost]
        if any(one.severity == "error" for one in lost):
            return [*lost, *within(list(ran.tests.findings), str(files))]
        fails = any(case.outcome == "failed" for case in ran.tests.cases) or bool(ran.tests.findings)
        if done.exit_code == 0 or fails or not before.ok:
            return lost
        return [*lost, failed("check.failed", check.command, done)]
    if done.exit_code == 0:
        return despite_success(check, ran.tests)
    if before is not None and not before.ok:
        message = f"`{check.command}` failed before this change already."
        return [finding("checks.failed_before", message, severity="note")]
    return findings_alone(ran, files)


def read_project(files: Path, python: Python, path: str) -> ProjectFiles:
    """Return the facts of the project in a checkout. `path` is the PATH of its commands."""

    def read(name: str) -> str | None:
        content = read_bytes(files, name)
        return None if content is None else content.decode("utf-8", "replace")

    command = "python" if (python.executable.parent / "python").exists() else "python3"
    paths = sorted(listing(files))
    have = lambda program: shutil.which(program, path=path) is not None  # noqa: E731
    pythons = {folder: shlex.quote(str(executable)) for folder, executable in python.parts}
    return ProjectFiles(paths, read, have, command, python.has_pytest, installed=python.packages, pythons=pythons)
