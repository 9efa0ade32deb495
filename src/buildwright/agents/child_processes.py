"""Finds and ends every process that one agent run started. Must never touch a process without its mark.

Killing a process group is not enough: agents start tools in their own sessions, and a killed agent leaves them to the
init process. So each run has a mark in its environment, which children inherit; children that drop the mark are
remembered while their parent still lives. A run whose own process was killed cannot clean up: its mark names that
process and its home, and the next run of that home ends what it left (`end_orphans`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import psutil

from buildwright.process_table import is_abandoned, new_mark

MARK = "BUILDWRIGHT_RUN_MARK"
"""Environment variable with the mark of a run. Another form of mark needs another name: an older version would take
every process with an unknown form for an orphan."""


def end_orphans(home: str) -> int:
    """Kill processes of this home's runs whose own process is dead; return how many there were."""
    count = 0
    for mark in sorted({mark for mark, _ in _marked()}):
        if is_abandoned(mark, {home}):
            brood = ChildProcesses(mark)
            count += len(brood.look())
            brood.kill()
    return count


class ChildProcesses:
    """The processes of one run. Give `mark` only for a run of another process.

    `home` is the tag of the home whose later runs may end what this one leaves.
    """

    def __init__(self, mark: str = "", home: str = "") -> None:
        self.mark = mark or new_mark(home)
        self._seen: set[psutil.Process] = set()
        self._looked = -1.0

    def glance(self) -> None:
        """Call `look`, but at most twice a second: reading every process costs some milliseconds."""
        if time.monotonic() - self._looked > 0.5:
            self.look()

    def look(self) -> list[psutil.Process]:
        """Return the processes alive now: the marked ones, their descendants, and descendants seen earlier."""
        self._looked = time.monotonic()
        for mark, process in _marked():
            if mark != self.mark:
                continue
            self._seen.add(process)
            try:
                self._seen.update(process.children(recursive=True))
            except psutil.Error:
                continue
        # psutil compares the start time too, so a reused process id is another process.
        self._seen = {process for process in self._seen if _is_alive(process)}
        return list(self._seen)

    def kill(self) -> bool:
        """Send SIGKILL to all of them; return whether there were any."""
        alive = self.look()
        for process in alive:
            try:
                process.kill()
            except psutil.Error:
                continue
        return bool(alive)

    async def end(self) -> None:
        """Kill until none is left, in case one has forked meanwhile."""
        pause = 0.005
        while self.kill():
            await asyncio.sleep(pause)
            pause = min(pause * 2, 0.2)


def _marked() -> Iterator[tuple[str, psutil.Process]]:
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK)
            if mark:
                yield mark, process
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
