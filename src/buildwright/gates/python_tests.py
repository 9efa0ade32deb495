"""How pytest and unittest read Python: what is collected, skipped, caught, replaced, and run in which cases. Pure.

Must never run a test. A name that is not written out stays as it is.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterator, Mapping, Sequence

MOST_CASES = 500
_SILENT = frozenset(("skip", "skipif", "xfail", "skipIf", "skipUnless", "expectedFailure", "SkipTest", "importorskip"))
CATCH_ALL = frozenset(("AssertionError", "Exception", "BaseException", "builtins.AssertionError", "builtins.Exception"))
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def dotted(node: ast.AST | None) -> str:
    """Return `a.b.c` of a name, of an attribute or of what is called; "" of anything else."""
    if isinstance(node, ast.Call):
        return dotted(node.func)
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inside = dotted(node.value)
        return f"{inside}.{node.attr}" if inside else node.attr
    return ""


def imported(tree: ast.AST) -> dict[str, str]:
    """Return the local names that imports below a node bind, each with the dotted name it stands for."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.partition(".")[0]] = one.name if one.asname else one.name.partition(".")[0]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for one in node.names:
                found[one.asname or one.name] = f"{module}.{one.name}" if module.strip(".") else f"{module}{one.name}"
    return found


class PutIn(ast.NodeTransformer):
    """Puts values in place of names."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._values.get(node.id)
        return value if value is not None and isinstance(node.ctx, ast.Load) else node


def put_in(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    """Return a copy of an expression with values in place of names."""
    made = PutIn(values).visit(copy.deepcopy(node))
    assert isinstance(made, ast.expr)
    return made


def size_of(node: ast.AST) -> int:
    """Return the number of nodes of a piece of source, at most one more than `MOST_CASES`."""
    return sum(1 for _ in itertools.islice(ast.walk(node), MOST_CASES + 1))


def flat(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, also those under an `if` or a `try` at its top."""
    for statement in statements:
        if isinstance(statement, ast.If):
            yield from flat(statement.body)
            yield from flat(statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from flat([*statement.body, *statement.orelse, *statement.finalbody])
        else:
            yield statement


def arguments_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Return the names of the arguments of a function."""
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a body after its docstring."""
    first = body[0]
    has = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return body[1:] if has else body


def is_collected(found: ast.ClassDef) -> bool:
    """Return whether runners collect a class: pytest one named Test* without __init__, unittest a TestCase."""
    if any(dotted(base).endswith("TestCase") for base in found.bases):
        return True
    makes = any(isinstance(one, FUNCTIONS) and one.name in {"__init__", "__new__"} for one in found.body)
    return found.name.startswith("Test") and not makes


def silent_name(node: ast.AST | None) -> str:
    """Return the name of the mark or call that keeps a test from refusing anything, "" for any other node."""
    name = dotted(node)
    last = name.rpartition(".")[2]
    return name if last in _SILENT or name.endswith(("self.skipTest", "pytest.exit")) else ""


def silent_call(body: Sequence[ast.stmt]) -> str:
    """Return the first such name among the statements of a body, "" without one."""
    for statement in body:
        if isinstance(statement, ast.Expr) and (name := silent_name(statement.value)):
            return name
        if isinstance(statement, ast.Raise) and (name := silent_name(statement.exc)):
            return name
    return ""


def swallows(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler catches a failed assertion and lets the test go on."""
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if handler.type is not None and not any(dotted(one) in CATCH_ALL for one in caught):
        return False
    return not any(
        isinstance(one, ast.Raise) or (isinstance(one, ast.Call) and dotted(one).endswith(".fail"))
        for statement in handler.body
        for one in ast.walk(statement)
    )


def as_expression(name: str, given: Sequence[ast.expr]) -> ast.expr | None:
    """Return what a method of unittest claims as an expression, None for one without such a form."""
    operators: dict[str, ast.cmpop] = {
        "assertEqual": ast.Eq(), "assertEquals": ast.Eq(), "assertNotEqual": ast.NotEq(), "assertIs": ast.Is(),
        "assertIsNot": ast.IsNot(), "assertIn": ast.In(), "assertNotIn": ast.NotIn(), "assertGreater": ast.Gt(),
        "assertLess": ast.Lt(), "assertGreaterEqual": ast.GtE(), "assertLessEqual": ast.LtE(),
    }  # fmt: skip
    if name in operators and len(given) >= 2:
        return ast.Compare(given[0], [operators[name]], [given[1]])
    if name == "assertTrue" and given:
        return given[0]
    if name == "assertFalse" and given:
        return ast.UnaryOp(ast.Not(), given[0])
    return None


def table_of_cases(mark: ast.Call) -> list[dict[str, ast.expr]] | None:
    """Return the cases of `parametrize`, each as the values of its names; None when they are not written out."""
    given = [*mark.args, *(one.value for one in mark.keywords if one.arg in {"argnames", "argvalues"})]
    if len(given) < 2 or not isinstance(given[1], (ast.List, ast.Tuple)):
        return None
    if isinstance(given[0], ast.Constant) and isinstance(given[0].value, str):
        names = [name.strip() for name in given[0].value.split(",") if name.strip()]
    elif isinstance(given[0], (ast.List, ast.Tuple)):
        names = [str(one.value) for one in given[0].elts if isinstance(one, ast.Constant)]
    else:
        return None
    rows = []
    for case in given[1].elts:
        values = [case]
        if isinstance(case, ast.Call) and dotted(case).endswith("param"):
            if any("skip" in (marks := ast.unparse(one.value)) or "xfail" in marks for one in case.keywords):
                continue
            values = list(case.args)
        elif len(names) > 1 and isinstance(case, (ast.List, ast.Tuple)):
            values = case.elts
        rows.append(dict(zip(names, values, strict=False)))
    return rows


def is_automatic(mark: ast.expr) -> bool:
    """Return whether a decorator makes a fixture that is used without being asked for."""
    if not isinstance(mark, ast.Call) or not dotted(mark).endswith("fixture"):
        return False
    return any(
        one.arg == "autouse" and not (isinstance(one.value, ast.Constant) and not one.value.value)
        for one in mark.keywords
    )


def mocks_of(node: ast.AST, names: Mapping[str, ast.expr]) -> Iterator[str]:
    """Yield what a piece of a test file replaces, as the source says it."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            name = dotted(put_in(one.func, names))
            last = name.rpartition(".")[2]
            is_patch = last in {"patch", "object", "dict", "multiple"} and "patch" in name.split(".")
            if is_patch or (last in {"setattr", "setitem", "delattr"} and _may_replace(one)):
                yield ast.unparse(one)
        elif isinstance(one, (ast.Assign, ast.AugAssign)):
            for target in one.targets if isinstance(one, ast.Assign) else [one.target]:
                root = dotted(target if isinstance(target, ast.Attribute) else getattr(target, "value", None))
                first = root.partition(".")[0]
                is_foreign = first in names and isinstance(names[first], ast.Name)
                if (isinstance(target, ast.Attribute) and is_foreign and not root.startswith(("self.", "sys.std"))) or (
                    isinstance(target, ast.Subscript) and root.endswith(("sys.modules", "modules"))
                ):
                    yield ast.unparse(target)


def _may_replace(call: ast.Call) -> bool:
    """Return whether a `setattr` or `setitem` can reach the product: not the environment alone."""
    return bool(call.args) and dotted(call.args[0]) not in {"os.environ", "environ", "self"}
