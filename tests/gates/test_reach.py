"""What a patch changes beyond its own code: each kind refused, and its honest twin."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildwright.gates.reach import ReachGate
from tests.gates.readings import NODE, PYPROJECT, PYTHON, read

PACKAGE = json.loads(NODE["package.json"])


def package(**changes: object) -> dict[str, str | None]:
    return {"package.json": json.dumps(PACKAGE | changes)}


def scripts(**more: str) -> dict[str, str | None]:
    return package(scripts=PACKAGE["scripts"] | more)


LOCK = '{"packages": {"node_modules/a": {"resolved": "https://registry.example.org/a/-/a-1.tgz"}}}'
SETUP = "from setuptools import setup\n\nsetup(name='tally', install_requires=['attrs'])\n"
BASE = {**PYTHON, **NODE, "package-lock.json": LOCK, "setup.py": SETUP, "requirements.txt": "attrs==23.1\n"}

BAD: list[tuple[str, dict[str, str | None], str]] = [
    (
        "bare repository",
        {"docs/book/HEAD": "ref: refs/heads/main\n", "docs/book/objects/keep": "x", "docs/book/refs/keep": "x"},
        "reach.repository",
    ),
    ("part of a repository", {"a/HEAD": "ref: refs/heads/main\n", "a/commondir": "../x\n"}, "reach.repository"),
    ("other spelling", {"a/head": "ref: refs/heads/main\n", "a/Objects/keep": "x"}, "reach.repository"),
    ("postinstall", scripts(postinstall="node a.js"), "reach.lifecycle"),
    ("prepare", scripts(prepare="node a.js"), "reach.lifecycle"),
    ("beside the test", scripts(pretest="cp a.txt tally.js"), "reach.lifecycle"),
    ("beside another", scripts(postlint="node a.js"), "reach.lifecycle"),
    ("a tool's name", package(bin={"node": "a.js"}), "reach.bin"),
    ("from git", package(dependencies={"left": "git+https://example.org/left.git"}), "reach.source"),
    ("from a repository", package(devDependencies={"jest": "somebody/jest"}), "reach.source"),
    ("from a folder", package(devDependencies={"jest": "file:./fake"}), "reach.source"),
    ("under another name", package(overrides={"jest": "npm:other@1"}), "reach.source"),
    ("lock file", {"package-lock.json": LOCK.replace("registry.example.org", "other.example.org")}, "reach.source"),
    ("requirement by address", {"requirements.txt": "attrs @ https://example.org/attrs.whl\n"}, "reach.source"),
    ("requirement of another name", {"dev.requirements.txt": "a @ https://example.org/a.whl\n"}, "reach.source"),
    ("requirement in a folder", {"requirements/testing.txt": "--index-url https://example.org\n"}, "reach.source"),
    ("setup.cfg", {"setup.cfg": "[options]\ninstall_requires =\n  a @ https://example.org/a.whl\n"}, "reach.source"),
    ("tox.ini", {"tox.ini": "[testenv]\ndeps = a @ git+https://example.org/a\n"}, "reach.source"),
    ("another index", {"requirements.txt": "--extra-index-url https://example.org\nattrs==23.1\n"}, "reach.source"),
    (
        "pyproject by address",
        {"pyproject.toml": PYPROJECT.replace('"attrs>=23"', '"attrs @ git+https://example.org/a"')},
        "reach.source",
    ),
    ("uv source", {"pyproject.toml": PYPROJECT + '[tool.uv.sources]\nattrs = { path = "fake" }\n'}, "reach.source"),
    ("uv index", {"pyproject.toml": PYPROJECT + '[[tool.uv.index]]\nurl = "https://example.org"\n'}, "reach.index"),
    (
        "backend in the tree",
        {"pyproject.toml": PYPROJECT + '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'},
        "reach.build",
    ),
    (
        "build hook",
        {"pyproject.toml": PYPROJECT + '[tool.hatch.build.hooks.custom]\npath = "hook.py"\n'},
        "reach.build",
    ),
    (
        "script named as a tool",
        {"pyproject.toml": PYPROJECT + '[project.scripts]\npytest = "tally:main"\n'},
        "reach.bin",
    ),
    (
        "plugin of pytest",
        {"pyproject.toml": PYPROJECT + '[project.entry-points.pytest11]\nq = "tally"\n'},
        "reach.plugin",
    ),
    ("setup.py", {"setup.py": SETUP + "import os\nos.system('true')\n"}, "reach.build"),
    ("build.rs", {"build.rs": "fn main() {}\n"}, "reach.build"),
    ("filter", {".gitattributes": "*.txt filter=evil\n"}, "reach.attributes"),
    ("hidden from diffs", {".gitattributes": "tally.py -diff\n"}, "reach.attributes"),
]

GOOD: list[tuple[str, dict[str, str | None]]] = [
    ("a folder", {"docs/HEAD": "the head of the page\n", "docs/objects.md": "objects\n"}),
    ("a script", scripts(start="node tally.js", preview="node tally.js --dry", posts="node posts.js")),
    ("a script as it was", package(version="1.1.0")),
    ("a program", package(bin={"tally": "cli.js"})),
    ("a dependency", package(dependencies={"left": "^1.2.0", "@scope/right": "~2", "own": "workspace:*"})),
    ("lock file", {"package-lock.json": LOCK.replace("a-1", "a-2")}),
    ("a requirement", {"requirements.txt": "attrs==23.1\nrich>=13; python_version > '3.10'\n"}),
    (
        "a marker",
        {"pyproject.toml": PYPROJECT + 'markers = ["slow: takes long"]\n\n[tool.ruff.lint]\nselect = ["E"]\n'},
    ),
    ("a script of the project", {"pyproject.toml": PYPROJECT + '[project.scripts]\ntally = "tally:main"\n'}),
    ("a dependency of Python", {"pyproject.toml": PYPROJECT.replace('"attrs>=23"', '"attrs>=23", "rich>=13"')}),
    ("setup.py", {"setup.py": SETUP.replace("['attrs']", "['attrs', 'rich>=13']")}),
    ("line ends", {".gitattributes": "* text=auto\n*.png binary\n"}),
    ("deleted", {"requirements.txt": None}),
]


@pytest.mark.parametrize(("after", "code"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_what_reaches_further_is_refused(tmp_path: Path, after: dict[str, str | None], code: str) -> None:
    found = await read(ReachGate(), tmp_path, BASE, after)
    assert set(found) == {(code, "error")}


@pytest.mark.parametrize("after", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
async def test_what_stays_inside_is_not(tmp_path: Path, after: dict[str, str | None]) -> None:
    assert await read(ReachGate(), tmp_path, BASE, after) == []


@pytest.mark.parametrize(
    ("path", "target", "is_refused"),
    [
        ("a", ".git/hooks", True),
        ("settings", ".github/workflows", True),
        (".github", "docs", True),
        ("notes.md", "README.md", False),
    ],
)
async def test_links_over_settings(tmp_path: Path, path: str, target: str, is_refused: bool) -> None:
    found = await read(ReachGate(), tmp_path, BASE, {path: target}, modes={path: "120000"})
    assert found == ([("reach.link", "error")] if is_refused else [])


async def test_what_is_deployed_is_noted(tmp_path: Path) -> None:
    assert await read(ReachGate(), tmp_path, BASE, {"Dockerfile": "FROM scratch\n"}) == [("reach.deploy", "note")]


async def test_a_person_or_the_words_of_the_task_open_a_script(tmp_path: Path) -> None:
    after = scripts(postinstall="node a.js")
    assert await read(ReachGate(), tmp_path / "a", BASE, after, allow=("package.json",)) == []
    asked = {"goal": "Add a postinstall script that prints the version."}
    assert await read(ReachGate(), tmp_path / "b", BASE, after, asked) == []
