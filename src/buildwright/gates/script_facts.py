"""Reads what the tests of a JavaScript or TypeScript file claim, as `facts` does for Python. Pure; must never run one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tree_sitter import Node

from buildwright.gates.facts import Fact, FileTests, SingleTest
from buildwright.gates.script import FUNCTIONS, imports, line, literal, parse, plain, text, walk, written

_TESTS = frozenset(("test", "it", "specify", "fit", "xit", "xtest", "xspecify"))
_GROUPS = frozenset(("describe", "suite", "context", "fdescribe", "xdescribe", "xcontext"))
_LONGEST = 200
"""Bytes of a local value that is put into a fact; a longer one stays a name."""
_RUNNERS = frozenset(("test", "vitest", "@jest/globals", "mocha", "bun:test"))
"""Modules that tests are imported from, without `node:`."""
_OFF = frozenset(("skip", "todo", "failing", "fixme"))
_CLAIMS = frozenset(
    ("assert", "expect", "should", "chai", "ok", "equal", "deepEqual", "strictEqual", "deepStrictEqual", "throws")
)
_MOCKS = re.compile(
    r"\b(?:jest|vi|mock|td|sinon)\s*\.\s*(?:mock|doMock|unstable_mockModule|module|method|replace|stub|spyOn)\b|"
    r"\bproxyquire\b|require\s*\.\s*cache|\._load\b"
)


def read_script(path: str, source: str) -> FileTests:
    """Return what a file claims; its tests are named by their titles, those around them first.

    What is nested too deeply to be read claims nothing.
    """
    try:
        return _ScriptReader(path, source).read()
    except RecursionError:
        return FileTests()


def compare_scripts(path: str, before: str, after: str) -> tuple[FileTests, FileTests]:
    """Return both files as `read_script` does; tests that are the same in both have only their body."""
    try:
        old, new = _ScriptReader(path, before), _ScriptReader(path, after)
    except RecursionError:
        return read_script(path, before), read_script(path, after)
    same = old.sources & new.sources if old.names == new.names else frozenset()
    return old.read(same), new.read(same)


def _is_mock(node: Node) -> bool:
    return _MOCKS.search(text(node.child_by_field_name("function"))) is not None


def _is_replaced(node: Node) -> bool:
    return node.type == "assignment_expression" and _MOCKS.search(text(node.child_by_field_name("left"))) is not None


class _Found(NamedTuple):
    """A test before its claims are read."""

    name: str
    call: Node
    function: Node | None
    silent: str


class _ScriptReader:
    """Reads the tests of one file."""

    def __init__(self, path: str, source: str) -> None:
        self._source = source
        self._root = parse(path, source)
        self.names: Mapping[str, str] = imports(path, self._root)
        self._called = _names_of_tests(self._root, self.names)
        self._may_be = re.compile(rf"(?:\w+\s*\.\s*)?(?:{'|'.join(map(re.escape, sorted(self._called)))})(?![\w$])")
        self._found: list[_Found] = []
        self._focused: list[str] = []
        self._find(self._root, "", "")

    @property
    def sources(self) -> frozenset[str]:
        return frozenset(text(one.call) for one in self._found)

    def read(self, same: frozenset[str] = frozenset()) -> FileTests:
        """Return the tests of the file; those whose source is in `same` are not read."""
        tests: dict[str, SingleTest] = {}
        for found in self._found:
            name = found.name
            while name in tests:
                name += " "
            tests[name] = self._test(name, found, same)
        mocks = set()
        if _MOCKS.search(self._source):
            nodes = list(walk(self._root))
            mocks = {plain(node) for node in nodes if node.type == "call_expression" and _is_mock(node)}
            mocks |= {plain(node.child_by_field_name("left")) for node in nodes if _is_replaced(node)}
        return FileTests(tests, (), frozenset(mocks), focused=tuple(self._focused))

    def _find(self, node: Node, above: str, silent: str) -> None:
        """Find the tests below a node, within groups and loops."""
        for child in node.named_children:
            call = _call_of(child)
            kind, off = self._kind(call) if call is not None else ("", "")
            if call is not None and kind:
                title, function = _parts(call)
                name = f"{above} > {title}" if above else title
                off = off or silent
                if _is_focused(call):
                    self._focused.append(name)
                if kind == "test":
                    self._found.append(_Found(name, call, function, off))
                elif function is not None:
                    self._find(function, name, off)
            else:
                self._find(child, above, silent)

    def _kind(self, call: Node) -> tuple[str, str]:
        """Return "test", "group" or "" for a call, and the word that keeps it from running."""
        if not self._may_be.match(text(call.child_by_field_name("function"))):
            return "", ""
        parts = plain(call.child_by_field_name("function")).replace(" ", "").split("(")[0].split("`")[0].split(".")
        name = parts[0]
        if name in {"t", "ctx", "mocha", "vitest"} and len(parts) > 1:
            name, parts = parts[1], parts[1:]
        name = self._called.get(name, "")
        if not name or not all(part.isidentifier() for part in parts):
            return "", ""
        arguments = call.child_by_field_name("arguments")
        if arguments is None or arguments.type != "arguments" or not arguments.named_children:
            return "", ""
        off = name if name.startswith("x") else next((part for part in parts[1:] if part in _OFF), "")
        return "group" if _GROUPS.intersection((name, *parts[1:])) else "test", off

    def _test(self, name: str, found: _Found, same: frozenset[str]) -> SingleTest:
        call, function = found.call, found.function
        if same and text(call) in same:
            return SingleTest(name, line(call), body=text(call), silent=found.silent or _option(call))
        body = function.child_by_field_name("body") if function is not None else None
        facts = tuple(dict.fromkeys(_Claims(self.names).of_test(call, function, body))) if body is not None else ()
        silent = (
            found.silent or _option(call) or (_silent_call(body) if body is not None else "the function is missing")
        )
        return SingleTest(name, line(call), facts, plain(body), silent)


class _Claims:
    """Reads what the body of a test claims."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = dict(names)

    def of_test(self, call: Node, function: Node | None, body: Node) -> Iterator[Fact]:
        """Yield the facts of a test, for `test.each([...])` once for each row with its values put in."""
        rows, names = _table(call), _parameters(function)
        if rows is None:
            yield from self._facts(body, ())
            return
        for row in rows:
            given = dict(self._names)
            for name in names:
                given.pop(name, None)
            given |= dict(zip(names, row, strict=False))
            yield from _Claims(given)._facts(body, ())

    def _facts(self, node: Node, conditions: tuple[str, ...]) -> Iterator[Fact]:
        if node.type not in {"statement_block", "program"}:
            yield from self._of(node, conditions)
            return
        for child in node.named_children:
            yield from self._of(child, conditions)
            if child.type in {"return_statement", "throw_statement"} or _silent_call(child):
                return

    def _of(self, node: Node, conditions: tuple[str, ...]) -> Iterator[Fact]:
        match node.type:
            case "statement_block":
                yield from self._facts(node, conditions)
            case "try_statement":
                handler = node.child_by_field_name("handler")
                thrown = handler is not None and any(one.type == "throw_statement" for one in walk(handler))
                if handler is None or thrown:
                    yield from self._each(node.child_by_field_name("body"), conditions)
                yield from self._each(handler, (*conditions, "catch"))
                yield from self._each(node.child_by_field_name("finalizer"), conditions)
            case "if_statement":
                test = plain(node.child_by_field_name("condition"))
                yield from self._each(node.child_by_field_name("consequence"), (*conditions, f"if {test}"))
                yield from self._each(node.child_by_field_name("alternative"), (*conditions, f"if not {test}"))
            case "lexical_declaration" | "variable_declaration":
                yield from self._claims(node, conditions)
                self._bind(node)
            case "for_statement" | "for_in_statement" | "while_statement":
                body = node.child_by_field_name("body")
                head = plain(node).removesuffix(plain(body))
                yield from self._each(body, (*conditions, head))
            case _:
                yield from self._claims(node, conditions)

    def _each(self, node: Node | None, conditions: tuple[str, ...]) -> Iterator[Fact]:
        if node is not None:
            for child in [node] if node.type == "statement_block" else node.named_children or [node]:
                yield from self._of(child, conditions)

    def _claims(self, node: Node, conditions: tuple[str, ...]) -> Iterator[Fact]:
        """Yield a fact for a statement that asserts, and those in the functions that it holds."""
        blocks = list(_blocks(node))
        outer = [one for one in _outside(node, blocks) if one.type == "call_expression"]
        if any(_asserts(one) for one in outer) and not _is_constant(node):
            where = "".join(f"{condition}: " for condition in conditions)
            made = where + self._text(node, blocks)
            called = {text(one.child_by_field_name("function")).rpartition(".")[2].lower() for one in outer}
            yield Fact(made, line(node), frozenset(called), bool(re.search(r"[eE]qual|toBe\b|toStrictEqual", made)))
        for block in blocks:
            yield from self._facts(block, conditions)

    def _text(self, node: Node, without: Sequence[Node] = ()) -> str:
        """Return a node without layout and blocks, with imported names and short local values put in."""
        made = plain(node, without).removeprefix("return ").removeprefix("await ")
        return re.sub(r"(?<![.\w'\"])[A-Za-z_$][\w$]*", lambda found: self._names.get(found[0], found[0]), made)

    def _bind(self, node: Node) -> None:
        for one in node.named_children:
            name, value = one.child_by_field_name("name"), one.child_by_field_name("value")
            if name is None or name.type != "identifier":
                continue
            if value is not None and value.end_byte - value.start_byte <= _LONGEST and not list(_blocks(value)):
                self._names[text(name)] = self._text(value)
            else:
                self._names.pop(text(name), None)


