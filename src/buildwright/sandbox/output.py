"""Output of a command, kept within a limit. Must never hold more than the limit and one piece."""

from __future__ import annotations


class HeadAndTail:
    """The beginning and the end of a stream of at most `limit` bytes; the middle is dropped, and a line says so."""

    def __init__(self, limit: int) -> None:
        self._half = max(limit // 2, 1)
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, piece: bytes) -> None:
        """Add the next piece of the stream."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += piece[:room]
            piece = piece[room:]
        self._tail += piece
        if len(self._tail) > 2 * self._half:
            self._trim()

    @property
    def cut(self) -> bool:
        """Whether anything was dropped."""
        return self._dropped > 0 or len(self._tail) > self._half

    def content(self) -> bytes:
        """Return what is kept; a line in the middle says how many bytes were dropped."""
        self._trim()
        if not self._dropped:
            return bytes(self._head + self._tail)
        return bytes(self._head) + f"\n[... {self._dropped} bytes cut ...]\n".encode() + bytes(self._tail)

    def _trim(self) -> None:
        over = len(self._tail) - self._half
        if over > 0:
            del self._tail[:over]
            self._dropped += over
