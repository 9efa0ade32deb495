"""The projects: pairs of releases, pinned, whose difference is the work. One entry adds a project.

Names no package index: pip, npm and apt know their own.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal, NamedTuple

from bench.measure import RunFailed

Ecosystem = Literal["python", "node", "debian"]


class Release(NamedTuple):
    """One release: its version there, and the digest of its source archive."""

    version: str
    sha256: str


class Project(NamedTuple):
    """Two releases of one project, and how it is tested."""

    name: str
    ecosystem: Ecosystem
    package: str
    before: Release
    after: Release
    check: str
    """The command of its own tests."""
    sources: tuple[str, ...]
    """Patterns of the files whose changes are the work."""
    tests: tuple[str, ...]
    """Patterns of its tests: those of the earlier release judge the work, those of the later one are the truth."""
    files: Mapping[str, str] = {}
    """Files that stand in place of the releases' own, or beside them, in both."""
    setup: str = ""
    """A command that makes what the tests need, once, in a folder that git ignores."""

    def is_source(self, path: str) -> bool:
        """Whether changes of this file are the work."""
        return any(fnmatch(path, one) for one in self.sources) and not self.is_test(path)

    def is_test(self, path: str) -> bool:
        """Whether a file is one of its tests."""
        return any(fnmatch(path, one) for one in self.tests)


_PYTEST = "PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python -m pytest -q -p no:cacheprovider"


def _node(name: str, main: str, packages: Mapping[str, str]) -> dict[str, str]:
    """Return the files of a project of npm that asks for what its tests need alone: its own asks for much beside."""
    asked = {"name": name, "version": "0.0.0", "main": main, "scripts": {"test": "tape 'test/*.js'"}}
    return {
        "package.json": json.dumps(asked | {"devDependencies": {"tape": "5.7.5", **packages}}, indent=2) + "\n",
        ".npmrc": "package-lock=true\nomit-lockfile-registry-resolved=true\n",
        ".gitignore": "node_modules/\n",
    }


PROJECTS = (
    Project(
        "toolz",
        "python",
        "toolz",
        Release("0.11.2", "6b312d5e15138552f1bda8a4e66c30e236c831b612b2bf0005f8a1df10a4bc33"),
        Release("1.0.0", "2c86e3d9a04798ac556793bced838816296a2f085017664e4995cb40a1047a02"),
        f"{_PYTEST} toolz --deselect toolz/tests/test_tlz.py::test_tlz",
        ("toolz/*.py",),
        ("toolz/tests/*", "toolz/sandbox/tests/*"),
    ),
    Project(
        "more-itertools",
        "python",
        "more-itertools",
        Release("9.1.0", "cabaa341ad0389ea83c17a94566a53ae4c9d07349861ecb14dc6d0345cf9ac5d"),
        Release("10.8.0", "f638ddf8a1a0d134181275fb5d58b086ead7c6a72429ad725c67503f13ba30bd"),
        f"{_PYTEST} tests",
        ("more_itertools/*.py",),
        ("tests/*",),
    ),
    Project(
        "cachetools",
        "python",
        "cachetools",
        Release("4.1.1", "bbaa39c3dede00175df2dc2b03d0cf18dd2d32a7de7beb68072d13043c9edb20"),
        Release("5.5.0", "2cc24fb4cbe39633fb7badd9db9ca6295d766d9c2995f245725a46715d050f2a"),
        f"PYTHONPATH=src {_PYTEST} tests",
        ("src/cachetools/*.py",),
        ("tests/*",),
    ),
    Project(
        "pathspec",
        "python",
        "pathspec",
        Release("0.9.0", "e564499435a2673d586f6b2130bb5b95f04a3ba06f81b8f895b651a3c76aabb1"),
        Release("0.12.1", "a482d51503a1ab33b1c67a6c3813a26953dbdc71c31dacaef9a838c4e29f5712"),
        _PYTEST,
        ("pathspec/*.py", "pathspec/patterns/*.py"),
        ("tests/*", "pathspec/tests/*"),
    ),
    Project(
        "qs",
        "node",
        "qs",
        Release("6.5.2", "539349384f28c64d970ee897379839967dcc2a9c5b03a4db49cb1c0e5e2e16f0"),
        Release("6.11.2", "bc7951d5eb3a27595ca90925d642074910d3627910249489f78f1dc01f8036b7"),
        "npm test",
        ("lib/*.js",),
        ("test/*",),
        _node(
            "qs",
            "lib/index.js",
            {
                "for-each": "0.3.3",
                "has-override-mistake": "1.0.1",
                "has-property-descriptors": "1.0.2",
                "has-symbols": "1.0.3",
                "iconv-lite": "0.6.3",
                "mock-property": "1.0.3",
                "object-inspect": "1.13.1",
                "safer-buffer": "2.1.2",
                "side-channel": "1.0.6",
            },
        ),
        "npm ci",
    ),
    Project(
        "object-inspect",
        "node",
        "object-inspect",
        Release("1.6.0", "a2bc739e5ec13756f039ca87d79830f955743d058f7aaab262a63af0242b77ec"),
        Release("1.13.1", "e2dea4f69f107a99c8acb1d006d1e9be2f1ca01615f8fddff76c98d437d2453b"),
        "npm test",
        ("index.js", "util.inspect.js"),
        ("test/*", "test-core-js.js"),
        _node(
            "object-inspect",
            "index.js",
            {
                "error-cause": "1.0.8",
                "es-value-fixtures": "1.4.2",
                "for-each": "0.3.3",
                "functions-have-names": "1.2.3",
                "globalthis": "1.0.3",
                "has-symbols": "1.0.3",
                "has-tostringtag": "1.0.2",
                "make-arrow-function": "1.2.0",
                "mock-property": "1.0.3",
                "string.prototype.repeat": "1.0.0",
            },
        ),
        "npm ci",
    ),
    Project(
        "stats",
        "debian",
        "golang-github-montanaflynn-stats",
        Release("0.6.4-2", "50d024f532e0c20af0d841bcd1b70bf315506ee97ec5072e7274ab75d8c2e5a0"),
        Release("0.7.1-1", "97e9258173992d3caee6f7d7ac175d559dfc086388ad6c65fde439b808e1b725"),
        "go test .",
        ("*.go",),
        ("*_test.go", "examples/*"),
    ),
    Project(
        "uuid",
        "debian",
        "golang-github-google-uuid",
        Release("1.3.0-1", "7f7f37c47980e0afcc178a9ffc390bec29ed2371919b4c07658eb01791a7f921"),
        Release("1.6.0-1", "ee63376b5675376c60e055ed66e5f3651ccc703bd580c022b8ad00cea309252d"),
        "go test .",
        ("*.go",),
        ("*_test.go",),
    ),
)


