"""Finds and ends every process that one agent run started, wherever it hid. Must never touch a process without its mark.

Killing a process group is not enough: agents start tools in their own sessions, and a killed agent leaves them to the
init process. So each run has a mark in its environment, which children inherit; and those who drop the mark are
remembered while their parent still lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import psutil

MARK = "BUILDWRIGHT_RUN"
"""Name of the environment variable that carries the mark of a run."""


class Brood:
    """The processes of one run. `mark` must be unique to it."""

    def __init__(self, mark: str) -> None:
        self.mark = mark
        self._seen: set[psutil.Process] = set()

    def look(self) -> list[psutil.Process]:
        """Those alive now: the marked, their descendants, and any descendant seen earlier."""
        for process in _marked(self.mark):
            self._seen.add(process)
            try:
                self._seen.update(process.children(recursive=True))
            except psutil.Error:
                continue
        # psutil compares the start time too, so a reused process id is another process.
        self._seen = {process for process in self._seen if _is_alive(process)}
        return list(self._seen)

    def kill(self) -> bool:
        """SIGKILL to all of them; whether there was any."""
        alive = self.look()
        for process in alive:
            try:
                process.kill()
            except psutil.Error:
                continue
        return bool(alive)

    async def end(self) -> None:
        """Kill until none is left, in case one forked meanwhile."""
        pause = 0.005
        while self.kill():
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.2)


def _marked(mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                yield process
        except psutil.Error:
            continue
        except OSError:
            # A process that ends while its environment is read.
            continue


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
