"""The direct agent's conversation: kept between attempts as JSON, cut near the model's limit. Must never do I/O."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from buildwright.ports import Turn

Kind = Literal["directive", "feedback", "message", "problems", "answer"]
_KEPT: frozenset[Kind] = frozenset({"directive", "feedback", "message"})
_VERSION = 1
_ENTRIES: TypeAdapter[list[tuple[Kind, str]]] = TypeAdapter(list[tuple[Kind, str]])


@dataclass(frozen=True, slots=True)
class ConversationEntry:
    """One message. `answer` is the model's; all other kinds are sent to the model."""

    kind: Kind
    text: str


def encode(entries: Sequence[ConversationEntry]) -> str:
    """Return the conversation as JSON, for `Finished.conversation`."""
    return json.dumps({"version": _VERSION, "entries": [[entry.kind, entry.text] for entry in entries]})


def decode(text: str) -> list[ConversationEntry] | None:
    """Return what `encode` wrote; None for anything else (another agent's conversation, damage)."""
    try:
        loaded = json.loads(text)
        entries = [ConversationEntry(*pair) for pair in _ENTRIES.validate_python(loaded["entries"])]
        if loaded["version"] != _VERSION:
            return None
    except (ValueError, LookupError, TypeError):  # pydantic's errors are ValueErrors
        return None
    return entries if entries and entries[0].kind == "directive" else None


def turns(entries: Sequence[ConversationEntry]) -> list[Turn]:
    """Return the conversation as turns of user and assistant; consecutive entries of one side become one turn."""
    out: list[Turn] = []
    for entry in entries:
        role: Literal["user", "assistant"] = "assistant" if entry.kind == "answer" else "user"
        # Providers refuse an empty turn, and a model may answer with nothing.
        text = entry.text if entry.text.strip() else "(nothing)"
        if out and out[-1].role == role:
            out[-1] = Turn(role, f"{out[-1].text}\n\n{text}")
        else:
            out.append(Turn(role, text))
    return out


def tokens(entries: Sequence[ConversationEntry]) -> int:
    """Return a safe estimate, rather too high: three bytes of UTF-8 per token."""
    return sum(len(entry.text.encode("utf-8", "replace")) // 3 + 8 for entry in entries)


def compacted(entries: Sequence[ConversationEntry], limit: int) -> list[ConversationEntry]:
    """Return at most about `limit` tokens; the oldest entries that may go are dropped first.

    The directive, all feedback and messages of the user, and the last two turns always stay, even above the limit.
    """
    over = tokens(entries) - limit
    kept: list[ConversationEntry] = []
    last = len(entries) - 2
    for index, entry in enumerate(entries):
        if over > 0 and index < last and entry.kind not in _KEPT:
            over -= tokens([entry])
        else:
            kept.append(entry)
    return kept
