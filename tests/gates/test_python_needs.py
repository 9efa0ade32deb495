"""What the tests of a Python project need, as projects say it."""

from __future__ import annotations

import tomllib

import pytest

from buildwright.gates.python_needs import PythonNeeds, files_of, for_uv, needs_of
from buildwright.gates.python_setup import REQUIREMENTS
from buildwright.gates.surface import is_settings

GROUPS = """[project]
name = "my.tool"
dependencies = ["attrs>=22; python_version<'3.12'"]
[project.optional-dependencies]
fast = ["orjson"]
tests = ["my-tool[fast]", "hypothesis"]
dev = ["sphinx"]
[dependency-groups]
typing = ["mypy"]
test = ["pytest>=8", {include-group = "typing"}]
dev = [{include-group = "test"}, "ruff"]
"""
POETRY = """[tool.poetry.dependencies]
python = "^3.10"
caret = "^1.2.3"
zero = "^0.2.3"
tilde = "~1.2"
exact = "1.0"
any = "*"
either = "^1 || ^2"
both = ">=1,<3"
blank = ">= 1 <2"
odd = "latest"
v = "v1.2"
each = [{version = "^1", python = "<3.9"}, {version = "^2"}]
mine = {path = "../mine"}
theirs = {git = "https://example.com/theirs"}
private = {version = "^1", source = "ours"}
old = {version = "^0.8", python = "^3.6", platform = "win32"}
more = {version = "^2", extras = ["all"], markers = "os_name == 'posix'"}
maybe = {version = "^2", optional = true}
[tool.poetry.group.dev.dependencies]
pytest = "^8.1"
"""
CALL = """from setuptools import setup
import os
needs = ['requests>=2']
version = os.environ['V']
setup(name='x', version=version, install_requires=needs, tests_require=['mock'], extras_require={'test': ['nose']})
"""
CFG = (
    "[options]\ninstall_requires =\n    attrs  # why\n    # none\n"
    "[options.extras_require]\ntesting = pytest\ndocs = sphinx\n"
)
TOX = """[core]
deps =
    pytest
    pytest-asyncio; python_version>="3.8"
[testenv]
deps =
    {[core]deps}
    -rmore.txt
    py38: mock
    ./plugin
    numpy
"""


@pytest.mark.parametrize(
    ("pyproject", "others", "found"),
    [
        (GROUPS, (), ['attrs>=22; python_version < "3.12"', "pytest>=8", "mypy", "orjson", "hypothesis"]),
        ('[dependency-groups]\ndev = ["pytest"]\ndocs = ["sphinx"]\n', (), ["pytest"]),
        ('[dependency-groups]\ntest = [{include-group = "test"}, "pytest"]\n', (), ["pytest"]),
        (
            POETRY,
            (),
            [
                *("caret<2,>=1.2.3", "zero<0.3,>=0.2.3", "tilde<1.3,>=1.2", "exact==1.0", "any", "either"),
                *("both<3,>=1", "blank<2,>=1", "odd", "v==1.2", "each"),
                'old<0.9,>=0.8; python_full_version >= "3.6" and python_full_version < "4" and sys_platform == "win32"',
                *('more[all]<3,>=2; os_name == "posix"', "pytest<9,>=8.1"),
            ],
        ),
        ('[tool.pdm.dev-dependencies]\ntest = ["pytest"]\n', (), ["pytest"]),
        ('[tool.uv]\ndev-dependencies = ["pytest"]\n', (), ["pytest"]),
        ('[tool.hatch.envs.hatch-test]\nextra-dependencies = ["trio", "x @ {root:uri}"]\n', (), ["trio"]),
        ("", ("", CALL), ["requests>=2", "mock", "nose"]),
        ("", ("", "setup(install_requires=open('x').read())\n"), []),
        ("", ("", "def ("), []),
        ("", ("", "setup(install_requires='a>1\\nb')\n"), ["a>1", "b"]),
        ("", ("", '"x"' + ".a" * 3000 + "()\n"), []),
        ("", (CFG,), ["attrs", "pytest"]),
        ("", ("", "", TOX), ["numpy", "pytest", 'pytest-asyncio; python_version >= "3.8"']),
        ('[project]\ndependencies = ["a\\u0000b", "not a requirement", "./here", "c"]\n', (), ["c"]),
        ("", ("[broken", "", "[testenv\n"), []),
        ('project = 1\ndependency-groups = ["x"]\n', (), []),
    ],
)
def test_requirements_are_found_where_projects_say_them(
    pyproject: str, others: tuple[str, ...], found: list[str]
) -> None:
    assert list(needs_of(tomllib.loads(pyproject), *others).requirements) == found


