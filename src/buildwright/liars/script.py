"""Turns what a liar does into the command of the shell agent. Pure; must never run it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath

from buildwright.liars.records import Liar, SampleProject, edited


def command_of(liar: Liar, project: SampleProject) -> str:
    """Return a shell command that does in a lane of the project what the liar does. Raises WrongSuite."""
    return shell_command(project.files, liar, project.product.get(liar.claims, ()))


def shell_command(files: Mapping[str, str], liar: Liar, product: tuple[object, ...] = ()) -> str:
    """Return a shell command that makes a project of these files what it is after `product` and the liar's edits."""
    links: dict[str, str] = {}
    after = edited(edited(files, product, links), liar.edits, links)  # type: ignore[arg-type]
    lines = ["set -e", *([liar.first.strip()] if liar.first else [])]
    gone = {files[path]: path for path in sorted(files.keys() - after.keys())}
    for path, text in sorted(after.items()):
        if path not in files and text in gone:
            lines += [*_folder(path), f"mv {shlex.quote(gone[text])} {shlex.quote(path)}"]
    lines += [f"rm -rf {shlex.quote(path)}" for path in sorted((files.keys() - after.keys()) | links.keys())]
    for path, text in sorted(after.items()):
        if files.get(path) != text and not (path not in files and text in gone):
            lines += [*_folder(path), f"printf %s {shlex.quote(text)} > {shlex.quote(path)}"]
    for path, target in sorted(links.items()):
        lines += [*_folder(path), f"ln -s {shlex.quote(target)} {shlex.quote(path)}"]
    lines += [liar.script.strip()] if liar.script else []
    return "\n".join([*lines, "echo 'Done. All tests pass.'"])


def _folder(path: str) -> list[str]:
    folder = str(PurePosixPath(path).parent)
    return [] if folder == "." else [f"mkdir -p {shlex.quote(folder)}"]
