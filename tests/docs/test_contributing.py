"""What a new event needs: every place at once, and the same places as CONTRIBUTING.md names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from buildwright.cli.event_text import TELLERS
from buildwright.core.apply import MOVES
from buildwright.core.event import EVENT_TYPES, AnyEvent, BuildCreated, Event
from buildwright.views.frames import ROWS

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"

PLACES: dict[str, set[type[Event]]] = {
    "`AnyEvent` of `core/event.py`": set(get_args(get_args(AnyEvent)[0])),
    "`MOVES` of `core/apply.py`": {*MOVES, BuildCreated},
    "`ROWS` of `views/frames.py`": set(ROWS),
    "`TELLERS` of `cli/event_text.py`": set(TELLERS),
}
"""Tables that have every event. `BuildCreated` begins a journal, so it has no move."""


def test_a_new_event_has_its_row_in_every_table() -> None:
    events = set(EVENT_TYPES.values())
    missing = {place: sorted(cls.__name__ for cls in events - known) for place, known in PLACES.items()}
    assert {place: names for place, names in missing.items() if names} == {}
    assert all(known <= events for known in PLACES.values())


def test_contributing_names_exactly_these_places() -> None:
    (paragraph,) = re.findall(r"^\*\*An event\.\*\*(.*?)^\*\*", CONTRIBUTING.read_text(), re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"`[A-Z]\w+` of\s`[\w/.]+`", paragraph.replace("\n", " "))) == set(PLACES)
    assert Path(__file__).name in paragraph
