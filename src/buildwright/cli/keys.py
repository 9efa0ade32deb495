"""Single keys of the terminal that a build is shown on. Must never read when another program has the terminal.

A key counts when it is pressed, without Enter, and is not echoed; Ctrl-C and Ctrl-Z stay signals. The terminal is as it
was before when the block ends, also when the program is stopped by Ctrl-Z and continued.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LOOK_SECONDS = 0.5
"""How long to wait, while another program has the terminal, before looking whether it is ours again."""
_MOST_BYTES = 64


class Keys:
    """Calls `on_key` with each character that is typed, from `start` to `stop`. Both may be called again."""

    def __init__(self, on_key: Callable[[str], None], fd: int) -> None:
        self._on_key = on_key
        self._fd = fd
        self._before: list[int | list[bytes | int]] | None = None
        self._looking: asyncio.TimerHandle | None = None
        self.taken = False
        """Whether a key that is typed now counts, as far as is known."""

    def start(self) -> None:
        """Take keys as soon as this process has the terminal. Must be called where a loop runs."""
        loop = asyncio.get_running_loop()
        if not self._is_ours():
            self._looking = loop.call_later(_LOOK_SECONDS, self.start)
            return
        with suppress(termios.error):
            if self._before is None:
                self._before = termios.tcgetattr(self._fd)
            single = termios.tcgetattr(self._fd)
            single[3] = int(single[3]) & ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(self._fd, termios.TCSADRAIN, single)
            loop.add_reader(self._fd, self._read)
            self.taken = True

    def stop(self) -> None:
        """Take no more keys, and leave the terminal as it was."""
        if self._looking is not None:
            self._looking.cancel()
        self._leave()
        if self._before is not None and self._is_ours():
            with suppress(termios.error):
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
        self._before = None

    def _read(self) -> None:
        if not self._is_ours():  # reading would stop this process
            self._leave()
            self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self.start)
            return
        try:
            typed = os.read(self._fd, _MOST_BYTES)
        except OSError:
            typed = b""
        if not typed:  # the terminal has gone
            self._leave()
        for key in typed.decode("utf-8", "ignore"):
            self._on_key(key)

    def _leave(self) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        self.taken = False

    def _is_ours(self) -> bool:
        """Return whether this process is in the terminal's foreground."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp()
        except OSError:
            return False


@contextmanager
def keys_taken(on_key: Callable[[str], None]) -> Iterator[Keys]:
    """Call `on_key` with each key typed on stdin until the end of the block. stdin must be a terminal."""
    keys, loop = Keys(on_key, sys.stdin.fileno()), asyncio.get_running_loop()
    keys.start()
    loop.add_signal_handler(signal.SIGCONT, keys.start)  # the shell may have changed the terminal meanwhile
    try:
        yield keys
    finally:
        loop.remove_signal_handler(signal.SIGCONT)
        keys.stop()
