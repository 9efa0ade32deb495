"""Reads what one source file defines and imports, by tree-sitter. Pure; must never raise for what a file holds.

What is read is bounded, so that no file can make a map large: see the limits below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from tree_sitter import Node, Query, QueryCursor

from buildwright.gates.imports import SourceLanguage, grammar, imports_in, source_language, walk

FORMAT = 2
"""Number of what an outline holds: one that was kept under another number is made anew."""
MOST_SYMBOLS = 300
MOST_IMPORTS = 300
LONGEST_LINE = 160
"""Characters of a declaration."""

_PYTHON = """
(module (class_definition) @definition)
(module (function_definition) @definition)
(module (decorated_definition definition: (_) @definition))
(class_definition body: (block (function_definition) @definition))
(class_definition body: (block (decorated_definition definition: (function_definition) @definition)))
"""
_FUNCTION = "[(arrow_function) (function_expression)]"
_JAVASCRIPT = f"""
(program [(function_declaration) (generator_function_declaration) (class_declaration)] @definition)
(export_statement [(function_declaration) (generator_function_declaration) (class_declaration)] @definition)
(program (_ (variable_declarator value: {_FUNCTION}) @definition))
(export_statement (_ (variable_declarator) @definition))
(class_body (method_definition) @definition)
(program (expression_statement (assignment_expression left: (member_expression) right: {_FUNCTION}) @definition))
((call_expression function: (identifier) @call arguments: (arguments . (string))) @test
 (#any-of? @call "it" "test"))
"""
_TYPESCRIPT = (
    _JAVASCRIPT
    + """
(program [(interface_declaration) (type_alias_declaration) (enum_declaration) (abstract_class_declaration)] @definition)
(export_statement
 [(interface_declaration) (type_alias_declaration) (enum_declaration) (abstract_class_declaration)] @definition)
"""
)
_QUERIES: dict[SourceLanguage, str] = {
    "python": _PYTHON,
    "javascript": _JAVASCRIPT,
    "typescript": _TYPESCRIPT,
    "tsx": _TYPESCRIPT,
    "go": "[(function_declaration) (method_declaration) (type_spec)] @definition",
    "rust": """
[(struct_item) (enum_item) (union_item) (trait_item) (impl_item) (macro_definition)] @definition
(source_file (function_item) @definition)
(declaration_list [(function_item) (function_signature_item)] @definition)
(source_file (type_item) @definition)
(use_declaration argument: (_) @use)
(mod_item !body name: (_) @module)
(attribute_item (attribute . (_) @attribute) (#match? @attribute "(^|::)test$")) @test
""",
    "java": """
[(class_declaration) (interface_declaration) (enum_declaration) (record_declaration) (annotation_type_declaration)
 (method_declaration) (constructor_declaration)] @definition
((marker_annotation name: (_) @name) @test (#any-of? @name "Test" "ParameterizedTest"))
""",
}
_KINDS = (
    ("class", "class"),
    ("abstract", "class"),
    ("method", "method"),
    ("constructor", "method"),
    ("function", "function"),
    ("generator", "function"),
    ("variable", "function"),
    ("assignment", "function"),
    ("interface", "interface"),
    ("struct", "struct"),
    ("enum", "enum"),
    ("union", "union"),
    ("trait", "trait"),
    ("impl", "impl"),
    ("record", "record"),
    ("macro", "macro"),
)
"""The kind of a definition by the beginning of its node's name; any other is a type."""
_HOLDERS = frozenset({"class", "interface", "struct", "enum", "union", "trait", "impl", "record"})
_GO_MODULE = re.compile(rb"^module\s+\"?([^\s\"]+)", re.MULTILINE)

_BEFORE_BODY = re.compile(r"(?:\s|=>|[{:=;])+$")

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDINGS = ("ings", "ing", "ions", "ion", "ers", "er", "ed", "es", "s", "e")


class Symbol(NamedTuple):
    """One definition. `depth` is how many others it lies in, `text` its declaration on one line, without its body."""

    kind: str
    name: str
    line: int
    depth: int
    text: str


class Outline(NamedTuple):
    """What one file holds, in a form that is read again in little time: most outlines of a map are never shown."""

    symbols_json: str = "[]"
    imports: Sequence[tuple[str, Sequence[str]]] = ()
    """A name as written, and the names that are taken from it."""
    tests: int = 0
    symbol_count: int = 0
    """Number of symbols."""
    words: str = ""
    """The words of their names, each once (see `words_of`), with spaces between."""
    cut: bool = False
    """Whether the file has more symbols or imports than are kept."""

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols in the order of the file."""
        return tuple(Symbol(*one) for one in json.loads(self.symbols_json))


def outlined(
    symbols: Sequence[Symbol], imports: Sequence[tuple[str, Sequence[str]]] = (), tests: int = 0, cut: bool = False
) -> Outline:
    """Return the outline of a file with these symbols and imports."""
    words = sorted(frozenset().union(*(words_of(one.name) for one in symbols)))
    told = json.dumps(symbols, separators=(",", ":"), ensure_ascii=False)
    return Outline(told, imports, tests, len(symbols), " ".join(words), cut)


def words_of(text: str) -> frozenset[str]:
    """Return the words of a text or a name, in lower case, without the ending by which forms of a word differ."""
    return frozenset(_stem(word.lower()) for word in _WORD.findall(text) if len(word) > 2)


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def outline_language(path: str) -> str:
    """Return the language by which a file is read, "" for one that is not."""
    return "gomod" if path.rpartition("/")[2] == "go.mod" else source_language(path) or ""


def outline(language: str, content: bytes) -> Outline:
    """Return the outline of a file in a language that `outline_language` names. Raises KeyError for any other."""
    if language == "gomod":
        found = _GO_MODULE.search(content)
        return Outline(imports=((found[1].decode("utf-8", "replace"), ()),) if found else ())
    known: SourceLanguage = language  # type: ignore[assignment]
    query = _query(known)
    root = walk(content, known)
    captures = QueryCursor(query).captures(root)
    symbols = tuple(_symbols(content, captures.get("definition", ())))
    tests = len(captures.get("test", ()))
    if language == "python":
        tests = sum(one.kind != "class" and one.name.startswith("test") for one in symbols)
    elif language == "go":
        tests = sum(re.match(r"Test([^a-z]|$)", one.name) is not None for one in symbols)
    if language == "rust":
        used = [_text(node) for node in captures.get("use", ())]
        modules = [f"mod {_text(node)}" for node in captures.get("module", ())]
        imports: list[tuple[str, tuple[str, ...]]] = [(name, ()) for name in dict.fromkeys((*modules, *used))]
    else:
        imports = list(_merged((one.name, one.members) for one in imports_in(known, root, content)))
    cut = len(symbols) > MOST_SYMBOLS or len(imports) > MOST_IMPORTS
    return outlined(symbols[:MOST_SYMBOLS], tuple(imports[:MOST_IMPORTS]), tests, cut)


def _merged(found: Iterator[tuple[str, tuple[str, ...]]]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each imported name once, with all that is taken from it."""
    members: dict[str, dict[str, None]] = {}
    for name, taken in found:
        members.setdefault(name[:LONGEST_LINE], {}).update(dict.fromkeys(taken))
    for name, names in members.items():
        yield name, tuple(names)[:MOST_IMPORTS]


def _symbols(content: bytes, nodes: list[Node] | tuple[Node, ...]) -> Iterator[Symbol]:
    """Yield the symbols of these nodes in the order of the file."""
    ends: list[int] = []  # of the definitions around the current one
    for node in sorted(dict.fromkeys(nodes), key=lambda one: (one.start_byte, -one.end_byte)):
        while ends and ends[-1] <= node.start_byte:
            ends.pop()
        kind = next((kind for start, kind in _KINDS if node.type.startswith(start)), "type")
        yield Symbol(
            "method" if ends and kind == "function" else kind,
            _name(node)[:LONGEST_LINE],
            node.start_point[0] + 1,
            len(ends),
            _declaration(content, node),
        )
        if kind in _HOLDERS:
            ends.append(node.end_byte)


def _name(node: Node) -> str:
    for field in ("name", "type"):
        named = node.child_by_field_name(field)
        if named is not None:
            return _text(named)
    left = node.child_by_field_name("left")
    last = left.child_by_field_name("property") if left is not None else None
    return _text(last) if last is not None else ""


def _declaration(content: bytes, node: Node) -> str:
    """Return what a definition says before its body, on one line."""
    body = node.child_by_field_name("body")
    for field in ("value", "right"):
        made = node.child_by_field_name(field)
        body = body or (made.child_by_field_name("body") if made is not None else None)
    end = body.start_byte if body is not None else node.end_byte
    # Four bytes a character at most: a long one is not decoded whole.
    words = content[node.start_byte : min(end, node.start_byte + 8 * LONGEST_LINE)].decode("utf-8", "replace")
    if body is None:
        words = words.partition("\n")[0].partition("{")[0]
    line = _BEFORE_BODY.sub("", " ".join(words.split()))
    return f"{line[: LONGEST_LINE - 4]} ..." if len(line) > LONGEST_LINE else line


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


@cache
def _query(language: SourceLanguage) -> Query:
    return Query(grammar(language), _QUERIES[language])
