"""Whether an answer is what a page shows of it. `...` stands for what was cut: a value, the rest of one, or more of the same."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from typing import Any

CUT = "..."
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\.\.\.(?=\s*[}\]])|\.\.\.')
_decoder = json.JSONDecoder()


def documents(text: str) -> list[Any]:
    """The JSON documents that stand in a text one after the other."""
    found, place, text = [], 0, text.strip()
    while place < len(text):
        document, place = _decoder.raw_decode(text, place)
        found.append(document)
        while place < len(text) and text[place].isspace():
            place += 1
    return found


def shown(text: str) -> list[Any]:
    """The same for a page, where values may be cut."""

    def plain(match: re.Match[str]) -> str:
        if match[0].startswith('"'):
            return match[0]
        before = text[: match.start()].rstrip()
        of_object = text[match.end() :].lstrip().startswith("}") and before.endswith((",", "{"))
        return f'"{CUT}": 0' if of_object else f'"{CUT}"'

    return documents(_TOKEN.sub(plain, text))


def difference(wanted: Any, found: Any, place: str = "") -> str:
    """Where an answer differs from what is shown of it; "" when it does not."""
    if wanted == CUT:
        return ""
    match wanted:
        case dict():
            if not isinstance(found, dict):
                return f"{place or '/'} is no object: {found!r}"
            names = wanted.keys() - {CUT}
            if missing := names - found.keys():
                return f"{place or '/'} has no {sorted(missing)}"
            if CUT not in wanted and (more := found.keys() - names):
                return f"{place or '/'} has {sorted(more)} as well"
            return next(
                (said for name in names if (said := difference(wanted[name], found[name], f"{place}/{name}"))), ""
            )
        case list():
            cut = wanted[-1:] == [CUT]
            items = wanted[:-1] if cut else wanted
            if not isinstance(found, list) or len(found) < len(items) or (len(found) > len(items) and not cut):
                return f"{place or '/'} has other items: {found!r}"
            pairs = enumerate(zip(items, found, strict=False))
            return next((said for n, (one, other) in pairs if (said := difference(one, other, f"{place}/{n}"))), "")
        case str() if CUT in wanted and isinstance(found, str):
            return "" if is_like(wanted, found) else f"{place} is {found!r}, not {wanted!r}"
        case _:
            return "" if wanted == found else f"{place} is {found!r}, not {wanted!r}"


def is_like(wanted: str, found: str) -> bool:
    """Whether a text fits one with cuts in it."""
    pattern = "*".join(re.sub(r"([*?\[])", r"[\1]", part) for part in wanted.split(CUT))
    return fnmatchcase(found, pattern)
