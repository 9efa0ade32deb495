"""Boxes of a real engine: what holds them, what is kept of them, how they end, and what is said when one cannot be had."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buildwright.core.addresses import Destination
from buildwright.errors import BadSettings, GateBroken
from buildwright.ports import Command, Reach
from buildwright.sandbox import choose
from buildwright.sandbox.container import ContainerSandbox
from tests.cli.conftest import WRITES, Program
from tests.contract.test_sandbox import alive
from tests.podman import Podman

ENV = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@pytest.fixture
def environment(podman: Podman) -> Iterator[dict[str, str]]:
    yield {"DOCKER_HOST": podman.address}
    left = [f"/tmp/{name}" for one in boxes(podman) for name in one["Names"]]
    podman("rm", "--all", "--force", "--time", "0")
    for folder in left:
        shutil.rmtree(folder)


@pytest.fixture
def box(environment: dict[str, str]) -> ContainerSandbox:
    return ContainerSandbox("tag", environment)


def boxes(podman: Podman) -> list[dict[str, Any]]:
    found = json.loads(podman("ps", "--all", "--no-trunc", "--format", "json"))
    return [one for one in found if "org.buildwright.mark" in (one["Labels"] or {})]


def sh(folder: Path, script: str, **more: Any) -> Command:
    return Command(("sh", "-c", script), folder, ENV, **more)


async def said(box: ContainerSandbox, folder: Path, script: str, **more: Any) -> str:
    done = await box.run(sh(folder, script, **more))
    assert done.exit_code == 0, done
    return done.output.decode()


LIMITS = (
    "cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; cat /sys/fs/cgroup/cpu.max"
)
CPU_1 = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us"


async def test_one_processor_and_one_gigabyte_are_held_and_can_be_others(
    environment: dict[str, str], tmp_path: Path
) -> None:
    script = f"({LIMITS} || {CPU_1}) 2>/dev/null"
    box = ContainerSandbox("tag", environment)
    memory, *cpu = (await said(box, tmp_path, script)).split()
    assert (int(memory), int(cpu[0]) / int(cpu[1])) == (1024**3, 1.0)
    wishes = {"BUILDWRIGHT_CONTAINER_CPUS": "0.5", "BUILDWRIGHT_CONTAINER_MEMORY": "512m"}
    other = ContainerSandbox("tag", environment | wishes)
    memory, *cpu = (await said(other, tmp_path, script)).split()
    assert (int(memory), int(cpu[0]) / int(cpu[1])) == (512 * 1024**2, 0.5)
    for one in (box, other):
        await one.remove_all()


async def test_a_box_is_kept_for_its_folder_with_nothing_left_in_it(
    podman: Podman, box: ContainerSandbox, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:
        folder.mkdir()
    since = "; cut -d' ' -f22 /proc/1/stat"
    dirty = "mkdir -p /tmp/a/b /dev/shm/c; touch /tmp/a/b/f /dev/shm/c/g; chmod 0 /tmp/a; (sleep 600 &)" + since
    first = await said(box, folders[0], dirty)
    assert len(boxes(podman)) == 1
    mine = f"-user nobody ! -path {folders[0]}"
    look = f"find /tmp /dev/shm -xdev -mindepth 1 {mine}; grep -la '^sleep.600' /proc/[0-9]*/cmdline; true" + since
    assert await said(box, folders[0], look) == first, "nothing is left, and its first process has not changed"
    assert await said(box, folders[1], "ls -A .. ; touch mine") == "other\n", "another folder is another box"
    assert len(boxes(podman)) == 2
    # A folder of the same name is another one.
    (folders[1] / "mine").unlink()
    folders[1].rename(tmp_path / "moved")
    folders[1].mkdir()
    assert await said(box, folders[1], "ls -A; echo x > here") == ""
    assert (folders[1] / "here").read_text() == "x\n"
    for number in range(6):
        (tmp_path / str(number)).mkdir()
        await said(box, tmp_path / str(number), "true")
    assert len(boxes(podman)) == 4, "not more than that are kept"
    await box.remove_all()
    assert boxes(podman) == []


async def test_a_box_that_is_ended_from_outside_or_inside_is_no_loss(
    podman: Podman, box: ContainerSandbox, tmp_path: Path
) -> None:
    assert (await box.run(sh(tmp_path, "kill -9 -1"))).exit_code == 137
    assert boxes(podman) == [], "what cannot say how it ended is removed"
    await said(box, tmp_path, "true")
    (one,) = boxes(podman)
    os.kill(one["Pid"], 9)
    async with asyncio.timeout(20):
        while (again := boxes(podman))[0]["Pid"] == one["Pid"] or again[0]["State"] != "running":
            await asyncio.sleep(0.1)
    assert again[0]["Id"] == one["Id"], "the engine starts it again, always"
    assert await said(box, tmp_path, "echo still here") == "still here\n"
    podman("rm", "--force", "--time", "0", one["Id"])
    assert await said(box, tmp_path, "echo in another") == "in another\n"
    await box.remove_all()


SERVE = """
import asyncio, sys
from pathlib import Path
from buildwright.ports import Command
from buildwright.sandbox.container import ContainerSandbox
script, folder, address = sys.argv[1:]
command = Command(("sh", "-c", script), Path(folder), {"PATH": "/usr/bin:/bin"})
box = ContainerSandbox("tag", {"DOCKER_HOST": address})
asyncio.run(box.run(command, lambda _: print("up", flush=True)))
"""


async def test_a_killed_engine_leaves_no_process_and_its_box_goes_with_the_next_start(
    podman: Podman, environment: dict[str, str], tmp_path: Path
) -> None:
    mark = uuid.uuid4().hex
    script = f"touch left; nohup setsid sh -c 'sleep 600; : {mark}' >/dev/null 2>&1 & echo up; sleep 601; : {mark}"
    engine = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SERVE, script, str(tmp_path), podman.address), stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout is not None
    assert await engine.stdout.readline() == b"up\n"
    assert len(alive(mark)) >= 3
    engine.kill()
    await engine.wait()
    async with asyncio.timeout(5):
        while alive(mark):
            await asyncio.sleep(0.02)
    assert len(boxes(podman)) == 1
    assert (await choose("container", "other home", environment)).name == "container"
    assert len(boxes(podman)) == 2, "the box of another home stays"
    wall = await choose("container", "tag", environment)
    assert isinstance(wall, ContainerSandbox)
    await said(wall, tmp_path, "echo again > left")
    assert {path.stat().st_uid for path in (tmp_path, *tmp_path.iterdir())} == {os.geteuid()}
    left = [one for one in boxes(podman) if "/tag/" in one["Labels"]["org.buildwright.mark"]]
    assert len(left) == 1, "the one of this folder: the trial's went with its own"
    await wall.remove_all()


async def test_it_reaches_what_it_is_lent_and_nothing_else(box: ContainerSandbox, tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nfrom outside")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        ask = f"curl -sS --noproxy '*' http://127.0.0.1:{port}/"
        assert (await box.run(sh(tmp_path, ask))).exit_code == 7
        assert await said(box, tmp_path, ask, network=True) == "from outside"
        relayed = ask.replace(str(port), "4567")
        assert await said(box, tmp_path, relayed, relays={4567: ("127.0.0.1", port)}) == "from outside"
        done = await box.run(
            sh(tmp_path, "curl -sS https://far.example", reach=Reach((Destination("near.example", (443,)),)))
        )
        assert (done.exit_code != 0, done.refused) == (True, ("far.example:443",))
    await box.remove_all()


async def test_a_command_may_have_the_streams_of_its_caller(box: ContainerSandbox, tmp_path: Path) -> None:
    near, far = socket.socketpair()
    with near, far:
        run = asyncio.create_task(
            box.run(sh(tmp_path, "read x; echo got $x; echo err >&2", streams=(far.fileno(),) * 2))
        )
        near.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(near, b"this\n")
        assert await loop.sock_recv(near, 100) == b"got this\n"
        assert (await run).output == b"err\n"
    await box.remove_all()


async def test_files_in_memory_count_as_memory(box: ContainerSandbox, tmp_path: Path) -> None:
    for folder in ("/tmp", "/dev/shm"):
        script = f"head -c 200000000 /dev/zero > {folder}/x; sleep 60"
        done = await box.run(sh(tmp_path, script, memory_bytes=100 * 1024**2, seconds=30.0))
        assert (done.exit_code, done.limit) == (137, "more than 100 MiB of memory"), done
    await box.remove_all()


async def test_an_image_without_the_programs_is_refused_and_one_that_is_not_there_is_named(
    podman: Podman, environment: dict[str, str]
) -> None:
    podman("import", "-", "localhost/nothing-in-it", stdin=empty_tar())
    for image, said_of_it in (
        ("localhost/nothing-in-it", "refused|could not start"),
        ("no/such:1", "no image no/such:1"),
    ):
        with pytest.raises(BadSettings, match=said_of_it) as error:
            await choose("container", "tag", environment | {"BUILDWRIGHT_CONTAINER_IMAGE": image})
        assert error.value.fix
    assert boxes(podman) == []


def empty_tar() -> bytes:
    return subprocess.run(["tar", "-c", "--files-from", "/dev/null"], capture_output=True, check=True).stdout


async def test_an_image_of_debian_has_its_own_programs(
    podman: Podman, environment: dict[str, str], tmp_path: Path
) -> None:
    """Made here, of packages: no registry of images is asked."""
    archive = tmp_path / "debian.tar"
    packages = "ca-certificates,git,nodejs,python3"
    made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={packages}", "bookworm", str(archive)]
    subprocess.run(made, check=True, env=os.environ | {"TMPDIR": "/tmp"})
    podman("import", str(archive), "localhost/debian-with-tools")
    archive.unlink()
    wall = await choose(
        "container", "tag", environment | {"BUILDWRIGHT_CONTAINER_IMAGE": "localhost/debian-with-tools"}
    )
    assert isinstance(wall, ContainerSandbox)
    assert "git version" in wall.seen
    work = tmp_path / "work"
    work.mkdir()
    done = await wall.run(sh(work, "which curl; cat /etc/debian_version; touch /usr/x; echo made > file"))
    assert Path("/usr/bin/curl").exists(), "this machine has it, the image has not"
    assert done.output.startswith(b"12."), done.output
    assert b"Read-only file system" in done.output
    assert (work / "file").read_text() == "made\n"
    await wall.remove_all()


def test_the_program_runs_proves_checks_and_builds_in_it(
    podman: Podman, environment: dict[str, str], program: Program, repository: Path, three: Path
) -> None:
    program.environment |= environment
    program.patience = 200
    ran = program("sandbox", "run", "--sandbox", "container", "--", "sh", "-c", "pwd; exit 7")
    assert (ran.code, "sandbox: container" in ran.err) == (7, True), ran.err
    proved = program("sandbox", "prove", "--sandbox", "container", "--json").object
    assert [one for one in proved["attacks"] if one["through"] or one["failed"]] == []
    assert (proved["sandbox"], proved["tried"]) == ("container", len(proved["attacks"]))
    checked = program("check", "--sandbox", "container", "--check", "test -f README.md", "--repo", repository, "--json")
    assert checked.code == 0, checked.err + checked.out
    words = ("--agent", "shell", "--agent-command", WRITES, "--check", "test -f README.md", "--sandbox", "container")
    built = program("build", three, "--repo", repository, *words)
    assert built.code == 0, built.err
    assert "sandbox container" in built.out
    assert program("status", "--json").lines[-1]["sandbox"] == "container"
    seen = {one["name"]: one for one in program("doctor", "--json").object["checks"]}
    assert seen["containers"]["ok"], seen["containers"]
    assert "git version" in seen["containers"]["found"]
    assert boxes(podman) == [], "a process takes its boxes along"


def test_two_builds_of_a_project_have_boxes_of_their_own_which_are_named_for_it(
    podman: Podman, environment: dict[str, str], program: Program, repository: Path, three: Path, tmp_path: Path
) -> None:
    """As `podman ps` shows it: no folder that may be written is in two boxes, and nothing is left at the end."""
    program.environment |= environment
    words = ("--agent", "shell", "--agent-command", WRITES, "--check", "test -f README.md", "--sandbox", "container")
    other = replace(program, home=tmp_path / "other home")
    builds = [one.start("build", three, "--repo", repository, *words) for one in (program, other)]
    seen: dict[str, dict[str, Any]] = {}
    while any(build.poll() is None for build in builds):
        seen |= {one["Names"][0]: one for one in boxes(podman)}
    for build in builds:
        out, err = build.communicate()
        assert build.returncode == 0, out + err
    named = {name for name, one in seen.items() if one["Labels"].get("org.buildwright.project") == repository.name}
    assert named == {name for name in seen if name.startswith(f"buildwright-{repository.name}-")}
    assert len(named) >= 2, seen
    lanes = [path for one in seen.values() for path in one["Mounts"] if "/lanes/" in path]
    assert lanes
    assert len(lanes) == len(set(lanes)), lanes
    assert boxes(podman) == []


async def test_a_box_is_named_for_its_project_and_goes_with_its_folder(
    podman: Podman, box: ContainerSandbox, tmp_path: Path
) -> None:
    named = box.named_for("My Projéct, the (second) of a long name")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    await said(named, tmp_path / "one", "true")
    (one,) = boxes(podman)
    assert one["Names"][0].startswith("buildwright-my-proj-ct-the-secon-")
    assert one["Labels"]["org.buildwright.project"] == "My Projéct, the (second) of a long name"
    (tmp_path / "one").rmdir()
    await said(named, tmp_path / "other", "true")
    (other,) = boxes(podman)
    assert other["Id"] != one["Id"]
    await box.remove_all()
    assert boxes(podman) == [], "both keep the same boxes"


async def test_auto_takes_it_where_bubblewrap_does_not_work(
    environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await choose("auto", "tag", environment)).name == "bubblewrap"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await choose("auto", "tag", environment)).name == "container"
    with pytest.raises(BadSettings, match="bubblewrap cannot be used"):
        await choose("bubblewrap", "tag", environment)


async def test_an_engine_that_ends_is_named(tmp_path: Path) -> None:
    other = Podman()
    other.start()
    box = ContainerSandbox("tag", {"DOCKER_HOST": other.address})
    await said(box, tmp_path, "true")
    other.stop()
    with pytest.raises(GateBroken, match="no container engine answers"):
        await box.run(sh(tmp_path, "true"))
