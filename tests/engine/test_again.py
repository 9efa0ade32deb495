"""What landed is taken back, redone or put on another base over real git and every way to build; ended builds go on."""

from __future__ import annotations

from pathlib import Path

from buildwright.core.build import Build, TaskPhase
from buildwright.core.limits import Limits
from buildwright.core.task import Task
from buildwright.engine import commands
from buildwright.engine.build_command import BuildCommand
from buildwright.engine.commands import PauseBuild
from buildwright.engine.resume_command import Choice, ResumeBuild, ResumeOnBase
from buildwright.engine.task_commands import ChangeTasks, RedoTask, UndoTask
from buildwright.ports import Builds, Judged
from buildwright.store.journal_postgres import PostgresBuilds
from buildwright.workspace import GitWorkspace
from tests.adapters.scripted_agent import Write
from tests.engine.harness import FunctionGate, Script, Site, make_site, tasks
from tests.engine.workers import make_hub
from tests.git import git

SCRIPT: Script = {
    **{(task, 1): [Write(f"{task}.txt", task)] for task in "abcd"},
    **{(task, 2): [Write(f"{task}.txt", f"{task} anew")] for task in "abcd"},
}


async def ask(site: Site, command: BuildCommand) -> Build:
    await commands.ask(site.builds, site.clock, site.build_id, command)
    return await site.run()


async def on_new_base(site: Site, choice: Choice = "go") -> Build:
    """What an App does for `resume --rebase`: the commit is fetched before the command is recorded."""
    hub = str(make_hub(site.home)) if isinstance(site.builds, PostgresBuilds) else ""
    workspace = GitWorkspace(site.home / "asker", {}, hub=hub) if hub else site.workspace
    assert isinstance(workspace, GitWorkspace)
    target = await workspace.rebase_target(site.build_id, str(site.repository), "")
    return await ask(site, ResumeOnBase(ResumeBuild(choice, rebase=True), "", target))


def commit_file(repository: Path, name: str, text: str) -> str:
    (repository / name).write_text(text)
    git(repository, "add", name)
    git(repository, "commit", "-q", "-m", f"Write {name}")
    return git(repository, "rev-parse", "HEAD").strip()


def attempts(site: Site) -> list[str]:
    return [f"{one.event.task}{one.event.attempt}" for one in site.journal if one.event.type == "task.started"]


async def test_a_change_is_taken_back_and_nothing_else_is_built_again(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, SCRIPT)
    build = await site.build(tasks("a", "b", "c: b"), limits=Limits(concurrency=1))
    assert build.outcome == "succeeded"
    build = await ask(site, UndoTask("a"))
    assert (build.outcome, build.task("a").phase, build.done) == ("succeeded", TaskPhase.SKIPPED, 2)
    assert site.files() == {"README.md": "hello", "b.txt": "b", "c.txt": "c"}
    assert site.subjects()[-1] == "Take back task a: do a"
    body = git(site.repository, "log", "-1", "--format=%B", site.delivered())
    assert "Buildwright-Undone-Task: a" in body
    build = await ask(site, RedoTask("a"))
    assert (build.outcome, build.done) == ("succeeded", 3)
    assert site.files()["a.txt"] == "a anew"
    assert sorted(attempts(site)) == ["a1", "a2", "b1", "c1"]


async def test_a_task_is_redone_with_those_that_rest_on_it(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(lambda _files, _judged: [])])
    await site.build(tasks("a", "b: a", "c"), limits=Limits(concurrency=1))
    build = await ask(site, RedoTask("a", "shorter", with_dependents=True))
    assert build.outcome == "succeeded"
    assert site.files() == {"README.md": "hello", "a.txt": "a anew", "b.txt": "b anew", "c.txt": "c"}
    assert attempts(site)[3:] == ["a2", "b2"]
    assert "shorter" in (await site.builds.load(site.build_id)).task("a").guidance


