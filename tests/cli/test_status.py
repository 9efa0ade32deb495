"""`status` of builds of this home: what is kept of them, and that it is shown without the models of events."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from buildwright.store.kept_views import FOLDER, FORMAT
from buildwright.store.lease_holders import holder_of
from buildwright.views.overview import BuildView
from tests.cli.conftest import WRITES, Program, shell, write_tasks


@pytest.fixture
def ended(program: Program, repository: Path, three: Path) -> Path:
    """The kept view of a build of three tasks."""
    built = program("build", three, "--repo", repository, *shell(WRITES, "--no-gates"))
    assert built.code == 0, built.err
    (path,) = (program.home / FOLDER).iterdir()
    return path


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json")])
def test_a_kept_view_is_shown_as_the_build_itself(program: Program, ended: Path, arguments: tuple[str, ...]) -> None:
    kept = program(*arguments)
    ended.unlink()
    made = program(*arguments)
    assert (kept.code, kept.out, kept.err) == (made.code, made.out, made.err)
    assert ended.exists(), "it is kept again"
    assert program(*arguments, ended.stem[:6]).out == made.out


def test_a_view_that_does_not_fit_is_made_anew(program: Program, ended: Path) -> None:
    right = json.loads(ended.read_text("utf-8"))
    shown = program("status").out
    for text in (
        "",
        "[]",
        '{"format": ',
        json.dumps({**right, "format": FORMAT - 1}),
        json.dumps({**right, "view": {**right["view"], "version": 3, "title": "Of before"}}),
    ):
        ended.write_text(text, "utf-8")
        assert program("status").out == shown
        assert json.loads(ended.read_text("utf-8")) == right


def test_a_project_is_listed_by_its_name(program: Program, ended: Path) -> None:
    project, moment = "589055f1-29a8-4709-a6a0-08e96e03ec15", "2026-01-01T00:00:00.000000Z"
    with closing(sqlite3.connect(program.home / "buildwright.db")) as database:
        row = (project, "0", "My shop", "", "draft", "", "", "", moment, moment)
        database.execute("INSERT INTO projects VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        database.execute("UPDATE build_runs SET project_id = ?", (project,))
        database.commit()
    for arguments in (("--all",), ("--state", "succeeded"), ("--project", "My shop"), ("--project", project)):
        shown = program("status", *arguments).out
        assert "My shop" in shown, arguments
        assert project not in shown, arguments
        (listed,) = program("status", *arguments, "--json").object["builds"]
        assert (listed["project"], listed["project_id"]) == ("My shop", project), arguments
    assert "no such build" in program("status", "--project", "Another").out


@pytest.fixture
def paused(program: Program, repository: Path, three: Path) -> Path:
    """The kept view of a build that has failed and waits for its user."""
    built = program("build", three, "--repo", repository, *shell("exit 1", "--no-gates", "--attempts", "1"))
    assert built.code == 4, built.err
    (path,) = (program.home / FOLDER).iterdir()
    return path


@pytest.mark.parametrize("arguments", [("status",), ("status", "--json")])
def test_a_build_that_waits_for_its_user_is_shown_without_a_model(
    program: Program, paused: Path, arguments: tuple[str, ...]
) -> None:
    kept = _traced(program, *arguments)
    assert "buildwright.core.event" not in kept.stderr
    paused.unlink()
    made = _traced(program, *arguments)
    assert "buildwright.core.event" in made.stderr
    assert kept.stdout == made.stdout
    assert "retry" in kept.stdout


def test_a_kept_view_is_not_shown_once_the_build_goes_on_or_a_process_has_it(program: Program, paused: Path) -> None:
    build_id = paused.stem
    database = program.home / "buildwright.db"
    with closing(sqlite3.connect(database)) as conn:
        conn.execute("UPDATE leases SET holder = ?, expires_at = ?", (holder_of(os.getpid()), "9999-01-01 00:00"))
        conn.commit()
        assert program("status", "--json").object["runner"] == holder_of(os.getpid())
        conn.execute("UPDATE leases SET holder = ''")
        conn.commit()
    assert program("status", "--json").object["runner"] is None
    program("say", build_id, "look at the sums")
    assert "Not heard yet" in program("status").out
    assert json.loads(paused.read_text("utf-8"))["view"]["unheard"], "it is kept again"


def _traced(program: Program, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a list of what it imports on stderr."""
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "buildwright", *arguments],
        env=program.environment,
        capture_output=True,
        text=True,
        check=True,
    )


def _heavy(shown: subprocess.CompletedProcess[str]) -> set[str]:
    """What a command imported of the things that a quick one does without."""
    return {name for name in ("asyncio", "cyclopts", "pydantic", "rich") if f" {name}\n" in shown.stderr}


