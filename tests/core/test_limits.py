"""The options are one model: what the command line, requests and buildwright.toml take are parts of it, and no wider."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError

from buildwright.cli.build_options import BuildOptions
from buildwright.cli.options import options_of
from buildwright.core.limits import (
    TABLES,
    AsOption,
    Check,
    Delivery,
    InRequest,
    Limits,
    Options,
    file_keys,
    marked,
)
from buildwright.core.models import NamedModel
from buildwright.core.narrowed import narrowed, options_from
from buildwright.core.record import Record

REQUEST = narrowed(Options, Record)
INSIDE = {"commits", "delivery", "limits"}


class Numbers(Record):
    """Two numbers of which a request may set one."""

    low: Annotated[int, InRequest(le=5)] = Field(3, ge=1, le=9, description="The one.")
    high: int = 7


class Outer(Record):
    """A record with records inside, directly and in a list."""

    numbers: Numbers = Field(default_factory=Numbers)
    checks: tuple[Check, ...] = ()


@pytest.mark.parametrize("record", [Options, Limits, Delivery, Check])
def test_every_field_says_what_it_means(record: type[Record]) -> None:
    silent = {name for name, field in record.model_fields.items() if not field.description}
    assert silent <= INSIDE


def test_every_marked_option_is_one_of_build_and_the_other_way_round() -> None:
    assert [option.attribute for _, _, option in marked(AsOption)] == [field.name for field in fields(BuildOptions)]


def test_options_that_are_left_out_are_the_defaults_of_the_model() -> None:
    assert options_of(BuildOptions()) == Options()
    assert options_from(REQUEST()) == Options()


def test_a_narrowed_model_has_the_marked_fields_with_the_tighter_bounds() -> None:
    model = narrowed(Outer, Record)
    assert set(model.model_fields) == {"numbers"}
    given: Any = model.model_validate({"numbers": {"low": 5}})
    assert given.numbers.low == 5
    for wrong in ({"low": 6}, {"low": 0}, {"high": 7}):
        with pytest.raises(ValidationError):
            model.model_validate({"numbers": wrong})


def test_keys_of_the_projects_file_are_marked_fields_and_nothing_that_runs_or_judges() -> None:
    keys = file_keys()
    assert {key for key, option in keys.items() if option is None} == {"bring", "checks", "setup", *TABLES}
    assert not keys.keys() & {
        "package_settings",
        "sandbox",
        "agent_command",
        "no_gates",
        "accept_base",
        "allow",
        "push",
        "cassette",
    }
    assert {f"{name}_model" for name in ("planner", "diagnoser", "sealed", "review", "lesson")} < keys.keys()
    assert file_keys(option_files=True).keys() == {field.name for field in fields(BuildOptions)} - {
        "bring",
        "check",
        "setup",
    }


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("lanes",), False),
        (("by_hand",), True),
        (("limits", "memory_bytes"), 1),
        (("limits", "concurrency"), 257),
        (("limits", "task_seconds"), 604_801),
        (("limits", "task_seconds"), "nan"),
        (("agent",), ""),
        (("setup",), ["x" * 2_001]),
        (("setup",), ["x"] * 51),
        (("checks",), [{"name": "a", "command": "x" * 2_001}]),
        (("checks",), [{"name": "", "command": "x"}]),
    ],
)
def test_a_request_may_not_set_what_is_not_marked_or_beyond_its_bounds(place: tuple[str, ...], value: object) -> None:
    wanted: object = value
    for name in reversed(place):
        wanted = {name: wanted}
    with pytest.raises(ValidationError) as caught:
        REQUEST.model_validate(wanted)
    assert caught.value.errors()[0]["loc"][: len(place)] == place


def test_bounds_of_requests_are_within_those_of_the_field() -> None:
    for place, field, mark in marked(InRequest):
        for name, bound in mark.bounds.items():
            own = [getattr(other, name) for other in field.metadata if hasattr(other, name)]
            assert all(bound >= one if name.startswith(("g", "min")) else bound <= one for one in own), place


def test_only_what_a_request_gives_counts_as_set() -> None:
    options = options_from(REQUEST.model_validate({"limits": {"attempts": 2}}))
    assert options.model_fields_set == {"limits"}
    assert options.limits == Limits(attempts=2)


def test_advisors_are_asked_by_the_models_that_the_user_has_named() -> None:
    house = NamedModel(name="house", model="qwen", provider="openai")
    options = Options(models=(house,), model="house", lesson_model="house")
    assert options.advising_model("claude-opus-5-5") == "claude-opus-5-5"
    assert options.advising_model("house") == options.advising_model("") == options.wording_model == "openai/qwen"
    assert (Options().advising_model(""), Options().wording_model) == ("", "")
    assert options.asked_models == ("house",)