def _blocks(node: Node) -> Iterator[Node]:
    """Yield the bodies of the outermost functions below a node."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        body = one.child_by_field_name("body") if one.type in FUNCTIONS else None
        if body is not None and body.type == "statement_block":
            yield body
        else:
            waiting.extend(reversed(one.children))


def _outside(node: Node, blocks: Sequence[Node]) -> Iterator[Node]:
    waiting, held = [node], {block.id for block in blocks}
    while waiting:
        one = waiting.pop()
        if one.id not in held:
            yield one
            waiting.extend(reversed(one.children))


def _call_of(node: Node) -> Node | None:
    while node.type in {"expression_statement", "await_expression"} and node.named_children:
        node = node.named_children[0]
    return node if node.type == "call_expression" else None


def _names_of_tests(root: Node, imported: Mapping[str, str]) -> dict[str, str]:
    """Return what tests and groups are called in a file: their own names, and others that it gives them."""
    own = _TESTS | _GROUPS
    called = {name: name for name in own}
    for local, meaning in imported.items():
        module, _, member = meaning.rpartition(".") if meaning not in _RUNNERS else (meaning, "", "test")
        if module in _RUNNERS and member in own:
            called[local] = member
    for node in root.named_children:
        for one in node.named_children if node.type in {"lexical_declaration", "variable_declaration"} else ():
            local, meant = text(one.child_by_field_name("name")), text(one.child_by_field_name("value"))
            if meant in called:
                called[local] = called[meant]
    return called


def _is_focused(call: Node) -> bool:
    parts = plain(call.child_by_field_name("function")).replace(" ", "").split("(")[0].split(".")
    return parts[0] in {"fit", "fdescribe"} or "only" in parts


def _parts(call: Node) -> tuple[str, Node | None]:
    arguments = call.child_by_field_name("arguments")
    given = arguments.named_children if arguments is not None else []
    function = next((one for one in given if one.type in FUNCTIONS), None)
    return _title(given[0]) if given else "", function


def _title(node: Node, depth: int = 50) -> str:
    """Return a title as it is written; what only a run knows of it stands as `${...}`."""
    if (whole := literal(node)) is not None:
        return whole
    if node.type == "template_string":
        return "".join(
            _hole(one.named_children[0] if one.named_children else one)
            if one.type == "template_substitution"
            else written(text(one))
            for one in node.named_children
        )
    if depth and node.type == "binary_expression" and text(node.child_by_field_name("operator")) == "+":
        sides = (node.child_by_field_name(side) for side in ("left", "right"))
        return "".join(_title(side, depth - 1) for side in sides if side is not None)
    return _hole(node)


def _hole(node: Node) -> str:
    inside = text(node)
    return f"${{{inside if len(inside) < _LONGEST and not set(inside) & set('{}') else '...'}}}"


def _table(call: Node) -> list[list[str]] | None:
    """Return the rows of `test.each([...])`, None for another call or a table that is not written out."""
    each = call.child_by_field_name("function")
    if (
        each is None
        or each.type != "call_expression"
        or not plain(each.child_by_field_name("function")).endswith("each")
    ):
        return None
    given = each.child_by_field_name("arguments")
    table = given.named_children[0] if given is not None and given.named_children else None
    if table is None or table.type != "array":
        return None
    return [
        [plain(cell) for cell in row.named_children] if row.type == "array" else [plain(row)]
        for row in table.named_children
        if row.type != "comment"
    ]


def _parameters(function: Node | None) -> list[str]:
    if function is None:
        return []
    given = function.child_by_field_name("parameters")
    if given is None:
        return [text(function.child_by_field_name("parameter"))]
    return [text(one.child_by_field_name("pattern") or one) for one in given.named_children]


def _option(call: Node) -> str:
    arguments = call.child_by_field_name("arguments")
    for one in arguments.named_children if arguments is not None else []:
        if one.type == "object":
            for pair in one.named_children:
                key, value = text(pair.child_by_field_name("key")), text(pair.child_by_field_name("value"))
                if key.strip("'\"") in {"skip", "todo"} and value != "false":
                    return key
    return ""


def _silent_call(node: Node) -> str:
    block = node.named_children if node.type == "statement_block" else [node]
    for statement in block:
        call = _call_of(statement)
        name = plain(call.child_by_field_name("function")).replace(" ", "") if call is not None else ""
        if name.count(".") == 1 and name.partition(".")[2] in {"skip", "todo"}:
            return name
    return ""


def _asserts(node: Node) -> bool:
    if node.type != "call_expression":
        return False
    function = node.child_by_field_name("function")
    last = text(function.child_by_field_name("property")) if function is not None else ""
    while function is not None and function.type in {"member_expression", "call_expression"}:
        function = function.child_by_field_name("object") or function.child_by_field_name("function")
    root = text(function)
    return root.startswith("assert") or root in _CLAIMS or last in _CLAIMS


def _is_constant(node: Node) -> bool:
    """Return whether an assertion is about literals alone."""
    call = _call_of(node)
    arguments = call.child_by_field_name("arguments") if call is not None else None
    given = arguments.named_children if arguments is not None else []
    simple = {"true", "false", "number", "string", "null", "undefined"}
    return bool(given) and all(one.type in simple for one in given) and "(" not in text(call).split("(", 1)[1]
