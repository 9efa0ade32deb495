"""Starts the program for tests from a process that has imported it: imports are most of what a start takes.

Every worker of the tests has one such process. A start is a copy of it (fork), which then does what `python -m buildwright`
does: it has its own directory, environment, streams, signals and exit code. `Starter` and `Started` are for tests; what
follows them runs in the process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any

SOURCE = Path(__file__).parents[1] / "src"
_AT_ITS_START = ("PYTHON", "LANG", "LC_", "LD_", "MALLOC_")
"""How the variables begin that Python and the libraries of C read when they start, and never again."""
_OWN_PROGRAMS = ("__main__", "_program", "pytest_plugin")
"""How the modules end that are not imported, but run."""


class Starter:
    """Starts the program with an environment like the one given."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._fixed = _fixed(environment)
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,  # as they are for the program: Python asks the streams at its start what they are
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                preexec_fn=as_in_a_terminal,  # noqa: PLW1509  it only sets signals
            )

    def can(self, environment: Mapping[str, str]) -> bool:
        """Whether a program with this environment may be a copy: what Python reads when it starts is the same."""
        return _fixed(environment) == self._fixed

    def start(self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str]) -> Started:
        ours, theirs = socket.socketpair()
        out, out_end = os.pipe()
        errors, errors_end = os.pipe()
        nothing = os.open(os.devnull, os.O_RDONLY)
        with theirs:
            socket.send_fds(self._requests, [b"start"], [theirs.fileno(), nothing, out_end, errors_end])
        for number in (nothing, out_end, errors_end):
            os.close(number)
        what = {"arguments": arguments, "directory": str(directory), "environment": dict(environment)}
        ours.sendall(json.dumps(what).encode())
        ours.shutdown(socket.SHUT_WR)
        try:
            return Started(arguments, ours, out, errors)
        except ValueError:
            raise RuntimeError(f"the starter has ended: {self._process.communicate()[1].decode()}") from None

    def close(self) -> None:
        """End the process; what it has started may still run."""
        self._requests.close()
        self._process.communicate(timeout=60)


class Started:
    """A program that a `Starter` has started; its methods do what those of `subprocess.Popen` do."""

    def __init__(self, arguments: Sequence[str], answers: socket.socket, out: int, errors: int) -> None:
        self.args = ["buildwright", *arguments]
        self.returncode: int | None = None
        self.stdout: IO[str] = os.fdopen(out, encoding="utf-8")
        self.stderr: IO[str] = os.fdopen(errors, encoding="utf-8")
        self._socket = answers
        self._answers = answers.makefile("rb")
        self._readers: list[threading.Thread] = []
        self._read = {"stdout": "", "stderr": ""}
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._socket], [], [], 0)[0]:
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._socket.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            select.select([self._socket], [], [], timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        until = None if timeout is None else time.monotonic() + timeout
        if not self._readers:
            self._readers = [threading.Thread(target=self._read_all, args=[name], daemon=True) for name in self._read]
            for reader in self._readers:
                reader.start()
        for reader in self._readers:
            reader.join(None if until is None else max(0.0, until - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        return self._read["stdout"], self._read["stderr"]

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Started:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()

    def _read_all(self, name: str) -> None:
        stream: IO[str] = getattr(self, name)
        with stream:
            self._read[name] = stream.read()


def plain_environment() -> dict[str, str]:
    """The environment of a program that a test starts, but for its home."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "USER", "KF_RULE_CACHE_DIR")
    own = {name: os.environ[name] for name in kept if name in os.environ}
    return own | {"PYTHONPATH": str(SOURCE), "PYTHONUTF8": "1"}


def as_in_a_terminal() -> None:
    """What whoever runs the tests ignores (they may run in the background) is not ignored by the program."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _fixed(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_AT_ITS_START)}


def _main(requests: socket.socket) -> None:
    """Copy this process for every request, until the tests have gone. Returns in a copy, which is to be the program."""
    import buildwright

    for module in pkgutil.walk_packages(buildwright.__path__, "buildwright."):
        if not module.name.endswith(_OWN_PROGRAMS) and ".migrations." not in module.name:
            importlib.import_module(module.name)
    gc.collect()
    gc.freeze()  # what is there now is not looked at again, and so stays shared with the copies
    copies: dict[int, tuple[int, socket.socket]] = {}
    while True:
        looked_at: list[Any] = [requests, *copies]
        ready, _, _ = select.select(looked_at, [], [])
        for ended in copies.keys() & set(ready):
            process, answers = copies.pop(ended)
            _, status = os.waitpid(process, 0)
            with answers, suppress(ConnectionError):  # the test may not ask how it ended
                answers.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
            os.close(ended)
        if requests not in ready:
            continue
        data, numbers, _, _ = socket.recv_fds(requests, 16, 4)
        if not data:
            os._exit(0)
        answers, streams = socket.socket(fileno=numbers[0]), numbers[1:]
        with answers.makefile("rb") as request:
            what = json.load(request)
        process = os.fork()
        if process == 0:
            for each in (requests, answers, *(other for _, other in copies.values())):
                each.close()
            for number in copies:
                os.close(number)
            return _become(what, streams)
        answers.sendall(b"%d\n" % process)
        copies[os.pidfd_open(process)] = process, answers
        for number in streams:
            os.close(number)


def _become(what: dict[str, Any], streams: list[int]) -> None:
    """Make of this process what it would be if it had been started with these."""
    for place, number in enumerate(streams):
        os.dup2(number, place)
        os.close(number)
    os.environ.clear()
    os.environ.update(what["environment"])
    time.tzset()
    os.chdir(what["directory"])
    sys.path[0] = what["directory"]
    sys.argv[1:] = what["arguments"]


if __name__ == "__main__":
    _main(socket.socket(fileno=int(sys.argv[1])))
    try:
        runpy.run_module("buildwright", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        # As the copies of multiprocessing end. To take down all that was imported would copy it first.
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))
