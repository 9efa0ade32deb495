"""Reads what the tests of a Python project need to be installed, from wherever the project says it. Pure.

The tables are those of PEP 621 (`project`), PEP 735 (`dependency-groups`), PDM, Poetry, Hatch and uv in pyproject.toml,
`options` of setuptools in setup.cfg, its call in setup.py as far as it is written out, and `testenv` of tox in tox.ini.
Of groups and extras only those for tests count. All of it may be written by an agent: the work is linear in the texts.
"""

from __future__ import annotations

import ast
import configparser
import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement

_FOR_TESTS = ("test", "tests", "testing")
_FOR_WORK = ("dev", "develop", "development")
_OPERATOR = re.compile(r"(?:==|>=|<=|!=|~=|<|>)\s*[\w.*+!-]+")
_CARET = re.compile(r"\^\s*v?(\d{1,9}(?:\.\d{1,9}){0,5})(?!\d)\S*")
_TILDE = re.compile(r"~(?!=)\s*v?(\d{1,9}(?:\.\d{1,9}){0,5})(?!\d)\S*")
_TOX_FACTOR = re.compile(r"[\w.,!{}-]+:\s")
_TOX_NAMED = re.compile(r"\{\[([\w:.-]+)\]([\w.-]+)\}")
"""Stands for a value of another section."""
_ELSEWHERE = ("git", "url", "path", "file", "source", "develop")
"""Keys of a requirement of Poetry that does not come from an index under its name."""
_PLATFORMS = re.compile(r"[\w.-]{1,20}")


class PythonNeeds(NamedTuple):
    """What a project and its tests need."""

    requirements: tuple[str, ...]
    """PEP 508, without those that name the project itself, or come from elsewhere."""
    names: frozenset[str]
    """Plain names of those that are needed on any machine."""
    elsewhere: frozenset[str] = frozenset()
    """Plain names of what does not come from an index under its name: an index may have another package of that name."""
    is_whole: bool = True
    """Whether all that the project itself needs is written out."""


def needs_of(pyproject: Mapping[str, Any], setup_cfg: str = "", setup_py: str = "", tox_ini: str = "") -> PythonNeeds:
    """Return what a project and its tests need by these files; "" for one that is not there."""
    call, cfg = _setup_call(setup_py), sections_of(setup_cfg)
    options = cfg.get("options", {})
    poetry = _table(pyproject, "tool", "poetry")
    names = (_table(pyproject, "project").get("name"), poetry.get("name"), cfg.get("metadata", {}).get("name"))
    own = {plain_name(name) for name in (*names, call.get("name")) if isinstance(name, str)}
    extras = _merged(_extras(pyproject, cfg, call))
    found = [
        *_texts(_table(pyproject, "project").get("dependencies")),
        *_of_poetry(_table(poetry, "dependencies")),
        *_lines(options.get("install_requires", "")),
        *_texts(call.get("install_requires")),
        *_texts(call.get("tests_require")),
        *_chosen(_merged(_groups(pyproject))),
        *_chosen(extras),
        *_of_tox(tox_ini),
    ]
    parsed = list(_parsed(found, own, extras))
    elsewhere = {*_named_elsewhere(pyproject), *(plain_name(one.name) for one in parsed if one.url)}
    kept = [one for one in parsed if plain_name(one.name) not in elsewhere]
    always = frozenset(plain_name(one.name) for one in kept if one.marker is None)
    dynamic = _table(pyproject, "project").get("dynamic")
    is_open = isinstance(dynamic, list) and "dependencies" in dynamic and not (call or options)
    return PythonNeeds(
        tuple(dict.fromkeys(map(str, kept))),
        always,
        frozenset(elsewhere),
        not (is_open or _UNREAD in call.values() or options.get("install_requires", "").startswith("file:")),
    )


def for_uv(pyproject: Mapping[str, Any]) -> tuple[list[str], list[str], frozenset[str]]:
    """Return the groups and the extras that uv has to be told to install for the tests, and what it installs then.

    Of that the plain names of what is asked for by name, on any machine. The groups of `default-groups` it takes by
    itself (docs.astral.sh/uv, "Default groups").
    """
    project, declared = _table(pyproject, "project"), _table(pyproject, "dependency-groups")
    uv = _table(pyproject, "tool", "uv")
    taken = uv.get("default-groups", ["dev"])
    default = list(declared) if taken == "all" else _texts(taken)
    extras = {name: _texts(found) for name, found in _table(project, "optional-dependencies").items()}
    groups = [name for name in _names(declared) if name not in default]
    chosen = _names(extras)
    found = [
        *_texts(project.get("dependencies")),
        *(_texts(uv.get("dev-dependencies")) if "dev" in (*default, *groups) else ()),
        *(one for name in (*default, *groups) for one in _of_group(declared, name, set())),
        *(one for name in chosen for one in extras[name]),
    ]
    own = {plain_name(name)} if isinstance(name := project.get("name"), str) else set[str]()
    parsed = _parsed(found, own, extras)
    return groups, chosen, frozenset(plain_name(one.name) for one in parsed if one.marker is None)


