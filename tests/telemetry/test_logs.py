"""The program's own log."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from buildwright.core.secrets import MASK, Masker
from buildwright.telemetry.logs import open_log

KEY = "k3y-Zq9-w7Tb2xV5mR8"


def lines(sink: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def test_a_line_has_its_time_its_level_and_its_fields() -> None:
    sink = io.StringIO()
    log = open_log(sink, str, json=True, worker="one")
    log("taken", executionId="b", projectId="p", correlationId="c", waited=0.5)
    log("redis-is-away", why="no answer", level="warning")
    first, second = lines(sink)
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "event": "taken",
        "level": "info",
        "worker": "one",
        "executionId": "b",
        "projectId": "p",
        "correlationId": "c",
        "waited": 0.5,
    }
    assert second["level"] == "warning"


@pytest.mark.parametrize("as_json", [True, False])
def test_secrets_and_controls_are_in_no_line(as_json: bool) -> None:
    sink = io.StringIO()
    log = open_log(sink, Masker([KEY]), json=as_json)
    log("said", why=f"{KEY[:5]}\x1b[1m{KEY[5:]}", deep={"a": [KEY, ("x", {KEY: KEY})]}, error=ValueError(f"no {KEY}"))
    log("said", shape="sk-ant-api03-abcdefghijklmnopqrstuvwxyz", wide="\u202eabc\x9b2J")
    text = sink.getvalue()
    assert KEY not in text
    assert "sk-ant" not in text
    assert MASK in text
    assert not {"\x1b", "\\u001b", "\u202e", "\\u202e", "\x9b"} & {*text, *(text[n : n + 6] for n in range(len(text)))}
