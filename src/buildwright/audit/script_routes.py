"""Finds the routes of Express applications in one JavaScript or TypeScript file. Pure; must never run the file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from buildwright.audit.route import METHODS, FileRoutes, Mount, RouteAt
from buildwright.gates.imports import source_language, walk

_ROUTER = re.compile(r"^(?:express(?:\.default)?\(|(?:express\.|new )?Router\(|fastify\(|new Hono\()")
_REQUIRE = re.compile(r"""^require\(\s*["']([^"']+)["']\s*\)$""")


def script_routes(path: str, content: bytes) -> FileRoutes:
    """Return the routes, routers, mounts and imports of a file; none for another language."""
    found = FileRoutes()
    language = source_language(path)
    if language not in {"javascript", "typescript", "tsx"}:
        return found
    waiting = [walk(content, language)]
    while waiting:
        node = waiting.pop()
        waiting += reversed(node.children)
        if node.type == "variable_declarator":
            _declared(node, found)
        elif node.type == "import_statement":
            _imported(node, found)
        elif node.type == "call_expression":
            _call(node, found)
    return found


def _words(node: Node | None) -> str:
    return (node.text or b"").decode("utf-8", "replace") if node is not None else ""


def _declared(node: Node, found: FileRoutes) -> None:
    name, value = _words(node.child_by_field_name("name")), _words(node.child_by_field_name("value"))
    if required := _REQUIRE.match(value):
        found.imports[name] = (required[1], "default")
    elif _ROUTER.match(value):
        found.routers[name] = ""


def _imported(node: Node, found: FileRoutes) -> None:
    source = _words(node.child_by_field_name("source")).strip("\"'")
    for child in node.children:
        if child.type == "import_clause":
            for name in re.findall(r"(?:\w+\s+as\s+)?(\w+)", _words(child)):
                found.imports[name] = (source, "default")


def _call(node: Node, found: FileRoutes) -> None:
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or arguments is None or function.type != "member_expression":
        return
    verb = _words(function.child_by_field_name("property"))
    owner, given = function.child_by_field_name("object"), arguments.named_children
    line = node.start_point[0] + 1
    if verb == "use" and given:
        _use(_words(owner), given, line, found)
    elif verb in METHODS or verb == "all":
        chained = _chained(owner)
        if chained is not None:
            target, path = chained
        elif len(given) >= 2:
            target, path = _words(owner), given[0]
        else:
            return  # `app.get("setting")` reads a setting
        if target in found.routers:
            _add(target, verb, path, line, found)


def _add(owner: str, verb: str, node: Node, line: int, found: FileRoutes) -> None:
    paths = list(_paths(node))
    if not paths:
        found.dynamic.append(line)
    for path in paths:
        found.routes += [RouteAt(owner, method, path, line) for method in (METHODS if verb == "all" else (verb,))]


def _paths(node: Node) -> Iterator[str]:
    if node.type == "string" or (node.type == "template_string" and "${" not in _words(node)):
        yield _words(node)[1:-1]
    elif node.type == "array":
        for child in node.named_children:
            yield from _paths(child)


def _chained(owner: Node | None) -> tuple[str, Node] | None:
    """Return the router and the path of `app.route("/x").get(...)`, however long the chain is."""
    while owner is not None and owner.type == "call_expression":
        function, arguments = owner.child_by_field_name("function"), owner.child_by_field_name("arguments")
        if function is None or arguments is None or function.type != "member_expression":
            return None
        if _words(function.child_by_field_name("property")) == "route" and arguments.named_children:
            return _words(function.child_by_field_name("object")), arguments.named_children[0]
        owner = function.child_by_field_name("object")
    return None


def _use(owner: str, given: list[Node], line: int, found: FileRoutes) -> None:
    prefixes = list(_paths(given[0])) if len(given) > 1 else [""]
    target = _words(given[-1])
    required = _REQUIRE.match(target)
    if required:
        target = f"require:{required[1]}".replace(".", "_")  # a dot would separate a member
        found.imports[target] = (required[1], "default")
    if not prefixes and (target in found.routers or target in found.imports):
        found.dynamic.append(line)
    found.mounts += [Mount(owner, target, prefix) for prefix in prefixes]
