"""Small seeded faults in real source code: an operator, a condition or a returned value becomes another. Pure.

The operators are those that mutation testing found to be enough (Offutt et al., "An experimental determination of
sufficient mutant operators", ACM TOSEM 5(2), 1996), as far as one line can show them.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from random import Random
from typing import NamedTuple

from tree_sitter import Node

from buildwright.gates.script import is_script, parse, text, walk

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


_Span = tuple[int, int, int, str]
"""Row, start and end in characters, and the new text."""


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
    yield from _one_a_line(_shuffled((fault for path in sorted(paths) for fault in in_file(path, files[path])), seed))


def in_lines(files: Mapping[str, str], lines: Mapping[str, Collection[int]], seed: int) -> Iterator[Mutation]:
    """Yield faults in these lines (by path, from 1) in an order that the seed decides: first one of each line.

    To those of `in_file` come other constants, and returned values, conditions and statements that are taken out.
    """
    wanted = [
        fault
        for path in sorted(lines)
        for fault in dict.fromkeys((*in_file(path, files[path]), *_more_in_file(path, files[path])))
        if fault.line in lines[path]
    ]
    ordered = _shuffled(wanted, seed)
    first = list(_one_a_line(ordered))
    yield from first
    yield from (fault for fault in ordered if fault not in first)


def _shuffled(found: Iterable[Mutation], seed: int) -> list[Mutation]:
    faults = list(found)
    Random(seed).shuffle(faults)  # noqa: S311 - a sample that can be repeated
    return faults


def _one_a_line(faults: Iterable[Mutation]) -> Iterator[Mutation]:
    seen: set[tuple[str, int]] = set()
    for fault in faults:
        if (fault.path, fault.line) not in seen:
            seen.add((fault.path, fault.line))
            yield fault


def in_file(path: str, source: str) -> Iterator[Mutation]:
    """Yield faults of operators, conditions and returned values in one file."""
    lines = source.splitlines(keepends=True)
    yield from _put(path, lines, _python(source, lines, _of_node) if path.endswith(".py") else _others(lines))


def _more_in_file(path: str, source: str) -> Iterator[Mutation]:
    """Yield faults of the kinds that `in_file` has not; of Python, and of JavaScript and TypeScript."""
    lines = source.splitlines(keepends=True)
    if path.endswith(".py"):
        yield from _put(path, lines, _python(source, lines, _more_of_node))
    elif is_script(path):
        yield from _put(path, lines, _script(path, source))


def _put(path: str, lines: list[str], spans: Iterable[_Span]) -> Iterator[Mutation]:
    for row, start, end, new in spans:
        line = lines[row]
        if not line.isascii():
            continue  # columns of `ast` are bytes
        changed = "".join((*lines[:row], line[:start] + new + line[end:], *lines[row + 1 :]))
        yield Mutation(path, row + 1, line[start:end], new, changed)


def _python(source: str, lines: list[str], of_node: Callable[[ast.AST, list[str]], Iterator[_Span]]) -> Iterator[_Span]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in function.body:
                for node in ast.walk(statement):
                    yield from of_node(node, lines)


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


def _more_of_node(node: ast.AST, _lines: list[str]) -> Iterator[_Span]:
    match node:
        case ast.Constant(value=bool() as value) if _on_one_line(node):
            yield *_place(node), str(not value)
        case ast.Constant(value=int() | float() as value) if _on_one_line(node):
            yield *_place(node), f"({value + 1!r})"
        case ast.Return(value=ast.Constant() as value) if _on_one_line(value) and value.value is not None:
            yield *_place(value), "None"
        case ast.Expr(value=ast.Call() | ast.Await() as value) if _on_one_line(value):
            yield *_place(value), "pass"


def _script(path: str, source: str) -> Iterator[_Span]:
    try:
        root = parse(path, source)
    except RecursionError:
        return
    for node in walk(root):
        for part, new in _more_of_script(node):
            start, end = part.start_point, part.end_point
            if start.row == end.row:
                yield start.row, start.column, end.column, new


def _more_of_script(node: Node) -> Iterator[tuple[Node, str]]:
    """Yield parts of a node of JavaScript or TypeScript, each with what takes its place."""
    match node.type:
        case "true" | "false" if node.parent is not None and node.parent.type != "literal_type":
            yield node, "false" if node.type == "true" else "true"
        case "number" if node.parent is not None and node.parent.type != "literal_type":
            yield node, f"({text(node)} + 1)"
        case "return_statement" if node.named_children:
            yield node.named_children[0], "undefined"
        case "arrow_function":
            body = node.child_by_field_name("body")
            if body is not None and body.type != "statement_block":
                yield body, "undefined"
        case "if_statement" | "while_statement":
            condition = node.child_by_field_name("condition")
            if condition is not None:
                yield condition, f"(!{text(condition)})"
        case "expression_statement" if node.named_children and node.named_children[0].type == "call_expression":
            yield node.named_children[0], "undefined"


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
