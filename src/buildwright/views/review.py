"""A change to be reviewed: files and hunks, each with the task that made it and what it is for. Pure; must never judge."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal

from buildwright.core.build import Build
from buildwright.core.languages import language_of
from buildwright.core.record import Record
from buildwright.views.line_words import Comparing, pieces_of
from buildwright.views.overview import findings_of

LineKind = Literal["same", "added", "removed"]
FileKind = Literal["added", "changed", "deleted", "renamed"]
LARGE = 250
"""Changed lines of one file above which a page shows it only when asked."""

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@ ?(.*)")
_OCTAL = re.compile(r'\\([0-7]{3}|["\\tn])')
_KINDS: dict[str, LineKind] = {" ": "same", "+": "added", "-": "removed"}


class DiffLine(Record):
    """One line of a hunk; `old` and `new` are its numbers from 1, None where it is not there."""

    kind: LineKind
    text: str
    old: int | None = None
    new: int | None = None
    unended: bool = False
    """Whether it is the last line of its file, and no newline ends it."""
    pieces: tuple[str, ...] = ()
    """The text in pieces, by turns unchanged and changed, an unchanged one first; () where no words were compared."""


class Purpose(Record):
    """A task that made a hunk, and what it was asked for."""

    task: str
    title: str
    requirements: tuple[str, ...] = ()
    """Its requirements; else its acceptance, else its goal."""
    commit: str = ""


class DiffHunk(Record):
    """One hunk."""

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    heading: str = ""
    """What git says of its place, such as the function around it."""
    lines: tuple[DiffLine, ...] = ()
    purposes: tuple[Purpose, ...] = ()
    """In the order of the lines."""
    unasked: str = ""
    """Why no task asks for it; "" when one does."""


class DiffFile(Record):
    """The change of one file."""

    path: str
    old_path: str = ""
    """Its name before, if it was renamed."""
    mode: str = ""
    """The mode that the change gives it, as git writes it, such as `100755`; "" when it stays as it is."""
    old_blob: str = ""
    """The id of its content before, as git shortens it; "" when the content stays."""
    new_blob: str = ""
    """The id of its content after."""
    kind: FileKind = "changed"
    language: str = ""
    binary: bool = False
    large: bool = False
    """Whether it has more than LARGE changed lines: a page shows it only when asked."""
    added: int = 0
    removed: int = 0
    hunks: tuple[DiffHunk, ...] = ()


class ReviewView(Record):
    """The change of a build, or of one of its tasks, to be reviewed."""

    build: str
    version: int
    task: str
    """"" for all that has landed."""
    old: str
    new: str
    files: tuple[DiffFile, ...] = ()
    added: int = 0
    removed: int = 0
    unasked: int = 0
    """Hunks that no task asks for."""


def diff_files(text: str) -> tuple[DiffFile, ...]:
    """Return the files of a unified diff as git writes it."""
    return tuple(_file(part) for part in re.split(r"^(?=diff --git )", text, flags=re.MULTILINE) if part.strip())


def _file(part: str) -> DiffFile:
    head, _, body = part.partition("\n@@")
    named = {
        name: _path(value)
        for name, value in re.findall(r"^(---|\+\+\+|rename from|rename to) (.*)$", head, re.MULTILINE)
    }
    both = re.match(r"diff --git (?:a/(?P<same>.+) b/(?P=same)|(?P<quoted>\".*))\n?", head)
    shown = (both["same"] or _path(both["quoted"].rpartition(' "')[2])) if both else ""
    new, old = named.get("rename to") or named.get("+++", ""), named.get("rename from") or named.get("---", "")
    deleted, made = "\ndeleted file mode" in head, "\nnew file mode" in head
    hunks = tuple(_hunks("@@" + body)) if body else ()
    added = sum(line.kind == "added" for hunk in hunks for line in hunk.lines)
    removed = sum(line.kind == "removed" for hunk in hunks for line in hunk.lines)
    path = (old if deleted else new) or shown
    renamed = "rename from" in named
    mode = re.search(r"^new (?:file )?mode ([0-7]+)$", head, re.MULTILINE)
    blobs = re.search(r"^index ([0-9a-f]+)\.\.([0-9a-f]+)", head, re.MULTILINE)
    return DiffFile(
        path=path,
        old_path=named["rename from"] if renamed else "",
        mode=mode[1] if mode else "",
        old_blob=blobs[1] if blobs else "",
        new_blob=blobs[2] if blobs else "",
        kind="added" if made else "deleted" if deleted else "renamed" if renamed else "changed",
        language=language_of(path),
        binary="\nBinary files " in head or "\nGIT binary patch" in head,
        large=added + removed > LARGE,
        added=added,
        removed=removed,
        hunks=hunks,
    )


def _path(name: str) -> str:
    """Return a path of a head of git's, without its quotes and the letter in front; "" for no file."""
    name = name.rstrip("\t")
    if name.startswith('"'):
        raw = _OCTAL.sub(lambda found: _unescaped(found[1]), name.strip('"'))
        name = raw.encode("latin-1", "replace").decode("utf-8", "replace")
    return "" if name == "/dev/null" else re.sub(r"^[ab]/", "", name)


