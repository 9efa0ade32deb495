"""What every sandbox that is a wall has in common: whose it is outside, what of the machine it may write, whom it sees.

Containers need an engine: `make containers`.
"""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest

from buildwright.ports import Command, Completed, Sandbox
from tests.contract.test_sandbox import ENV, NAMES, PYTHON, alive, python, sandbox

__all__ = ["sandbox"]

pytestmark = pytest.mark.parametrize("sandbox", [name for name in NAMES if name != "none"], indirect=True)

WRITES = """
import json, os
own = {os.getcwd(), "/tmp", "/dev/shm", "/var/tmp", "/dev/mqueue", "/sys/fs/cgroup"}  # the last is in its own memory
found = []
for line in open("/proc/self/mountinfo"):
    place = line.split()[4].encode().decode("unicode_escape")
    if place in own or not os.path.isdir(place):
        continue
    try:
        os.close(os.open(os.path.join(place, "written"), os.O_CREAT | os.O_WRONLY, 0o600))
        found.append(place)
    except OSError:
        pass
looked = 0
for top in ("/proc", "/sys"):
    for folder, names, files in os.walk(top):
        if folder == "/proc":
            names[:] = [name for name in names if not name.isdecimal() and name not in ("self", "thread-self")]
        for name in files:
            if folder == "/proc/pressure" or os.path.join(folder, name) in ("/proc/keys", "/proc/timer_list"):
                continue  # what asks to be woken, and what podman shows as /dev/null
            looked += 1
            try:
                os.close(os.open(os.path.join(folder, name), os.O_WRONLY | os.O_NONBLOCK))
                found.append(os.path.join(folder, name))
            except OSError:
                pass
print(json.dumps({"found": found, "looked": looked}))
"""

LIVES = """
import ctypes, os, pathlib, socket, sys, time
mark = sys.argv[1]
for folder in ("/tmp", "/dev/shm", "."):
    pathlib.Path(folder, mark).write_text(mark)
tcp, unix = socket.create_server(("127.0.0.1", 41713)), socket.socket(socket.AF_UNIX)
unix.bind("\\0" + mark)
unix.listen()
assert ctypes.CDLL(None).shmget(41713, 4096, 0o1666) >= 0
pathlib.Path("up").write_text("")
while not os.path.exists("over"):
    time.sleep(0.02)
print("lived")
"""

LOOKS = """
import ctypes, glob, json, os, signal, socket, sys
mark, lane = sys.argv[1][::-1], sys.argv[2]
found = []
for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
    try:
        if mark in open(path, errors="replace").read():
            found.append(path)
    except OSError:
        pass
for folder in ("/tmp", "/dev/shm", lane, *glob.glob("/proc/[0-9]*/root" + lane), *glob.glob("/proc/[0-9]*/cwd")):
    if os.path.exists(os.path.join(folder, mark)):
        found.append(folder)
for family, place in ((socket.AF_INET, ("127.0.0.1", 41713)), (socket.AF_UNIX, "\\0" + mark)):
    try:
        socket.socket(family).connect(place)
        found.append(str(place))
    except OSError:
        pass
if ctypes.CDLL(None).shmget(41713, 4096, 0) >= 0:
    found.append("shared memory")
try:
    os.kill(-1, signal.SIGTERM)
except OSError:
    pass
print(json.dumps(found))
"""


LEAVES = """
import ctypes
kernel = ctypes.CDLL(None, use_errno=True)
kernel.shmat.restype = ctypes.c_void_p
pieces = sum(kernel.shmget(0, 50 << 20, 0o1600) >= 0 for _ in range(6))
number = kernel.shmget(41714, 56, 0o1600)
place = kernel.shmat(number, None, 0)
ctypes.memset(place, 1, 56)
for make in ((kernel.semget, 41714, 1, 0o1600), (kernel.msgget, 41714, 0o1600)):
    assert make[0](*make[1:]) >= 0
print([pieces, int(number >= 0)])
"""


def told(done: Completed) -> Any:
    assert done.output.startswith((b"{", b"[")), done
    return json.loads(done.output)


async def until(path: Path) -> None:
    async with asyncio.timeout(60):
        while not path.exists():
            await asyncio.sleep(0.02)


async def test_its_processes_are_never_those_of_root_outside(sandbox: Sandbox, tmp_path: Path) -> None:
    """Started by root they belong to another user, started by a user to that one."""
    mark = uuid.uuid4().hex
    script = f"touch up; while ! [ -e over ]; do sleep 0.02; done; : {mark}"
    running = asyncio.create_task(sandbox.run(Command(("sh", "-c", script), tmp_path, ENV)))
    await until(tmp_path / "up")
    inside = [psutil.Process(pid) for pid in alive(mark) if psutil.Process(pid).name() == "sh"]
    users = {user for one in inside for user in one.uids()}
    capabilities = {
        line for one in inside for line in status_of(one.pid) if line.startswith(("CapEff", "CapPrm", "CapBnd"))
    }
    (tmp_path / "over").touch()
    assert (await running).exit_code == 0
    assert users == ({65_534} if os.geteuid() == 0 else {os.geteuid()})
    assert {line.split()[1].strip("0") for line in capabilities} == {""}, capabilities


def status_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


async def test_nothing_of_the_kernel_and_no_mount_can_be_written_but_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    seen = told(await sandbox.run(python(tmp_path, WRITES)))
    assert seen["found"] == []
    assert seen["looked"] > 500, "there are files to try"


async def test_memory_that_no_process_has_attached_is_no_way_around_the_limit(sandbox: Sandbox, tmp_path: Path) -> None:
    """Of System V's shared memory there are small pieces alone, and none is left for the next command."""
    assert told(await sandbox.run(python(tmp_path, LEAVES, memory_bytes=100 * 1024**2))) == [0, 1]
    left = "print([sum(len(open(f'/proc/sysvipc/{kind}').readlines()) - 1 for kind in ('shm', 'sem', 'msg'))])"
    assert told(await sandbox.run(python(tmp_path, left, memory_bytes=100 * 1024**2))) == [0]


async def test_boxes_at_the_same_time_do_not_see_each_other(sandbox: Sandbox, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    lanes = [tmp_path / name for name in ("one", "other")]
    for lane in lanes:
        lane.mkdir()
    one = asyncio.create_task(sandbox.run(Command((PYTHON, "-c", LIVES, mark), lanes[0], ENV)))
    await until(lanes[0] / "up")
    found = told(await sandbox.run(Command((PYTHON, "-c", LOOKS, mark[::-1], str(lanes[0])), lanes[1], ENV)))
    (lanes[0] / "over").touch()
    assert (await one).output == b"lived\n", "what the other one ends is its own"
    assert found == []
