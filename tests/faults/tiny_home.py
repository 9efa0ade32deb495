"""A build in a home that is almost full: `python -m tests.faults.tiny_home PLACE KILOBYTES`, PLACE/home being a mount of its own.

Says how each life ended: `full` with the words of the error or the pause, then makes room; at last the outcome.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path

from buildwright.core.build import Build, Control
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.adapters import Adapters
from buildwright.engine.held_build import run
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import BuildIsRunning, DiskFull
from buildwright.ports import Briefing, BriefingRequest, Judged
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from buildwright.wiring import SystemClock
from buildwright.workspace import GitWorkspace
from tests.adapters.scripted_agent import ScriptedAgent
from tests.engine.harness import FunctionGate, tasks

FULL = ("no space", "found no space")


def judge(_files: Path, _judged: Judged) -> list[str]:
    return []


async def brief(request: BriefingRequest) -> Briefing:
    return Briefing(f"do {request.task.id}", "")


async def life(place: Path) -> Build:
    """Begin or go on; returns when the build is over or paused. Raises DiskFull."""
    home, clock = place / "home", SystemClock()
    builds = await SqliteBuilds.open(home / "state.db", home / "artifacts")
    try:
        rows = await builds.rows()
        if rows:
            build_id = rows[0].build_id
        else:
            options = Options(agent="scripted", sandbox="none", limits=Limits(concurrency=1))
            spec = Spec(title="tiny", graph=tasks("a", "b: a"))
            build_id = await commands.create(
                builds, clock, commands.NewBuild(spec, options, str(place / "repository"), "", "p", "u")
            )
        if (await builds.load(build_id)).control is Control.PAUSED:
            await commands.ask(builds, clock, build_id, ResumeBuild())
        world = Adapters(
            builds=builds,
            clock=clock,
            agent=ScriptedAgent(),
            holder=this_process(),
            scratch=home / "scratch",
            brief=brief,
            workspace=GitWorkspace(home, os.environ),
            gates=[FunctionGate(judge)],
            lease_seconds=1.0,
        )
        return await run(world, build_id)
    finally:
        await builds.close()


async def main(place: Path, free_kilobytes: int) -> None:
    filler = place / "home" / "filler"
    room = shutil.disk_usage(place / "home").free - free_kilobytes * 1024
    filler.write_bytes(b"\0" * room)
    for _ in range(30):
        try:
            build = await life(place)
        except BuildIsRunning:
            await asyncio.sleep(0.1)  # not even the lease could be given up; it runs out
            continue
        except DiskFull as full:
            print(f"full: raised: {full} Fix: {full.fix}")
        else:
            if build.is_terminal:
                used = shutil.disk_usage(place / "home").used - (room if filler.exists() else 0)
                print(f"used {used // 1024} kB")
                print(build.outcome)
                return
            assert build.pause is not None
            assert any(sign in build.pause.message.lower() for sign in FULL), build.pause
            print(f"full: paused: {build.pause.message}")
        filler.unlink(missing_ok=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
