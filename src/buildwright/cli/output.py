"""Writes data to stdout and talk to stderr; with `--json`, stdout has JSON alone. Must never decide what to say.

Text of agents, models and repositories passes through `clean` before a terminal gets it: control sequences in it must
not move the cursor, retitle the window or forge lines.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console

    from buildwright.cli.table import TableCell

SCHEMA = 1
"""The version of every JSON object that the program prints. It changes when a key is removed or changes its meaning."""

_UNSAFE = re.compile(
    "\x1b\\[[0-9;?]*[ -/]*[@-~]"  # colour and cursor sequences, whole
    "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)"  # window titles and links, whole
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


_WORD = re.compile(r"\S*`[^`]*`\S*|\S+")
"""What a line is not broken in: a word, or what stands between backticks, which is mostly a command to copy."""
_COMMAND = re.compile(r" {4}\S")
_WORKFLOW_COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)

_LINE_BYTES = 65_536  # more than a terminal keeps of one line
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}


REASON = 6 * " "
"""What indents the lines that say why something failed: more than a command to copy, so that they are wrapped."""


def clean(text: str) -> str:
    """Return the text without control characters, except tab and newline, and without characters that reorder it."""
    return _UNSAFE.sub("", text)


def one_line(text: str, most: int = 200) -> str:
    """Return the first line that is not blank, safe to print, with at most `most` characters."""
    for line in text.splitlines():
        stripped = " ".join(clean(line).split())
        if stripped:
            return shortened(stripped, most)
    return ""


def shortened(text: str, most: int) -> str:
    """Return at most `most` characters of the text, up to its last whole word unless that would leave little of it."""
    if len(text) <= most:
        return text
    cut = text[: max(0, most - 3)]
    words = cut.rpartition(" ")[0].rstrip()
    return f"{words} ..." if len(words) > len(cut) // 2 else f"{cut}..."


def wrapped(text: str, width: int | None) -> str:
    """Return the text with lines of at most `width` cells, broken between words only; None for no limit.

    A line that exactly four spaces indent is a command to copy, and stays whole, as a longer word does and what stands
    between backticks.
    """
    from buildwright.cli.table import cells

    rows: list[str] = []
    for line in text.split("\n"):
        if width is None or _COMMAND.match(line) or cells(line) <= width:
            rows.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())]
        words = _WORD.findall(line)
        row = indent + words[0]
        for word in words[1:]:
            if cells(row) + 1 + cells(word) > width:
                rows.append(row)
                row = f"{indent}  {word}"
            else:
                row += f" {word}"
        rows.append(row)
    return "\n".join(rows)


class Glyphs:
    """Signs for states; plain ASCII if `encoding` cannot express them."""

    def __init__(self, encoding: str | None) -> None:
        try:
            "✓✗•↻‖…→".encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            self.done, self.bad, self.dot, self.again, self.pause, self.more = "ok", "x", "-", ">", "||", "..."
        else:
            self.done, self.bad, self.dot, self.again, self.pause, self.more = "✓", "✗", "•", "↻", "‖", "…"


class Output:
    """The two streams of one command. With `json`, stdout carries JSON lines and nothing else."""

    def __init__(self, json: bool = False, stdout: IO[str] | None = None, stderr: IO[str] | None = None) -> None:
        self.json = json
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self.reader_left = False
        """Whether the reader of stdout has gone, as with `| head`: no more data is written then."""

    @cached_property
    def talk(self) -> Console:
        """stderr as a Rich console. Once it is made, `say` prints through it, so that lines stay above the region."""
        return console_for(self._stderr)

    @property
    def width(self) -> int | None:
        """The width of stdout in terminal cells, None for a pipe or a file, where nothing needs to be cut."""
        return shutil.get_terminal_size().columns if self._stdout.isatty() else None

    @property
    def on_terminal(self) -> bool:
        """Whether stdout is a terminal."""
        return _is_terminal(self._stdout)

    @cached_property
    def glyphs(self) -> Glyphs:
        return Glyphs(getattr(self._stderr, "encoding", None))

    @property
    def can_animate(self) -> bool:
        """Whether stderr is a terminal that can redraw a region."""
        return _is_terminal(self._stderr)

    def data(self, fields: Mapping[str, Any]) -> None:
        """Write one JSON object with the schema version to stdout, on one line. A reader that has gone is no error."""
        if self.reader_left:
            return
        try:
            line = json.dumps({"schema": SCHEMA, **fields}, default=_as_json, ensure_ascii=False)
            self._stdout.write(line.replace("##[", "#\\u0023[") + "\n")  # the same JSON, and no workflow command
            self._stdout.flush()
        except BrokenPipeError:
            self.reader_left = True
            silence(self._stdout)

    def csv(self, names: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
        """Write a table with commas (RFC 4180) to stdout, its first line the names. A reader that has gone is no error."""
        import csv

        try:
            writer = csv.DictWriter(self._stdout, names)
            writer.writeheader()
            writer.writerows(rows)
            self._stdout.flush()
        except BrokenPipeError:
            self.reader_left = True
            silence(self._stdout)

    def print(self, content: str = "", style: str = "", *, wrap: bool = False) -> None:
        """Write a line for people to stdout. Square brackets are text, not markup; `wrap` is for prose, see `wrapped`."""
        content = wrapped(content, self.width) if wrap else content
        self._stdout.write(_painted([(content, style)], colours(self._stdout)) + "\n")
        self._stdout.flush()  # a program at the other end of a pipe gets it now

    def lines(self, table: Iterable[Sequence[TableCell]]) -> None:
        """Write the lines of a table to stdout."""
        coloured = colours(self._stdout)
        for line in table:
            self._stdout.write(_painted(line, coloured).rstrip() + "\n")

    def raw(self, text: str) -> None:
        """Write text for a program or a pager to stdout, unchanged."""
        self._stdout.write(text)

    def say(self, content: str = "", style: str = "", *, wrap: bool = False) -> None:
        """Write a line of talk to stderr; `wrap` is for prose, see `wrapped`."""
        if wrap and self._stderr.isatty():
            width = self.talk.width if "talk" in vars(self) else shutil.get_terminal_size().columns
            content = wrapped(content, width)
        if "talk" in vars(self):
            from rich.text import Text

            # A style given to `print` would colour the changing region below the line as well.
            self.talk.print(Text(clean(content), style=style), soft_wrap=True)
            return
        self._stderr.write(_painted([(content, style)], colours(self._stderr)) + "\n")
        self._stderr.flush()

    def piece(self, text: str) -> None:
        """Write a piece of a line of talk to stderr, now."""
        self._stderr.write(clean(text))
        self._stderr.flush()

    def command(self, line: str) -> None:
        """Write a line for the program that reads the log, such as a workflow command, to stderr as it is."""
        self._stderr.write(line + "\n")
        self._stderr.flush()

    @property
    def can_ask(self) -> bool:
        """Whether the user can be asked: there is a terminal, and no program reads what is printed."""
        return not self.json and sys.stdin.isatty() and _is_terminal(self._stderr)

    async def ask(self, prompt: str) -> str:
        """Write `prompt` to stderr; return the line that the user types on the terminal, "" at its end (Ctrl-D).

        Ctrl-C cancels the task at any moment, for it is the loop that waits: in a read that blocks it is lost.
        """
        import asyncio

        self.piece(prompt)
        terminal, loop, typed = sys.stdin.fileno(), asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(terminal, typed.set)
        try:
            await typed.wait()
        finally:
            loop.remove_reader(terminal)
        try:
            return os.read(terminal, _LINE_BYTES).decode(errors="replace")
        except OSError:  # the terminal has gone
            return ""

    async def confirm(self, question: str, yes: bool) -> bool:
        """Ask the user; return True without asking if `yes` is set, with `--json`, or without a terminal."""
        if yes or not self.can_ask:
            return True
        return (await self.ask(f"{question} [y/N] ")).strip().casefold() in {"y", "yes"}


def one_form(json: bool, csv: bool) -> bool:
    """Return whether stdout is for a program. Raises Contradiction when two forms are asked for."""
    from buildwright.errors import Contradiction

    if json and csv:
        raise Contradiction("--json and --csv are two forms of the same", fix="leave one of them out")
    return json or csv


def utc(moment: datetime | None) -> datetime | None:
    """Return a time that the user gave, in UTC unless it has a zone of its own."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def colours(stream: IO[str]) -> bool:
    """Return whether to write colours to a stream, by NO_COLOR, FORCE_COLOR, TERM and whether it is a terminal."""
    forced = os.environ.get("FORCE_COLOR", "") not in {"", "0"}
    return not os.environ.get("NO_COLOR") and (forced or _is_terminal(stream))


