"""Reads what the tests of a Python project need to be installed, from wherever the project says it. Pure.

The tables are those of PEP 621 (`project`), PEP 735 (`dependency-groups`), PDM, Poetry, Hatch and uv in pyproject.toml,
`options` of setuptools in setup.cfg, its call in setup.py as far as it is written out, and `testenv` of tox in tox.ini.
Of groups and extras only those for tests count.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

_FOR_TESTS = ("test", "tests", "testing")
_FOR_WORK = ("dev", "develop", "development")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?")
_CARET = re.compile(r"\^\s*v?(\d+(?:\.\d+)*)\S*")
_TILDE = re.compile(r"~(?!=)\s*v?(\d+(?:\.\d+)*)\S*")
_TOX_FACTOR = re.compile(r"[\w.,!{}-]+:\s")
_TOX_NAMED = re.compile(r"\{\[([\w:.-]+)\]([\w.-]+)\}")
"""Stands for a value of another section."""
_DEEPEST = 10


def requirements(pyproject: Mapping[str, Any], setup_cfg: str = "", setup_py: str = "", tox_ini: str = "") -> list[str]:
    """Return the requirements (PEP 508) of a project and of its tests, without those that name the project itself."""
    own = plain_name(str(_table(pyproject, "project").get("name", "")))
    call = _setup_call(setup_py)
    extras = {**dict(_extras(pyproject, setup_cfg)), **_lists(call.get("extras_require"))}
    of_setup = [*_texts(call.get("install_requires")), *_texts(call.get("tests_require"))]
    found = [*_own(pyproject, setup_cfg), *of_setup, *_chosen(dict(_groups(pyproject))), *_chosen(extras)]
    return list(dict.fromkeys(_resolved([*found, *_of_tox(tox_ini)], own, extras)))


def for_tests(pyproject: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the names of the groups, and of the extras, that are for the tests alone."""
    places = (("dependency-groups",), ("project", "optional-dependencies"))
    groups, extras = ([name for name in _table(pyproject, *keys) if name.lower() in _FOR_TESTS] for keys in places)
    return groups, extras


def _own(pyproject: Mapping[str, Any], setup_cfg: str) -> Iterator[str]:
    """Yield what the project itself needs."""
    yield from _texts(_table(pyproject, "project").get("dependencies"))
    yield from _of_poetry(_table(pyproject, "tool", "poetry", "dependencies"))
    yield from _lines(_ini(setup_cfg, "options").get("install_requires", ""))


def _groups(pyproject: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the groups of requirements for those who work on the project."""
    declared = _table(pyproject, "dependency-groups")
    for name in declared:
        yield name, list(_of_group(declared, name))
    pdm = _table(pyproject, "tool", "pdm", "dev-dependencies")
    yield from ((name, list(_texts(found))) for name, found in pdm.items())
    if uv := list(_texts(_table(pyproject, "tool", "uv").get("dev-dependencies"))):
        yield "dev", uv
    poetry = _table(pyproject, "tool", "poetry")
    yield from (
        (name, list(_of_poetry(_table(poetry, "group", name, "dependencies")))) for name in _table(poetry, "group")
    )
    if old := list(_of_poetry(_table(poetry, "dev-dependencies"))):
        yield "dev", old
    for name in ("hatch-test", "test", "default"):
        of_hatch = _table(pyproject, "tool", "hatch", "envs", name)
        both = [one for key in ("dependencies", "extra-dependencies") for one in _texts(of_hatch.get(key))]
        if both:
            yield "test", [one for one in both if "{" not in one]


def _extras(pyproject: Mapping[str, Any], setup_cfg: str) -> Iterator[tuple[str, list[str]]]:
    yield from _lists(_table(pyproject, "project", "optional-dependencies")).items()
    for name, text in _ini(setup_cfg, "options.extras_require").items():
        yield name, list(_lines(text))


def _chosen(groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the requirements of the groups for tests; where there are none, of those for all work on the project."""
    for words in (_FOR_TESTS, _FOR_WORK):
        named = [found for name, found in groups.items() if name.lower() in words]
        if named:
            yield from (one for found in named for one in found)
            return


def _of_group(declared: Mapping[str, Any], name: str, depth: int = 0) -> Iterator[str]:
    found = declared.get(name)
    for one in found if isinstance(found, list) and depth < _DEEPEST else ():
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict) and isinstance(included := one.get("include-group"), str):
            yield from _of_group(declared, included, depth + 1)


