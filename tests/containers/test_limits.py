"""Limits where the engine of containers cannot hold them: watched from outside, and said wherever the sandbox is named.

The engines are real: one that is told to use no cgroups, one whose runtime may not set the limit of processors (which is
how systemd leaves users without root), and one that runs as a user of its own.
"""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buildwright.ports import Command, Completed
from buildwright.sandbox import choose
from buildwright.sandbox.container import ContainerSandbox
from buildwright.sandbox.execution import OPEN_FILES
from tests.cli.conftest import WRITES
from tests.podman import SETTINGS, Podman
from tests.rootless import Rootless

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
WATCHED = "limits watched by buildwright"
ONE_PROCESSOR = "nproc; taskset -p -c 0-63 $$ >/dev/null 2>&1 || echo kept; nproc"
NO_PROCESSORS = """#!/bin/sh
for word in "$@"; do
    case $before in --bundle) bundle=$word ;; esac
    before=$word
done
if [ -n "$bundle" ] && grep -q '"quota"' "$bundle/config.json"; then
    echo 'crun: the requested cgroup controller `cpu` is not available' >&2
    exit 1
fi
exec crun "$@"
"""


@pytest.fixture(scope="module")
def without_cgroups() -> Iterator[Podman]:
    engine = Podman(SETTINGS.replace('cgroups = "enabled"', 'cgroups = "disabled"'))
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


@pytest.fixture(scope="module")
def without_ulimits() -> Iterator[Podman]:
    """An engine with the limits that podman sets by itself: beyond those of this process."""
    engine = Podman("".join(line for line in SETTINGS.splitlines(keepends=True) if "ulimits" not in line))
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


async def box_of(engine: Podman, **wishes: str) -> ContainerSandbox:
    named = {f"BUILDWRIGHT_CONTAINER_{name.upper()}": value for name, value in wishes.items()}
    wall = await choose("container", "tag", {"DOCKER_HOST": engine.address} | named)
    assert isinstance(wall, ContainerSandbox)
    return wall


async def ran(box: ContainerSandbox, folder: Path, script: str, **more: Any) -> Completed:
    return await box.run(Command(("sh", "-c", script), folder, ENV, seconds=more.pop("seconds", 60.0), **more))


async def test_an_engine_without_cgroups_is_taken_and_what_it_cannot_hold_is_watched(
    without_cgroups: Podman, tmp_path: Path
) -> None:
    box = await box_of(without_cgroups, memory="200m")
    assert WATCHED in box.limits
    assert WATCHED in box.seen
    assert (await ran(box, tmp_path, ONE_PROCESSOR)).output == b"1\nkept\n1\n"
    for script in (
        "python3 -c 'x = bytearray(400 << 20); import time; time.sleep(60)'",
        "head -c 150000000 /dev/zero > /tmp/x; head -c 150000000 /dev/zero > /var/tmp/x; sleep 60",
        "head -c 150000000 /dev/zero > /tmp/x; head -c 150000000 /dev/zero > /dev/shm/x; sleep 60",
    ):
        done = await ran(box, tmp_path, script)
        assert (done.exit_code, done.limit) == (137, "more than 200 MiB of memory"), done
    done = await ran(box, tmp_path, "for x in $(seq 200); do sleep 60 & done; wait", processes=50)
    assert (done.exit_code, done.limit) == (137, "more than 58 processes"), done
    assert (await ran(box, tmp_path, "echo well")).output == b"well\n"
    await box.remove_all()


async def test_a_command_cannot_stop_the_watch(without_cgroups: Podman, tmp_path: Path) -> None:
    """It has the user of our program in the box, and may send it any signal."""
    box = await box_of(without_cgroups, memory="200m")
    bomb = "python3 -c 'x = bytearray(400 << 20); import time; time.sleep(60)'"
    over = "more than 200 MiB of memory"
    for before, limit in (("kill -STOP $PPID", over), ("kill -KILL $PPID", "")):
        done = await ran(box, tmp_path, f"{before}; {bomb} & setsid nohup {bomb} & wait")
        assert (done.exit_code, done.limit) == (137, limit), (before, done)
    assert "org.buildwright.mark" not in without_cgroups("ps", "--all", "--format", "json")
    await box.remove_all()


