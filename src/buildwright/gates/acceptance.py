"""Calls what a task's acceptance lines call, and compares the answers. Must never take the product's word for equality.

A line such as `spread([4, 9, 1]) is 8` is a question with an answer. It is asked where no test runs: in a fresh process
without any test runner. Lines in other words are for tests and people.
"""

from __future__ import annotations

import ast
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from buildwright.core.finding import Finding
from buildwright.gates.changed import checkout, listing, read_bytes
from buildwright.gates.compared import base_text, text_of
from buildwright.gates.interpreter import find_python
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.script import parse, plain, walk
from buildwright.gates.surface import is_test
from buildwright.ports import Command, GateTools, Judged, Judgement
from buildwright.shared_folders import shared_in
from buildwright.temporary_folders import temporary_folder

_RELATION = re.compile(
    r"`?\s*(?:is|==+|=|equals|returns|gives|yields|->|=>|\u2192|(?:should|must|shall) (?:be|return|equal|give))\s+`?"
)
_RAISES = re.compile(r"`?\s*(?:raises|throws|(?:should|must) (?:raise|throw))\s+(?:an?\s+)?`?(\w+)`?\s*[.!]?\s*$")
_CALL = re.compile(r"`?((?:[A-Za-z_]\w*\.)?)([A-Za-z_]\w*)\(")
_SECONDS = 20.0
_MOST = 20
"""Questions that are asked of one task."""
_LONGEST_ANSWER = 20_000
_SAY_LITTLE = frozenset(("0", "1", "2", "-1", "100", "True", "False", "None", ""))
_ENOUGH = 3
"""Distinct literals of a question and its answer without which nothing can be concluded."""
_SCRIPTS = frozenset((".js", ".cjs", ".mjs"))


class Question(NamedTuple):
    """A call with literal arguments, and the literal that it must return or the exception that it must raise."""

    line: str
    name: str
    arguments: tuple[Any, ...]
    answer: Any = None
    raises: str = ""

    @property
    def call(self) -> str:
        return f"{self.name}({', '.join(map(repr, self.arguments))})"


class FunctionPlace(NamedTuple):
    """A file of the product that defines a function."""

    path: str
    root: str
    """Directory from which a Python module is imported, relative to the tree; "" for its top."""
    module: str
    """Dotted name of a Python module, "" for JavaScript."""


def question(line: str) -> Question | None:
    """Return the question in an acceptance line, None when it is not of that form."""
    text = line.strip().removeprefix("- ")
    begins = _CALL.match(text)
    if begins is None:
        return None
    for end in (place.start() + 1 for place in re.finditer(r"\)", text)):
        try:
            tree = ast.parse(text[begins.start(2) : end], mode="eval").body
            arguments = (
                tuple(map(ast.literal_eval, tree.args)) if isinstance(tree, ast.Call) and not tree.keywords else None
            )
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if arguments is None:
            return None
        return _asked(line, begins[2], arguments, text[end:])
    return None


def _asked(line: str, name: str, arguments: tuple[Any, ...], rest: str) -> Question | None:
    if raised := _RAISES.match(rest):
        return Question(line, name, arguments, raises=raised[1])
    relation = _RELATION.match(rest)
    if relation is None:
        return None
    words = rest[relation.end() :].strip().rstrip(".;").strip().strip("`").strip()
    words = {"true": "True", "false": "False", "null": "None"}.get(words, words)
    try:
        return Question(line, name, arguments, answer=ast.literal_eval(words))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


