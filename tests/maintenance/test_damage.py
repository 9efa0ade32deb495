"""What a crash leaves: named by `doctor`, mended by `doctor --fix`, and a build that runs beside it is untouched."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from buildwright.maintenance import repair
from buildwright.settings import Settings
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from buildwright.wiring.failpoints import arm_from
from tests.cli.conftest import WRITES, Process, Program, shell, write_tasks
from tests.cli.test_prune import files, rows


def begin(program: Program, folder: Path, repository: Path, name: str) -> tuple[Process, Path]:
    """A build whose agent waits for a file; the process, and that file."""
    started, go = folder / f"{name}.started", folder / f"{name}.go"
    tasks = write_tasks(folder / f"{name}.json", {"id": name, "title": name, "goal": name}, title=name)
    # The agent itself dies with the run; what it has started in the background does not.
    wait = f"(cd /; while [ ! -e {go} ]; do sleep 0.05; done) & touch {started}; wait; {WRITES}"
    running = program.start("build", tasks, "--repo", repository, *shell(wait, "--no-gates"), "--yes")
    while not started.exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    return running, go


def kill(running: Process) -> None:
    running.send_signal(signal.SIGKILL)
    running.communicate()


def doctor(program: Program, *, fix: bool = False) -> list[dict[str, Any]]:
    """What is left, as `doctor --json` has it."""
    found = repair.find(Settings(program.home, program.environment))
    left = asyncio.run(repair.mend(found)) if fix else [leftover for leftover, _ in found]
    return [one._asdict() for one in left]


def short(found: list[dict[str, Any]]) -> Counter[str]:
    return Counter(left["what"].split(" (")[0] for left in found)


def test_a_killed_run_leaves_nothing_that_doctor_does_not_mend(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    running, _ = begin(program, tmp_path, repository, "a")
    agents = psutil.Process(running.pid).children(recursive=True)
    kill(running)
    assert any(agent.is_running() for agent in agents)
    wal = (program.home / "buildwright.db-wal").read_bytes()

    found = doctor(program)
    assert set(short(found)) == {
        "a process that a killed run has left",
        "writes that a killed process left in the log beside the database",
        "a lease of a process that is gone",
        "a lane of a process that is gone",
    }
    assert all(left["since"] and not left["mended"] and not left["fix"] for left in found)
    assert (program.home / "buildwright.db-wal").read_bytes() == wal, "looking changes nothing"
    assert any(agent.is_running() for agent in agents)

    shown = program("doctor")
    assert "Left by crashed runs" in shown.out
    assert "doctor --fix" in shown.err
    mended = program("doctor", "--fix", "--json").object["leftovers"]
    assert all(left["mended"] for left in mended), mended
    # Not each of them: what an agent has started, such as a `sleep`, may end by itself.
    assert set(short(mended)) == set(short(found))
    assert not [agent for agent in agents if agent.is_running() and agent.status() != psutil.STATUS_ZOMBIE]
    assert doctor(program) == []
    # And the build goes on from there.
    (tmp_path / "a.go").touch()
    assert program("run").code == 0


def test_a_build_that_runs_beside_it_is_untouched(program: Program, tmp_path: Path, repository: Path) -> None:
    live, go = begin(program, tmp_path, repository, "live")
    try:
        (live_id,) = [path.name for path in (program.home / "lanes").iterdir()]
        dead, _ = begin(program, tmp_path, repository, "dead")
        kill(dead)
        kept = ("build_runs", "events", "snapshots")
        journal, lane = rows(program.home, live_id, *kept), files(program.home / "lanes" / live_id)
        assert lane
        found = doctor(program)
        assert set(short(found)) == {
            "a process that a killed run has left",
            "a lease of a process that is gone",
            "a lane of a process that is gone",
        }
        assert not any(live_id in left["where"] for left in found)
        assert all(left["mended"] for left in doctor(program, fix=True))
        assert files(program.home / "lanes" / live_id) == lane
        assert [path.name for path in (program.home / "lanes").iterdir()] == [live_id]
        # Its lease is kept alive by itself all the time; the journal is what it was.
        assert rows(program.home, live_id, *kept) == journal
        assert doctor(program) == []
        go.touch()
        out, said = live.communicate(timeout=30)
        assert live.returncode == 0, (out, said)
    finally:
        if live.poll() is None:
            kill(live)


async def half_an_artifact(home: Path, build_id: str) -> None:
    """Die while an artifact is written, with the lease of a build."""
    arm_from({"BUILDWRIGHT_FAILPOINT": "store.artifact.before:1"})
    builds = await SqliteBuilds.open(home / "buildwright.db", home / "artifacts")
    await builds.acquire(build_id, this_process(), 600)
    await builds.put_artifact(b"x" * 100_000)


def hold_and_die(program: Program, git: subprocess.Popen[bytes], mirror: Path) -> None:
    assert git.stdin is not None
    assert git.stdout is not None
    head = subprocess.run(
        ["git", f"--git-dir={mirror}", "for-each-ref", "--count=1", "--format=%(objectname)"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    git.stdin.write(f"start\ncreate refs/buildwright/x {head}\nprepare\n".encode())
    git.stdin.flush()
    assert git.stdout.readline() == b"start: ok\n"
    assert git.stdout.readline() == b"prepare: ok\n"
    assert doctor(program) == [], "a git that lives holds its lock"
    git.kill()
    git.wait()


def test_half_written_things_in_mirrors_and_artifacts(program: Program, tmp_path: Path, repository: Path) -> None:
    tasks = write_tasks(tmp_path / "a.json", {"id": "a", "title": "a", "goal": "a"})
    built = program("build", tasks, "--repo", repository, *shell(WRITES, "--no-gates"), "--yes")
    assert built.code == 0, built.err
    (mirror,) = [path for path in (program.home / "mirrors").iterdir() if (path / "HEAD").exists()]
    # A git that is killed while it holds the lock of a ref: it waits for the rest of its orders.
    with subprocess.Popen(
        ["git", f"--git-dir={mirror}", "update-ref", "--stdin"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as git:
        hold_and_die(program, git, mirror)
    # A process that dies between writing an artifact and giving it its name.
    build_id = next((program.home / "mirrors" / "builds").iterdir()).name
    code = (
        "import asyncio, sys; from pathlib import Path; from tests.maintenance.test_damage import half_an_artifact;"
        "asyncio.run(half_an_artifact(Path(sys.argv[1]), sys.argv[2]))"
    )
    died = subprocess.run(
        [sys.executable, "-c", code, str(program.home), build_id],
        env=program.environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    (mirror / "objects" / "pack" / "tmp_pack_abc123").write_bytes(b"half")
    (mirror / "objects" / "00").mkdir(exist_ok=True)
    (mirror / "objects" / "00" / "tmp_obj_abc123").write_bytes(b"half")
    (program.home / "mirrors" / "0123.new-00112233").mkdir()
    (program.home / "mirrors" / "0123.broken-00112233").mkdir()
    (program.home / "mirrors" / "builds" / f"{build_id}.00112233").write_text("{")
    (program.home / "gitconfig.999999999").write_text("[core]")
    unknown = program.home / "artifacts" / hashlib.sha256(b"unknown").hexdigest()
    unknown.write_bytes(b"unknown")

    found = doctor(program)
    assert short(found) == {
        "writes that a killed process left in the log beside the database": 1,
        "a lease of a process that is gone": 1,
        "a half-written artifact": 1,
        "an artifact file that no row knows": 1,
        "a lock of a git that is gone": 1,
        "a half-written git object or pack": 2,
        "a mirror that was never finished or was being removed": 2,
        "a half-written pin of a build": 1,
        "a half-written git configuration": 1,
    }
    assert all(left["mended"] for left in doctor(program, fix=True))
    assert doctor(program) == []
    assert not unknown.exists()
    assert program("diff", build_id).code == 0


def test_rows_that_do_not_agree_with_the_journal(program: Program, three: Path) -> None:
    assert program("build", three, "--agent", "noop", "--no-lanes", "--yes").code == 0
    right = program("status", "--json").object
    gone = hashlib.sha256(b"gone").hexdigest()
    database = sqlite3.connect(program.home / "buildwright.db")
    (build_id, version) = database.execute("SELECT build_id, version FROM build_runs").fetchone()
    database.execute(
        "UPDATE build_runs SET phase = 'planning', control = 'paused', outcome = 'failed', completed_at = NULL"
    )
    database.execute("INSERT OR REPLACE INTO snapshots VALUES (?, 2, '{\"format\":', 5)", (build_id,))
    database.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, '{}', 5)", (build_id, version + 7))
    database.execute("INSERT INTO artifacts VALUES (?, 4, NULL)", (gone,))
    database.execute("INSERT INTO events VALUES ('orphan', 1, '2020-01-01 00:00:00.000000', 'x', '{}', 0)")
    database.execute("UPDATE leases SET holder = ?", (this_process().replace(f":{os.getpid()}:", ":999999999:"),))
    database.commit()
    database.close()

    found = doctor(program)
    assert short(found) == {
        "a snapshot that does not match the journal": 2,
        "a row in the list of builds that does not say what the journal says": 1,
        "rows of a build that was being removed": 1,
        "an artifact whose file is gone": 1,
        "a lease of a process that is gone": 1,
    }
    (head,) = [left for left in found if "list of builds" in left["what"]]
    assert "phase, control, outcome, completed" in head["what"]
    mended = doctor(program, fix=True)
    assert [left["what"] for left in mended if not left["mended"]] == ["an artifact whose file is gone"]
    (left,) = doctor(program)
    assert "backup" in left["fix"]
    now = program("status", "--json").object
    assert {key: now[key] for key in now if key != "elapsed_seconds"} == {
        key: right[key] for key in right if key != "elapsed_seconds"
    }
    listed = program("status", "--all", "--json").object["builds"]
    assert [row["outcome"] for row in listed] == ["succeeded"]


def test_a_journal_that_is_damaged_is_named_and_left_alone(program: Program, three: Path) -> None:
    assert program("build", three, "--agent", "noop", "--no-lanes", "--yes").code == 0
    database = sqlite3.connect(program.home / "buildwright.db")
    (build_id,) = database.execute("SELECT build_id FROM build_runs").fetchone()
    database.execute("UPDATE events SET data = replace(data, 'First', 'Worst') WHERE seq = 1")
    database.execute("DELETE FROM leases")
    database.commit()
    database.close()
    before = rows(program.home, build_id)
    (left,) = doctor(program, fix=True)
    assert "cannot be read" in left["what"]
    assert "backup" in left["fix"]
    assert not left["mended"]
    assert rows(program.home, build_id) == before


def test_a_home_that_is_not_there_yet(program: Program) -> None:
    assert doctor(program, fix=True) == []
    assert "No leftovers of crashed runs." in program("doctor", "--fix").out
    assert not program.home.exists()
