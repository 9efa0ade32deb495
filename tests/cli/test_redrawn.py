"""The region that is redrawn, on a terminal of the test's own that breaks its lines anew when it is made narrower."""

from __future__ import annotations

import io
import re

from rich.console import Console

from buildwright.cli.redrawn import Redrawn

_PART = re.compile(r"\x1b\[\??(\d*)([A-Za-z])|\r|\n|[^\x1b\r\n]+")


class _Terminal(io.StringIO):
    """What is written shows on lines that are broken at `width`, as terminals do that keep long lines whole."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.lines = [""]
        self._line = self._column = 0

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        for part in _PART.finditer(text):
            match part.group(2), part.group():
                case "J", _:
                    self.lines = [*self.lines[: self._line], self.lines[self._line][: self._column]]
                case "A", _:
                    for _ in range(int(part.group(1) or 1)):
                        self._up()
                case None, "\r":
                    self._column -= self._column % self.width
                case None, "\n":
                    self._line, self._column = self._line + 1, 0
                    self.lines += [""] * (self._line + 1 - len(self.lines))
                case None, words:
                    line = self.lines[self._line]
                    end = self._column + len(words)
                    self.lines[self._line] = line[: self._column].ljust(self._column) + words + line[end:]
                    self._column = end
        return len(text)

    def _up(self) -> None:
        if self._column >= self.width:
            self._column -= self.width
        elif self._line:
            self._line -= 1
            last_row = max(0, len(self.lines[self._line]) - 1) // self.width
            self._column = last_row * self.width + self._column % self.width


def test_a_region_leaves_nothing_behind_when_the_terminal_becomes_narrower_or_wider() -> None:
    terminal = _Terminal(60)
    console = Console(file=terminal, force_terminal=True, color_system=None, width=60, height=20, markup=False)
    count = 0

    def draw() -> str:
        return f"building {count} of 3 tasks done, 2 working\n  one working, an agent says words\n  keys"

    with Redrawn(console, draw) as region:
        console.print("one started")
        region.refresh()
        for width in (25, 14, 60, 20):
            terminal.width = console.width = width
            count += 1
            region.refresh()
            console.print(f"line {count}")
            region.refresh()
        assert [line.rstrip() for line in terminal.lines[:5]] == ["one started", "line 1", "line 2", "line 3", "line 4"]
        assert "".join(terminal.lines).count("building") == 1
        assert "".join(terminal.lines).count("keys") == 1
    assert [line for line in terminal.lines if line.strip()] == ["one started", "line 1", "line 2", "line 3", "line 4"]


def test_a_region_is_no_higher_than_the_terminal() -> None:
    terminal = _Terminal(20)
    console = Console(file=terminal, force_terminal=True, color_system=None, width=20, height=4, markup=False)
    with Redrawn(console, lambda: "a\nb\nc\nd\ne") as region:
        region.refresh()
        region.refresh()
        assert [line.strip() for line in terminal.lines] == ["a", "b", "c"]
