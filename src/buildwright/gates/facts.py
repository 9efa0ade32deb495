"""Reads what the tests of a Python file claim: each live assertion as a fact. Pure; must never run a test.

A fact is an assertion with the names of imports, local values and parameters put in, so that the same claim has the same
text in another function, another file, a loop or a parametrised test. An assertion that cannot refuse anything (after a
return, inside a try that catches it, in a function that no runner collects) is no fact.
"""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

MOST_CASES = 500
TOP = "the top of the file"
"""The name of the test that a script with assertions at its top level is."""
_LARGEST = 60
"""Nodes of a local value that is put into a fact; a larger one stays a name."""
_SILENT = frozenset(("skip", "skipif", "xfail", "skipIf", "skipUnless", "expectedFailure", "SkipTest", "importorskip"))
_CATCH_ALL = frozenset(
    ("AssertionError", "Exception", "BaseException", "builtins.AssertionError", "builtins.Exception")
)
_PROBES = ("assert", "expect", "check", "verify", "fail", "should", "raises", "warns")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Fact(NamedTuple):
    """A claim of a test."""

    text: str
    line: int
    called: frozenset[str] = frozenset()
    """The last names of what it calls, in lower case."""
    compares: bool = False
    """Whether it compares for equality."""


@dataclass(frozen=True)
class SingleTest:
    """A test function (`name` with its class), or a test of JavaScript by its titles."""

    name: str
    line: int
    facts: tuple[Fact, ...] = ()
    body: str = ""
    """Its statements without layout and comments."""
    silent: str = ""
    """Why it refuses nothing: the name of the mark or call; "" when it runs."""
    marks: frozenset[str] = frozenset()
    """Its decorators, by their names."""
    mocks: frozenset[str] = frozenset()
    """What it replaces by something else while it runs."""


@dataclass(frozen=True)
class FileTests:
    """What one file holds of tests."""

    tests: Mapping[str, SingleTest] = field(default_factory=dict)
    helpers: tuple[Fact, ...] = ()
    """Claims of functions that are no tests."""
    mocks: frozenset[str] = frozenset()
    """What it replaces at its top level, for every test of the run."""
    automatic: frozenset[str] = frozenset()
    """What its automatic fixtures replace, for every test that they reach."""
    focused: tuple[str, ...] = ()
    """Tests beside which no other one runs (`test.only`)."""


def read_python(text: str) -> FileTests | None:
    """Return what a Python file claims, None when it cannot be parsed."""
    try:
        return _PythonReader(ast.parse(text), text).read()
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def compare_python(before: str, after: str) -> tuple[FileTests | None, FileTests | None]:
    """Return both files as `read_python` does; functions that are the same in both have only their body."""
    try:
        old, new = _PythonReader(ast.parse(before), before), _PythonReader(ast.parse(after), after)
        if old.surroundings == new.surroundings:
            same = old.functions & new.functions
            return old.read(same), new.read(same)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return read_python(before), read_python(after)


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


