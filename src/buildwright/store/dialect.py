"""What a journal needs of a database: a connection that runs steps, and the statements that each database writes its way.

Steps are generators of statements (`asking`). All other statements are the same in both, and stand where they are used.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from buildwright.store.asking import Asking

if TYPE_CHECKING:
    from buildwright.store.entry import JournalEntry

T = TypeVar("T")
Steps: TypeAlias = Callable[[], Asking[T]]
"""Makes the steps of one piece of work, anew for each try."""


class Dialect(Protocol):
    """Statements, and how values are stored. Expressions are SQL that stands in a statement."""

    is_postgres: bool
    """For functions that the two spell differently."""
    ids: str
    """A column's value is among those of parameter 1, which `many` makes."""
    starts: str
    """`build_id` starts with parameter 1."""
    row_version: str
    """Of an artifact's row: changes when the same artifact is put again."""
    row_bytes: str
    """Bytes of a row `{0}` with the large column `{1}`."""
    journal_bytes: str
    """A query for the bytes that `unnamed` has to read beyond what is at hand."""
    turn: str
    """A statement that waits until no other process counts, "" where there is one writer anyway."""

    def moment(self, seconds: float = 0.0) -> str:
        """Return an expression for the store's time, and `seconds` more."""

    def stored(self, at: datetime) -> Any:
        """Return a time as a parameter."""

    def text(self, at: Any) -> str:
        """Return the time of a row as text, as checksums have it."""

    def time(self, at: Any) -> datetime:
        """Return the time of a row."""

    def clean(self, text: str) -> str:
        """Return text that the database accepts."""

    def many(self, values: Sequence[str]) -> Any:
        """Return parameter 1 of `ids`."""

    def lock_build(self, build_id: str) -> str:
        """Return a statement that keeps others from taking the build, "" where there is one writer anyway."""

    def lock_log(self, build_id: str) -> str:
        """Return a statement that keeps others from writing the build's log, "" where there is one writer anyway."""

    def create(self, entry: JournalEntry, head: Sequence[str | None]) -> Asking[bool]:
        """Insert a head row and its first events; come to False, without a write, when there is one already.

        `head` is project, user, title, and the JSON of brief, plan and product document.
        """

    def append(self, entry: JournalEntry, token: int | None) -> Asking[bool]:
        """Compare and set the head row and insert the events; come to False, without a write, if it is another one."""

    def unnamed(self, digests: Collection[str]) -> Asking[set[str]]:
        """Come to those digests that no event names."""


class JournalConnection(Protocol):
    """Runs steps on a database. Raises what they raise; StoreFailed, Unreachable, DiskFull."""

    @property
    def dialect(self) -> Dialect: ...

    @property
    def where(self) -> Path | str:
        """The file, or the address as it may be shown."""

    def read(self, steps: Steps[T], size: int = 0) -> Awaitable[T]:
        """Run steps that change nothing. `size` in bytes gives them more time."""

    def write(
        self, name: str, steps: Steps[T], *, lock: str | None = None, size: int = 0, repeated: Steps[T] | None = None
    ) -> Awaitable[T]:
        """Run steps that change something; durable when this returns. `name` is their failpoint.

        With `lock`, a statement or "", they are one transaction that begins with it; without, they may be one for each
        statement. `repeated` runs in their place when an earlier try may have succeeded; else they run again.
        """

    async def close(self) -> None:
        """Finish work and close. Harmless when closed already."""
