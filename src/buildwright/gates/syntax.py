"""Judges whether changed Python, JSON, TOML and YAML files can be parsed. Must never execute one."""

from __future__ import annotations

import json
import re
import sys
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from buildwright.core.finding import Finding
from buildwright.gates.changed import changed_texts, checkout, read_bytes
from buildwright.gates.reporting import finding, judgement
from buildwright.ports import Judged, Judgement

# Files named as JSON that may have comments, by custom of their tools.
_COMMENTED_JSON = ("tsconfig", "jsconfig", ".eslintrc", "devcontainer", "settings", "launch", "tasks", ".babelrc")
_DEEPEST = "it is nested too deeply"
_FIXTURES = frozenset(("data", "fixtures", "testdata", "__fixtures__", "snapshots"))
_LARGEST_YAML = 200_000
_NEWER_PYTHON = re.compile(r"requires-python\s{0,9}=\s{0,9}[\"']>=\s{0,9}3\.(\d{1,3})")


class SyntaxGate:
    """The cheapest gate: a file that cannot be parsed fails in milliseconds, with its line.

    It is only a warning in a directory of test data, which may be wrong on purpose, and for Python when the project
    needs a newer Python than this process runs on.
    """

    name = "syntax"
    needs_files = True
    refuses = "Python, JSON, TOML and YAML that cannot be read"

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
                if _FIXTURES & set(PurePosixPath(change.path).parts[:-1]) or (is_newer and look is _python):
                    noticed = [one.model_copy(update={"severity": "warning"}) for one in noticed]
                findings += noticed
        return [judgement(self.name, "syntax", findings)]


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


_LOOKS: dict[str, Callable[[str, str], list[Finding]]] = {
    "py": _python,
    "pyi": _python,
    "json": _json,
    "toml": _toml,
    "yaml": _yaml,
    "yml": _yaml,
}