def files_of(pyproject: Mapping[str, Any]) -> list[str]:
    """Return the requirements files that setuptools takes the project's own dependencies from."""
    found = _table(pyproject, "tool", "setuptools", "dynamic", "dependencies").get("file")
    return [found] if isinstance(found, str) else list(_texts(found))


def _groups(pyproject: Mapping[str, Any]) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield the groups of requirements for those who work on the project, some of them in several parts."""
    declared = _table(pyproject, "dependency-groups")
    for name in declared:
        yield name, _of_group(declared, name, set())
    pdm = _table(pyproject, "tool", "pdm", "dev-dependencies")
    yield from ((name, _texts(found)) for name, found in pdm.items())
    yield "dev", _texts(_table(pyproject, "tool", "uv").get("dev-dependencies"))
    poetry = _table(pyproject, "tool", "poetry")
    for name in _table(poetry, "group"):
        yield name, _of_poetry(_table(poetry, "group", name, "dependencies"))
    yield "dev", _of_poetry(_table(poetry, "dev-dependencies"))
    for name in ("hatch-test", "test"):
        of_hatch = _table(pyproject, "tool", "hatch", "envs", name)
        for key in ("dependencies", "extra-dependencies"):
            yield "test", (one for one in _texts(of_hatch.get(key)) if "{" not in one)


def _extras(
    pyproject: Mapping[str, Any], cfg: Mapping[str, Mapping[str, str]], call: Mapping[str, Any]
) -> Iterator[tuple[str, Iterable[str]]]:
    written = call.get("extras_require")
    for table in (_table(pyproject, "project", "optional-dependencies"), written if isinstance(written, dict) else {}):
        yield from ((str(name), _texts(found)) for name, found in table.items())
    yield from ((name, _lines(text)) for name, text in cfg.get("options.extras_require", {}).items())


def _merged(parts: Iterable[tuple[str, Iterable[str]]]) -> dict[str, list[str]]:
    whole: dict[str, list[str]] = {}
    for name, found in parts:
        whole.setdefault(name, []).extend(found)
    return whole


def _chosen(groups: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Yield the requirements of the groups for tests; where there are none, of those for all work on the project."""
    yield from (one for name in _names(groups) for one in groups[name])


def _names(groups: Mapping[str, Any]) -> list[str]:
    """Return the names of the groups for tests that have anything; where there are none, of those for all work."""
    for words in (_FOR_TESTS, _FOR_WORK):
        if named := [name for name, found in groups.items() if name.lower() in words and found]:
            return named
    return []


def _of_group(declared: Mapping[str, Any], name: str, seen: set[str]) -> Iterator[str]:
    """Yield a group and those that it includes, each once."""
    found = declared.get(name)
    if name in seen or not isinstance(found, list):
        return
    seen.add(name)
    for one in found:
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict) and isinstance(included := one.get("include-group"), str):
            yield from _of_group(declared, included, seen)


def _parsed(found: Iterable[str], own: set[str], extras: Mapping[str, Sequence[str]]) -> Iterator[Requirement]:
    """Yield what can be read; what names extras of the project itself, as what the extras are, each once."""
    waiting, seen = list(reversed(list(found))), set[str]()
    while waiting:
        text = waiting.pop()
        try:
            one = Requirement(text) if text.isprintable() else None
        except (InvalidRequirement, RecursionError):
            one = None
        if one is None:
            continue
        if plain_name(one.name) not in own:
            yield one
            continue
        for name in sorted(one.extras - seen):
            seen.add(name)
            waiting += reversed(extras.get(name, ()))


def _named_elsewhere(pyproject: Mapping[str, Any]) -> Iterator[str]:
    """Yield what uv and Poetry take from elsewhere, by plain names."""
    yield from map(plain_name, _table(pyproject, "tool", "uv", "sources"))
    poetry = _table(pyproject, "tool", "poetry")
    tables = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables += [_table(poetry, "group", name, "dependencies") for name in _table(poetry, "group")]
    for table in tables:
        for name, said in table.items():
            if isinstance(said, dict) and any(key in said for key in _ELSEWHERE):
                yield plain_name(name)


