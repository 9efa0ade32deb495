"""`prune` as a user types it: real builds in a real home, one of them live."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from buildwright.errors import BadSettings, Refused
from buildwright.maintenance.retention_rules import default_age, duration, words
from tests.cli.conftest import WRITES, Program, shell, write_tasks

OLD = "2020-01-02 00:00:00.000000"


def build(program: Program, tmp_path: Path, repository: Path, name: str, command: str = WRITES, *more: str) -> str:
    """A build of one task; its id."""
    tasks = write_tasks(tmp_path / f"{name}.json", {"id": name, "title": name, "goal": name}, title=f"Build {name}")
    ended = program("build", tasks, "--repo", repository, *shell(command, "--no-gates"), "--json", "--yes", *more)
    assert ended.lines[-1]["type"] == "summary", ended.err
    found: str = ended.lines[-1]["id"]
    return found


def age(program: Program, *build_ids: str) -> None:
    """Make builds look as if they had ended long ago."""
    with sqlite3.connect(program.home / "buildwright.db") as database:
        for build_id in build_ids:
            done = database.execute(
                "UPDATE build_runs SET completed_at = ?, updated_at = ? WHERE build_id = ?", (OLD, OLD, build_id)
            )
            assert done.rowcount == 1
    database.close()


def rows(home: Path, build_id: str, *tables: str) -> str:
    """A digest of everything the database has of a build, or of some tables."""
    database = sqlite3.connect(home / "buildwright.db")
    try:
        found = [
            database.execute(f"SELECT * FROM {table} WHERE build_id = ?", (build_id,)).fetchall()
            for table in tables or ("build_runs", "events", "snapshots", "logs", "leases")
        ]
    finally:
        database.close()
    return hashlib.sha256(repr(found).encode()).hexdigest()


def files(folder: Path) -> dict[str, str]:
    """Every file below a folder, by its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def refs(home: Path) -> Counter[str]:
    """How many refs each build has in the mirrors."""
    found: Counter[str] = Counter()
    for mirror in (home / "mirrors").iterdir():
        if (mirror / "HEAD").exists():
            lines = subprocess.run(
                ["git", f"--git-dir={mirror}", "for-each-ref", "--format=%(refname)"],
                check=True, capture_output=True, text=True,
            ).stdout.splitlines()  # fmt: skip
            found.update(line.split("/")[2] for line in lines)
    return found


def test_durations_and_their_mistakes() -> None:
    assert [words(duration(text)) for text in ("90m", "12h", "30d", " 2w ", "0d")] == ["90m", "12h", "30d", "14d", "0d"]
    for bad in ("", "30", "d", "-1d", "1.5h", "3 months", "٣d", "999999999w"):
        with pytest.raises(Refused) as refused:
            duration(bad)
        assert refused.value.fix
    assert default_age({"BUILDWRIGHT_KEEP_DAYS": "7"}).days == 7
    assert default_age({}).days == 30
    for bad in ("x", "-1", "7d", "9999999"):
        with pytest.raises(BadSettings, match="BUILDWRIGHT_KEEP_DAYS"):
            default_age({"BUILDWRIGHT_KEEP_DAYS": bad})


