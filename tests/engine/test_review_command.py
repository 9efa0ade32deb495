"""Comments of a review become one message to each task that is not over, and a new task for what has landed."""

from __future__ import annotations

import pytest

from buildwright.core import event as e
from buildwright.core.apply import apply
from buildwright.core.build import Build
from buildwright.core.event import AnyEvent, Recorded, ReviewComment
from buildwright.engine.review_command import SendReview
from buildwright.errors import NotFound, Refused
from tests.core.machine import START
from tests.views.test_overview import build_of, finished, journal, landed, started


def told(build: Build, *comments: ReviewComment) -> tuple[list[AnyEvent], Build]:
    facts = list(SendReview(comments, "Look again").facts(build, "r1"))
    for fact in facts:
        build = apply(build, Recorded(build.version + 1, START, fact))
    return facts, build


def comment(task: str, path: str = "money.py", text: str = "use Decimal") -> ReviewComment:
    return ReviewComment(path=path, line=3, end_line=4, text=text, task=task)


def test_a_task_at_work_gets_one_message_with_all_comments_on_it() -> None:
    facts, build = told(build_of(journal(started("money"))), comment("money"), comment("money", text="and test it"))
    sent, message = facts
    assert isinstance(sent, e.ReviewSent)
    assert isinstance(message, e.MessageSent)
    assert (message.task, sent.tasks) == ("money", ())
    assert message.text.splitlines()[1:] == [
        "Look again",
        "- money.py:3-4: use Decimal",
        "- money.py:3-4: and test it",
    ]
    assert [note.id for note in build.notes_to_agents] == ["r1-money"]


def test_what_has_landed_gets_a_new_task_that_needs_it() -> None:
    events = (started("month"), finished("month"), *landed("month"), started("money"))
    facts, build = told(build_of(journal(*events)), comment("month", "month.py"), comment("money"), comment(""))
    assert [type(fact) for fact in facts] == [e.ReviewSent, e.MessageSent, e.PlanChanged]
    assert build.plan is not None
    added = [build.plan.task(name) for name in ("review-1", "review-2")]
    assert [(one.depends_on, one.files_expected) for one in added] == [(("month",), ("month.py",)), ((), ("money.py",))]
    assert added[0].acceptance == ("use Decimal",)
    assert "- month.py:3-4: use Decimal" in added[0].goal


def test_an_ended_build_is_opened_again_for_it() -> None:
    build = build_of(
        journal(e.BuildPaused(reason="user"), e.StopRequested(how="abort"), e.BuildFinished(outcome="aborted"))
    )
    facts, after = told(build, comment("money"))
    assert [type(fact) for fact in facts] == [e.BuildReopened, e.ReviewSent, e.PlanChanged]
    assert after.outcome is None


def test_a_review_of_a_task_that_there_is_not_is_refused() -> None:
    build = build_of(journal())
    with pytest.raises(NotFound):
        SendReview((comment("nobody"),)).facts(build, "r1")
    with pytest.raises(Refused, match="empty"):
        SendReview((comment("money", text=" "),)).facts(build, "r1")
