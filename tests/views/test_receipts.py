from __future__ import annotations

from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.views.receipts import MessageReceipt, receipts_of
from tests.views.test_overview import build_of, finished, journal, landed, started

ASKED = (
    started("money"),
    e.TokensUsed(task="money", attempt=1, model="m", input_tokens=1),
    e.TokensUsed(task="money", attempt=1, model="m", input_tokens=1),
    e.MessageSent(id="m1", text="use Decimal", task="money"),
)
HEARD = (*ASKED, e.MessageDelivered(id="m1", task="money", attempt=1))


def receipt(*events: AnyEvent) -> MessageReceipt:
    recorded = journal(*events)
    (found,) = receipts_of(build_of(recorded), recorded).messages
    return found


def test_a_message_waits_until_an_agent_hears_it() -> None:
    queued = receipt(*ASKED)
    assert (queued.state, queued.words, queued.seq) == ("queued", "It waits for an agent.", 7)


def test_a_message_that_was_heard_says_by_whom_and_before_which_turn() -> None:
    told = receipt(*HEARD)
    (one,) = told.taken_in
    assert (told.state, one.task, one.attempt, one.turn, one.outcome) == ("delivered", "money", 1, 3, "It is at work.")
    assert told.words == "money heard it in attempt 1 before turn 3."


def test_what_changed_after_a_message_stands_beside_it() -> None:
    told = receipt(*HEARD, finished("money"), *landed("money"))
    (one,) = told.taken_in
    assert (told.state, one.changed, one.commit, one.outcome) == (
        "acted",
        ("money.py",),
        "c1",
        "Its change has landed.",
    )
    assert told.words.endswith("before turn 3; then 1 file changed.")


def test_a_message_that_nobody_heard_is_lost_with_the_end() -> None:
    ended = (e.BuildPaused(reason="user"), e.StopRequested(how="abort"), e.BuildFinished(outcome="aborted"))
    assert receipt(*ASKED, *ended).state == "lost"


def test_the_newest_are_told_and_how_many_are_older() -> None:
    recorded = journal(*HEARD, *(e.MessageSent(id=f"n{n}", text="more", task="money") for n in range(3)))
    told = receipts_of(build_of(recorded), recorded, 2)
    assert ([one.id for one in told.messages], told.omitted) == (["n1", "n2"], 2)
