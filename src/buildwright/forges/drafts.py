"""Drafts by their title: what a forge without a state of drafts reads as one. Must never change the rest of a title."""

from __future__ import annotations


def marked_title(title: str, mark: str, draft: bool) -> str:
    """Return the title with `mark` before it once if it is of a draft, else without."""
    plain = title
    while plain.lower().startswith(mark.lower()):
        plain = plain[len(mark) :]
    return f"{mark}{plain}" if draft else plain
