"""A paused build goes on with other options, over real git and every way to build; nothing that landed is done again."""

from __future__ import annotations

from pathlib import Path

from buildwright.core.build import Build, Control, TaskPhase
from buildwright.core.limits import Check, Limits
from buildwright.core.options_change import OptionsChange
from buildwright.core.task import Task
from buildwright.engine import commands
from buildwright.engine.commands import PauseBuild
from buildwright.engine.resume_command import ResumeBuild
from buildwright.engine.task_commands import ChangeTasks
from buildwright.ports import Builds, Judged
from tests.adapters.scripted_agent import Write
from tests.engine.harness import FunctionGate, Script, Site, make_site, tasks
from tests.git import git

SCRIPT: Script = {(task, attempt): [Write(f"{task}.txt", task)] for task in "ab" for attempt in (1, 2, 3)}
EASY = OptionsChange(checks=(Check(name="easy", command="true"),))


def unless_easy(_files: Path, judged: Judged) -> list[str]:
    """A gate that refuses everything until the checks are easy."""
    return [] if any(check.name == "easy" for check in judged.options.checks) else ["too hard"]


async def resume(site: Site, command: ResumeBuild) -> Build:
    await commands.ask(site.builds, site.clock, site.build_id, command)
    return await site.run()


async def test_a_base_that_is_refused_is_judged_anew_by_other_checks(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(unless_easy)])
    build = await site.build(tasks("a", "b: a"), limits=Limits(attempts=1))
    assert build.pause is not None
    assert build.pause.reason == "base"
    build = await resume(site, ResumeBuild(options=EASY))
    assert build.outcome == "succeeded"
    assert [report.ok for report in build.base_verdict.reports] == [True]  # type: ignore[union-attr]
    kinds = [recorded.event.type for recorded in await site.builds.read(site.build_id)]
    assert kinds.count("base.judged") == 2
    assert kinds.count("options.changed") == 1
    assert site.files() == {"README.md": "hello", "a.txt": "a", "b.txt": "b"}


async def test_what_has_landed_stays_and_the_rest_goes_by_the_new_options(tmp_path: Path, builds: Builds) -> None:
    def refuses_b(files: Path, judged: Judged) -> list[str]:
        return unless_easy(files, judged) if (files / "b.txt").exists() else []

    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(refuses_b)])
    build = await site.build(tasks("a", "b: a"), limits=Limits(attempts=1))
    assert (build.control, build.task("a").phase, build.failed) == (Control.PAUSED, TaskPhase.DONE, ("b",))
    landed = build.task("a").commit
    change = EASY.model_copy(update={"attempts": 2, "branch": "made"})
    build = await resume(site, ResumeBuild("retry", options=change))
    assert build.outcome == "succeeded"
    assert (build.task("a").commit, build.task("a").attempt, build.task("b").attempt) == (landed, 1, 2)
    assert git(site.repository, "show", "made:b.txt") == "b"


async def test_options_that_change_while_nothing_runs_hold_for_the_next_attempt(tmp_path: Path, builds: Builds) -> None:
    models: list[str] = []

    def notes(_files: Path, judged: Judged) -> list[str]:
        models.append(judged.options.model)
        return []

    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(notes)])
    await site.start(tasks("a"))
    await commands.ask(site.builds, site.clock, site.build_id, PauseBuild())
    build = await resume(site, ResumeBuild(options=OptionsChange(model="other")))
    assert build.outcome == "succeeded"
    assert set(models) == {"other"}


async def test_a_changed_plan_is_built_and_what_has_landed_is_not_built_again(tmp_path: Path, builds: Builds) -> None:
    def refuses_b(_files: Path, judged: Judged) -> list[str]:
        return ["no"] if judged.task is not None and judged.task.id == "b" and judged.task.goal != "easy" else []

    script = {**SCRIPT, ("c", 1): [Write("c.txt", "c")]}
    site = make_site(tmp_path, builds, script, [FunctionGate(refuses_b)])
    build = await site.build(tasks("a", "b: a", "d: b"), limits=Limits(attempts=1))
    assert build.failed == ("b",)
    landed = build.task("a").commit
    easy = Task(id="b", title="do b", goal="easy", depends_on=("a",))
    more = Task(id="c", title="do c", depends_on=("b",))
    await commands.ask(site.builds, site.clock, site.build_id, ChangeTasks((easy, more), ("d",)))
    build = await site.run()
    assert (build.outcome, build.total, build.task("a").commit) == ("succeeded", 3, landed)
    assert (build.task("a").attempt, build.task("b").attempt, build.task("c").attempt) == (1, 2, 1)
    assert site.files()["c.txt"] == "c"