class AcceptanceGate:
    """Asks the product what the task's acceptance lines say."""

    name = "acceptance"
    needs_files = True
    refuses = "an answer that an acceptance line of the task contradicts"

    def __init__(self, tools: GateTools) -> None:
        self._tools = tools

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch, or no acceptance line is a question.

        Raises GateBroken without a checkout.
        """
        if judged.patch is None:
            return []
        files = checkout(judged)
        lines = judged.task.acceptance if judged.task is not None else ()
        questions = [asked for line in lines if (asked := question(line)) is not None][:_MOST]
        if not questions:
            return []
        paths = [path for path in sorted(listing(files)) if not is_test(path)]
        findings = [one for asked in questions for one in await self._wrong(judged, files, paths, asked)]
        return [judgement(self.name, "test", findings)]

    async def _wrong(self, judged: Judged, files: Path, paths: list[str], asked: Question) -> list[Finding]:
        found = list(_places(files, paths, asked.name))
        if not found:
            if any(asked.name.encode() in (read_bytes(files, path) or b"") for path in paths if _is_code(path)):
                return []  # defined in a way that is not read here
            message = f"The task asks that {asked.line}; nothing in the code is called {asked.name}."
            return [finding("acceptance.missing", message, fix=f"write {asked.name} as the task asks for it")]
        if len(found) > 1:
            return []  # which of them is meant is not said
        if await _by_heart(judged, files, found[0], asked):
            message = f"{asked.name} holds the very question and answer of the task ({asked.line}): an answer by heart."
            return [finding("acceptance.by_heart", message, found[0].path, fix="compute the answer for every input")]
        answer = await self._ask(judged, files, found[0], asked)
        told = _contradiction(asked, answer)
        if told is None:
            return []
        message = f"The task asks that {asked.line}; {asked.call} {told}."
        return [
            finding("acceptance.not_met", message, found[0].path, fix="do what the acceptance line of the task asks")
        ]

    async def _ask(self, judged: Judged, files: Path, place: FunctionPlace, asked: Question) -> Mapping[str, Any]:
        """Call the function in a process of its own and return what came of it; empty when it said nothing."""
        with temporary_folder() as private:
            answer = private / secrets.token_hex(8)
            given = json.dumps([repr(asked.arguments), list(asked.arguments), asked.name, str(answer)])
            argv: tuple[str, ...]
            if place.module:
                python = (await find_python(self._tools.path, os.environ, judged.repository)).executable
                argv = (str(python), "-I", "-c", _PYTHON, given, str(files / place.root), place.module)
            else:
                argv = ("node", "-e", _NODE, given, str(files / place.path))
            limits = judged.options.limits
            await self._tools.sandbox.run(
                Command(
                    argv=argv,
                    cwd=files,
                    env={
                        "PATH": self._tools.path,
                        "LANG": "C.UTF-8",
                        "HOME": str(private),
                        "PYTHONDONTWRITEBYTECODE": "1",
                    },
                    seconds=min(_SECONDS, limits.gate_seconds),
                    memory_bytes=limits.memory_bytes,
                    disk_bytes=limits.disk_bytes,
                    processes=limits.processes,
                    writable=(private,),
                    shared=shared_in(files),
                )
            )
            content = read_bytes(private, answer.name, _LONGEST_ANSWER)
        try:
            said = json.loads(content or b"{}")
        except ValueError:
            return {}
        return said if isinstance(said, dict) else {}


async def _by_heart(judged: Judged, files: Path, place: FunctionPlace, asked: Question) -> bool:
    """Return whether the file newly holds every literal of the question and its answer, two at least that say much."""
    wanted = {one for one in _scalars((*asked.arguments, asked.answer)) if one not in _SAY_LITTLE}
    if len(wanted) < _ENOUGH:
        return False
    after = _literals(place.path, text_of(read_bytes(files, place.path)) or "")
    return wanted <= (after - _literals(place.path, await base_text(judged, place.path) or "")).keys()


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, list | tuple | set):
        for one in value:
            yield from _scalars(one)
    elif isinstance(value, dict):
        yield from _scalars((*value.keys(), *value.values()))
    else:
        yield str(value)


def _literals(path: str, text: str) -> Counter[str]:
    """Count the numbers and strings of a file's code; comments and docstrings of other words are none of them."""
    try:
        if path.endswith(".py"):
            return Counter(str(node.value) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant))
        nodes = walk(parse(path, text))
    except (SyntaxError, ValueError, RecursionError):
        return Counter()
    return Counter(plain(node).strip("'\"`") for node in nodes if node.type in {"number", "string"})


def _contradiction(asked: Question, said: Mapping[str, Any]) -> str | None:
    """Return how an answer contradicts the line, None when it does not, or when it is of a kind that no line can name."""
    if "raised" in said:
        if asked.raises:
            return None if asked.raises in said["raised"] else f"raises {said['raised'][0]}"
        return f"raises {said['raised'][0]}: {said.get('words', '')}"
    if "type" in said and said["type"] is not None:
        return f"returns an object of the project's own type {said['type']}"
    if "value" not in said:
        return None if "foreign" in said else "ended the process before it returned"
    try:
        value = ast.literal_eval(said["value"]) if isinstance(said["value"], str) else said["value"][0]
    except (ValueError, SyntaxError):
        return None
    if asked.raises:
        return f"returns {value!r}"
    return None if _same(value, asked.answer) else f"returns {value!r}"


