"""Judges what bends a project's own checks from inside the tree, or is right only where it is judged. Reads alone."""

from __future__ import annotations

import json
import posixpath
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from buildwright.core.finding import Finding, Severity
from buildwright.core.paths import fold_path
from buildwright.gates.changed import checkout, read_bytes
from buildwright.gates.compared import Compared, base_text, compared, is_open, opening, speaks_of, text_of
from buildwright.gates.machinery import RUNNERS, CodeMark, scan_python
from buildwright.gates.reach import TOOLS
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.script import is_script
from buildwright.gates.script_machinery import scan_script
from buildwright.gates.surface import is_test
from buildwright.ports import Judged, Judgement


class _Rule(NamedTuple):
    """What is said of a kind of code, and the words of a task that ask for it."""

    says: str
    fix: str
    asked: str
    severity: Severity = "error"


_RULES = {
    "intrusions.runner": _Rule(
        "speaks to the machinery of tests, which code under test must not know",
        "keep it in the tests",
        "pytest|unittest|jest|vitest|mocha|test (?:helpers?|utilit(?:y|ies)|fixtures?|plugins?)|fixtures?",
    ),
    "intrusions.patch": _Rule(
        "replaces a part of the language, of a library or of the test machinery while it runs",
        "call it instead of replacing it",
        "monkey-?patch(?:es|ing)?|patch(?:es|ing)?|polyfills?|import hooks?",
    ),
    "intrusions.exit": _Rule(
        "ends the process of the caller, and of the tests with it",
        "return or raise instead",
        "exit(?:s|ed|ing)?(?: codes?| status)?|terminat\\w*|shut ?down|signals?|daemons?|fork(?:s|ed)?",
    ),
    "intrusions.atexit": _Rule(
        "runs as the process ends, after its tests",
        "close things where they were opened",
        "exit\\w*|shut ?down|clean ?up",
        "warning",
    ),
    "intrusions.hidden": _Rule(
        "runs text as code, which no reader can judge",
        "write it as code",
        "eval\\w*|exec\\w*|interpret\\w*|expressions?|scripts?|templates?|repl",
    ),
    "intrusions.equal": _Rule(
        "answers comparisons without comparing",
        "compare the values, or leave the method out",
        "equal\\w*|compar\\w*|match(?:es|ers?)?|wildcards?",
    ),
    "intrusions.judged": _Rule(
        "asks whether it is being tested: it may be right only there",
        "do the same in every place",
        "pytest|unittest|jest|vitest|mocha|node_env|ci|continuous integration|"
        "test (?:mode|runs?|runners?|environments?|files?)|environment variables?",
    ),
    "intrusions.stack": _Rule(
        "asks who calls it: it may be right only there",
        "do the same for every caller",
        "stack\\w*|trace\\w*|traceback\\w*|frames?|callers?|log(?:s|ging|ger)?|debug\\w*|warn\\w*|profil\\w*|coverage|argv",
    ),
    "intrusions.host": _Rule(
        "asks on which machine or for which user it runs: it may be right only there",
        "do the same everywhere",
        "host\\w*|machines?|platform|users?|logins?|names? of the (?:host|machine|user)|system information|root|uid",
    ),
    "intrusions.clock": _Rule(
        "compares the clock with a fixed moment or a file's age: it may be right only now",
        "do the same at every time",
        "time\\w*|date\\w*|clock\\w*|expir\\w*|schedul\\w*|deadlines?|ages?|older|newer|stale|"
        "fresh\\w*|cache\\w*|until|since|year\\w*|day\\w*|mtime|modified",
    ),
}
_COMPILED = re.compile(r"\.(?:py[cod]|so(?:\.\d+)*|dylib|dll|node|class|whl|egg|exe)$")
_HELD = frozenset(
    ("node_modules", "site-packages", "dist-packages", ".venv", "venv", ".tox", ".nox", "__pypackages__", "pyvenv.cfg")
)
_START = frozenset(("sitecustomize", "usercustomize"))
_REPORT = re.compile(
    r"(?:^|/)(?:\.coverage(?:\.[\w.-]+)?|coverage(?:-final)?\.(?:xml|json)|lcov\.info|(?:[\w.-]*[-_.])?junit[\w.-]*\.xml|"
    r"test[-_]?(?:report|results?)[\w.-]*\.(?:xml|json)|test-[\w.-]+\.xml|report\.xml|nosetests\.xml|\.last_failed|\.testmondata)$"
)
_DATA = frozenset(("data", "fixtures", "testdata", "__fixtures__", "snapshots", "samples", "examples"))
_STANDARD = frozenset(sys.stdlib_module_names) - {"test", "__main__", "this", "antigravity", "idlelib"}


