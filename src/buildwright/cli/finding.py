"""One thing that `doctor` has looked at. Holds no text of its own."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """One thing looked at. `costs` says what the user cannot do without it."""

    name: str
    ok: bool
    required: bool
    found: str
    costs: str = ""
