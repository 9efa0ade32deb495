"""Which Python the checks run on."""

from __future__ import annotations

import sys
from pathlib import Path

from buildwright.gates.interpreter import find_python


def script(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    program.chmod(0o755)
    return program


async def test_a_version_managers_script_gives_way_to_the_interpreter_behind_it(tmp_path: Path) -> None:
    script(tmp_path / "shims", f'exec {sys.executable} "$@"')
    found = await find_python(str(tmp_path / "shims"), {})
    assert found.executable == Path(sys.executable)
    assert found.has_pytest


async def test_a_python_that_fails_or_talks_nonsense_is_passed_over(tmp_path: Path) -> None:
    script(tmp_path / "broken", "exit 1")
    script(tmp_path / "odd", "echo 1 not-a-path")
    script(tmp_path / "real", f'exec {sys.executable} "$@"')
    path = ":".join(str(tmp_path / name) for name in ("broken", "odd", "missing", "real"))
    assert (await find_python(path, {})).executable == Path(sys.executable)


async def test_an_active_environment_comes_first_even_without_pytest(tmp_path: Path) -> None:
    active = script(tmp_path / "venv" / "bin", "exit 1")
    found = await find_python(str(Path(sys.executable).parent), {"VIRTUAL_ENV": str(tmp_path / "venv")})
    assert found == (active, False)
