"""The base of what programs ask for: no unknown keys, no text that cannot be kept. Must never know what is asked.

Text that the store could not keep (NUL, half a surrogate pair) is refused here.
"""

from __future__ import annotations

import math
import re
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from buildwright.core.narrowed import options_from

_HALF = re.compile("[\ud800-\udfff]")
DEEPEST = 64
"""Levels of objects and lists within one body."""


def clean(text: str) -> str:
    """Return the text unchanged. Raises ValueError for characters that the store cannot keep."""
    if "\0" in text:
        raise ValueError("has a NUL character")
    if not text.isascii() and _HALF.search(text):
        raise ValueError("has half a character (a lone surrogate)")
    return text


class RequestModel(BaseModel):
    """The base of request bodies: no unknown keys, no text that cannot be kept."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _clean(cls, data: Any) -> Any:
        _check(data, DEEPEST)
        return data


def _check(data: Any, deeper: int) -> None:
    if isinstance(data, str):
        clean(data)
    elif isinstance(data, float):
        if not math.isfinite(data):
            raise ValueError("has a number that JSON has no word for")
    elif isinstance(data, dict | list):
        if not deeper:
            raise ValueError(f"is nested more than {DEEPEST} levels deep")
        if isinstance(data, dict):
            for key in data:
                clean(str(key))
        for value in data.values() if isinstance(data, dict) else data:
            _check(value, deeper - 1)


class GivenAs:
    """An annotation by which a field of type `Options` takes a narrowed model of them; only the given ones count as set."""

    def __init__(self, model: type[BaseModel]) -> None:
        self._model = model

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(options_from, handler.generate_schema(self._model))
