"""Answers that are kept: by everything they depended on, and only while that is as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildwright.kept_verdicts import KEPT, KeptVerdicts, surroundings


def program(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "tool"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_an_answer_is_kept_for_the_same_question(tmp_path: Path) -> None:
    KeptVerdicts(tmp_path / "kept").put({"tree": "a"}, {"ok": True})
    again = KeptVerdicts(tmp_path / "kept")
    assert again.get({"tree": "a"}) == {"ok": True}
    assert again.get({"tree": "b"}) is None


def test_it_is_asked_again_once_a_program_has_changed_or_is_gone(tmp_path: Path) -> None:
    kept, tool = KeptVerdicts(tmp_path / "kept"), program(tmp_path / "bin", "exit 0")
    kept.put({"tree": "a"}, {"ok": True}, ["cd x && tool --all"], str(tool.parent))
    assert kept.get({"tree": "a"}) == {"ok": True}
    program(tmp_path / "bin", "exit 1 # another one")
    assert kept.get({"tree": "a"}) is None
    tool.unlink()
    assert kept.get({"tree": "a"}) is None


@pytest.mark.parametrize("folder", [".venv", "env", ".tox/py312", "backend/.venv", "services/mail/venv"])
def test_what_is_installed_in_the_environment_of_the_repository_counts(tmp_path: Path, folder: str) -> None:
    packages = tmp_path / folder / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    before = surroundings(str(tmp_path), {"PATH": "/bin"})
    assert surroundings(str(tmp_path), {"PATH": "/bin", "HOME": "/elsewhere"}) == before
    os.utime(packages, (1, 1))
    assert surroundings(str(tmp_path), {"PATH": "/bin"}) != before
    assert surroundings(str(tmp_path), {"PATH": "/bin", "VIRTUAL_ENV": "/v"}) != before
    now = surroundings(str(tmp_path), {"PATH": "/bin"})
    (tmp_path / ".python-version").write_text("3.12\n")
    assert surroundings(str(tmp_path), {"PATH": "/bin"}) != now


def test_a_broken_file_is_no_answer_and_the_oldest_go_first(tmp_path: Path) -> None:
    kept = KeptVerdicts(tmp_path / "kept")
    for number in range(KEPT + 3):
        kept.put({"tree": str(number)}, {"ok": True})
    files = list((tmp_path / "kept").iterdir())
    assert len(files) == KEPT
    for file in files:
        file.write_text("no JSON")
    assert kept.get({"tree": str(KEPT + 2)}) is None