def test_old_builds_go_with_all_they_had_and_a_paused_one_stays(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    old = build(program, tmp_path, repository, "a")
    new = build(program, tmp_path, repository, "b")
    paused = build(program, tmp_path, repository, "c", "exit 1", "--attempts", "1", "--on-failure", "pause")
    age(program, old, paused)
    before = (rows(program.home, new), rows(program.home, paused))

    looked = program("prune", "--dry-run", "--json").object
    assert [going["build"] for going in looked["going"]["builds"]] == [old]
    assert looked["going"]["builds"][0]["bytes"] > 0
    assert looked["going"]["live"] == 1
    shown = program("prune", "--dry-run")
    assert old[:8] in shown.out
    assert "Build a" in shown.out
    assert paused[:8] not in shown.out
    unasked = program("prune")
    assert unasked.code == 2
    assert "--yes" in unasked.err

    done = program("prune", "--yes", "--json")
    assert done.code == 0, done.err
    assert done.object["gone"]["builds"] == 1
    assert (rows(program.home, new), rows(program.home, paused)) == before
    assert set(refs(program.home)) == {new, paused}
    assert {path.name for path in (program.home / "mirrors" / "builds").iterdir()} == {new, paused}
    assert {path.stem for path in (program.home / "ended").iterdir()} == {new, paused}
    assert program("status", old).code == 2
    assert program("diff", new).code == 0
    assert program("prune", "--older-than", "soon").code == 2


def test_an_empty_home_and_one_with_nothing_to_remove(program: Program, three: Path) -> None:
    assert "nothing to remove" in program("prune", "--yes").err
    assert not (program.home / "buildwright.db").exists()
    assert program("build", three, "--agent", "noop", "--no-lanes", "--yes").code == 0
    assert "nothing to remove" in program("prune", "--yes").err
    assert program("prune", "--keep", "-1").code == 2
    assert program("prune", "--older-than", "1d", "--logs-older-than", "1d").code == 2
    assert program("prune", BUILDWRIGHT_KEEP_DAYS="many").code == 78


def test_keep_and_logs(program: Program, three: Path) -> None:
    plain = ("--agent", "noop", "--no-lanes", "--yes", "--new", "--json")
    ids = [program("build", three, *plain).lines[-1]["id"] for _ in range(2)]
    age(program, *ids)
    database = sqlite3.connect(program.home / "buildwright.db")
    database.execute("DELETE FROM logs")
    database.executemany(
        "INSERT INTO logs VALUES (?, ?, ?, 'a', 1, 'gate', ?)",
        [(build_id, number, OLD, f"line {number}") for build_id in ids for number in range(1, 51)],
    )
    database.commit()
    database.close()

    going = program("prune", "--dry-run", "--json", "--keep", "2", "--log-lines", "10").object["going"]
    assert going["builds"] == []
    assert [log["lines"] for log in going["logs"]] == [40, 40]
    assert program("prune", "--yes", "--keep", "2", "--log-lines", "10").code == 0
    said = [json.loads(line)["text"] for line in program("logs", ids[0], "--json").out.splitlines()]
    assert said[0] == "40 log lines before this one were cut by `buildwright prune`"
    assert said[1:] == [f"line {number}" for number in range(41, 51)]
    assert program("prune", "--dry-run", "--json", "--keep", "2", "--log-lines", "10").object["going"]["logs"] == []

    assert program("prune", "--yes", "--logs-older-than", "1d").code == 0
    said = [json.loads(line)["text"] for line in program("logs", ids[0], "--json").out.splitlines()]
    assert said == ["50 log lines before this one were cut by `buildwright prune`"]
    assert len(program("status", "--all", "--json").object["builds"]) == 2


def test_a_running_build_is_untouched(program: Program, tmp_path: Path, repository: Path) -> None:
    old = build(program, tmp_path, repository, "a")
    age(program, old)
    go = tmp_path / "go"
    started = tmp_path / "started"
    tasks = write_tasks(tmp_path / "live.json", {"id": "live", "title": "live", "goal": "live"})
    command = f"touch {started}; while [ ! -e {go} ]; do sleep 0.05; done; {WRITES}"
    running = program.start("build", tasks, "--repo", repository, *shell(command, "--no-gates"), "--yes")
    try:
        while not started.exists():
            assert running.poll() is None
            time.sleep(0.02)
        lanes = files(program.home / "lanes")
        done = program("prune", "--yes", "--older-than", "0d", "--json").object
        assert done["gone"]["builds"] == 1
        assert any("while builds run" in note for note in done["gone"]["notes"])
        assert files(program.home / "lanes") == lanes
        go.touch()
        _, said = running.communicate(timeout=30)
        assert running.returncode == 0, said
    finally:
        if running.poll() is None:
            running.kill()
            running.wait()
    # What had to wait is done by the next one.
    again = program("prune", "--yes", "--older-than", "1d", "--json").object
    assert again["going"]["unfinished"]
    assert again["gone"]["notes"] == []
    assert program("prune", "--dry-run", "--older-than", "1d", "--json").object["going"]["unfinished"] is False
