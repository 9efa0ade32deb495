"""Judges whether changed Python, JavaScript, TypeScript, JSON, TOML, YAML and HTML can be read. Must never execute one."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from buildwright.core.finding import Finding
from buildwright.core.patch import FileChange
from buildwright.gates.changed import changed_texts, checkout, read_bytes
from buildwright.gates.compared import base_text
from buildwright.gates.reporting import finding, judgement
from buildwright.ports import Judged, Judgement

# Files named as JSON that may have comments, by custom of their tools.
_COMMENTED_JSON = ("tsconfig", "jsconfig", ".eslintrc", "devcontainer", "settings", "launch", "tasks", ".babelrc")
_DEEPEST = "it is nested too deeply"
_FIXTURES = frozenset(("data", "fixtures", "testdata", "__fixtures__", "snapshots"))
_LARGEST_YAML = 200_000
_LARGEST_HTML = 500_000
_PAGES = ("html", "htm")
_NO_DOCTYPE = "expected-doctype"
"""Errors of parts of pages, which are put together elsewhere."""
_NEWER_PYTHON = re.compile(r"requires-python\s{0,9}=\s{0,9}[\"']>=\s{0,9}3\.(\d{1,3})")


class SyntaxGate:
    """The cheapest gate: a file that cannot be parsed fails in milliseconds, with its line.

    It is only a warning in a directory of test data, which may be wrong on purpose, for a file that the base has in no
    better state, for Python when the project needs a newer one than this process runs on, and for TypeScript, whose
    newest forms the grammar may not know.
    """

    name = "syntax"
    needs_files = True
    refuses = "Python, JavaScript, JSON, TOML, YAML and HTML that cannot be read, unless it was so before"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        findings: list[Finding] = []
        is_newer = _needs_newer_python(checkout(judged))
        for change, text in changed_texts(judged):
            name = change.path.rpartition("/")[2]
            look = _LOOKS.get(name.rpartition(".")[2].lower())
            if look is not None and not (look is _json and name.startswith(_COMMENTED_JSON)):
                noticed = look(change.path, text.removeprefix("\ufeff"))
                is_bearable = _FIXTURES & set(PurePosixPath(change.path).parts[:-1]) or (is_newer and look is _python)
                if noticed and (is_bearable or look is _typescript or await _was_so(judged, change, look, noticed)):
                    noticed = [one.model_copy(update={"severity": "warning"}) for one in noticed]
                findings += noticed
        return [judgement(self.name, "syntax", findings)]


async def _was_so(
    judged: Judged, change: FileChange, look: Callable[[str, str], list[Finding]], noticed: list[Finding]
) -> bool:
    """Return whether as much was wrong with the file in the base."""
    before = await base_text(judged, change.path) if change.kind != "added" else None
    return before is not None and len(look(change.path, before)) >= len(noticed)


def _needs_newer_python(root: Path) -> bool:
    found = _NEWER_PYTHON.search((read_bytes(root, "pyproject.toml") or b"").decode("utf-8", "replace"))
    return found is not None and int(found[1]) > sys.version_info.minor


def _python(path: str, text: str) -> list[Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        return [finding("syntax.python", error.msg, path, error.lineno)]
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        return [finding("syntax.python", str(error) or _DEEPEST, path)]
    return []


def _json(path: str, text: str) -> list[Finding]:
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return [finding("syntax.json", error.msg, path, error.lineno)]
    except (RecursionError, ValueError) as error:
        return [finding("syntax.json", str(error) or _DEEPEST, path)]
    return []


def _toml(path: str, text: str) -> list[Finding]:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        words = str(error)
        _, _, place = words.partition("(at line ")
        number = place.partition(",")[0]
        return [finding("syntax.toml", words, path, int(number) if number.isdecimal() else None)]
    except RecursionError:
        return [finding("syntax.toml", _DEEPEST, path)]
    return []


def _yaml(path: str, text: str) -> list[Finding]:
    import yaml

    if len(text) > _LARGEST_YAML:
        return []
    try:
        # Events only: building the document would expand aliases without bound and refuse tags of other programs.
        for _ in yaml.parse(text, Loader=yaml.SafeLoader):
            pass
    except yaml.MarkedYAMLError as error:
        # A template (Jinja, Helm) is named as YAML but is none until it is rendered.
        if "{{" in text or "{%" in text:
            return []
        line = error.problem_mark.line + 1 if error.problem_mark else None
        return [finding("syntax.yaml", error.problem or str(error), path, line)]
    except (yaml.YAMLError, RecursionError) as error:
        return [finding("syntax.yaml", str(error) or _DEEPEST, path)]
    return []


def _javascript(path: str, text: str) -> list[Finding]:
    return [] if "@flow" in text[:1000] else _script("syntax.javascript", path, text)


def _typescript(path: str, text: str) -> list[Finding]:
    return _script("syntax.typescript", path, text)


def _script(code: str, path: str, text: str) -> list[Finding]:
    from buildwright.gates.script import line, parse, walk

    try:
        root = parse(path, text)
    except RecursionError:
        return [finding(code, _DEEPEST, path)]
    if not root.has_error:
        return []
    wrong = next((node for node in walk(root) if node.is_error or node.is_missing), root)
    return [finding(code, "This cannot be parsed from here on.", path, line(wrong))]


def _html(path: str, text: str) -> list[Finding]:
    """Read a page by the rules of browsers. Templates are no pages before they are filled in."""
    from justhtml import JustHTML

    if not _is_page(text):
        return []
    errors = JustHTML(text, collect_errors=True).errors
    return [
        finding("syntax.html", f"This is not valid HTML: {error.code}.", path, error.line)
        for error in errors
        if not error.code.startswith(_NO_DOCTYPE)
    ]


def is_html(path: str) -> bool:
    """Return whether a file is read as a page of HTML."""
    return path.rpartition(".")[2].lower() in _PAGES


def _is_page(text: str) -> bool:
    return len(text) <= _LARGEST_HTML and not any(mark in text for mark in ("{{", "{%", "<%", "<?"))


def normalized_html(text: str) -> str | None:
    """Return a page as a browser understands it, each element closed and indented; None for a template or a huge one."""
    from justhtml import JustHTML

    return JustHTML(text, sanitize=False).to_html() if _is_page(text) else None


_LOOKS: dict[str, Callable[[str, str], list[Finding]]] = {
    "py": _python,
    "pyi": _python,
    "json": _json,
    "toml": _toml,
    "yaml": _yaml,
    "yml": _yaml,
    **dict.fromkeys(("js", "cjs", "mjs", "jsx"), _javascript),
    **dict.fromkeys(("ts", "cts", "mts", "tsx"), _typescript),
    **dict.fromkeys(_PAGES, _html),
}
