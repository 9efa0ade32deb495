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


@pytest.mark.parametrize("folder", ["packages/a/.venv", "packages/.venv", ".venv", "packages/b/.venv"])
def test_for_a_folder_of_the_repository_the_environments_of_the_whole_count(tmp_path: Path, folder: str) -> None:
    (tmp_path / ".git").mkdir()
    part = tmp_path / "packages" / "a"
    part.mkdir(parents=True)
    (tmp_path / folder / "lib/python3.12/site-packages").mkdir(parents=True)
    before = surroundings(str(part), {"PATH": "/bin"})
    os.utime(tmp_path / folder / "lib/python3.12/site-packages", (1, 1))
    assert surroundings(str(part), {"PATH": "/bin"}) != before
    now = surroundings(str(part), {"PATH": "/bin"})
    (tmp_path / ".python-version").write_text("3.12\n")
    assert surroundings(str(part), {"PATH": "/bin"}) != now


@pytest.mark.parametrize(
    ("file", "text", "made"),
    [
        ("pyproject.toml", "[tool.poetry]\n", ".cache/pypoetry/virtualenvs/shop-1-py3.12"),
        ("poetry.lock", "", ".cache/pypoetry/virtualenvs/shop-1-py3.12"),
        ("Pipfile", "", ".local/share/virtualenvs/shop-1"),
        ("pyproject.toml", "[tool.hatch.envs.default]\n", ".local/share/hatch/env/virtual/shop/abc/shop"),
        (".pdm-python", "{home}/.local/share/pdm/venvs/shop-1/bin/python", ".local/share/pdm/venvs/shop-1"),
        ("environment.yml", "name: shop\n", "miniconda/envs/shop"),
        (".python-version", "shop\n", ".pyenv/versions/shop"),
        ("README", "", "bin-of-path"),
    ],
)
def test_an_environment_that_a_tool_makes_later_counts_as_does_what_is_put_into_it(
    tmp_path: Path, file: str, text: str, made: str
) -> None:
    home, place = tmp_path / "home", tmp_path / "shop"
    for folder in (home / ".conda", place):
        folder.mkdir(parents=True)
    (place / file).write_text(text.format(home=home))
    environment = {"HOME": str(home), "PATH": str(home / "bin-of-path" / "bin")}
    (home / ".conda" / "environments.txt").write_text(f"{home}/miniconda/envs/shop\n")
    none = surroundings(str(place), environment)
    assert surroundings(str(place), environment) == none
    packages = home / made / "lib" / "python3.12" / "site-packages"
    packages.mkdir(parents=True)
    new = surroundings(str(place), environment)
    os.utime(packages, (1, 1))
    again = surroundings(str(place), environment)
    assert none != new != again != none


def test_a_node_that_a_version_manager_gets_later_counts_where_the_repository_pins_one(tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "shop"
    node = home / ".nvm" / "versions" / "node" / "v22.1.0" / "bin" / "node"
    place.mkdir()
    unpinned = surroundings(str(place), {"HOME": str(home)})
    (place / ".nvmrc").write_text("22\n")
    before = surroundings(str(place), {"HOME": str(home)})
    node.parent.mkdir(parents=True)
    node.write_text("")
    assert surroundings(str(place), {"HOME": str(home)}) != before
    (place / ".nvmrc").unlink()
    assert surroundings(str(place), {"HOME": str(home)}) == unpinned


def test_a_broken_file_is_no_answer_and_the_oldest_go_first(tmp_path: Path) -> None:
    kept = KeptVerdicts(tmp_path / "kept")
    for number in range(KEPT + 3):
        kept.put({"tree": str(number)}, {"ok": True})
    files = list((tmp_path / "kept").iterdir())
    assert len(files) == KEPT
    for file in files:
        file.write_text("no JSON")
    assert kept.get({"tree": str(KEPT + 2)}) is None