def console_for(stream: IO[str]) -> Console:
    """Return a Rich console for a changing region. Rich is imported only here: it is slow, and lines do not need it."""
    from rich.console import Console

    colour = colours(stream)
    return Console(
        file=stream,
        force_terminal=colour or _is_terminal(stream),
        color_system="auto" if colour else None,
        no_color=not colour,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def silence(stream: IO[str]) -> None:
    """Discard what is still written to a broken pipe, including the interpreter's own flush at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _is_terminal(stream: IO[str]) -> bool:
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def _painted(pieces: Iterable[tuple[str, str]], coloured: bool) -> str:
    """Join pieces of text and style into one cleaned line, with colours if `coloured`."""
    line = "".join(
        f"\x1b[{_CODES[style]}m{clean(text)}\x1b[0m" if coloured and style and text else clean(text)
        for text, style in pieces
    )
    return defused(line) if os.environ.get("GITHUB_ACTIONS") else line


def defused(text: str) -> str:
    """Return the text with nothing in it that a runner of GitHub Actions obeys: `::` at a line's begin, `##[`."""
    return _WORKFLOW_COMMAND.sub(lambda found: f"{found[0][:-1]} {found[0][-1]}", text)


def _as_json(value: object) -> object:
    """Return a value that json.dumps does not know as one that it does. Raises TypeError."""
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, frozenset | set):
        return sorted(value)
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")
