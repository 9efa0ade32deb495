"""Judges what a patch does to the tests of its base, by reading alone. Must never run a test."""

from __future__ import annotations

import ast
import builtins
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from buildwright.core.finding import Finding, Severity
from buildwright.core.languages import language_of
from buildwright.gates.changed import checkout
from buildwright.gates.compared import Compared, base_text, compared, is_open, names_in, opening, speaks_of
from buildwright.gates.facts import TOP, Fact, FileTests, SingleTest
from buildwright.gates.python_facts import compare_python, read_python
from buildwright.gates.python_tests import dotted
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.scope import is_named
from buildwright.gates.script import is_script
from buildwright.gates.script_facts import compare_scripts, read_script
from buildwright.gates.surface import is_test
from buildwright.ports import Judged, Judgement

_LINK = "120000"
_HOOKS = frozenset(
    (
        "pytest_cmdline_main",
        "pytest_cmdline_parse",
        "pytest_collect_file",
        "pytest_collection",
        "pytest_collection_finish",
        "pytest_collection_modifyitems",
        "pytest_deselected",
        "pytest_exception_interact",
        "pytest_generate_tests",
        "pytest_ignore_collect",
        "pytest_itemcollected",
        "pytest_load_initial_conftests",
        "pytest_make_collect_report",
        "pytest_pycollect_makeitem",
        "pytest_pycollect_makemodule",
        "pytest_pyfunc_call",
        "pytest_report_teststatus",
        "pytest_runtest_call",
        "pytest_runtest_logreport",
        "pytest_runtest_makereport",
        "pytest_runtest_protocol",
        "pytest_runtest_setup",
        "pytest_runtestloop",
        "pytest_sessionfinish",
        "pytest_terminal_summary",
        "pytest_unconfigure",
        "load_tests",
        "collect_ignore",
        "collect_ignore_glob",
    )
)
"""What decides which tests run and what becomes of them; others (markers, options, headers) do not."""
_ABOUT_TESTS = (
    r"(?:fix|mend|correct|update|rewrite|rework|refactor|clean(?: up)?|tidy|simplify|reorgani[sz]e|port|convert|migrate)\w* "
    r"(?:(?:the|all|our|up|existing|unit|flaky|wrong|old|\w+'s) ){0,3}(?:tests?|test suite|test files?|expectations?)"
)
"""Words of a task that is about the tests themselves."""
_BENIGN = re.compile(
    r"(?:^|\.)(?:mark\.\w+|fixture|given|settings|example|seed|patch(?:\.\w+)*|staticmethod|classmethod|override\w*|"
    r"asyncio|gen_test|parameterized(?:\.\w+)*|data|unpack|ddt|freeze_time|time_machine\.travel|activate|tag|usefixtures|"
    r"timeout|anyio|trio_test|inline_callbacks|skip\w*|xfail|expectedFailure)$"
)
"""Decorators that leave what a test refuses as it is, or that are judged as marks of their own."""
_UNSAID = frozenset(dir(builtins)) | frozenset(
    ("assert_", "raises", "assertequal", "approx", "expect", "tobe", "toequal", "strictequal", "equal", "ok", "deepequal",
     "deepstrictequal", "assert", "tostrictequal", "tothrow", "throws", "value", "test", "get", "run", "add", "set")
)  # fmt: skip
"""Names of calls that say nothing of what a claim is about."""
_OTHER_LANGUAGES: Mapping[str, tuple[re.Pattern[str], re.Pattern[str]]] = {
    language: (re.compile(claims), re.compile(silences))
    for language, claims, silences in (
        ("go", r"\bt\.(?:Error|Fatal|Fail)|\b(?:assert|require)\.|^func (?:Test|Fuzz|Example)", r"\bt\.Skip"),
        ("rust", r"\bassert\w*!|#\[(?:\w+::)?test\]|\bpanic!", r"#\[ignore|#\[cfg_attr\(.*ignore"),
        ("java", r"\bassert\w*\s*\(|@Test\b|\bfail\s*\(|\bverify\s*\(", r"@(?:Disabled|Ignore)|\bassume\w+\("),
        ("kotlin", r"\bassert\w*\s*[({]|@Test\b|\bshould\w+", r"@(?:Disabled|Ignore)"),
        ("ruby", r"\bassert\w*|\bexpect\b|^\s*(?:it|test)\b", r"^\s*(?:skip|pending|xit|xdescribe)\b"),
        ("php", r"->assert\w+|function test", r"markTestSkipped|markTestIncomplete"),
        ("csharp", r"\bAssert\.|\[(?:Fact|Theory|Test|TestMethod)", r"Skip\s*=|\[Ignore"),
    )
}
"""For languages without a reader here: the lines that claim something, and the words that keep a test from running."""


