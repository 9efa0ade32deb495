from __future__ import annotations

from buildwright.core import event as e
from buildwright.core.event import AnyEvent
from buildwright.views.receipts import MessageReceipt, receipts_of
from tests.views.test_overview import FAILED, PASSED, build_of, finished, journal, landed, started

ASKED = (
    started("money"),
    e.TokensUsed(task="money", attempt=1, model="m", input_tokens=1),
    e.TokensUsed(task="money", attempt=1, model="m", input_tokens=1),
    e.MessageSent(id="m1", text="use Decimal", task="money"),
)
FAILED_TWICE = FAILED[:-1]
SKIPPED = (FAILED[-1], e.TaskSkipped(task="money"))
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


def test_a_message_to_a_task_that_is_given_up_is_lost_although_the_build_goes_on() -> None:
    given_up = receipt(*FAILED_TWICE, e.MessageSent(id="m1", text="use Decimal", task="money"), *SKIPPED)
    assert (given_up.state, given_up.words) == ("lost", "No agent heard it before its task was given up.")


def test_the_newest_are_told_and_how_many_are_older() -> None:
    recorded = journal(*HEARD, *(e.MessageSent(id=f"n{n}", text="more", task="money") for n in range(3)))
    told = receipts_of(build_of(recorded), recorded, 2)
    assert ([one.id for one in told.messages], told.omitted) == (["n1", "n2"], 2)


def test_the_words_of_another_try_are_a_message_with_its_way() -> None:
    again = e.TaskRetried(task="money", by="user", message="use Decimal")
    queued = receipt(*FAILED_TWICE, again)
    assert (queued.state, queued.text, queued.task) == ("queued", "use Decimal", "money")
    told = receipt(*FAILED_TWICE, again, started("money", 3), finished("money", 3), *landed("money", 3))
    (one,) = told.taken_in
    assert (told.id, told.state, one.attempt, one.turn, one.commit) == (queued.id, "acted", 3, 1, "c1")
    assert told.words == "money heard it in attempt 3 before turn 1; then 1 file changed."


def test_the_words_of_a_task_that_is_done_anew_are_a_message_with_its_way() -> None:
    done = (started("money"), finished("money"), *landed("money"))
    redo = e.UndoRequested(task="money", redo=True, message="use Decimal")
    undone = e.ChangeUndone(task="money", attempt=1, commit="c2", tree="t2")
    prepared = e.MergePrepared(task="money", attempt=1, onto="c1", commit="c2", tree="t2")
    judged = e.MergeJudged(task="money", attempt=1, verdict=PASSED.model_copy(update={"tree": "t2"}))
    again = (*done, redo, prepared, judged, undone)
    assert receipt(*again).state == "queued"
    (one,) = receipt(*again, started("money", 2)).taken_in
    assert (one.attempt, one.turn, one.outcome) == (2, 1, "It is at work.")


def test_a_task_that_is_tried_again_by_rule_has_no_words_of_a_user() -> None:
    recorded = journal(*FAILED_TWICE[:4])
    assert not receipts_of(build_of(recorded), recorded).messages
