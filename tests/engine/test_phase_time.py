"""A phase of the plan that takes longer than its limit pauses the build, by the times in the journal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from buildwright.core import event as e
from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.event import Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits
from buildwright.core.options_change import OptionsChange
from buildwright.core.task import Task
from buildwright.engine import commands
from buildwright.engine.commands import PauseBuild
from buildwright.engine.resume_command import ResumeBuild
from buildwright.ports import Builds
from buildwright.views.overview import pause_view
from tests.adapters.scripted_agent import Sleep, Write
from tests.engine.harness import ONE_PROCESS, Script, Site, make_site
from tests.faults.test_clock import Settable

TWO = Graph(
    tasks=(
        Task(id="a", title="A", milestone="First"),
        Task(id="b", title="B", milestone="First", depends_on=("a",)),
        Task(id="c", title="C", milestone="Second"),
    ),
    milestones=("First", "Second"),
)


async def paused(site: Site, **changes: object) -> Build:
    build = await site.run(**changes)
    assert build.pause is not None
    assert (build.control, build.pause.reason, build.pause.fault) == (Control.PAUSED, "phase", "limits")
    return build


async def test_what_runs_ends_and_more_time_lets_the_phase_go_on(tmp_path: Path, builds: Builds) -> None:
    script: Script = {("a", 1): [Sleep(0.8), Write("a.txt")], ("b", 1): [Write("b.txt")], ("c", 1): [Write("c.txt")]}
    site = make_site(tmp_path, builds, script)
    await site.start(TWO, gates=False, limits=Limits(phase_seconds=0.3))
    build = await paused(site)
    assert build.pause is not None
    assert "First takes longer than its limit of 0.3 s; 2 of its tasks are not done" in build.pause.message
    assert f"`buildwright resume {build.id} --phase-time 0.6`" in build.pause.message
    assert pause_view(build, build.pause).choices[0].takes == "options.phase_seconds"
    assert build.task("b").attempt == 0
    change = ResumeBuild(options=OptionsChange(phase_seconds=600))
    await commands.ask(site.builds, site.clock, site.build_id, change)
    build = await site.run()
    assert (build.outcome, build.task("a").attempt) == ("succeeded", 1)
    assert sum(one.event.type == "build.paused" for one in await site.builds.read(site.build_id)) == 1


@ONE_PROCESS
async def test_time_passes_while_no_process_runs_and_stands_still_in_a_pause(tmp_path: Path, builds: Builds) -> None:
    clock = Settable()
    script: Script = {
        ("a", 1): [Write("a.txt")],
        ("b", 1): [Sleep(0.4), Write("b.txt")],
        ("c", 1): [Sleep(0.4), Write("c")],
    }
    site = make_site(tmp_path, builds, script)
    site.clock = clock
    await site.start(TWO, gates=False, limits=Limits(phase_seconds=3600))

    def leave(recorded: Recorded, _build: Build) -> None:
        if isinstance(recorded.event, e.TaskStarted) and recorded.event.task == "b":
            site.detach.set()

    left = await site.run(on_event=leave)
    assert left.phase_began is not None
    site.detach.clear()
    await commands.ask(site.builds, clock, site.build_id, PauseBuild())
    clock.wrong_by = timedelta(hours=3)  # in a pause of the user
    await commands.ask(site.builds, clock, site.build_id, ResumeBuild())
    resumed = await site.builds.load(site.build_id)
    assert timedelta(hours=3) <= (resumed.phase_began or left.phase_began) - left.phase_began
    clock.wrong_by += timedelta(hours=2)  # while no process runs it
    build = await paused(site)
    assert (build.milestone, build.task("c").phase) == (0, TaskPhase.WAITING)
    await commands.ask(site.builds, clock, site.build_id, ResumeBuild())  # the same time again
    build = await site.run()
    assert (build.outcome, build.phase_began) == ("succeeded", None)
