"""`watch` and `logs --follow` against a real server: the same lines as beside the store, through cuts and a restart."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from buildwright.engine import commands
from buildwright.store.journal_sqlite import SqliteBuilds
from buildwright.wiring import SystemClock
from tests.cli.conftest import Ended, Program, shell, write_tasks
from tests.starter import as_in_a_terminal

WORKS = (
    'echo "at work on $BUILDWRIGHT_TASK_ID"; while [ ! -e {} ]; do sleep 0.05; done; echo x > "$BUILDWRIGHT_TASK_ID"'
)
"""An agent that waits for a file."""


class Running:
    """A command that runs, with its output in files."""

    def __init__(self, program: Program, *arguments: str | Path, **environment: str) -> None:
        self._files = [program.directory / f"{time.monotonic_ns()}.{name}" for name in ("out", "err")]
        out, err = (file.open("wb") for file in self._files)
        with out, err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "buildwright", *map(str, arguments)],
                cwd=program.directory,
                env=program.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                preexec_fn=as_in_a_terminal,  # noqa: PLW1509  it only sets signals
            )

    @property
    def out(self) -> str:
        return self._files[0].read_text("utf-8")

    @property
    def err(self) -> str:
        return self._files[1].read_text("utf-8")

    def until(self, seen: Callable[[Running], bool]) -> None:
        """Wait for something in its output."""
        deadline = time.monotonic() + 60
        while not seen(self):
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.02)

    def ended(self, seconds: float = 60) -> Ended:
        return Ended(self.process.wait(seconds), self.out, self.err)


@contextmanager
def serving(program: Program, port: int = 0) -> Iterator[str]:
    """A server on the program's home; its address."""
    server = Running(program, "serve", "--port", str(port))
    try:
        server.until(lambda it: "Sign in" in it.err)
        found = re.search(r"listens on (\S+)", server.err)
        assert found
        yield found[1]
    finally:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0, server.err


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def begin(program: Program, repository: Path, tmp_path: Path) -> Iterator[Callable[[], tuple[str, Running]]]:
    """Begins a build of three tasks, one after the other, that does not go on before `go` is there."""
    each = [{"id": f"t{n}", "title": f"Task {n}", "depends_on": [f"t{n - 1}"] if n > 1 else []} for n in (1, 2, 3)]
    tasks = write_tasks(tmp_path / "tasks.json", *each)
    begun: list[Running] = []

    def begin() -> tuple[str, Running]:
        arguments = shell(WORKS.format(flag(program)), "--no-gates", "--new", "--json")
        running = Running(program, "build", tasks, "--repo", repository, *arguments)
        begun.append(running)
        running.until(lambda it: '"task.started"' in it.out)
        return str(json.loads(running.out.splitlines()[0])["build"]), running

    yield begin
    go(program)
    for running in begun:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(60)


def flag(program: Program) -> Path:
    return program.home.parent / "go"


def go(program: Program) -> None:
    flag(program).touch()


def say(program: Program, build: str, text: str) -> None:
    """An event that all who watch tell of."""

    async def work() -> None:
        builds = await SqliteBuilds.open(program.home / "buildwright.db", program.home / "artifacts")
        try:
            await commands.ask(builds, SystemClock(), build, commands.SendMessage(text))
        finally:
            await builds.close()

    asyncio.run(work())


def all_watch(program: Program, build: str, *watching: Running) -> None:
    """Returns when each of them sees what happens."""
    deadline = time.monotonic() + 60
    number = 0
    while not all("you said" in running.err for running in watching):
        assert time.monotonic() < deadline
        number += 1
        say(program, build, f"word {number}")
        time.sleep(0.3)


def told(text: str) -> list[str]:
    """The lines about what happened once all were there."""
    return [
        re.sub(r" in [\d.]+ .*", "", line) for line in text.splitlines() if re.search(r" t[123] (started|done)", line)
    ]


def updates(text: str) -> list[int]:
    """Numbers of the events in printed frames."""
    found = [json.loads(line) for line in text.splitlines()]
    return [frame["payload"]["seq"] for frame in found if frame["type"] == "execution-update"]


