"""Which model an attempt asks after which failure: the table of the guide, row by row, and that the machine keeps it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from buildwright.core import event as e
from buildwright.core.activity import FailureKind
from buildwright.core.apply import fold
from buildwright.core.build import Build, TaskPhase
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.limits import Limits, Options
from buildwright.core.models import NamedModel, id_of
from buildwright.core.routing import instead_of
from buildwright.core.snapshot import dump, parse
from buildwright.core.task import Task
from tests.views.test_overview import build_of, finished, journal, started

SMALL = NamedModel(name="small", model="claude-haiku-5-5", context=200_000)
MIDDLE = NamedModel(name="middle", model="claude-sonnet-5-5", context=1_000_000)
LARGE = NamedModel(name="large", model="claude-opus-5-5", context=500_000)
SPARE = NamedModel(name="spare", model="gpt-5.4")
ALL = (SPARE, LARGE, SMALL, MIDDLE)
SIMPLE = Task(id="money", title="Fix a typo", files_expected=("money.py",))
NO = Verdict(tree="t1", reports=(Report(gate="test", ok=False, findings=(Finding(code="test.failed", message="no"),)),))


def after(*events: AnyEvent, task: Task = SIMPLE, begun: Build | None = None, **options: Any) -> Build:
    """The build after the machine has added all that follows from these events, which come after those of `begun`."""
    chosen = Options(**{"models": ALL, "model": "auto", "limits": Limits(attempts=9, stuck_after=99), **options})
    build = begun or build_of(journal(options=chosen, tasks=(task,)))
    for event in events:
        build = settled(take(build, event))
    return build


def take(build: Build, event: AnyEvent) -> Build:
    return fold([Recorded(build.version + 1, build.updated_at, event)], build)


def settled(build: Build) -> Build:
    """All facts that follow, except that the next attempt starts: the test says when."""
    while facts := [fact for fact in decide(build).facts if not isinstance(fact, e.TaskStarted)]:
        build = take(build, facts[0])
    return build


def refused(attempt: int) -> tuple[AnyEvent, ...]:
    return finished("money", attempt), e.PatchJudged(task="money", attempt=attempt, verdict=NO)


def broke(attempt: int, kind: FailureKind) -> tuple[AnyEvent, ...]:
    return (e.AgentBroke(task="money", attempt=attempt, kind=kind, message="no"),)


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (refused(1), "large", "failed_attempt"),
        (broke(1, "refused"), "large", "failed_attempt"),
        (broke(1, "output_limit"), "large", "failed_attempt"),
        (broke(1, "request_limit"), "large", "failed_attempt"),
        (broke(1, "timeout"), "small", "timeout"),
        (broke(1, "crashed"), "middle", "same"),
        (broke(1, "unavailable"), "middle", "same"),
    ],
)
def test_the_next_attempt_goes_up_down_or_stays_by_what_failed(
    first: tuple[AnyEvent, ...], second: str, reason: str
) -> None:
    moderate = SIMPLE.model_copy(update={"title": "Greet", "files_expected": ("money.py", "b.py")})  # 29
    begun = after(started("money"), task=moderate)
    assert (begun.task("money").model, begun.task("money").model_reason) == ("middle", "complexity")
    build = after(started("money"), *first, started("money", 2), task=moderate)
    assert (build.task("money").model, build.task("money").model_reason) == (second, reason)
    assert parse(dump(build)) == build


def test_what_is_too_long_for_every_model_is_not_asked_again_before_a_person_has_chosen() -> None:
    same = tuple(model.model_copy(update={"context": 200_000}) for model in (SMALL, MIDDLE, LARGE))
    unnamed = {"models": (), "model": "claude-sonnet-5-5"}
    kinds: tuple[dict[str, Any], ...] = ({"models": same}, {"models": same, "model": "middle"}, unnamed)
    for options in kinds:
        build = after(started("money"), *broke(1, "context_length"), **options)
        assert (build.task("money").phase, build.task("money").attempt) == (TaskPhase.FAILED, 1)
        assert build.pause is not None
        assert "name a model with a longer context" in build.pause.message
        again = after(*(e.TaskRetried(task="money", by="user"), e.BuildResumed(), started("money", 2)), begun=build)
        assert (again.task("money").phase, again.task("money").attempt) == (TaskPhase.WORKING, 2)


def test_a_second_agent_may_have_room_where_the_first_has_none() -> None:
    second: dict[str, Any] = {"second_agent": "claude", "second_after": 1, "models": (), "model": "m"}
    build = after(started("money"), *broke(1, "context_length"), **second)
    assert build.task("money").phase is TaskPhase.READY
    begun = e.TaskStarted(task="money", attempt=2, base="c0", agent="claude")
    assert after(begun, *broke(2, "context_length"), begun=build).task("money").phase is TaskPhase.FAILED


def test_the_ladder_ends_at_both_ends() -> None:
    build = after(started("money"), *broke(1, "timeout"), started("money", 2))
    assert build.task("money").model == "small"
    failing = [one for n in (1, 2, 3, 4) for one in (started("money", n), *broke(n, "refused"))]
    build = after(*failing, started("money", 5))
    assert build.task("money").model == "large"


def test_without_a_size_the_next_larger_one_is_asked_else_the_largest() -> None:
    assert after(started("money"), models=(LARGE, MIDDLE)).task("money").model == "middle"
    wide = SIMPLE.model_copy(update={"title": "Greet", "files_expected": tuple(f"{one}.py" for one in "abcdefg")})
    assert after(started("money"), task=wide, models=(SMALL, MIDDLE)).task("money").model == "middle"


def test_a_named_model_stays_and_a_models_own_name_is_no_choice() -> None:
    named = after(started("money"), *refused(1), started("money", 2), model="spare")
    assert (named.task("money").model, named.task("money").model_reason) == ("spare", "named")
    assert after(started("money"), model="claude-opus-5-5").task("money").model == ""
    assert id_of(ALL, "claude-opus-5-5") == "claude-opus-5-5"
    assert id_of(ALL, "auto") == "claude-sonnet-5-5"
    assert id_of(ALL, "spare") == "gpt-5.4"


@pytest.mark.parametrize(
    ("kind", "instead"),
    [
        ("context_length", "large"),  # 500,000 is the next larger context, not the million
        ("overloaded", "spare"),
        ("unavailable", "spare"),
        ("rate_limit", None),
        ("auth", None),
        ("budget", None),
        ("unknown_model", "spare"),
        ("timeout", "spare"),  # there is no smaller size
        ("refused", None),
        ("crashed", None),
    ],
)
def test_within_an_attempt_only_another_context_or_another_provider_helps(
    kind: FailureKind, instead: str | None
) -> None:
    build = after(started("money"), fallback=("spare",))
    chosen = instead_of(build.options, build.task("money"), kind)
    assert (chosen.model.name if chosen is not None else None) == instead
    if chosen is not None:
        assert chosen.kind == kind


def test_a_slow_provider_gives_way_to_a_smaller_size_first() -> None:
    build = after(started("money"), instead(1, "large", "context_length", "small"), fallback=("spare",))
    chosen = instead_of(build.options, build.task("money"), "timeout")
    assert chosen is not None
    assert (chosen.model.name, chosen.reason) == ("middle", "large took its provider too long")


def test_no_model_is_asked_twice_in_an_attempt_until_the_user_resumes() -> None:
    down = e.ModelChosen(
        task="money", attempt=1, name="spare", model="gpt-5.4", kind="overloaded", reason="r", before="small"
    )
    options: Any = {"fallback": ("spare", "small")}
    build = after(started("money"), down, **options)
    assert instead_of(build.options, build.task("money"), "overloaded") is None
    paused = take(build, e.BuildPaused(reason="trouble", task="money"))
    again = settled(take(paused, e.BuildResumed()))
    assert (again.task("money").model, again.task("money").models_down) == ("small", ())


def instead(attempt: int, name: str, kind: FailureKind, before: str) -> AnyEvent:
    model = next(one.id for one in ALL if one.name == name)
    return e.ModelChosen(task="money", attempt=attempt, name=name, model=model, kind=kind, reason="r", before=before)


def test_after_a_fallback_the_next_attempt_goes_up_from_the_size_that_it_stood_in_for() -> None:
    up = (started("money"), *refused(1), started("money", 2))
    thirds: tuple[tuple[FailureKind, str], ...] = (("refused", "large"), ("timeout", "small"), ("crashed", "spare"))
    for kind, third in thirds:
        ended = (instead(2, "spare", "overloaded", "middle"), *broke(2, kind), started("money", 3))
        build = after(*up, *ended, fallback=("spare",))
        assert build.task("money").model == third, kind


def test_a_fallback_with_the_larger_context_stays_for_the_attempts_that_follow() -> None:
    wide = SPARE.model_copy(update={"context": 2_000_000})
    models = (wide, LARGE, SMALL, MIDDLE)
    begun = after(started("money"), instead(1, "spare", "context_length", "small"), models=models, fallback=("spare",))
    build = begun
    for event in (*refused(1), started("money", 2), *broke(2, "refused"), started("money", 3)):
        build = settled(take(build, event))
        assert build.task("money").model == "spare"
    assert build.task("money").model_attempt == 3


@pytest.mark.parametrize("kind", ["overloaded", "unavailable", "unknown_model"])
def test_a_fallback_that_stands_in_is_asked_by_the_attempts_that_follow(kind: FailureKind) -> None:
    for model in ("large", "auto"):
        difficult = SIMPLE.model_copy(update={"files_expected": tuple(f"{one}.py" for one in "abcdefghijklmn")})
        begun = (started("money"), instead(1, "spare", kind, "large"))
        build = after(*begun, task=difficult, model=model, fallback=("spare",))
        for number in (2, 3):
            for event in (*broke(number - 1, "output_limit"), started("money", number)):
                build = settled(take(build, event))
            assert (build.task("money").model, build.task("money").model_reason) == ("spare", kind), (model, number)
        paused = take(build, e.BuildPaused(reason="trouble", task="money"))
        again = settled(take(paused, e.BuildResumed()))
        assert again.task("money").model == "large", model


def test_another_model_that_the_user_names_is_asked_by_the_attempt_that_waits() -> None:
    build = take(after(started("money")), e.BuildPaused(reason="trouble", task="money"))
    changed = build.options.model_copy(update={"model": "large"})
    build = settled(take(take(build, e.OptionsChanged(options=changed, changed=("model",))), e.BuildResumed()))
    assert (build.task("money").model, build.task("money").model_reason) == ("large", "named")


def test_a_price_of_the_users_own_is_for_a_million_tokens() -> None:
    own = NamedModel(name="x", model="y", input_usd=Decimal("0.5"), output_usd=Decimal(2))
    assert own.cost(1_000_000, 500_000) == Decimal("1.5")
    assert SMALL.cost(1, 1) is None
    assert NamedModel(name="x", model="qwen3", provider="openai").id == "openai/qwen3"
    assert NamedModel(name="x", model="gpt-5.4", provider="openai").id == "gpt-5.4"
