"""Runs one command inside a container and ends all that it started. A program of its own: it must import nothing of ours.

Its argument is a socket of the engine's, which sends it one byte with four descriptors: a file of JSON (`argv`, `cwd`,
`env`, `files`: bytes of the largest, `open`: files at once, `processors`: those to keep to, all without one,
`forbidden`: a filter of system calls in hexadecimal digits, `wiped`: folders, `outside`: the engine's namespace of
processes), and the command's input, output and errors. Later bytes are `T`, ask the command to end, and `K`, end it. It
answers with one line of JSON. When the socket closes, because the engine is gone, everything ends at once.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 4, 36
_LOOK = 0.1
_PATIENCE = 5.0
_TO_THE_KILLER = "500"
"""What the command adds to its own score when memory is short (proc(5), oom_score_adj): it goes first, not this program."""
_CONTROL = Path("/sys/fs/cgroup")


_PR_SET_SECCOMP, _FILTER = 22, 2


def _forbid_calls(kernel: ctypes.CDLL, program: bytes) -> None:
    """Let the kernel refuse what this filter says, to this process and all that it starts (seccomp(2))."""
    code = ctypes.create_string_buffer(program)
    whole = struct.pack("HP", len(program) // 8, ctypes.addressof(code))
    if program and kernel.prctl(_PR_SET_SECCOMP, _FILTER, ctypes.c_char_p(whole), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no filter of system calls can be set")


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except OSError:
        return ""


def _killed() -> int:
    """Return how many processes of this container were ended for want of memory (cgroups, version 2 or 1)."""
    told = _read(_CONTROL / "memory.events") or _read(_CONTROL / "memory" / "memory.oom_control")
    return sum(int(line.split()[1]) for line in told.splitlines() if line.startswith("oom_kill "))


def _limits() -> dict[str, float]:
    """Return the limits that hold here, as the kernel tells them; those that do not hold are left out."""
    memory = _read(_CONTROL / "memory.max") or _read(_CONTROL / "memory" / "memory.limit_in_bytes")
    share = _read(_CONTROL / "cpu.max").split() or [
        _read(_CONTROL / "cpu" / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    found: dict[str, float] = {}
    if memory.strip().isdecimal():
        found["memory"] = int(memory)
    if all(word.isdecimal() for word in share):
        found["cpus"] = int(share[0]) / int(share[1])
    return found


def _reap(first: int) -> int | None:
    """Reap all that is dead; return the status of the command's first process if it is among them."""
    ended = None
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == first:
                ended = found[1]
    return ended


def _until_over(control: socket.socket, first: int) -> tuple[int | None, bool]:
    """Wait for the end of the command; return its status, and whether memory was short."""
    before = _killed()
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    while True:
        ended = _reap(first)
        if ended is not None or _killed() > before:
            return ended, _killed() > before
        ready, _, _ = select.select([control.fileno(), woken], [], [], _LOOK)
        if woken in ready:
            os.read(woken, 1000)
        if control.fileno() in ready:
            if control.recv(1) != b"T":
                return None, False
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGTERM)


def _end_all(first: int) -> int | None:
    """Kill every process of this container but this one and the container's first; reap them."""
    ended = None
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            break
        status = _reap(first)
        ended = ended if status is None else status
        time.sleep(0.002)
    return ended


def _end_shared(kernel: ctypes.CDLL) -> None:
    """Remove the shared memory, semaphores and message queues of System V that the command left (sysvipc(7))."""
    remove = {"shm": (kernel.shmctl, (0, None)), "sem": (kernel.semctl, (0, 0)), "msg": (kernel.msgctl, (0, None))}
    for kind, (call, words) in remove.items():
        for line in _read(Path("/proc/sysvipc") / kind).splitlines()[1:]:
            call(int(line.split()[1]), *words)


def _wipe(folder: str, device: int) -> tuple[bool, bool]:
    """Remove what the command left in a folder that is the container's own; folders shown from outside have another device.

    Return whether all of it is gone, and whether the folder holds such a one.
    """
    gone, leads_out = True, False
    with os.scandir(folder) as found:
        entries = list(found)
    for one in entries:
        about = one.stat(follow_symlinks=False)
        if about.st_dev != device or (about.st_uid != os.geteuid() and not stat.S_ISDIR(about.st_mode)):
            leads_out = True
            continue
        try:
            if stat.S_ISDIR(about.st_mode):
                if about.st_uid == os.geteuid():
                    Path(one.path).chmod(stat.S_IRWXU)
                inner_gone, inner_out = _wipe(one.path, device)
                gone, leads_out = gone and inner_gone, leads_out or inner_out
                if not inner_out and about.st_uid == os.geteuid():
                    Path(one.path).rmdir()
            else:
                Path(one.path).unlink()
        except OSError:
            gone = False
    return gone, leads_out


def main(path: str) -> None:
    """Take the command, run it, and tell how it ended."""
    control = socket.socket(socket.AF_UNIX)
    control.connect(path)
    _, given, *_ = socket.recv_fds(control, 1, 4)
    with os.fdopen(given[0], encoding="utf-8") as file:
        told = json.load(file)
    kernel = ctypes.CDLL(None, use_errno=True)
    kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # The command has the same user, and shall not reach into this program (ptrace(2)).
    kernel.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)

    def prepare() -> None:
        kernel.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(_TO_THE_KILLER, "ascii")
        if told["processors"]:
            os.sched_setaffinity(0, told["processors"])
        _forbid_calls(kernel, bytes.fromhex(told["forbidden"]))
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = told["open"] if most == resource.RLIM_INFINITY else min(told["open"], most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        resource.setrlimit(resource.RLIMIT_FSIZE, (told["files"], told["files"]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    answer: dict[str, Any] = {"limits": _limits()}
    if str(Path("/proc/self/ns/pid").readlink()) == told["outside"]:
        # What ends a command ends every process of its user.
        control.sendall(
            json.dumps({"missing": "the engine gives a container no processes of its own"}).encode() + b"\n"
        )
        return
    source, target, errors = given[1:]
    try:
        process = subprocess.Popen(
            told["argv"],
            stdin=source,
            stdout=target,
            stderr=errors,
            env=told["env"],
            cwd=told["cwd"],
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509  there is one thread
        )
    except OSError as error:
        answer["missing"] = f"{error.filename or told['argv'][0]}: {error.strerror}"
    else:
        # Kept up to the end: a forgotten one is reaped behind our back.
        ended, short = _until_over(control, process.pid)
        last = _end_all(process.pid)
        ended = last if ended is None else ended
        answer |= {"code": 137 if ended is None else _code(ended), "short": short}
    _end_shared(kernel)
    answer["clean"] = all(_wipe(one, Path(one).stat().st_dev)[0] for one in told["wiped"] if os.access(one, os.W_OK))
    for one in (source, target, errors):
        os.close(one)
    control.sendall(json.dumps(answer).encode() + b"\n")


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    with contextlib.suppress(OSError):
        main(sys.argv[1])
