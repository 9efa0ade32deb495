"""What the prompts cost: a task's prompt and the map in a repository of 5,000 files; what harnesses add to a turn.

python -m bench.prompts [--state DIR] [--files N]

The prompt is made again and again, warm, as each attempt makes it. The map is made anew, and again after a commit that
changed five files and added one, in turn; in processor time of all processes, because others may use the machine, and as
people wait for it. What a harness adds is measured at the door to the model, in one run: the bytes of the first request
that has the task, without the task. The agents are the real programs, as the tests install them; one that cannot be
installed here is named. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web
from tests.agents.installed import programs

from bench.lane import git
from bench.machine import load
from bench.prompt_tables import HARNESS_BYTES, MAP_RATIO, PROMPT_SECONDS
from buildwright.agents.briefing import brief_attempt
from buildwright.agents.claude import ClaudeAgent
from buildwright.agents.direct import DirectAgent
from buildwright.agents.program_agent import ProgramAgent
from buildwright.agents.programs import program
from buildwright.code_map.read import read_tree
from buildwright.code_map.view import map_view
from buildwright.core.apply import fold
from buildwright.core.event import BuildCreated, PlanMade, Recorded, TargetPrepared, TaskStarted
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task
from buildwright.gateway import GatewayModel, LocalGateway
from buildwright.ports import Agent, Assignment, BriefingRequest, ModelAccess, ModelEndpoint
from buildwright.sandbox import NoSandbox
from buildwright.workspace import GitWorkspace

ROOT = Path(__file__).parent.parent
FILES = 5_000
AGENTS = ("direct", "claude", "codex", "gemini", "aider")
AT = datetime(2026, 1, 1, tzinfo=UTC)
TASK = "Refund what a customer was charged twice, in whole pence. " * 20
MARK = TASK[:57]


class Took(NamedTuple):
    """Seconds as people wait, and of the processor in this process and in those that it has waited for."""

    wall: float
    processor: float


def _now() -> Took:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Took(time.perf_counter(), sum(one.ru_utime + one.ru_stime for one in used))


async def _timed(work: Callable[[], Awaitable[object]]) -> Took:
    before = _now()
    await work()
    after = _now()
    return Took(after.wall - before.wall, after.processor - before.processor)


def make_repository(path: Path, files: int) -> None:
    """Modules of Python and TypeScript in packages, about sixty lines each, that import each other."""
    path.mkdir(parents=True)
    git(path, "init", "-q", "-b", "main")
    for number in range(files):
        folder = path / f"area{number % 12}" / f"part{number % 97}"
        folder.mkdir(parents=True, exist_ok=True)
        other = (number * 7 + 12 * 97) % files
        where = f"area{other % 12}/part{other % 97}"
        if number % 3:
            lines = [f"from {where.replace('/', '.')} import mod{other}", "", ""]
            for part in range(6):
                lines += [f"class Ledger{number}_{part}:", "    def total(self, pence: int, at: str) -> int:"]
                lines += [
                    f"        return sum(one.pence for one in self.lines if one.at == at) + pence * {part}",
                    "",
                    "",
                ]
                lines += [
                    f"def read_{number}_{part}(path: str) -> list[str]:",
                    "    return open(path).readlines()",
                    "",
                    "",
                ]
            (folder / f"mod{number}.py").write_text("\n".join(lines))
        else:
            lines = [f"import {{ read0 }} from '../../{where}/mod{other}';", ""]
            for part in range(12):
                lines += [f"export function read{part}(path: string, at: number): string {{", "  const x = path + at;"]
                lines += ["  return x.trim();", "}", ""]
            (folder / f"mod{number}.ts").write_text("\n".join(lines))
    (path / "README.md").write_text("# Ledgers\n")
    (path / "CLAUDE.md").write_text("# Rules\n\nWhole pence only.\n")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "start")


async def prompt(workspace: GitWorkspace, repository: Path, rounds: int) -> dict[str, Any]:
    """Make the prompt of a task again and again."""
    target = await workspace.prepare("prompt", str(repository))
    task = Task(id="t", title="Refund", goal=TASK, files_expected=("area1/part1/mod1.py", "area2/part2/mod2.py"))
    others = (Task(id=f"o{n}", title=f"Other {n}", files_expected=(f"area3/part3/new{n}.py",)) for n in range(50))
    spec, options = Spec(title="Refunds", text=TASK), Options()
    events = (
        BuildCreated(build_id="prompt", project_id="p", user_id="u", repository="r", spec=spec, options=options),
        TargetPrepared(commit=target.commit, tree=target.tree),
        PlanMade(graph=Graph(tasks=(task, *others))),
        TaskStarted(task="t", attempt=1, base=target.commit),
    )
    build = fold([Recorded(number, AT, event) for number, event in enumerate(events, 1)])
    request = BriefingRequest(build, task, build.task("t"), target.tree, False, (), ())
    size = len((await brief_attempt(request, workspace)).prompt.encode())
    took = [await _timed(lambda: brief_attempt(request, workspace)) for _ in range(rounds)]
    return {"bytes": size, **_median(took)}


def _median(took: list[Took]) -> dict[str, float]:
    return {part: round(statistics.median(getattr(one, part) for one in took), 4) for part in Took._fields}


async def code_map(workspace: GitWorkspace, repository: Path, rounds: int) -> dict[str, Any]:
    """Make the map anew, and again after a small commit, in turn."""
    anew: list[Took] = []
    again: list[Took] = []
    fresh = 0

    async def make(build: str, tree: str, whole: bool) -> None:
        nonlocal fresh
        read = await read_tree(workspace, build, tree, anew=whole)
        fresh = read.fresh
        map_view(read, TASK, 6_000)

    for number in range(rounds):
        target = await workspace.prepare(f"map{number}", str(repository))
        anew.append(await _timed(lambda: make(f"map{number}", target.tree, True)))  # noqa: B023  awaited at once
        for one in range(5):
            file = repository / f"area{one + 1}" / f"part{one + 1}" / f"mod{one + 1}.{'py' if (one + 1) % 3 else 'ts'}"
            file.write_text(f"{file.read_text()}\n{'//' if file.suffix == '.ts' else '#'} {number}\n")
        (repository / f"new{number}.py").write_text("def new(): ...\n")
        git(repository, "add", "-A")
        git(repository, "commit", "-qm", f"change {number}")
        later = await workspace.prepare(f"later{number}", str(repository))
        again.append(await _timed(lambda: make(f"later{number}", later.tree, False)))  # noqa: B023  awaited at once
    ratios = [
        {part: getattr(new, part) / getattr(old, part) for part in Took._fields}
        for new, old in zip(again, anew, strict=True)
    ]
    ratio = {part: round(statistics.median(one[part] for one in ratios), 4) for part in Took._fields}
    return {"anew": _median(anew), "refreshed": _median(again), "ratio": ratio, "read_again": fresh}


class Door:
    """Stands before the gateway, passes on what agents ask of it, and keeps the bodies."""

    def __init__(self, behind: str) -> None:
        self.bodies: list[bytes] = []
        self._behind = behind
        self._runner: web.AppRunner | None = None

    async def open(self) -> str:
        """Return its address."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{rest:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _pass(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.method == "POST" and "count" not in request.path and "input_tokens" not in request.path:
            self.bodies.append(body)
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in {"host", "content-length"}
        }
        address = f"{self._behind}{request.path_qs}"
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(request.method, address, data=body, headers=headers) as answer,
        ):
            kept = {name: value for name, value in answer.headers.items() if name.lower() == "content-type"}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


