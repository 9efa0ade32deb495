"""The origin of each text in an event; foreign text is cleaned. Pure; must never touch a text not declared foreign.

Every text in an event, and in the records that it holds, is declared as one of three: `ForeignText`, `UserText` or
`Identifier`. `sanitizer_of` reads the declarations once for each class and refuses a text without one, so that an event
with a text of undeclared origin cannot be made, and cannot reach a journal uncleaned.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from operator import is_
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from buildwright.core.terminal import clean

Mask: TypeAlias = Callable[[str], str]
"""Returns a text without the secrets in it."""
Sanitizer: TypeAlias = Callable[[Any, Mask], Any]
"""Returns a value with its foreign text cleaned; the very same object when there is nothing to do."""
AnyRecord = TypeVar("AnyRecord", bound=BaseModel)


class Origin(Enum):
    """The origin of a text. On a field that holds more than one text it applies to all of them, however deep."""

    FOREIGN = "foreign"
    USER = "user"
    IDENTIFIER = "identifier"


ForeignText = Annotated[str, Origin.FOREIGN]
"""Words of an agent, a tool, a model, a provider or the user's project: secrets and terminal controls are taken out."""
UserText = Annotated[str, Origin.USER]
"""Words that the user typed for this build: kept as they are. Must never hold words of an agent, tool or model."""
Identifier = Annotated[str, Origin.IDENTIFIER]
"""An id, a digest, a path, a name of git or a word of our own: programs compare it, so no character may change."""

UNREADABLE = "[nothing readable]"
"""Replaces a text that must not be empty and of which cleaning has left nothing."""

_NOT_TEXT = {NoneType, bool, int, float, Decimal, datetime, AwareDatetime}


def sanitize(record: AnyRecord, mask: Mask) -> AnyRecord:
    """Return the record with its foreign text cleaned; the very same object when there is nothing to do."""
    sanitizer = sanitizer_of(type(record))
    return record if sanitizer is None else sanitizer(record, mask)


@cache
def sanitizer_of(cls: type[BaseModel]) -> Sanitizer | None:
    """Return a function that cleans records of this class, None when they hold no foreign text.

    Raises TypeError for a text, or a type that may hold one, without a declared origin.
    """
    found = {
        name: _of_type(field.annotation, field.metadata, f"{cls.__name__}.{name}")
        for name, field in cls.model_fields.items()
    }
    parts = [(name, sanitizer) for name, sanitizer in found.items() if sanitizer is not None]

    def of_record(record: BaseModel, mask: Mask) -> BaseModel:
        changed = {}
        for name, sanitizer in parts:
            before = getattr(record, name)
            after = sanitizer(before, mask)
            if after is not before:
                changed[name] = after
        return record.model_copy(update=changed) if changed else record

    return of_record if parts else None


def _of_type(hint: Any, marks: list[Any], where: str, outer: Origin | None = None) -> Sanitizer | None:
    """Return a function that cleans a value of this type, None without foreign text. `outer` comes first."""
    if get_origin(hint) is Annotated:
        hint, *inner = get_args(hint)
        marks = [
            *marks,
            *(each for mark in inner for each in (mark.metadata if isinstance(mark, FieldInfo) else [mark])),
        ]
    origin = outer or next((mark for mark in marks if isinstance(mark, Origin)), None)
    if origin in {Origin.USER, Origin.IDENTIFIER} or get_origin(hint) is Literal or hint in _NOT_TEXT:
        return None
    if hint is str and origin is Origin.FOREIGN:
        return _of_text(marks)
    arguments = get_args(hint)
    if get_origin(hint) in {Union, UnionType}:
        found: list[Any] = [_of_type(each, [], where, origin) for each in arguments if each is not NoneType]
        if not any(found):
            return None
        if len(found) == 1:
            return lambda value, mask: None if value is None else found[0](value, mask)
    if get_origin(hint) is tuple and arguments[1:] == (...,):
        item = _of_type(arguments[0], [], where, origin)
        return None if item is None else _of_items(item)
    if isinstance(hint, type) and issubclass(hint, BaseModel) and origin is None:
        return sanitizer_of(hint)
    raise TypeError(
        f"{where} may hold text, and nothing says whose words: declare it ForeignText (cleaned before it is kept), "
        "UserText or Identifier (kept as they are)"
    )


def _of_text(marks: list[Any]) -> Sanitizer:
    """Return a cleaner that keeps the field's own bounds: cleaning changes the length, and a journal must load."""
    shortest = next((mark.min_length for mark in marks if hasattr(mark, "min_length")), 0)
    longest = next((mark.max_length for mark in marks if hasattr(mark, "max_length")), None)

    def of_text(text: str, mask: Mask) -> str:
        cleaned = clean(text, mask)[:longest]
        if len(cleaned) < shortest:
            cleaned = UNREADABLE
        return text if cleaned == text else cleaned

    return of_text


def _of_items(sanitizer: Sanitizer) -> Sanitizer:
    def of_items(items: tuple[Any, ...], mask: Mask) -> tuple[Any, ...]:
        cleaned = tuple([sanitizer(item, mask) for item in items])
        return items if all(map(is_, cleaned, items)) else cleaned

    return of_items
