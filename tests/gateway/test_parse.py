"""Streams are split into the same events wherever they are cut, and what only repeats an answer is not read again."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildwright.gateway.exchange import AnswerReader, json_object
from buildwright.gateway.parse import LONGEST_EVENT, EventScanner, TooLong, read_event
from buildwright.gateway.protocols import PROTOCOLS, responses

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
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"model": "gpt-5"}},
        {"type": "response.output_text.delta", **event, "delta": "Hello"},
        {"type": "response.output_text.done", **event, "text": "Hello"},
        {"type": "response.content_part.done", **event, "part": {"type": "output_text", "text": "Hello"}},
        {"type": "response.output_item.added", "output_index": 1, "item": {"type": "function_call", "name": "f"}},
        {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"a":1}'},
        {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": '{"a":1}'},
        {
            "type": "response.output_item.done",
            "output_index": 1,
            "item": {"type": "function_call", "name": "f", "arguments": '{"a":1}'},
        },
        {"type": "response.completed", "response": {"status": "completed", "usage": {"input_tokens": 5}}},
    ]
    read, whole = AnswerReader("responses"), AnswerReader("responses")
    for one in events:
        for separators in ((",", ":"), (", ", ": ")):
            text = json.dumps(one, separators=separators)
            skipped = text.startswith(responses.REPEATS)
            assert skipped == one["type"].endswith(("text.done", "part.done", "arguments.done")), one
        read_event(read, text)
        PROTOCOLS["responses"].read_event(whole, one)
    assert read == whole
    assert (read.text, read.calls[0].input, read.done, read.model) == (["Hello"], {"a": 1}, True, "gpt-5")


def test_what_is_no_object_is_an_empty_one_and_half_a_pair_of_surrogates_is_text() -> None:
    assert [json_object(text) for text in ("[DONE]", "[1]", "", "{", "[" * 100_000)] == [{}] * 5
    assert json_object('{"delta": "\\ud83d"}') == {"delta": "\ud83d"}
