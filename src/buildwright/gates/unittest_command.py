"""Reads which tests a command of Python's unittest runs. Pure; must say nothing where it is not sure."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

_FLAGS = frozenset(("--verbose", "--quiet", "--locals", "--failfast", "--catch", "--buffer"))
_LETTERS = frozenset("vqfcb")
_START, _PATTERN = ("-s", "--start-directory"), ("-p", "--pattern")


class UnittestCommand(NamedTuple):
    """What a command asks for: a search in a folder, or modules."""

    start: str = "."
    pattern: str = "test*.py"
    modules: tuple[str, ...] = ()
    """Paths of the modules that it names; then it searches for nothing."""


def unittest_command(command: str) -> UnittestCommand | None:
    """Return what `... -m unittest ...` asks for.

    None for parts of modules, for names that match (`-k`), and for anything else that is not known.
    """
    try:
        words = shlex.split(command)
        words = words[words.index("unittest") + 1 :]
    except ValueError:
        return None
    searches = not words or words[0] == "discover" or all(map(_is_flag, words))
    return _search(words[words[:1] == ["discover"] :]) if searches else _modules(words)


def _is_flag(word: str) -> bool:
    return word in _FLAGS or (word.startswith("-") and len(word) > 1 and _LETTERS.issuperset(word[1:]))


def _modules(words: Sequence[str]) -> UnittestCommand | None:
    named = [word for word in words if not _is_flag(word)]
    if any(word.startswith("-") for word in named):
        return None
    return UnittestCommand(
        modules=tuple(word if word.endswith(".py") else f"{word.replace('.', '/')}.py" for word in named)
    )


def _search(words: Sequence[str]) -> UnittestCommand | None:
    """Read the options of `discover`; its places without a name are start and pattern."""
    found = UnittestCommand()
    places = [_START[0], _PATTERN[0]]
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if not word.startswith("-") and places:
            option, value = places.pop(0), word
        elif _is_flag(word):
            continue
        elif not equals:
            value = next(rest, "")
        if option in _START:
            found = found._replace(start=value)
        elif option in _PATTERN:
            found = found._replace(pattern=value)
        elif option not in {"-t", "--top-level-directory"}:
            return None
    return found