def _unescaped(code: str) -> str:
    return {"t": "\t", "n": "\n"}.get(code) or (chr(int(code, 8)) if code.isdigit() else code)


def _hunks(body: str) -> Iterator[DiffHunk]:
    hunk, lines, old, new = None, list[DiffLine](), 0, 0
    for row in body.split("\n"):
        if found := _HUNK.match(row):
            if hunk is not None:
                yield hunk.model_copy(update={"lines": tuple(lines)})
            old, new, lines = int(found[1]), int(found[3]), []
            counts = [int(found[group]) if found[group] is not None else 1 for group in (2, 4)]
            hunk = DiffHunk(old_start=old, old_lines=counts[0], new_start=new, new_lines=counts[1], heading=found[5])
        elif kind := _KINDS.get(row[:1]):
            before, after = kind != "added", kind != "removed"
            lines.append(DiffLine(kind=kind, text=row[1:], old=old if before else None, new=new if after else None))
            old, new = old + before, new + after
        elif row.startswith("\\") and lines:
            lines[-1] = lines[-1].model_copy(update={"unended": True})
    if hunk is not None:
        yield hunk.model_copy(update={"lines": tuple(lines)})


class LineOwners:
    """Which commit each line of each file came from, found by replaying the commits of a straight history in order."""

    def __init__(self) -> None:
        self._of_file: dict[str, list[str]] = {}
        self._removed: dict[str, dict[str, list[str]]] = {}

    def add(self, commit: str, files: Sequence[DiffFile]) -> None:
        """Apply the change of one commit: a diff without context and without renames."""
        for file in files:
            owners = self._of_file.setdefault(file.path, [])
            for hunk in file.hunks:
                start = hunk.new_start - 1 if hunk.new_lines else hunk.new_start
                owners.extend([""] * (start - len(owners)))
                owners[start : start + hunk.old_lines] = [commit] * hunk.new_lines
                for line in hunk.lines:
                    if line.kind == "removed":
                        self._removed.setdefault(file.path, {}).setdefault(line.text, []).append(commit)

    def of(self, file: DiffFile, hunk: DiffHunk) -> tuple[str, ...]:
        """Return the commits that made a hunk of the whole change, in the order of its lines."""
        owners, found = self._of_file.get(file.path, []), list[str]()
        gone = self._removed.get(file.old_path or file.path, {})
        for line in hunk.lines:
            if line.kind == "added" and line.new is not None and line.new <= len(owners):
                found.append(owners[line.new - 1])
            elif line.kind == "removed":
                found += gone.get(line.text, ())
        return tuple(dict.fromkeys(filter(None, found)))

    def of_lines(self, path: str, lines: int) -> list[str]:
        """Return the commit of each of the first lines of a file, "" for those that no commit here made."""
        owners = self._of_file.get(path, [])[:lines]
        return owners + [""] * (lines - len(owners))


def owners_in(log: str) -> LineOwners:
    """Return the owners of lines from `git log -p`, oldest first: each commit behind a NUL and its id, without context."""
    owners = LineOwners()
    for entry in log.split("\0")[1:]:
        commit, _, text = entry.partition("\n")
        owners.add(commit.strip(), diff_files(text))
    return owners


