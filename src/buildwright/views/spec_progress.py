"""How far a build is, shown on the user's own spec: each part with its state, tasks, commits and checks. Pure.

Must never change a word of the spec. Which task builds a part is known where the plan says so (its list of tasks, the
names of features, the spec's own words in a task), and is found by the words that both share where it does not.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log
from typing import Literal, NamedTuple

from pydantic import Field

from buildwright.core.build import Build, TaskPhase, TaskState, landed_before
from buildwright.core.contracts import Contract, path_of
from buildwright.core.record import Record
from buildwright.core.spec_parts import ASKING, PieceKind, pieces_of
from buildwright.core.task import Task
from buildwright.views.statuses import TASKS

PartState = Literal["grey", "blue", "green", "red"]
"""Nothing has begun; it is worked on; proven; a task of it has failed."""
FoundBy = Literal["list", "quoted", "feature", "words"]
"""How the tasks of a part are known: it is the task, a task repeats its words, its feature is named, shared words."""

_LEAST_SHARED = 0.6
"""The least share of a part's words, by their weight, that a task must have to count as building it."""
_NEAR_BEST = 0.8
_SHORTEST = 12
"""Characters of a text that can be looked for in another one as a whole."""
_MOST_TASKS = 8
_STOP = frozenset(
    re.findall(
        "[a-z]+",
        "a an and are as at be been but by can could do does each every for from has have if in into is it its may must not"
        " of on only or shall should so such than that the their then there these they this those to was were when where"
        " which while will with without would you your",
    )
)
"""Words that say nothing of what is asked."""


class SpecTask(Record):
    """A task that builds a part of the spec, with what proves it."""

    id: str
    title: str
    phase: str
    """A `TaskPhase` value."""
    attempt: int = 0
    commit: str = ""
    reason: str = ""
    checks: tuple[SpecCheck, ...] = ()
    """What the gates said of its newest change."""
    evidence: str
    """Path of all there is to read about it."""


class SpecCheck(Record):
    """What one gate said of a change."""

    gate: str
    result: str
    command: str = ""
    tests: int | None = None
    exit_code: int | None = None


class SpecPiece(Record):
    """A piece of a text: joined, the pieces are the text."""

    text: str
    kind: PieceKind
    start: int
    """In characters (code points) of the text."""
    end: int
    line: int
    """From 1."""
    asks: bool
    """Whether it asks for something, so that it has a state."""
    state: PartState = "grey"
    words: str = ""
    """The state in words."""
    tasks: tuple[str, ...] = ()
    """Ids of the tasks that build it."""
    found_by: FoundBy | None = None


class SpecDocument(Record):
    """One text of the spec."""

    name: str
    pieces: tuple[SpecPiece, ...] = ()


class UncoveredPart(Record):
    """A part that no task builds."""

    document: int
    """Place of its document, from 0."""
    piece: int
    """Place of the piece in it, from 0."""
    text: str
    line: int


class SpecProgress(Record):
    """A spec as its own progress bar."""

    build: str
    version: int
    title: str
    form: str
    planned: bool
    """Whether there is a plan; without one nothing is said of what no task builds."""
    counts: dict[PartState, int] = Field(default_factory=dict)
    """Parts that ask for something, by state; all four are there."""
    uncovered: tuple[UncoveredPart, ...] = ()
    documents: tuple[SpecDocument, ...] = ()
    tasks: tuple[SpecTask, ...] = ()
    """All of the plan, in its order."""
    unasked: tuple[str, ...] = ()
    """Tasks that build no part of the text."""
    note: str = ""
    """What else a reader should know, such as a changed spec that is not planned yet."""


class _Text(NamedTuple):
    name: str
    text: str
    task: str = ""
    """The task that this text is, where it was made of the list of tasks."""


class _Link(NamedTuple):
    tasks: tuple[str, ...] = ()
    by: FoundBy | None = None


def spec_progress(build: Build) -> SpecProgress:
    """Return the spec of a build with the state of its parts. O(words of the spec and of the tasks)."""
    tasks = build.plan.graph.tasks if build.plan is not None else ()
    documents, links = _documents(build, tasks)
    told = _Telling(build)
    shown = tuple(
        SpecDocument(name=name, pieces=tuple(told.piece(raw, link) for raw, link in zip(pieces, found, strict=True)))
        for (name, pieces), found in zip(documents, links, strict=True)
    )
    asked = [(d, p, piece) for d, document in enumerate(shown) for p, piece in enumerate(document.pieces) if piece.asks]
    named = {task for _, _, piece in asked for task in piece.tasks}
    counted = Counter(piece.state for _, _, piece in asked)
    return SpecProgress(
        build=build.id,
        version=build.version,
        title=build.spec.title,
        form=build.spec.form,
        planned=build.plan is not None,
        counts={state: counted[state] for state in ("grey", "blue", "green", "red")},
        uncovered=tuple(
            UncoveredPart(document=d, piece=p, text=piece.text, line=piece.line)
            for d, p, piece in asked
            if build.plan is not None and not piece.tasks
        ),
        documents=shown,
        tasks=tuple(told.task(task) for task in tasks),
        unasked=tuple(task.id for task in tasks if task.id not in named),
        note="The spec was changed; the planner has not said yet what that means." if build.new_spec else "",
    )


