"""Reads what a project declares that it depends on, from its manifests. Pure; must never run a build tool."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree

Ecosystem = Literal["python", "node", "go", "rust", "java"]

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_GO_REQUIRE = re.compile(r"^\s*(?:require\s+)?([\w.-]+\.[\w./~-]+)\s+v\d", re.MULTILINE)
_GRADLE = re.compile(r"""["']([\w.-]+):[\w.-]+(?::[^"']*)?["']""")


class Declared(NamedTuple):
    """The dependencies of one folder and those below it. `own` are names under which its own code is imported."""

    ecosystem: Ecosystem
    folder: str
    """"" for the top, else it ends with a slash."""
    names: frozenset[str]
    own: frozenset[str] = frozenset()
    is_whole: bool = True
    """False when a part of the manifest is computed, so that a name may be declared and not be seen."""


def manifest_of(path: str) -> Ecosystem | None:
    """Return the ecosystem that a file is a manifest of, None when it is none."""
    name = path.rpartition("/")[2]
    if name in _READERS:
        return _READERS[name][0]
    return (
        "python" if re.fullmatch(r"requirements[\w.-]*\.(?:txt|in)", name) or "/requirements/" in f"/{path}" else None
    )


def read_manifest(path: str, text: str) -> Declared | None:
    """Return what a manifest declares, None when it cannot be read."""
    folder, _, name = path.rpartition("/")
    ecosystem = manifest_of(path)
    if ecosystem is None:
        return None
    reader = _READERS.get(name, ("python", _requirements))[1]
    try:
        names, own, whole = reader(text)
    except (ValueError, KeyError, TypeError, AttributeError, configparser.Error, ElementTree.ParseError):
        return None
    top = folder.removesuffix("requirements").rstrip("/")
    return Declared(ecosystem, f"{top}/" if top else "", frozenset(names), frozenset(own), whole)


_Read = tuple[Iterable[str], Iterable[str], bool]


def _plain(requirement: object) -> str:
    found = _NAME.match(str(requirement))
    return re.sub(r"[-_.]+", "-", found[1]).lower() if found else ""


def _pyproject(text: str) -> _Read:
    told = tomllib.loads(text)
    project = told.get("project", {})
    extras = project.get("optional-dependencies", {})
    groups = told.get("dependency-groups", {})
    tool = told.get("tool", {})
    poetry = tool.get("poetry", {})
    listed: list[object] = [*project.get("dependencies", [])]
    for group in (*extras.values(), *groups.values(), *tool.get("pdm", {}).get("dev-dependencies", {}).values()):
        listed += [one for one in group if isinstance(one, str)]
    listed += [*poetry.get("dependencies", {}), *poetry.get("dev-dependencies", {})]
    for group in poetry.get("group", {}).values():
        listed += [*group.get("dependencies", {})]
    listed += told.get("build-system", {}).get("requires", [])
    own = [project.get("name", ""), poetry.get("name", "")]
    whole = "dependencies" not in project.get("dynamic", [])
    return map(_plain, listed), [_plain(one).replace("-", "_") for one in own if one], whole


def _requirements(text: str) -> _Read:
    lines = [line.strip() for line in text.splitlines()]
    return [_plain(line) for line in lines if line and not line.startswith(("#", "-"))], (), True


def _setup_cfg(text: str) -> _Read:
    told = configparser.ConfigParser(interpolation=None)
    told.read_string(text)
    listed = told.get("options", "install_requires", fallback="").splitlines()
    if told.has_section("options.extras_require"):
        listed += [line for _, value in told.items("options.extras_require") for line in value.splitlines()]
    return map(_plain, listed), (), True


def _setup_py(text: str) -> _Read:
    return (
        (
            _plain(one)
            for one in re.findall(r"""["']([A-Za-z][\w.-]*)(?:\[[\w,]+\])?\s*(?:[<>=!~;][^"']*)?["']""", text)
        ),
        (),
        False,
    )


def _pipfile(text: str) -> _Read:
    told = tomllib.loads(text)
    return [_plain(one) for key in ("packages", "dev-packages") for one in told.get(key, {})], (), True


def _package_json(text: str) -> _Read:
    told = json.loads(text)
    keys = ("dependencies", "devDependencies", "peerDependencies", "optionalDependencies")
    names = [name for key in keys for name in told.get(key, {})]
    return names, [str(told.get("name", ""))], True


def _go_mod(text: str) -> _Read:
    module = re.search(r"^\s*module\s+(\S+)", text, re.MULTILINE)
    return _GO_REQUIRE.findall(text), [module[1]] if module else [], True


def _cargo(text: str) -> _Read:
    told = tomllib.loads(text)
    tables: list[Mapping[str, Any]] = [told, told.get("workspace", {}), *told.get("target", {}).values()]
    keys = ("dependencies", "dev-dependencies", "build-dependencies")
    names = [name.replace("-", "_") for table in tables for key in keys for name in table.get(key, {})]
    own = told.get("package", {}).get("name", ""), told.get("lib", {}).get("name", "")
    return names, [one.replace("-", "_") for one in own if one], True


def _pom(text: str) -> _Read:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document with a DTD is not read")
    root = ElementTree.fromstring(text)  # noqa: S314  without a DTD there is no entity to expand
    groups = [one.text or "" for one in root.iter() if one.tag.rpartition("}")[2] == "groupId"]
    return [group.strip() for group in groups], (), False


def _gradle(text: str) -> _Read:
    return _GRADLE.findall(text), (), False


_READERS: dict[str, tuple[Ecosystem, Callable[[str], _Read]]] = {
    "pyproject.toml": ("python", _pyproject),
    "setup.cfg": ("python", _setup_cfg),
    "setup.py": ("python", _setup_py),
    "Pipfile": ("python", _pipfile),
    "package.json": ("node", _package_json),
    "go.mod": ("go", _go_mod),
    "Cargo.toml": ("rust", _cargo),
    "pom.xml": ("java", _pom),
    "build.gradle": ("java", _gradle),
    "build.gradle.kts": ("java", _gradle),
}
