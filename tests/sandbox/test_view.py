"""What a command in the box sees of this machine's programs, and that it is no home and no project."""

from __future__ import annotations

import venv
from pathlib import Path

import pytest

from buildwright.ports import Command
from buildwright.sandbox import Bubblewrap


@pytest.mark.parametrize("kind", ["a home", "a project"])
async def test_an_environment_in_a_home_or_project_is_shown_without_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    around, work = tmp_path / "around", tmp_path / "work"
    work.mkdir()
    venv.create(around, symlinks=True)
    (around / "share").mkdir(exist_ok=True)
    around.chmod(0o755)
    if kind == "a home":
        monkeypatch.setenv("HOME", str(around))
        (around / ".ssh").mkdir()
        (around / ".ssh" / "id").write_text("private-key-1")
    else:
        (around / ".env").write_text("PASSWORD=private-key-1")
    env = {"PATH": f"{around}/bin:/usr/bin:/bin"}
    script = f"ls -A {around}; cat {around}/.ssh/id {around}/.env; python3 -c 'import sys; print(sys.prefix)'"
    done = await Bubblewrap().run(Command(("sh", "-c", script), work, env))
    text = done.output.decode()
    assert str(around) in text.splitlines(), "its Python is that environment's"
    assert "private-key-1" not in text
    assert {".ssh", ".env"}.isdisjoint(text.split())


async def test_a_folder_of_programs_beside_a_library_is_shown_without_the_projects_files(tmp_path: Path) -> None:
    project, work = tmp_path / "project", tmp_path / "work"
    work.mkdir()
    for name in ("bin", "lib"):
        (project / name).mkdir(parents=True)
    (project / "lib" / "tool.txt").write_text("of the tool")
    (project / ".env").write_text("PASSWORD=private-key-1")
    command = Command(
        ("sh", "-c", f"cat {project}/lib/tool.txt {project}/.env"), work, {"PATH": f"{project}/bin:/usr/bin:/bin"}
    )
    text = (await Bubblewrap().run(command)).output.decode()
    assert "of the tool" in text
    assert "private-key-1" not in text


async def test_a_program_of_npm_is_shown_with_the_packages_beside_it(tmp_path: Path) -> None:
    """As after `npm install --global` with a prefix in the home: the link leads into a package that has no `lib`."""
    prefix, work = tmp_path / ".local", tmp_path / "work"
    work.mkdir()
    for name in ("tool/bin", "tool/dist", "other"):
        (prefix / "lib" / "node_modules" / name).mkdir(parents=True)
    program = prefix / "lib/node_modules/tool/bin/tool"
    program.write_text('#!/bin/sh\ncat "$(dirname "$(readlink -f "$0")")/../dist/tool.txt"\n')
    program.chmod(0o755)
    (prefix / "lib/node_modules/tool/dist/tool.txt").write_text("of the tool")
    (prefix / "share").mkdir()
    (prefix / "share" / "key").write_text("private-key-1")
    (prefix / "bin").mkdir()
    (prefix / "bin" / "tool").symlink_to("../lib/node_modules/tool/bin/tool")
    command = Command(("sh", "-c", f"tool; cat {prefix}/share/key"), work, {"PATH": f"{prefix}/bin:/usr/bin:/bin"})
    text = (await Bubblewrap().run(command)).output.decode()
    assert "of the tool" in text
    assert "private-key-1" not in text


async def test_a_program_that_bun_or_pnpm_has_installed_finds_the_packages_beside_its_own(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    bun, pnpm = home / ".bun", home / ".local" / "share" / "pnpm"
    packages = bun / "install" / "global" / "node_modules"
    for folder in (bun / "bin", packages / "@maker" / "agent", packages / "@maker" / "agent-linux", pnpm / "bin"):
        folder.mkdir(parents=True)
    agent = packages / "@maker" / "agent" / "start.sh"
    agent.write_text('#!/bin/sh\ncat "$(dirname "$(realpath "$0")")/../agent-linux/part"\n')
    agent.chmod(0o755)
    (packages / "@maker" / "agent-linux" / "part").write_text("the part for Linux\n")
    (bun / "bin" / "agent").symlink_to("../install/global/node_modules/@maker/agent/start.sh")
    stored = pnpm / "store" / "v11" / "links" / "tool" / "node_modules" / "tool"
    for folder in (stored, pnpm / "global" / "v11" / "a1" / "node_modules"):
        folder.mkdir(parents=True)
    (stored / "part").write_text("the stored part\n")
    (pnpm / "global" / "v11" / "a1" / "node_modules" / "tool").symlink_to(stored)
    tool = pnpm / "bin" / "tool"
    tool.write_text('#!/bin/sh\ncat "${0%/*}/../global/v11/a1/node_modules/tool/part"\n')
    tool.chmod(0o755)
    (pnpm / "private").write_text("private-key-1")
    script = f"agent && tool && ls -A {pnpm} {home}"
    done = await Bubblewrap().run(Command(("sh", "-c", script), work, {"PATH": f"{bun}/bin:{pnpm}/bin:/usr/bin:/bin"}))
    text = done.output.decode()
    assert (done.exit_code, text.splitlines()[:2]) == (0, ["the part for Linux", "the stored part"]), text
    assert "private" not in text
