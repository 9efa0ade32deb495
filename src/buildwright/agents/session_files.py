"""The conversation of an agent's program, kept as the files that it wrote below its home. Must never follow a link."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

from buildwright.confined_fs import read_beneath, write_beneath
from buildwright.core.record import Record
from buildwright.errors import NotFound, UnsafePath
from buildwright.ports import Assignment

LARGEST = 16 * 1024 * 1024
"""Bytes of all files of a conversation that is kept; a larger one is begun anew."""


_MINUTE = re.compile(r"(?<=session-)\d{4}-\d\d-\d\dT\d\d-\d\d(?=-[0-9a-f]{8}\.jsonl$)")
"""In names of Gemini's: it begins the file anew of a conversation that it loads in the minute in which that was begun."""


class KeptConversation(Record):
    """A kept conversation: files by their path below the home, which name the lane and the home of their time."""

    session: str
    lane: str
    home: str
    files: dict[str, str]


def save(session: str, patterns: tuple[str, ...], assignment: Assignment) -> str | None:
    """Return the conversation as text to keep; None where there is none, or it is too large."""
    home, files, size = assignment.home, dict[str, str](), 0
    for pattern in patterns:
        for name in _names(home, pattern):
            try:
                content = _whole_lines(name, read_beneath(home, name, LARGEST + 1))
            except (NotFound, UnsafePath):
                continue
            size += len(content)
            if size > LARGEST:
                return None
            if content:
                files[name] = content.decode("utf-8", "replace")
    if not files:
        return None
    lane = os.path.realpath(assignment.lane)
    return KeptConversation(session=session, lane=lane, home=str(home), files=files).model_dump_json()


def _names(home: Path, pattern: str) -> list[str]:
    """Return the files of a pattern; none where folders go while they are looked through."""
    try:
        return sorted(path.relative_to(home).as_posix() for path in home.glob(pattern))
    except OSError:
        return []


def _whole_lines(name: str, content: bytes) -> bytes:
    """Return a file of JSON lines without a last one that is still being written, or was when its program was killed."""
    before, _, last = content.rpartition(b"\n")
    if not name.endswith(".jsonl") or not last:
        return content
    try:
        json.loads(last)
    except (ValueError, RecursionError):
        return before + b"\n" if before else b""
    return content


def decode(text: str) -> KeptConversation | None:
    """Return the kept conversation, None if it cannot be read."""
    try:
        return KeptConversation.model_validate_json(text)
    except ValueError:
        return None


def restore(kept: KeptConversation, assignment: Assignment) -> None:
    """Write the files into the home, with the old lane and home replaced by those of this attempt."""
    lane = os.path.realpath(assignment.lane)
    moves = ((kept.lane, lane), (kept.home, str(assignment.home)))
    for number, (path, content) in enumerate(kept.files.items()):
        # Some name a folder after the lane.
        name, text = path.replace(_as_name(kept.lane), _as_name(lane)), content
        for old, new in moves:
            text = text.replace(json.dumps(old)[1:-1], json.dumps(new)[1:-1])
        name = _MINUTE.sub(f"2000-01-01T00-{number:02}", name)
        write_beneath(assignment.home, name, text.encode("utf-8", "replace"))


def _as_name(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "-", path)
