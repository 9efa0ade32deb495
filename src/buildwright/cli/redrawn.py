"""What is redrawn below the lines that stay. Must never decide what is drawn: its caller gives it.

Between two drawings the cursor stands where the region begins, and nothing is counted back from its end: a terminal that
is made narrower breaks the lines of the region anew, into more rows than were drawn, and only it knows into how many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from rich.console import RenderHook
from rich.control import Control
from rich.segment import ControlType, Segment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType

_ERASE = "\r\x1b[J"
"""To the first column, and blank from there to the end of the screen."""


class Redrawn(RenderHook):
    """A region of a terminal, which moves down below each line that is printed through its console.

    `draw` is called for each drawing. The region is there until the end of the block, and leaves nothing.
    """

    def __init__(self, console: Console, draw: Callable[[], RenderableType]) -> None:
        self._console = console
        self._draw = draw

    def __enter__(self) -> Self:
        self._console.show_cursor(False)
        self._console.push_render_hook(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._console.pop_render_hook()
        self._console.print(_Codes(_ERASE), end="")
        self._console.show_cursor(True)

    def refresh(self) -> None:
        """Draw the region anew."""
        self._console.print(Control())

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return what is printed, with the region taken away before it and drawn below it. Rich calls this."""
        return [_Codes(_ERASE), *renderables, _Drawn(self._draw())]


class _Codes:
    """Control codes of the terminal."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        yield Segment(self._text, None, ((ControlType.CARRIAGE_RETURN,),))


class _Drawn:
    """The lines of the region, as many as the terminal has rows for, and the way back to the first."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        lines = console.render_lines(self._content, options, pad=False)[: max(1, options.size.height - 1)]
        for number, line in enumerate(lines):
            if number:
                yield Segment.line()
            yield from line
        back = f"\x1b[{len(lines) - 1}A" if len(lines) > 1 else ""
        yield from _Codes(f"\r{back}").__rich_console__(console, options)
