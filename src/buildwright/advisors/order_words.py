"""Finds in prose which tasks come before which: "T005 blocks T006/T007", "(depends on T010)", "T001 -> T002". No I/O.

Only names of tasks with a word of order between them count; a sentence that denies an order gives none. Must never
decide whether a task that is named exists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple

ID: Final = r"T\d+[A-Za-z]?(?:\.\d+[A-Za-z]?)*"
_ONE: Final = rf"{ID}(?!\w|-\d)(?:\s*(?:[-\u2013\u2014]|to|through)\s*{ID}(?!\w|-\d))?"
_INSIDE: Final = "".join(
    rf"(?<!\d{letter}{sign})" for letter in ("", "[A-Za-z]") for sign in ("[,/&+]", "[,/&+] ", " and ")
)
_LIST: Final = rf"{_INSIDE}(?>{_ONE}(?:\s*(?:,\s*and\s|,|/|&|\+|\band\s)\s*{_ONE})*)"
"""Ids with separators; never taken apart again nor begun inside, so that a long one costs no more than its length."""
_SOME_ID: Final = re.compile(r"T\d")
_BETWEEN: Final = r"(?:[a-z]+\s+){0,4}?"
_DECORATION: Final = re.compile(r"[*_`\[\]]+")
_ASIDE: Final = re.compile(rf"\s*\((?![^()]*\b{ID})[^()]*\)")
_NEEDS: Final = (
    r"(?:(?:depends?|dependent) (?:up)?on|blocked (?:by|on)|blocks on|builds on|requires?|needs?|after"
    r"|waits? (?:for|on))"
)
_COMES_BEFORE: Final = r"(?:blocks?|unblocks?|before|precedes?)"
_KEYED: Final = re.compile(
    rf"\b(?:{_NEEDS}|depends(?: |-)?on|depends|blocked-by|deps?|dependenc(?:y|ies)|prerequisites?|prereqs?|predecessors?)"
    rf"\s*:?\s*\(?({_LIST})",
    re.IGNORECASE,
)
_KEYED_LATER: Final = re.compile(
    rf"(?:^|[.;,(]|-\s)\s*(?:blocks|unblocks)\s*:?\s*({_LIST})", re.IGNORECASE | re.MULTILINE
)
_SAID: Final = re.compile(
    rf"({_LIST})\)?:?\s+({_BETWEEN})(?:({_NEEDS}|follows?)|{_COMES_BEFORE})\s*:?\s+({_BETWEEN})\(?({_LIST})",
    re.IGNORECASE,
)
_CHAIN: Final = re.compile(rf"{_LIST}\)?(?:\s*(?:\u2192|\u27f6|[-=]+>)\s*[\w ]{{0,40}}?\(?{_LIST}\)?)+", re.IGNORECASE)
_ARROW: Final = re.compile(r"\u2192|\u27f6|[-=]+>")
_RANGE: Final = re.compile(rf"({ID})(?:\s*(?:[-\u2013\u2014]|to|through)\s*({ID}))?")
_DENIES: Final = re.compile(r"\b(?:not|no|never|without|cannot|nothing|only if)\b|n't\b", re.IGNORECASE)

Named = tuple[tuple[str, str], ...]
"""Ids as the ends of ranges, or as one id and ""."""


class ToldOrder(NamedTuple):
    """Tasks that come before others."""

    before: Named
    after: Named


def needed_by_itself(text: str) -> Named:
    """Return what the text of a task says that it depends on."""
    if not _SOME_ID.search(text):
        return ()
    plain = _plain(text)
    return tuple(one for found in _KEYED.finditer(plain) if not _is_denied(plain, found) for one in _named(found[1]))


def blocked_by_it(text: str) -> Named:
    """Return what the text of a task says that waits for it."""
    if not _SOME_ID.search(text):
        return ()
    return tuple(one for found in _KEYED_LATER.finditer(_plain(text)) for one in _named(found[1]))


def orders_in(line: str) -> Iterator[ToldOrder]:
    """Yield the orders that a line of prose or of a diagram tells."""
    plain = _plain(line)
    for found in _CHAIN.finditer(plain):
        links = [_named(link) for link in _ARROW.split(found[0])]
        yield from (ToldOrder(before, after) for before, after in pairwise(links))
    place = 0
    while said := _SAID.search(plain, place):
        place = said.start(5)  # what comes after one word may come before the next
        if _DENIES.search(said[2]) or _DENIES.search(said[4]):
            continue
        first, second = _named(said[1]), _named(said[5])
        yield ToldOrder(second, first) if said[3] else ToldOrder(first, second)


def _plain(text: str) -> str:
    """Return a text without marks of Markdown, and without asides that name no task."""
    return _ASIDE.sub("", _DECORATION.sub("", text))


def _is_denied(text: str, found: re.Match[str]) -> bool:
    return bool(_DENIES.search(text[max(found.start() - 20, 0) : found.start()]))


def _named(text: str) -> Named:
    return tuple((one[1], one[2] or "") for one in _RANGE.finditer(text))