class _PutIn(ast.NodeTransformer):
    """Puts values in place of names."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self._values = values

    def visit_Name(self, node: ast.Name) -> ast.AST:
        value = self._values.get(node.id)
        return value if value is not None and isinstance(node.ctx, ast.Load) else node


def _put_in(node: ast.expr, values: Mapping[str, ast.expr]) -> ast.expr:
    made = _PutIn(values).visit(copy.deepcopy(node))
    assert isinstance(made, ast.expr)
    return made


@dataclass(frozen=True)
class _Scope:
    """Where a statement stands: the values of names, and the conditions under which it runs."""

    values: dict[str, ast.expr]
    conditions: tuple[str, ...] = ()

    def within(self, condition: str) -> _Scope:
        return _Scope(dict(self.values), (*self.conditions, condition))


class _PythonReader:
    """Reads one module."""

    def __init__(self, tree: ast.Module, text: str) -> None:
        self._tree = tree
        self._lines = text.splitlines()
        self._same: frozenset[str] = frozenset()
        self._names: dict[str, ast.expr] = {local: ast.Name(full, ast.Load()) for local, full in imported(tree).items()}
        defined = [node for node in tree.body if isinstance(node, (*_FUNCTIONS, ast.ClassDef))]
        for node in defined:
            self._names.pop(node.name, None)
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and _size(statement.value) <= MOST_CASES:
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self._names[target.id] = _put_in(statement.value, self._names)

    @property
    def surroundings(self) -> list[str]:
        """Return the statements at the top, which give the names in all functions their meaning."""
        defined = [one for one in self._tree.body if isinstance(one, (*_FUNCTIONS, ast.ClassDef))]
        names = {one.name for one in defined if not one.name.lower().startswith("test")}
        return [*sorted(names), *(ast.unparse(one) for one in self._tree.body if one not in defined)]

    @property
    def functions(self) -> frozenset[str]:
        """Return the source of every function at the top and of every method."""
        found = [
            one for node in _flat(self._tree.body) for one in (node.body if isinstance(node, ast.ClassDef) else [node])
        ]
        return frozenset(self._source(one) for one in found if isinstance(one, _FUNCTIONS))

    def _source(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
        first = min([node.lineno, *(mark.lineno for mark in node.decorator_list)])
        return "\n".join(self._lines[first - 1 : node.end_lineno])

    def read(self, same: frozenset[str] = frozenset()) -> FileTests:
        """Return the tests of the module; the last of two definitions of a name is the one that counts.

        Functions whose source is in `same` are not read.
        """
        self._same = same
        tests: dict[str, SingleTest] = {}
        helpers: list[Fact] = []
        silent = self._silent_module()
        for statement in _flat(self._tree.body):
            if isinstance(statement, _FUNCTIONS):
                if statement.name.startswith("test"):
                    tests[statement.name] = self._case(statement, statement.name, silent)
                else:
                    helpers += self._facts(statement, _Scope(dict(self._names)))
            elif isinstance(statement, ast.ClassDef):
                for method in statement.body:
                    if isinstance(method, _FUNCTIONS):
                        name = f"{statement.name}.{method.name}"
                        if _is_collected(statement) and method.name.startswith("test"):
                            off = silent or self._silent_mark(statement.decorator_list) or self._mark_of(statement.body)
                            tests[name] = self._case(method, name, off)
                        else:
                            helpers += self._facts(method, _Scope(dict(self._names)))
            else:
                _rebind(statement, tests)
        top = [one for one in _flat(self._tree.body) if not isinstance(one, (*_FUNCTIONS, ast.ClassDef))]
        facts = tuple(dict.fromkeys(fact for fact in _Block(top, _Scope(dict(self._names))).facts()))
        if facts:
            tests[TOP] = SingleTest(TOP, facts[0].line, facts)
        mocks = {mock for one in top for mock in _mocks(one, self._names)}
        return FileTests(tests, tuple(helpers), frozenset(mocks), frozenset(self._automatic_mocks()))

    def _silent_module(self) -> str:
        for statement in self._tree.body:
            if isinstance(statement, ast.Expr) and (name := _silent_name(statement.value)):
                return name
            if isinstance(statement, ast.Raise) and (name := _silent_name(statement.exc)):
                return name
        return self._mark_of(self._tree.body)

    def _mark_of(self, body: Sequence[ast.stmt]) -> str:
        for statement in body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                name = statement.targets[0].id
                if name == "pytestmark":
                    value = statement.value
                    marks = value.elts if isinstance(value, (ast.List, ast.Tuple)) else [value]
                    if found := self._silent_mark(marks):
                        return found
                if name == "__test__" and isinstance(statement.value, ast.Constant) and not statement.value.value:
                    return "__test__ = False"
        return ""

    def _silent_mark(self, marks: Iterable[ast.expr]) -> str:
        return next(filter(None, (_silent_name(_put_in(mark, self._names)) for mark in marks)), "")

    def _case(self, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str, silent: str) -> SingleTest:
        if self._same and (source := self._source(function)) in self._same:
            off = silent or self._silent_mark(function.decorator_list) or _silent_call(function.body)
            return SingleTest(name, function.lineno, body=source, silent=off)
        scopes, marks = self._cases(function)
        facts = dict.fromkeys(itertools.chain.from_iterable(self._facts(function, scope) for scope in scopes))
        return SingleTest(
            name=name,
            line=function.lineno,
            facts=tuple(facts),
            body="\n".join(ast.unparse(statement) for statement in _without_docstring(function.body)),
            silent=silent or self._silent_mark(function.decorator_list) or _silent_call(function.body),
            marks=frozenset(marks),
            mocks=frozenset(_mocks(function, self._names)),
        )

    def _cases(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[list[_Scope], list[str]]:
        """Return the scope of each parametrised case (one without), and the names of the other decorators."""
        values = dict(self._names)
        for argument in _arguments(function):
            values.pop(argument, None)
        tables: list[list[dict[str, ast.expr]]] = []
        conditions: list[str] = []
        marks: list[str] = []
        for decorator in function.decorator_list:
            mark = _put_in(decorator, self._names)
            if dotted(mark).endswith("mark.parametrize") and isinstance(mark, ast.Call):
                table = _table(mark)
                if table is None:
                    conditions.append(ast.unparse(mark))
                else:
                    tables.append(table)
            else:
                marks.append(dotted(mark))
        scopes = [
            _Scope({**values, **{name: one for row in rows for name, one in row.items()}}, tuple(conditions))
            for rows in itertools.islice(itertools.product(*tables), MOST_CASES)
        ]
        return scopes, marks

    def _facts(self, function: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope) -> list[Fact]:
        if self._same and self._source(function) in self._same:
            return []
        return list(_Block(list(function.body), scope).facts())

    def _automatic_mocks(self) -> Iterator[str]:
        for statement in ast.walk(self._tree):
            if isinstance(statement, _FUNCTIONS) and any(_is_automatic(mark) for mark in statement.decorator_list):
                yield from _mocks(statement, self._names)


class _Block:
    """The statements of a block, read in order."""

    def __init__(self, statements: list[ast.stmt], scope: _Scope) -> None:
        self._statements = statements
        self._scope = scope

    def facts(self) -> Iterator[Fact]:
        """Yield the facts up to the statement after which nothing runs."""
        for statement in self._statements:
            if isinstance(statement, (ast.Return, ast.Raise, ast.Break, ast.Continue)):
                return
            if isinstance(statement, ast.Expr) and _silent_name(statement.value):
                return
            yield from self._of(statement)

    def _of(self, statement: ast.stmt) -> Iterator[Fact]:
        match statement:
            case ast.Assert():
                yield from self._claim(statement.test, statement.lineno)
            case ast.Expr(value=ast.Call() | ast.Await()):
                yield from self._call(statement)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                self._assign(statement)
            case ast.With() | ast.AsyncWith():
                yield from self._with(statement)
            case ast.Try():
                yield from self._try(statement)
            case ast.If():
                test = self._text(statement.test)
                if not (isinstance(statement.test, ast.Constant) and not statement.test.value):
                    inner = (
                        self._scope if isinstance(statement.test, ast.Constant) else self._scope.within(f"if {test}")
                    )
                    yield from _Block(statement.body, inner).facts()
                yield from _Block(statement.orelse, self._scope.within(f"if not {test}")).facts()
            case ast.For() | ast.AsyncFor():
                yield from self._for(statement)
            case ast.While():
                yield from _Block(statement.body, self._scope.within(f"while {self._text(statement.test)}")).facts()
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                inner = self._scope.within(f"def {statement.name}")
                for argument in _arguments(statement):
                    inner.values.pop(argument, None)
                yield from _Block(statement.body, inner).facts()

    def _claim(self, test: ast.expr, line: int) -> Iterator[Fact]:
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            for part in test.values:
                yield from self._claim(part, line)
            return
        put = self._put(test)
        if isinstance(put, ast.Constant) or (isinstance(put, ast.Tuple) and put.elts):
            return
        if isinstance(put, ast.BoolOp) and any(isinstance(one, ast.Constant) and one.value for one in put.values):
            return
        yield self._fact(put, ast.unparse(put), line)

    def _call(self, statement: ast.Expr) -> Iterator[Fact]:
        call = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        name = dotted(call).rpartition(".")[2].lstrip("_")
        if not isinstance(call, ast.Call) or not name.lower().startswith(_PROBES):
            return
        test = _as_expression(name, call.args)
        if test is not None:
            yield from self._claim(test, statement.lineno)
        else:
            put = self._put(call)
            yield self._fact(put, ast.unparse(put), statement.lineno)

    def _fact(self, node: ast.AST, text: str, line: int) -> Fact:
        called = {dotted(one).rpartition(".")[2].lower() for one in ast.walk(node) if isinstance(one, ast.Call)}
        compares = any(
            isinstance(one, ast.Compare) and any(isinstance(op, ast.Eq) for op in one.ops) for one in ast.walk(node)
        )
        where = "".join(f"{condition}: " for condition in self._scope.conditions)
        return Fact(where + text, line, frozenset(filter(None, called)), compares)

    def _assign(self, statement: ast.Assign | ast.AnnAssign | ast.AugAssign) -> None:
        values = self._scope.values
        if isinstance(statement, ast.AugAssign):
            target: ast.expr = statement.target
            if isinstance(target, ast.Name):
                old = values.get(target.id, ast.Name(target.id, ast.Load()))
                self._bind(target, ast.BinOp(old, statement.op, self._put(statement.value)))
            return
        if statement.value is None:
            return
        value = self._put(statement.value)
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            self._bind(target, value)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Name):
            if _size(value) <= _LARGEST:
                self._scope.values[target.id] = value
            else:
                self._scope.values.pop(target.id, None)
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = value.elts if isinstance(value, (ast.Tuple, ast.List)) else None
            for number, one in enumerate(target.elts):
                if parts is not None and len(parts) == len(target.elts):
                    self._bind(one, parts[number])
                else:
                    self._bind(one, ast.Subscript(value, ast.Constant(number), ast.Load()))

    def _with(self, statement: ast.With | ast.AsyncWith) -> Iterator[Fact]:
        for item in statement.items:
            name = dotted(self._put(item.context_expr)).rpartition(".")[2]
            taken = (
                {dotted(one) for one in item.context_expr.args} if isinstance(item.context_expr, ast.Call) else set()
            )
            if name in {"suppress", "raises", "assertRaises"} and taken & _CATCH_ALL:
                if name != "suppress" and not any(isinstance(one, ast.Assert) for one in ast.walk(statement)):
                    break
                return
        probes = [ast.unparse(self._put(item.context_expr)) for item in statement.items]
        if any(probe.partition("(")[0].rpartition(".")[2].lower().startswith(_PROBES) for probe in probes):
            body = "; ".join(self._statement(one) for one in statement.body)
            yield self._fact(statement, f"with {', '.join(probes)}: {body}", statement.lineno)
        yield from _Block(statement.body, self._scope).facts()

    def _statement(self, statement: ast.stmt) -> str:
        made = _PutIn(self._scope.values).visit(copy.deepcopy(statement))
        return ast.unparse(made)

    def _try(self, statement: ast.Try) -> Iterator[Fact]:
        if not any(_swallows(handler) for handler in statement.handlers):
            yield from _Block(statement.body, self._scope).facts()
            yield from _Block(statement.orelse, self._scope).facts()
        for handler in statement.handlers:
            caught = self._text(handler.type) if handler.type is not None else ""
            yield from _Block(handler.body, self._scope.within(f"except {caught}")).facts()
        yield from _Block(statement.finalbody, self._scope).facts()

    def _for(self, statement: ast.For | ast.AsyncFor) -> Iterator[Fact]:
        rows = self._put(statement.iter)
        if isinstance(rows, (ast.List, ast.Tuple)) and 0 < len(rows.elts) <= MOST_CASES:
            for row in rows.elts:
                inner = replace(self._scope, values=dict(self._scope.values))
                block = _Block(statement.body, inner)
                block._bind(statement.target, row)
                yield from block.facts()
        else:
            inner = self._scope.within(f"for {ast.unparse(statement.target)} in {ast.unparse(rows)}")
            for name in ast.walk(statement.target):
                if isinstance(name, ast.Name):
                    inner.values.pop(name.id, None)
            yield from _Block(statement.body, inner).facts()

    def _put(self, node: ast.expr) -> ast.expr:
        return _put_in(node, self._scope.values)

    def _text(self, node: ast.expr) -> str:
        return ast.unparse(self._put(node))


def _size(node: ast.AST) -> int:
    return sum(1 for _ in itertools.islice(ast.walk(node), MOST_CASES + 1))


def _flat(statements: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, also those under an `if` or a `try` at its top."""
    for statement in statements:
        if isinstance(statement, ast.If):
            yield from _flat(statement.body)
            yield from _flat(statement.orelse)
        elif isinstance(statement, ast.Try):
            yield from _flat([*statement.body, *statement.orelse, *statement.finalbody])
        else:
            yield statement


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    return [one.arg for one in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0]
    has = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    return body[1:] if has else body


