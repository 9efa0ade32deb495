"""Small real projects for the gates' tests, and what a gate is given to judge."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from buildwright.core.limits import Check, Limits, Options
from buildwright.core.patch import ChangeKind, FileChange, Patch
from buildwright.core.task import Task
from buildwright.ports import Judged

TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
PATH = os.pathsep.join((str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"))


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


def judged(
    files: Path | None = None,
    what: Patch | None = None,
    on_output: Callable[[str], None] | None = None,
    task: Mapping[str, Any] | None = None,
    checks: tuple[Check, ...] = (),
    **options: Any,
) -> Judged:
    seconds = options.pop("gate_seconds", 60.0)
    return Judged(
        build_id="b1",
        task=Task(id="t1", title="A task", **task) if task is not None else None,
        tree=TREE,
        patch=what,
        files=files,
        options=Options(checks=checks, limits=Limits(gate_seconds=seconds), **options),
        on_output=on_output,
    )
