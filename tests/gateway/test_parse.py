"""Streams are split into the same events wherever they are cut, and what only repeats an answer is not read again."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.gateway.exchange import AnswerReader, ModelAnswer, Protocol, Tokens, ToolUse, json_object
from buildwright.gateway.parse import (
    LONGEST_EVENT,
    MOST_UNREAD,
    AnswerStream,
    EventScanner,
    SseEvent,
    TooLong,
    read_event,
)
from buildwright.gateway.protocols import PROTOCOLS, read_request, responses

LINES = st.lists(
    st.sampled_from([b"", b"", b"data: a", b"data:b", b"data:", b": said", b"event: x", b"data: \xff\xc3\xa4"])
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def all_of(pieces: list[bytes]) -> tuple[list[str], bytes]:
    """The data of all events that have any, and all bytes again."""
    scanner, data, raw = EventScanner(), [], b""
    for piece in pieces:
        for event in scanner.feed(piece):
            raw += event.raw
            data += [event.data] if b"data:" in event.raw else []
    return data, raw + scanner.rest()


@given(LINES, ENDS, st.lists(st.integers(0, 80)))
def test_where_a_stream_is_cut_changes_nothing(lines: list[bytes], end: bytes, cuts: list[int]) -> None:
    stream = b"".join(line + end for line in lines)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[begin:after] for begin, after in pairwise(places)]
    blocks = re.split(r"\n\n", "\n".join(line.decode("utf-8", "replace") for line in lines) + "\n")[:-1]
    told = [[line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")] for block in blocks]
    assert all_of(pieces) == (["\n".join(one) for one in told if one], stream)


def test_ends_of_lines_may_change_on_the_way() -> None:
    pieces = [b"data: 1\n", b"\ndata: 2\ndata: 3\n\ndata", b": 4\r\n\r", b"\ndata: 5\r\rdata: 6\n\n", b"data: 7"]
    data, raw = all_of(pieces)
    assert (data, raw) == (["1", "2\n3", "4", "5", "6"], b"".join(pieces))


@pytest.mark.parametrize("end", [b"\n", b"\r"])
def test_an_event_without_an_end_does_not_fill_the_memory(end: bytes) -> None:
    pieces = [b"data: " + b"x" * 1_000_000 + end] * (LONGEST_EVENT // 1_000_000 + 2)
    with pytest.raises(TooLong):
        all_of(pieces)


def test_what_only_repeats_the_answer_is_not_read_and_changes_nothing() -> None:
    event = {"item_id": "m", "output_index": 0, "content_index": 0}
    said = {"id": "m", "type": "message", "status": "completed", "content": [{"type": "output_text", "text": "Hello"}]}
    # Whatever a call holds, it is read: nothing else has it whole.
    called: list[dict[str, Any]] = [
        {"id": "f", "type": "function_call", "name": "f", "arguments": '{"a":1,"type":"message"}'},
        {"id": "c", "type": "custom_tool_call", "name": "c", "input": '"type":"message"'},
        {"id": "s", "type": "local_shell_call", "action": {"type": "exec", "env": {"type": "message"}}},
    ]
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"model": "gpt-5"}},
        {"type": "response.output_text.delta", **event, "delta": "Hello"},
        {"type": "response.output_text.done", **event, "text": "Hello"},
        {"type": "response.content_part.done", **event, "part": {"type": "output_text", "text": "Hello"}},
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "f"}},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"a":1}'},
        {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": '{"a":1}'},
        *(
            {"type": "response.output_item.done", "output_index": place, "item": item}
            for place, item in enumerate((said, *called))
        ),
        {"type": "response.completed", "response": {"status": "completed", "usage": {"input_tokens": 5}}},
    ]
    read, whole = AnswerReader("responses"), AnswerReader("responses")
    for one in events:
        for separators in ((",", ":"), (", ", ": ")):
            told = SseEvent(f"data: {json.dumps(one, separators=separators)}\n\n".encode())
            skipped = responses.when_read(told.raw) == "never"
            repeats = one["type"].endswith(("text.done", "part.done", "arguments.done")) or one.get("item") is said
            assert skipped == repeats, one
        read_event(read, told)
        PROTOCOLS["responses"].read_event(whole, one)
    assert read == whole
    assert (read.text, read.done, read.model) == (["Hello"], True, "gpt-5")
    assert [(call.name, call.input) for call in read.calls] == [
        ("f", {"a": 1, "type": "message"}),
        ("c", {"input": '"type":"message"'}),
        ("local_shell", called[2]["action"]),
    ]


def test_what_is_no_object_is_an_empty_one_and_half_a_pair_of_surrogates_is_text() -> None:
    assert [json_object(text) for text in ("[DONE]", "[1]", "", "{", "[" * 100_000)] == [{}] * 5
    assert json_object('{"delta": "\\ud83d"}') == {"delta": "\ud83d"}


SAID: dict[Protocol, dict[str, Any]] = {
    "anthropic": {"model": "m", "messages": []},
    "openai": {"model": "m", "messages": [], "stream_options": {"include_usage": True}},
    "responses": {"model": "m", "input": []},
    "gemini": {"contents": []},
}
ODD = 'He said: "finish_reason":"stop", "usage":{"error":1}, "finishReason":"STOP"\n\ndata: [DONE]\n\n\U0001f40d'


def stream_of(protocol: Protocol, text: str, *, calls: bool = True) -> list[bytes]:
    """The events of an answer with this text, and a call of a tool."""
    asked = read_request(protocol, json.dumps(SAID[protocol]).encode(), model="m", stream=True)
    used = (ToolUse("write", {"path": "a", "text": text[:50]}),) if calls else ()
    answer = ModelAnswer("id", "m", text, used, Tokens(10, 20, 3))
    return [frame.data for frame in PROTOCOLS[protocol].frames(asked, answer, 7)]


def read_all(protocol: Protocol, events: list[bytes]) -> AnswerReader:
    """What there is to know of an answer."""
    reader = AnswerReader(protocol)
    for event in EventScanner().feed(b"".join(events)):
        read_event(reader, event)
    return reader


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_answer_that_ends_counted_is_known_without_its_pieces(protocol: Protocol) -> None:
    events = stream_of(protocol, ODD)
    reader = AnswerReader(protocol)
    stream = AnswerStream(reader)
    ended = [reader.done for event in events if stream.feed(event) == event]
    stream.settle()
    known = read_all(protocol, events)
    assert "".join(known.text) == ODD
    assert (reader.model, reader.tokens, reader.stop, reader.done) == (known.model, known.tokens, known.stop, True)
    assert ended == [read_all(protocol, events[: n + 1]).done for n in range(len(events))]
    assert (reader.text, reader.error) == ([], None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("named", ["now", "later"])
def test_the_model_is_known_whichever_events_name_it(protocol: Protocol, named: str) -> None:
    wire = PROTOCOLS[protocol]
    events = [
        event if wire.when_read(event) == named else re.sub(rb'"model(Version)?":"m",?', b"", event)
        for event in stream_of(protocol, ODD)
    ]
    stream = AnswerStream(reader := AnswerReader(protocol))
    for event in events:
        stream.feed(event)
    stream.settle()
    known = read_all(protocol, events)
    assert (reader.model, reader.done, reader.tokens) == (known.model, True, known.tokens)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(text=st.text(min_size=8), after=st.integers(0, 60), size=st.integers(1, 300), whole=st.booleans())
def test_of_an_answer_that_is_cut_all_is_known_that_came(
    protocol: Protocol, text: str, after: int, size: int, whole: bool
) -> None:
    events = stream_of(protocol, text)
    came = b"".join(events[: min(after, len(events))])
    reader = AnswerReader(protocol)
    stream = AnswerStream(reader, whole=whole)
    passed = b"".join(stream.feed(came[begin : begin + size]) for begin in range(0, len(came), size))
    assert passed == came
    stream.settle()
    known = read_all(protocol, [came])
    if whole or not known.done or known.tokens is None:
        assert reader == known
    else:
        assert (reader.tokens, reader.stop, reader.model) == (known.tokens, known.stop, known.model)


def test_an_answer_that_its_provider_does_not_count_is_read_when_it_ends() -> None:
    events = [event for event in stream_of("openai", ODD) if b'"usage":{' not in event or b"choices" not in event]
    events = [event for event in events if b'"choices":[]' not in event]
    reader = AnswerReader("openai")
    stream = AnswerStream(reader)
    for event in events:
        stream.feed(event)
    assert reader == read_all("openai", events)
    assert (reader.done, reader.tokens, "".join(reader.text)) == (True, None, ODD)


def test_only_so_much_of_an_answer_waits_to_be_read() -> None:
    reader = AnswerReader("anthropic")
    stream = AnswerStream(reader)
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 1000}}
    event = f"event: content_block_delta\ndata: {json.dumps(piece)}\n\n".encode()
    for _ in range(3 * MOST_UNREAD // len(event)):
        stream.feed(event)
        assert stream.unread <= MOST_UNREAD
    stream.settle()
    assert reader.chars == 1000 * (3 * MOST_UNREAD // len(event))


@pytest.mark.parametrize("space", ["", " "])
def test_a_chunk_is_a_piece_only_if_nothing_in_it_is_news(space: str) -> None:
    quiet = {"choices": [{"delta": {"content": "a"}, "finish_reason": None}], "usage": None}
    news: list[dict[str, Any]] = [
        {**quiet, "usage": {"prompt_tokens": 1}},
        {**quiet, "choices": [{"delta": {}, "finish_reason": None}, {"delta": {}, "finish_reason": "stop"}]},
        {**quiet, "error": {"message": "no"}},
        {"id": "of another kind"},
    ]
    for body in (quiet, *news):
        event = b"data: " + json.dumps(body, separators=("," + space, ":" + space)).encode() + b"\n\n"
        assert PROTOCOLS["openai"].when_read(event) == ("later" if body is quiet else "now"), body
