"""Searches the content of files for secrets: engine, our rules, joined literals, key files. Must never write or print.

A content is read as it is, also if only a few of its lines are new: rules that need a neighbour, keys of many lines and
paths work then. What is new is found afterwards, by comparing with the content before (`found.added`).
Literals that code puts together are joined, so that a secret in pieces is seen whole; no code is run for that.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.secret_scan.found import FoundSecret
from buildwright.secret_scan.judge import GENERIC, NAME_ABOVE, HitPlace, is_secret
from buildwright.secret_scan.key_files import kind_of_key_file
from buildwright.secret_scan.kinds import CONTENT_UNREAD
from buildwright.secret_scan.native import PREFIX, Hit, Progress, load, search

if TYPE_CHECKING:
    from kingfisher_sdk import Scanner

LARGEST = 64_000_000
"""In bytes; a larger file is not searched, which is a finding of its own."""

_BLAND = 100_000
_WORDS = tuple(
    b"pass pwd secret token key auth credential login salt curl identified mysql redis-cli docker hmac jwt fernet sig= "
    b"connection -----begin putty allow ignore q~".split()
)
"""In small letters, of which a content that may hold a secret has one, if it has neither of the next two."""
_ADDRESS = re.compile(rb"://[^\s/]{0,80}:")
_FIELD = re.compile(rb":\d{2,5}:")
_RUN = re.compile(rb"[\w+/=-]{15,}")
_DIGITS = frozenset(b"0123456789")
_AROUND = 400
_HEAD = 8000
"""A content with a zero byte in its head is binary, as git has it: names and values do not stand side by side there."""
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class SecretScanner:
    """Searches contents. `folder` keeps the compiled rules; they are loaded when a content first needs them."""

    def __init__(self, folder: Path | None = None, say: Progress | None = None) -> None:
        self._folder = folder
        self._say = say

    def scan(self, path: str, content: bytes) -> list[FoundSecret]:
        """Return the secrets in a file, by line. Takes seconds if the rules must be compiled. Raises ToolMissing."""
        if not content:
            return []
        if kind := kind_of_key_file(path, content):
            return [FoundSecret(kind, path, 0, content)]
        if len(content) > LARGEST:
            return [too_large(path)]
        text = _as_utf8(content)
        if len(text) < _BLAND and not _may_hold(text):
            return []
        engine = load(self._folder, self._say)
        hits = search(engine, path, text)
        if b"\0" in text[:_HEAD]:
            hits = [hit for hit in hits if hit.rule not in GENERIC]
        hits = [_to_zero(hit) for hit in hits]
        kept = _kept(path, text, hits)
        joined = join(text)
        if joined is not None:
            pieces = _kept(path, joined.content, _over_joints(engine, path, joined))
            kept += [
                hit._replace(start=joined.original(hit.start), end=joined.original(hit.end - 1) + 1) for hit in pieces
            ]
        return list(_by_line(path, text, kept))


def _to_zero(hit: Hit) -> Hit:
    """Return a match of a name and a value up to the first zero byte, which ends a value as the end of a line does."""
    if hit.rule not in GENERIC or b"\0" not in hit.value:
        return hit
    value = hit.value[: hit.value.index(b"\0")]
    return hit._replace(value=value, end=hit.end if hit.encoded else hit.start + len(value))


def _may_hold(text: bytes) -> bool:
    """Return whether anything in a short text could be a secret; without, the rules need not be loaded."""
    small = text.lower()
    if any(word in small for word in _WORDS) or _ADDRESS.search(text) or _FIELD.search(text):
        return True
    runs = (found[0] for found in _RUN.finditer(text))
    return any((run.isalpha() and not (run.islower() or run.istitle())) or _DIGITS & set(run) for run in runs)


def too_large(path: str) -> FoundSecret:
    """Return the finding that stands for a file which is not searched."""
    return FoundSecret(CONTENT_UNREAD, path, 0, path.encode("utf-8", "surrogateescape"))


def _as_utf8(content: bytes) -> bytes:
    """Return UTF-16 text as UTF-8, all else as it is."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content.decode(name, "replace").encode() if name != "utf-8" else content
    if content[1:200:2].count(0) > 60 and content[0:200:2].count(0) == 0:
        return content.decode("utf-16-le", "replace").encode()
    return content


def _over_joints(engine: Scanner, path: str, joined: Joined) -> list[Hit]:
    """Return the matches that were in pieces."""
    found = []
    for start, stop in joined.windows():
        for hit in search(engine, path, joined.content[start:stop]):
            moved = hit._replace(start=hit.start + start, end=hit.end + start)
            if joined.crosses(moved.start, moved.end):
                found.append(moved)
    return found


def _kept(path: str, content: bytes, hits: list[Hit]) -> list[Hit]:
    """Return the matches that are secrets."""
    return [hit for hit in hits if is_secret(hit, hit.value.decode("utf-8", "replace"), _place(path, content, hit))]