def test_a_running_build_is_shown_as_its_process_keeps_it(program: Program, repository: Path, three: Path) -> None:
    """Quickly, with times of now, never older than the journal, and as ever once that process is gone."""
    hold = program.directory / "hold"
    hold.touch()
    agent = shell(f"while [ -e '{hold}' ]; do sleep 0.1; done", "--no-gates", "--json")
    process = program.start("build", three, "--repo", repository, *agent)
    assert process.stdout is not None
    while '"task.started"' not in process.stdout.readline():
        assert process.poll() is None
    try:
        kept, made = _traced(program, "status", "--json"), program("status", "--json=true")
        assert not _heavy(kept), "from the view that the process keeps"
        first, whole = json.loads(kept.stdout), made.object
        assert _without_time(first) == _without_time(whole)
        assert first["runner"] == holder_of(process.pid)
        assert 0 < first["seconds"] < whole["seconds"]
        assert 0 < first["tasks"][0]["seconds"] == first["running"][0]["seconds"] < whole["tasks"][0]["seconds"]
        assert first["tasks"][1]["seconds"] is None
        program("say", "--task", "b", first["id"], "look at the sums")
        shown = _traced(program, "status")
        assert "Not heard yet by b: look at the sums" in shown.stdout, "no old view is shown"
        assert f"Run by process {process.pid}\n" in shown.stdout
        assert not _heavy(shown), "it waits for the view instead of reading the journal"
    finally:
        process.kill()
        process.communicate()
        hold.unlink()
    stands = _seconds(program)
    assert stands[0] >= first["seconds"]
    path = program.home / FOLDER / f"{first['id']}.json"
    left = path.read_text("utf-8")
    path.unlink()
    made = program("status")
    assert "No process runs it now; continue with:" in made.err
    assert "Run by" not in made.out
    gone = _traced(program, "status")
    assert not _heavy(gone), "the view was kept again"
    assert _plain(gone.stdout) == _plain(made.out)
    assert "No process runs it now; continue with:" in gone.stderr
    assert _seconds(program) == stands, "no clock goes on once no process runs it"
    older = json.loads(left)
    older["view"] |= {"version": older["view"]["version"] - 1, "title": "Of before"}
    path.write_text(json.dumps(older), "utf-8")
    assert _plain(program("status").out) == _plain(made.out), "an older view is not shown"


def _seconds(program: Program) -> tuple[float, ...]:
    """The time of the newest build, told in every way: by itself and in lists, from what was kept and made anew."""
    short = re.search(r", ([0-9.]+) s ", program("status", "--short").out)
    assert short is not None
    views = (program("status", "--json").object, program("status", "--json=true").object)
    lists = (program("status", "--all", "--json").object, program("status", "--state", "running", "--json").object)
    return (
        *(view["seconds"] for view in views),
        *(found["builds"][0]["seconds"] for found in lists),
        views[0]["tasks"][0]["seconds"],
        views[1]["tasks"][0]["seconds"],
        float(short[1]),
    )


def _plain(shown: str) -> str:
    """What is shown to people, in the same way without what differs between two commands."""
    return " ".join(re.sub(r"[0-9.]+ (s|min|h)\b|Next: .*", "", shown).split())


def _without_time(fields: dict[str, Any]) -> dict[str, Any]:
    """Without what differs between two commands: the times, and how each of them was started."""
    timeless = {**fields, "seconds": None, "next": None}
    for name in ("tasks", "running"):
        timeless[name] = [{**task, "seconds": None} for task in fields[name]]
    return timeless


@pytest.mark.parametrize("option", ["--all", "--json", "--short"])
def test_no_model_is_imported_to_show_what_is_in_a_row_or_was_kept(program: Program, ended: Path, option: str) -> None:
    shown = _traced(program, "status", option)
    assert ended.stem[:8] in shown.stdout
    assert "sqlite3" in shown.stderr
    assert not _heavy(shown)


def test_no_model_is_imported_to_show_a_log(program: Program, repository: Path, three: Path) -> None:
    built = program("build", three, "--repo", repository, *shell(WRITES), "--check", "test:ok=true")
    assert built.code == 0, built.err
    for options, lines in (((), 9), (("--tail", "2"), 2), (("--task", "a", "newest"), 2), (("--task", "nobody"), 0)):
        shown = _traced(program, "logs", *options)
        assert not _heavy(shown)
        assert len(shown.stdout.splitlines()) >= lines
        assert bool(shown.stdout) == bool(lines)
        assert shown.stdout == program("logs", *options, "--json=false").out, "the verb itself shows the same"


def test_the_format_of_kept_views_follows_the_record() -> None:
    """When this fails, raise FORMAT: views that were kept before lack what the record has now."""
    schema = json.dumps(BuildView.model_json_schema(), sort_keys=True)
    assert (FORMAT, hashlib.sha256(schema.encode()).hexdigest()[:12]) == (12, "cdd0d45c174a")