class _Read(NamedTuple):
    """One changed file with what its tests claimed and claim."""

    file: Compared
    before: FileTests
    after: FileTests
    counts: bool
    """Whether a runner collects the file as it is now."""


class ChangedTestsGate:
    """Refuses a patch after which the tests of its base claim less.

    What was claimed is compared by identity: a test may be moved, renamed, parametrised or joined with another, and may
    claim more. A changed expectation is refused unless the words of the task name what it is about.
    """

    name = "tests"
    needs_files = True
    refuses = "tests of the base that were removed, skipped, weakened, mocked or bent, and changed expectations"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        files = await compared(judged)
        places = _test_places(await base_text(judged, "pyproject.toml"))
        read = [_read(file, places) for file in files]
        findings = [
            *_lost(judged, [one for one in read if one is not None]),
            *_lost_lines(judged, files),
            *_gone(judged, files),
        ]
        for one in read:
            if one is not None:
                findings += _replaced(one)
        for file in files:
            findings += _bent(judged, file)
        findings = [one for one in findings if one.file is None or not is_open(judged, one.file, named=False)]
        return [judgement(self.name, "test", findings)]


def _test_places(manifest: str | None) -> tuple[str, ...]:
    try:
        options = tomllib.loads(manifest or "").get("tool", {}).get("pytest", {}).get("ini_options", {})
        places = options.get("testpaths", [])
    except (tomllib.TOMLDecodeError, AttributeError):
        return ()
    given = places.split() if isinstance(places, str) else places
    return tuple(str(place).rstrip("/") for place in given if str(place).rstrip("/") not in {"", "."})


def _read(file: Compared, places: tuple[str, ...]) -> _Read | None:
    path = file.path
    if not path.endswith(".py") and not (is_script(path) and is_test(path)):
        return None
    before, after = _both(file)
    if not is_test(path) and not path.endswith("conftest.py"):
        before, after = (FileTests({TOP: one.tests[TOP]} if TOP in one.tests else {}) for one in (before, after))
    return _Read(file, before, after, bool(before.tests) or _is_collected(path, places))


def _both(file: Compared) -> tuple[FileTests, FileTests]:
    path = file.path
    if file.before is None or file.after is None:
        return tests_of(path, file.before), tests_of(path, file.after)
    if is_script(path):
        return compare_scripts(path, file.before, file.after)
    before, after = compare_python(file.before, file.after)
    return before or FileTests(), after or FileTests()


def tests_of(path: str, text: str | None) -> FileTests:
    """Return the tests of a Python, JavaScript or TypeScript file, none of no text."""
    if text is None:
        return FileTests()
    return read_script(path, text) if is_script(path) else read_python(text) or FileTests()


def _is_collected(path: str, places: tuple[str, ...]) -> bool:
    *folders, name = path.split("/")
    if any(folder.startswith(".") or folder in {"node_modules", "build", "dist", "venv"} for folder in folders):
        return False
    if not path.endswith(".py"):
        return is_test(path)
    if places and not any(path == place or path.startswith(f"{place}/") for place in places):
        return False
    return name.startswith("test_") or name.endswith("_test.py")


