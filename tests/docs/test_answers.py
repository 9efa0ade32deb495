"""The comparison of answers with what pages show of them finds what is missing, more, or other; else it would prove nothing."""

from __future__ import annotations

import json

import pytest

from tests.docs.answers import difference, documents, is_like, shown


@pytest.mark.parametrize(
    ("page", "answer", "place"),
    [
        ('{"id": "...", "n": 1}', '{"id": "abc", "n": 1}', ""),
        ('{"id": "/x/...", "n": ...}', '{"id": "/x/abc", "n": null}', ""),
        ('{"id": "a", ...}', '{"id": "a", "more": 1}', ""),
        ("{...}", '{"more": 1}', ""),
        ('[{"id": "a"}, ...]', '[{"id": "a"}, {"id": "b"}]', ""),
        ('[{"id": "a"}, ...]', '[{"id": "a"}]', ""),
        ('{"text": "what...ever"}', '{"text": "what [*] ever"}', ""),
        ('{"id": "a"}', '{"id": "a", "more": 1}', "more"),
        ('{"id": "a", "n": ..., ...}', '{"id": "a"}', "n"),
        ('{"id": "a"}', '{"id": "b"}', "/id"),
        ('{"id": "/x/..."}', '{"id": "/y/abc"}', "/id"),
        ('[{"id": "a"}]', '[{"id": "a"}, {"id": "b"}]', "/"),
        ('{"deep": [{"n": 1}]}', '{"deep": [{"n": 2}]}', "/deep/0/n"),
        ('{"id": {}}', '{"id": []}', "/id"),
    ],
)
def test_an_answer_fits_or_the_place_is_named(page: str, answer: str, place: str) -> None:
    (wanted,) = shown(page)
    said = difference(wanted, json.loads(answer))
    assert (place in said) if place else not said, said


def test_documents_follow_one_another() -> None:
    assert documents('{"a": 1}{"b": 2}\n[3]') == [{"a": 1}, {"b": 2}, [3]]
    assert shown('{"a": ...}\n{"b": "..."}') == [{"a": "..."}, {"b": "..."}]


def test_lines_may_have_cuts() -> None:
    assert is_like("Result: branch buildwright/... in .../notes", "Result: branch buildwright/12 in here/notes")
    assert is_like("counted{of=[a]} 1", "counted{of=[a]} 1")
    assert not is_like("counted{of=[a]} 1", "counted{of=a} 1")