async def test_an_undo_that_the_gates_refuse_stays_and_is_asked_about(tmp_path: Path, builds: Builds) -> None:
    def needs_a(files: Path, judged: Judged) -> list[str]:
        there = (files / "b.txt").exists()
        return ["b needs a"] if there and not (files / "a.txt").exists() else []

    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(needs_a)])
    before = await site.build(tasks("a", "b"), limits=Limits(concurrency=1))
    build = await ask(site, UndoTask("a"))
    assert build.pause is not None
    assert (build.pause.reason, build.pause.task) == ("undo", "a")
    assert "b needs a" in build.pause.message
    build = await ask(site, ResumeBuild())
    assert (build.outcome, build.head, build.done) == ("succeeded", before.head, 2)


async def test_a_finished_build_is_put_on_a_newer_base(tmp_path: Path, builds: Builds) -> None:
    judged: list[set[str]] = []

    def notes(files: Path, _judged: Judged) -> list[str]:
        judged.append({path.name for path in files.iterdir() if path.name != ".git"})
        return []

    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(notes)])
    first = await site.build(tasks("a", "b: a"), limits=Limits(concurrency=1))
    assert first.outcome == "succeeded"
    git(site.repository, "branch", "-m", site.delivered(), "old")
    new = commit_file(site.repository, "base.txt", "newer")
    build = await on_new_base(site)
    assert (build.outcome, build.base, build.rebases) == ("succeeded", new, 1)
    assert site.files() == {"README.md": "hello", "base.txt": "newer", "a.txt": "a", "b.txt": "b"}
    assert git(site.repository, "merge-base", "main", site.delivered()).strip() == new
    assert site.subjects() == ["Task a: do a", "Task b: do b"]
    assert attempts(site) == ["a1", "b1"]
    assert {"README.md", "base.txt", "a.txt"} in judged
    build = await ask(site, ChangeTasks((Task(id="c", title="do c", depends_on=("b",)),)))
    assert (build.outcome, site.subjects()[2:]) == ("succeeded", ["Task c: do c"])


async def test_what_does_not_fit_on_the_new_base_is_asked_about(tmp_path: Path, builds: Builds) -> None:
    script: Script = {**SCRIPT, ("a", 1): [Write("README.md", "of a")], ("a", 2): [Write("README.md", "both")]}
    site = make_site(tmp_path, builds, script)
    await site.start(tasks("a", "b: a", "c", "d: c"), limits=Limits(concurrency=1))
    build = await site.run()
    commit_file(site.repository, "README.md", "of the base")
    git(site.repository, "branch", "-m", site.delivered(), "old")
    build = await on_new_base(site)
    assert build.pause is not None
    assert (build.pause.reason, build.failed) == ("failure", ("a",))
    assert "task a does not fit on the new base: it conflicts in README.md" in build.pause.message
    build = await ask(site, ResumeBuild("retry"))
    assert (build.outcome, build.done) == ("succeeded", 4)
    assert site.files() == {"README.md": "both", "b.txt": "b", "c.txt": "c", "d.txt": "d"}
    assert attempts(site)[4:] == ["a2"]


async def test_a_paused_build_is_put_on_a_base_that_mends_its_checks(tmp_path: Path, builds: Builds) -> None:
    def wants_mended(files: Path, _judged: Judged) -> list[str]:
        return [] if (files / "mended").exists() else ["it is broken"]

    site = make_site(tmp_path, builds, SCRIPT, [FunctionGate(wants_mended)])
    build = await site.build(tasks("a", "b"))
    assert build.pause is not None
    assert build.pause.reason == "base"
    commit_file(site.repository, "mended", "yes")
    build = await on_new_base(site)
    assert (build.outcome, build.done) == ("succeeded", 2)
    assert site.files() == {"README.md": "hello", "mended": "yes", "a.txt": "a", "b.txt": "b"}


async def test_a_stopped_build_goes_on(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds, SCRIPT)
    await site.start(tasks("a", "b: a"))
    await commands.ask(site.builds, site.clock, site.build_id, PauseBuild())
    await commands.ask(site.builds, site.clock, site.build_id, commands.StopBuild())
    assert (await site.run()).outcome == "stopped"
    build = await ask(site, ResumeBuild())
    assert (build.outcome, build.done) == ("succeeded", 2)