def _lost(judged: Judged, read: list[_Read]) -> Iterator[Finding]:
    """Yield a finding for each test of the base whose claims are not among those of the patch any more."""
    stands: dict[str, SingleTest] = {}
    marks: dict[str, frozenset[str]] = {}
    for one in read:
        for case in one.before.tests.values():
            marks[case.name] = marks.get(case.name, frozenset()) | case.marks
    for one in read:
        for case in one.after.tests.values() if one.counts else ():
            if not case.silent and not _odd_marks(case, marks.get(case.name)):
                for fact in case.facts:
                    stands[fact.text] = case
                stands[f"{_BODY}{case.body}"] = case
    tails = {_tail(text): text for text in stands}
    for one in read:
        for case in one.before.tests.values():
            for fact in case.facts:
                if fact.text not in stands and _only_moved(
                    judged, one.file.path, fact.text, tails.get(_tail(fact.text))
                ):
                    stands[fact.text] = case
            if not case.silent:
                now = one.after.tests.get(case.name)
                yield from _of_test(judged, one.file.path, case, now, stands, marks)
        helpers = {fact.text for other in read for fact in other.after.helpers} | stands.keys()
        lost = [fact for fact in one.before.helpers if fact.text not in helpers]
        if lost and one.file.change.kind != "deleted":
            yield _weakened(judged, one.file.path, "a helper of the tests", lost[0], None)


_QUALIFIED = re.compile(r"(?<![\w.'\"])((?:[\w$@-]+[./])+)(?=[A-Za-z_$])")


def _tail(claim: str) -> str:
    """Return a claim without the modules that its names come from."""
    return _QUALIFIED.sub("", claim)


def _only_moved(judged: Judged, path: str, old: str, new: str | None) -> bool:
    """Return whether two claims of a test differ only by modules that are not the project's, or that the patch moved."""
    if new is None:
        return False
    before, after = _QUALIFIED.findall(old), _QUALIFIED.findall(new)
    if len(before) != len(after):
        return False
    deleted = {change.path for change in judged.patch.changes if change.kind == "deleted"} if judged.patch else set()
    for was, now in zip(before, after, strict=True):
        if was != now:
            root = checkout(judged)
            is_there = any((root / place).is_file() for place in _modules(path, was))
            is_moved = any(place in deleted for place in _modules(path, was))
            arrives = any((root / place).is_file() and not is_test(place) for place in _modules(path, now))
            if is_there or (is_moved and not arrives):
                return False
    return True


def _modules(path: str, name: str) -> list[str]:
    """Return the files that a qualified name may stand for, seen from the top and from the folders above a test."""
    parts = [part for part in re.split(r"[./]", name) if part]
    above = path.split("/")[:-1]
    folders = [f"{'/'.join(above[:depth])}/" if depth else "" for depth in range(len(above) + 1)]
    ends = (".py", "/__init__.py", ".js", ".ts", ".mjs", ".cjs", ".tsx", ".jsx", "/index.js", "/index.ts")
    stems = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return [
        f"{folder}{source}{stem}{end}"
        for folder in folders
        for source in ("", "src/", "lib/")
        for stem in stems
        for end in ends
    ]


_BODY = "\0"


def _odd_marks(case: SingleTest, known: frozenset[str] | None) -> str:
    odd = [mark for mark in sorted(case.marks - known) if not _BENIGN.search(mark)] if known is not None else []
    return odd[0] if odd else ""


def _of_test(
    judged: Judged,
    path: str,
    case: SingleTest,
    now: SingleTest | None,
    stands: Mapping[str, SingleTest],
    marks: Mapping[str, frozenset[str]],
) -> Iterator[Finding]:
    lost = [fact for fact in case.facts if fact.text not in stands]
    unclaimed = not case.facts and f"{_BODY}{case.body}" not in stands
    if not lost and not unclaimed:
        return
    name = case.name.strip()
    why = (now.silent or _odd_marks(now, marks.get(now.name))) if now is not None else ""
    if why:
        message = f"The test {name} does not run any more, or nothing that it finds counts ({why})."
        yield _error("tests.skipped", message, path, now.line if now else None, "let the test run as it did")
    elif now is None:
        asked = speaks_of(judged.task, "remov(?:e|es|ed|ing)|delet(?:e|es|ed|ing)|drop(?:s|ped)?")
        severity: Severity = "warning" if asked and _is_asked(judged, case.name, case.facts) else "error"
        asked_file = judged.task is not None and (
            judged.task.action == "delete" or is_named(path, judged.task.files_expected)
        )
        if not (asked_file and judged.patch and _is_deleted(judged, path)):
            message = f"The test {name} is not there any more, or no test any more by its name."
            yield _error("tests.removed", message, path, None, f"bring {name} back as it was", severity)
    elif unclaimed:
        if not now.facts and len(now.body) < len(case.body) * _MUCH_LESS:
            yield _error("tests.weakened", f"The test {name} does less than before.", path, now.line, _AS_IT_WAS)
    else:
        yield _weakened(judged, path, f"the test {name}", lost[0], _Change(case, now, lost))