def _agent(name: str) -> tuple[Agent, str]:
    """The agent, and the model that it is given. Raises OSError or CalledProcessError when it cannot be installed."""
    path = os.environ["PATH"]
    if name == "direct":
        return DirectAgent(GatewayModel()), "claude-sonnet-5-5"
    if name == "claude":
        return ClaudeAgent(NoSandbox(), path), "claude-sonnet-5-5"
    model = {"codex": "gpt-5.5", "gemini": "gemini-2.5-flash"}.get(name, "claude-sonnet-5-5")
    return ProgramAgent(program(name), NoSandbox(), f"{programs(name)}{os.pathsep}{path}"), model


async def added(name: str, folder: Path) -> dict[str, Any]:
    """What the harness of an agent adds to the first request that has its task, in bytes and about in tokens."""
    try:
        agent, model = await asyncio.to_thread(_agent, name)
    except (OSError, subprocess.CalledProcessError) as why:
        return {"not_here": f"cannot be installed: {why}"}
    lane, home = folder / name / "lane", folder / name / "home"
    for place in (lane, home):
        place.mkdir(parents=True)
    git(lane, "init", "-q")
    cassette = folder / name / "model.yaml"
    cassette.write_text('version: 1\nturns:\n  - {reply: {say: I write it., files: {new.txt: "x\\n"}}}\n')
    gateway = LocalGateway({}, folder / name / "gateway")
    access = ModelAccess("b", "t", 1, Options(cassette=str(cassette), model=model), lane)
    try:
        opened = await gateway.open(access)
        behind, _, path = opened.url.partition("/d/")
        door = Door(behind)
        address = f"{await door.open()}/d/{path}"
        task = Task(id="t", title="Refund")
        assignment = Assignment(
            build_id="b",
            task=task,
            attempt=1,
            lane=lane,
            home=home,
            prompt=TASK,
            limits=Limits(),
            door=ModelEndpoint(address, opened.token),
            model=model,
        )
        async with asyncio.timeout(240):
            async for _ in agent.run(assignment, asyncio.Queue()):
                pass
        await door.close()
    except Exception as why:
        return {"not_here": f"{type(why).__name__}: {why}"[:300]}
    finally:
        await gateway.close()
    with_task = [body for body in door.bodies if MARK.encode() in body]
    if not with_task:
        return {"not_here": f"none of its {len(door.bodies)} requests has the task"}
    size = len(with_task[0]) - len(TASK.encode())
    return {"bytes": size, "tokens": size // 4, "requests": len(door.bodies), "all_bytes": sum(map(len, door.bodies))}


async def measure(folder: Path, files: int, rounds: int, agents: tuple[str, ...]) -> dict[str, Any]:
    """Everything, in an empty folder."""
    repository = folder / "repository"
    make_repository(repository, files)
    workspace = GitWorkspace(folder / "home", dict(os.environ))
    found: dict[str, Any] = {"files": files, "rounds": rounds, "load": round(load(), 2)}
    found["prompt"] = await prompt(workspace, repository, rounds * 3)
    found["map"] = await code_map(workspace, repository, rounds)
    found["harness"] = {name: await added(name, folder / "harness") for name in agents}
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.prompts", description="Measure prompts and the map.")
    parser.add_argument("--state", type=Path, help="as a part of `python -m bench`: no goal is a failure then")
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.state is not None:
        given.state.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="prompts-", dir=given.state))
    agents = AGENTS[:1] if given.tiny else AGENTS
    files, rounds = (200, 1) if given.tiny else (given.files, given.rounds)
    try:
        found = asyncio.run(measure(folder, files, rounds, agents))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"prompts": found}))
    missed = (
        found["prompt"]["processor"] > PROMPT_SECONDS
        or found["map"]["ratio"]["processor"] > MAP_RATIO
        or found["harness"]["direct"]["bytes"] > HARNESS_BYTES
    )
    return int(given.state is None and not given.tiny and missed)


if __name__ == "__main__":
    sys.exit(main())
