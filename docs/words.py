"""Looks for words in docstrings, comments and texts for users that a reader would pause at, for codes that no page
explains, and for long lines of pages. Must never look at code.

python docs/words.py [PATH ...]    print each place; exit with 1 when there is one. Without a path: all of src and all pages.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "buildwright"

WORDS: dict[str, str] = {
    r"who(m)?(so)?ever": "name the noun: the caller, the worker, the reader",
    r"some(body|one)|any(body|one)|every(body|one)|no(body| one)": "name the noun: a user, a process, no worker",
    r"(?<!those )(?<!people )who (has|have|is|are|was|were|waits|asks|wants|reads|runs|holds|comes|looks|may|can|needs)": (
        "name the noun: the process that holds it, the user who asked"
    ),
    r"for so long|so (many|long|much)(?! (that|as))": "give the number or its name",
    r"of matter": "say what follows from it",
    r"otherwise than": "say what it is",
    r"(looks|looked|look) on\b(?! the| a)": "watch, follow",
    r"put down": "save",
    r"said out loud": "say what is printed",
    r"\bere\b|whence|thereof|therein|hereby|hitherto|thereby|whereby": "use today's word",
    r"of whom|whose turn": "name the noun",
}
"""What is looked for in docstrings and comments, as patterns of whole words, and what to write instead."""

SHOWN: dict[str, str] = {
    r"mend(s|ed|ing)?": "fix",
    r"(go|goes|going) on": "continue",
    r"(let|lets|letting) go": "stop",
    r"(take|takes|took|taken) (it )?up": "continue, take over",
    r"who(m)?(so)?ever|(some|any|no|every)body": "name the noun: a user, a process, no worker",
    r"(?<!there )is no (?!longer|change|base)[a-z]+ ?[a-z]*": "is not a",
    r"anew": "again",
    r"keeper|errand|so many|exclude each other|said out loud|for its time": "use the plain word",
    r"(at|in) (hand|reach)": "available",
}
"""The same for texts that users see: messages, fixes, help, events."""

CODES = re.compile(
    r"\(\s*(?:rows? )?[ZPDGRWA]\d{1,2}(?:\s*(?:,|and|-|to)\s*[ZPDGRWA]?\d{1,2})*\s*\)|\b[ZPDGRWA]\d{1,2}\b(?=[:,.)])"
)
"""A code of a requirement: those who read the source cannot look it up."""


def _compiled(words: dict[str, str]) -> list[tuple[re.Pattern[str], str]]:
    return [(re.compile(rf"\b(?:{word})\b", re.IGNORECASE), instead) for word, instead in words.items()]


_PATTERNS, _SHOWN = _compiled(WORDS), _compiled(SHOWN)
_NOT_SHOWN = ("agents/prompt.py", "ports/agents.py", "liars/", "store/migrations/")
"""Modules whose texts models, git or the database read."""


class Place(NamedTuple):
    """A word that should be another one."""

    file: Path
    line: int
    found: str
    instead: str


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Every docstring (also those below a field) and comment of a module, each line with its number."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from enumerate(node.value.value.splitlines(), start=node.value.lineno)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def shown_texts(source: str) -> Iterator[tuple[int, str]]:
    """Every other string of a module that has words with a space between them, with the number of its first line."""
    tree = ast.parse(source)
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in statements:
            continue
        if " " in node.value.strip() and "\\" not in node.value:  # a backslash: a pattern
            yield node.lineno, node.value


def places(file: Path) -> Iterator[Place]:
    """What should be written otherwise in one module."""
    source = file.read_text(encoding="utf-8")
    if not any(name in file.as_posix() for name in _NOT_SHOWN):
        for line, text in shown_texts(source):
            for pattern, instead in _SHOWN:
                for match in pattern.finditer(text):
                    yield Place(file, line, match.group(), instead)
    for line, text in texts(source):
        for pattern, instead in _PATTERNS:
            for match in pattern.finditer(text):
                yield Place(file, line, match.group(), instead)
        for match in CODES.finditer(text):
            yield Place(file, line, match.group(), "say what it means")


WIDTH = 120
"""Characters of a line of a page; tables, code and links cannot be broken."""


def long_lines(page: Path) -> Iterator[Place]:
    """Yield the lines of prose that are longer than that."""
    fenced = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fenced ^= line.startswith("```")
        if len(line) > WIDTH and not fenced and not line.startswith(("|", "    ", "<!--")) and " " in line[40:]:
            yield Place(page, number, f"{len(line)} characters", f"at most {WIDTH}")


def pages() -> list[Path]:
    """Return the pages of the project that people read."""
    return [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "changes").glob("*.md"),
        ROOT / "bench" / "README.md",
    ]


def main(arguments: list[str]) -> int:
    """Print every place below the given paths; the exit code."""
    roots = [Path(argument) for argument in arguments] or [SOURCE]
    files = [file for root in roots for file in (sorted(root.rglob("*.py")) if root.is_dir() else [root])]
    found = [place for file in files for place in places(file)]
    found += [] if arguments else [place for page in pages() for place in long_lines(page)]
    for place in found:
        print(f"{place.file}:{place.line}: {place.found!r}: {place.instead}")  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