def review_of(
    build: Build, task: str, ends: tuple[str, str], files: Sequence[DiffFile], owners: LineOwners | None
) -> ReviewView:
    """Return a change with the purpose of each hunk. `owners` are of the whole build; None for the change of one task."""
    commits = {state.commit: name for name, state in build.tasks.items() if state.commit}
    known, comparing = _Purposes(build), Comparing()
    told = []
    for file in files:
        hunks = []
        for hunk in file.hunks:
            of = (
                (task,)
                if owners is None
                else tuple(commits[commit] for commit in owners.of(file, hunk) if commit in commits)
            )
            made = tuple(known.of(name) for name in dict.fromkeys(of))
            asked = {
                "purposes": made,
                "unasked": known.unasked(file.path, of),
                "lines": _in_pieces(hunk.lines, comparing),
            }
            hunks.append(hunk.model_copy(update=asked))
        told.append(file.model_copy(update={"hunks": tuple(hunks)}))
    return ReviewView(
        build=build.id,
        version=build.version,
        task=task,
        old=ends[0],
        new=ends[1],
        files=tuple(told),
        added=sum(file.added for file in told),
        removed=sum(file.removed for file in told),
        unasked=sum(bool(hunk.unasked) for file in told for hunk in file.hunks),
    )


def _in_pieces(lines: Sequence[DiffLine], comparing: Comparing) -> tuple[DiffLine, ...]:
    found = pieces_of([line.kind for line in lines], [line.text for line in lines], comparing)
    return tuple(
        line.model_copy(update={"pieces": found[place]}) if place in found else line for place, line in enumerate(lines)
    )


class LineTouch(Record):
    """Lines of a file that one attempt wrote last, as far as this build did."""

    first: int
    """From 1."""
    last: int
    task: str
    title: str
    requirements: tuple[str, ...] = ()
    agent: str = ""
    attempt: int = 0
    commit: str = ""


def touches_of(build: Build, path: str, owners: LineOwners, lines: int) -> tuple[LineTouch, ...]:
    """Return who wrote the lines of a file last, in order; lines that the build has not touched are left out."""
    known, commits = _Purposes(build), {state.commit: name for name, state in build.tasks.items() if state.commit}
    found, place = list[LineTouch](), 0
    for commit, run in groupby(owners.of_lines(path, lines)):
        first, place = place + 1, place + len(list(run))
        if (task := commits.get(commit)) is not None:
            why, state = known.of(task), build.task(task)
            made = {"agent": state.agent or known.agent(task), "attempt": state.attempt, "commit": commit}
            about = {"title": why.title, "requirements": why.requirements, **made}
            found.append(LineTouch.model_validate({"first": first, "last": place, "task": task, **about}))
    return tuple(found)


class _Purposes:
    """What the tasks of a build are for."""

    def __init__(self, build: Build) -> None:
        self._build = build
        self._known: dict[str, Purpose] = {}
        self._contracts = frozenset(build.spec.contracts.files if build.spec.contracts is not None else ())
        states: Mapping[str, object] = build.tasks
        self._outside = {
            (name, one.file)
            for name in states
            for one in findings_of(build.task(name))
            if one.code == "scope.outside" and one.file
        }

    def of(self, name: str) -> Purpose:
        """Return the purpose of a task's hunks."""
        if name not in self._known:
            plan, state = self._build.plan, self._build.task(name)
            task = plan.task(name) if plan is not None and name in plan.position else None
            asked = (task.requirements or task.acceptance or tuple(filter(None, (task.goal,)))) if task else ()
            title = task.title if task else "no task of the plan any more"
            self._known[name] = Purpose(task=name, title=title, requirements=asked, commit=state.commit)
        return self._known[name]

    def agent(self, name: str) -> str:
        """Return the agent that a task is given to."""
        plan = self._build.plan
        known = plan is not None and name in plan.position
        return self._build.options.agent_for(plan.task(name)) if plan is not None and known else ""

    def unasked(self, path: str, tasks: Sequence[str]) -> str:
        """Return why no task asks for a hunk of this file, "" when one does."""
        if not tasks:
            return "" if path in self._contracts else "no task of the plan made it"
        if all((task, path) in self._outside or self._named_elsewhere(task, path) for task in tasks):
            return f"{', '.join(tasks)} did not name {path}"
        return ""

    def _named_elsewhere(self, task: str, path: str) -> bool:
        """Return whether the task names files, and not this one nor a folder around it."""
        plan = self._build.plan
        if plan is None or task not in plan.position:
            return False
        named = plan.task(task).files_expected
        return bool(named) and not any(path == one or (one.endswith("/") and path.startswith(one)) for one in named)
