"""The models that a user names. Pure; must never know what a model can do.

`[models]` of `buildwright.toml` gives names to models. Three names are sizes: small, middle and large.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Final, Literal, get_args

from pydantic import Field, WithJsonSchema

from buildwright.core.complexity import Size
from buildwright.core.model_names import maker_of
from buildwright.core.record import Record

AUTO: Final = "auto"
"""The model that stands for the choice by complexity."""
LADDER: Final[tuple[Size, ...]] = get_args(Size)
"""The names that are sizes, the smallest first."""
MODEL_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9_./:@+-]{0,199}$"

Usd = Annotated[
    Decimal,
    Field(ge=0, le=1_000_000),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": 1_000_000},
                {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,6})?$"},
            ]
        }
    ),
]
"""Dollars, as a number or, so that no digit is lost, as text."""


class NamedModel(Record):
    """A model that a user has given a name. Prices are US dollars for a million tokens."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")
    model: str = Field(pattern=MODEL_ID)
    """The name that its provider knows it by."""
    provider: Literal["", "anthropic", "openai", "google"] = ""
    """Whose protocol and key it is asked with; "" for the one that its name says."""
    input_usd: Usd | None = None
    """None: the price that the list of published prices knows."""
    output_usd: Usd | None = None
    context: int = Field(0, ge=0, le=1_000_000_000)
    """Tokens that a conversation may have; 0 when that is not known."""
    of_project: bool = False
    """Whether the project's own file says so: nothing vouches for it."""

    @property
    def id(self) -> str:
        """The name that it is asked by here: with its provider in front where the name alone would lead to another."""
        if not self.provider or maker_of(self.model) == self.provider:
            return self.model
        return f"{self.provider}/{self.model}"

    def cost(self, tokens_in: int, tokens_out: int) -> Decimal | None:
        """Return the US dollars for these tokens by the user's own price; None without one."""
        if self.input_usd is None or self.output_usd is None:
            return None
        return (self.input_usd * tokens_in + self.output_usd * tokens_out) / 1_000_000


def named(models: Sequence[NamedModel], name: str) -> NamedModel | None:
    """Return the model of that name, None when the user has named none so."""
    return next((one for one in models if one.name == name), None)


def sizes(models: Sequence[NamedModel]) -> list[NamedModel]:
    """Return the models that are sizes, the smallest first."""
    return sorted((one for one in models if one.name in LADDER), key=size_place)


def size_place(model: NamedModel) -> int:
    """Return the place of a model that is a size, from 0 for the smallest. Raises ValueError for another."""
    return [*LADDER].index(model.name)  # type: ignore[arg-type]


def id_of(models: Sequence[NamedModel], name: str) -> str:
    """Return the model that a name stands for; any other name is that of a model itself.

    `auto` stands here for the middle one, or without one for the largest.
    """
    if name == AUTO:
        middle = named(models, "middle") or next(reversed(sizes(models)), None)
        return middle.id if middle is not None else ""
    found = named(models, name)
    return found.id if found is not None else name
