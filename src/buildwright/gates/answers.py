"""Judges whether a patch does what its task asks at all: answers by heart, stubs, prose alone. Must never run anything.

Whether the work is right is for the checks; here is what can be read without them.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from buildwright.core.finding import Finding
from buildwright.core.task import Task
from buildwright.gates.changed import checkout, read_bytes
from buildwright.gates.compared import Compared, compared, is_open, opening, text_of
from buildwright.gates.python_facts import read_python
from buildwright.gates.python_tests import dotted
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.script import FUNCTIONS, is_script, line, literal, parse, plain, text, walk
from buildwright.gates.surface import is_prose, is_test
from buildwright.ports import Judged, Judgement

_ASKS_FOR_CODE = re.compile(
    r"\b(?:add|implement|create|write|make|build|provide|introduce|need)\b[^.\n]{0,60}\b(?:function|method|class|endpoint|route|"
    r"subcommand|helper|component|module)\b|\b[a-z_]\w*\([^)]*\)"
)
_ASKS_FOR_PROSE = re.compile(
    r"\b(?:readme|document(?:s|ed|ation|ing)?|docs?|docstrings?|comments?|changelog|describ\w+|typos?|wording|guides?|pages?|spelling|"
    r"licen[sc]e|explain\w*|tutorial|format(?:ting)?|whitespace|indent\w*|prose)\b"
)
_UNSEEN = frozenset((".git", "node_modules", ".venv", "venv", "__pycache__", "site-packages", "dist", "build"))
_Part = TypeVar("_Part")
_MOST_FILES, _MOST_BYTES = 1_000, 4_000_000
"""Of tests that are read for their inputs."""


class AnswersGate:
    """Refuses a change that looks like the work and is not: the tests' own answers, stubs, or words alone."""

    name = "answers"
    needs_files = True
    refuses = "answers that are known by heart, stubs of what the task names, and prose where code was asked for"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        files = await compared(judged)
        findings = list(_undone(judged, files))
        product = [file for file in files if not is_test(file.path) and not is_open(judged, file.path, named=False)]
        for file in product:
            findings += _stubs(judged, file)
        findings += _by_heart(judged, product)
        return [judgement(self.name, "other", findings)]


def _said(task: Task | None) -> str:
    return "\n".join((task.title, task.goal, *task.requirements, *task.acceptance)) if task is not None else ""


def _undone(judged: Judged, files: list[Compared]) -> Iterator[Finding]:
    """Yield a finding when the task names code, and the patch changes nothing that is any."""
    task = judged.task
    words = _said(task).casefold()
    if task is None or not files or not _ASKS_FOR_CODE.search(words) or _ASKS_FOR_PROSE.search(words):
        return
    if any(map(is_prose, task.files_expected)) or task.action == "delete":
        return
    if all(_is_prose(file) for file in files):
        message = "The task asks for code, and the change has none: only words, comments or layout are different."
        yield finding("task.undone", message, files[0].path, fix="write the code that the task asks for")


def _is_prose(file: Compared) -> bool:
    if is_prose(file.path):
        return True
    if file.before is None or file.after is None or file.change.kind != "modified":
        return False
    return _essence(file.path, file.before) == _essence(file.path, file.after)


def _essence(path: str, source: str) -> str:
    """Return a file without what does nothing: comments, docstrings, layout."""
    if path.endswith(".py"):
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError):
            return source
        for node in ast.walk(tree):
            body = getattr(node, "body", None)
            if isinstance(body, list) and body and isinstance(node, (ast.Module, ast.ClassDef, *_FUNCTIONS)):
                kept = [one for one in body if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))]
                node.body = kept or [ast.Pass()]
        return ast.dump(tree)
    try:
        return plain(parse(path, source)) if is_script(path) else "".join(source.split())
    except RecursionError:
        return source


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class _Made(NamedTuple):
    """A function of a file, and whether it answers without looking at what it is given."""

    name: str
    line: int
    parameters: int
    is_blind: bool


