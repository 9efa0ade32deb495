from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, get_args

import pytest

from buildwright.core import event as e
from buildwright.core.task import Task
from buildwright.views.choices import PricedChoice, choices_of
from buildwright.views.estimate import Range
from tests.views.test_home import ASKED, DONE_TWO
from tests.views.test_overview import FAILED, LATER, TASKS, build_of, finished, journal, landed, started

SPENT = tuple(
    one
    for event in FAILED
    for one in (
        (event, e.TokensUsed(task="money", attempt=event.attempt, model="m", cost_usd=Decimal("0.25"), input_tokens=1))
        if isinstance(event, e.TaskStarted)
        else (event,)
    )
)
ASKING = (TASKS[0].model_copy(update={"requirements": ("R1 exact amounts",)}), *TASKS[1:])


def priced(*events: e.AnyEvent, tasks: tuple[Task, ...] = TASKS) -> dict[str, PricedChoice]:
    recorded = journal(*events, tasks=tasks)
    return {one.name: one for one in choices_of(build_of(recorded), recorded, LATER).choices}


def test_each_choice_of_a_failure_has_its_price_and_its_command() -> None:
    recorded = journal(started("month"), finished("month"), *landed("month"), *SPENT, tasks=ASKING)
    view = choices_of(build_of(recorded), recorded, LATER)
    assert (view.paused, view.reason, view.task, view.words) == (True, "failure", "money", "task money failed 2 times")
    found = {one.name: one for one in view.choices}
    retry = found["retry"].price
    assert (retry.cost_usd, retry.seconds) == (Range(low=0.25, high=0.25), Range(low=3, high=3))
    assert (retry.basis, retry.words) == ("2 attempts at these tasks", "1 more attempt: 3 s, $0.25")
    skip = found["skip"].price
    assert (skip.lost_tasks, skip.without, skip.lost_requirements) == (("money",), ("entry",), ("R1 exact amounts",))
    assert skip.words == "loses 1 task; entry would do without it; $0.50 was spent on that"
    abort = found["abort"].price
    assert abort.lost_tasks == ("money", "entry", "notes")
    assert abort.words == "loses 3 tasks; what has landed stays (1 task); $0.50 was spent on that"
    assert found["abort"].command == "buildwright resume 3fa9c2d1 --abort"


def test_going_on_costs_what_is_left() -> None:
    go = priced(*DONE_TWO, e.BuildPaused(reason="user"))["go"].price
    assert go.cost_usd is not None
    assert go.seconds is not None
    assert go.words.startswith("2 tasks still to do: ")
    early = priced(started("money"), e.BuildPaused(reason="user"))["go"].price
    assert (early.words, early.cost_usd) == ("4 tasks still to do: it is not known what that takes", None)


def test_amounts_below_a_cent_are_told_apart() -> None:
    little = (
        one.model_copy(update={"cost_usd": Decimal("0.0021")}) if isinstance(one, e.TokensUsed) else one
        for one in SPENT
    )
    skip = priced(started("month"), finished("month"), *landed("month"), *little)["skip"].price
    assert skip.words.endswith("; $0.0042 was spent on that")


def test_a_finding_that_can_be_approved_is_a_choice_that_costs_no_attempt() -> None:
    failed = (e.TaskFailed(task="money", message="refused"), e.BuildPaused(reason="failure", task="money"))
    found = priced(*ASKED, *failed)
    assert list(found) == ["approve", "retry", "skip", "abort"]
    assert found["approve"].price.words == "costs no attempt"


def test_a_build_that_runs_has_no_choices() -> None:
    recorded = journal()
    view = choices_of(build_of(recorded), recorded, LATER)
    assert (view.paused, view.choices) == (False, ())


@pytest.mark.parametrize("reason", get_args(e.BuildPaused.model_fields["reason"].annotation))
def test_the_words_of_a_choice_name_no_option_of_the_command_line(reason: Any) -> None:
    """The pages and answers over HTTP show them as they are; the command line adds its own."""
    before = FAILED[:-1] if reason in {"failure", "stuck"} else (started("money"),)
    message = "the branch x has other commits. Fix: deliver to another branch with `--branch`"
    found = priced(*before, e.BuildPaused(reason=reason, message=message))
    assert found
    assert [one.words for one in found.values() if re.search(r"(?<![\w-])--?[a-z]|option", one.words)] == []
