"""Every text of every event is declared, only what is foreign is cleaned, and an event that does not say is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel, Field

from buildwright.core import event as e
from buildwright.core.finding import LONGEST_MESSAGE, Evidence, Finding, Report, TaskAdvice, Verdict
from buildwright.core.graph import Graph
from buildwright.core.record import Record, TaskId
from buildwright.core.sanitize import UNREADABLE, ForeignText, Identifier, Origin, UserText, sanitize
from buildwright.core.secrets import MASK, Masker
from buildwright.core.task import Task

KEY = "k3y-Zq9-w7Tb2xV5mR8/Lp0"
RED = f"\x1b[31m{KEY}\x1b[0m\u202e"
mask = Masker([KEY])

ALL: tuple[type[e.Event], ...] = get_args(get_args(e.AnyEvent)[0])
VALUES: dict[Any, Any] = {
    bool: True,
    int: 2,
    float: 0.5,
    Decimal: Decimal(1),
    datetime: datetime(2026, 1, 1, tzinfo=UTC),
}


FORMED: dict[str, Any] = {"author": "A <a@example.org>", "trailers": ("A: b", "A: b")}
"""Fields of a form of their own, by name."""


def example(cls: type[BaseModel], text: str) -> Any:
    """One with every field filled, and `text` wherever a text may stand."""
    values = {
        name: FORMED.get(name) or ("a" if "pattern" in repr(field.metadata) else value_of(field.annotation, text))
        for name, field in cls.model_fields.items()
        if not (name == "type" and issubclass(cls, e.Event))
    }
    return cls.model_validate(values)


def value_of(hint: Any, text: str) -> Any:
    if get_origin(hint) is Annotated:
        return "a" if hint == TaskId else value_of(get_args(hint)[0], text)
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) is tuple:
        return (value_of(get_args(hint)[0], text), value_of(get_args(hint)[0], text))
    if hint is str:
        return text
    if get_args(hint):
        return value_of(get_args(hint)[0], text)
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        return example(hint, text)
    return VALUES.get(hint, VALUES[datetime])


def texts(value: Any, path: str = "", said: Origin | None = None) -> Iterator[tuple[str, Origin | None, str]]:
    """Every text in a value: where it stands, whose it is, and itself."""
    if isinstance(value, str):
        yield path, said, value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item, path, said)
    elif isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            held = getattr(value, name)
            where = f"{path}.{name}".removeprefix(".")
            own = next((origin for origin in Origin if str(origin) in f"{field.metadata}{field.annotation}"), None)
            yield from texts(held, where, said or own)


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_of_every_event_exactly_the_foreign_text_is_cleaned(cls: type[e.Event]) -> None:
    before = example(cls, RED)
    after = sanitize(before, mask)
    pairs = list(zip(texts(before), texts(after), strict=True))
    for (path, origin, raw), (_, _, kept) in pairs:
        assert kept == (MASK if origin is Origin.FOREIGN else raw), path
    assert e.decode(after.type, e.encode(after)) == after
    if not any(origin is Origin.FOREIGN for (_, origin, _), _ in pairs):
        assert after is before


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_an_event_of_which_nothing_has_to_be_cleaned_comes_back_as_it_is(cls: type[e.Event]) -> None:
    event = example(cls, "plain\twords, two\nlines")
    assert sanitize(event, mask) is event
    assert sanitize(event, str) is event


def foreign(cls: type[e.Event]) -> set[str]:
    return {path for path, origin, _ in texts(example(cls, "x")) if origin is Origin.FOREIGN}


def test_what_agents_tools_and_models_say_is_foreign() -> None:
    finding = {"code", "message", "file", "fix"}
    verdict = {f"verdict.reports.findings.{name}" for name in finding}
    verdict |= {"verdict.reports.gate", "verdict.reports.evidence.command", "verdict.not_reached"}
    task = {"title", "goal", "requirements", "acceptance", "milestone", "code_template"}
    task |= {"validation.command", "validation.expected"}
    graph = {"graph.milestones", "graph.notes", *(f"graph.tasks.{name}" for name in task)}
    assert {cls.__name__: found for cls in ALL if (found := foreign(cls))} == {
        "BuildForked": {
            *(f"base_{name}" for name in verdict),
            *graph,
            "landed.summary",
            *(f"landed.{name}" for name in verdict),
        },
        "TargetPrepared": {"notes"},
        "PlanMade": graph,
        "PlanRejected": {"message"},
        "BaseJudged": verdict,
        "TestsSealed": {"dropped", "why_none"},
        "TokensUsed": {"model"},
        "LimitMet": {"model"},
        "AgentDenied": {"places"},
        "AgentFinished": {"summary"},
        "ModelChosen": {"reason"},
        "AgentBroke": {"message"},
        "PatchJudged": verdict,
        "FindingApproved": {"code"},
        "MergeJudged": verdict,
        "ChangeLanded": {"proof"},
        "TaskFailed": {"message", *(f"findings.{name}" for name in finding)},
        "LoopDetected": {"message"},
        "BuildStuck": {
            *("errors", "advice", "no_advice", "task_advice.text", "proposal.reason", "no_proposal"),
            *(f"proposal.tasks.{name}" for name in task),
        },
        "BaseChanged": {"notes"},
        "BuildPaused": {"message"},
        "BuildVerified": verdict,
        "PhaseAudited": verdict,
        "BuildDelivered": {"pull_request"},
        "DeliveryFailed": {"message"},
        "BuildFinished": {"message"},
        "LessonLearned": {"by", "pattern", "content"},
        "LessonsGiven": {"given.pattern", "given.content"},
    }


class _Undeclared(Record):
    number: int
    words: str = ""


@pytest.mark.parametrize(
    "hint",
    [
        str,
        str | None,
        Annotated[str, Field(max_length=9)],
        tuple[str, ...],
        tuple[str, int],
        list[str],
        dict[str, int],
        bytes,
        object,
        Any,
        int | str,
        _Undeclared,
        tuple[_Undeclared, ...],
        _Undeclared | None,
        Annotated[_Undeclared, Origin.FOREIGN],
        ForeignText | tuple[ForeignText, ...],
    ],
    ids=str,
)
def test_an_event_with_a_text_of_which_nothing_says_whose_it_is_cannot_be_made(hint: Any) -> None:
    with pytest.raises(TypeError, match=r"said: declare it ForeignText|Undeclared.words|Odd.said"):
        type("Odd", (e.Event,), {"__annotations__": {"said": hint, "task": TaskId}, "__module__": __name__})


def test_an_event_class_of_the_usual_form_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match=r"BuildLabelled.label may hold text, and nothing says whose words: declare it"):

        class BuildLabelled(e.Event):
            type: Literal["build.labelled"] = "build.labelled"
            label: str


@pytest.mark.parametrize("name", ["build", "seq", "at"])
def test_a_field_named_as_what_stands_beside_every_event_is_refused_where_it_is_written(name: str) -> None:
    with pytest.raises(TypeError, match=f"Odd.{name} stands beside the fields of every event already"):
        type("Odd", (e.Event,), {"__annotations__": {name: TaskId}, "__module__": __name__})


def test_the_type_of_an_event_is_its_name_and_no_other_field() -> None:
    for hint, given in ((Identifier, ""), (Literal["odd.one"], "odd.two"), (int, 3)):
        with pytest.raises(TypeError, match=r"Odd.type is the name of the event: declare it as a Literal"):
            type("Odd", (e.Event,), {"__annotations__": {"type": hint}, "type": given, "__module__": __name__})


def test_no_event_has_a_field_that_its_place_would_hide() -> None:
    for cls in e.EVENT_TYPES.values():
        assert e.BESIDE & cls.model_fields.keys() == {"type"}


def test_a_declared_event_is_taken_and_knows_its_traits() -> None:
    class AgentSang(e.Event, ends_step=True):
        type: Literal["agent.sang"] = "agent.sang"
        task: TaskId
        verses: tuple[ForeignText, ...]
        title: ForeignText | None = None
        wish: UserText = ""
        tune: Annotated[dict[str, str], Origin.IDENTIFIER] = Field(default_factory=dict)
        place: Identifier = ""

    sang = AgentSang(task="a", verses=("la", RED), wish=RED, tune={RED: RED}, place=RED)
    assert sanitize(sang, mask) == sang.model_copy(update={"verses": ("la", MASK)})
    assert (AgentSang.ends_step, AgentSang.keeps_moment) == (True, False)
    assert (e.TaskStarted.ends_step, e.TaskStarted.keeps_moment) == (False, True)


def test_what_was_cleaned_keeps_the_bounds_of_its_field_so_that_the_journal_can_be_read_again() -> None:
    long = Finding(code="x", message="x" * (LONGEST_MESSAGE - 6) + "secret")
    title = "x" * 194 + "secret"
    events: list[e.AnyEvent] = [
        e.BuildStuck(failures=3, tasks=("a",), task_advice=(TaskAdvice(task="a", text="\x1b[31m\x1b[0m\u202e"),)),
        e.TaskFailed(task="a", message="no", findings=(long,)),
        e.PlanMade(graph=Graph(tasks=(Task(id="a", title=title), Task(id="b", title="\u202e")))),
    ]
    for event in events:
        kept = sanitize(event, Masker(["secret"]))
        assert kept != event
        assert e.decode(kept.type, e.encode(kept)) == kept
    advice = sanitize(events[0], str)
    assert isinstance(advice, e.BuildStuck)
    assert advice.task_advice[0].text == UNREADABLE


def test_a_name_of_a_check_and_its_command_come_from_the_users_project() -> None:
    evidence = Evidence(
        tree=RED, command=f"run {RED}", exit_code=0, seconds=1, output_digest=RED, started_at=VALUES[datetime]
    )
    judged = e.BaseJudged(verdict=Verdict(tree=RED, reports=(Report(gate=RED, ok=True, evidence=evidence),)))
    (report,) = sanitize(judged, mask).verdict.reports
    assert report.evidence is not None
    assert (report.gate, report.evidence.command) == (MASK, f"run {MASK}")
    assert (report.evidence.tree, report.evidence.output_digest) == (RED, RED)
