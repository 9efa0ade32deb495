from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from buildwright.core.spec_parts import pieces_of

SPEC = """---
id: 1
---
# Shop

Customers buy books. They pay by card, e.g. Visa; refunds take 2.5 days! Is it `a.b`?
A second line
goes on.

- [ ] T001 Parse sums
  over two lines
- Say hello
1. First

```
- no item
```

| name | means |
| --- | --- |
| cart | what is bought |

Title
=====
<!-- a comment -->
Last
"""


def said(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in pieces_of(text) if one.kind != "other"]


def test_a_text_is_cut_into_what_it_asks_for() -> None:
    assert said(SPEC) == [
        ("heading", "# Shop"),
        ("sentence", "Customers buy books."),
        ("sentence", "They pay by card, e.g. Visa; refunds take 2.5 days!"),
        ("sentence", "Is it `a.b`?"),
        ("sentence", "A second line\ngoes on."),
        ("item", "T001 Parse sums\n  over two lines"),
        ("item", "Say hello"),
        ("item", "First"),
        ("code", "```\n- no item\n```"),
        ("heading", "| name | means |"),
        ("row", "| cart | what is bought |"),
        ("heading", "Title"),
        ("sentence", "Last"),
    ]


def test_pieces_know_their_lines() -> None:
    assert [one.line for one in pieces_of("One.\nTwo.\n\n- c\n") if one.kind != "other"] == [1, 2, 4]


TEXTS = st.text("ab.!?\n \t-#|`*1)[]x\r\u3002\U0001f600=<!", max_size=120)


@given(TEXTS | st.text(max_size=80))
def test_joined_pieces_are_the_text(text: str) -> None:
    pieces = pieces_of(text)
    assert "".join(text[one.start : one.end] for one in pieces) == text
    assert all(one.start < one.end for one in pieces)
    assert [one.start for one in pieces[1:]] == [one.end for one in pieces[:-1]]