@pytest.mark.parametrize(
    ("pyproject", "others"),
    [
        ("[dependency-groups]\ntest = [" + '{include-group = "test"},' * 40 + '"pytest"]\n', ()),
        ('[project]\nname = "x"\noptional-dependencies.test = [' + '"x[test]",' * 40 + '"pytest"]\n', ()),
        ("", ("", "", "[testenv]\ndeps =\n  pytest\n" + "  {[testenv]deps}\n" * 40)),
        ('[tool.poetry.dependencies]\npytest = "^' + "1" * 5000 + '"\n', ()),
        ("", ("[metadata]" + "\n" * 300_000, "", "[testenv]\ndeps = pytest\n")),
    ],
)
def test_what_names_itself_over_and_over_is_read_once(pyproject: str, others: tuple[str, ...]) -> None:
    assert needs_of(tomllib.loads(pyproject), *others).requirements == ("pytest",)


def test_an_index_is_not_asked_for_what_comes_from_elsewhere() -> None:
    """It may have another package of that name."""
    text = (
        '[project]\nname = "x"\ndependencies = ["internal", "at @ https://example.com/at.whl", "attrs"]\n'
        '[tool.uv.sources]\ninternal = {git = "https://example.com/internal"}\n'
    )
    assert needs_of(tomllib.loads(text)) == PythonNeeds(("attrs",), frozenset({"attrs"}), frozenset({"internal", "at"}))
    assert needs_of(tomllib.loads(POETRY)).elsewhere == {"mine", "theirs", "private"}


@pytest.mark.parametrize(
    ("pyproject", "others", "whole"),
    [
        ('[project]\ndependencies = ["a"]\n', (), True),
        ('[project]\ndynamic = ["dependencies"]\n', (), False),
        ('[project]\ndynamic = ["version"]\n', (), True),
        ("", ("", "setup(install_requires=open('x').read())\n"), False),
        ("", ("", CALL), True),
        ("", ("[options]\ninstall_requires = file: needs.txt\n",), False),
    ],
)
def test_it_is_known_whether_all_is_written_out(pyproject: str, others: tuple[str, ...], whole: bool) -> None:
    assert needs_of(tomllib.loads(pyproject), *others).is_whole == whole


def test_what_a_condition_rules_out_somewhere_is_not_needed_everywhere() -> None:
    assert needs_of(tomllib.loads(GROUPS)).names == {"pytest", "mypy", "hypothesis", "orjson"}


def test_setuptools_names_files_of_requirements() -> None:
    named = tomllib.loads('[tool.setuptools.dynamic]\ndependencies = {file = ["needs/run.txt"]}\n')
    assert files_of(named) == ["needs/run.txt"]
    assert files_of({}) == []


UV_EXTRAS = """
[project]
name = "My.Tool"
dependencies = ["attrs", "tomli; python_version < '3.11'"]
[project.optional-dependencies]
dev = ["my-tool[lint]", "pytest"]
lint = ["Ruff>=0.5"]
[dependency-groups]
dev = ["mypy", {include-group = "more"}]
more = ["coverage"]
[tool.uv]
dev-dependencies = ["tox"]
default-groups = %s
"""


@pytest.mark.parametrize(
    ("pyproject", "groups", "extras", "installed"),
    [
        (GROUPS, ["test"], ["tests"], None),
        ("", [], [], set()),
        (UV_EXTRAS % '["dev"]', [], ["dev"], {"attrs", "ruff", "pytest", "mypy", "coverage", "tox"}),
        (UV_EXTRAS % '"all"', [], ["dev"], {"attrs", "ruff", "pytest", "mypy", "coverage", "tox"}),
        (UV_EXTRAS % '["more"]', ["dev"], ["dev"], {"attrs", "ruff", "pytest", "mypy", "coverage", "tox"}),
    ],
)
def test_uv_is_told_the_groups_and_extras_for_tests(
    pyproject: str, groups: list[str], extras: list[str], installed: set[str] | None
) -> None:
    """By docs.astral.sh/uv, "Managing dependencies": it takes `default-groups` by itself, `dev` where nothing is said."""
    told = for_uv(tomllib.loads(pyproject))
    assert told[:2] == (groups, extras)
    assert installed is None or told[2] == installed


def test_every_list_of_packages_that_is_installed_steers_the_checks() -> None:
    """Else the base would be judged with packages that a patch chose."""
    assert all(map(is_settings, REQUIREMENTS))
    assert all(map(is_settings, ("api/requirements/run.in", "test-constraints.txt", "requirements/linux/x.txt")))
    assert not any(map(is_settings, ("docs/notes.txt", "requirements.md", "src/requirements.py")))
