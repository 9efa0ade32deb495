"""Small real projects for the gates' tests, and what a gate is given to judge."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from buildwright.core.limits import Check, Limits, Options
from buildwright.core.patch import ChangeKind, FileChange, Patch
from buildwright.core.task import Task
from buildwright.ports import Judged
from tests.services import JUDGED

BASE = "0f0f5dc642cb6eb9a060e54bf8d69288fbee4904"
TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
PATH = os.pathsep.join((JUDGED, str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"))


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def change(path: str, kind: ChangeKind = "modified", mode: str = "100644", old_mode: str = "100644") -> FileChange:
    return FileChange(path=path, kind=kind, mode="" if kind == "deleted" else mode, old_mode=old_mode)


def patch(*changes: FileChange | str) -> Patch:
    full = tuple(change(one) if isinstance(one, str) else one for one in changes)
    return Patch(base_tree=TREE, tree=TREE, changes=full)


def changed(
    folder: Path,
    base: Mapping[str, str],
    edits: Mapping[str, str | None],
    links: Mapping[str, str] | None = None,
    **more: Any,
) -> Judged:
    """Return a change to judge as the engine does: `edits` are new texts by path (None deletes), `links` targets."""
    before, after = write(folder / "base", base), write(folder / "new", base)
    for path, text in edits.items():
        if text is None:
            (after / path).unlink()
        else:
            write(after, {path: text})
    for path, target in (links or {}).items():
        (after / path).unlink(missing_ok=True)
        (after / path).symlink_to(target)
    changes = [
        FileChange(
            path=path,
            kind="deleted" if text is None else "modified" if path in base else "added",
            mode="" if text is None else "100644",
            old_mode="100644" if path in base else "",
        )
        for path, text in edits.items()
    ]
    changes += [FileChange(path=path, kind="type", mode="120000", old_mode="100644") for path in links or {}]

    clean = shutil.copytree(after, folder / "clean", symlinks=True)

    @asynccontextmanager
    async def checkout(tree: str) -> AsyncIterator[Path]:
        assert tree in {BASE, TREE}
        with tempfile.TemporaryDirectory(dir=folder) as made:
            yield Path(shutil.copytree(before if tree == BASE else clean, Path(made) / "files", symlinks=True))

    async def read_base(path: str) -> bytes | None:
        return (before / path).read_bytes() if (before / path).is_file() else None

    what = Patch(base_tree=BASE, tree=TREE, changes=tuple(changes))
    return replace(judged(after, what, **more), base_tree=BASE, checkout=checkout, read_base=read_base)


def judged(
    files: Path | None = None,
    what: Patch | None = None,
    on_output: Callable[[str], None] | None = None,
    task: Mapping[str, Any] | None = None,
    checks: tuple[Check, ...] = (),
    **options: Any,
) -> Judged:
    limits = {"gate_seconds": 60.0} | {
        name: options.pop(name) for name in tuple(options) if name in Limits.model_fields
    }
    return Judged(
        build_id="b1",
        task=Task.model_validate({"id": "t1", "title": "A task", **task}) if task is not None else None,
        tree=TREE,
        patch=what,
        files=files,
        options=Options(checks=checks, limits=Limits(**limits), **options),
        on_output=on_output,
    )