class IntrusionsGate:
    """Refuses what stands in the way of the project's own checks.

    Files are judged by where they lie and how they are named; code by what is new in it against the base, unless the
    words of the task ask for it.
    """

    name = "intrusions"
    needs_files = True
    refuses = "modules and programs that stand in for tools, ready reports, code that bends tests or knows it is tested"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        files = [file for file in await compared(judged) if not is_open(judged, file.path, named=False)]
        findings: list[Finding] = []
        roots = _import_roots(_setting(judged, "pythonpath"))
        added = any(file.is_new and file.path.lower().endswith((".py", ".pyi")) for file in files)
        taken = _STANDARD | RUNNERS | (await _declared(judged) if added else frozenset())
        reports = _report_paths(judged)
        for file in files:
            if file.change.kind != "deleted":
                findings += _by_name(file, reports)
                findings += await _shadows(judged, file, roots, taken)
        findings += _by_content(judged, files)
        return [judgement(self.name, "other", findings)]


def _error(
    code: str, message: str, path: str, fix: str, line: int | None = None, severity: Severity = "error"
) -> Finding:
    return finding(code, message, path, line, severity=severity, fix=fix + opening(path))


def _by_name(file: Compared, reports: frozenset[str]) -> Iterator[Finding]:
    path = file.path
    folded = fold_path(path)
    *folders, name = folded.split("/")
    stem = name.partition(".")[0]
    if (held := _HELD & {*folders, name}) or "__pycache__" in folders:
        what = next(iter(held), "__pycache__")
        code = "intrusions.compiled" if not held else "intrusions.vendored"
        yield _error(
            code, f"{path} lies in {what}, which tools take in place of what they would make.", path, f"remove {what}"
        )
    elif _COMPILED.search(name) and not (_DATA & set(folders)):
        yield _error(
            "intrusions.compiled", f"{path} is compiled: what it does cannot be read.", path, "add its source instead"
        )
    elif (stem in _START and name.endswith((".py", ".pyc"))) or name.endswith((".pth", ".egg-link")):
        yield _error(
            "intrusions.startup",
            f"{path} runs whenever Python starts.",
            path,
            "import what is needed where it is needed",
        )
    elif (file.is_new or file.change.kind in {"mode", "type"}) and _is_program(file, folders, name):
        yield _error(
            "intrusions.program", f"{path} has the name of a tool that checks call.", path, "name it otherwise"
        )
    elif (folded in reports or _REPORT.search(folded)) and not (_DATA & set(folders)):
        yield _error(
            "intrusions.report",
            f"{path} is a report before anything was run.",
            path,
            "remove it; checks write their own",
        )


def _is_program(file: Compared, folders: list[str], name: str) -> bool:
    stem = name.removesuffix(".exe").removesuffix(".cmd").removesuffix(".bat").removesuffix(".sh")
    in_bin = bool(folders) and folders[-1] in {"bin", ".bin", "scripts", "tools"}
    runs = file.change.mode in {"100755", "120000"} or (file.after or "").startswith("#!")
    return (
        stem in TOOLS and "." not in name.removesuffix(".exe").removesuffix(".cmd") and runs and (in_bin or not folders)
    )


def _setting(judged: Judged, name: str) -> tuple[str, ...]:
    manifest = text_of(read_bytes(checkout(judged), "pyproject.toml"))
    try:
        options = tomllib.loads(manifest or "").get("tool", {}).get("pytest", {}).get("ini_options", {})
        given = options.get(name, ())
    except (tomllib.TOMLDecodeError, AttributeError):
        return ()
    return tuple(str(one) for one in (given.split() if isinstance(given, str) else given))


def _import_roots(places: tuple[str, ...]) -> frozenset[str]:
    """Return the folders ("" for the top) that Python searches for modules whatever lies in them."""
    return frozenset(("", "src", "lib", *(posixpath.normpath(place) for place in places if place != ".")))


def _is_root(judged: Judged, folder: str, roots: frozenset[str]) -> bool:
    """Return whether Python may search a folder for modules.

    Beside `roots` folders with a manifest of their own, their `src`, and folders of tests: pytest's import mode
    `prepend` puts the first folder without an __init__.py on the path.
    """
    root = checkout(judged)
    if folder in roots:
        return True
    here = root / folder
    above = here.parent if folder.endswith(("/src", "/lib")) else here
    if any((above / name).is_file() for name in ("pyproject.toml", "setup.py", "setup.cfg")):
        return True
    if (here / "__init__.py").exists():
        return False
    return is_test(f"{folder}/x.py") or (here / "conftest.py").exists() or any(here.glob("test_*.py"))


