"""Judges what a patch changes beyond its own code: hidden repositories, links, manifests that run or fetch something.

Paths that reach further by their name alone are protected (`core.protected`) and judged by `scope`; here is what only
the content tells. Must never run or resolve anything.
"""

from __future__ import annotations

import ast
import json
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from buildwright.core.finding import Finding, Severity
from buildwright.core.paths import fold_path, is_git_part, is_protected
from buildwright.core.protected import leads_to_reach
from buildwright.gates.changed import checkout
from buildwright.gates.compared import Compared, compared, is_open, names_in, opening
from buildwright.gates.python_tests import dotted
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.surface import is_requirements
from buildwright.ports import Judged, Judgement

_LINK = "120000"
_LIFECYCLE = frozenset(
    (
        *("preinstall", "install", "postinstall", "preuninstall", "uninstall", "postuninstall", "dependencies"),
        *("prepublish", "prepublishOnly", "publish", "postpublish", "preprepare", "prepare", "postprepare"),
        *("prepack", "postpack", "preversion", "version", "postversion", "preshrinkwrap", "shrinkwrap"),
    )
)
"""Scripts that package managers run by themselves (docs.npmjs.com, "scripts", "Life Cycle Scripts")."""
_COMMANDS = frozenset(("test", "start", "stop", "restart", "build", "lint", "typecheck"))
TOOLS = frozenset(
    (
        *("node", "npm", "npx", "pnpm", "yarn", "bun", "deno", "corepack", "tsc", "tsx", "ts-node", "eslint", "biome"),
        *("jest", "vitest", "mocha", "ava", "tap", "c8", "nyc", "playwright", "cypress", "karma", "oxlint", "prettier"),
        *("python", "python3", "pip", "pip3", "pytest", "py.test", "unittest", "nose2", "tox", "nox", "uv", "poetry"),
        *("ruff", "mypy", "pyright", "flake8", "pylint", "coverage", "bandit", "go", "gofmt", "golangci-lint", "cargo"),
        *("rustc", "java", "javac", "mvn", "gradle", "make", "just", "git", "sh", "bash", "dash", "env", "cat", "cp"),
        *("mv", "rm", "ls", "grep", "sed", "true", "false", "test"),
    )
)
"""Programs that checks call by name."""
_DEPENDENCIES = (
    *(
        "dependencies",
        "devDependencies",
        "optionalDependencies",
        "peerDependencies",
        "overrides",
        "resolutions",
        "pnpm",
    ),
)
_FOREIGN = re.compile(
    r"^(?:git\b|git[+@:]|github:|gitlab:|bitbucket:|gist:|https?:|ssh:|file:|link:|portal:|patch:|exec:|npm:|[./]|~/|[\w.-]+/[\w.-]+(?:#|$))"
)
"""What a dependency is in package.json when it does not come from the registry under its own name."""
_LOCKS = re.compile(
    r"(?:^|/)(?:package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lock|poetry\.lock|uv\.lock|"
    r"pdm\.lock|pipfile\.lock|cargo\.lock|gemfile\.lock|composer\.lock)$",
    re.IGNORECASE,
)
_SOURCES = re.compile(
    r"(?:resolved|tarball|url|registry|source|git|remote|editable|path)\"?\s*[:=]?\s*[\"']?\s*"
    r"((?:registry\+|git\+|sparse\+)?[a-z]+:(?://)?[^/\s\"'}]+)"
)
_ODD_REQUIREMENT = re.compile(
    r"^\s*(?:-e\b|--editable|-i\b|--index-url|--extra-index-url|-f\b|--find-links|--trusted-host|--no-index|"
    r"(?:git|hg|svn|bzr)\+|https?:|file:|\.{0,2}/)|@\s*(?:git\+|https?:|file:)"
)
_ELSEWHERE = re.compile(r"@\s*(?:git\+|https?:|file:)")
"""Stands in a requirement that names an address."""
_REQUIRES = re.compile(
    r"^(?:project\.(?:optional-)?dependencies|dependency-groups|build-system\.requires|tool\.uv\.dev-dependencies"
    r"|tool\.pdm\.dev-dependencies|tool\.hatch\.envs\.[\w-]+\.(?:extra-)?dependencies)"
)
"""Places in pyproject.toml that hold requirements."""
_DRIVER = re.compile(
    r"\b(?:filter|diff|merge|working-tree-encoding)=\S+|\bexport-(?:ignore|subst)\b|\s-(?:diff|text)\b"
)
_BUILD_SCRIPTS = frozenset(("build.rs", "binding.gyp", "hatch_build.py", "pdm_build.py", "setup.py"))
_DEPLOY = re.compile(
    r"(?:^|/)(?:dockerfile[\w.-]*|containerfile[\w.-]*|(?:docker-)?compose[\w.-]*\.ya?ml|procfile|fly\.toml|"
    r"vercel\.json|netlify\.toml)$",
    re.IGNORECASE,
)


