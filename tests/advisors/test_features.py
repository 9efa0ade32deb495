"""The features that a spec lists: what is one, and that no plan leaves one out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from buildwright.advisors.features import MOST, features_in
from buildwright.advisors.spec_file import parse_spec

BY_NAME = """# Feature: User Authentication
Add login/logout functionality

## Details
Sessions last an hour.

# Feature 2 - Reports (Priority: P2)
```
# Feature: none, in a fence
```
Monthly.
"""
BELOW = """# Shop
## Key Features
### Cart
Keeps things.
#### Limits
Ten at most.
### `Checkout`
## Other
### Not one
"""
LISTED = """# Shop
## Features
Some words.
- **Cart**: keeps things
- Checkout - pays for them
  - nested, part of the one above
1. Search
## Users
- Nobody else
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BY_NAME, [("User Authentication", 1), ("Reports", 7)]),
        (BELOW, [("Cart", 3), ("Checkout", 7)]),
        (LISTED, [("Cart", 4), ("Checkout", 5), ("Search", 7)]),
        ("# User Story 1 - Pay by card\n# user story 2: PAY BY CARD\n", [("Pay by card", 1)]),
        ("# Features of the sea\n- Waves\n\nFeatures: none\n", []),
        ("", []),
    ],
)
def test_what_is_a_feature(text: str, expected: list[tuple[str, int]]) -> None:
    assert [(feature.name, feature.line) for feature in features_in(text)] == expected


def test_a_feature_has_its_words() -> None:
    assert [feature.text for feature in features_in(BELOW)] == ["Keeps things.", ""]
    assert features_in(BY_NAME)[0].text == "Add login/logout functionality"
    assert features_in(LISTED)[1].text == "Checkout - pays for them"


def test_there_is_an_end_of_features() -> None:
    assert len(features_in("## Features\n" + "".join(f"- F{number}\n" for number in range(MOST + 5)))) == MOST


def test_a_spec_of_features_has_the_name_of_its_file() -> None:
    assert parse_spec(BY_NAME, "PROJECT_SPEC.md").title == "PROJECT_SPEC"
    assert parse_spec("# Feature: Login\nAdd it.\n", "PROJECT_SPEC.md").title == "Login"
    assert parse_spec(LISTED, "PROJECT_SPEC.md").title == "Shop"


def test_an_interview_has_features(tmp_path: Path) -> None:
    plan = {"features": [{"name": "Cart", "description": "Keeps things."}, {"name": "Search"}]}
    seed = {"brief": {"title": "Shop"}, "build_plan": plan, "product_doc": {"features": [{"name": "cart"}]}}
    spec = parse_spec(json.dumps(seed), str(tmp_path / "seed.json"))
    assert [feature.name for feature in spec.features] == ["cart", "Search"]