async def _shadows(judged: Judged, file: Compared, roots: frozenset[str], taken: frozenset[str]) -> list[Finding]:
    """Return a finding when a new module has the name of one that Python or the project's checks import."""
    path = file.path
    folder, _, name = path.rpartition("/")
    module = fold_path(name)
    if not module.endswith((".py", ".pyi")) or not file.is_new:
        return []
    module = module.partition(".")[0]
    if module == "__init__":
        folder, _, module = folder.rpartition("/")
        module = fold_path(module)
    if module not in taken or not _is_root(judged, folder, roots):
        return []
    below = f"{folder}/" if folder else ""
    if any([await base_text(judged, f"{below}{module}{end}") is not None for end in (".py", "/__init__.py")]):
        return []
    message = f"{path} is found in place of the module {module}, by the checks as well."
    return [_error("intrusions.module", message, path, "give it another name, or put it into the project's package")]


async def _declared(judged: Judged) -> frozenset[str]:
    """Return the modules that the base's manifests declare, as far as the names of packages tell."""
    try:
        manifest = tomllib.loads(await base_text(judged, "pyproject.toml") or "")
    except tomllib.TOMLDecodeError:
        manifest = {}
    project = _table(manifest.get("project"))
    wanted = [*_texts(project.get("dependencies")), *_texts(project.get("optional-dependencies"))]
    wanted += [*_texts(manifest.get("dependency-groups")), *_poetry(manifest)]
    for name in ("requirements.txt", "requirements-dev.txt", "requirements/dev.txt", "dev-requirements.txt"):
        wanted += (await base_text(judged, name) or "").splitlines()
    named = (re.match(r"\s*([A-Za-z0-9][\w.-]*)", one) for one in wanted)
    names = {found[1].lower().replace("-", "_").replace(".", "_") for found in named if found}
    return frozenset(names - {str(project.get("name", "")).lower().replace("-", "_"), "src", "tests"})


def _poetry(manifest: Mapping[str, Any]) -> list[str]:
    settings = _table(_table(manifest.get("tool")).get("poetry"))
    groups = [settings, *(_table(group) for group in _table(settings.get("group")).values())]
    return [
        name for group in groups for kind in ("dependencies", "dev-dependencies") for name in _table(group.get(kind))
    ]


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> list[str]:
    """Return all texts in lists and tables of lists."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in inner for text in ([one] if isinstance(one, str) else _texts(one))]


def _report_paths(judged: Judged) -> frozenset[str]:
    """Return where the checks of this build and of the project's settings read reports."""
    paths = {check.report for check in judged.options.checks if "." in check.report}
    try:
        checks = tomllib.loads(text_of(read_bytes(checkout(judged), "buildwright.toml")) or "").get("checks", {})
        paths |= {
            str(one["report"]) for one in checks.values() if isinstance(one, dict) and "." in str(one.get("report"))
        }
    except (tomllib.TOMLDecodeError, AttributeError):
        pass
    return frozenset(fold_path(path) for path in paths)


def _by_content(judged: Judged, files: list[Compared]) -> Iterator[Finding]:
    """Yield a finding for each mark that is new: more often in the whole patch than in what it replaces."""
    programs = _programs(judged)
    found = {file.path: _marks(file, file.after, programs) for file in files}
    if not any(found.values()):
        return
    old = {file.path: [(mark.code, mark.what) for mark in _marks(file, file.before, programs)] for file in files}
    before = Counter(key for keys in old.values() for key in keys)
    for file in files:
        for mark in found[file.path]:
            key = (mark.code, mark.what)
            if before[key] > 0:
                before[key] -= 1
                continue
            rule = _RULES[mark.code]
            if not speaks_of(judged.task, rule.asked):
                severity: Severity = "warning" if key in old[file.path] else rule.severity
                what = mark.what if len(mark.what) < 120 else f"{mark.what[:120]}..."
                yield _error(mark.code, f"{file.path} {rule.says} ({what}).", file.path, rule.fix, mark.line, severity)


def _marks(file: Compared, text: str | None, programs: frozenset[str]) -> list[CodeMark]:
    path = file.path
    if text is None:
        return []
    tests = is_test(path) or path.endswith("conftest.py")
    if path.endswith(".py"):
        marks = scan_python(text, is_test=tests)
        return [mark for mark in marks if not (mark.what == "sys.exit at import" and path.endswith("__main__.py"))]
    if is_script(path):
        return scan_script(path, text, is_test=tests, is_program=path in programs)
    return []


def _programs(judged: Judged) -> frozenset[str]:
    """Return the scripts that the package names as its programs."""
    try:
        package = json.loads(text_of(read_bytes(checkout(judged), "package.json")) or "{}")
        bins = package.get("bin")
    except (ValueError, AttributeError, RecursionError):
        return frozenset()
    given = bins.values() if isinstance(bins, dict) else [bins] if isinstance(bins, str) else []
    return frozenset(posixpath.normpath(str(one)) for one in given)