def _documents(build: Build, tasks: Sequence[Task]) -> tuple[list[tuple[str, list[SpecPiece]]], list[list[_Link]]]:
    """Return the texts in pieces, and for each piece the tasks that build it."""
    spec = build.spec
    if spec.contracts is not None:
        folder = spec.contracts.folder
        documents = [(path_of(folder, one.contract_type), _of_contract(one)) for one in spec.contracts.contracts]
    elif spec.text.strip() and spec.form != "tasks":
        documents = [(spec.source or spec.title, _pieces(spec.text))]
    else:
        return _of_the_list(spec.source or spec.title, tasks or (spec.graph.tasks if spec.graph else ()))
    finder = _Finder(tasks, [piece for _, pieces in documents for piece in pieces if piece.asks])
    features = {one.line: one.name for one in spec.features if one.line}
    links = [list(_linked(pieces, finder, features)) for _, pieces in documents]
    return documents, links


def _pieces(text: str) -> list[SpecPiece]:
    return [
        SpecPiece(
            text=text[one.start : one.end],
            kind=one.kind,
            start=one.start,
            end=one.end,
            line=one.line,
            asks=one.kind in ASKING,
        )
        for one in pieces_of(text)
    ]


def _of_contract(contract: Contract) -> list[SpecPiece]:
    """Return a contract in pieces. Only what came from an answer or a person asks for something, not the template's words."""

    def is_own(piece: SpecPiece) -> bool:
        lines = range(piece.line - 1, piece.line + piece.text.rstrip().count("\n"))
        return contract.template == 0 or any(contract.sources_at(line) for line in lines)

    return [piece.model_copy(update={"asks": piece.asks and is_own(piece)}) for piece in _pieces(contract.content)]


def _of_the_list(name: str, tasks: Iterable[Task]) -> tuple[list[tuple[str, list[SpecPiece]]], list[list[_Link]]]:
    """Return a list of tasks as a text: of each its title, and what it requires."""
    pieces, links, at, line = list[SpecPiece](), list[_Link](), 0, 0
    for task in tasks:
        said = [("sentence", f"{task.id}: {task.title}")]
        said += [("item", one) for one in (*filter(None, (task.goal,)), *task.requirements, *task.acceptance)]
        for kind, words in said:
            line += 1
            for piece, text in (("other", "" if kind == "sentence" else "- "), (kind, words.strip()), ("other", "\n")):
                if text:
                    asks = piece != "other"
                    pieces.append(
                        SpecPiece.model_validate(
                            {
                                "text": text,
                                "kind": piece,
                                "start": at,
                                "end": at + len(text),
                                "line": line,
                                "asks": asks,
                            }
                        )
                    )
                    links.append(_Link((task.id,), "list") if asks else _Link())
                    at += len(text)
            line += words.strip().count("\n")
    return [(name, pieces)], [links]


def _linked(pieces: Sequence[SpecPiece], finder: _Finder, features: Mapping[int, str]) -> Iterator[_Link]:
    """Yield the tasks of each piece; those of a feature count for what is below its heading and has none of its own."""
    feature = ""
    for piece in pieces:
        if piece.kind == "heading" or piece.line in features:
            feature = features.get(piece.line, "")
        if not piece.asks:
            yield _Link()
            continue
        found = finder.of(piece.text)
        if not found.tasks and feature:
            found = _Link(finder.naming(feature), "feature")
        yield found if found.tasks else _Link()


