"""Reads the facts of a Python test file (see `facts`). Pure; must never run a test."""

from __future__ import annotations

import ast
import copy
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from buildwright.gates.facts import TOP, Fact, FileTests, SingleTest
from buildwright.gates.python_tests import (
    CATCH_ALL,
    FUNCTIONS,
    MOST_CASES,
    PutIn,
    arguments_of,
    as_expression,
    dotted,
    flat,
    imported,
    is_automatic,
    is_collected,
    mocks_of,
    put_in,
    silent_call,
    silent_name,
    size_of,
    swallows,
    table_of_cases,
    without_docstring,
)

_LARGEST = 60
"""Nodes of a local value that is put into a fact; a larger one stays a name."""
_PROBES = ("assert", "expect", "check", "verify", "fail", "should", "raises", "warns")


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
        defined = [node for node in tree.body if isinstance(node, (*FUNCTIONS, ast.ClassDef))]
        for node in defined:
            self._names.pop(node.name, None)
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and size_of(statement.value) <= MOST_CASES:
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self._names[target.id] = put_in(statement.value, self._names)

    @property
    def surroundings(self) -> list[str]:
        """Return the statements at the top, which give the names in all functions their meaning."""
        defined = [one for one in self._tree.body if isinstance(one, (*FUNCTIONS, ast.ClassDef))]
        names = {one.name for one in defined if not one.name.lower().startswith("test")}
        return [*sorted(names), *(ast.unparse(one) for one in self._tree.body if one not in defined)]

    @property
    def functions(self) -> frozenset[str]:
        """Return the source of every function at the top and of every method."""
        found = [
            one for node in flat(self._tree.body) for one in (node.body if isinstance(node, ast.ClassDef) else [node])
        ]
        return frozenset(self._source(one) for one in found if isinstance(one, FUNCTIONS))

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
        for statement in flat(self._tree.body):
            if isinstance(statement, FUNCTIONS):
                if statement.name.startswith("test"):
                    tests[statement.name] = self._case(statement, statement.name, silent)
                else:
                    helpers += self._facts(statement, _Scope(dict(self._names)))
            elif isinstance(statement, ast.ClassDef):
                for method in statement.body:
                    if isinstance(method, FUNCTIONS):
                        name = f"{statement.name}.{method.name}"
                        if is_collected(statement) and method.name.startswith("test"):
                            off = silent or self._silent_mark(statement.decorator_list) or self._mark_of(statement.body)
                            tests[name] = self._case(method, name, off)
                        else:
                            helpers += self._facts(method, _Scope(dict(self._names)))
            else:
                _rebind(statement, tests)
        top = [one for one in flat(self._tree.body) if not isinstance(one, (*FUNCTIONS, ast.ClassDef))]
        facts = tuple(dict.fromkeys(fact for fact in _Block(top, _Scope(dict(self._names))).facts()))
        if facts:
            tests[TOP] = SingleTest(TOP, facts[0].line, facts)
        mocks = {mock for one in top for mock in mocks_of(one, self._names)}
        return FileTests(tests, tuple(helpers), frozenset(mocks), frozenset(self._automatic_mocks()))

    def _silent_module(self) -> str:
        for statement in self._tree.body:
            if isinstance(statement, ast.Expr) and (name := silent_name(statement.value)):
                return name
            if isinstance(statement, ast.Raise) and (name := silent_name(statement.exc)):
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
        return next(filter(None, (silent_name(put_in(mark, self._names)) for mark in marks)), "")

    def _case(self, function: ast.FunctionDef | ast.AsyncFunctionDef, name: str, silent: str) -> SingleTest:
        if self._same and (source := self._source(function)) in self._same:
            off = silent or self._silent_mark(function.decorator_list) or silent_call(function.body)
            return SingleTest(name, function.lineno, body=source, silent=off)
        scopes, marks = self._cases(function)
        facts = dict.fromkeys(itertools.chain.from_iterable(self._facts(function, scope) for scope in scopes))
        return SingleTest(
            name=name,
            line=function.lineno,
            facts=tuple(facts),
            body="\n".join(ast.unparse(statement) for statement in without_docstring(function.body)),
            silent=silent or self._silent_mark(function.decorator_list) or silent_call(function.body),
            marks=frozenset(marks),
            mocks=frozenset(mocks_of(function, self._names)),
        )

    def _cases(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> tuple[list[_Scope], list[str]]:
        """Return the scope of each parametrised case (one without), and the names of the other decorators."""
        values = dict(self._names)
        for argument in arguments_of(function):
            values.pop(argument, None)
        tables: list[list[dict[str, ast.expr]]] = []
        conditions: list[str] = []
        marks: list[str] = []
        for decorator in function.decorator_list:
            mark = put_in(decorator, self._names)
            if dotted(mark).endswith("mark.parametrize") and isinstance(mark, ast.Call):
                table = table_of_cases(mark)
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
            if isinstance(statement, FUNCTIONS) and any(is_automatic(mark) for mark in statement.decorator_list):
                yield from mocks_of(statement, self._names)


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
            if isinstance(statement, ast.Expr) and silent_name(statement.value):
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
                for argument in arguments_of(statement):
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
        test = as_expression(name, call.args)
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
            if size_of(value) <= _LARGEST:
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
            if name in {"suppress", "raises", "assertRaises"} and taken & CATCH_ALL:
                if name != "suppress" and not any(isinstance(one, ast.Assert) for one in ast.walk(statement)):
                    break
                return
        probes = [ast.unparse(self._put(item.context_expr)) for item in statement.items]
        if any(probe.partition("(")[0].rpartition(".")[2].lower().startswith(_PROBES) for probe in probes):
            body = "; ".join(self._statement(one) for one in statement.body)
            yield self._fact(statement, f"with {', '.join(probes)}: {body}", statement.lineno)
        yield from _Block(statement.body, self._scope).facts()

    def _statement(self, statement: ast.stmt) -> str:
        made = PutIn(self._scope.values).visit(copy.deepcopy(statement))
        return ast.unparse(made)

    def _try(self, statement: ast.Try) -> Iterator[Fact]:
        if not any(swallows(handler) for handler in statement.handlers):
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
        return put_in(node, self._scope.values)

    def _text(self, node: ast.expr) -> str:
        return ast.unparse(self._put(node))


def _rebind(statement: ast.stmt, tests: dict[str, SingleTest]) -> None:
    """Take away what a statement at the top of a module does to tests above it."""
    for target in statement.targets if isinstance(statement, (ast.Assign, ast.Delete)) else ():
        name = dotted(target)
        test = tests.get(name.removesuffix(".__test__"))
        if test is not None:
            tests[test.name] = replace(test, facts=(), silent=f"{ast.unparse(statement)}")
