"""What the tests of a Python project need, as projects say it."""

from __future__ import annotations

import tomllib

import pytest

from buildwright.gates.python_needs import for_tests, requirements

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
mine = {path = "../mine"}
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
    "[options.extras_require]\ntesting = pytest; x\ndocs = sphinx\n"
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
        (GROUPS, (), ["attrs>=22; python_version<'3.12'", "pytest>=8", "mypy", "orjson", "hypothesis"]),
        ('[dependency-groups]\ndev = ["pytest"]\ndocs = ["sphinx"]\n', (), ["pytest"]),
        ('[dependency-groups]\ntest = [{include-group = "test"}, "pytest"]\n', (), ["pytest"]),
        (
            POETRY,
            (),
            [
                *("caret>=1.2.3,<2", "zero>=0.2.3,<0.3", "tilde>=1.2,<1.3", "exact==1.0", "any", "either"),
                *("both>=1,<3", "more[all]>=2,<3; os_name == 'posix'", "pytest>=8.1,<9"),
            ],
        ),
        ('[tool.pdm.dev-dependencies]\ntest = ["pytest"]\n', (), ["pytest"]),
        ('[tool.uv]\ndev-dependencies = ["pytest"]\n', (), ["pytest"]),
        ('[tool.hatch.envs.hatch-test]\nextra-dependencies = ["trio", "x @ {root:uri}"]\n', (), ["trio"]),
        ("", ("", CALL), ["requests>=2", "mock", "nose"]),
        ("", ("", "setup(install_requires=open('x').read())\n"), []),
        ("", ("", "def ("), []),
        ("", (CFG,), ["attrs", "pytest; x"]),
        ("", ("", "", TOX), ["pytest", 'pytest-asyncio; python_version>="3.8"', "numpy"]),
        ("", ("[broken", "", "[testenv\n"), []),
        ('project = 1\ndependency-groups = ["x"]\n', (), []),
    ],
)
def test_requirements_are_found_where_projects_say_them(
    pyproject: str, others: tuple[str, ...], found: list[str]
) -> None:
    assert requirements(tomllib.loads(pyproject), *others) == found


def test_uv_is_told_the_groups_and_extras_for_tests() -> None:
    assert for_tests(tomllib.loads(GROUPS)) == (["test"], ["tests"])
    assert for_tests({}) == ([], [])
