"""Where words and data go: data on stdout, talk on stderr, JSON alone on stdout when asked. Never decides what to say.

Text that agents, models and repositories wrote passes `clean` before a terminal sees it: control sequences in it must
not move the cursor, retitle the window or forge lines.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

SCHEMA = 1
"""Version of every JSON object that the program prints; it changes when a key changes its meaning or goes."""

_UNSAFE = re.compile(
    "\x1b\\[[0-9;?]*[ -/]*[@-~]"  # colour and cursor sequences, whole
    "|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)"  # window titles and links, whole
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)


def clean(text: str) -> str:
    """The text without control characters (tabs and newlines stay) and without characters that reorder it."""
    return _UNSAFE.sub("", text)


def one_line(text: str, most: int = 200) -> str:
    """The first line with something on it, safe to print, at most `most` characters."""
    for line in text.splitlines():
        stripped = " ".join(clean(line).split())
        if stripped:
            return stripped if len(stripped) <= most else stripped[: most - 3] + "..."
    return ""


class Glyphs:
    """Signs for states, with a plain fallback for streams that cannot show them."""

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
        """The reader of stdout has gone (`| head`): nothing more is written to it."""

    @cached_property
    def console(self) -> Console:
        """For people, on stdout."""
        return console_for(self._stdout)

    @cached_property
    def talk(self) -> Console:
        """For people, on stderr."""
        return console_for(self._stderr)

    @cached_property
    def glyphs(self) -> Glyphs:
        return Glyphs(getattr(self._stderr, "encoding", None))

    @property
    def can_animate(self) -> bool:
        """stderr is a terminal that can redraw a region."""
        return _is_terminal(self._stderr)

    def data(self, fields: Mapping[str, Any]) -> None:
        """One JSON object, on one line, stamped with the schema. A reader that has left is not an error."""
        if self.reader_left:
            return
        try:
            self._stdout.write(json.dumps({"schema": SCHEMA, **fields}, default=_as_json, ensure_ascii=False) + "\n")
            self._stdout.flush()
        except BrokenPipeError:
            self.reader_left = True
            silence(self._stdout)

    def print(self, content: RenderableType = "", style: str = "") -> None:
        """For people, on stdout. Strings are shown as they are (no markup), and never wrapped."""
        _show(self.console, content, style)

    def raw(self, text: str) -> None:
        """Text for a program or a pager, on stdout, unchanged."""
        self._stdout.write(text)

    def say(self, content: RenderableType = "", style: str = "") -> None:
        """Talk, on stderr."""
        _show(self.talk, content, style)

    def confirm(self, question: str, yes: bool) -> bool:
        """Ask, where somebody can answer; where nobody can, or with `yes`, the command line was the answer."""
        if yes or self.json or not sys.stdin.isatty() or not _is_terminal(self._stderr):
            return True
        self._stderr.write(f"{question} [y/N] ")
        self._stderr.flush()
        return sys.stdin.readline().strip().casefold() in {"y", "yes"}


def console_for(stream: IO[str]) -> Console:
    """A Rich console that obeys NO_COLOR, FORCE_COLOR and TERM=dumb, and draws no wider than the terminal."""
    from rich.console import Console

    forced = os.environ.get("FORCE_COLOR", "") not in {"", "0"}
    colour = not os.environ.get("NO_COLOR") and (forced or _is_terminal(stream))
    width = None if stream.isatty() or os.environ.get("COLUMNS") else 120
    return Console(
        file=stream,
        force_terminal=colour or _is_terminal(stream),
        color_system="auto" if colour else None,
        no_color=not colour,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def silence(stream: IO[str]) -> None:
    """Let what is still written to a broken pipe go nowhere, the interpreter's own flush at exit included."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def _is_terminal(stream: IO[str]) -> bool:
    return stream.isatty() and os.environ.get("TERM") not in {"dumb", "unknown"}


def _show(console: Console, content: RenderableType, style: str) -> None:
    if isinstance(content, str):
        from rich.text import Text

        # A style given to `print` would colour the live region below the line as well.
        console.print(Text(clean(content), style=style), soft_wrap=True)
    else:
        console.print(content)


def _as_json(value: object) -> object:
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