def _is_collected(found: ast.ClassDef) -> bool:
    """Return whether runners collect a class: pytest one named Test* without __init__, unittest a TestCase."""
    if any(dotted(base).endswith("TestCase") for base in found.bases):
        return True
    makes = any(isinstance(one, _FUNCTIONS) and one.name in {"__init__", "__new__"} for one in found.body)
    return found.name.startswith("Test") and not makes


def _silent_name(node: ast.AST | None) -> str:
    name = dotted(node)
    last = name.rpartition(".")[2]
    return name if last in _SILENT or name.endswith(("self.skipTest", "pytest.exit")) else ""


def _silent_call(body: Sequence[ast.stmt]) -> str:
    for statement in body:
        if isinstance(statement, ast.Expr) and (name := _silent_name(statement.value)):
            return name
        if isinstance(statement, ast.Raise) and (name := _silent_name(statement.exc)):
            return name
    return ""


def _swallows(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    if handler.type is not None and not any(dotted(one) in _CATCH_ALL for one in caught):
        return False
    return not any(
        isinstance(one, ast.Raise) or (isinstance(one, ast.Call) and dotted(one).endswith(".fail"))
        for statement in handler.body
        for one in ast.walk(statement)
    )


def _as_expression(name: str, given: Sequence[ast.expr]) -> ast.expr | None:
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


def _table(mark: ast.Call) -> list[dict[str, ast.expr]] | None:
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


def _rebind(statement: ast.stmt, tests: dict[str, SingleTest]) -> None:
    """Take away what a statement at the top of a module does to tests above it."""
    for target in statement.targets if isinstance(statement, (ast.Assign, ast.Delete)) else ():
        name = dotted(target)
        test = tests.get(name.removesuffix(".__test__"))
        if test is not None:
            tests[test.name] = replace(test, facts=(), silent=f"{ast.unparse(statement)}")


def _is_automatic(mark: ast.expr) -> bool:
    if not isinstance(mark, ast.Call) or not dotted(mark).endswith("fixture"):
        return False
    return any(
        one.arg == "autouse" and not (isinstance(one.value, ast.Constant) and not one.value.value)
        for one in mark.keywords
    )


def _mocks(node: ast.AST, names: Mapping[str, ast.expr]) -> Iterator[str]:
    """Yield what a piece of a test file replaces, as the source says it."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call):
            name = dotted(_put_in(one.func, names))
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
