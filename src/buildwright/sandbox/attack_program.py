"""Attacks a sandbox from inside. A program of its own: it must import nothing of ours, and harm nothing where it succeeds.

Its arguments are the name of an attack and a file of JSON with what lies outside. It prints what got through, one
line each, and nothing when the sandbox held. What only the outside can see (bytes that arrived, a changed file, a child
that lives on) it does and says nothing of.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import json
import mmap
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_SECONDS = 3.0
_NEW_USER_NAMESPACE = 0x10000000
_TRACE_ME, _SEIZE = 0, 0x4206
"""Of ptrace(2)."""
_PUT_INPUT = 0x5412
"""TIOCSTI (tty_ioctl(4)): types a character into a terminal."""


def through(text: str) -> None:
    """Say that something got through."""
    sys.stdout.write(f"{text}\n")


def _reads(path: str, canary: str) -> None:
    with contextlib.suppress(OSError):
        if canary in Path(path).read_text("utf-8", "replace"):
            through(f"read {path}")


def _read_outside(outside: dict[str, Any]) -> None:
    """By its path, through a link laid here, and through the roots of other processes."""
    Path("link").symlink_to(outside["victim"])
    processes = [path.name for path in Path("/proc").glob("[0-9]*")]
    roots = [f"/proc/{number}/root{outside['victim']}" for number in processes]
    for path in (outside["victim"], "link", *roots):
        _reads(path, outside["canary"])


def _write_outside(outside: dict[str, Any]) -> None:
    Path("way").symlink_to(Path(outside["victim"]).parent)
    for path in (outside["victim"], "way/new.txt", f"{Path(outside['victim']).parent}/other.txt"):
        with contextlib.suppress(OSError), Path(path).open("a") as file:
            file.write("attacked\n")


def _read_home(outside: dict[str, Any]) -> None:
    for folder in {outside["home"], "/root", *(str(path) for path in Path("/home").glob("*"))}:
        for name in ("", ".ssh", ".aws", ".config", ".netrc", ".npmrc", ".bash_history", ".gitconfig"):
            with contextlib.suppress(OSError):
                path = Path(folder, name)
                if path.is_file() or any(not one.is_dir() for one in path.iterdir()):
                    through(f"saw {path}")


def _environments(outside: dict[str, Any]) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if outside["canary"].encode() in (process / "environ").read_bytes():
                through(f"read the environment of process {process.name}")


def _processes(outside: dict[str, Any]) -> None:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(outside["sleeps"]).encode() in (process / "cmdline").read_bytes():
                through(f"saw process {process.name}")


def _kill_outside(outside: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        # The same number may be a process of this sandbox, which is none of the machine.
        if str(outside["sleeps"]).encode() in Path(f"/proc/{outside['process']}/cmdline").read_bytes():
            os.kill(outside["process"], signal.SIGTERM)


def _loopback(outside: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", outside["port"]), _SECONDS) as tcp:
        tcp.sendall(outside["canary"].encode())


def _around_the_proxy(outside: dict[str, Any]) -> None:
    """Ask the proxy of the command for the place that it may not reach, in several spellings."""
    proxy = int(os.environ.get("HTTPS_PROXY", "").rpartition(":")[2] or 0)
    port = outside["port"]
    hosts = ("127.0.0.1", "localhost", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "[::1]")
    for request in [f"CONNECT {host}:{port} HTTP/1.1" for host in hosts] + [f"GET http://127.0.0.1:{port}/ HTTP/1.1"]:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", proxy), _SECONDS) as tcp:
            tcp.settimeout(_SECONDS)
            tcp.sendall(f"{request}\r\n\r\n{outside['canary']}".encode())
            tcp.recv(1000)
            time.sleep(0.05)


def _network(_outside: dict[str, Any]) -> None:
    for _, name in socket.if_nameindex():
        if name != "lo":
            through(f"has the network interface {name}")
    for address in (("169.254.169.254", 80), ("192.0.2.1", 80)):
        with contextlib.suppress(OSError), socket.create_connection(address, 1.0):
            through(f"connected to {address[0]}")


def _names(_outside: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        through(f"looked up example.org: {socket.gethostbyname('example.org')}")


def _sockets(outside: dict[str, Any]) -> None:
    for path in (outside["socket"], f"\0{outside['abstract']}"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            one.sendall(outside["canary"].encode())
    for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock", "/run/dbus/system_bus_socket"):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            through(f"connected to {path}")


def _kernel_settings(_outside: dict[str, Any]) -> None:
    """Open for writing, and write nothing."""
    places = ("kernel/core_pattern", "kernel/modprobe", "kernel/hostname", "vm/drop_caches", "fs/protected_symlinks")
    for path in (*(f"/proc/sys/{place}" for place in places), "/proc/sysrq-trigger", "/sys/kernel/uevent_helper"):
        with contextlib.suppress(OSError), Path(path).open("ab"):
            through(f"may write {path}")


def _system_files(_outside: dict[str, Any]) -> None:
    for path in ("/etc/passwd", "/etc/hosts", "/usr/bin/env", "/bin/sh", sys.executable):
        with contextlib.suppress(OSError), Path(path).open("ab"):
            through(f"may write {path}")


def _devices(_outside: dict[str, Any]) -> None:
    for path in ("/dev/mem", "/dev/kmsg", "/dev/sda", "/dev/vda", "/dev/nvme0n1", "/dev/fuse", "/dev/kvm"):
        with contextlib.suppress(OSError):
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            through(f"opened {path}")


def _powers(_outside: dict[str, Any]) -> None:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    for name in ("CapEff", "CapPrm", "CapBnd"):
        if int(status[name], 16):
            through(f"has capabilities ({name} {status[name].strip()})")
    if status["NoNewPrivs"].strip() != "1":
        through("may gain rights through setuid programs")
    with contextlib.suppress(OSError):
        os.setuid(0)
        through("is root")


def _namespaces(_outside: dict[str, Any]) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER_NAMESPACE) == 0:
        through("made a user namespace, in which it has every capability")


def _calls(outside: dict[str, Any]) -> None:
    """Make each call with arguments that no kernel takes: what it says of them shows whether it has looked at them."""
    kernel = ctypes.CDLL(None, use_errno=True)
    for name, number in outside["calls"].items():
        ctypes.set_errno(0)
        answer = kernel.syscall(ctypes.c_long(number), *[ctypes.c_long(-1)] * 6)
        if answer != -1 or ctypes.get_errno() not in {errno.EPERM, errno.ENOSYS}:
            through(f"the kernel answers {name}: {os.strerror(ctypes.get_errno())}")


def _trace(_outside: dict[str, Any]) -> None:
    """Ask to be traced by the parent, then look at a child that waits."""
    kernel = ctypes.CDLL(None, use_errno=True)
    child = os.fork()
    if child == 0:
        os._exit(int(kernel.ptrace(_TRACE_ME, 0, 0, 0) == 0))
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1:
        through("may be traced")
    victim = subprocess.Popen(["sleep", "60"])
    if kernel.ptrace(_SEIZE, victim.pid, 0, 0) == 0:
        through("may trace another process")
    victim.kill()
    victim.wait()


def _families(_outside: dict[str, Any]) -> None:
    for name, family, kind in (("vsock", 40, socket.SOCK_STREAM), ("alg", 38, socket.SOCK_SEQPACKET)):
        with contextlib.suppress(OSError), socket.socket(family, kind):
            through(f"has a socket of the family {name}")


def _other_machine(_outside: dict[str, Any]) -> None:
    """Ask for the number of this process (getpid(2)) as a program of 32 bits does, where calls have other numbers."""
    if os.uname().machine != "x86_64":
        return
    child = os.fork()
    if child == 0:
        with mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC) as page:
            page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20; int 0x80; ret
            place = ctypes.addressof(ctypes.c_char.from_buffer(page))
            os._exit(int(ctypes.CFUNCTYPE(ctypes.c_int)(place)() == os.getpid()))
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1:
        through("the kernel answers calls of programs of 32 bits")


def _terminal(_outside: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), Path("/dev/tty").open("rb") as tty:
        fcntl.ioctl(tty, _PUT_INPUT, b" ")
        through("typed into the terminal")


def _outlive(outside: dict[str, Any]) -> None:
    """Leave children: in another session, without environment, with parents that end at once."""
    quiet = subprocess.DEVNULL
    for words in (("setsid", "-f"), ("env", "-i", "setsid", "-f"), ("nohup",)):
        argv = [*words, "sleep", str(outside["outlives"])]
        subprocess.Popen(argv, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)
    time.sleep(0.3)


def _forks(_outside: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        for _ in range(200):
            if os.fork() == 0:
                time.sleep(20)
                os._exit(0)
        through("made 200 processes where 40 are allowed")
        time.sleep(1)


def _memory(outside: dict[str, Any]) -> None:
    """Fill memory, by files that are kept in it and by objects."""
    millions = outside["memory"] * 2 // 1_000_000
    full = Path("/dev", "shm", f"full-{os.getpid()}")
    with contextlib.suppress(OSError), full.open("wb") as file:
        full.unlink()
        for _ in range(millions):
            file.write(b"x" * 1_000_000)
        time.sleep(1)
    kept = [b"y" * 1_000_000 * (number or 1) for number in (0, millions)]
    time.sleep(1)
    through(f"kept {len(kept[1]) // 1_000_000} MB where {outside['memory'] // 1_000_000} are allowed")


def _large_file(_outside: dict[str, Any]) -> None:
    with contextlib.suppress(OSError), Path("large").open("wb") as file:
        os.ftruncate(file.fileno(), 64 * 1024**3)
        through("made a file of 64 GiB")


def _many_files(outside: dict[str, Any]) -> None:
    """Write many files, and take the names of some away while they are open."""
    millions = outside["disk"] * 2 // 1_000_000
    with contextlib.ExitStack() as held, contextlib.suppress(OSError):
        for number in range(millions):
            file = held.enter_context(Path(f"many-{number}").open("wb"))
            file.write(b"x" * 1_000_000)
            if number % 2:
                Path(file.name).unlink()
        time.sleep(10)
        through(f"wrote {millions} MB where {outside['disk'] // 1_000_000} are allowed")


if __name__ == "__main__":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    globals()[f"_{sys.argv[1]}"](json.loads(Path(sys.argv[2]).read_text("utf-8")))
