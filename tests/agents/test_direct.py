"""The direct agent: blocks into files, problems into another turn, conversations into the next attempt."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Literal

import pytest

from buildwright.agents.direct import ConversationEntry, DirectAgent, compacted, decode, encode, tokens, turns
from buildwright.core.activity import Activity, Compacted, Finished, Heard, Said, UsedTokens, Warned, Wrote
from buildwright.errors import AgentFailed, ModelFailed
from buildwright.ports import Assignment, Message, Turn
from tests.adapters.scripted_model import ScriptedModel
from tests.agents.conftest import Assign


def file(path: str, content: str = "x\n") -> str:
    return f"=== FILE: {path} ===\n{content}=== END FILE ===\n"


def edit(path: str, *parts: tuple[str, str]) -> str:
    body = "".join(f"<<<<<<< SEARCH\n{old}=======\n{new}>>>>>>> REPLACE\n" for old, new in parts)
    return f"=== EDIT: {path} ===\n{body}=== END EDIT ===\n"


async def play(model: ScriptedModel, assignment: Assignment, *messages: Message, turns: int = 6) -> list[Activity]:
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    for message in messages:
        inbox.put_nowait(message)
    return [activity async for activity in DirectAgent(model, turns=turns).run(assignment, inbox)]


def finish(activities: list[Activity]) -> Finished:
    assert isinstance(activities[-1], Finished)
    assert sum(isinstance(activity, Finished) for activity in activities) == 1
    return activities[-1]


async def test_writes_edits_and_deletes(assign: Assign) -> None:
    assignment = assign()
    lane = assignment.lane
    (lane / "old.txt").write_text("one\ntwo\nthree")
    (lane / "win.txt").write_bytes(b"a\r\nb\r\n")
    (lane / "gone.txt").write_text("")
    model = ScriptedModel(
        "I begin.\n"
        + file("src/new.py", "print('é')\n")
        + edit("old.txt", ("two\n", "2\n"), ("three\n", "3\n"))
        + edit("win.txt", ("b\n", "c\nd\n"))
        + "=== DELETE: gone.txt ===\nAll done."
    )
    out = await play(model, assignment)
    assert finish(out).ok
    assert finish(out).summary == "I begin.\nAll done."
    assert (lane / "src/new.py").read_text() == "print('é')\n"
    assert (lane / "old.txt").read_text() == "one\n2\n3"
    assert (lane / "win.txt").read_bytes() == b"a\r\nc\r\nd\r\n"
    assert not (lane / "gone.txt").exists()
    wrote = [activity for activity in out if isinstance(activity, Wrote)]
    assert wrote[0] == Wrote(path="src/new.py", size_bytes=12, language="python")
    assert wrote[-1].deleted
    assert UsedTokens(model="m", input_tokens=10, output_tokens=5, cache_read_tokens=3, cache_write_tokens=2) in out


async def test_what_does_not_apply_is_told_to_the_model_and_mended(assign: Assign) -> None:
    assignment = assign()
    (assignment.lane / "a").write_text("x\nx\n")
    model = ScriptedModel(
        file("b") + edit("a", ("x\n", "y\n")) + edit("a", ("none\n", "y\n")) + edit("missing", ("x\n", "y\n")),
        edit("a", ("x\nx\n", "y\n")),
    )
    out = await play(model, assignment)
    assert finish(out).ok
    assert (assignment.lane / "a").read_text() == "y\n"
    told = model.asked[1][-1].text
    assert "occurs 2 times" in told
    assert "does not occur" in told
    assert "missing" in told


async def test_an_edit_block_applies_as_a_whole_or_not_at_all(assign: Assign) -> None:
    assignment = assign()
    (assignment.lane / "a").write_text("1\n2\n")
    out = await play(ScriptedModel(edit("a", ("1\n", "one\n"), ("3\n", "three\n"))), assignment, turns=1)
    assert not finish(out).ok
    assert (assignment.lane / "a").read_text() == "1\n2\n"


async def test_a_change_with_missing_pieces_is_not_ok(assign: Assign) -> None:
    out = await play(ScriptedModel(*[file("b") + edit("a", ("x\n", "y\n"))] * 3), assign(), turns=3)
    assert finish(out).failure == "crashed"


@pytest.mark.parametrize(
    "path",
    [
        "../out",
        "/etc/out",
        "a/../../out",
        "link/out",
        ".git/hooks/x",
        ".GIT/config",
        ".github/workflows/x.yml",
        "a\x01b",
    ],
)
async def test_writes_stay_in_the_lane(assign: Assign, tmp_path: Path, path: str) -> None:
    assignment = assign()
    outside = tmp_path / "outside"
    outside.mkdir()
    (assignment.lane / "link").symlink_to(outside)
    out = await play(
        ScriptedModel(file(path) + edit(path, ("a\n", "b\n")) + f"=== DELETE: {path} ===\n"), assignment, turns=1
    )
    assert finish(out).failure == "no_change"
    assert sum(isinstance(activity, Warned) for activity in out) == 3
    assert list(outside.iterdir()) == []
    assert sorted(p.name for p in assignment.lane.iterdir()) == ["link"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home", "lane", "outside"]


async def test_what_the_project_protects_is_refused_and_what_the_user_opened_is_not(assign: Assign) -> None:
    assignment = assign(protected=("secret",), allow=(".github/workflows",))
    out = await play(ScriptedModel(file("secret/a") + file(".github/workflows/x.yml")), assignment, turns=1)
    assert [activity.path for activity in out if isinstance(activity, Wrote)] == [".github/workflows/x.yml"]


async def test_no_block_is_nudged_once_and_then_no_change(assign: Assign) -> None:
    model = ScriptedModel("I would.", "I still would.")
    assert finish(await play(model, assign())).failure == "no_change"
    assert len(model.asked) == 2
    model = ScriptedModel("I would.", file("a"))
    assert finish(await play(model, assign())).ok


async def test_a_cut_answer_goes_on_and_its_open_block_is_not_written(assign: Assign) -> None:
    assignment = assign()
    model = ScriptedModel((file("a") + "=== FILE: b ===\nhalf", "length"), file("b", "whole\n"))
    assert finish(await play(model, assignment)).ok
    assert "was cut" in model.asked[1][-1].text
    assert (assignment.lane / "b").read_text() == "whole\n"


@pytest.mark.parametrize("said", ["I begin to", file("a") + "=== FILE: b ===\nhalf"])
async def test_answers_that_are_cut_again_and_again_have_their_kind(assign: Assign, said: str) -> None:
    cut: tuple[str, Literal["length"]] = (said, "length")
    finished = finish(await play(ScriptedModel(*[cut] * 20), assign()))
    assert (finished.ok, finished.failure) == (False, "output_limit")
    assert "longest length" in finished.summary


@pytest.mark.parametrize(
    ("kind", "failure"), [("rate_limit", "rate_limit"), ("context_length", "context_length"), ("odd", "unavailable")]
)
async def test_a_failing_model_is_a_result_not_an_exception(assign: Assign, kind: str, failure: str) -> None:
    finished = finish(await play(ScriptedModel(ModelFailed("no answer", kind=kind)), assign()))
    assert (finished.ok, finished.failure, finished.summary) == (False, failure, "no answer")


async def test_a_refusal_is_a_failure(assign: Assign) -> None:
    assert finish(await play(ScriptedModel(("no", "refused")), assign())).failure == "refused"


async def test_without_a_door_it_cannot_start(assign: Assign) -> None:
    with pytest.raises(AgentFailed, match="no access") as failed:
        await play(ScriptedModel(), assign(door=None))
    assert failed.value.fix


async def test_messages_are_heard_between_turns(assign: Assign) -> None:
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    model = ScriptedModel(file("a"), file("b"))
    out: list[Activity] = []
    async for activity in DirectAgent(model).run(assign(), inbox):
        out.append(activity)
        if isinstance(activity, Wrote) and activity.path == "a":
            inbox.put_nowait(Message("m1", "also b"))
    assert Heard(message_ids=("m1",)) in out
    assert "also b" in model.asked[1][-1].text
    assert finish(out).ok


async def test_the_next_attempt_goes_on_from_the_conversation(assign: Assign) -> None:
    first = finish(await play(ScriptedModel(file("a")), assign()))
    model = ScriptedModel(file("a", "better\n"))
    out = await play(
        model, assign(attempt=2, prompt="Do it now.", conversation=first.conversation, feedback="tests failed")
    )
    assert model.asked[0] == [Turn("user", "Do it now."), Turn("assistant", file("a")), Turn("user", "tests failed")]
    conversation = finish(out).conversation
    assert conversation is not None
    assert [kind for kind, _ in json.loads(conversation)["entries"]] == ["directive", "answer", "feedback", "answer"]


@pytest.mark.parametrize(
    "broken", ["{", "[]", '{"version": 9}', '{"version": 1, "entries": [["answer", "x"]]}', '{"session": "s"}']
)
async def test_a_broken_conversation_is_left_out_with_a_warning(assign: Assign, broken: str) -> None:
    model = ScriptedModel(file("a"))
    out = await play(model, assign(conversation=broken, feedback="why"))
    assert isinstance(out[0], Warned)
    assert model.asked[0] == [Turn("user", "Do it.\n\nwhy")]


@pytest.mark.parametrize("known", [True, False])
async def test_near_the_limit_the_conversation_is_cut_and_said(assign: Assign, known: bool) -> None:
    entries = [
        ConversationEntry("directive", "d"),
        ConversationEntry("answer", "a" * 9000),
        ConversationEntry("feedback", "f"),
        ConversationEntry("answer", "second"),
        ConversationEntry("problems", "p"),
        ConversationEntry("answer", "last"),
    ]
    model = ScriptedModel(file("a"))
    agent = DirectAgent(model, context_tokens=10**6 if known else 3_000, window=lambda _: 3_000 if known else 0)
    talk = assign(conversation=encode(entries), feedback="g")
    out = [activity async for activity in agent.run(talk, asyncio.Queue())]
    # A third of the bytes and eight for each message; the directive is the task as it is now.
    whole = 3_000 + 8 + (6 // 3 + 8) + 8 + (6 // 3 + 8) + 8 + (4 // 3 + 8) + 8
    assert out[0] == Compacted(cut=1, tokens_before=whole, tokens_after=whole - 3_008)
    assert model.asked[0] == [
        Turn("user", "Do it.\n\nf"),
        Turn("assistant", "second"),
        Turn("user", "p"),
        Turn("assistant", "last"),
        Turn("user", "g"),
    ]


def test_compaction_keeps_directive_feedback_and_the_last_two_turns() -> None:
    entries = [ConversationEntry("directive", "d" * 300)]
    for number in range(50):
        entries += [
            ConversationEntry("answer", f"{number}" * 300),
            ConversationEntry("problems", "p" * 300),
            ConversationEntry("feedback", f"f{number}"),
        ]
    short = compacted(entries, 2_000)
    assert short[0] == entries[0]
    assert short[-6:] == entries[-6:]  # two answers, each with what it was told of it
    assert [e for e in short if e.kind == "feedback"] == [e for e in entries if e.kind == "feedback"]
    assert tokens(short) <= 2_000
    assert compacted(entries, 10**6) == entries
    assert decode(encode(entries)) == entries
    assert [turn.role for turn in turns(short)][:1] == ["user"]


async def test_prose_comes_in_readable_pieces_and_the_plan_whole(assign: Assign) -> None:
    text = (
        "word " * 200
        + "\n=== BUILD PLAN ===\n- [ ] one\n=== END BUILD PLAN ===\n"
        + file("a")
        + "=== TASK DONE: 1 ===\n"
    )
    out = await play(ScriptedModel(text, piece=1), assign())
    said = [activity.text for activity in out if isinstance(activity, Said)]
    assert "".join(said).startswith("word " * 200)
    assert len(said) < 12
    assert "=== BUILD PLAN ===\n- [ ] one\n=== END BUILD PLAN ===\n" in said
    assert "=== TASK DONE: 1 ===\n" in said


async def test_closing_the_iteration_closes_the_stream(assign: Assign) -> None:
    model = ScriptedModel(None)

    async def consume() -> None:
        async for _ in DirectAgent(model).run(assign(), asyncio.Queue()):
            pass

    task = asyncio.create_task(consume())
    await model.started.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.open_streams == 0


async def test_leaving_the_iteration_early_closes_the_stream(assign: Assign) -> None:
    model = ScriptedModel(file("a") * 50)
    async with aclosing(DirectAgent(model).run(assign(), asyncio.Queue())) as activities:  # type: ignore[type-var]
        async for _ in activities:
            break
        assert model.open_streams == 1
    assert model.open_streams == 0