class ReachGate:
    """Refuses what would run, fetch or be read somewhere else than the code that the task is about."""

    name = "reach"
    needs_files = True
    refuses = "hidden repositories, scripts that run by themselves, packages from other places, links over settings"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        findings = [*_repositories(judged), *_links(judged)]
        for file in await compared(judged):
            if file.after is not None:
                findings += _content(judged, file)
        kept = [one for one in findings if one.file is None or not is_open(judged, one.file, named=False)]
        return [judgement(self.name, "scope", kept)]


def _error(code: str, message: str, path: str, fix: str, severity: Severity = "error") -> Finding:
    return finding(code, message, path, severity=severity, fix=fix + opening(path))


def _repositories(judged: Judged) -> Iterator[Finding]:
    """Yield a finding for each folder that git would take for a repository (git's setup.c, is_git_directory)."""
    root = checkout(judged)
    folders = {""}
    for change in judged.patch.changes if judged.patch else ():
        if change.kind != "deleted":
            *parts, _ = change.path.split("/")
            folders |= {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
    for folder in sorted(folders):
        if _is_repository(root / folder):
            message = f"git takes {folder or 'the top'} for a repository of its own, with settings that run programs."
            yield _error("reach.repository", message, folder or "HEAD", "remove it, or keep it as an archive")


def _is_repository(folder: Path) -> bool:
    try:
        names = {fold_path(entry.name) for entry in folder.iterdir()}
    except OSError:
        return False
    parts = names & {"objects", "refs", "packed-refs", "commondir", "gitdir"}
    return any(is_git_part(name) and name != ".git" for name in names) or ("head" in names and bool(parts))


def _links(judged: Judged) -> Iterator[Finding]:
    root = checkout(judged)
    for change in judged.patch.changes if judged.patch else ():
        if change.mode != _LINK:
            continue
        try:
            target = str((root / change.path).readlink())
        except OSError:
            continue
        arrives = posixpath.normpath(posixpath.join(posixpath.dirname(change.path), target))
        into_git = any(is_git_part(part) for part in arrives.split("/"))
        if into_git or leads_to_reach(fold_path(change.path)) or is_protected(arrives, judged.options.protected):
            message = f"The link {change.path} stands for {target}, which a person must open."
            yield _error("reach.link", message, change.path, "use a plain file")


def _content(judged: Judged, file: Compared) -> Iterator[Finding]:
    name = file.path.rpartition("/")[2].lower()
    if name == "package.json":
        yield from _package(judged, file)
    elif name == "pyproject.toml":
        yield from _pyproject(judged, file)
    elif name == ".gitattributes":
        yield from _fresh_lines(file, _DRIVER, "reach.attributes", "gives git a driver, or hides files from it")
    elif name in _BUILD_SCRIPTS:
        yield from _build_script(file)
    if name in {"setup.py", "setup.cfg", "tox.ini"}:
        yield from _fresh_lines(file, _ELSEWHERE, "reach.source", "takes a package from another place")
    if is_requirements(file.path):
        yield from _fresh_lines(file, _ODD_REQUIREMENT, "reach.source", "takes a package from another place")
    if _LOCKS.search(file.path):
        yield from _lock(file)
    if _DEPLOY.search(file.path):
        message = f"{file.path} decides how the project is run elsewhere."
        yield finding("reach.deploy", message, file.path, severity="note")


def _fresh_lines(file: Compared, pattern: re.Pattern[str], code: str, does: str) -> Iterator[Finding]:
    old = {line.strip() for line in (file.before or "").splitlines()}
    for number, line in enumerate((file.after or "").splitlines(), 1):
        plain = line.strip()
        if plain and not plain.startswith("#") and plain not in old and pattern.search(line):
            message = f"{file.path} {does}: {plain}"
            yield finding(code, message, file.path, number, fix="leave this line out" + opening(file.path))


def _table(text: str | None, path: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}") if path.lower().endswith(".json") else tomllib.loads(text or "")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _package(judged: Judged, file: Compared) -> Iterator[Finding]:
    path = file.path
    old, new = _table(file.before, path), _table(file.after, path)
    before, after = _mapping(old.get("scripts")), _mapping(new.get("scripts"))
    words = names_in(judged.task) - {"install", "version", "publish", "dependencies"}
    for name, body in after.items():
        if body != before.get(name) and name.lower() not in words and _runs_by_itself(name, after):
            message = f"The script {name} of {path} runs by itself beside others: {body}"
            fix = f"leave {name} out, or give it a name that only runs when it is called"
            yield _error("reach.lifecycle", message, path, fix)
    bins = new.get("bin")
    programs = list(bins) if isinstance(bins, dict) else [str(new.get("name"))] if isinstance(bins, str) else []
    for program in programs if old.get("bin") != bins else ():
        if program in TOOLS:
            yield _error("reach.bin", f"{path} installs a program under the name {program}.", path, "name it otherwise")
    for kind in _DEPENDENCIES:
        known = dict(_leaves(old.get(kind)))
        for name, version in _leaves(new.get(kind)):
            if known.get(name) != version and _FOREIGN.match(version):
                message = f"{path} takes {name} from another place than the registry: {version}"
                yield _error("reach.source", message, path, f"ask for a published version of {name}")


def _runs_by_itself(name: str, scripts: Mapping[str, Any]) -> bool:
    if name in _LIFECYCLE:
        return True
    called = name.removeprefix("pre") if name.startswith("pre") else name.removeprefix("post")
    return called != name and called in {*scripts, *_COMMANDS}


def _leaves(value: Any, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield the texts in nested tables, each with its path."""
    for name, inner in _mapping(value).items():
        if isinstance(inner, str):
            yield f"{above}{name}", inner
        elif isinstance(inner, dict):
            yield from _leaves(inner, f"{above}{name}.")


def _pyproject(judged: Judged, file: Compared) -> Iterator[Finding]:
    path = file.path
    old, new = _table(file.before, path), _table(file.after, path)
    build, was = _mapping(new.get("build-system")), _mapping(old.get("build-system"))
    is_changed = file.before is not None and build != was
    if ("backend-path" in build and build.get("backend-path") != was.get("backend-path")) or is_changed:
        message = f"{path} changes what builds and installs the project ([build-system])."
        yield _error("reach.build", message, path, "leave [build-system] as it was")
    fresh = {place: value for place, value in _places(new) if (place, value) not in set(_places(old))}
    words = names_in(judged.task)
    for place, value in fresh.items():
        code = _odd_setting(place, value)
        if code and not words & {
            part.lower() for part in place if len(part) > 4 and part not in {"project", "scripts"}
        }:
            message = f"{path} sets {'.'.join(place)} = {value}: {_SAYS[code]}."
            yield _error(code, message, path, "leave it out")


_SAYS = {
    "reach.source": "a package comes from another place than the index",
    "reach.index": "packages come from another index",
    "reach.build": "the project's own code runs while it is built or installed",
    "reach.bin": "a program is installed under the name of a tool",
    "reach.plugin": "a plugin of the test runner is installed",
}


def _places(value: Any, above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Return every text or number in a document with the names that lead to it; those of lists without a number."""
    if isinstance(value, dict):
        return [one for name, inner in value.items() for one in _places(inner, (*above, str(name)))]
    if isinstance(value, list):
        return [one for inner in value for one in _places(inner, above)]
    return [(above, str(value))]


def _odd_setting(place: tuple[str, ...], value: str) -> str:
    """Return the code of what a setting of pyproject.toml reaches, "" for any other."""
    where = ".".join(place).lower()
    if _REQUIRES.search(where) and _ELSEWHERE.search(value):
        return "reach.source"
    if re.match(
        r"tool\.(?:uv\.sources|poetry\.(?:group\.[\w-]+\.)?(?:dev-)?dependencies|pdm\.dev-dependencies)", where
    ):
        return "reach.source" if place[-1] in {"git", "url", "path", "file", "editable"} else ""
    if re.match(r"tool\.(?:uv\.(?:index|extra-index|find-links|pip)|poetry\.source|pdm\.source|pip)", where):
        return "reach.index"
    if re.match(
        r"tool\.(?:hatch\.(?:build\.(?:.*\.)?hooks|metadata\.hooks|envs\.[\w-]+\.(?:pre|post)-install)|setuptools\.cmdclass|"
        r"poetry\.build|pdm\.build\.custom|pdm\.scripts\.(?:pre|post)_|poe\.tasks\.(?:pre|post))",
        where,
    ):
        return "reach.build"
    if re.match(r"project\.(?:gui-)?scripts|tool\.poetry\.scripts", where) and place[-1].lower() in TOOLS:
        return "reach.bin"
    if re.match(r"project\.entry-points\.pytest11|tool\.poetry\.plugins\.pytest11", where):
        return "reach.plugin"
    return ""


def _build_script(file: Compared) -> Iterator[Finding]:
    if file.before is not None and file.path.endswith(".py") and _shape(file.before) == _shape(file.after or ""):
        return
    if file.before != file.after:
        message = f"{file.path} runs while the project is built or installed."
        yield _error("reach.build", message, file.path, "leave it as it was, or declare it in the manifest instead")


def _shape(text: str) -> str:
    """Return a setup.py without the texts in its call of `setup`: versions and names of packages may change."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return text
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and dotted(node).rpartition(".")[2] == "setup":
            for keyword in node.keywords:
                if keyword.arg != "cmdclass" and all(
                    isinstance(one, (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.expr_context))
                    for one in ast.walk(keyword.value)
                ):
                    keyword.value = ast.Constant("") if "@" not in ast.unparse(keyword.value) else keyword.value
    return ast.dump(tree)


def _lock(file: Compared) -> Iterator[Finding]:
    if file.before is None:
        return
    known = set(_SOURCES.findall(file.before))
    for place in dict.fromkeys(_SOURCES.findall(file.after or "")):
        if place not in known:
            message = f"{file.path} takes packages from a place that it did not take any from before: {place}"
            yield _error("reach.source", message, file.path, "make the lock file again with the project's own index")
