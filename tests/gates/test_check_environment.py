"""Variables of toolchains, and what a sandboxed command sees of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildwright.gates.check_environment import check_environment
from buildwright.ports import Command
from buildwright.sandbox.view import tool_paths
from tests.gates.projects import PATH, write

PNPM = {"pnpm_config_verify_deps_before_run": "false"}


def made(tmp_path: Path, path: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    return check_environment(tmp_path / "private", tmp_path / "files", path, environment or {})


def program(tmp_path: Path, name: str) -> Path:
    file = write(tmp_path, {name: "#!/bin/sh\n"}) / name
    file.chmod(0o755)
    return file


def test_without_a_toolchain_only_the_package_manager_is_told(tmp_path: Path) -> None:
    assert made(tmp_path, str(tmp_path)) == PNPM


def test_rustup_finds_its_toolchains_and_keeps_what_it_gets_in_the_judgement(tmp_path: Path) -> None:
    program(tmp_path, "home/.cargo/bin/cargo")
    write(tmp_path, {"home/.rustup/toolchains/stable/x": "", "other/toolchains/x": ""})
    path = str(tmp_path / "home" / ".cargo" / "bin")
    cargo = {"CARGO_HOME": str(tmp_path / "private" / "cargo")}
    assert made(tmp_path, path) == {**PNPM, **cargo, "RUSTUP_HOME": str(tmp_path / "home" / ".rustup")}
    given = {"RUSTUP_HOME": str(tmp_path / "other")}
    assert made(tmp_path, path, given) == {**PNPM, **cargo, **given}
    assert made(tmp_path, str(tmp_path), {"RUSTUP_HOME": str(tmp_path / "gone")}) == PNPM


def test_go_caches_lie_in_the_checkout_that_is_judged(tmp_path: Path) -> None:
    folder = program(tmp_path, "bin/go").parent
    variables = made(tmp_path, str(folder))
    assert {variables[name] for name in ("GOCACHE", "GOMODCACHE")} == {
        str(tmp_path / "files" / ".go-cache" / name) for name in ("build", "mod")
    }


def shown(tmp_path: Path, path: Path, **env: str) -> list[Path]:
    return tool_paths(Command(("true",), tmp_path, {"PATH": os.pathsep.join((str(path), PATH)), **env}, seconds=1.0))


def test_programs_behind_links_are_shown(tmp_path: Path) -> None:
    real = program(tmp_path, "packages/bun/bin/bun")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bun").symlink_to(real)
    assert real.parent in shown(tmp_path, tmp_path / "bin")


def test_links_are_looked_at_again_when_their_folder_changes(tmp_path: Path) -> None:
    first, second = program(tmp_path, "packages/bun/bin/bun"), program(tmp_path, "packages/deno/bin/deno")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "bun").symlink_to(first)
    assert second.parent not in shown(tmp_path, folder)
    (folder / "deno").symlink_to(second)
    assert {first.parent, second.parent} <= set(shown(tmp_path, folder))
    write(first.parent, {".ssh/key": ""})
    assert first.parent not in shown(tmp_path, folder), "whether it is a home is asked each time"


def test_of_npms_folder_of_programs_all_packages_are_shown(tmp_path: Path) -> None:
    real = program(tmp_path, "node_modules/bun/bin/bun.exe")
    (tmp_path / "node_modules" / ".bin").mkdir()
    (tmp_path / "node_modules" / ".bin" / "bun").symlink_to(real)
    assert tmp_path / "node_modules" in shown(tmp_path, tmp_path / "node_modules" / ".bin")


@pytest.mark.parametrize("inside", ["", ".ssh/"])
def test_a_link_into_a_home_shows_none_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    home = tmp_path / "home"
    real = program(home, "tool")
    write(home, {f"{inside or '.config/'}key": ""})
    if not inside:
        monkeypatch.setenv("HOME", str(home))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tool").symlink_to(real)
    assert home not in shown(tmp_path, tmp_path / "bin")


def test_toolchains_of_rustup_are_shown_where_they_are_set(tmp_path: Path) -> None:
    write(tmp_path, {"rust/toolchains/x": ""})
    assert tmp_path / "rust" in shown(tmp_path, tmp_path / "none", RUSTUP_HOME=str(tmp_path / "rust"))
