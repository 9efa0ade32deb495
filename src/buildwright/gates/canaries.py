"""Places canary tests among a project's own: their outcomes are known before the run. They must never look different.

A run that drops tests, ends early or bends outcomes does so to the canary tests too. Their names, numbers and file are
random words, so that judged code cannot tell them from the project's. The technique is that of known-answer tests and
mutation sentinels; pytest's are placed by its launcher, not here.
Of a command of unittest it is read which tests it runs; where that is not sure, none are placed.
"""

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import re
import secrets
import shlex
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple, TypeVar

from buildwright.core.finding import Finding
from buildwright.core.limits import Check
from buildwright.gates.canary_tests import ENDS, IDENTIFIERS, NOUNS, VERBS, WRITERS, CanaryPlan
from buildwright.gates.changed import read_bytes, replace_bytes
from buildwright.gates.junit import CaseResult, Outcome, Tally
from buildwright.gates.node_scripts import called_script, command_line, scripts_of
from buildwright.gates.reporting import finding
from buildwright.gates.test_output import runner_of

_KINDS = frozenset(("test", "tests", "spec", "specs", "unit", "e2e", "it", "integration"))
_JAVASCRIPT = (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx")
_FOLDER = re.compile(r"cd (\S+|'[^']*') && (.*)$", re.DOTALL)
_HIDES = ("bail", "fail-fast", "failfast", "forceexit", "threshold", "check-coverage", "max-warnings")
"""Words of commands and settings under which a failing test would stop or hide something else."""
_SETTINGS = (".mocharc", "jest.config", "vitest.config", "vite.config", ".nycrc", ".c8rc", "package.json")
_GO_TEST = re.compile(r"(?<![\w./-])go test(?=\s|$)(?![^;&|\n]*\s--?(?:test\.)?(?:v|json)(?![\w-]))")
"""A `go test` that names no test that passed."""
_PARTS = re.compile(r"&&|\|\||[;|\n]")
_CHOOSES = re.compile(
    r"(?<!\S)(?:-[tgko]|--(?:f?grep|testNamePattern|test-name-pattern|test-skip-pattern|test-only|changed|changedSince|"
    r"onlyChanged|onlyFailures|findRelatedTests|shard|test-shard|invert|project|selectProjects))(?![\w-])"
)
"""Options by which a command runs only some tests: canaries might not be among them."""
_ENDINGS: Mapping[str, str | tuple[str, ...]] = {"go test": "_test.go", "unittest": ".py"}
_MODULES: Mapping[str, str] = {
    "node --test": "node:test",
    "jest": "@jest/globals",
    "vitest": "vitest",
    "mocha": "mocha",
}
_OTHERS = (*_MODULES.values(), "@playwright/test", "cypress", "bun:test", "ava", "tap", "uvu")
"""What a test file of a runner is known by."""
_ONLY_SOME = (" --lib", " --bin", " --test ", " --doc", " --example", " -p ", " --package")

_Value = TypeVar("_Value")


class _Runner(NamedTuple):
    """What runs the tests of a check, where, and by which command line."""

    name: str
    folder: str
    """Relative to the checkout, with a slash at its end unless empty."""
    body: str


class CanaryResults(NamedTuple):
    """A run without its canary tests: its tests, its exit code had there been none, and what was wrong with them."""

    tally: Tally
    exit_code: int | None
    findings: tuple[Finding, ...]


class Canaries(NamedTuple):
    """The canary tests that were placed in one checkout."""

    planned: Mapping[str, Outcome]
    """The outcome of each, by its title, which is the end of its name in a report."""
    path: str
    before: bytes | None
    """What the file held; None when it was made for them."""
    beside: str = ""
    """The existing test file whose form and place they follow."""
    may_be_unnamed: bool = False
    """Whether the runner may name only tests that failed."""

    @classmethod
    def place(cls, files: Path, check: Check, tests: Sequence[str], *, failing: bool | None = None) -> Canaries | None:
        """Write a test that passes, one that is skipped, and one that fails, beside an existing test of the runner.

        `files` is a private checkout, `tests` are the project's test files in it. Returns None where the runner is not
        known or no place for them is. Without `failing` the failing one is left out where it would hide another
        reason to fail: a runner that stops at the first failure, a threshold, commands before or after the runner.
        """
        runner = runner_behind(files, check)
        write = WRITERS.get(runner.name)
        if write is None or (runner.body not in check.command and _GO_TEST.search(runner.body)):
            return None
        if failing is None:
            failing = not _hides(files, runner)
        outcomes: tuple[Outcome, ...] = ("passed", "failed", "skipped") if failing else ("passed", "skipped")
        words = [f"{secrets.choice(VERBS)} {a} of {b}" for a in _shuffled(NOUNS) for b in _shuffled(ENDS)]
        titles: dict[Outcome, str] = dict(zip(_shuffled(outcomes), words[:: len(ENDS)], strict=False))
        plan = CanaryPlan(titles)
        place = _place(files, runner, tests)
        if place is None:
            return None
        path, beside = place
        sample = read_bytes(files, beside) if beside else b""
        text = write(plan, (sample or b"").decode("utf-8", "replace"))
        before = read_bytes(files, path)
        if not _written(files, path, before, text):
            return None
        as_name = IDENTIFIERS.get(runner.name, str)
        planned = {as_name(title): outcome for outcome, title in titles.items()}
        return cls(planned, path, before, beside, runner.name == "unittest")

    @property
    def fails(self) -> bool:
        """Whether one of them has to fail."""
        return "failed" in self.planned.values()

    def are_barred(self, exit_code: int | None, output: bytes) -> bool:
        """Return whether a command that ended with this may have failed by them alone: it names their file.

        A linter or compiler that the command runs beside the tests has rules that their text cannot know. Where one of
        them has to fail, the runner is alone and names the file for that reason.
        """
        name = self.path if self.before is not None else self.path.rpartition("/")[2]
        return exit_code is not None and exit_code > 0 and not self.fails and name.encode() in output

    def forget(self, tally: Tally) -> Tally:
        """Return a later run's tests without these, of which a compiler may have kept a copy."""
        mine = {title: case for case in tally.cases if (title := self._title(case)) is not None}
        return self._without(tally, mine) if mine else tally

    def remove(self, files: Path) -> None:
        """Take the canary tests out of the checkout again."""
        if self.before is not None:
            replace_bytes(files, self.path, self.before)
            return
        with contextlib.suppress(OSError):
            (files / self.path).unlink(missing_ok=True)

    def judge(self, tally: Tally, exit_code: int | None) -> CanaryResults:
        """Return the run without the canary tests, and a finding `test.canary` for each that did not go as planned.

        The exit code becomes 0 where the canary test alone failed.
        """
        mine = {title: case for case in tally.cases if (title := self._title(case)) is not None}
        if not tally.cases:
            message = "The runner names no tests, so it is not known whether it runs and judges all of them."
            return CanaryResults(tally, exit_code, (finding("test.canary", message, severity="warning"),))
        rest = self._without(tally, mine)
        if self._is_elsewhere(tally, mine):
            message = f"{self.beside} is run by no test runner of this check, so it is not known whether all tests are."
            return CanaryResults(rest, exit_code, (finding("test.canary", message, severity="warning"),))
        names_all = not self.may_be_unnamed or len(tally.cases) == (tally.ran or 0) + tally.skipped
        looked_for = [(title, outcome) for title, outcome in self.planned.items() if names_all or outcome == "failed"]
        findings = [one for title, outcome in looked_for for one in _compare(mine.get(title), outcome)]
        if self.fails and exit_code == 0:
            findings.append(_bent("the command exited with code 0 although a test failed"))
        if self.fails and exit_code is not None and exit_code > 0 and not findings and not rest.findings:
            exit_code = 0
        return CanaryResults(rest, exit_code, tuple(findings))

    def _title(self, case: CaseResult) -> str | None:
        return next((title for title in self.planned if case.name.partition(" #")[0].endswith(title)), None)

    def _is_elsewhere(self, tally: Tally, mine: Mapping[str, CaseResult]) -> bool:
        """Return whether the file beside which they stand is of another runner, or none.

        What drops the tests of a file that was run before is seen by their names.
        """
        files = {case.file for case in tally.cases}
        return not mine and bool(self.beside) and "" not in files and self.beside not in files

    def _without(self, tally: Tally, mine: Mapping[str, CaseResult]) -> Tally:
        cases = tuple(case for case in tally.cases if case not in mine.values())
        skipped = sum(case.outcome == "skipped" for case in mine.values())
        ran = None if tally.ran is None else max(tally.ran - (len(mine) - skipped), 0)
        if self.may_be_unnamed and mine and ran is not None:
            unnamed = [outcome for title, outcome in self.planned.items() if title not in mine]
            ran, skipped = max(ran - unnamed.count("passed"), 0), skipped + unnamed.count("skipped")
        failing = [title for title, outcome in self.planned.items() if outcome == "failed"]
        findings = tuple(one for one in tally.findings if not any(title in one.message for title in failing))
        return Tally(ran, max(tally.skipped - skipped, 0), findings, cases, tally.retried)


def _compare(case: CaseResult | None, planned: Outcome) -> list[Finding]:
    wanted = {"passed": "pass", "failed": "fail", "skipped": "be skipped"}[planned]
    if case is None:
        return [_bent(f"a test that had to {wanted} was not run")]
    return [] if case.outcome == planned else [_bent(f"a test that had to {wanted} was reported as {case.outcome}")]


def barred() -> Finding:
    """Return a warning about a check whose own tools do not let canary tests pass."""
    message = "A tool of this check does not let a new test file pass, so it is not known whether all tests are run."
    return finding("test.canary", message, severity="warning")


def newly_barred(now: bool, before: bool) -> list[Finding]:
    """Return a finding for a check that bars canary tests, and did not before a change; a person may approve it."""
    if not now or before:
        return []
    message = (
        "Canary tests were put among the project's own, and the command does not let them pass any more, though it passes"
        " without them: something in the tree bends the run, or a linter that is new in this command refuses them."
    )
    fix = "take out what looks for new test files; a linter may have a check of its own"
    return [finding("tests.canary", message, fix=fix)]


def _bent(what: str) -> Finding:
    message = f"Canary tests were put among the project's own, and {what}: something in the tree bends the run."
    fix = "take out what drops tests, changes outcomes, or ends the process: settings, start-up files, hooks, exits"
    return finding("test.canary", message, fix=fix)


def _shuffled(values: Sequence[_Value]) -> list[_Value]:
    return secrets.SystemRandom().sample(list(values), len(values))


def naming_tests(command: str) -> str:
    """Return a command so that `go test` names all tests, also those that pass, as other runners do by themselves."""
    return _GO_TEST.sub("go test -v", command)


def runner_behind(files: Path, check: Check) -> _Runner:
    """Return the runner behind a check, followed through one script of package.json; without a name if not known."""
    folder, command = "", check.command
    if match := _FOLDER.match(command):
        folder, command = shlex.split(match[1])[0].rstrip("/") + "/", match[2]
    body = command
    if script := called_script(command):
        body = command_line(scripts_of(_json(files, f"{folder}package.json")), script.name, alone=script.is_alone)
    name = runner_of(body) or ("go test" if "go test" in body else "")
    return _Runner(name, folder, body)


def _json(files: Path, path: str) -> dict[str, object]:
    try:
        found = json.loads(read_bytes(files, path) or b"")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _hides(files: Path, runner: _Runner) -> bool:
    if runner.name == "unittest" and re.search(r" -\w*f", runner.body):
        return True
    if runner.name == "cargo test":
        return "--no-fail-fast" not in runner.body or len(_PARTS.split(runner.body)) > 1
    if len(_PARTS.split(runner.body)) > 1:
        return True
    text = runner.body
    folder = files / runner.folder
    for name in sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ():
        if name.startswith(_SETTINGS):
            text += (read_bytes(folder, name) or b"").decode("utf-8", "replace")
    return any(word in text.lower() for word in _HIDES)


def _place(files: Path, runner: _Runner, tests: Sequence[str]) -> tuple[str, str] | None:
    """Return the file to write and an existing test of the runner beside it, whose form is followed."""
    inside = [path for path in tests if path.startswith(runner.folder)]
    if runner.name == "cargo test":
        return _place_rust(files, runner, inside)
    if _CHOOSES.search(runner.body):
        return None
    inside = [path for path in inside if path.endswith(_ENDINGS.get(runner.name, _JAVASCRIPT))]
    listed = _listed(runner, inside)
    if runner.name == "unittest":
        found = _unittests(files, runner, inside)
        if found is None:
            return None
        inside, listed = found
    for path in _shuffled(inside):
        sample = read_bytes(files, path)
        if sample is None or not _is_of(runner.name, sample.decode("utf-8", "replace")):
            continue
        if listed and path not in listed:
            continue
        name = None if listed else _new_name(path, runner)
        if name is not None and not os.path.lexists(files / name):
            return name, path
        if runner.name != "go test":
            return path, path
    return None


def _unittests(files: Path, runner: _Runner, tests: Sequence[str]) -> tuple[list[str], set[str]] | None:
    """Return the test files that a command of unittest runs, and those that it names; None if that is not known."""
    asked = unittest_command(runner.body)
    if asked is None:
        return None
    if asked.modules:
        named = {posixpath.normpath(posixpath.join(runner.folder, path)) for path in asked.modules}.intersection(tests)
        return sorted(named), named
    start = posixpath.normpath(posixpath.join(runner.folder, asked.start))
    start = "" if start == "." else f"{start}/"
    return [path for path in tests if _is_discovered(files, path, start, asked.pattern)], set()


def _is_discovered(files: Path, path: str, start: str, pattern: str) -> bool:
    """Return whether unittest finds a file: below packages only, and none of them says itself what its tests are."""
    folder, _, name = path.rpartition("/")
    if not path.startswith(start) or not fnmatchcase(name, pattern):
        return False
    while len(folder) >= len(start) and folder:
        marker = read_bytes(files, f"{folder}/__init__.py")
        if marker is None or b"load_tests" in marker:
            return False
        folder = folder.rpartition("/")[0]
    return b"load_tests" not in (read_bytes(files, f"{start}__init__.py") or b"")


def _is_of(runner: str, text: str) -> bool:
    """Return whether a test file is one of this runner, as far as it says."""
    if runner == "unittest":
        return "TestCase" in text and "load_tests" not in text
    if runner == "go test":
        return re.search(r"^package \w", text, re.MULTILINE) is not None
    own = _MODULES.get(runner, "")
    if runner == "node --test":
        return own in text
    return not any(re.search(rf"""['"]{module}['"]""", text) for module in _OTHERS if module != own)


def _listed(runner: _Runner, tests: Sequence[str]) -> set[str]:
    """Return the test files that the command names one by one: a new one would not be run."""
    try:
        words = shlex.split(runner.body)
    except ValueError:
        return set()
    return {posixpath.join(runner.folder, posixpath.normpath(word)) for word in words}.intersection(tests)


def _new_name(path: str, runner: _Runner) -> str | None:
    """Return a new name of the same form (`user.test.ts` -> `rows.test.ts`), None for one without a part to replace."""
    folder, _, name = path.rpartition("/")
    stem, ending = name.split(".", 1)
    pieces = re.split(r"([-_])", stem)
    words = [piece for piece in pieces[::2] if piece.lower() not in _KINDS]
    if not words:
        return None
    word = f"{secrets.choice(NOUNS)}-{secrets.choice(ENDS)}"
    word = word.replace("-", "_") if "_" in stem or ending == "go" else word
    at = pieces.index(words[0])
    last = max(index for index, piece in enumerate(pieces) if piece in words)
    new = posixpath.join(folder, f"{''.join(pieces[:at])}{word}{''.join(pieces[last + 1 :])}.{ending}")
    patterns = [word for word in runner.body.replace('"', " ").replace("'", " ").split() if "*" in word]
    relative = posixpath.relpath(new, runner.folder or ".")
    if patterns and not any(fnmatchcase(relative, one.removeprefix("./").replace("**/", "*")) for one in patterns):
        return None
    return new


def _place_rust(files: Path, runner: _Runner, tests: Sequence[str]) -> tuple[str, str] | None:
    """Return a new integration test of a package: Cargo finds each file of `tests/` beside the manifest."""
    if any(option in f"{runner.body} " for option in _ONLY_SOME):
        return None
    for path in [*_shuffled(tests), f"{runner.folder}src/lib.rs"]:
        folder = path.rpartition("/src/")[0] if "/src/" in path else "" if path.startswith("src/") else None
        if folder is None:
            continue
        manifest = (read_bytes(files, posixpath.join(folder, "Cargo.toml")) or b"").decode("utf-8", "replace")
        if "[package]" in manifest and "autotests" not in manifest:
            word = f"{secrets.choice(NOUNS)}_{secrets.choice(ENDS)}"
            return posixpath.join(folder, "tests", f"{word}.rs"), ""
    return None


def _written(files: Path, path: str, before: bytes | None, text: str) -> bool:
    """Write a new file, or one with the text added; return False where that would leave the checkout."""
    full = files / path
    try:
        full.parent.mkdir(exist_ok=True)
        if not full.parent.resolve().is_relative_to(files.resolve()):
            return False
        if before is not None:
            text = before.decode("utf-8", "surrogateescape").rstrip("\n") + "\n\n" + text
            full.unlink()
        with os.fdopen(os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    except OSError:
        return False
    return True


_FLAGS = frozenset(("--verbose", "--quiet", "--locals", "--failfast", "--catch", "--buffer"))
_LETTERS = frozenset("vqfcb")
_OF_DJANGO = (["test"], ["test", "-v", "2"])
"""Words with which Django searches as `unittest` does."""
_START, _PATTERN = ("-s", "--start-directory"), ("-p", "--pattern")


class UnittestCommand(NamedTuple):
    """What a command asks for: a search in a folder, or modules."""

    start: str = "."
    pattern: str = "test*.py"
    modules: tuple[str, ...] = ()
    """Paths of the modules that it names; then it searches for nothing."""


def unittest_command(command: str) -> UnittestCommand | None:
    """Return what `... -m unittest ...` or `... manage.py test ...` asks for.

    None for parts of modules, for names that match (`-k`), and for anything else that is not known.
    """
    try:
        words = shlex.split(command)
        if "manage.py" in words:
            return UnittestCommand() if words[words.index("manage.py") + 1 :] in _OF_DJANGO else None
        words = words[words.index("unittest") + 1 :]
    except ValueError:
        return None
    searches = not words or words[0] == "discover" or all(map(_is_flag, words))
    return _search(words[words[:1] == ["discover"] :]) if searches else _modules(words)


def _is_flag(word: str) -> bool:
    return word in _FLAGS or (word.startswith("-") and len(word) > 1 and _LETTERS.issuperset(word[1:]))


def _modules(words: Sequence[str]) -> UnittestCommand | None:
    named = [word for word in words if not _is_flag(word)]
    if any(word.startswith("-") for word in named):
        return None
    return UnittestCommand(
        modules=tuple(word if word.endswith(".py") else f"{word.replace('.', '/')}.py" for word in named)
    )


def _search(words: Sequence[str]) -> UnittestCommand | None:
    """Read the options of `discover`; its places without a name are start and pattern."""
    found = UnittestCommand()
    places = [_START[0], _PATTERN[0]]
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if not word.startswith("-") and places:
            option, value = places.pop(0), word
        elif _is_flag(word):
            continue
        elif not equals:
            value = next(rest, "")
        if option in _START:
            found = found._replace(start=value)
        elif option in _PATTERN:
            found = found._replace(pattern=value)
        elif option not in {"-t", "--top-level-directory"}:
            return None
    return found