_MUCH_LESS = 0.6
"""Of its length: a test without assertions of its own that is shorter than that does less."""
_AS_IT_WAS = "leave the tests of the project as they were, and add new ones"


class _Change(NamedTuple):
    before: SingleTest
    now: SingleTest
    lost: list[Fact]


def _weakened(judged: Judged, path: str, what: str, fact: Fact, change: _Change | None) -> Finding:
    claim = fact.text if len(fact.text) <= 160 else f"{fact.text[:160]}..."
    line = None
    severity: Severity = "error"
    code = "tests.weakened"
    if change is not None:
        known = {one.text for one in change.before.facts}
        fresh = [one for one in change.now.facts if one.text not in known]
        line = fresh[0].line if fresh else change.now.line
        is_weaker = sum(one.compares for one in change.lost) > sum(one.compares for one in fresh)
        if len(fresh) >= len(change.lost) and not is_weaker:
            code = "tests.expectation"
            severity = "warning" if _is_asked(judged, change.before.name, change.lost) else "error"
        if speaks_of(judged.task, _ABOUT_TESTS):
            severity = "warning"
    message = f"In {path}, {what} no longer claims: {claim}"
    return _error(code, message, path, line, _AS_IT_WAS, severity)


def _is_asked(judged: Judged, name: str, facts: Iterable[Fact]) -> bool:
    """Return whether the words of the task name the test, or something that each of its claims calls."""
    words = names_in(judged.task)
    if name.rpartition(".")[2].strip().lower() in words:
        return True
    called = [one.called - _UNSAID for one in facts]
    return bool(called) and all(any(len(each) > 2 and each in words for each in names) for names in called)


def _is_deleted(judged: Judged, path: str) -> bool:
    return judged.patch is not None and any(one.path == path and one.kind == "deleted" for one in judged.patch.changes)


def _error(code: str, message: str, path: str, line: int | None, fix: str, severity: Severity = "error") -> Finding:
    return finding(code, message, path, line, severity=severity, fix=fix + opening(path))


def _lost_lines(judged: Judged, files: list[Compared]) -> Iterator[Finding]:
    """Yield findings for languages that are only read by lines."""
    fresh: Counter[str] = Counter()
    for file in files:
        if language_of(file.path) in _OTHER_LANGUAGES:
            fresh.update(_plain_lines(file.after))
    for file in files:
        language = language_of(file.path)
        if language not in _OTHER_LANGUAGES or file.before is None or not (is_test(file.path) or language == "rust"):
            continue
        claims, silences = _OTHER_LANGUAGES[language]
        for line, count in _plain_lines(_test_part(file.path, file.before)).items():
            if claims.search(line) and fresh[line] < count:
                message = f"In {file.path}, the tests no longer have the line: {line}"
                severity: Severity = "warning" if names_in(judged.task) & _calls(line) else "error"
                yield _error("tests.weakened", message, file.path, None, _AS_IT_WAS, severity)
                break
        old = sum(len(silences.findall(line)) * count for line, count in _plain_lines(file.before).items())
        new = sum(len(silences.findall(line)) * count for line, count in _plain_lines(file.after).items())
        if new > old:
            message = f"A test in {file.path} does not run any more."
            yield _error("tests.skipped", message, file.path, None, "let the test run as it did")


def _test_part(path: str, text: str) -> str:
    """Return the part of a file that is tests: in Rust those of a module stand below its code."""
    if is_test(path):
        return text
    found = re.search(r"^\s*#\[(?:cfg\(test\)|(?:\w+::)?test)\]", text, re.MULTILINE)
    return text[found.start() :] if found else ""