def fetch(project: Project, release: Release, archives: Path) -> Path:
    """Return the source archive of a release, from `archives` or from its index. Raises RunFailed."""
    kept = archives / f"{project.name}-{release.version}.tar"
    if not kept.exists():
        archives.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="bench-", dir=archives) as made:
            found = _FETCH[project.ecosystem](project, release, Path(made))
            digest = hashlib.sha256(found.read_bytes()).hexdigest()
            if digest != release.sha256:
                raise RunFailed(f"{project.name} {release.version} has the digest {digest}, not {release.sha256}")
            found.rename(kept)
    return kept


def unpack(project: Project, archive: Path, folder: Path) -> None:
    """Make `folder` of what an archive holds, with the project's own files in their places."""
    with tempfile.TemporaryDirectory(prefix="bench-", dir=archive.parent) as made, tarfile.open(archive) as tar:
        tar.extractall(made, filter="data")
        (top,) = Path(made).iterdir()
        shutil.move(str(top), folder)
    shutil.rmtree(folder / ".github", ignore_errors=True)
    for path, text in project.files.items():
        (folder / path).write_text(text, encoding="utf-8")
    if "package.json" in project.files:
        _run(["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"], folder)


def _of_python(project: Project, release: Release, folder: Path) -> Path:
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{project.package}=={release.version} --hash=sha256:{release.sha256}\n", encoding="utf-8")
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    _run([*words, "--no-binary", ":all:", "--require-hashes", "--requirement", str(wanted), "--dest", "."], folder)
    return next(folder.glob("*.tar.gz"))


def _of_node(project: Project, release: Release, folder: Path) -> Path:
    _run(["npm", "pack", "--silent", f"{project.package}@{release.version}"], folder)
    return next(folder.glob("*.tgz"))


def _of_debian(project: Project, release: Release, folder: Path) -> Path:
    """Fetch by apt, from the archive that the machine's own apt names, with lists of our own: sources are seldom asked for."""
    listed = _run(["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"], folder)
    site = next(line for line in listed.splitlines() if line.endswith("/debian"))
    lines = [f"deb-src {site} {suite} main\n" for suite in ("bookworm", "trixie")]
    (folder / "sources.list").write_text("".join(lines), encoding="utf-8")
    (folder / "lists" / "partial").mkdir(parents=True)
    own = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in own.items() for word in ("-o", f"{name}={value}")]
    _run(["apt-get", *options, "-qq", "update"], folder)
    _run(["apt-get", *options, "-qq", "source", "--download-only", f"{project.package}={release.version}"], folder)
    return next(folder.glob("*.orig.tar.*"))


_FETCH = {"python": _of_python, "node": _of_node, "debian": _of_debian}


def _run(words: list[str], folder: Path) -> str:
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
    )
    if done.returncode:
        raise RunFailed(f"{' '.join(words[:4])} ended with {done.returncode}: {done.stderr.strip()[-500:]}")
    return done.stdout
