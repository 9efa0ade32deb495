"""Reads the features that a Markdown spec lists: names, words and lines. Must never guess one that is not marked as one.

A feature is a heading `Feature: Name` or `User Story 1 - Name`, or, below a heading `Features`, each heading of the next
level or, without such headings, each entry of the list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from buildwright.advisors.checklist import lines_outside_fences
from buildwright.core.spec import Feature

_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_NAMED: Final = re.compile(
    r"(?:feature|user story)(?:[ \t]+#?\d[\w.]*)?[ \t]*[:.\u2013\u2014-][ \t]*(.+)", re.IGNORECASE
)
_LIST: Final = re.compile(r"(?:\d+[.)][ \t]*)?(?:(?:core|key|main|planned)[ \t]+)?features:?", re.IGNORECASE)
_ENTRY: Final = re.compile(r"(?:[-*+]|\d{1,4}[.)])[ \t]+(\S.*)")
_NAME: Final = re.compile(r"\*\*(.+?)\*\*|`(.+?)`|(.+?)(?=:[ \t]|[ \t][\u2013\u2014-][ \t]|$)")
_PRIORITY: Final = re.compile(r"[ \t]*\((?:priority|p)[: \t]*\w+\)[ \t]*$", re.IGNORECASE)
_LONGEST: Final = 200
MOST: Final = 100
"""A plan that a model writes has room for some more tasks than this."""


class _Section(NamedTuple):
    level: int
    title: str
    line: int
    body: tuple[tuple[int, str], ...]


def features_in(text: str) -> tuple[Feature, ...]:
    """Return the features in the order of the text, at most `MOST`; of two with one name, the first."""
    sections = list(_sections(text))
    found: dict[str, Feature] = {}
    for feature in _features(sections):
        found.setdefault(feature.name.casefold(), feature)
    return tuple(found.values())[:MOST]


def is_feature(heading: str) -> bool:
    """Return whether a heading by itself marks what is below it as a feature."""
    return _NAMED.fullmatch(heading) is not None


def _sections(text: str) -> Iterator[_Section]:
    level, title, line, body = 0, "", 0, list[tuple[int, str]]()
    for number, content in lines_outside_fences(text):
        if heading := _HEADING.match(content):
            yield _Section(level, title, line, tuple(body))
            level, title, line, body = len(heading[1]), heading[2], number, []
        else:
            body.append((number, content))
    yield _Section(level, title, line, tuple(body))


def _features(sections: list[_Section]) -> Iterator[Feature]:
    below = 0
    """Level of the headings that are features: below `Features`; 0 elsewhere."""
    for at, section in enumerate(sections):
        if below and section.level < below:
            below = 0
        following = sections[at + 1].level if at + 1 < len(sections) else 0
        if _LIST.fullmatch(section.title):
            if following > section.level:
                below = following
            else:
                yield from _entries(section)
        elif named := _NAMED.fullmatch(section.title):
            yield _feature(named[1], section.body, section.line)
        elif below and section.level == below:
            yield _feature(section.title, section.body, section.line)


def _feature(title: str, body: tuple[tuple[int, str], ...], line: int) -> Feature:
    text = "\n".join(content for _, content in body).strip()
    return Feature(name=_PRIORITY.sub("", title).strip("*` \t")[:_LONGEST] or title[:_LONGEST], text=text, line=line)


def _entries(section: _Section) -> Iterator[Feature]:
    for number, content in section.body:
        if (entry := _ENTRY.match(content)) and (named := _NAME.match(entry[1])):
            name = next(filter(None, named.groups()))
            yield Feature(name=name.strip()[:_LONGEST], text=entry[1].strip(), line=number)
