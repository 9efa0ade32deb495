"""Small seeded faults in real source code: an operator, a condition or a returned value becomes another. Pure.

The operators are those that mutation testing found to be enough (Offutt et al., "An experimental determination of
sufficient mutant operators", ACM TOSEM 5(2), 1996), as far as one line can show them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from random import Random
from typing import NamedTuple

_SWAPS = {
    "+": "-",
    "-": "+",
    "*": "+",
    "/": "*",
    "//": "*",
    "%": "*",
    "==": "!=",
    "!=": "==",
    "<": ">=",
    ">": "<=",
    "<=": ">",
    ">=": "<",
    "is": "is not",
    "is not": "is",
    "in": "not in",
    "not in": "in",
    "and": "or",
    "or": "and",
}
_OTHERS = re.compile(r"(?<=[\w)\]] )(\+|-|\*|===|!==|==|!=|<=|>=|<|>|&&|\|\||\+=|-=)(?= [\w(\[])")
_OTHER_SWAPS = {**_SWAPS, "===": "!==", "!==": "===", "&&": "||", "||": "&&", "+=": "-=", "-=": "+="}
_COMMENT = re.compile(r"\s*(?://|/?\*|#|--|import\b|use\b|package\b)")
_ENDINGS = frozenset((".js", ".cjs", ".mjs", ".ts", ".go", ".rs", ".java", ".kt"))


class Mutation(NamedTuple):
    """One small fault in one file."""

    path: str
    line: int
    old: str
    new: str
    text: str
    """The whole file with the fault in it."""

    @property
    def what(self) -> str:
        """One line for people."""
        return f"{self.path}:{self.line}: `{self.old}` becomes `{self.new}`"


def is_source(path: str) -> bool:
    """Return whether faults can be put into a file of this name."""
    return PurePosixPath(path).suffix in {".py", *_ENDINGS}


def mutations(files: Mapping[str, str], paths: Iterable[str], seed: int) -> Iterator[Mutation]:
    """Yield faults in these files in an order that the seed decides, no two of them in one line."""
    found = [fault for path in sorted(paths) for fault in in_file(path, files[path])]
    Random(seed).shuffle(found)  # noqa: S311 - a sample that can be repeated
    seen: set[tuple[str, int]] = set()
    for fault in found:
        if (fault.path, fault.line) not in seen:
            seen.add((fault.path, fault.line))
            yield fault


def in_file(path: str, text: str) -> Iterator[Mutation]:
    """Yield all faults that can be put into one file."""
    lines = text.splitlines(keepends=True)
    spans = _python(text, lines) if path.endswith(".py") else _others(lines)
    for row, start, end, new in spans:
        line = lines[row]
        if not line.isascii():
            continue  # columns of `ast` are bytes
        changed = "".join((*lines[:row], line[:start] + new + line[end:], *lines[row + 1 :]))
        yield Mutation(path, row + 1, line[start:end], new, changed)


_Span = tuple[int, int, int, str]
"""Row, start and end in characters, and the new text."""


def _python(text: str, lines: list[str]) -> Iterator[_Span]:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    yield from _of_node(node, lines)


def _of_node(node: ast.AST, lines: list[str]) -> Iterator[_Span]:
    """Yield the faults of one node that stands on one line."""
    match node:
        case ast.BinOp(left=left, right=right) | ast.Compare(left=left, comparators=[right]):
            yield from _between(left, right, lines)
        case ast.BoolOp(values=[left, right, *_]):
            yield from _between(left, right, lines)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if _on_one_line(test):
            row, start, end = _place(test)
            yield row, start, end, f"not ({lines[row][start:end]})"
        case ast.Return(value=ast.expr() as value) if _on_one_line(value) and not isinstance(value, ast.Constant):
            row, start, end = _place(value)
            yield row, start, end, "None"
        case ast.AugAssign(target=target, value=value):
            yield from _between(target, value, lines)


def _between(left: ast.expr, right: ast.expr, lines: list[str]) -> Iterator[_Span]:
    """Yield the fault of the operator between two operands."""
    if left.end_lineno != right.lineno or left.end_col_offset is None:
        return
    row, start, end = right.lineno - 1, left.end_col_offset, right.col_offset
    gap = lines[row][start:end]
    operator = gap.strip().removesuffix("=") if gap.strip() in {"+=", "-=", "*=", "/="} else gap.strip()
    if operator in _SWAPS:
        place = start + gap.index(operator)
        yield row, place, place + len(operator), _SWAPS[operator]


def _on_one_line(node: ast.expr) -> bool:
    return node.lineno == node.end_lineno


def _place(node: ast.expr) -> tuple[int, int, int]:
    assert node.end_col_offset is not None
    return node.lineno - 1, node.col_offset, node.end_col_offset


def _others(lines: list[str]) -> Iterator[_Span]:
    for row, line in enumerate(lines):
        if not _COMMENT.match(line):
            for found in _OTHERS.finditer(line):
                yield row, found.start(), found.end(), _OTHER_SWAPS[found[1]]
