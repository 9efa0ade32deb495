"""Which Python the checks run on."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from buildwright.gates.interpreter import Python, find_python
from tests.git import git


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
    assert found == Python(active, has_pytest=False, why="VIRTUAL_ENV is active")


def environment(folder: Path, *, pytest: bool) -> Path:
    """An environment whose Python has pytest, or has none."""
    real = f'exec {sys.executable} "$@"' if pytest else "exit 1"
    return script(folder / "bin", real)


def repository(path: Path) -> Path:
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    (path / ".gitignore").write_text(".venv/\nvenv/\n")
    git(path, "add", "-A")
    git(path, "commit", "-q", "-m", "base")
    return path


async def test_an_environment_of_the_repository_is_used_though_nobody_activated_it(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    environment(place / ".venv", pytest=True)
    found = await find_python("", {}, str(place))
    assert (found.has_pytest, found.why) == (True, ".venv of the repository")


async def test_without_pytest_it_is_used_only_where_no_check_needs_it(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    own = environment(place / "venv", pytest=False)
    path = str(Path(sys.executable).parent)
    assert (await find_python(path, {}, str(place), needs_pytest=False)).executable == own
    assert (await find_python(path, {}, str(place))).executable == Path(sys.executable)


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("env", "env of the repository"),
        (".conda", ".conda of the repository"),
        (".tox/py312", "tox made it for the repository, as py312"),
        (".nox/tests-3-12", "nox made it for the repository, as tests-3-12"),
    ],
)
async def test_folders_of_other_tools_are_looked_into_unless_git_tracks_them(
    tmp_path: Path, folder: str, why: str
) -> None:
    place = repository(tmp_path / "r")
    environment(place / folder, pytest=True)
    (place / folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    path = str(Path(sys.executable).parent)
    assert (await find_python(path, {}, str(place))).why == why
    git(place, "add", "-f", folder)
    assert (await find_python(path, {}, str(place))).why == "the first on PATH that has pytest"


async def test_an_environment_without_pytest_is_named_when_another_python_is_taken(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    own = environment(place / ".venv", pytest=False)
    found = await find_python(str(Path(sys.executable).parent), {}, str(place))
    assert found.why == f"the first on PATH that has pytest; not {own}, which has none"


async def test_the_version_that_the_repository_pins_is_taken_from_pyenv(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    kept = script(tmp_path / "versions" / "shop-3.12" / "bin", f'exec {sys.executable} "$@"')
    answer = f"printf '1%s' {kept}"
    script(tmp_path / "shims", f'[ "$PYENV_VERSION" = shop-3.12 ] && {answer} || exec {sys.executable} "$@"')
    shims = str(tmp_path / "shims")
    assert (await find_python(shims, {}, str(place))).executable == Path(sys.executable)
    (place / ".python-version").write_text("shop-3.12\n")
    found = await find_python(shims, {}, str(place))
    assert (found.executable, found.why) == (kept, "pyenv has it for .python-version, shop-3.12")
    (place / ".python-version").write_text("../../shop-3.12\n")
    assert (await find_python(shims, {}, str(place))).executable == Path(sys.executable), "a path is no version"


async def test_the_environment_that_the_repository_names_to_conda_is_found_in_its_list(tmp_path: Path) -> None:
    place, home = repository(tmp_path / "r"), tmp_path / "home"
    kept = environment(tmp_path / "miniconda" / "envs" / "shop", pytest=True)
    environment(tmp_path / "miniconda" / "envs" / "other", pytest=True)
    (home / ".conda").mkdir(parents=True)
    envs = tmp_path / "miniconda" / "envs"
    (home / ".conda" / "environments.txt").write_text(f"{envs.parent}\n{envs / 'other'}\n{envs / 'shop'}\n")
    (place / "environment.yml").write_text("name: shop  # of the team\ndependencies:\n  - pytest\n")
    found = await find_python("", {"HOME": str(home)}, str(place))
    assert found.why == "conda keeps it for the repository, as shop"
    assert found.executable in {kept, Path(sys.executable)}


async def test_parts_below_the_top_have_their_own_environments(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    for folder in ("backend", "services/mail", "node_modules/gyp", "deep/er/than/that", "bare"):
        environment(place / folder / ".venv", pytest=folder != "bare")
    nested = repository(place / "cloned")
    environment(nested / ".venv", pytest=True)
    environment(place / "tracked" / ".venv", pytest=True)
    git(place, "add", "-f", "tracked")
    found = await find_python("", {}, str(place))
    assert [folder for folder, _ in found.parts] == ["backend/", "services/mail/"]


async def test_a_folder_of_the_repository_has_the_environment_of_its_top_and_rather_its_own(tmp_path: Path) -> None:
    """The members of a workspace of uv share one."""
    place = repository(tmp_path / "r")
    environment(tmp_path / ".venv", pytest=True)
    environment(place / ".venv", pytest=True)
    (place / "packages/a/src").mkdir(parents=True)
    for folder in ("packages/a/src", "packages/a"):
        assert (await find_python("", {}, str(place / folder))).why == ".venv of the repository"
    environment(place / "packages/a/.venv", pytest=True)
    found = await find_python("", {}, str(place / "packages/a/src"))
    assert found.why == "packages/a/.venv of the repository"
    assert [folder for folder, _ in found.parts] == ["packages/a/"], "they are named from the top"
    git(place, "add", "-f", ".venv", "packages")
    tracked = await find_python(str(Path(sys.executable).parent), {}, str(place / "packages/a"))
    assert tracked.why == "the first on PATH that has pytest"


async def test_a_folder_has_the_version_that_the_top_pins(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    (place / "packages/a").mkdir(parents=True)
    (place / ".python-version").write_text("3.99.1\n")
    script(tmp_path / "shims", f'[ "$PYENV_VERSION" = 3.99.1 ] && exec {sys.executable} "$@"; exit 1')
    found = await find_python(str(tmp_path / "shims"), {}, str(place / "packages/a"))
    assert found.why == "pyenv has it for .python-version, 3.99.1"


async def test_an_environment_that_git_tracks_is_never_used(tmp_path: Path) -> None:
    """An agent may have written it: it came with a change that was merged."""
    place = repository(tmp_path / "r")
    environment(place / ".venv", pytest=False)
    git(place, "add", "-f", ".venv")
    found = await find_python(str(Path(sys.executable).parent), {}, str(place), needs_pytest=False)
    assert found.executable == Path(sys.executable)


async def test_our_own_environment_is_passed_over_when_it_has_no_pytest(tmp_path: Path) -> None:
    other = environment(tmp_path / "other", pytest=True)
    assert (await find_python(str(other.parent), {"VIRTUAL_ENV": str(tmp_path / "none")})).has_pytest
    named = await find_python(str(other.parent), {"CONDA_PREFIX": sys.prefix, "CONDA_DEFAULT_ENV": "base"})
    assert named.why == "the first on PATH that has pytest"


async def test_poetry_is_asked_where_it_keeps_the_environment(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    (place / "poetry.lock").write_text("")
    kept = environment(tmp_path / "kept", pytest=False)
    poetry = script(tmp_path / "tools", f"echo {kept.parent.parent}")
    poetry.rename(poetry.with_name("poetry"))
    found = await find_python(str(poetry.parent), {}, str(place), needs_pytest=False)
    assert found == Python(kept, has_pytest=False, why="Poetry keeps it for the repository")


@pytest.mark.parametrize("where", [".local/bin", ".local/share/pypoetry/venv/bin", "own/bin"])
async def test_poetry_is_found_where_its_installers_put_it(tmp_path: Path, where: str) -> None:
    place = repository(tmp_path / "r")
    (place / "poetry.lock").write_text("")
    kept = environment(tmp_path / "kept", pytest=True)
    poetry = script(tmp_path / where, f"echo {kept.parent.parent}")
    poetry.rename(poetry.with_name("poetry"))
    mine = {"HOME": str(tmp_path), "POETRY_HOME": str(tmp_path / "own")}
    assert (await find_python("", mine, str(place))).why == "Poetry keeps it for the repository"


async def test_poetry_is_asked_without_its_lock_file_and_answers_for_itself(tmp_path: Path) -> None:
    """An active environment, which is that of Buildwright, would be its answer; plugins may be files of the project."""
    place = repository(tmp_path / "r")
    (place / "pyproject.toml").write_text("[tool.poetry]\npackage-mode = false\n")
    kept = environment(tmp_path / "kept", pytest=True)
    said = f'[ "$1" = --no-plugins ] || touch {tmp_path}/ran; echo "${{VIRTUAL_ENV:-{kept.parent.parent}}}"'
    poetry = script(tmp_path / "tools", said)
    poetry.rename(poetry.with_name("poetry"))
    found = await find_python(str(poetry.parent), {"VIRTUAL_ENV": str(tmp_path / "none")}, str(place))
    assert found.why == "Poetry keeps it for the repository"
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("tool", ["poetry", "hatch"])
async def test_a_tracked_environment_is_never_used_though_a_tool_names_it(tmp_path: Path, tool: str) -> None:
    """Settings of a project say where these tools keep environments: an agent may have written both."""
    place = repository(tmp_path / "r")
    (place / f"{tool}.toml").write_text("[envs.default]\n")
    (place / "poetry.lock").write_text("")
    (place / "linked").symlink_to("tools", target_is_directory=True)
    real = environment(place / "tools" / "e", pytest=True)
    real.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n" + real.read_text())
    git(place, "add", "-f", "tools", "linked")
    for name in (real.parent.parent, place / "linked" / "e", place / "tools" / ".." / "tools" / "e"):
        program = script(tmp_path / f"path{len(str(name))}", f"echo {name}")
        program.rename(program.with_name(tool))
        await find_python(str(program.parent), {}, str(place))
        assert not (tmp_path / "ran").exists(), name


@pytest.mark.parametrize("key", ["requires = ['evil']", '"collect\\u006frs" = {custom = {}}'])
async def test_hatch_is_not_asked_where_it_would_run_code_for_the_project(tmp_path: Path, key: str) -> None:
    place = repository(tmp_path / "r")
    (place / "pyproject.toml").write_text(f"[tool.hatch.envs.default]\n[tool.hatch.env]\n{key}\n")
    program = script(tmp_path / "tools", f"touch {tmp_path}/ran")
    program.rename(program.with_name("hatch"))
    await find_python(str(program.parent), {}, str(place))
    assert not (tmp_path / "ran").exists()
    (place / "pyproject.toml").write_text("[tool.hatch.envs.default]\n")
    await find_python(str(program.parent), {}, str(place))
    assert (tmp_path / "ran").exists()


async def test_what_pdm_noted_is_used_unless_git_tracks_the_note(tmp_path: Path) -> None:
    place = repository(tmp_path / "r")
    kept = environment(tmp_path / "kept", pytest=False)
    (place / ".pdm-python").write_text(f"{kept}\n")
    found = await find_python("", {}, str(place), needs_pytest=False)
    assert found == Python(kept, has_pytest=False, why="PDM uses it for the repository")
    git(place, "add", ".pdm-python")
    assert (await find_python("", {}, str(place), needs_pytest=False)).executable != kept


async def test_without_pytest_anywhere_it_is_the_projects_python_and_never_our_own(tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", symlinks=True)
    bare = tmp_path / "bare" / "bin"
    found = await find_python(str(bare), {}, needs_pytest=False)
    assert (found.has_pytest, found.why) == (False, "the first on PATH")
    assert not found.executable.is_relative_to(Path(sys.prefix))
    wanted = await find_python(str(bare), {})
    assert wanted.why == "the first on PATH, and no other has pytest"


@pytest.mark.real_input
@pytest.mark.timeout(600)
async def test_hatch_is_asked_where_it_keeps_its_environments(tmp_path: Path) -> None:
    """The real Hatch, in an environment of its own, with its store where the user has put it."""
    uv, tools = Path(sys.executable).with_name("uv"), tmp_path / "tools"
    subprocess.run([uv, "venv", "--quiet", tools], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", tools / "bin" / "python", "hatch==1.18.2"], check=True)
    place = repository(tmp_path / "r")
    (place / "pyproject.toml").write_text(
        '[project]\nname = "small"\nversion = "1"\n[tool.hatch.envs.default]\nskip-install = true\ndependencies = ["pytest"]\n'
    )
    mine = {**os.environ, "HATCH_DATA_DIR": str(tmp_path / "store"), "VIRTUAL_ENV": ""}
    path = f"{tools / 'bin'}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}/usr/bin:/bin"
    before = await find_python(path, mine, str(place))
    assert "Hatch" not in before.why, "none is made yet"
    subprocess.run([tools / "bin" / "hatch", "-q", "env", "create"], check=True, cwd=place, env=mine)
    found = await find_python(path, mine, str(place))
    assert found.why == "Hatch keeps it for the repository, as small"
    assert found.has_pytest
    assert found.executable.is_relative_to(tmp_path / "store")
    (place / "hatch.toml").write_text("[env.collectors.custom]\npath = 'steal.py'\n")
    assert "Hatch" not in (await find_python(path, mine, str(place))).why, "its code would run outside of the sandbox"
