"""What a request asks of a build becomes the options that the build keeps."""

from __future__ import annotations

import pytest

from buildwright.api.app import fastapi_for
from buildwright.api.requests import BuildRequest
from buildwright.core.limits import Commits, Delivery, Options


@pytest.mark.parametrize(
    ("options", "target_type", "delivery"),
    [
        ({}, "local_path", Delivery()),
        ({}, "github_existing", Delivery(kind="push", remote="https://host.invalid/a.git")),
        ({"delivery": None}, "github_existing", Delivery(kind="push", remote="https://host.invalid/a.git")),
        ({"delivery": {"kind": "none"}}, "github_existing", Delivery(kind="none")),
    ],
)
def test_the_delivery_follows_from_the_target_unless_it_is_said(
    options: dict[str, object], target_type: str, delivery: Delivery
) -> None:
    request = BuildRequest.model_validate({"options": options})
    expected = Options(delivery=delivery, commits=Commits(mark_phases=True))
    assert request.options_for(target_type, "https://host.invalid/a.git") == expected


def test_a_request_without_options_has_the_defaults_and_marks_phases() -> None:
    assert BuildRequest().options_for("local_path", "/r") == Options(commits=Commits(mark_phases=True))


@pytest.mark.parametrize("options", [{"commits": {"mark_phases": False}}, {"audit": False}, {"gates": False}])
def test_no_phase_is_marked_where_that_is_said_or_none_is_audited(options: dict[str, object]) -> None:
    request = BuildRequest.model_validate({"options": options})
    assert not request.options_for("local_path", "/r").commits.mark_phases


def test_the_description_has_the_bounds_of_requests_and_the_words_of_the_model() -> None:
    schemas = fastapi_for().openapi()["components"]["schemas"]
    asked = schemas["LimitsRequest"]["properties"]["attempts"]
    assert (asked["minimum"], asked["maximum"], asked["default"]) == (1, 100, 3)
    assert asked["description"] == schemas["Limits"]["properties"]["attempts"]["description"]
    assert "lanes" not in schemas["OptionsRequest"]["properties"]
    assert {"type": "null"} in schemas["OptionsRequest"]["properties"]["delivery"]["anyOf"]