class _Finder:
    """Finds the tasks that build a part of the text, by what both say."""

    def __init__(self, tasks: Sequence[Task], parts: Sequence[SpecPiece]) -> None:
        self._tasks = tasks
        self._texts = [_plain("\n".join(_texts(task))) for task in tasks]
        self._lines = [
            [said for said in map(_plain, (task.title, *task.requirements, *task.acceptance)) if len(said) >= _SHORTEST]
            for task in tasks
        ]
        self._holders: dict[str, list[int]] = {}
        for place, text in enumerate(self._texts):
            for word in _words_of(text):
                self._holders.setdefault(word, []).append(place)
        seen = Counter(word for part in parts for word in _words_of(part.text))
        self._weight = {word: log(1 + len(parts) / count) for word, count in seen.items()}

    def of(self, text: str) -> _Link:
        """Return the tasks that repeat the text, or that share most of its words."""
        plain, words = _plain(text), _words_of(text)
        scores: defaultdict[int, float] = defaultdict(float)
        shared: Counter[int] = Counter()
        for word in words:
            for place in self._holders.get(word, ()):
                scores[place] += self._weight.get(word, 0.0)
                shared[place] += 1
        quoted = [place for place in sorted(scores) if self._repeats(plain, place)]
        if quoted:
            return _Link(tuple(self._tasks[place].id for place in quoted[:_MOST_TASKS]), "quoted")
        total = sum(self._weight.get(word, 0.0) for word in words)
        least = max(_LEAST_SHARED * total, _NEAR_BEST * max(scores.values(), default=0.0))
        chosen = [place for place in sorted(scores) if scores[place] >= least and shared[place] >= min(2, len(words))]
        return _Link(tuple(self._tasks[place].id for place in chosen[:_MOST_TASKS]), "words") if total else _Link()

    def _repeats(self, plain: str, place: int) -> bool:
        """Return whether the part and the task say the same: one has a line of the other, or begins with the task's id."""
        if len(plain) >= _SHORTEST and plain in self._texts[place]:
            return True
        first = plain.split(" ", 1)[0].strip("[]:.")
        return first == self._tasks[place].id.casefold() or any(said in plain for said in self._lines[place])

    def naming(self, feature: str) -> tuple[str, ...]:
        """Return the tasks that name the feature among their requirements."""
        folded = feature.casefold()
        return tuple(
            task.id for task in self._tasks if any(line.strip().casefold() == folded for line in task.requirements)
        )


def _texts(task: Task) -> tuple[str, ...]:
    return (task.id, task.title, task.goal, *task.requirements, *task.acceptance)


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[*_`\"]+", "", text).casefold().split())


def _words_of(text: str) -> set[str]:
    """Return the words of a text that mean something, without their endings."""
    found = re.findall(r"[^\W_]{2,}", text.casefold())
    return {_stem(word) for word in found if word not in _STOP}


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


class _Telling:
    """Says of tasks and of parts how far they are."""

    def __init__(self, build: Build) -> None:
        self._build = build

    def piece(self, raw: SpecPiece, link: _Link) -> SpecPiece:
        """Return a piece with its tasks and state."""
        if not raw.asks:
            return raw
        state, words = self._state(link.tasks)
        return raw.model_copy(update={"state": state, "words": words, "tasks": link.tasks, "found_by": link.by})

    def _state(self, tasks: Sequence[str]) -> tuple[PartState, str]:
        if not tasks:
            planned = self._build.plan is not None
            return "grey", "No task builds it." if planned else "There is no plan yet."
        states = {task: self._build.task(task) for task in tasks}
        by_phase = {phase: [task for task, state in states.items() if state.phase is phase] for phase in TaskPhase}
        if failed := by_phase[TaskPhase.FAILED]:
            return "red", f"{', '.join(failed)} failed."
        done = by_phase[TaskPhase.DONE]
        unproven = [task for task in done if not _is_proven(states[task])]
        if len(done) == len(tasks):
            if unproven:
                return "grey", f"{', '.join(unproven)} landed, and no check judged it."
            return "green", f"Built by {', '.join(done)}; the checks passed."
        skipped = by_phase[TaskPhase.SKIPPED]
        at_work = [task for task, state in states.items() if TASKS[state.phase][1] == "running" or state.attempt]
        at_work = [task for task in at_work if task not in skipped and task not in done]
        if at_work:
            return "blue", f"{', '.join(at_work)} is at work." if len(
                at_work
            ) == 1 else f"{', '.join(at_work)} are at work."
        if len(done) + len(skipped) == len(tasks):
            return "grey", f"{', '.join(skipped)} was given up."
        if done:
            return "blue", f"{', '.join(done)} landed; {', '.join(task for task in tasks if task not in done)} waits."
        return "grey", f"{', '.join(tasks)} has not begun."

    def task(self, task: Task) -> SpecTask:
        """Return a task with its evidence."""
        state = self._build.task(task.id)
        reports = state.verdict.reports if state.verdict is not None else ()
        return SpecTask(
            id=task.id,
            title=task.title,
            phase=state.phase.value,
            attempt=state.attempt,
            commit=state.commit,
            reason=state.reason if state.phase in {TaskPhase.FAILED, TaskPhase.REJECTED} else "",
            checks=tuple(
                SpecCheck(
                    gate=report.gate,
                    result=report.result,
                    command=report.evidence.command if report.evidence is not None else "",
                    tests=report.evidence.tests if report.evidence is not None else None,
                    exit_code=report.evidence.exit_code if report.evidence is not None else None,
                )
                for report in reports
            ),
            evidence=f"/api/builds/{self._build.id}/why/{task.id}",
        )


def _is_proven(state: TaskState) -> bool:
    """Return whether a command judged the change that landed, and passed."""
    if landed_before(state) and state.verdict is None:
        return True
    return (
        state.verdict is not None
        and state.verdict.ok
        and any(one.result == "passed" and one.evidence is not None for one in state.verdict.reports)
    )
