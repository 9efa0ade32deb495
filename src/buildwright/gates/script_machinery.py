"""Finds JavaScript that bends the machinery of tests, or is right only where it is judged, as `machinery` for Python."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from buildwright.gates.machinery import CI_VARIABLES, CodeMark
from buildwright.gates.script import line, literal, parse, plain, text, walk

_RUNNERS = re.compile(
    r"^(?:node:test(?:/.*)?|jest|@jest/.*|vitest|@vitest/.*|mocha|chai|sinon|ava|tap|tape|jasmine|uvu|@testing-library/.*|proxyquire|"
    r"supertest|nock|(?:\.{1,2}/)+(?:.*/)?(?:tests?|__tests__|spec)(?:/.*)?|.*\.(?:test|spec)(?:\.\w+)?)$"
)
_PATCHES = re.compile(
    r"^(?:assert|require\.cache|require\.extensions|Module\.|module\.constructor|"
    r"(?:Array|Object|String|Number|Boolean|Function|Promise|Map|Set|Error|RegExp|Math|JSON|Reflect)\.(?:prototype\b|\w+$)|"
    r"(?:globalThis|global|window)\.(?:test|it|describe|expect|assert|process|require|Object|Array|Math|JSON|setTimeout)\b|"
    r"process\.(?:exit|emit|on|env\b$|exitCode$|stdout\.write|reallyExit))"
)
# fmt: off
_ENVIRONMENT = CI_VARIABLES | {
    "NODE_TEST_CONTEXT", "NODE_V8_COVERAGE", "JEST_WORKER_ID", "VITEST", "VITEST_WORKER_ID", "VITEST_POOL_ID",
    "MOCHA_COLORS", "npm_lifecycle_event", "npm_lifecycle_script", "npm_command", "TEST", "TESTING",
}
# fmt: on
_HOST_VARIABLES = frozenset(("HOSTNAME", "USER", "LOGNAME", "USERNAME", "COMPUTERNAME"))
_RUNNER_WORDS = re.compile(
    r"node[_:]test|jest|vitest|mocha|pytest|\bjasmine|buildwright|--test\b|\.test\.|\.spec\.|/tests?/|__tests__",
    re.IGNORECASE,
)
_LOOKS = frozenset(
    (
        *("includes", "indexOf", "startsWith", "endsWith", "match", "search", "test", "some", "existsSync", "has"),
        *("hasOwn", "statSync"),
    )
)
_GLOBALS = frozenset(("jest", "describe", "it", "test", "expect", "vi", "mocha", "jasmine", "beforeEach", "suite"))
_HOST = re.compile(r"(?:^|\.)(?:hostname|userInfo|networkInterfaces)$|^process\.(?:getuid|geteuid|ppid)$")
_CLOCK = re.compile(r"\bDate\s*\.\s*now\s*\(|\bnew\s+Date\s*\(\s*\)|\bperformance\s*\.\s*timeOrigin")
_FILE_TIME = re.compile(r"\b[mca]time(?:Ms)?\b|\bbirthtime")
_MOMENT = re.compile(r"\b\d{10,}\b|\bDate\s*\(\s*['\"0-9]|\bDate\s*\.\s*(?:parse|UTC)|['\"]\d{4}-\d\d")


_IN_TESTS = re.compile(
    r"process\s*[.\[]|prototype|require\s*\.|_load|defineProperty|Object\s*\.\s*(?:is|assign)|Reflect|globalThis|global\s*\.|"
    r"assert[\w\s.]*=[^=>]|module\s*\.\s*constructor|(?:Math|JSON|Promise|Error|Map|Set)\s*\.\s*\w+\s*=[^=]"
)
_IN_PRODUCT = re.compile(
    rf"{_IN_TESTS.pattern}|process|stack|Date|[mca]time|hostname|userInfo|networkInterfaces|typeof|eval|Function\s*\(|runIn|tests?\b|"
    r"jest|vitest|mocha|chai|sinon|spec\b|jasmine|tap|ava|uvu|buildwright|__tests__|import\s*\.\s*meta",
)
"""A file without any of these has nothing to find, and need not be parsed."""
_LONGEST_VALUE = 300
"""Bytes of a variable's value that is put in for its name."""


_LONGEST_CHAIN = 30
"""Links of a chain of calls that are followed: what is looked for has few."""


def scan_script(path: str, source: str, *, is_test: bool, is_program: bool) -> list[CodeMark]:
    """Return what a file holds of these; a program (with a shebang, or named as one) may end its process."""
    if not (_IN_TESTS if is_test else _IN_PRODUCT).search(source):
        return []
    try:
        scan = _ScriptScan(parse(path, source), is_test=is_test, is_program=is_program or source.startswith("#!"))
        return list(dict.fromkeys(scan.marks()))
    except RecursionError:
        return [CodeMark("intrusions.hidden", "code that is nested too deeply to be read", 1)]


