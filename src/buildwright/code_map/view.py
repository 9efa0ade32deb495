"""What of a map is shown: the files that matter most, within a budget of tokens. Pure; the same input, the same bytes.

A file matters by how many others import it and by the words of the specification that its path and its symbols have,
rare words above common ones. What a repository calls its files and symbols is data: nothing of it can end a line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from math import log, log2
from typing import Final

from buildwright.code_map.links import ImportLinks
from buildwright.code_map.outline import Outline, Symbol, outline_language, words_of
from buildwright.code_map.read import ReadTree
from buildwright.core.figures import count
from buildwright.core.record import Record
from buildwright.gates.surface import is_test

BYTES_PER_TOKEN: Final = 3
"""A safe estimate for code, rather too many tokens than too few."""
MOST_SHOWN_SYMBOLS = 8
"""Symbols of one file that are shown."""
_MOST_NAMES = 3
"""Files that a file imports, and tests of it, that are named in the text."""
_MOST_IMPORTERS = 20
_IMPORTED = 0.5
"""What the most imported file counts, in words of the specification that one file alone has."""
_NAMED = 10.0
"""What a file counts whose path stands in the specification."""


class MappedSymbol(Record):
    """One definition of a file: `text` is its declaration, `depth` how many others it lies in."""

    kind: str
    name: str
    line: int
    depth: int
    text: str


class MappedFile(Record):
    """One file of the map."""

    path: str
    language: str
    score: float
    """By which files are ordered: greater is earlier."""
    is_test: bool
    test_count: int
    """Number of tests that are defined in it."""
    imported_by: int
    """Number of files that import it."""
    importers: tuple[str, ...]
    """At most 20 of them."""
    imports: tuple[str, ...]
    """Files of the repository that it imports."""
    tests: tuple[str, ...]
    """Test files that import it, those first whose names have most words of its own."""
    symbols: tuple[MappedSymbol, ...]
    symbols_left_out: int


class CodeMapView(Record):
    """A map of a repository's code that fits a budget."""

    files: int
    """Number of files of code in the tree."""
    languages: dict[str, int]
    """Number of files by language."""
    symbols: int
    links: int
    """Number of pairs of files of which one imports the other."""
    tests: int
    shown: tuple[MappedFile, ...]
    """The files that the budget suffices for, those that matter most first."""
    tokens: int
    """What the text comes to, by a safe estimate."""
    notes: tuple[str, ...]
    """What was left out and why."""
    text: str
    """The map as a model is shown it; "" when there is no code."""