def _place(path: str, content: bytes, hit: Hit) -> HitPlace:
    start = max(content.rfind(b"\n", 0, hit.start) + 1, hit.start - _AROUND)
    if hit.start - start < 4 or hit.rule == NAME_ABOVE:
        # The name may stand on the line before.
        start = max(content.rfind(b"\n", 0, max(start - 1, 0)) + 1, hit.start - _AROUND)
    stop = content.find(b"\n", hit.end)
    stop = min(len(content) if stop < 0 else stop, hit.end + _AROUND)
    before, after = (
        content[start : hit.start].decode("utf-8", "replace"),
        content[hit.end : stop].decode("utf-8", "replace"),
    )
    return HitPlace(path, before + hit.value.decode("utf-8", "replace") + after, before, after)


def _by_line(path: str, text: bytes, kept: list[Hit]) -> Iterator[FoundSecret]:
    """Yield one secret for each place: where matches overlap, the one of the most special rule."""
    end, line, counted = -1, 1, 0
    for hit in sorted(kept, key=lambda one: (one.start, _rank(one.rule), -one.end)):
        if hit.start < end:
            continue
        end = max(end, hit.end)
        line += text.count(b"\n", counted, hit.start)
        counted = hit.start
        yield FoundSecret(_kind(hit.rule), path, line, hit.value)


def _rank(rule: str) -> int:
    return 0 if not rule.startswith(PREFIX) else 2 if rule in GENERIC else 1


def _kind(rule: str) -> str:
    """Return the name of a rule as users see it: without the catalogue it is from and the number of its variant."""
    if rule in GENERIC:
        return "hardcoded-secret"
    return re.sub(r"\.\d+$", "", re.sub(r"^(?:betterleaks\.|veles\.secrets/|buildwright\.)", "", rule))


_QUOTE = rb"[\"'`]"
# A closing quote, an operator or a line's end, an opening quote: "a" + "b", "a" . "b", "a" "b", "a" \ "b".
_JOINT = re.compile(
    rb"[\"'`](?<=[\w+/=.~@:$!-][\"'`])[ \t]{0,20}(?:[+.&~]|\.\.|<>|\|\|)?[ \t]{0,20}"
    rb"(?:\\?\r?\n[ \t]{0,80})?(?:(?:[+.&~]|\|\|)[ \t]{0,20})?[rbfuRBFU]{0,2}[\"'`](?=[\w+/=.~@:$!-])"
)
_LISTS = re.compile(rb"join\(\s{0,20}[\[(]([^\])\n]{1,2000})[\])]|\[([^\]]{1,2000})\]\s{0,20}\.\s{0,20}join\(")
_COMMA = re.compile(_QUOTE + rb"\s{0,40},\s{0,40}[rbfu]?" + _QUOTE)
_MOST = 20_000
_AROUND_PART = 300


class Joined(NamedTuple):
    """A text without its joints. `places[n]` is where the n-th joint was in it, `removed[n]` the bytes gone by then."""

    content: bytes
    places: list[int]
    removed: list[int]

    def original(self, offset: int) -> int:
        """Return where a byte of the joined text stands in the original."""
        at = bisect_right(self.places, offset)
        return offset + (self.removed[at - 1] if at else 0)

    def windows(self) -> Iterator[tuple[int, int]]:
        """Yield the pieces of the joined text around its joints, as first and last byte; they do not overlap."""
        start, stop = -1, -1
        for place in self.places:
            if start < 0 or place - _AROUND_PART > stop:
                if start >= 0:
                    yield start, stop
                start = max(place - _AROUND_PART, 0)
            stop = min(place + _AROUND_PART, len(self.content))
        if start >= 0:
            yield start, stop

    def crosses(self, start: int, end: int) -> bool:
        """Return whether a piece of the joined text was in two pieces."""
        return bisect_right(self.places, start) < bisect_right(self.places, end - 1)


def join(content: bytes) -> Joined | None:
    """Return the content with its string literals joined, None when there is nothing to join."""
    spans = [found.span() for found in _JOINT.finditer(content)][:_MOST]
    if b"join(" in content:
        for found in _LISTS.finditer(content):
            start = found.start(found.lastindex or 0)
            spans += [
                (start + a, start + b) for a, b in (c.span() for c in _COMMA.finditer(found[found.lastindex or 0]))
            ]
    if not spans:
        return None
    kept, places, removed, end, gone = [], [], [], 0, 0
    for start, stop in sorted(spans):
        if start < end:
            continue
        kept.append(content[end:start])
        gone += stop - start
        places.append(stop - gone)
        removed.append(gone)
        end = stop
    kept.append(content[end:])
    return Joined(b"".join(kept), places, removed)
