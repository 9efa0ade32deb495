"""The files of a build as they were at one of its events, and one file as coloured text. Must never read anything itself.

Colours are data: kinds of tokens by Pygments' short names, never HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from buildwright.core import event as e
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import Recorded
from buildwright.core.languages import language_of
from buildwright.core.record import Record
from buildwright.views.review import LineTouch

FileMark = Literal["", "new", "changed"]
MOST_FILES = 20_000
LARGEST = 1_000_000
"""Bytes of the largest file whose text is shown."""
LARGEST_COLOURED = 200_000
"""Characters of the largest text that is coloured: some languages take long to read."""

Token = tuple[str, str]
"""The kind of a token, as Pygments shortens it (`k` a keyword, `s2` a string, "" plain), and its text."""


class TreeFile(Record):
    """A file of the tree."""

    path: str
    size_bytes: int
    language: str = ""
    mark: FileMark = ""
    """Against the commit that the build stands on."""
    task: str = ""
    """The task that changed it last."""
    note: str = ""
    """Why its text is not shown, if that is known without reading it."""


class TreeView(Record):
    """All files of a build as of one event. The mirror has them, whatever has become of the user's checkout."""

    build: str
    at: int
    """Number of the event."""
    tree: str
    """Git's name of it; "" before the repository is prepared."""
    files: tuple[TreeFile, ...] = ()
    deleted: tuple[str, ...] = ()
    """Files of the base that are gone."""
    omitted: int = 0
    """Files that were left out because there are too many."""


class FileView(TreeFile):
    """One file as of one event."""

    build: str
    at: int
    lines: tuple[tuple[Token, ...], ...] | None = None
    """Its text in tokens, line by line without ends of lines; None when `note` says why it is not shown."""
    touched: tuple[LineTouch, ...] = ()
    """Which attempt wrote which of its lines last; lines that are as they were before the build are left out."""


class FilesMoment(Record):
    """An event that changed the files of a build, or from which on there are files."""

    seq: int
    at: datetime
    words: str
    task: str = ""
    commit: str = ""


class FilesMoments(Record):
    """The moments of a build's files, oldest first; the first is the base that it stands on."""

    build: str
    version: int
    moments: tuple[FilesMoment, ...] = ()


def moments_of(build: Build, events: Sequence[Recorded]) -> FilesMoments:
    """Return the events of a journal that changed the files of its build."""
    return FilesMoments(build=build.id, version=build.version, moments=tuple(_moments(build, events)))


def _moments(build: Build, events: Iterable[Recorded]) -> Iterator[FilesMoment]:
    for seq, at, event in events:
        match event:
            case e.TargetPrepared():
                yield FilesMoment(seq=seq, at=at, words="the base", commit=event.commit)
            case e.BuildForked() if event.head_tree:
                yield FilesMoment(seq=seq, at=at, words="as the build before left them", commit=event.head)
            case e.BaseChanged():
                yield FilesMoment(seq=seq, at=at, words="on a newer base", commit=event.commit)
            case e.ChangeUndone():
                yield FilesMoment(seq=seq, at=at, words=f"{event.task} undone", task=event.task, commit=event.commit)
            case e.ChangeLanded():
                plan = build.plan
                known = plan is not None and event.task in plan.position
                title = plan.task(event.task).title if plan is not None and known else ""
                words = f"{title or event.task} landed"
                yield FilesMoment(seq=seq, at=at, words=words, task=event.task, commit=event.commit)
            case _:
                pass  # changes no file of the build


def tree_view(
    build: Build, at: int, base: Mapping[str, str], blobs: Mapping[str, str], sizes: Mapping[str, int]
) -> TreeView:
    """Return the files of a build. `base` and `blobs` have the blob of each file of both trees, `sizes` those in bytes."""
    tasks = changed_by(build)
    shown = sorted(blobs)[:MOST_FILES]
    return TreeView(
        build=build.id,
        at=at,
        tree=build.head_tree or build.base_tree,
        files=tuple(
            TreeFile(
                path=path,
                size_bytes=sizes.get(path, 0),
                language=language_of(path),
                mark=mark_of(path, base, blobs),
                task=tasks.get(path, ""),
                note=too_large(sizes.get(path, 0)),
            )
            for path in shown
        ),
        deleted=tuple(sorted(base.keys() - blobs.keys()))[:MOST_FILES],
        omitted=len(blobs) - len(shown),
    )


def mark_of(path: str, base: Mapping[str, str], blobs: Mapping[str, str]) -> FileMark:
    """Return whether a file is new or changed against the base."""
    if path not in base:
        return "new"
    return "changed" if base[path] != blobs.get(path) else ""


def changed_by(build: Build) -> dict[str, str]:
    """Return the task that changed each file last, of those that have landed; nothing while all is as in the base."""
    if build.head_tree == build.base_tree:
        return {}
    done = ((state.landed, task, state.patch) for task, state in build.tasks.items() if state.phase is TaskPhase.DONE)
    landed = sorted((number, task) for number, task, patch in done if patch is not None)
    found: dict[str, str] = {}
    for _, task in landed:
        patch = build.task(task).patch
        found.update((path, task) for path in (patch.paths if patch is not None else ()))
    return found


def too_large(size: int) -> str:
    """Return why a file of this size is not shown, "" when it is."""
    return f"It has {size:,} bytes; files of more than {LARGEST:,} bytes are not shown." if size > LARGEST else ""


def coloured(path: str, content: bytes) -> tuple[tuple[tuple[Token, ...], ...] | None, str]:
    """Return the text of a file in tokens, line by line, and what there is to say of it.

    The text is None, with the reason, for a binary file. A long text is one plain token for each line.
    """
    if note := too_large(len(content)):
        return None, note
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        return None, "It is a binary file, which is not shown."
    text = text.replace("\r\n", "\n").removesuffix("\n")
    if len(text) > LARGEST_COLOURED:
        return tuple((("", line),) if line else () for line in text.split("\n")), "It is long, so it has no colours."
    return tuple(_lines(_tokens(path, text))), ""


def _tokens(path: str, text: str) -> Iterator[Token]:
    from pygments import lex
    from pygments.lexers import get_lexer_for_filename
    from pygments.token import STANDARD_TYPES
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_for_filename(path.rpartition("/")[2], stripnl=False, ensurenl=False)
    except ClassNotFound:
        yield "", text
        return
    for kind, value in lex(text, lexer):
        while kind not in STANDARD_TYPES and kind.parent is not None:
            kind = kind.parent  # noqa: PLW2901  the nearest kind with a short name
        yield STANDARD_TYPES.get(kind, ""), value


def _lines(tokens: Iterable[Token]) -> Iterator[tuple[Token, ...]]:
    """Yield the tokens of each line; those of one kind side by side become one."""
    line: list[Token] = []
    for kind, value in tokens:
        first, *rest = value.split("\n")
        for place, part in enumerate((first, *rest)):
            if place:
                yield tuple(line)
                line = []
            if part and line and line[-1][0] == kind:
                line[-1] = (kind, line[-1][1] + part)
            elif part:
                line.append((kind, part))
    yield tuple(line)