def test_watch_says_what_status_says(program: Program, begin: Callable[[], tuple[str, Running]]) -> None:
    with serving(program):
        build, building = begin()
        beside = Running(program, "status", build, "--watch")
        watching = Running(program, "watch", build[:8])
        frames = Running(program, "watch", build, "--json")
        journal = Running(program, "events", build, "--follow", "--after", "2")
        states = Running(program, "status", build, "--watch", "--json")
        all_watch(program, build, beside, watching)
        go(program)
        shown, watched, printed = beside.ended(), watching.ended(), frames.ended()
        assert building.process.wait(60) == 0
        followed, changes = journal.ended(), states.ended()
    assert (shown.code, watched.code, printed.code) == (0, 0, 0), watched.err
    assert (followed.code, followed.out) == (0, program("events", build, "--after", "2").out)
    assert (changes.code, changes.lines[-1]["outcome"]) == (0, "succeeded")
    assert 1 < len(changes.lines) <= followed.lines[-1]["seq"]
    assert told(watched.err) == told(shown.err)
    assert len(told(watched.err)) == 5
    assert watched.out == shown.out
    seqs = updates(printed.out)
    assert seqs == list(range(1, len(seqs) + 1))
    found = printed.lines
    assert [f["payload"]["status"] for f in found if f["type"] == "execution-update"][-1] == "succeeded"
    lines = [line["text"] for f in found if f["type"] == "execution-log" for line in f["payload"]["lines"]]
    assert any("at work on t3" in line for line in lines)


def test_a_build_by_hand_that_is_watched_lacks_no_process(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})
    build = program("build", tasks, "--repo", repository, *shell("true", "--by-hand", "--no-gates", "--json")).lines[-1]
    watching = Running(program, "watch", build["id"])
    try:
        all_watch(program, build["id"], watching)
    finally:
        watching.process.kill()
        watching.process.wait(60)
    assert "No process runs it" not in watching.err


def test_watch_goes_on_after_the_server_has_ended(program: Program, begin: Callable[[], tuple[str, Running]]) -> None:
    program.environment["BUILDWRIGHT_RECONNECT_SECONDS"] = "0.05"
    port = free_port()
    with serving(program, port):
        build, building = begin()
        watching = Running(program, "watch", build, "--json")
        for_people = Running(program, "watch", build)
        all_watch(program, build, for_people)
        watching.until(lambda it: '"task.started"' in it.out)
    for each in (watching, for_people):
        each.until(lambda it: "lost the connection" in it.err)
    go(program)
    assert building.process.wait(60) == 0  # it ends while no server is there
    with serving(program, port):
        watched, shown = watching.ended(), for_people.ended()
    assert watched.code == shown.code == 0, watched.err
    assert "connected again; nothing was missed" in watched.err
    assert len(told(shown.err)) == 5
    seqs = updates(watched.out)
    assert seqs == list(range(1, len(seqs) + 1))
    assert watched.lines[0]["schema"] == 1


def test_build_rides_the_stream_through_a_restart_of_the_server(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    program.environment |= {"BUILDWRIGHT_RECONNECT_SECONDS": "0.05", "BUILDWRIGHT_ROOTS": str(tmp_path)}
    port = free_port()
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "t1", "title": "One"}, {"id": "t2", "title": "Two"})
    arguments: tuple[str | Path, ...] = (
        "build",
        tasks,
        "--repo",
        repository,
        *shell(WORKS.format(flag(program)), "--no-gates", "--new"),
    )
    token = program("token").out.strip()
    with serving(program, port) as address:
        there = {"BUILDWRIGHT_URL": address, "BUILDWRIGHT_TOKEN": token}
        building = Running(program, *arguments, "--json", **there)
        for_people = Running(program, *arguments, "--branch", "other", **there)
        building.until(lambda it: '"task.started"' in it.out)
        for_people.until(lambda it: "started" in it.err)
        build = str(json.loads(building.out.splitlines()[0])["build"])
        given_up = Running(program, "run", build, **there)
        all_watch(program, build, given_up)
    for each in (building, for_people, given_up):
        each.until(lambda it: "lost the connection" in it.err)
    given_up.process.send_signal(signal.SIGINT)  # it does not wait for the server
    ended = given_up.ended()
    assert (ended.code, "stopping safely" in ended.err) == (130, True), ended.err
    go(program)
    with serving(program, port):
        built, shown = building.ended(), for_people.ended()
    assert built.code == shown.code == 0, built.err + shown.err
    assert "connected again; nothing was missed" in built.err
    events = built.lines[:-1]
    assert [event["seq"] for event in events] == list(range(2, len(events) + 2))
    assert events[-1]["type"] == "build.finished"
    assert built.lines[-1]["outcome"] == "succeeded"
    assert len([line for line in told(shown.err) if "done" in line]) == 2