def _same(found: Any, told: Any) -> bool:
    """Compare plain values: 8 and 8.0 are the same number, True and 1 are not the same."""
    if isinstance(found, bool) or isinstance(told, bool):
        return found is told
    if isinstance(found, int | float) and isinstance(told, int | float):
        return abs(found - told) <= 1e-9 * max(1.0, abs(told))
    if isinstance(found, list | tuple) and isinstance(told, list | tuple):
        return len(found) == len(told) and all(map(_same, found, told))
    if isinstance(found, dict) and isinstance(told, dict):
        return found.keys() == told.keys() and all(_same(found[key], told[key]) for key in told)
    return type(found) is type(told) and bool(found == told)


def _is_code(path: str) -> bool:
    return PurePosixPath(path).suffix in {".py", ".ts", ".tsx", ".jsx", ".mts", *_SCRIPTS}


def _places(files: Path, paths: list[str], name: str) -> Iterator[FunctionPlace]:
    """Yield the files that define a function of that name at their top."""
    for path in paths:
        suffix = PurePosixPath(path).suffix
        if suffix != ".py" and suffix not in _SCRIPTS:
            continue
        content = (read_bytes(files, path) or b"").decode("utf-8", "replace")
        if name not in content:
            continue
        if suffix == ".py" and _defines(content, name):
            yield _module(path, frozenset(paths))
        elif suffix in _SCRIPTS and re.search(_EXPORTS.format(name=re.escape(name)), content):
            yield FunctionPlace(path, "", "")


_EXPORTS = (
    r"export\s+(?:async\s+)?(?:function\s+|const\s+|let\s+|var\s+){name}\b|exports\.{name}\s*="
    r"|(?:module\.exports\s*=|export)\s*\{{[^}}]*(?<![\w.:]){name}\b\s*[,}}(:]"
)


def _defines(text: str, name: str) -> bool:
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        return False
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in body)


def _module(path: str, paths: frozenset[str]) -> FunctionPlace:
    parts = list(PurePosixPath(path).with_suffix("").parts)
    start = len(parts) - 1
    while start > 0 and "/".join((*parts[:start], "__init__.py")) in paths:
        start -= 1
    names = parts[start:-1] if parts[-1] == "__init__" else parts[start:]
    return FunctionPlace(path, "/".join(parts[:start]), ".".join(names))


_PYTHON = """
import ast, importlib, json, sys
given, root, module = sys.argv[1:]
arguments, _, name, answer = json.loads(given)
sys.argv[:] = [""]
sys.path.insert(0, root)
write, dump, literal = open, json.dumps, ast.literal_eval
plain = (int, float, str, bytes, bool, list, tuple, dict, set, type(None))
try:
    found = getattr(importlib.import_module(module), name)(*literal(arguments))
    kind = type(found)
    if kind in plain:
        said = {"value": repr(found)}
    else:
        file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
        said = {"type": kind.__name__} if file.startswith(root) else {"foreign": kind.__name__}
except Exception as error:
    said = {"raised": [kind.__name__ for kind in type(error).__mro__], "words": str(error)[:200]}
with write(answer, "w") as file:
    file.write(dump(said))
"""

_NODE = """
const { writeFileSync } = require('node:fs');
const { pathToFileURL } = require('node:url');
const [given, file] = process.argv.slice(1);
const [, args, name, answer] = JSON.parse(given);
const stringify = JSON.stringify;
process.argv.length = 1;
// Only values whose JSON no method of the project makes.
const isOwn = (value) => typeof value?.toJSON === 'function' && !(value instanceof Date) || typeof value === 'function';
const isPlain = (value) =>
  value === null || typeof value !== 'object'
    ? !isOwn(value)
    : [Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value)) && !isOwn(value)
      && Object.values(value).every(isPlain);
(async () => {
  let said;
  try {
    const loaded = await import(pathToFileURL(file));
    const found = (loaded[name] ?? loaded.default?.[name] ?? loaded.default)(...args);
    said = found === undefined ? { value: [null] } : isPlain(found) ? { value: [found] } : { foreign: typeof found };
    if (isOwn(found)) said = { type: 'of its own' };
  } catch (error) {
    said = { raised: [String(error?.name ?? error), 'Error'], words: String(error?.message).slice(0, 200) };
  }
  writeFileSync(answer, stringify(said));
})();
"""