def test_one_line_for_a_prompt(program: Program, three: Path) -> None:
    """Without a build there is no line, and a prompt stays as it is."""
    none = program("status", "--short")
    assert (none.code, none.out, none.err) == (0, "", "")
    program("build", three, "--agent", "noop", "--no-lanes", "--by-hand")
    program("step")
    (line,) = program("status", "--short").out.splitlines()
    assert re.fullmatch(r"[0-9a-f]{8} planning, [0-9.]+ s  Sample", line), line
    assert program("status", "newest", "--short", "--json").object["build"]["title"] == "Sample"
    assert program("status", "zz", "--short").code == 2
    assert program("status", "--short", "--all").code == 2
    program("stop", "--yes")
    (line,) = program("status", "--short").out.splitlines()
    assert re.fullmatch(r"[0-9a-f]{8} stopped, [0-9.]+ s  Sample", line), line


def test_the_list_of_builds_has_project_time_and_cost_and_is_filtered(
    program: Program, repository: Path, ended: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "other.json", {"id": "x", "title": "X"}, title="Fails")
    program("build", tasks, "--repo", repository, *shell("exit 1", "--no-gates", "--attempts", "1"))
    (paused,) = (path for path in (program.home / FOLDER).iterdir() if path != ended)
    kept = program("status", "--all")
    lines = kept.out.splitlines()
    assert lines[0].split() == ["build", "state", "project", "created", "time", "title"]
    assert re.fullmatch(rf"{paused.stem[:8]}  paused     target   \S+ \S+  +[0-9.]+ s  Fails", lines[1]), lines
    assert re.fullmatch(rf"{ended.stem[:8]}  succeeded  target   \S+ \S+  +[0-9.]+ s  Sample", lines[2]), lines
    both = program("status", "--all", "--json").object["builds"]
    assert [(row["cost_usd"], row["seconds"] > 0) for row in both] == [("0", True), ("0", True)]
    for options, found in (
        (("--state", "paused"), [paused.stem]),
        (("--state", "succeeded", "--project", "target"), [ended.stem]),
        (("--project", "other"), []),
        (("--state", "running"), []),
    ):
        rows = program("status", *options, "--json").object["builds"]
        assert [row["build_id"] for row in rows] == found, options
    assert "There is no such build." in program("status", "--project", "other").out
    assert program("status", "--state", "odd").code == 2
    assert program("status", "--state", "paused", "--short").code == 2
    # What requests cost is known from the kept view, else from the journal.
    view = json.loads(ended.read_text("utf-8"))
    view["view"]["usage"]["cost_usd"] = "1.25"
    ended.write_text(json.dumps(view), "utf-8")
    assert "$1.25  Sample" in program("status", "--all").out
    ended.unlink()
    assert program("status", "--all").out == kept.out


def test_the_next_command_fits_whether_a_process_runs_the_build(
    program: Program, repository: Path, three: Path, tmp_path: Path
) -> None:
    """In every verb that tells it, as an object and in words: what runs is watched, what nothing runs is run."""
    hold = program.directory / "hold"
    hold.touch()
    agent = shell(f"while [ -e '{hold}' ]; do sleep 0.1; done", "--no-gates", "--json")
    process = program.start("build", three, "--repo", repository, *agent)
    assert process.stdout is not None
    while '"task.started"' not in process.stdout.readline():
        assert process.poll() is None
    try:
        manned = program("status", "--json").object
        build, runs, watches = manned["id"], f"run {manned['id'][:8]}", f"status {manned['id'][:8]} --watch"
        assert manned["next"].endswith(watches)
        assert watches in program("status").out
    finally:
        process.kill()
        process.communicate()
        hold.unlink()
    (path,) = (program.home / FOLDER).iterdir()
    for _ in "kept", "made":
        unmanned = program("status", "--json").object
        assert unmanned["next"].endswith(runs), unmanned["next"]
        assert runs in program("status").err
        path.unlink(missing_ok=True)
    paused = program("pause", build, "--json").object
    assert f"resume {build[:8]}" in paused["next"]
    assert f"resume {build[:8]}" in program("status", "--json").object["next"]
    resumed = program("resume", build, "--no-run", "--json").object
    assert resumed["next"].endswith(runs)
    program("pause", build)
    told = program("resume", build, "--no-run")
    assert (runs in told.err, "Next: " in told.err) == (True, False), told.err
    stopped = program("stop", build, "--json").object
    assert stopped["next"].endswith(f"logs {build[:8]} --tail 50"), "nothing is left to run"
    assert program("status", "--json").object["next"] == stopped["next"]


def test_the_next_command_of_a_build_that_was_left_runs_it(program: Program, repository: Path, three: Path) -> None:
    hold = program.directory / "hold"
    hold.touch()
    agent = shell(f"while [ -e '{hold}' ]; do sleep 0.1; done", "--no-gates", "--json")
    process = program.start("build", three, "--repo", repository, *agent)
    assert process.stdout is not None
    while '"task.started"' not in process.stdout.readline():
        assert process.poll() is None
    try:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        hold.unlink()
    left = json.loads(out.splitlines()[-1])
    assert (left["type"], left["control"]) == ("summary", "running"), err
    assert left["next"].endswith(f"run {left['id'][:8]}"), left["next"]
