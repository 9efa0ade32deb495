"""Parses JavaScript and TypeScript by tree-sitter's grammars. Pure: must never run anything."""

from __future__ import annotations

import posixpath
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

_ENDINGS = {
    "js": "javascript", "cjs": "javascript", "mjs": "javascript", "jsx": "javascript",
    "ts": "typescript", "cts": "typescript", "mts": "typescript", "tsx": "tsx",
}  # fmt: skip
_WHOLE = frozenset(("string", "template_string", "regex"))
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4}|\{[0-9A-Fa-f]{1,6}\})|x([0-9A-Fa-f]{2})|(\r\n|[\s\S]))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": "", "\r": ""}
DEEPEST = 500
FUNCTIONS = frozenset(("arrow_function", "function_expression", "function_declaration", "method_definition"))


def is_script(path: str) -> bool:
    """Return whether a path is JavaScript or TypeScript by its name."""
    return path.rpartition(".")[2].lower() in _ENDINGS


def parse(path: str, text: str) -> Node:
    """Return the root of a file's syntax tree. What cannot be parsed becomes ERROR nodes inside it.

    Raises RecursionError, as `ast.parse` does, for what is nested too deeply to be read in good time.
    """
    root = _parser(_ENDINGS[path.rpartition(".")[2].lower()]).parse(text.encode()).root_node
    level, depth = [root], 0
    while level:
        level, depth = [child for node in level for child in node.named_children], depth + 1
        if depth > DEEPEST:
            raise RecursionError(f"{path} is nested too deeply")
    return root


@cache
def _parser(dialect: str) -> Parser:
    grammar = {
        "javascript": tree_sitter_javascript.language,
        "typescript": tree_sitter_typescript.language_typescript,
        "tsx": tree_sitter_typescript.language_tsx,
    }[dialect]
    return Parser(Language(grammar()))


def text(node: Node | None) -> str:
    """Return the source of a node, "" of none."""
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def line(node: Node) -> int:
    """Return the line of a node, from 1."""
    return node.start_point.row + 1


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the source."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        waiting.extend(reversed(one.children))


def plain(node: Node | None, without: Sequence[Node] = ()) -> str:
    """Return the source of a node without comments and layout, so that formatting makes no difference.

    The nodes in `without` are left out.
    """
    if node is None:
        return ""
    left_out = {one.id for one in without}
    leaves, waiting = [], [node]
    while waiting:
        one = waiting.pop()
        if one.type == "comment" or one.id in left_out:
            continue
        if one.children and one.type not in _WHOLE:
            waiting.extend(reversed(one.children))
        elif one.type not in {";", ","}:
            leaves.append(text(one).replace('"', "'") if one.type == "string" else text(one))
    return " ".join(leaves)


def literal(node: Node | None, depth: int = 50) -> str | None:
    """Return the text of a string literal without its quotes, also of joined ones; None for anything else."""
    if node is None or not depth:
        return None
    if node.type == "string" or (node.type == "template_string" and not _has_holes(node)):
        return written(text(node)[1:-1])
    if node.type == "parenthesized_expression":
        return literal(node.named_children[0], depth - 1) if node.named_children else None
    if node.type == "binary_expression" and text(node.child_by_field_name("operator")) == "+":
        left, right = (literal(node.child_by_field_name(side), depth - 1) for side in ("left", "right"))
        return left + right if left is not None and right is not None else None
    return None


def written(source: str) -> str:
    """Return what the inside of a string literal stands for: its escapes as the characters that they are."""
    return _ESCAPE.sub(_character, source) if "\\" in source else source


def _character(escape: re.Match[str]) -> str:
    code = (escape[1] or escape[2] or "").strip("{}")
    if code:
        return chr(min(int(code, 16), sys.maxunicode))
    return _ESCAPED.get(escape[3], escape[3])


def _has_holes(node: Node) -> bool:
    return any(child.type == "template_substitution" for child in node.children)


def resolve(path: str, wanted: str) -> str:
    """Return a module's name as imported from `path`: a path of the tree for a relative one, else the name."""
    name = wanted.removeprefix("node:")
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), name)) if wanted.startswith(".") else name


def imports(path: str, root: Node) -> dict[str, str]:
    """Return the local names that a file imports, each with `module` or `module.name` that it stands for."""
    found: dict[str, str] = {}
    for node in walk(root):
        if node.type == "import_statement":
            source = literal(node.child_by_field_name("source"))
            if source is not None:
                for local, name in _imported(node):
                    found[local] = ".".join(filter(None, (resolve(path, source), name)))
        elif node.type == "variable_declarator":
            module, name = _required(node.child_by_field_name("value"))
            if module is not None:
                for local, inner in _bound(node.child_by_field_name("name")):
                    found[local] = ".".join(filter(None, (resolve(path, module), name, inner)))
    return found


def _imported(node: Node) -> Iterator[tuple[str, str]]:
    for one in walk(node):
        if one.type == "import_specifier":
            name, alias = one.child_by_field_name("name"), one.child_by_field_name("alias")
            yield text(alias or name), text(name)
        elif one.type == "namespace_import":
            yield text(one.named_children[0]), ""
        elif one.type == "identifier" and one.parent is not None and one.parent.type == "import_clause":
            yield text(one), ""


def _required(node: Node | None) -> tuple[str | None, str]:
    """Return the module that an expression requires, and the member that is taken of it."""
    member = ""
    while node is not None and node.type in {"await_expression", "parenthesized_expression", "member_expression"}:
        if node.type == "member_expression":
            member = text(node.child_by_field_name("property"))
            node = node.child_by_field_name("object")
        else:
            node = node.named_children[0] if node.named_children else None
    if node is None or node.type != "call_expression":
        return None, ""
    called, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if text(called) not in {"require", "import"} or arguments is None or not arguments.named_children:
        return None, ""
    return literal(arguments.named_children[0]), member


def _bound(node: Node | None) -> Iterator[tuple[str, str]]:
    if node is None:
        return
    if node.type == "identifier":
        yield text(node), ""
    elif node.type == "object_pattern":
        for one in node.named_children:
            if one.type == "shorthand_property_identifier_pattern":
                yield text(one), text(one)
            elif one.type == "pair_pattern":
                yield text(one.child_by_field_name("value")), text(one.child_by_field_name("key"))
