"""The program on a terminal of its own, for the tests of what is asked and typed."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.conftest import Program
from tests.starter import as_in_a_terminal


class Terminal:
    """The program on a terminal of its own."""

    def __init__(self, program: Program, *arguments: str | Path, **variables: str) -> None:
        self._master, child = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "buildwright", *map(str, arguments)],
            cwd=program.directory,
            env=program.environment | {"TERM": "xterm", "NO_COLOR": "1"} | variables,
            stdin=child,
            stdout=child,
            stderr=child,
            start_new_session=True,
            preexec_fn=as_in_a_terminal,  # noqa: PLW1509  it only sets signals
        )
        os.close(child)
        self.shown = ""
        self._patience = program.patience

    def wait_for(self, text: str) -> str:
        """Read until the text is shown; return all that was shown since the last call."""
        deadline = time.monotonic() + self._patience
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} never came: {self.shown!r}"
            try:
                read = os.read(self._master, 65_536)
            except OSError:
                read = b""
            assert read, f"it ended before {text!r} came: {self.shown!r}"
            self.shown += read.decode(errors="replace").replace("\r\n", "\n")
        before, found, self.shown = self.shown.partition(text)
        return before + found

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def press(self, key: bytes) -> None:
        os.write(self._master, key)

    def end(self) -> int:
        """Read to the end; return the exit code."""
        deadline = time.monotonic() + self._patience
        while True:
            assert select.select([self._master], [], [], max(deadline - time.monotonic(), 0))[0], (
                f"it does not end: {self.shown!r}"
            )
            try:
                read = os.read(self._master, 65_536)
            except OSError:
                break
            if not read:
                break
            self.shown += read.decode(errors="replace").replace("\r\n", "\n")
        return self.process.wait(timeout=self._patience)


@contextmanager
def terminal(program: Program, *arguments: str | Path, **variables: str) -> Iterator[Terminal]:
    """Start the program on a terminal; it is ended at the end of the block."""
    opened = Terminal(program, *arguments, **variables)
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
            opened.process.wait()
        os.close(opened._master)
