"""Sealing the tests of a task: an advisor writes them, the base must fail them, an artifact keeps them.

Must never put their texts, or what they printed, where an agent or an advisor of agents reads: log, prompt, lane. The
answers of the model are kept, so a worker that does it again after a crash makes the same artifact.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from buildwright.core import event as e
from buildwright.core.action import SealTests
from buildwright.core.build import Build, Sealing
from buildwright.core.sealed import SealedFile, SealedRun, SealedTests
from buildwright.core.task import Task
from buildwright.engine.action_context import ActionContext
from buildwright.engine.usage import access, shut_door, why_failed
from buildwright.errors import BadSettings, BadSpec, ModelFailed
from buildwright.ports import Builds, Judged, ModelEndpoint, SealedTrial, Sealer, Workspace

SEALING_SECONDS = 300.0
"""Time limit of each answer of the model: the task's agent does not start before it."""
MOST_PATHS = 400
MOST_FILES = 12
"""Most files of the base that the advisor is shown."""
MOST_OF_A_FILE = 6_000
"""Most characters of each."""
_ROUNDS = 2
_MANIFESTS = frozenset(("pyproject.toml", "package.json", "README.md"))


class _Desk(NamedTuple):
    """What sealing needs of the world, all of it there."""

    sealer: Sealer
    trial: SealedTrial
    workspace: Workspace
    door: ModelEndpoint


async def seal_tests(bench: ActionContext, action: SealTests, build: Build) -> e.TestsSealed:
    """Return the fact that the task's tests are sealed, or why it has none. Raises StoreFailed, DiskFull, GateBroken.

    The cost of the requests is recorded whatever the result.
    """
    world, plan = bench.world, build.plan
    assert plan is not None
    gateway, trial, workspace = world.gateway, world.sealed_trial, world.workspace
    if world.sealer is None or gateway is None or trial is None or workspace is None:
        return e.TestsSealed(task=action.task, why_none="no model is available")
    try:
        number = plan.position[action.task] + 1
        # Of an advisor the gateway looks for the key of the model that plans.
        options = build.options.model_copy(update={"planner_model": _model(build)})
        door = await gateway.open(access(bench.newest(), attempt=number, options=options))
    except (BadSettings, BadSpec) as missing:
        return e.TestsSealed(task=action.task, why_none=world.mask(f"no model is available: {missing}"))
    try:
        sealed = await _seal(bench, build, plan.task(action.task), _Desk(world.sealer, trial, workspace, door))
    except ModelFailed as failure:
        sealed = e.TestsSealed(task=action.task, why_none=why_failed(gateway, door, failure))
    except TimeoutError:
        why = f"the model did not answer within {SEALING_SECONDS:g} s"
        sealed = e.TestsSealed(task=action.task, why_none=why)
    finally:
        await shut_door(bench, door)
    bench.logbook.note("engine", f"{sealed.tests} sealed tests", action.task)
    return sealed


def _model(build: Build) -> str:
    return build.options.advising_model(build.options.sealed_model)


async def read_sealed(builds: Builds, sealing: Sealing | None) -> SealedTests | None:
    """Return a task's sealed tests, None when it was not asked for any. Raises NotFound, StoreFailed."""
    if sealing is None or not sealing.artifact:
        return None if sealing is None else SealedTests(why_none=sealing.why_none)
    return SealedTests.model_validate_json(await builds.get_artifact(sealing.artifact))


async def _seal(bench: ActionContext, build: Build, task: Task, desk: _Desk) -> e.TestsSealed:
    """Ask for tests and try them on the base; once more when none of the first answer is of use."""
    base = build.task(task.id).base
    async with desk.workspace.checkout(build.id, base) as files:
        languages = await desk.trial.languages(build.repository, files)
    if not languages:
        return e.TestsSealed(task=task.id, why_none="neither pytest nor Node is there to run them")
    context = await _context(bench, build, task, desk.workspace)
    digest = bench.world.instructions.get("sealer", "")
    kept = SealedTests()
    dropped: tuple[str, ...] = ()
    for _ in range(_ROUNDS):
        wrong = ("# What was wrong with your first answer", *dropped) if dropped else ()
        async with asyncio.timeout(SEALING_SECONDS):
            asked = "\n\n".join((*wrong, context))
            written = await desk.sealer.seal(asked, task.acceptance, languages, _model(build), desk.door)
        if not written.files:
            kept = written
            break
        kept, dropped = await _tried(build, task, desk, written)
        if kept.files:
            break
    if not kept.files:
        why = kept.why_none or "of the tests that were written none fails on the base and can be run"
        return e.TestsSealed(task=task.id, dropped=dropped, why_none=why, instructions=digest)
    artifact = await bench.world.builds.put_artifact(kept.model_dump_json().encode())
    counts = {"files": len(kept.files), "tests": kept.count}
    return e.TestsSealed(task=task.id, artifact=artifact, **counts, dropped=dropped, instructions=digest)


async def _tried(build: Build, task: Task, desk: _Desk, written: SealedTests) -> tuple[SealedTests, tuple[str, ...]]:
    """Return the files with the tests that fail on the base, and what is dropped, with its reason."""
    base = build.task(task.id).base
    async with desk.workspace.checkout(build.id, base) as files:
        judged = Judged(build.id, task, base, None, files, build.options, repository=build.repository)
        runs = await desk.trial.run(judged, written)
    kept: list[SealedFile] = []
    dropped: list[str] = []
    for number, (file, run) in enumerate(zip(written.files, runs, strict=True), 1):
        dropped += _reasons(number, file, run)
        if run.failed and not run.broken:
            kept.append(file.model_copy(update={"tests": run.failed}))
    return SealedTests(files=tuple(kept)), tuple(dropped)


def _reasons(number: int, file: SealedFile, run: SealedRun) -> list[str]:
    if run.broken:
        return [f"file {number} ({file.line}): {run.broken}"]
    return [f"file {number} ({file.line}): {name} passes before any change" for name in run.passed]


async def _context(bench: ActionContext, build: Build, task: Task, workspace: Workspace) -> str:
    """Return what the advisor is told: the task, the files of the base and the contents of those that concern it."""
    base = build.task(task.id).base
    paths = await workspace.list_files(build.id, base)
    listed = "\n".join(paths[:MOST_PATHS]) + (f"\nand {len(paths) - MOST_PATHS} more" * (len(paths) > MOST_PATHS))
    lines = "\n".join(f"{number}. {line}" for number, line in enumerate(task.acceptance, 1))
    parts = [
        f"# The task\n\n{task.title}\n\n{task.goal}",
        f"# Its acceptance lines\n\n{lines}",
        f"# Files before the change\n\n{listed}",
    ]
    for path in relevant(task, paths):
        content = await workspace.read_file(build.id, base, path)
        if content is not None and b"\0" not in content:
            parts.append(f"# {path}\n\n{content.decode(errors='replace')[:MOST_OF_A_FILE]}")
    return "\n\n".join(map(bench.world.mask, parts))


def relevant(task: Task, paths: Sequence[str]) -> list[str]:
    """Return the paths worth showing, best first: expected, named in the task's words, manifests, then the shortest."""
    words = set(re.findall(r"\w+", " ".join((task.title, task.goal, *task.acceptance)).lower()))

    def rank(path: str) -> tuple[int, int, str]:
        pure = PurePosixPath(path)
        expected, named = path in task.files_expected, pure.stem.lower() in words
        return (0 if expected else 1 if named else 2 if path in _MANIFESTS else 3, len(path), path)

    return sorted(paths, key=rank)[:MOST_FILES]
