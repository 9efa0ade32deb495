"""Reads what source files import, in Python, JavaScript, TypeScript, Go, Rust and Java. Pure; must never run a file.

Parsed by tree-sitter, which reads past a syntax error, so comments and strings cannot pass for an import.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from typing import Literal, NamedTuple

from tree_sitter import Language, Node, Parser, Query, QueryCursor

from buildwright.core.languages import language_of

SourceLanguage = Literal["python", "javascript", "typescript", "tsx", "go", "rust", "java"]

_CALL = "(call_expression function: {how} arguments: (arguments . (string (string_fragment) @name)))"
_SCRIPT = f"""
(import_statement source: (string (string_fragment) @name))
(export_statement source: (string (string_fragment) @name))
{_CALL.format(how="(import)")}
({_CALL.format(how="(identifier) @call")} (#eq? @call "require"))
"""
_QUERIES: dict[SourceLanguage, str] = {
    "python": """
(import_statement name: (dotted_name) @name)
(import_statement name: (aliased_import name: (dotted_name) @name))
(import_from_statement module_name: (dotted_name) @name)
(import_from_statement module_name: (relative_import) @name)
((call function: (_) @call arguments: (argument_list . (string (string_content) @name)))
 (#any-of? @call "importlib.import_module" "import_module" "__import__"))
""",
    "javascript": _SCRIPT,
    "typescript": _SCRIPT + "(import_require_clause source: (string (string_fragment) @name))",
    "tsx": _SCRIPT + "(import_require_clause source: (string (string_fragment) @name))",
    "go": "(import_spec path: (interpreted_string_literal (interpreted_string_literal_content) @name))",
    "rust": "(use_declaration argument: (_) @name) (extern_crate_declaration name: (identifier) @name)",
    "java": "(import_declaration (scoped_identifier) @name)",
}
_SILENT = (
    "comment",
    "line_comment",
    "block_comment",
    "string",
    "template_string",
    "string_literal",
    "raw_string_literal",
)
_RUST_PART = re.compile(r"(?:^|[{,])\s*(?:::)?\s*(?:r#)?(\w+)")


class Import(NamedTuple):
    """One import. `name` is as written: `a.b`, `..x`, `@scope/pkg/sub`, `github.com/a/b`, `serde`, `org.x.Y`."""

    name: str
    line: int
    optional: bool = False
    """Whether the file goes on without it: inside `try ... except ImportError`."""
    type_only: bool = False
    """Whether only a type checker reads it."""
    members: tuple[str, ...] = ()
    """The names that Python's `from NAME import ...` takes from it: each may be a module of its own."""


def source_language(path: str) -> SourceLanguage | None:
    """Return the language of a file whose imports can be read, None for any other."""
    if path.endswith(".tsx"):
        return "tsx"
    match language_of(path):
        case "python":
            return "python"
        case "javascript":
            return "javascript"
        case "typescript":
            return "typescript"
        case "go":
            return "go"
        case "rust":
            return "rust"
        case "java":
            return "java"
    return None


def imports_of(path: str, content: bytes) -> tuple[Import, ...]:
    """Return the imports of a file in order of their lines, none for a language that is not read."""
    language = source_language(path)
    if language is None:
        return ()
    return imports_in(language, walk(content, language), content)


def imports_in(language: SourceLanguage, root: Node, content: bytes) -> tuple[Import, ...]:
    """Return the imports below the root of a file's syntax tree, in order of their lines."""
    captures = QueryCursor(_query(language)).captures(root)
    found = (one for node in captures.get("name", ()) for one in _read(language, node))
    if language == "rust":
        found = (one for one in found if not re.search(rb"\bmod\s+%b\b" % one.name.encode(), content))
    return tuple(sorted(dict.fromkeys(found), key=lambda one: one.line))


def code_lines(path: str, content: bytes) -> list[str]:
    """Return the lines of a file with comments and strings blanked out, except names of imports."""
    lines = content.decode("utf-8", "replace").splitlines()
    language = source_language(path)
    if language is None:
        return lines
    kept = bytearray(content)
    for node in _silent(_parser(language).parse(content).root_node):
        for at in range(node.start_byte, node.end_byte):
            if kept[at] not in b"\r\n":
                kept[at] = 32
    blanked = kept.decode("utf-8", "replace").splitlines()
    for one in imports_of(path, content):
        if one.line <= len(blanked) and one.name not in blanked[one.line - 1]:
            blanked[one.line - 1] += f" {one.name}"
    return blanked


def walk(content: bytes, language: SourceLanguage) -> Node:
    """Return the root of a file's syntax tree."""
    return _parser(language).parse(content).root_node


def _silent(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.type in _SILENT:
            yield node
        else:
            waiting += node.children


def _read(language: SourceLanguage, node: Node) -> Iterator[Import]:
    text = (node.text or b"").decode("utf-8", "replace")
    line = node.start_point[0] + 1
    if language == "rust":
        # `use {a::b, c}` names several crates; in `use a::{b, c}` only the first word is one.
        several = text.startswith("{")
        names = _RUST_PART.findall(text) if several else re.findall(r"^(?:::)?\s*(?:r#)?(\w+)", text)
        yield from (Import(name, line) for name in names)
    elif language == "python":
        yield Import(text.replace(" ", ""), line, *_python_guards(node), _members(node))
    else:
        statement = node.parent.parent if node.parent is not None else None
        words = (statement.text or b"") if statement is not None else b""
        yield Import(text, line, type_only=words.startswith((b"import type ", b"export type ")))


def _members(node: Node) -> tuple[str, ...]:
    statement = node.parent
    if statement is None or statement.type != "import_from_statement":
        return ()
    named = (one.child_by_field_name("name") or one for one in statement.children_by_field_name("name"))
    return tuple((one.text or b"").decode("utf-8", "replace") for one in named)


def _python_guards(node: Node) -> tuple[bool, bool]:
    """Return whether the import may fail, and whether it is for type checkers only."""
    optional = type_only = False
    above: Node | None = node
    while above is not None:
        if above.type == "try_statement":
            handlers = [child.text or b"" for child in above.children if child.type == "except_clause"]
            optional |= any(b"ImportError" in text or b"ModuleNotFoundError" in text for text in handlers)
        elif above.type == "if_statement":
            condition = above.child_by_field_name("condition")
            type_only |= condition is not None and b"TYPE_CHECKING" in (condition.text or b"")
        above = above.parent
    return optional, type_only


_MODULES: dict[SourceLanguage, tuple[str, str]] = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "java": ("tree_sitter_java", "language"),
}


@cache
def grammar(language: SourceLanguage) -> Language:
    """Return the grammar of a language."""
    module, attribute = _MODULES[language]
    make: Callable[[], object] = getattr(import_module(module), attribute)
    return Language(make())


@cache
def _parser(language: SourceLanguage) -> Parser:
    return Parser(grammar(language))


@cache
def _query(language: SourceLanguage) -> Query:
    return Query(grammar(language), _QUERIES[language])