async def test_limits_are_given_up_one_by_one(tmp_path: Path) -> None:
    """Where a user may set memory alone, the kernel holds the memory, and the processors are chosen by us."""
    runtime = tmp_path / "runtime"
    runtime.write_text(NO_PROCESSORS)
    runtime.chmod(runtime.stat().st_mode | stat.S_IXUSR)
    settings = SETTINGS.replace('runtime = "crun"', 'runtime = "mine"') + f'[engine.runtimes]\nmine = ["{runtime}"]\n'
    engine = Podman(settings)
    engine.start()
    try:
        box = await box_of(engine)
        assert WATCHED in box.limits
        script = (
            "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; " + ONE_PROCESSOR
        )
        assert (await ran(box, tmp_path, script)).output.decode().split() == [str(1024**3), "1", "kept", "1"]
        await box.remove_all()
    finally:
        engine.stop()


@pytest.fixture
def rootless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rootless]:
    if os.geteuid() != 0:
        raise RuntimeError("run as root, to become the user of another engine")
    with Rootless.started() as one:
        yield one


@pytest.mark.timeout(1800)  # the whole program, several times, beside whatever else this machine does
def test_a_podman_without_root_contains_builds_of_its_user(rootless: Rootless) -> None:
    """The whole program as that user: everything is held but what only cgroups could hold, and that is said."""
    seen = rootless("buildwright", "doctor", "--json")
    (containers,) = [one for one in json.loads(seen)["checks"] if one["name"] == "containers"]
    assert containers["ok"], containers
    assert "podman, rootless" in containers["found"]
    assert WATCHED in containers["found"]
    ran = rootless(
        "buildwright", "sandbox", "run", "--sandbox", "container", "--", "sh", "-c", f"id -u; {ONE_PROCESSOR}"
    )
    assert ran.split() == [str(rootless.user), "1", "kept", "1"]
    proved = json.loads(rootless("buildwright", "sandbox", "prove", "--sandbox", "container", "--json"))
    assert [one for one in proved["attacks"] if one["through"] or one["failed"]] == []
    assert (proved["sandbox"], WATCHED in proved["limits"]) == ("container", True)
    repository = rootless.home / "repository"
    tasks = rootless.home / "tasks.json"
    tasks.write_text(json.dumps({"tasks": [{"id": "one", "title": "One", "files_expected": ["one.txt"]}]}))
    for words in (
        ("git", "init", "--quiet", str(repository)),
        ("sh", "-c", f"echo words > {repository}/README.md"),
        ("git", "-C", str(repository), "add", "."),
        ("git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "First"),
    ):
        rootless(*words)
    asked = ("--agent", "shell", "--agent-command", WRITES, "--check", "test -f README.md", "--sandbox", "container")
    built = rootless("buildwright", "build", str(tasks), "--repo", str(repository), *asked)
    assert "sandbox container, its limits watched" in built, built
    left = rootless("podman", "ps", "--all", "--quiet")
    assert left == "", "a process takes its boxes along"
    assert subprocess.run(["pgrep", "-u", str(rootless.user), "sleep"], capture_output=True, check=False).stdout == b""
    assert "Task one: One" in rootless("git", "-C", str(repository), "log", "--all", "--format=%s")


async def test_a_box_is_given_no_limits_beyond_those_of_this_process(without_ulimits: Podman, tmp_path: Path) -> None:
    """Where root may not go beyond its own (no CAP_SYS_RESOURCE), the engine could start none otherwise."""
    box = await box_of(without_ulimits)
    try:
        done = await ran(box, tmp_path, "ulimit -Hp; ulimit -Hn")
    finally:
        await box.remove_all()
    wanted = {resource.RLIMIT_NPROC: 32_768, resource.RLIMIT_NOFILE: OPEN_FILES}
    own = {number: resource.getrlimit(number)[1] for number in wanted}
    most = {
        number: limit if own[number] == resource.RLIM_INFINITY else min(limit, own[number])
        for number, limit in wanted.items()
    }
    assert [int(word) for word in done.output.split()] == list(most.values())