def _calls(line: str) -> set[str]:
    return {name.lower() for name in re.findall(r"(\w{3,})\s*\(", line)} - _UNSAID


def _plain_lines(text: str | None) -> Counter[str]:
    return Counter(" ".join(line.split()) for line in (text or "").splitlines() if not line.strip().startswith("//"))


def _gone(judged: Judged, files: list[Compared]) -> Iterator[Finding]:
    """Yield a finding for each file of tests that was deleted or became a link, unless its content is elsewhere."""
    kept = {file.after for file in files if file.is_new}
    task = judged.task
    for file in files:
        path = file.path
        if not is_test(path):
            continue
        if file.change.mode == _LINK and file.change.old_mode != _LINK:
            message = f"{path} is a link now: what the tests say can change without them."
            yield _error("tests.linked", message, path, None, f"make {path} a plain file again")
        if file.change.kind != "deleted" or (task and (task.action == "delete" or is_named(path, task.files_expected))):
            continue
        if file.before is None or (file.before not in kept and not _tests_of_file(path, file.before)):
            message = f"The test file {path} was deleted, and the task does not ask for that."
            fix = f"bring {path} back; fix the code instead of removing its test"
            yield _error("tests.deleted", message, path, None, fix)


def _tests_of_file(path: str, text: str) -> bool:
    """Return whether a file's tests were compared one by one, or it had nothing to lose."""
    if path.endswith(".py") or is_script(path):
        return bool(tests_of(path, text).tests) or not text.strip()
    return language_of(path) in _OTHER_LANGUAGES or not text.strip()


def _replaced(one: _Read) -> Iterator[Finding]:
    """Yield a finding for what a patch newly replaces while the tests of the base run."""
    path = one.file.path
    if not (is_test(path) or path.endswith("conftest.py")):
        return
    for title in one.after.focused:
        if title not in one.before.focused:
            message = f"Beside {title} in {path} no other test runs."
            yield _error("tests.only", message, path, None, "let all tests run: leave `only` out")
    fresh = one.after.mocks - one.before.mocks
    if is_script(path):
        fresh = fresh if one.file.before is not None else frozenset()
    if path.endswith("conftest.py") or one.file.before is not None:
        fresh |= one.after.automatic - one.before.automatic
    for name, case in one.before.tests.items():
        now = one.after.tests.get(name)
        if now is not None:
            fresh |= now.mocks - case.mocks
    for mock in sorted(fresh)[:3]:
        message = f"{path} puts something else in place of what the tests are about: {mock}"
        yield _error("tests.mocked", message, path, None, "let the tests see the code as it is")


def _bent(judged: Judged, file: Compared) -> Iterator[Finding]:
    """Yield a finding for each new or changed hook that decides which tests run or what becomes of them."""
    if not file.path.endswith(".py") or file.after is None:
        return
    old = {text for _, text in _hooks(file.before)}
    severity: Severity = (
        "warning" if speaks_of(judged.task, "pytest plugin|pytest hooks?|hooks? of pytest") else "error"
    )
    for (name, line), text in _hooks(file.after):
        if text not in old:
            message = f"{name} in {file.path} decides which tests run, or what becomes of them."
            yield _error(
                "tests.hooks", message, file.path, line, "leave it out; tests that fail are to be fixed", severity
            )


def _hooks(text: str | None) -> list[tuple[tuple[str, int], str]]:
    try:
        tree = ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError):
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            names = {node.name} | {
                str(one.value.value)
                for mark in node.decorator_list
                if isinstance(mark, ast.Call) and dotted(mark).endswith("hookimpl")
                for one in mark.keywords
                if one.arg == "specname" and isinstance(one.value, ast.Constant)
            }
        elif isinstance(node, (ast.Assign, ast.ImportFrom)):
            names = (
                {dotted(target).rpartition(".")[2] for target in node.targets}
                if isinstance(node, ast.Assign)
                else {one.asname or one.name for one in node.names}
            )
        else:
            continue
        found += [((name, node.lineno), ast.unparse(node)) for name in sorted(names & _HOOKS)]
    return found
