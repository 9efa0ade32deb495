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
_REQUIREMENTS = re.compile(r"requirements[\w.-]*\.(?:txt|in)")
_SETTINGS = re.compile(
    r"(?:ts|js)config[\w.-]*\.json|\.babelrc(?:\.json)?|"
    r"(?:vite|vitest|webpack|rollup|jest|babel|metro|nuxt|next|astro)\.config\.[cm]?[jt]s"
)
"""Files that give names to folders of a JavaScript project."""
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
    is_list: bool = True
    """False for settings, which name only the project's own code."""


def manifest_of(path: str) -> Ecosystem | None:
    """Return the ecosystem that a file is a manifest of, None when it is none."""
    name = path.rpartition("/")[2]
    if name in _READERS:
        return _READERS[name][0]
    if name.endswith((".py", ".pyi")):
        return None
    if _SETTINGS.fullmatch(name):
        return "node"
    return "python" if _REQUIREMENTS.fullmatch(name) or "/requirements/" in f"/{path}" else None


def read_manifest(path: str, text: str) -> Declared | None:
    """Return what a manifest declares, None when it cannot be read or declares nothing."""
    folder, _, name = path.rpartition("/")
    ecosystem = manifest_of(path)
    if ecosystem is None:
        return None
    is_list = not _SETTINGS.fullmatch(name)
    reader = _READERS.get(name, ("python", _requirements))[1] if is_list else _aliases
    try:
        names, own, whole = reader(text)
    except (ValueError, KeyError, TypeError, AttributeError, configparser.Error, ElementTree.ParseError):
        return None
    top = folder.removesuffix("requirements").rstrip("/")
    return Declared(ecosystem, f"{top}/" if top else "", frozenset(names), frozenset(own), whole, is_list)


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
    listed += [one for env in tool.get("hatch", {}).get("envs", {}).values() for one in env.get("dependencies", [])]
    listed += tool.get("uv", {}).get("dev-dependencies", [])
    if not (project or poetry or groups):
        raise ValueError("it holds only settings of tools")
    whole = not {"dependencies", "optional-dependencies"} & {*project.get("dynamic", [])}
    return map(_plain, listed), [_plain(one).replace("-", "_") for one in own if one], whole


def _requirements(text: str) -> _Read:
    lines = [line.strip() for line in text.splitlines()]
    named = [line.rpartition("egg=")[2] for line in lines if "egg=" in line]
    unnamed = any(line.startswith(("-e", "--editable", ".", "/")) or re.match(r"[a-z+]+:", line) for line in lines)
    whole = not unnamed or len(named) == len(lines)
    return [_plain(line) for line in (*lines, *named) if line and not line.startswith(("#", "-"))], (), whole


def _setup_cfg(text: str) -> _Read:
    told = configparser.ConfigParser(interpolation=None)
    told.read_string(text)
    listed = told.get("options", "install_requires", fallback="").splitlines()
    if told.has_section("options.extras_require"):
        listed += [line for _, value in told.items("options.extras_require") for line in value.splitlines()]
    if not told.has_section("options"):
        raise ValueError("it holds only settings of tools")
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
    own = [str(told.get("name", "")), *told.get("engines", {}), *_aliases(json.dumps(told.get("jest", {})))[1]]
    return names, own, True


def _aliases(text: str) -> _Read:
    """Read the names under which a bundler or compiler finds the project's own code: the keys of its settings."""
    return (), [name.rstrip("/*^$") for name in re.findall(r"""["']?([@\w^][\w@./*$-]*)["']?\s*:""", text)], True


def _not_read(_text: str) -> _Read:
    return (), (), False


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
    "tox.ini": ("python", _not_read),
    "noxfile.py": ("python", _not_read),
    "environment.yml": ("python", _not_read),
    "environment.yaml": ("python", _not_read),
    "package.json": ("node", _package_json),
    "go.mod": ("go", _go_mod),
    "Cargo.toml": ("rust", _cargo),
    "pom.xml": ("java", _pom),
    "build.gradle": ("java", _gradle),
    "build.gradle.kts": ("java", _gradle),
}
