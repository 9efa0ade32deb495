"""Kills a prune at every failpoint in turn and lets a second one finish. Prints one JSON line per point.

Every prune is a forked child: the parent has imported everything and runs no event loop, so a prune costs no start-up.
`python -m tests.maintenance.prune_driver FOLDER`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.adapters import Adapters
from buildwright.engine.held_build import run
from buildwright.maintenance.prune import Pruner
from buildwright.maintenance.retention_rules import RetentionRules
from buildwright.ports import Briefing, BriefingRequest, LogEntry
from buildwright.settings import Settings
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.store.lease_holders import this_process
from buildwright.wiring import SystemClock, open_app
from buildwright.wiring.failpoints import arm_from
from buildwright.workspace import GitWorkspace
from tests.adapters.scripted_agent import ScriptedAgent, Write
from tests.engine.harness import FunctionGate, make_repository, tasks

LONG_AGO = "2020-01-02 00:00:00.000000"
RULES = RetentionRules(log_lines=5)


async def brief(request: BriefingRequest) -> Briefing:
    return Briefing(f"do {request.task.id}", request.state.reason)


async def one_build(home: Path, repository: Path, content: str, *, paused: bool = False) -> str:
    """A build of one task that lands, or that is given up and waits for the user. With a log and artifacts of its own."""
    builds = await SqliteBuilds.open(home / "buildwright.db", home / "artifacts")
    options = Options(agent="scripted", sandbox="none", limits=Limits(attempts=1))
    spec = Spec(title=content, graph=tasks("a"))
    build_id = await commands.create(
        builds, SystemClock(), commands.NewBuild(spec, options, str(repository), "", "p", "u")
    )
    world = Adapters(
        builds=builds,
        clock=SystemClock(),
        agent=ScriptedAgent({("a", 1): [Write("a.txt", content * 2000)]}),
        holder=this_process(),
        scratch=home / "scratch",
        brief=brief,
        workspace=GitWorkspace(home, dict(os.environ)),
        gates=[FunctionGate(lambda _files, _judged: ["no"] if paused else [])],
    )
    build: Build = await run(world, build_id)
    assert build.is_terminal != paused
    digest = await builds.put_artifact(content.encode() * 30_000)
    if not build.is_terminal:
        named = e.MessageSent(id="m", text=f"see {digest}")
        await builds.append(build_id, build.version, [named], datetime.now(UTC))
    entries = [LogEntry(datetime.now(UTC), "a", 1, "gate", f"line {number}") for number in range(20)]
    await builds.write_log(build_id, entries)
    await builds.close()
    return build_id


async def make_home(home: Path, folder: Path) -> dict[str, str]:
    """Two old builds on repositories of their own, a new one and a paused one that share a third."""
    made = {}
    for name in ("old", "gone", "shared"):
        make_repository(folder / name, {"README.md": name})
    made["old"] = await one_build(home, folder / "old", "old")
    made["gone"] = await one_build(home, folder / "gone", "gone")
    made["kept"] = await one_build(home, folder / "gone", "kept")
    made["paused"] = await one_build(home, folder / "shared", "paused", paused=True)
    database = sqlite3.connect(home / "buildwright.db")
    for name in ("old", "gone", "paused"):
        ended = "UPDATE build_runs SET completed_at = ?1, updated_at = ?1 WHERE build_id = ?2"
        database.execute(ended, (LONG_AGO, made[name]))
    database.commit()
    database.close()
    cache = home / "setups" / "0123"
    (cache / "node_modules").mkdir(parents=True)
    os.utime(cache, (0, 0))
    for path in (home / "mirrors").rglob("objects/??/*"):
        os.utime(path, (time.time() - 7200,) * 2)
    return made


async def prune(home: Path) -> None:
    async with open_app(Settings(home, dict(os.environ))) as app:
        await Pruner(app).carry_out(RULES, datetime.now(UTC) + timedelta(seconds=1), lambda _: None)


def life(home: Path, failpoint: str = "") -> int:
    """Fork, prune, and give the wait status back."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if failpoint:
                arm_from({"BUILDWRIGHT_FAILPOINT": failpoint})
            asyncio.run(prune(home))
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def look(home: Path, made: dict[str, str]) -> dict[str, object]:
    """What must be the same however often prune died: all that is left, and the live build byte for byte."""
    database = sqlite3.connect(home / "buildwright.db")
    rows = {
        name: repr(sorted(database.execute(f"SELECT * FROM {name}").fetchall()))
        for name in ("build_runs", "events", "snapshots", "logs", "leases", "artifacts")
    }
    kept = database.execute("SELECT data FROM events WHERE build_id = ?", (made["kept"],))
    journal = " ".join(data for (data,) in kept)
    mirrors = dict(database.execute("SELECT build_id, control FROM build_runs"))
    whole = database.execute("PRAGMA integrity_check").fetchone()[0]
    database.close()
    pins = {path.name: json.loads(path.read_text())["mirror"] for path in (home / "mirrors" / "builds").iterdir()}
    names = {build_id: name for name, build_id in made.items()}
    seen = {}
    for mirror in sorted((home / "mirrors").iterdir()):
        if (mirror / "HEAD").exists():
            listed = subprocess.run(
                ["git", f"--git-dir={mirror}", "for-each-ref", "--format=%(refname) %(objectname)"],
                check=True, capture_output=True, text=True,
            ).stdout  # fmt: skip
            fsck = subprocess.run(["git", f"--git-dir={mirror}", "fsck", "--full"], check=False, capture_output=True)
            seen[mirror.name] = [listed, fsck.returncode, sorted(path.name for path in mirror.rglob("tmp_*"))]
    live = home / "mirrors" / pins[made["paused"]]
    named = re.findall(r"\b[0-9a-f]{40}\b", journal)
    shown = subprocess.run(
        ["git", f"--git-dir={home / 'mirrors' / pins[made['kept']]}", "cat-file", "--batch-check"],
        input="\n".join(sorted(set(named))) + "\n", check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    return {
        "rows": {name: hashlib.sha256(text.encode()).hexdigest() for name, text in rows.items()},
        "builds": sorted(names[build_id] for build_id in mirrors),
        "whole": whole,
        "named": shown,
        "pins": sorted(names[build_id] for build_id in pins),
        "mirrors": seen,
        "live": files(live),
        "artifacts": files(home / "artifacts"),
        "others": sorted(
            str(path.relative_to(home)) for name in ("setups", "retiring") for path in (home / name).rglob("*")
        ),
    }


def main(folder: Path) -> None:
    folder.mkdir(parents=True)
    original, home, points = folder / "original", folder / "home", folder / "points"
    child = os.fork()
    if child == 0:
        code = 1
        try:
            made = asyncio.run(make_home(home, folder))
            (folder / "made").write_text(json.dumps(made))
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    made = json.loads((folder / "made").read_text())
    home.rename(original)

    def afresh() -> None:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run(["cp", "-a", original, home], check=True)

    afresh()
    pin = home / "mirrors" / "builds" / made["paused"]
    live = home / "mirrors" / json.loads(pin.read_text())["mirror"]
    live_before = files(live)
    assert life(home, f"count:{points}") == 0
    passed = Counter(name for name in points.read_text().split() if name.startswith("prune."))
    say({"points": dict(passed), "live": live_before, "calm": look(home, made)})
    for name, times in passed.items():
        # At its last pass: then most has happened, and most is left half done.
        afresh()
        killed = life(home, f"{name}:{times}") == signal.SIGKILL
        between = files(live)
        again = life(home)
        say({"point": name, "killed": killed, "live": between, "again": again, "seen": look(home, made)})


def say(fields: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(fields) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