class _ScriptScan:
    """One file, with the values of its simple variables."""

    def __init__(self, root: Node, *, is_test: bool, is_program: bool) -> None:
        self._root = root
        self._is_test = is_test
        self._is_program = is_program
        self._values: dict[str, str] = {}
        for node in walk(root):
            value = node.child_by_field_name("value") if node.type == "variable_declarator" else None
            if value is not None and value.end_byte - value.start_byte < _LONGEST_VALUE:
                self._values[text(node.child_by_field_name("name"))] = plain(value)

    def marks(self) -> Iterator[CodeMark]:
        for node in walk(self._root):
            match node.type:
                case "call_expression":
                    yield from self._call(node)
                case "assignment_expression" | "augmented_assignment_expression":
                    yield from self._assignment(node)
            if not self._is_test:
                yield from self._product(node)

    def _product(self, node: Node) -> Iterator[CodeMark]:
        match node.type:
            case "import_statement" | "export_statement":
                yield from self._import(literal(node.child_by_field_name("source")), node)
            case "string" | "template_string" | "regex":
                yield from self._string(node)
            case "member_expression" | "subscript_expression":
                yield from self._member(node)
            case "object_pattern":
                yield from self._pattern(node)
            case "binary_expression":
                yield from self._compare(node)
            case "unary_expression" if text(node.child_by_field_name("operator")) == "typeof":
                name = text(node.child_by_field_name("argument")).rpartition(".")[2]
                if name in _GLOBALS:
                    yield CodeMark("intrusions.judged", f"typeof {name}", line(node))

    def _name(self, node: Node | None, depth: int = _LONGEST_CHAIN) -> str:
        """Return a chain of members as `a.b.c`, with names of simple variables put in; "" below `depth` links."""
        if node is None or not depth:
            return ""
        depth -= 1
        if node.type == "member_expression":
            return (
                f"{self._name(node.child_by_field_name('object'), depth)}.{text(node.child_by_field_name('property'))}"
            )
        if node.type == "subscript_expression":
            key = literal(node.child_by_field_name("index"))
            return f"{self._name(node.child_by_field_name('object'), depth)}.{key if key is not None else '?'}"
        if node.type == "identifier":
            value = self._values.get(text(node), "").replace(" ", "")
            module = re.fullmatch(r"(?:await)?(?:require|import)\(['\"](?:node:)?([\w/]+)['\"]\)((?:\.\w+)*)", value)
            if module:
                return f"{'Module' if module[1] == 'module' else module[1]}{module[2]}"
            return value if re.fullmatch(r"(?:process|globalThis|global|require)(?:\.\w+)*", value) else text(node)
        if node.type == "call_expression":
            return f"{self._name(node.child_by_field_name('function'), depth)}()"
        return plain(node).replace(" ", "")

    def _call(self, node: Node) -> Iterator[CodeMark]:
        name = self._name(node.child_by_field_name("function")).removeprefix("globalThis.")
        arguments = node.child_by_field_name("arguments")
        given = arguments.named_children if arguments is not None else []
        if (
            name in {"process.reallyExit", "process.abort", "process.kill"}
            and (name != "process.kill" or "pid" in text(node))
        ) or (name == "process.exit" and not self._is_program and (not given or plain(given[0]) == "0")):
            yield CodeMark("intrusions.exit", name, line(node))
        elif name in {"Object.defineProperty", "Object.assign", "Reflect.set", "Reflect.defineProperty"} and given:
            target = self._name(given[0])
            key = literal(given[1]) if len(given) > 1 else None
            if _PATCHES.search(f"{target}.{key or 'x'}"):
                yield CodeMark("intrusions.patch", target, line(node))
        if self._is_test:
            return
        if name in {"process.on", "process.once"} and given and literal(given[0]) in {"exit", "beforeExit"}:
            yield CodeMark("intrusions.atexit", name, line(node))
        if name in {"eval", "vm.runInThisContext"} or name.startswith("Function()"):
            yield CodeMark("intrusions.hidden", name, line(node))
        if _HOST.search(name):
            yield CodeMark("intrusions.host", name, line(node))
        if name in {"require", "import"} and given:
            yield from self._import(literal(given[0]), node)

    def _import(self, module: str | None, node: Node) -> Iterator[CodeMark]:
        if module is not None and _RUNNERS.match(module):
            yield CodeMark("intrusions.runner", module, line(node))

    def _assignment(self, node: Node) -> Iterator[CodeMark]:
        left = node.child_by_field_name("left")
        if left is None or left.type not in {"member_expression", "subscript_expression"}:
            return
        name = self._name(left).replace("module.constructor", "Module")
        if name == "process.exitCode":
            if not self._is_program and plain(node.child_by_field_name("right")) == "0":
                yield CodeMark("intrusions.exit", name, line(node))
        elif _PATCHES.search(name) and not (self._is_test and name.startswith("process.")):
            yield CodeMark("intrusions.patch", name, line(node))
        elif name == "Error.prepareStackTrace":
            yield CodeMark("intrusions.stack", name, line(node))

    def _member(self, node: Node) -> Iterator[CodeMark]:
        name = self._name(node)
        above = node.parent
        if name.startswith("process.env."):
            variable = name.removeprefix("process.env.")
            yield from self._variable(variable, node)
        elif (
            (
                name.startswith("process.argv.")
                and ((name.endswith("?") and "[ 1 ]" in plain(node)) or _RUNNER_WORDS.search(plain(above)))
            )
            or name
            in {
                "process.execArgv",
                "require.main.filename",
                "process.mainModule",
                "module.parent.filename",
                "process.argv0",
            }
            or (name.endswith(".stack") and _looks_at_callers(node))
        ):
            yield CodeMark("intrusions.stack", name, line(node))
        elif name.startswith(("globalThis.", "global.")) and name.rpartition(".")[2] in _GLOBALS:
            yield CodeMark("intrusions.judged", name, line(node))
        elif name == "require.cache" or name.endswith("._load"):
            yield CodeMark("intrusions.patch", name, line(node))

    def _variable(self, variable: str, node: Node) -> Iterator[CodeMark]:
        if variable == "NODE_ENV":
            around = node.parent
            while around is not None and around.type in {
                "parenthesized_expression",
                "binary_expression",
                "call_expression",
                "member_expression",
            }:
                around = around.parent
            if re.search(r"['\"`]tests?['\"`]", text(around)):
                yield CodeMark("intrusions.judged", "NODE_ENV of a test", line(node))
        elif variable in _ENVIRONMENT:
            yield CodeMark("intrusions.judged", variable, line(node))
        elif variable in _HOST_VARIABLES:
            yield CodeMark("intrusions.host", variable, line(node))

    def _pattern(self, node: Node) -> Iterator[CodeMark]:
        value = node.parent.child_by_field_name("value") if node.parent is not None else None
        if self._name(value) == "process.env":
            for one in node.named_children:
                yield from self._variable(text(one.child_by_field_name("key") or one).partition("=")[0].strip(), node)

    def _string(self, node: Node) -> Iterator[CodeMark]:
        above = node.parent
        while above is not None and above.type in {"array", "parenthesized_expression"}:
            above = above.parent
        if above is None:
            return
        if above.type == "binary_expression" and text(above.child_by_field_name("operator")) == "+":
            said, above = literal(above), above.parent
        else:
            said = literal(node) if node.type != "regex" else text(node)
        if above is None or said is None:
            return
        asked = above.type in {"binary_expression", "subscript_expression", "switch_case"}
        if above.type == "arguments" and above.parent is not None:
            name = text(above.parent.child_by_field_name("function")).rpartition(".")[2]
            asked = name in _LOOKS
        elif above.type == "member_expression":
            asked = text(above.child_by_field_name("property")) in {"test", "exec"}
        if (asked and _RUNNER_WORDS.search(said)) or (
            asked and said in _ENVIRONMENT - {"TEST"} and "env" in plain(above)
        ):
            yield CodeMark("intrusions.judged", said, line(node))

    def _compare(self, node: Node) -> Iterator[CodeMark]:
        if text(node.child_by_field_name("operator")) not in {"<", ">", "<=", ">=", "===", "!==", "==", "!="}:
            return
        parts = [self._expanded(node.child_by_field_name(side)) for side in ("left", "right")]
        clock = any(_CLOCK.search(part) for part in parts)
        times = any(_FILE_TIME.search(part) for part in parts)
        if (clock and (times or any(_MOMENT.search(part) for part in parts))) or (
            times and any("__filename" in part or "import . meta" in part for part in parts)
        ):
            yield CodeMark("intrusions.clock", plain(node), line(node))

    def _expanded(self, node: Node | None) -> str:
        found = plain(node)
        for _ in range(2):
            names = set(re.findall(r"(?<![.\w'\"])[A-Za-z_$][\w$]*", found))
            found = " ".join([found, *(self._values[name] for name in sorted(names) if name in self._values)])[:2_000]
        return found


def _looks_at_callers(node: Node) -> bool:
    """Return whether `x.stack` is searched, or is that of an error that was made only to have one."""
    made = node.child_by_field_name("object")
    if made is not None and "new_expression" in {made.type, *(child.type for child in made.children)}:
        return True
    above = node.parent
    if above is not None and above.type == "arguments":
        above = above.parent
    if above is None or above.type not in {"member_expression", "binary_expression", "call_expression"}:
        return False
    return re.search(r"includes|match|split|indexOf|search|test|exec|==", plain(above)) is not None
