"""The verb `logs` of what is in rows: as quick as `status`. Must never show a line twice.

Must never import the parser of command lines, asyncio or a model: each takes longer than all that is done here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from buildwright.cli.exit_codes import Exit
from buildwright.cli.log_text import log_rows
from buildwright.cli.output import Output

if TYPE_CHECKING:
    from buildwright.ports import LogLine

PAGE = 1000
"""Most lines that are read at once."""


def quick_logs(argv: Sequence[str]) -> Exit | None:
    """Carry out `logs` with these arguments, or return None: then the verb itself does it."""
    words, named, waiting = list[str](), {"--task": "", "--tail": "0"}, list(argv)
    while waiting:
        word = waiting.pop(0)
        if word in named and waiting and not waiting[0].startswith("-"):
            named[word] = waiting.pop(0)
        else:
            words.append(word)
    if len(words) > 1 or any(word.startswith("-") for word in words) or not named["--tail"].isdecimal():
        return None
    return _show(words[0] if words else "", named["--task"], int(named["--tail"]))


def _show(build: str, task: str, tail: int) -> Exit | None:
    """Print the log of a build of this home. Returns None for one elsewhere, and unless there is exactly one such."""
    from buildwright.settings import Settings
    from buildwright.store.build_rows import find_row, read_lines

    settings = Settings.load()
    if settings.server_url or settings.database_url or not settings.database.is_file():
        return None
    found = find_row(settings.database, "" if build == "newest" else build)
    if found is None:
        return None
    shown = ShownLog(Output(False), task)
    read = partial(read_lines, settings.database, found.row.build_id, task=task, limit=tail or PAGE, tail=tail > 0)
    more = shown.add(read(after=0))
    while more == PAGE and tail == 0 and not shown.output.reader_left:
        more = shown.add(read(after=shown.seen))
    shown.close()
    return Exit.DONE


class ShownLog:
    """Prints log lines of a build, or of one task when `task` is not "", and remembers how far it has come."""

    def __init__(self, output: Output, task: str) -> None:
        self.output = output
        self.task = task
        self.about: dict[str, str] = {}
        """The fields about the build that each JSON object begins with."""
        self.seen = 0
        """The number of the newest line that was added."""
        self._is_empty = True

    def add(self, lines: Sequence[LogLine]) -> int:
        """Print the lines that are new and of the task. Returns how many lines were given, printed or not."""
        for line in lines:
            if line.seq > self.seen and self.task in {"", line.task}:
                self._is_empty = False
                self._print(line)
        self.seen = max(self.seen, lines[-1].seq) if lines else self.seen
        return len(lines)

    def close(self) -> None:
        """Say so when nothing was printed."""
        if self._is_empty and not self.output.json:
            self.output.say("Nothing was logged." if not self.task else f"Nothing was logged for {self.task}.")

    def _print(self, line: LogLine) -> None:
        if self.output.json:
            self.output.data({**self.about, **line._asdict()})
            return
        style = "red" if line.kind in {"warned", "error"} else ""
        for row in log_rows(line):
            self.output.print(row, style=style)