def _stubs(judged: Judged, file: Compared) -> Iterator[Finding]:
    """Yield a finding for each function that the task names and that does nothing, or that did something before."""
    words = _said(judged.task)
    blind = [one for one in _made(file.path, file.after) if one.is_blind]
    before = {one.name: one for one in _made(file.path, file.before)} if blind else {}
    for one in blind:
        old = before.get(one.name)
        if old is not None and old.is_blind:
            continue
        name = one.name.rpartition(".")[2]
        called = re.search(rf"(?<!\w){re.escape(name)}\(\s*[^)\s]", words) is not None
        named = called or re.search(rf"(?<!\w){re.escape(name)}(?!\w)", words) is not None
        if old is not None and old.parameters and not old.is_blind:
            message = f"{one.name} in {file.path} no longer looks at what it is given: it always answers the same."
            fix = "bring its work back" + opening(file.path)
            yield finding("task.hollowed", message, file.path, one.line, fix=fix)
        elif named and (one.parameters or called):
            message = f"{one.name} in {file.path} is a stub: it does not look at what it is given."
            yield finding("task.stub", message, file.path, one.line, fix="write its work" + opening(file.path))


def _read(
    path: str,
    source: str | None,
    of_python: Callable[[ast.Module], Iterator[_Part]],
    of_script: Callable[[str, str], Iterator[_Part]],
) -> list[_Part]:
    """Return the parts of a file of code; none of another file, and of one that cannot be read."""
    if source is None:
        return []
    if path.endswith(".py"):
        with contextlib.suppress(SyntaxError, ValueError, RecursionError):
            return list(of_python(ast.parse(source)))
    elif is_script(path):
        with contextlib.suppress(RecursionError):
            return list(of_script(path, source))
    return []


def _made(path: str, source: str | None) -> list[_Made]:
    return _read(path, source, _made_in_python, _made_in_script)


def _made_in_python(tree: ast.Module) -> Iterator[_Made]:
    for node in tree.body:
        owner = node if isinstance(node, ast.ClassDef) else None
        bases = {dotted(base).rpartition(".")[2] for base in owner.bases} if owner else set()
        for one in owner.body if owner else [node]:
            if not isinstance(one, _FUNCTIONS) or bases & {"Protocol", "ABC"}:
                continue
            marks = {dotted(mark).rpartition(".")[2] for mark in one.decorator_list}
            given = one.args
            names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
            names += [each.arg for each in (given.vararg, given.kwarg) if each]
            names = [name for name in names if name not in {"self", "cls"}]
            reads = {each.id for each in ast.walk(one) if isinstance(each, ast.Name)}
            if "overload" in marks:
                continue
            own = bool(owner) and bool({"self", "cls"} & reads)
            blind = not own and not reads & set(names) and _is_fixed(one) and "abstractmethod" not in marks
            yield _Made(
                f"{owner.name}.{one.name}" if owner else one.name,
                one.lineno,
                len(names),
                blind and not one.name.startswith("__"),
            )


