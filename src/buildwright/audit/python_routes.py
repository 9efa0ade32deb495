"""Finds the routes of FastAPI, Starlette and Flask applications in one Python file. Pure; must never import the file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from buildwright.audit.route import METHODS, FileRoutes, Mount, RouteAt

_ROUTERS = frozenset(("FastAPI", "APIRouter", "Starlette", "Router", "Flask", "Blueprint", "Quart"))
_MOUNTS = frozenset(("include_router", "register_blueprint", "mount"))


def python_routes(text: str) -> FileRoutes:
    """Return the routes, routers, mounts and imports of a Python file; nothing for one that cannot be parsed."""
    found = FileRoutes()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                found.imports[name.asname or name.name.partition(".")[0]] = (name.name, "")
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for name in node.names:
                found.imports[name.asname or name.name] = (module, name.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            _router(node, found)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                found.routes += _decorated(decorator, found)
        elif isinstance(node, ast.Call):
            _call(node, found)
    return found


def _router(node: ast.Assign | ast.AnnAssign, found: FileRoutes) -> None:
    target = node.targets[0] if isinstance(node, ast.Assign) else node.target
    if isinstance(target, ast.Name) and isinstance(node.value, ast.Call) and _last(node.value.func) in _ROUTERS:
        prefix = _keyword(node.value, "prefix", "url_prefix", "root_path")
        found.routers[target.id] = _text(prefix) or "" if _last(node.value.func) != "FastAPI" else ""


def _decorated(node: ast.expr, found: FileRoutes) -> Iterator[RouteAt]:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return
    verb, owner = node.func.attr, _dotted(node.func.value)
    if verb not in {*METHODS, "route", "api_route", "websocket"} or not owner:
        return
    first = node.args[0] if node.args else _keyword(node, "path", "rule")
    path = _text(first)
    if path is None:
        found.dynamic.append(node.lineno)
        return
    if verb in METHODS:
        yield RouteAt(owner, verb, path, node.lineno)
    elif verb == "websocket":
        yield RouteAt(owner, "get", path, node.lineno)
    else:
        for method in _methods(node):
            yield RouteAt(owner, method, path, node.lineno)


def _methods(node: ast.Call) -> list[str]:
    listed = _keyword(node, "methods")
    if isinstance(listed, ast.List | ast.Tuple | ast.Set):
        return [text.lower() for one in listed.elts if (text := _text(one))]
    return ["get"]


def _call(node: ast.Call, found: FileRoutes) -> None:
    if not isinstance(node.func, ast.Attribute) or not node.args:
        return
    name, owner = node.func.attr, _dotted(node.func.value)
    if name in {"add_api_route", "add_route", "add_url_rule"}:
        path = _text(node.args[0])
        if path is None:
            found.dynamic.append(node.lineno)
        else:
            found.routes += [RouteAt(owner, method, path, node.lineno) for method in _methods(node)]
    elif name in _MOUNTS:
        at_front = name == "mount" and len(node.args) > 1
        target = _dotted(node.args[1 if at_front else 0])
        prefix = node.args[0] if at_front else _keyword(node, "prefix", "url_prefix")
        path = "" if prefix is None else _text(prefix)
        if path is None or not target:
            found.dynamic.append(node.lineno)
        else:
            found.mounts.append(
                Mount(owner, target, path, replaces=name == "register_blueprint" and prefix is not None)
            )


def _keyword(node: ast.Call, *names: str) -> ast.expr | None:
    return next((one.value for one in node.keywords if one.arg in names), None)


def _text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _last(node: ast.expr) -> str:
    return _dotted(node).rpartition(".")[2]


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = _dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""
