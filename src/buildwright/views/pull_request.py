"""What a pull request says of its build: requirements, tasks, checks, evidence. Pure.

Must never let a text of an agent, a model or a project act on the forge: mention a person, close an issue, show a link
or a picture.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape

from buildwright.core.build import Build, TaskPhase, TaskState
from buildwright.core.finding import Report
from buildwright.core.judged_base import base_waived
from buildwright.core.own_names import UNCONTAINED
from buildwright.core.task import Task
from buildwright.views.spec_progress import SpecPiece, SpecProgress, spec_progress
from buildwright.views.verdicts import approvals_of

_MOST = 100
"""Entries of each list. GitHub refuses a text of more than 65,536 characters."""
_LONGEST = 300
_TITLE = 200
_LARGEST = 60_000
_APART = "\u200b"
"""A space without a width: what it stands in is no mention, reference or address any more."""
_ACTS = re.compile(
    r"(?<=@)(?=[\w-])|(?<=#)(?=\d)|(?<=[!$%&~^])(?=\d)|(?<=\bGH-)(?=\d)|(?<=:)(?=//)|(?<=\bwww)(?=\.)", re.IGNORECASE
)
_SIGNS = re.compile(r"([\\`*_\[\]|#~])")


def title_of(build: Build) -> str:
    """Return the title of a new pull request: that of the spec."""
    return _ACTS.sub(_APART, _line(build.spec.title, _TITLE)) or f"Build {build.id[:8]}"


def section_of(build: Build, commit: str) -> str:
    """Return what the build says of its result, as Markdown of at most 60,000 characters. `commit` is what is delivered."""
    lines = [
        f"## {_state(build)}",
        "",
        f"Buildwright build `{build.id}`, commit `{commit[:12]}`.",
        "",
        *_unwalled(build),
        *_requirements(spec_progress(build)),
        *_tasks(build),
        *_checks(build),
        *_waived(build),
        *_evidence(build),
    ]
    text, size = list[str](), 0
    for line in lines:
        size += len(line) + 1
        if size > _LARGEST:
            text.append("(Cut here; `buildwright status` shows all of it.)")
            break
        text.append(line)
    return "\n".join(text)


def with_section(body: str, section: str, build_id: str) -> str:
    """Return the body of a pull request with the build's section in the place of the one before, else at its end.

    What a person has written around it stays.
    """
    begin, end = f"<!-- buildwright {build_id} -->", f"<!-- end of buildwright {build_id} -->"
    whole = f"{begin}\n{section}\n{end}"
    body = body.replace("\r\n", "\n")
    start, stop = body.find(begin), body.find(end)
    if 0 <= start < stop:
        return body[:start] + whole + body[stop + len(end) :]
    return f"{body.rstrip()}\n\n{whole}" if body.strip() else whole


def _state(build: Build) -> str:
    if not build.is_whole:
        return "Not done: this is what is proven so far"
    if not build.options.gates:
        return "Done, and no check has judged it"
    return "Done: every change has passed the checks"


def _unwalled(build: Build) -> Iterator[str]:
    if build.options.sandbox == "none":
        yield f"No sandbox: {UNCONTAINED}"
        yield ""


def _requirements(progress: SpecProgress) -> Iterator[str]:
    asked = [piece for document in progress.documents for piece in document.pieces if piece.asks]
    if not asked:
        return
    proven = sum(piece.state == "green" for piece in asked)
    yield f"### Requirements: {proven} of {len(asked)} proven"
    yield ""
    yield from _listed((_requirement(piece) for piece in asked), len(asked), "requirements")


def _requirement(piece: SpecPiece) -> str:
    mark = "x" if piece.state == "green" else " "
    return f"- [{mark}] {plain(piece.text)}" + (f" ({plain(piece.words)})" if piece.words else "")


def _tasks(build: Build) -> Iterator[str]:
    tasks = build.plan.graph.tasks if build.plan is not None else ()
    if not tasks:
        return
    yield f"### Tasks: {build.done} of {build.total} done"
    yield ""
    yield "| task | what | state | attempts | commit |"
    yield "| --- | --- | --- | --- | --- |"
    yield from _listed((_task(task, build.task(task.id)) for task in tasks), len(tasks), "tasks")


def _task(task: Task, state: TaskState) -> str:
    commit = f"`{state.commit[:12]}`" if state.commit else ""
    cells = (plain(task.id), plain(task.title), state.phase.value, str(state.attempt or ""), commit)
    return f"| {' | '.join(cells)} |"


def _checks(build: Build) -> Iterator[str]:
    """Yield what judged: the last word of each check on what landed, and on the whole where that was judged apart."""
    landed = [state for state in build.tasks.values() if state.phase is TaskPhase.DONE]
    verdicts = [state.verdict for state in sorted(landed, key=lambda one: one.landed)]
    newest: dict[str, Report] = {}
    for verdict in (*verdicts, build.verdict):
        newest |= {report.gate: report for report in verdict.reports} if verdict is not None else {}
    if not newest:
        return
    yield "### Checks"
    yield ""
    yield "| check | result | command |"
    yield "| --- | --- | --- |"
    yield from _listed(map(_check, newest.values()), len(newest), "checks")


def _check(report: Report) -> str:
    command = report.evidence.command if report.evidence is not None else ""
    return f"| {plain(report.gate)} | {report.result} | {plain(command)} |"


def _waived(build: Build) -> Iterator[str]:
    """Yield what a person let pass that the gates refused."""
    approvals = [one for name in sorted(build.tasks) for one in approvals_of(name, build.task(name))]
    accepted = base_waived(build)
    if not approvals and not accepted:
        return
    yield "### Let pass by a person"
    yield ""
    said = [f"- {plain(one.task)}: {plain(one.code)}, by {plain(one.by)}: {plain(one.reason)}" for one in approvals]
    said += [f"- before any change: {plain(str(one))}" for one in accepted]
    yield from _listed(iter(said), len(said), "findings")


def _evidence(build: Build) -> Iterator[str]:
    yield "### Evidence"
    yield ""
    yield "Where Buildwright runs, these show what each check and agent said, and prove the commits:"
    yield ""
    yield f"    buildwright why {build.id} TASK"
    yield f"    buildwright evidence {build.id}"
    yield f"    buildwright gates {build.id}"
    yield ""


def _listed(lines: Iterable[str], count: int, what: str) -> Iterator[str]:
    for number, line in enumerate(lines):
        if number == _MOST:
            yield ""
            yield f"And {count - _MOST} more {what}."
            break
        yield line
    yield ""


def plain(text: str) -> str:
    """Return a text of others as one line of at most 300 characters, that is plain text in Markdown, also in a table."""
    shown = _SIGNS.sub(r"\\\1", escape(_line(text, _LONGEST), quote=False))
    return _ACTS.sub(_APART, shown)


def _line(text: str, most: int) -> str:
    whole = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return whole if len(whole) <= most else f"{whole[: most - 1]}…"