def _is_fixed(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function only returns constants, does nothing, or says that it is not made yet."""
    for statement in function.body:
        match statement:
            case ast.Expr(value=ast.Constant()) | ast.Pass() | ast.Return(value=None):
                continue
            case ast.Return(value=value) if value is not None and _is_constant(value):
                continue
            case ast.Raise(exc=exc) if dotted(exc).endswith("NotImplementedError"):
                continue
        return False
    return True


def _is_constant(node: ast.expr) -> bool:
    return all(
        isinstance(one, (ast.Constant, ast.UnaryOp, ast.unaryop, ast.List, ast.Tuple, ast.Dict, ast.expr_context))
        for one in ast.walk(node)
    )


def _made_in_script(path: str, source: str) -> Iterator[_Made]:
    for node in walk(parse(path, source)):
        if node.type not in FUNCTIONS:
            continue
        name = node.child_by_field_name("name")
        if name is None and node.parent is not None:
            name = node.parent.child_by_field_name("name") or node.parent.child_by_field_name("left")
        called = text(name).rpartition(".")[2]
        body = node.child_by_field_name("body")
        given = node.child_by_field_name("parameters") or node.child_by_field_name("parameter")
        names = {text(one) for one in walk(given) if one.type.endswith(("identifier", "pattern"))} if given else set()
        if called.isidentifier() and body is not None and called != "constructor":
            yield _Made(called, line(node), len(names), _is_fixed_script(body))


def _is_fixed_script(body: Any) -> bool:
    constants = {"number", "string", "true", "false", "null", "undefined", "unary_expression"}
    if body.type in constants:
        return True
    if body.type != "statement_block":
        return False
    for statement in body.named_children:
        value = statement.named_children[0] if statement.named_children else None
        is_return = statement.type == "return_statement" and (value is None or value.type in constants)
        is_unmade = statement.type == "throw_statement" and re.search(r"not\s+implemented|todo", text(statement), re.I)
        if not (statement.type == "comment" or is_return or is_unmade):
            return False
    return bool(body.named_children)


class _Entry(NamedTuple):
    """A literal by which code decides, and the literal that it answers ("" when it is none)."""

    key: str
    answer: str
    line: int
    group: int
    """Entries of one table or function have the same."""


def _by_heart(judged: Judged, product: list[Compared]) -> Iterator[Finding]:
    """Yield a finding for code that decides by the very inputs of the tests or the acceptance."""
    fresh: list[tuple[Compared, list[_Entry]]] = []
    for file in product:
        entries = _entries(file.path, file.after)
        known = {one.key for one in _entries(file.path, file.before)} if entries else set()
        if entries := [one for one in entries if one.key not in known]:
            fresh.append((file, entries))
    if not fresh:
        return
    inputs, pairs = _inputs(judged)
    for file, entries in fresh:
        for group in sorted({one.group for one in entries}):
            table = [one for one in entries if one.group == group]
            known_inputs = [one for one in table if one.key in inputs]
            known_pairs = {one.key for one in table if (one.key, one.answer) in pairs}
            if known_inputs or (len(known_pairs) >= 2 and len(known_pairs) == len({one.key for one in table})):
                first = (known_inputs or table)[0]
                message = f"{file.path} decides by {first.key}, which is what the tests ask with: answers by heart."
                fix = "compute the answer for every input" + opening(file.path)
                yield finding("answers.by_heart", message, file.path, first.line, fix=fix)
                break


def _canonical(value: Any) -> str | None:
    """Return one text for a collection in every form in which code may look it up, None when it says too little."""
    if isinstance(value, str):
        plain_text = re.sub(r"[\s\"'\[\](){}]", "", value)
        parts = plain_text.strip(",").split(",")
        return (
            ",".join(parts)
            if len(parts) > 1 and all(re.fullmatch(r"-?[\d.]+", part) for part in parts) and _says(parts)
            else None
        )
    if isinstance(value, dict):
        value = [one for pair in value.items() for one in pair]
    if isinstance(value, (list, tuple, set, frozenset)):
        parts = [part for one in value for part in _flat(one)]
        return ",".join(parts) if _says(parts) else None
    return None


def _flat(value: Any) -> list[str]:
    if isinstance(value, dict):
        value = [one for pair in value.items() for one in pair]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [part for one in value for part in _flat(one)]
    return [str(value)]


def _says(parts: list[str]) -> bool:
    """Return whether a collection is particular: not empty, not of zeros, ones and the like alone."""
    return len(parts) > 1 and any(
        part not in {"0", "1", "-1", "2", "-2", "", "True", "False", "None"} for part in parts
    )


def _value(node: ast.AST | None) -> Any:
    try:
        return ast.literal_eval(node) if isinstance(node, ast.expr) else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _entries(path: str, source: str | None) -> list[_Entry]:
    return _read(path, source, _entries_of_python, _entries_of_script)


def _entries_of_python(tree: ast.Module) -> Iterator[_Entry]:
    for group, node in enumerate(ast.walk(tree)):
        found: list[tuple[ast.AST | None, ast.AST | None]] = []
        match node:
            case ast.Dict(keys=keys, values=values):
                found = list(zip(keys, values, strict=True))
            case (
                ast.Tuple(elts=[(ast.Tuple() | ast.List()) as first, answer])
                | ast.List(elts=[(ast.Tuple() | ast.List()) as first, answer])
            ):
                found = [(first, answer)]
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found = [pair for one in ast.walk(node) for pair in _branches(one)]
            case ast.MatchSequence(patterns=patterns) if all(isinstance(one, ast.MatchValue) for one in patterns):
                parts = [one.value for one in patterns if isinstance(one, ast.MatchValue)]
                found = [(ast.List(parts, ast.Load()), None)]
        for key_node, answer_node in found:
            value = _value(key_node)
            key = _canonical(value)
            if key is None and isinstance(value, (int, float, str)) and not isinstance(value, bool):
                key = repr(value)
            if key is not None:
                answered = _value(answer_node)
                yield _Entry(key, repr(answered) if answered is not None else "", getattr(key_node, "lineno", 1), group)


def _branches(node: ast.AST) -> list[tuple[ast.AST | None, ast.AST | None]]:
    """Return the literals that an `if` compares with, each with the literal that it returns."""
    if isinstance(node, (ast.If, ast.IfExp)):
        test, answer = node.test, node.body
        if isinstance(answer, list):
            answer = (
                answer[0].value if isinstance(answer[0], ast.Return) and answer[0].value else ast.Name("_", ast.Load())
            )
        if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq):
            return [(side, answer) for side in (test.left, *test.comparators) if _value(side) is not None]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.In)):
        sides = [node.left, *node.comparators]
        if isinstance(node.ops[0], ast.In):
            sides = [one for side in sides if isinstance(side, (ast.Tuple, ast.List, ast.Set)) for one in side.elts]
        return [(side, None) for side in sides if isinstance(side, (ast.Tuple, ast.List, ast.Dict, ast.Set))]
    return []


def _entries_of_script(path: str, source: str) -> Iterator[_Entry]:
    for node in walk(parse(path, source)):
        keys: list[Any] = []
        if node.type == "pair":
            keys = [node.child_by_field_name("key")]
        elif node.type == "binary_expression" and text(node.child_by_field_name("operator")) in {"===", "=="}:
            keys = [node.child_by_field_name("left"), node.child_by_field_name("right")]
        elif node.type == "switch_case":
            keys = [node.child_by_field_name("value")]
        elif node.type == "array" and len(node.named_children) == 2 and node.parent is not None:
            keys = [node.named_children[0]] if node.parent.type == "array" else []
        elif node.type == "call_expression" and text(node.child_by_field_name("function")).endswith(
            (".includes", ".has")
        ):
            arguments = node.child_by_field_name("arguments")
            keys = list(arguments.named_children) if arguments is not None else []
        for key in keys:
            said = literal(key) if key is not None and key.type != "array" else text(key)
            if key is not None and key.type == "computed_property_name":
                said = literal(key.named_children[0])
            made = _canonical(said) if said is not None else None
            if made is not None:
                yield _Entry(made, "", line(node), node.start_byte)


def _inputs(judged: Judged) -> tuple[frozenset[str], frozenset[tuple[str, str]]]:
    """Return the collections that tests and acceptance write out, and pairs of a plain input with its answer."""
    inputs: set[str] = set()
    pairs: set[tuple[str, str]] = set()
    for given in re.findall(r"\w+\(([^()]*)\)", _said(judged.task)):
        try:
            value = ast.literal_eval(f"({given},)")
        except (ValueError, SyntaxError):
            continue
        inputs |= {key for key in map(_canonical, value) if key is not None}
    for path, source in _tests(checkout(judged)):
        if path.endswith(".py"):
            inputs |= _python_inputs(source)
            pairs |= _python_pairs(source)
        else:
            with contextlib.suppress(RecursionError):
                arrays = [text(node) for node in walk(parse(path, source)) if node.type == "array"]
                inputs |= {key for key in map(_canonical, arrays) if key is not None}
    return frozenset(inputs), frozenset(pairs)


def _tests(root: Path) -> Iterator[tuple[str, str]]:
    files, size = 0, 0
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _UNSEEN)
        for name in sorted(names):
            path = (Path(folder) / name).relative_to(root).as_posix()
            if is_test(path) and (path.endswith(".py") or is_script(path)):
                source = text_of(read_bytes(root, path, 500_000))
                files, size = files + 1, size + len(source or "")
                if files > _MOST_FILES or size > _MOST_BYTES:
                    return
                if source is not None:
                    yield path, source


def _python_inputs(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    literals = (node for node in ast.walk(tree) if isinstance(node, (ast.List, ast.Tuple, ast.Dict, ast.Set)))
    return {key for key in (_canonical(_value(node)) for node in literals) if key is not None}


def _python_pairs(source: str) -> set[tuple[str, str]]:
    """Return `(input, answer)` of every claim `f(input) == answer` with plain values."""
    found: set[tuple[str, str]] = set()
    read = read_python(source)
    for fact in (fact for case in read.tests.values() for fact in case.facts) if read is not None else ():
        try:
            claim = ast.parse(fact.text.rpartition(": ")[2], mode="eval").body
        except (SyntaxError, ValueError):
            continue
        if isinstance(claim, ast.Compare) and isinstance(claim.ops[0], ast.Eq):
            call, answer = claim.left, claim.comparators[0]
            if isinstance(call, ast.Call) and len(call.args) == 1 and not call.keywords:
                given, told = _value(call.args[0]), _value(answer)
                if isinstance(given, (int, float, str)) and told is not None:
                    found.add((repr(given), repr(told)))
    return found