def _resolved(found: Iterable[str], own: str, extras: Mapping[str, Sequence[str]], depth: int = 0) -> Iterator[str]:
    """Yield requirements, those that name extras of the project itself as what the extras are."""
    for one in found:
        named = _REQUIREMENT.match(one)
        if named is None:
            continue
        if not own or plain_name(named[1]) != own:
            yield one.strip()
        elif depth < _DEEPEST:
            wanted = [name.strip() for name in (named[2] or "").split(",")]
            yield from _resolved((each for name in wanted for each in extras.get(name, ())), own, extras, depth + 1)


def _of_poetry(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield requirements for Poetry's own way to write them (python-poetry.org, "Dependency specification")."""
    for name, said in table.items():
        about = {"version": said} if isinstance(said, str) else said
        if name.lower() == "python" or not isinstance(about, dict) or about.get("optional") or "path" in about:
            continue
        version = about.get("version", "*")
        if not isinstance(version, str) or "||" in version or "git" in about or "url" in about:
            version = "*"
        extras = ",".join(_texts(about.get("extras")))
        marker = f"; {about['markers']}" if isinstance(about.get("markers"), str) else ""
        yield f"{name}{f'[{extras}]' if extras else ''}{_bounds(version)}{marker}"


def _bounds(version: str) -> str:
    """Return a version of Poetry as specifiers of PEP 440: `^1.2` is `>=1.2,<2`, `~1.2` is `>=1.2,<1.3`."""
    parts = [part.strip() for part in version.split(",")]
    return ",".join(filter(None, (_bound(part) for part in parts)))


def _bound(part: str) -> str:
    if part in {"", "*"}:
        return ""
    for form, is_caret in ((_CARET, True), (_TILDE, False)):
        if found := form.fullmatch(part):
            numbers = [int(number) for number in found[1].split(".")]
            at = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
            at = at if is_caret else min(1, len(numbers) - 1)
            above = ".".join(map(str, [*numbers[:at], numbers[at] + 1]))
            return f">={found[1]},<{above}"
    if part[0].isdigit():
        return f"=={part}"
    return part


def _of_tox(text: str) -> Iterator[str]:
    """Yield the plain requirements of tox's `testenv`; those under a condition, files and options are left out."""
    deps = _ini(text, "testenv").get("deps", "")
    for _ in range(_DEEPEST):
        deps = _TOX_NAMED.sub(lambda named: _ini(text, named[1]).get(named[2], ""), deps)
    for line in _lines(deps):
        if not _TOX_FACTOR.match(line) and line[0].isalnum() and "{" not in line and "/" not in line:
            yield line


def _setup_call(text: str) -> Mapping[str, Any]:
    """Return the arguments of `setup(...)` in a setup.py that are written out, there or in a name at the top."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {}
    named = {
        target.id: one.value
        for one in tree.body
        if isinstance(one, ast.Assign)
        for target in one.targets
        if isinstance(target, ast.Name)
    }
    found: dict[str, Any] = {}
    for one in tree.body:
        call = one.value if isinstance(one, ast.Expr) else None
        if isinstance(call, ast.Call) and ast.unparse(call.func).rpartition(".")[2] == "setup":
            for word in call.keywords:
                value = named.get(word.value.id, word.value) if isinstance(word.value, ast.Name) else word.value
                with contextlib.suppress(ValueError, TypeError, RecursionError, MemoryError):
                    found[word.arg or ""] = ast.literal_eval(value)
    return found


def _lists(found: object) -> dict[str, list[str]]:
    return {str(name): list(_texts(one)) for name, one in found.items()} if isinstance(found, dict) else {}


def _ini(text: str, section: str) -> Mapping[str, str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return dict(parser.items(section)) if parser.has_section(section) else {}


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if (said := line.partition(" #")[0].strip()) and not said.startswith("#"):
            yield said


def _table(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    found: Any = table
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _texts(found: object) -> Iterator[str]:
    yield from (one for one in found if isinstance(one, str)) if isinstance(found, list) else ()


def plain_name(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
