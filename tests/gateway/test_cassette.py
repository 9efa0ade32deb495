"""The cassette format: what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.errors import BadSpec
from buildwright.gateway import cassette

GOOD = "version: 1\nturns:\n  - reply: {text: a}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 2\nturns: []\n", r"f\.yaml \(version\)"),
        ("turns: []\n", r"\(version\): Field required"),
        ("version: 1\nturns:\n", r"\(turns\)"),
        ("", r"f\.yaml"),
        ("just words", r"f\.yaml"),
        ("version: 1\nturns:\n  - reply: {text: a, json: {}}\n", r"\(turns\[0\]\.reply\): give exactly one of"),
        ("version: 1\nturns:\n  - reply: {text: a, say: b}\n", "say goes with"),
        ("version: 1\nturns:\n  - {reply: {text: a}, whne: {task: T1}}\n", r"\(turns\[0\]\.whne\)"),
        ("version: 1\nturns:\n  - {reply: {text: a}, faults: [{kind: 418}]}\n", r"\(turns\[0\]\.faults\[0\]\.kind\)"),
        ("version: 1\nturns:\n  - {reply: {json: {day: 2026-01-01}}}\n", r"\(turns\[0\]\.reply\.json"),
        ("version: 1\nturns:\n  - {reply: {json: {day: 2026-99-01}}}\n", "Not valid YAML"),
        ("version: 1\nturns: [\n", r"f\.yaml:3: Not valid YAML"),
        ("version: 1\nturns: &a\n  - reply: {text: a}\n", r"f\.yaml:2: .*anchors"),
        ("a: &a [x]\nb: *a\n", "anchors"),
        ("a: !!python/object/apply:os.system [ls]\n", "Not valid YAML"),
        ("[" * 100_000, "nesting|Not valid"),
        ("version: 1\nturns:\n  - reply: {text: \x07}\n", "Not valid YAML"),
    ],
)
def test_a_wrong_cassette_is_refused_with_its_place(text: str, says: str) -> None:
    with pytest.raises(BadSpec, match=says):
        cassette.parse(text, "f.yaml")


def test_json_may_be_null_and_files_may_be_empty() -> None:
    entries = cassette.parse(GOOD + "  - reply: {json: null}\n  - reply: {files: {}}\n", "f.yaml").turns
    assert [entry.reply.json_ for entry in entries] == [None, None, None]
    assert entries[2].reply.files == {}


def test_a_file_is_read_again_only_when_it_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(GOOD)
    first = cassette.load(file)
    assert cassette.load(file) is first
    file.write_text(GOOD + "  - reply: {text: b}\n")
    assert len(cassette.load(file).turns) == 2


def test_a_huge_or_binary_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_bytes(b"#" * (cassette.LARGEST_FILE + 1))
    with pytest.raises(BadSpec, match="bytes"):
        cassette.load(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSpec, match="cannot be read"):
        cassette.load(file)
    with pytest.raises(BadSpec, match="cannot be read"):
        cassette.load(tmp_path)