def test_watch_tells_how_it_ended(program: Program, begin: Callable[[], tuple[str, Running]]) -> None:
    nobody = program("watch", "--json")
    assert (nobody.code, "frames come from a server" in nobody.err) == (6, True)
    with serving(program) as address:
        none = program("watch")
        assert (none.code, "there is no build" in none.err) == (2, True)
        build, _ = begin()
        watching = Running(program, "watch", build)
        all_watch(program, build, watching)
        program("stop", build, "--yes")
        assert watching.ended().code == 1
        token = program("token", "--user", "bob").out.strip()
        foreign = program("watch", build, BUILDWRIGHT_URL=address, BUILDWRIGHT_TOKEN=token)
        assert (foreign.code, "another user" in foreign.err) == (2, True), foreign.err
        assert program("watch", build, BUILDWRIGHT_URL=address).code == 78
        assert program("watch", build, BUILDWRIGHT_URL="ftp://x", BUILDWRIGHT_TOKEN="x").code == 78
        bad = program("watch", build, BUILDWRIGHT_URL=address, BUILDWRIGHT_TOKEN="nonsense")
        assert (bad.code, "token is invalid" in bad.err) == (2, True)
    away = program("watch", build, BUILDWRIGHT_URL=address, BUILDWRIGHT_TOKEN=token)
    assert (away.code, "does not answer" in away.err) == (6, True)


def test_ctrl_c_only_ends_the_watching(program: Program, begin: Callable[[], tuple[str, Running]]) -> None:
    with serving(program):
        build, building = begin()
        watching = Running(program, "watch", build)
        all_watch(program, build, watching)
        watching.process.send_signal(signal.SIGINT)
        ended = watching.ended()
        assert (ended.code, "the build continues" in ended.err) == (130, True)
        go(program)
        assert building.process.wait(60) == 0


def test_logs_follow_is_the_same_over_a_server_and_beside_the_store(
    program: Program, begin: Callable[[], tuple[str, Running]]
) -> None:
    with serving(program):
        build, building = begin()
        streaming = Running(program, "logs", build, "--follow")
        streaming.until(lambda it: "at work on t1" in it.out)
        go(program)
        assert building.process.wait(60) == 0
        streamed = streaming.ended()
        for more in ((), ("--json",), ("--task", "t2"), ("--tail", "2"), ("--tail", "1", "--task", "t3")):
            followed, plain = program("logs", build, "-f", *more), program("logs", build, *more)
            assert (followed.code, followed.out) == (0, plain.out)
            assert followed.out
        newest = program("logs", "--follow")
    beside = program("logs", build, "--follow")
    assert beside.out == streamed.out == newest.out
    # A server that is gone without a word: the store is asked.
    note = program.home / "server.json"
    note.write_text(json.dumps({"url": f"http://127.0.0.1:{free_port()}", "holder": f"elsewhere:1:{os.getpid()}"}))
    again = program("logs", build, "-f")
    assert (again.code, again.out) == (0, beside.out)


def test_without_a_server_watch_follows_the_builds_of_this_home(
    program: Program, begin: Callable[[], tuple[str, Running]]
) -> None:
    none = program("watch")
    assert (none.code, "there is no build" in none.err) == (2, True)
    build, building = begin()
    watching = Running(program, "watch")
    all_watch(program, build, watching)
    go(program)
    assert building.ended().code == watching.ended().code == 0, watching.err
    assert len([line for line in told(watching.err) if "done" in line]) == 3
    assert program("watch", build).code == 0
