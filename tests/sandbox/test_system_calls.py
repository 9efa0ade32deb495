"""The filter of system calls: the right numbers on each machine, what it lets through, and that the kernel carries it out."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import sys
from pathlib import Path

import pytest

from buildwright.ports import Command
from buildwright.sandbox import Bubblewrap
from buildwright.sandbox.system_calls import FORBIDDEN, filter_for

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, FAIL = 0x7FFF0000, 0x80000000, 0x00050000
ENV = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"}


def answer(machine: str, number: int, *arguments: int, kind: int | None = None) -> int:
    """What the kernel would say: the filter carried out (Linux, Documentation/networking/filter.rst)."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, kind or MACHINES[machine], 0, *given)
    program = list(struct.iter_unpack("<HBBI", filter_for(machine)))
    place, loaded = 0, 0
    while True:
        code, fits, fails, value = program[place]
        place += 1
        match code:
            case 0x20:
                (loaded,) = struct.unpack_from("<I", data, value)
            case 0x15:
                place += fits if loaded == value else fails
            case 0x35:
                place += fits if loaded >= value else fails
            case 0x45:
                place += fits if loaded & value else fails
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_libseccomp(machine: str) -> None:
    resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name_arch
    for name, call in FORBIDDEN.items():
        known = resolve(ctypes.c_uint32(MACHINES[machine]), name.encode())
        assert (call.on(machine) or -1) == max(known, -1), name


@pytest.mark.parametrize("machine", MACHINES)
def test_each_is_refused_and_all_others_are_allowed(machine: str) -> None:
    calls = {number: call for call in FORBIDDEN.values() if (number := call.on(machine)) is not None}
    for number in range(600):
        found = answer(machine, number)
        if number not in calls or calls[number].when in {"any bit", "one of", "from"}:
            assert found == ALLOW, number
        else:
            assert found == FAIL | calls[number].error, number
    assert answer(machine, 1, kind=0x40000003) == KILL, "a program of 32 bits"
    assert filter_for("another") == b""


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_tell_apart_what_tools_need(machine: str) -> None:
    def said(name: str, *arguments: int) -> int:
        number = FORBIDDEN[name].on(machine)
        assert number is not None
        return answer(machine, number, *arguments)

    refused = FAIL | errno.EPERM
    thread, fork, vfork = 0x003D0F00, 0x01200011, 0x4111
    for flags in (thread, fork, vfork):
        assert said("clone", flags) == ALLOW
    spaces = {"mount": 17, "cgroup": 25, "names": 26, "ipc": 27, "user": 28, "processes": 29, "network": 30}
    for name, bit in spaces.items():
        assert (said("clone", 1 << bit | 17), said("unshare", 1 << bit)) == (refused, refused), name
    assert (said("unshare", 0x80), said("unshare", 0x600)) == (refused, ALLOW)
    for family in range(46):
        found = ALLOW if family in {1, 2, 10, 16} else FAIL | errno.EAFNOSUPPORT
        assert (said("socket", family), said("socketpair", family)) == (found, found)
    assert [said("ioctl", 0, 0x5400 + one) for one in (0x01, 0x12, 0x13, 0x1C, 0x23)] == [
        *(ALLOW, refused),  # settings of a terminal; typing into it
        *(ALLOW, refused, refused),  # its size; pasting; its driver
    ]
    assert [said("ptrace", one) for one in (0, 4, 5, 7, 16, 17, 0x4204, 0x4205, 0x4206)] == [
        *(refused, refused, refused),  # TRACEME, POKETEXT, POKEDATA
        *(ALLOW, ALLOW, ALLOW, ALLOW),  # CONT, ATTACH, DETACH, GETREGSET
        *(refused, refused),  # SETREGSET, SEIZE
    ]
    large = FAIL | errno.EINVAL
    assert [said("shmget", 0, size) for size in (56, 65_535, 65_536, 1 << 31, 1 << 32, (1 << 32) + 56, 1 << 63)] == [
        *(ALLOW, ALLOW),  # PostgreSQL takes 56 bytes
        *(large, large, large, large, large),
    ]
    if machine == "x86_64":
        assert answer(machine, 0x40000000 + 39) == FAIL | errno.ENOSYS, "calls of x32"


PROGRAM = """
import ctypes, json, sys
kernel, found = ctypes.CDLL(None, use_errno=True), {}
for name, (number, arguments) in json.loads(sys.argv[1]).items():
    ctypes.set_errno(0)
    answer = kernel.syscall(ctypes.c_long(number), *[ctypes.c_long(one) for one in arguments])
    found[name] = ctypes.get_errno() if answer == -1 else 0
print(json.dumps(found))
"""


async def test_the_kernel_carries_it_out_in_a_box(tmp_path: Path) -> None:
    """Also for the one that the command starts; each call with arguments that do no harm."""
    machine = os.uname().machine
    first = {
        "any bit": [1 << 28],
        "one of": [0, 0x5412],
        "none of": [40, 1, 0],
        "from": [0, 1 << 20, 0],
        "always": [-1] * 6,
    }
    wanted = {
        name: (number, first[call.when]) for name, call in FORBIDDEN.items() if (number := call.on(machine)) is not None
    }
    argv = ("sh", "-c", 'exec "$@"', "sh", Path(sys.executable).name, "-c", PROGRAM, json.dumps(wanted))
    done = await Bubblewrap().run(Command(argv, tmp_path, ENV))
    assert json.loads(done.output) == {name: FORBIDDEN[name].error for name in wanted}


async def test_programs_that_watch_themselves_go_on(tmp_path: Path) -> None:
    """Threads, processes, terminals of their own, sockets, files that are watched: as test suites use them."""
    program = (
        "import asyncio, multiprocessing, os, pty, select, socket, ssl, subprocess, threading\n"
        "threading.Thread(target=print, args=('thread',)).start()\n"
        "print(multiprocessing.get_context('spawn').Pool(1).apply(len, ['four']), flush=True)\n"
        "pid, fd = pty.fork()\n"
        "if pid == 0: os.execvp('stty', ['stty', 'size'])\n"
        "os.waitpid(pid, 0)\n"
        "socket.socketpair()[0].close(); socket.socket(socket.AF_INET6).close()\n"
        "print(socket.if_nameindex()[0][1], asyncio.run(asyncio.sleep(0, 'slept')), flush=True)\n"
        "subprocess.run(['sh', '-c', 'echo from a shell | cat'])\n"
    )
    script = tmp_path / "program.py"
    script.write_text(f"if __name__ == '__main__':\n{''.join(f'    {line}' for line in program.splitlines(True))}")
    done = await Bubblewrap().run(Command((Path(sys.executable).name, script.name), tmp_path, ENV))
    assert (done.exit_code, done.output) == (0, b"thread\n4\nlo slept\nfrom a shell\n"), done.output