def _of_poetry(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield requirements for Poetry's own way to write them (python-poetry.org, "Dependency specification")."""
    for name, said in table.items():
        about = {"version": said} if isinstance(said, str) else {} if isinstance(said, list) else said
        if name.lower() == "python" or not isinstance(about, dict) or about.get("optional"):
            continue
        version = about.get("version", "*")
        extras = ",".join(_texts(about.get("extras")))
        markers = " and ".join(_markers(about))
        yield (
            f"{name}{f'[{extras}]' if extras else ''}{_bounds(version if isinstance(version, str) else '*')}"
            f"{f' ; {markers}' if markers else ''}"
        )


def _markers(about: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(said := about.get("markers"), str):
        yield f"({said})"
    if isinstance(said := about.get("python"), str):
        yield from (re.sub(r"^(\W+)\s*(.*)$", r"python_full_version \1 '\2'", one) for one in _each(said))
    if isinstance(said := about.get("platform"), str) and _PLATFORMS.fullmatch(said):
        yield f"sys_platform == '{said}'"


def _bounds(version: str) -> str:
    """Return a version of Poetry as specifiers of PEP 440: `^1.2` is `>=1.2,<2`, `~1.2` is `>=1.2,<1.3`."""
    return ",".join(_each(version))


def _each(version: str) -> list[str]:
    """Return the specifiers of a version; none where there are alternatives."""
    if "|" in version:
        return []
    joined = re.sub(r"([<>=!~^])\s+", r"\1", version)
    return [one for part in re.split(r"[,\s]+", joined.strip()) for one in _bound(part)]


def _bound(part: str) -> list[str]:
    for form, is_caret in ((_CARET, True), (_TILDE, False)):
        if found := form.fullmatch(part):
            numbers = [int(number) for number in found[1].split(".")]
            at = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
            at = at if is_caret else min(1, len(numbers) - 1)
            above = ".".join(map(str, [*numbers[:at], numbers[at] + 1]))
            return [f">={found[1]}", f"<{above}"]
    bare = part.lstrip("=").removeprefix("v")
    if bare[:1].isdigit():
        return [f"=={bare}"]
    return [part] if _OPERATOR.fullmatch(part) else []


def _of_tox(text: str) -> Iterator[str]:
    """Yield the plain requirements of tox's `testenv`; those under a condition, files and options are left out."""
    sections = sections_of(text)
    waiting, seen = [sections.get("testenv", {}).get("deps", "")], set[tuple[str, str]]()
    while waiting:
        for line in _lines(waiting.pop()):
            if (named := _TOX_NAMED.fullmatch(line)) and (place := (named[1], named[2])) not in seen:
                seen.add(place)
                waiting.append(sections.get(named[1], {}).get(named[2], ""))
            elif not _TOX_FACTOR.match(line) and line[0].isalnum() and "{" not in line and "/" not in line:
                yield line


_UNREAD = object()
"""Stands for an argument that is not written out."""


def _setup_call(text: str) -> Mapping[str, Any]:
    """Return the arguments of `setup(...)` in a setup.py, each as it is written out there or in a name at the top."""
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
        if not isinstance(call, ast.Call) or _last(call.func) != "setup":
            continue
        for word in call.keywords:
            value = named.get(word.value.id, word.value) if isinstance(word.value, ast.Name) else word.value
            if word.arg == "install_requires":
                found[word.arg] = _UNREAD
            with contextlib.suppress(ValueError, TypeError, RecursionError, MemoryError):
                found[word.arg or ""] = ast.literal_eval(value)
    return found


def _last(called: ast.expr) -> str:
    """Return the last name of what is called, "" for anything else."""
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def sections_of(text: str) -> dict[str, dict[str, str]]:
    """Return the sections of an INI file; none of one that cannot be read."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if (said := line.partition(" #")[0].strip()) and not said.startswith("#"):
            yield said


def _table(table: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    found: Any = table
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _texts(found: object) -> list[str]:
    """Return the texts of a list, or the lines of a text; none of anything else."""
    if isinstance(found, str):
        return list(_lines(found))
    return [one for one in found if isinstance(one, str)] if isinstance(found, list | tuple) else []


def plain_name(name: str) -> str:
    """Return a package's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