def map_view(read: ReadTree, about: str, tokens: int, part: str = "") -> CodeMapView:
    """Return the map of a tree that was read, for a specification, within `tokens`. Files of the folder `part` come first."""
    outlines = read.outlines
    code = [path for path in outlines if outline_language(path) not in {"", "gomod"}]
    imports = ImportLinks(outlines).imports
    importers: dict[str, list[str]] = {}
    for path in sorted(imports):
        for other in imports[path]:
            importers.setdefault(other, []).append(path)
    relevance = _relevance(code, outlines, about)
    most = log2(1 + max(map(len, importers.values()), default=1))
    scores = {
        path: (relevance.get(path, 0.0) + _IMPORTED * log2(1 + len(importers.get(path, ()))) / most)
        * (0.5 if is_test(path) else 1.0)
        for path in code
    }
    inside = f"{part}/" if part else ""
    order = sorted(code, key=lambda path: (not path.startswith(inside), -round(scores[path], 6), path))
    words = words_of(about)
    shown: list[MappedFile] = []
    languages = dict(sorted(Counter(map(outline_language, code)).items()))
    symbols = sum(outlines[path].symbol_count for path in code)
    head = _head(len(code), languages, symbols) if code else ""
    room = tokens * BYTES_PER_TOKEN - len(head.encode()) - 120  # for the line that says what is left out
    pieces: list[str] = []
    for path in order:
        mapped = _mapped(path, outlines[path], scores[path], imports.get(path, ()), importers.get(path, ()), words)
        piece = _entry(mapped)
        if len(piece.encode()) + 1 > room:
            break
        room -= len(piece.encode()) + 1
        shown.append(mapped)
        pieces.append(piece)
    if len(shown) < len(code):
        pieces.append(f"{len(code) - len(shown):,} more files of code are not shown.")
    text = "\n".join([head, *pieces]) if code else ""
    return CodeMapView(
        files=len(code),
        languages=languages,
        symbols=symbols,
        links=sum(map(len, imports.values())),
        tests=sum(outlines[path].tests for path in code),
        shown=tuple(shown),
        tokens=-(-len(text.encode()) // BYTES_PER_TOKEN),
        notes=tuple(_line(note) for note in read.notes),
        text=text,
    )


def _mapped(
    path: str, outline: Outline, score: float, imports: Sequence[str], importers: Sequence[str], words: frozenset[str]
) -> MappedFile:
    # Those that the specification has words of come first, then those that others see, then by their place.
    ranked = sorted(
        outline.symbols,
        key=lambda one: (words.isdisjoint(words_of(one.name)), one.depth, one.name.startswith("_"), one.line),
    )
    own = words_of(path.rpartition("/")[2])
    tests = sorted(filter(is_test, importers), key=lambda one: (-len(own & words_of(one.rpartition("/")[2])), one))
    symbols = sorted(ranked[:MOST_SHOWN_SYMBOLS], key=lambda one: (one.line, one.depth))
    return MappedFile(
        path=_line(path),
        language=outline_language(path),
        score=round(score, 3),
        is_test=is_test(path),
        test_count=outline.tests,
        imported_by=len(importers),
        importers=tuple(map(_line, importers[:_MOST_IMPORTERS])),
        imports=tuple(map(_line, imports)),
        tests=tuple(map(_line, tests)),
        symbols=tuple(map(_symbol, symbols)),
        symbols_left_out=outline.symbol_count - len(symbols),
    )


def _symbol(one: Symbol) -> MappedSymbol:
    return MappedSymbol(kind=one.kind, name=_line(one.name), line=one.line, depth=one.depth, text=_line(one.text))


def _head(files: int, languages: Mapping[str, int], symbols: int) -> str:
    by_language = ", ".join(f"{language} {count:,}" for language, count in languages.items())
    return (
        f"Map of the code: {files:,} files ({by_language}), {symbols:,} symbols. The files that matter most for the "
        "specification come first. A number before a symbol is its line."
    )


def _entry(file: MappedFile) -> str:
    """Return the lines of one file."""
    facts = [f"imported by {file.imported_by}"] if file.imported_by else []
    if file.test_count:
        facts.append(f"{count(file.test_count, 'test')} in it")
    if file.tests:
        facts.append(f"tested by {_some(file.tests)}")
    lines = [f"{file.path} ({'; '.join(facts)})" if facts else file.path]
    if file.imports:
        lines.append(f"  imports {_some(file.imports)}")
    lines += [f"  {one.line}: {'  ' * min(one.depth, 3)}{one.text}" for one in file.symbols]
    if file.symbols_left_out:
        lines.append(f"  {file.symbols_left_out} more symbols")
    return "\n".join(lines)


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _MOST_NAMES} more" if len(paths) > _MOST_NAMES else ""
    return ", ".join(paths[:_MOST_NAMES]) + more


def _relevance(code: Sequence[str], outlines: Mapping[str, Outline], about: str) -> dict[str, float]:
    """Return what the words of a specification say for each file; files that they say nothing for are left out."""
    wanted = words_of(about)
    if not wanted:
        return {}
    places = {path: path.rpartition("/") for path in code}
    in_folder = {folder: wanted & words_of(folder) for folder in {folder for folder, _, _ in places.values()}}
    in_path = {path: in_folder[folder] | (wanted & words_of(name)) for path, (folder, _, name) in places.items()}
    in_symbols = {path: wanted.intersection(outlines[path].words.split()) for path in code}
    files = Counter(word for path in code for word in in_path[path] | in_symbols[path])
    most = log(1 + len(code))
    # Squared: many words that half of the files have say less than one that few have.
    weights = {word: (log(1 + len(code) / count) / most) ** 2 for word, count in files.items()}
    told = set(re.findall(r"[\w./\\-]+", about))
    found = {
        path: sum(
            sorted(weights[word] * (2 if word in in_path[path] else 1) for word in in_path[path] | in_symbols[path])
        )
        + (_NAMED if path in told else 0.0)
        for path in code
    }
    return {path: score for path, score in found.items() if score}


def _line(text: str) -> str:
    """Return the text on one line, with every sign that is not printed as its escape."""
    return text if text.isprintable() else "".join(_escaped(text))


def _escaped(text: str) -> Iterable[str]:
    for printable, signs in groupby(text, str.isprintable):
        joined = "".join(signs)
        yield joined if printable else joined.encode("unicode_escape", "surrogatepass").decode("ascii")
