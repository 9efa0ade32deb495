"""Judges the paths of a patch: protected, or foreign to the task. Must never read a file."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from buildwright.core.finding import Finding
from buildwright.core.languages import language_of
from buildwright.core.patch import FileChange, Patch
from buildwright.core.paths import check_path, is_protected
from buildwright.core.proof import can_be_proven
from buildwright.core.task import Task
from buildwright.errors import UnsafePath
from buildwright.gates.needs import SETTINGS
from buildwright.gates.project_folder import around
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.surface import is_test
from buildwright.ports import Judged, Judgement

OWN_PATHS = (SETTINGS,)
"""Protected in every project: a patch that can choose its own checks is not checked."""

_SUBMODULE = "160000"
_MOST_SHOWN = 5
_LOCKFILES = frozenset(
    (
        "bun.lock",
        "bun.lockb",
        "cargo.lock",
        "gemfile.lock",
        "go.sum",
        "npm-shrinkwrap.json",
        "package-lock.json",
        "pdm.lock",
        "pipfile.lock",
        "pnpm-lock.yaml",
        "poetry.lock",
        "uv.lock",
        "yarn.lock",
    )
)
LARGE = 1_000_000
"""Bytes from which on a new file is warned of."""
_OF_TOOLS = frozenset(
    ("build", "coverage", "dist", "htmlcov", "log", "logs", "obj", "out", "target", "temp", "tmp", ".next", ".cache")
)
"""Folders that git ignores in most projects and tools write to."""


class ScopeGate:
    """Judges whether the patch is where its task said it would be.

    Four levels: a path that the task names; a companion of one (a test, a lock file, the same stem); any other, which
    is noted; a protected one, which is refused. A task that names no files may touch all that is not protected.
    """

    name = "scope"
    needs_files = False
    refuses = "an empty change, a protected path, a submodule"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch."""
        if judged.patch is None:
            return []
        return [judgement(self.name, "scope", list(_findings(judged, judged.patch)))]


def _findings(judged: Judged, patch: Patch) -> Iterator[Finding]:
    if patch.is_empty and not can_be_proven(judged.task):
        yield finding(
            "scope.empty", f"Nothing was changed{patch.without}.", fix="make the change that the task asks for"
        )
    elif patch.ignored:
        yield _ignored(patch, judged.task.files_expected if judged.task is not None else ())
    for path in patch.left_out:
        yield finding(
            "scope.submodule_kept",
            f"{path} is a file of a submodule, and the change to it was not taken.",
            path,
            severity="warning",
            fix="change it in the submodule's own repository",
        )
    extra = (*judged.options.protected, *OWN_PATHS, *(f"{folder}{SETTINGS}" for folder in around(judged.options.part)))
    for change in patch.changes:
        refused = list(
            _forbidden(change, extra, judged.options.allow, judged.task.files_expected if judged.task else ())
        )
        yield from refused
        yield from _large(change)
        if judged.task is not None and not refused:
            yield from _out_of_scope(change, judged.task, judged.options.part)
    yield from _outside_part(patch, judged.options.part)


def _ignored(patch: Patch, named: tuple[str, ...]) -> Finding:
    """Return a warning where code or what the task names is lost, a note where it looks like what a tool made."""
    lost = any(
        is_named(path, named) or (language_of(path) and _OF_TOOLS.isdisjoint(path.lower().split("/")[:-1]))
        for path in patch.ignored
    )
    return finding(
        "scope.ignored",
        f"The change has less than what was written{patch.without}.",
        patch.ignored[0],
        severity="warning" if lost else "note",
        fix="write it elsewhere, or open the .gitignore with `--allow .gitignore`",
    )


def _forbidden(
    change: FileChange, extra: tuple[str, ...], allow: tuple[str, ...], named: tuple[str, ...]
) -> Iterator[Finding]:
    path = change.path
    try:
        check_path(path)
    except UnsafePath as error:
        yield finding("scope.unsafe", error.message, fix=error.fix or "")
        return
    if reason := is_protected(path, extra, allow, named):
        yield finding(
            "scope.protected",
            f"{path} may not be changed without a person: {reason}.",
            path,
            fix=f"leave {path} as it was; a person can open it with `--allow {path}`",
        )
    if _SUBMODULE in {change.mode, change.old_mode}:
        yield finding(
            "scope.submodule",
            f"{path} is a git repository of its own (submodule), which cannot be merged as files.",
            path,
            fix=f"remove the .git directory in {path}, or leave the submodule as it was",
        )


def _large(change: FileChange) -> Iterator[Finding]:
    is_lock = change.path.rpartition("/")[2].lower() in _LOCKFILES
    if change.kind == "added" and change.size > LARGE and not is_lock:
        message = f"{change.path} has {change.size / 1e6:.1f} MB: every clone of the repository will have it, too."
        yield finding(
            "scope.large", message, change.path, severity="warning", fix="keep it elsewhere, if it is not source code"
        )


def _outside_part(patch: Patch, part: str) -> Iterator[Finding]:
    """Yield a warning about changes outside of the part that the build is about: its checks may not concern them."""
    paths = [path for path in patch.paths if part and not path.startswith(f"{part}/")]
    others = [path for path in paths if path.rpartition("/")[2].lower() not in _LOCKFILES]
    if others:
        shown = ", ".join(others[:_MOST_SHOWN]) + (
            f" and {len(others) - _MOST_SHOWN} more" if len(others) > _MOST_SHOWN else ""
        )
        message = f"Outside of {part}, the part whose checks judge this build, it changes {shown}."
        fix = f"have the rest of the repository tested too, or leave it as it was: this build is about {part}"
        yield finding("scope.outside_part", message, others[0], severity="warning", fix=fix)


def _out_of_scope(change: FileChange, task: Task, part: str) -> Iterator[Finding]:
    path = change.path
    inside = path.removeprefix(f"{part}/") if part else path
    named = is_named(path, task.files_expected) or is_named(inside, task.files_expected)
    if not task.files_expected or named or _is_companion(path, task.files_expected):
        return
    if change.kind == "deleted":
        message = f"{path} was deleted, and it is not among the files the task named."
        yield finding("scope.outside", message, path, severity="warning", fix=f"bring {path} back if it is needed")
    else:
        yield finding("scope.outside", f"{path} is not among the files the task named.", path, severity="note")


def is_named(path: str, expected: tuple[str, ...]) -> bool:
    """Return whether a path is, or lies below, one of the paths, directories or globs that a task names."""
    for pattern in expected:
        wanted = pattern.removeprefix("./").rstrip("/")
        if path == wanted or path.startswith(f"{wanted}/") or fnmatchcase(path, wanted):
            return True
    return False


def _is_companion(path: str, expected: tuple[str, ...]) -> bool:
    name = path.rpartition("/")[2]
    if is_test(path) or name.lower() in _LOCKFILES or name == "__init__.py":
        return True
    stems = {pattern.rpartition("/")[2].split(".", 1)[0] for pattern in expected}
    return name.split(".", 1)[0] in stems
