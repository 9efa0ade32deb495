"""Keys in the live view, typed into a terminal of the test's own: pause and continue, the log, leaving."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks

_SEQUENCE = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_PATIENCE = 60.0


@dataclass
class _Screen:
    """A program in the foreground of a terminal, and what it has written there."""

    process: subprocess.Popen[bytes]
    leader: int
    follower: int
    seen: bytes = b""

    def type(self, keys: str) -> None:
        os.write(self.leader, keys.encode())

    def wait_for(self, words: str) -> None:
        """Wait until the words come after those that were waited for before."""
        until = time.monotonic() + _PATIENCE
        while True:
            plain = _SEQUENCE.sub(b"", self.seen)
            if (place := plain.find(words.encode())) >= 0:
                self.seen = plain[place + len(words.encode()) :]
                return
            assert time.monotonic() < until, f"{words!r} is not in {plain!r}"
            if select.select([self.leader], [], [], 0.2)[0]:
                self.seen += os.read(self.leader, 65_536)

    def ends(self) -> int:
        """Return the exit code, reading what is written until then, for a full terminal would hold it up."""
        until = time.monotonic() + _PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < until, self.seen
            if select.select([self.leader], [], [], 0.1)[0]:
                self.seen += os.read(self.leader, 65_536)
        return self.process.returncode


@contextmanager
def _screen(program: Program, *arguments: str | Path, owns: bool = True) -> Iterator[_Screen]:
    """Start the program on a terminal of its own, which with `owns` is also the one of its session."""
    leader, follower = pty.openpty()

    def take_terminal() -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        if owns:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [sys.executable, "-m", "buildwright", *map(str, arguments)],
        cwd=program.directory,
        env=program.environment | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
        preexec_fn=take_terminal,  # noqa: PLW1509  it only sets signals and the terminal
    )
    try:
        yield _Screen(process, leader, follower)
    finally:
        process.kill()
        process.wait()
        os.close(leader)
        os.close(follower)


def test_keys_pause_a_build_let_it_go_on_show_its_log_and_leave_it(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "slow.json", {"id": "slow", "title": "Slow"}, {"id": "next", "title": "Next"})
    talks = "while :; do echo still at it; sleep 0.2; done"
    with _screen(program, "build", tasks, "--repo", repository, *shell(talks, "--no-gates", "-j", "1")) as screen:
        before = termios.tcgetattr(screen.follower)
        screen.wait_for("slow started")
        screen.wait_for("p pause  l show the log  q stop safely")
        assert not termios.tcgetattr(screen.follower)[3] & (termios.ICANON | termios.ECHO)
        screen.type("x")  # means nothing
        screen.type("p")
        screen.wait_for("paused: as you asked")
        screen.wait_for("p continue")
        screen.type("p")
        screen.wait_for("continues")
        screen.type("l")
        screen.wait_for("slow said     still at it")
        screen.wait_for("l hide the log")
        screen.type("qq")  # the second is no second Ctrl-C
        screen.wait_for("stopping safely")
        assert screen.ends() == 130
        assert termios.tcgetattr(screen.follower) == before
    status = program("status", "--json").object
    assert (status["control"], status["runner"]) == ("running", None)
    events = [line["type"] for line in program("events").lines]
    assert events.count("build.paused") == events.count("build.resumed") == 1


def test_whoever_watches_pauses_with_a_key_too_and_leaves_the_build_alone(program: Program, tmp_path: Path) -> None:
    tasks = write_tasks(
        tmp_path / "slow.json",
        {"id": "slow", "title": "Slow", "goal": "sleep 60"},
        {"id": "next", "title": "Next", "depends_on": ["slow"]},
    )
    running = program.start("build", tasks, "--agent", "sleep", "--no-lanes")
    try:
        assert running.stderr is not None
        while "slow started" not in running.stderr.readline():
            assert running.poll() is None
        with _screen(program, "status", "--watch") as screen:
            screen.wait_for("p pause  l show the log  q leave")
            screen.type("q")
            assert screen.ends() == 130
        assert running.poll() is None
        with _screen(program, "status", "--watch") as screen:
            screen.wait_for("p pause")
            screen.type("p")
            screen.wait_for("p continue")
            assert screen.ends() == 0
        assert b"Paused: as you asked" in screen.seen
        assert program("status", "--json").object["control"] == "paused"
    finally:
        running.terminate()
        running.communicate(timeout=30)


def test_a_program_that_has_not_the_terminal_takes_no_keys(program: Program, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "one", "title": "One", "goal": "sleep 1"})
    build = ("build", tasks, "--agent", "sleep", "--no-lanes")
    with _screen(program, *build, owns=False) as screen:  # as nohup, setsid and a job in the background have it
        before = termios.tcgetattr(screen.follower)
        screen.type("pq")
        assert screen.ends() == 0
        assert termios.tcgetattr(screen.follower) == before
        assert b"one started" in screen.seen
        assert b"p pause" not in screen.seen
