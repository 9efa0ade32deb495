"""A program that the starter starts is, to whoever looks from outside, one that has been started by itself."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import Process, Program
from tests.starter import Starter, plain_environment


@pytest.fixture
def program(tmp_path: Path, starter: Starter) -> Program:
    """Of this file also where `BUILDWRIGHT_PROOFS=full` lets no other test have the starter."""
    home = tmp_path / "home"
    return Program(home, tmp_path, plain_environment() | {"BUILDWRIGHT_HOME": str(home)}, starter=starter)


def told(process: Process) -> tuple[int, str, str]:
    out, errors = process.communicate(timeout=60)
    assert process.returncode is not None
    return process.returncode, out, errors


@pytest.mark.parametrize(
    "words", [("version",), ("status",), ("bild",), ("--help",), ("list", "--json")], ids=lambda words: str(words[0])
)
def test_it_says_and_ends_with_the_same(program: Program, words: tuple[str, ...]) -> None:
    alone = Program(program.home, program.directory, program.environment)
    there = {"BUILDWRIGHT_SANDBOX": "none", "TZ": "Asia/Tokyo"}
    copied = program.start(*words, **there)
    assert not isinstance(copied, subprocess.Popen)
    assert told(copied) == told(alone.start(*words, **there))


def test_it_has_its_directory_environment_and_streams(program: Program) -> None:
    running = program.start("serve", "--port", "0", "--json", BUILDWRIGHT_ROOTS=str(program.directory))
    assert running.stdout is not None
    assert running.stdout.readline().startswith("{")
    process = psutil.Process(running.pid)
    assert Path(process.cwd()) == program.directory
    streams = [str(Path(f"/proc/{running.pid}/fd/{number}").readlink()) for number in range(3)]
    assert streams[0] == os.devnull
    assert [stream.partition(":")[0] for stream in streams[1:]] == ["pipe", "pipe"]
    assert running.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        running.wait(timeout=0)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert running.returncode == 0


def test_how_it_is_killed_is_told(program: Program) -> None:
    running = program.start("serve", "--port", "0", "--json")
    assert running.stdout is not None
    running.stdout.readline()
    running.kill()
    assert told(running)[0] == -signal.SIGKILL
    assert running.wait() == -signal.SIGKILL


def test_many_run_at_once_and_each_ends_for_itself(program: Program) -> None:
    serving = [program.start("serve", "--port", "0", "--json") for _ in range(2)]
    for one in serving:
        assert one.stdout is not None
        one.stdout.readline()
    assert program("version").code == 0
    serving[0].terminate()
    told(serving[0])
    assert serving[1].poll() is None
    serving[1].terminate()
    told(serving[1])


def test_what_python_reads_at_its_start_is_left_to_a_python_of_its_own(program: Program, starter: Starter) -> None:
    assert starter.can(program.environment | {"NO_COLOR": "1"})
    for name in ("PYTHONPROFILEIMPORTTIME", "PYTHONASYNCIODEBUG", "LC_ALL"):
        assert not starter.can(program.environment | {name: "1"})
    done = program("version", PYTHONPROFILEIMPORTTIME="1")
    assert "import time:" in done.err
    assert "import time:" not in program("version").err
