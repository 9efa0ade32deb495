"""What a running attempt leaves for its next life: checkpoints, and answers that count once."""

from __future__ import annotations

import pytest

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.snapshot import dump, parse
from buildwright.errors import IllegalMove
from tests.views.test_overview import build_of, finished, journal, started

CREATED = e.CheckpointCreated(task="money", attempt=1, tree="t1", conversation="c1")


def used(request: str, task: str = "money", attempt: int = 1) -> e.TokensUsed:
    return e.TokensUsed(task=task, attempt=attempt, model="m", input_tokens=5, request=request)


def after(*events: AnyEvent) -> Build:
    return build_of(journal(started("money"), *events))


def refuses(build: Build, event: AnyEvent) -> None:
    with pytest.raises(IllegalMove):
        fold([Recorded(build.version + 1, build.updated_at, event)], build)


def test_a_checkpoint_lasts_as_long_as_its_attempt() -> None:
    newer = CREATED.model_copy(update={"tree": "t2", "conversation": "c2"})
    build = after(CREATED, newer)
    state = build.task("money")
    assert (state.checkpoint_tree, state.checkpoint_conversation) == ("t2", "c2")
    assert parse(dump(build)) == build
    refuses(build, e.CheckpointRestored(task="money", attempt=1, tree="t1"))
    refuses(build, e.CheckpointRestored(task="money", attempt=2, tree="t2"))
    restored = e.CheckpointRestored(task="money", attempt=1, tree="t2")
    assert fold([Recorded(build.version + 1, build.updated_at, restored)], build).task("money") == state
    for end in (finished("money"), e.AgentBroke(task="money", attempt=1, kind="crashed", message="boom")):
        over = after(CREATED, end)
        assert (over.task("money").checkpoint_tree, over.task("money").checkpoint_conversation) == ("", "")
        refuses(over, CREATED)


def test_an_answer_counts_once_also_when_its_attempt_is_over() -> None:
    build = after(used("a"), used("b"), used(""), used(""), finished("money"))
    assert (build.task("money").tokens, build.usage.requests) == (20, 4)
    refuses(build, used("a"))
    refuses(build, used("b", attempt=2))
    assert parse(dump(build)) == build


def test_the_planners_answers_count_once_too() -> None:
    build = after(used("p", task=""), used("p"))
    assert build.usage.requests == 2
    refuses(build, used("p", task=""))
