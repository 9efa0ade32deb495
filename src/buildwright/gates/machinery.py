"""Finds Python code that bends the machinery of tests, or is right only where it is judged. Pure; must never run it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from buildwright.gates.python_tests import imported

RUNNERS = frozenset(
    (
        *("pytest", "_pytest", "pluggy", "py", "iniconfig", "unittest", "doctest", "nose", "nose2", "testtools"),
        *(
            "hypothesis",
            "xdist",
            "pytest_cov",
            "pytest_asyncio",
            "pytest_timeout",
            "pytest_mock",
            "coverage",
            "tox",
            "nox",
        ),
        *(
            "mock",
            "behave",
            "green",
            "ward",
            "ruff",
            "mypy",
            "pyright",
            "pylint",
            "flake8",
            "bandit",
            "pip",
            "setuptools",
        ),
    )
)
"""Packages by which projects are judged."""
_TEST_ONLY = frozenset(
    ("pytest", "_pytest", "unittest", "nose", "nose2", "mock", "hypothesis", "conftest", "tests", "test")
)
_RUNNER_WORDS = re.compile(
    r"py\.?_?test|unittest|\bnose2?\b|\bjest|vitest|mocha|node:test|node_test|conftest|tox_env|coverage_(?:run|process|file)|"
    r"buildwright|hypothesis|\bjunit",
    re.IGNORECASE,
)
# fmt: off
CI_VARIABLES = frozenset((
    "CI", "CONTINUOUS_INTEGRATION", "GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL", "TRAVIS", "CIRCLECI", "TF_BUILD",
    "BUILDKITE", "APPVEYOR", "TEAMCITY_VERSION", "DRONE", "BITBUCKET_BUILD_NUMBER",
))
# fmt: on
"""Variables by which code can see that it runs in a pipeline, in any language."""
_TELLING = CI_VARIABLES | {"NODE_ENV", "TESTING"}
_TEST_PATH = re.compile(r"(?:^|[/\\_.-])tests?(?:[/\\_.-]|$)", re.IGNORECASE)
_LOOKS = frozenset(
    ("get", "getenv", "startswith", "endswith", "find", "index", "count", "match", "search", "fullmatch", "find_spec", "exists",
     "is_file", "is_dir", "isfile", "isdir", "glob", "rglob", "Path", "fnmatch", "access", "stat", "pop", "__contains__", "open")
)  # fmt: skip
_HERE = (
    "sys.argv",
    "os.environ",
    "os.getenv",
    "__file__",
    "os.getcwd",
    "sys.modules",
    "sys.path",
    "sys.orig_argv",
    "os.listdir",
)
_ENDS = frozenset(("os._exit", "os.abort", "signal.raise_signal", "posix._exit", "os.kill", "os.killpg"))
_STACK = ("inspect.stack", "inspect.currentframe", "inspect.getouterframes", "inspect.trace", "sys._getframe",
          "sys._current_frames", "traceback.extract_stack", "traceback.walk_stack", "traceback.format_stack")  # fmt: skip
_TRACES = frozenset(
    ("sys.settrace", "sys.setprofile", "sys.gettrace", "sys.getprofile", "threading.settrace", "sys.monitoring")
)
_HOST = frozenset(
    ("socket.gethostname", "socket.getfqdn", "platform.node", "platform.uname", "os.uname", "getpass.getuser", "os.getlogin",
     "os.getuid", "os.geteuid", "pwd.getpwuid", "uuid.getnode", "os.getppid")
)  # fmt: skip
_HOST_VARIABLES = frozenset(("HOSTNAME", "USER", "LOGNAME", "USERNAME", "SUDO_USER", "COMPUTERNAME"))
_CLOCKS = frozenset(
    ("time.time", "time.time_ns", "time.monotonic", "time.localtime", "time.gmtime", "datetime.datetime.now",
     "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today", "datetime.now", "datetime.today", "date.today",
     "time.strftime", "time.ctime")
)  # fmt: skip
_FILE_TIMES = re.compile(r"(?:getmtime|getctime|getatime|st_[mca]time(?:_ns)?)$")
_PATCHED = frozenset(
    ("builtins", "unittest", "pytest", "_pytest", "doctest", "importlib", "inspect", "math", "operator")
)
_SYS = frozenset(
    ("sys.modules", "sys.meta_path", "sys.path_hooks", "sys.exit", "sys.path_importer_cache", "sys.addaudithook")
)
_NUMBERS = frozenset(
    (
        "float",
        "int",
        "complex",
        "str",
        "bytes",
        "bool",
        "tuple",
        "list",
        "dict",
        "set",
        "frozenset",
        "Decimal",
        "Fraction",
    )
)
_MOMENT = re.compile(r"^\d{4}-\d\d(?:-\d\d)?")


_MAY_HOLD = re.compile(
    r"environ|getenv|test|mock|nose|jest|mocha|hypothesis|coverage|tox_|buildwright|junit|argv|sys\.|_exit|\bexit\b|quit|SystemExit|"
    r"abort|kill|signal|inspect|traceback|_getframe|trace|profile|monitoring|socket|platform|uname|getpass|pwd|getnode|uid|getlogin|"
    r"ppid|time|date|__eq__|__ne__|__contains__|__instancecheck__|exec|eval|atexit|setattr|delattr|builtins|__main__|__import__|"
    r"import_module|\bmodules\b|meta_path|path_hooks|^\s*(?!self\b|cls\b)\w+\.\w+(?:\.\w+)*\s*(?:[-+*/|&]?=[^=]|:)",
    re.IGNORECASE | re.MULTILINE,
)
"""A file without any of these has nothing to find, and need not be parsed."""


class CodeMark(NamedTuple):
    """One place that a rule found. The same `what` in the base is not new."""

    code: str
    what: str
    line: int


def scan_python(text: str, *, is_test: bool) -> list[CodeMark]:
    """Return what a Python file holds of these; of a test only what ends the process or patches the machinery."""
    if not _MAY_HOLD.search(text):
        return []
    try:
        return list(dict.fromkeys(_PythonScan(ast.parse(text), is_test=is_test).marks()))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


class _PythonScan:
    """One module, with the names that its imports and simple assignments bind."""

    def __init__(self, tree: ast.Module, *, is_test: bool) -> None:
        self._tree = tree
        self._is_test = is_test
        self._names = imported(tree)
        self._above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self._modules = {
            alias.asname or alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        self._values: dict[str, ast.expr] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                self._values[node.targets[0].id] = node.value

    def marks(self) -> Iterator[CodeMark]:
        for node in ast.walk(self._tree):
            match node:
                case ast.Call():
                    yield from self._call(node)
                case ast.Assign() | ast.AugAssign() | ast.Delete():
                    yield from self._assignment(node)
            if not self._is_test:
                yield from self._product(node)
        yield from self._at_import(self._tree.body)

    def _product(self, node: ast.AST) -> Iterator[CodeMark]:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield from self._import(node)
            case ast.Constant(value=str()) | ast.BinOp() | ast.JoinedStr():
                yield from self._string(node)
            case ast.Compare():
                yield from self._compare(node)
            case ast.ClassDef():
                yield from self._class(node)
            case ast.Attribute() | ast.Name():
                yield from self._name(node)

    def full(self, node: ast.AST | None, depth: int = 3) -> str:
        """Return the dotted name of an expression through aliases, `getattr`, `__import__` and `import_module`."""
        match node:
            case ast.Name(id=name):
                bound = self._values.get(name)
                if name not in self._names and depth and bound is not None:
                    return self.full(bound, depth - 1) if _is_path(bound) else name
                return self._names.get(name, name)
            case ast.Attribute(value=value, attr=attr):
                return f"{self.full(value, depth)}.{attr}"
            case ast.Call(func=function, args=[first, *rest]):
                called = self.full(function, depth)
                said = _folded(first)
                if called.rpartition(".")[2] in {"__import__", "import_module"} and said:
                    return said
                if called == "getattr" and rest and (member := _folded(rest[0])):
                    return f"{self.full(first, depth)}.{member}"
                return f"{called}()"
            case ast.Call(func=function):
                return f"{self.full(function, depth)}()"
            case ast.Subscript(value=value):
                return self.full(value, depth)
        return ""

    def _call(self, node: ast.Call) -> Iterator[CodeMark]:
        name = self.full(node.func)
        if name in _ENDS and (not name.startswith("os.kill") or "getpid" in ast.unparse(node)):
            yield CodeMark("intrusions.exit", name, node.lineno)
        if name in {"setattr", "delattr"} and node.args and self._is_patched(self.full(node.args[0])):
            yield CodeMark("intrusions.patch", ast.unparse(node.args[0]), node.lineno)
        root, _, last = name.rpartition(".")
        if root in {"sys.meta_path", "sys.path_hooks", "sys.modules"} and last in {
            "append",
            "insert",
            "pop",
            "update",
            "setdefault",
        }:
            yield CodeMark("intrusions.patch", name, node.lineno)
        if self._is_test:
            return
        if name in {"exec", "eval", "builtins.exec", "builtins.eval"}:
            yield CodeMark("intrusions.hidden", name, node.lineno)
        if name == "atexit.register":
            yield CodeMark("intrusions.atexit", name, node.lineno)
        if name in _HOST:
            yield CodeMark("intrusions.host", name, node.lineno)
        if name.startswith(_STACK) or name in _TRACES:
            yield CodeMark("intrusions.stack", name, node.lineno)

    def _assignment(self, node: ast.Assign | ast.AugAssign | ast.Delete) -> Iterator[CodeMark]:
        for target in [node.target] if isinstance(node, ast.AugAssign) else node.targets:
            if isinstance(target, ast.Attribute):
                name = self.full(target)
                owner = self.full(target.value)
                if name in _SYS or self._is_patched(owner) or (not self._is_test and self._is_module(target.value)):
                    yield CodeMark("intrusions.patch", name, node.lineno)
            elif isinstance(target, ast.Subscript) and self._is_patched(self.full(target.value)):
                yield CodeMark("intrusions.patch", self.full(target.value), node.lineno)

    def _is_patched(self, owner: str) -> bool:
        return owner.partition(".")[0] in _PATCHED or owner in {"sys.modules", "__builtins__", "sys.meta_path"}

    def _is_module(self, node: ast.expr) -> bool:
        """Return whether an expression is a name that an import binds to a module (not `sys`, whose streams are set)."""
        return isinstance(node, ast.Name) and node.id in self._modules and self._names[node.id] != "sys"

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[CodeMark]:
        modules = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for module in modules:
            parts = module.split(".")
            relative = isinstance(node, ast.ImportFrom) and node.level
            if (parts[0] in _TEST_ONLY and not relative) or (set(parts) & {"tests", "conftest"}):
                yield CodeMark("intrusions.runner", module, node.lineno)
            elif parts[0] == "__main__":
                yield CodeMark("intrusions.stack", module, node.lineno)

    def _string(self, node: ast.Constant | ast.BinOp | ast.JoinedStr) -> Iterator[CodeMark]:
        said = _folded(node)
        if said is None or len(said) > 200 or isinstance(self._above.get(node), ast.BinOp):
            return
        asked = self._asked(node)
        if asked is None:
            return
        here = {self.full(one) for one in ast.walk(asked)}
        is_here = any(name.startswith(_HERE) for name in here)
        line = getattr(node, "lineno", 1)
        if _RUNNER_WORDS.search(said) or (is_here and said in _TELLING):
            yield CodeMark("intrusions.judged", said, line)
        elif is_here and said in _HOST_VARIABLES:
            yield CodeMark("intrusions.host", said, line)
        elif _TEST_PATH.search(said) and (is_here or self._is_place(asked)):
            yield CodeMark("intrusions.judged", said, line)

    def _asked(self, node: ast.AST) -> ast.AST | None:
        """Return the expression in which a string decides: a comparison, a look-up or a question to a file system."""
        above = self._above.get(node)
        while isinstance(
            above, (ast.Tuple, ast.List, ast.Set, ast.BinOp, ast.FormattedValue, ast.JoinedStr, ast.MatchValue)
        ):
            above = self._above.get(above)
        if isinstance(above, (ast.Compare, ast.Subscript, ast.match_case, ast.MatchOr)):
            return above
        if isinstance(above, ast.Call) and self.full(above.func).rpartition(".")[2] in _LOOKS:
            return above
        return None

    def _is_place(self, node: ast.AST) -> bool:
        names = {self.full(one.func).rpartition(".")[2] for one in ast.walk(node) if isinstance(one, ast.Call)}
        if isinstance(self._above.get(node), ast.Attribute):
            names.add(getattr(self._above[node], "attr", ""))
        return bool(names & {"exists", "is_file", "is_dir", "isfile", "isdir", "glob", "rglob", "access", "stat"})

    def _compare(self, node: ast.Compare) -> Iterator[CodeMark]:
        sides = [node.left, *node.comparators]
        texts = [self._reached(side) for side in sides]
        clock = any(name.removesuffix("()") in _CLOCKS for names in texts for name in names)
        file_time = any(_FILE_TIMES.search(name.removesuffix("()")) for names in texts for name in names)
        if (clock and (file_time or any(self._is_moment(side) for side in sides))) or (
            file_time and any("__file__" in ast.unparse(one) for side in sides for one in self._expanded(side))
        ):
            yield CodeMark("intrusions.clock", ast.unparse(node), node.lineno)
        if any(name.startswith(("sys.argv", "sys.orig_argv")) for names in texts for name in names):
            indexes = [
                one
                for one in ast.walk(node)
                if isinstance(one, ast.Subscript) and self.full(one).startswith("sys.argv")
            ]
            if any(isinstance(one.slice, ast.Constant) and one.slice.value == 0 for one in indexes):
                yield CodeMark("intrusions.stack", ast.unparse(node), node.lineno)

    def _reached(self, node: ast.expr) -> set[str]:
        return {
            self.full(one)
            for part in self._expanded(node)
            for one in ast.walk(part)
            if isinstance(one, (ast.Call, ast.Attribute, ast.Name))
        }

    def _expanded(self, node: ast.expr) -> list[ast.AST]:
        """Return an expression with the values of the names in it, through two assignments."""
        found: list[ast.AST] = [node]
        for _ in range(2):
            names = {one.id for part in found for one in ast.walk(part) if isinstance(one, ast.Name)}
            found = [node, *(self._values[name] for name in sorted(names) if name in self._values)]
        return found

    def _is_moment(self, side: ast.expr) -> bool:
        for part in self._expanded(side):
            for one in ast.walk(part):
                match one:
                    case ast.Constant(value=int() | float() as number) if (
                        not isinstance(number, bool) and number >= 1e9
                    ):
                        return True
                    case ast.Constant(value=str(said)) if _MOMENT.match(said):
                        return True
                    case ast.Call(args=[ast.Constant(value=int(year)), *_]) if 1970 <= year <= 2200:
                        return True
        return False

    def _class(self, node: ast.ClassDef) -> Iterator[CodeMark]:
        bases = {self.full(base).rpartition(".")[2] for base in node.bases}
        for one in node.body:
            name, says = "", False
            if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)):
                name = one.name
                says = _is_blind(one)
            elif isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name):
                name = one.targets[0].id
                says = isinstance(one.value, ast.Lambda) and isinstance(one.value.body, ast.Constant)
            if (name in {"__eq__", "__ne__", "__instancecheck__", "__contains__"} and says) or (
                name in {"__eq__", "__ne__"} and bases & _NUMBERS
            ):
                yield CodeMark("intrusions.equal", f"{node.name}.{name}", one.lineno)

    def _name(self, node: ast.Attribute | ast.Name) -> Iterator[CodeMark]:
        above = self._above.get(node)
        if (
            isinstance(above, (ast.Call, ast.Attribute))
            and getattr(above, "func", getattr(above, "value", None)) is node
        ):
            return
        name = self.full(node)
        if name in _STACK or name in _TRACES:
            yield CodeMark("intrusions.stack", name, node.lineno)
        elif name in _HOST and isinstance(node.ctx, ast.Load):
            yield CodeMark("intrusions.host", name, node.lineno)
        elif name in _ENDS - {"os.kill", "os.killpg"} and isinstance(node.ctx, ast.Load):
            yield CodeMark("intrusions.exit", name, node.lineno)

    def _at_import(self, body: list[ast.stmt]) -> Iterator[CodeMark]:
        """Yield what ends the process while a module is imported: outside of functions and of `if __name__ ...`."""
        for statement in body:
            if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                continue
            if isinstance(statement, ast.If) and "__name__" in ast.unparse(statement.test):
                continue
            for one in ast.walk(statement):
                is_exit = isinstance(one, ast.Call) and self.full(one.func) in {"sys.exit", "exit", "quit"}
                is_raised = isinstance(one, ast.Raise) and self.full(one.exc).startswith("SystemExit")
                if is_exit or is_raised:
                    yield CodeMark("intrusions.exit", "sys.exit at import", getattr(one, "lineno", 1))


def _is_path(node: ast.expr) -> bool:
    """Return whether an expression may only stand for another name: `os.environ`, `getattr(os, "x")`."""
    return isinstance(node.func if isinstance(node, ast.Call) else node, (ast.Name, ast.Attribute))


def _folded(node: ast.AST | None) -> str | None:
    """Return the text of a string constant, also of joined ones; None for anything else."""
    match node:
        case ast.Constant(value=str(said)):
            return said
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, two = _folded(left), _folded(right)
            return one + two if one is not None and two is not None else None
        case ast.JoinedStr(values=values):
            said_parts = [_folded(one.value if isinstance(one, ast.FormattedValue) else one) for one in values]
            return None if None in said_parts else "".join(filter(None, said_parts))
        case ast.Call(
            func=ast.Attribute(value=joint, attr="join"), args=[ast.List(elts=parts) | ast.Tuple(elts=parts)]
        ):
            said_parts = [_folded(part) for part in parts]
            glue = _folded(joint)
            return None if glue is None or None in said_parts else glue.join(filter(None, said_parts))
    return None


def _is_blind(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a comparison answers without looking at what it is compared with, or always the same."""
    given = function.args.args
    if len(given) < 2:
        return bool(function.args.vararg)
    other = given[1].arg
    reads = any(isinstance(one, ast.Name) and one.id == other for one in ast.walk(function) if one is not given[1])
    answers = [one.value for one in ast.walk(function) if isinstance(one, ast.Return)]
    constant = bool(answers) and all(isinstance(one, ast.Constant) and isinstance(one.value, bool) for one in answers)
    raises = any(isinstance(one, ast.Raise) for one in ast.walk(function))
    same = constant and len({one.value for one in answers if isinstance(one, ast.Constant)}) == 1
    return not raises and (same or not reads)
