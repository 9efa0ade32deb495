from __future__ import annotations

import re
import subprocess
import sys

import pytest

from buildwright.cli.verbs import VERBS, program_help
from tests.cli.conftest import Program

FORBIDDEN = (
    "sqlalchemy",
    "alembic",
    "aiohttp",
    "pydantic",
    "pydantic_ai",
    "anthropic",
    "openai",
    "claude_agent_sdk",
    "genai_prices",
    "sqlite3",
    "asyncio",
)
ASKED = [
    ["--help"],
    ["help"],
    [],
    *[[verb.name, "--help"] for verb in VERBS],
    *[["db", name, "--help"] for name in ("migrate", "rollback", "version", "rebuild-stats")],
    *[["cluster", name, "--help"] for name in ("up", "down", "status")],
    ["help", "build"],
]


def test_help_needs_no_server_database_or_model_library(program: Program) -> None:
    script = (
        "import sys; from buildwright.cli.app import run\n"
        f"for argv in {ASKED!r}:\n"
        "    assert run(argv) == 0, argv\n"
        f"    found = [name for name in {FORBIDDEN!r} if name in sys.modules]\n"
        "    assert not found, (argv, found)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=program.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for verb in VERBS:
        assert f"Usage: buildwright {verb.name}" in done.stdout


def test_the_program_shows_every_verb_and_imports_no_library_for_it(program: Program) -> None:
    ended = program("--help")
    assert (ended.code, ended.out, ended.err) == (0, program_help(), "")
    assert all(f"  {verb.name} " in ended.out for verb in VERBS)
    script = "import sys; from buildwright.cli.app import run; run([]); assert 'cyclopts' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], env=program.environment, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("biuld",), 'Did you mean "build"?'),
        (("build",), "SPEC"),
        (("build",), "--contracts"),
        (("build", "SPEC.md", "--contracts", "shop"), "not both"),
        (("status", "--colour"), "--colour"),
        (("build", "SPEC.md", "--budget", "5"), "Unknown option: --budget. Did you mean --max-cost?"),
        (("resume", "newest", "--budget=5"), "Did you mean --max-cost?"),
        (("status", "--budget"), "Unknown option: --budget."),
        (("logs", "--tail", "many"), "many"),
        (("why",), "BUILD"),
    ],
)
def test_misuse_says_what_is_wrong_and_where_to_look(program: Program, arguments: tuple[str, ...], said: str) -> None:
    ended = program(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert said in ended.err
    assert "  fix: see " in ended.err
    assert "-m buildwright " in ended.err
    assert ended.err.endswith("--help\n")
    assert "Traceback" not in ended.err


def test_misuse_is_an_object_for_programs(program: Program) -> None:
    ended = program("status", "--colour", "--json")
    assert ended.code == 2
    assert ended.object["schema"] == 1
    assert ended.object["error"]["exit"] == 2


@pytest.mark.parametrize("arguments", [("version",), ("--version",), ("-V",)])
def test_version(program: Program, arguments: tuple[str, ...]) -> None:
    ended = program(*arguments)
    assert ended.code == 0
    assert ended.out.startswith("buildwright ")
    said = program("version", "--json").object
    assert set(said) == {"schema", "version", "python", "platform", "instructions"}
    assert said["instructions"]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in said["instructions"].values())
