"""Puts our hook before git's commits, and takes it out. Must never lose a hook that was there, nor run one."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

from buildwright.errors import BadRepository, Conflict, GitFailed, ToolMissing
from buildwright.workspace.source import Source

NAME = "pre-commit"
KEPT = "pre-commit.before-buildwright"
"""The hook that was there before; ours runs it first."""
_MARK = "# This hook is of buildwright"
_PATIENCE_SECONDS = 30.0


def folder_of_hooks(source: Source, environment: Mapping[str, str]) -> Path:
    """Return where git looks for the hooks of a repository: `core.hooksPath`, else `hooks` of its git directory.

    The user's own configuration counts, so git is asked with the user's environment; `git config` runs no program.
    Raises BadRepository, GitFailed, ToolMissing.
    """
    if source.git_dir is None or source.work_tree is None:
        raise BadRepository(f"{source.location} has no work tree to commit in.", fix="Name a clone with a work tree.")
    argv = ["git", f"--git-dir={source.git_dir}", "config", "--type=path", "--get", "core.hooksPath"]
    outside = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(argv, env=outside, capture_output=True, check=False, timeout=_PATIENCE_SECONDS)
    except FileNotFoundError as error:
        raise ToolMissing("git is not installed.", fix="Install git 2.38 or newer.") from error
    except subprocess.TimeoutExpired as error:
        raise GitFailed("git config did not answer.", fix="Try again.") from error
    if done.returncode not in {0, 1}:
        words = done.stderr.decode(errors="replace").strip()
        raise GitFailed(f"git config failed: {words}", fix="Fix the configuration that git names.")
    named = os.fsdecode(done.stdout.rstrip(b"\n"))
    return source.work_tree / named if named else Path(source.location) / "hooks"


def install(folder: Path, command: list[str]) -> tuple[Path, bool]:
    """Write the hook, in place of an older one of ours; return its file, and whether a hook of others runs before it.

    `command` starts this program. Raises Conflict when two hooks of others would have to be kept.
    """
    file, kept = folder / NAME, folder / KEPT
    folder.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(file) and not is_ours(file):
        if os.path.lexists(kept):
            raise Conflict(f"{file} and {kept} are both there", fix=f"put the two into {file}, and remove {kept}")
        file.rename(kept)
    fresh = folder / f"{NAME}.new"
    fresh.write_text(_script(command))
    fresh.chmod(0o755)
    fresh.replace(file)
    return file, os.path.lexists(kept)


def remove(folder: Path) -> bool:
    """Take the hook out and bring back the one before it; return whether there was one of ours."""
    file, kept = folder / NAME, folder / KEPT
    if not is_ours(file):
        return False
    if os.path.lexists(kept):
        kept.replace(file)
    else:
        file.unlink()
    return True


def is_ours(file: Path) -> bool:
    """Return whether a file is the hook that `install` writes."""
    try:
        return _MARK in file.read_text(errors="replace")
    except OSError:
        return False


def _script(command: list[str]) -> str:
    program = shlex.quote(command[0])
    return f"""#!/bin/sh
{_MARK}: it refuses a commit that adds a secret. `buildwright hook remove` takes it out.
here=$(dirname "$0")
if [ -x "$here/{KEPT}" ]; then "$here/{KEPT}" "$@" || exit; fi
[ -x {program} ] || {{
  echo "buildwright is not at "{program}" any more: install it and say 'buildwright hook install' again, or remove $0" >&2
  exit 1
}}
exec {shlex.join(command)} secrets scan --staged
"""
