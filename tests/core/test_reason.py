"""Which lines of a finding a person is shown."""

from __future__ import annotations

from buildwright.core.activity import provider_trouble
from buildwright.core.finding import Finding
from buildwright.core.terminal import REASON_LINES, lines_of


def test_the_first_line_and_the_last_that_say_something_are_shown() -> None:
    said = "\n".join(["it failed", *(f"line {n}" for n in range(40)), "", "=====", "E   assert 3 == 4", "-----", ""])
    first, *rest = lines_of(said)
    assert first == "it failed"
    assert len(rest) == REASON_LINES
    assert rest[-2:] == ["line 39", "E   assert 3 == 4"]


def test_the_fix_comes_last() -> None:
    one = Finding(code="check.failed", message="no\nbecause", fix="mend it")
    assert one.reason == ("no", "because [check.failed]", "fix: mend it")


def test_a_finding_names_its_file_once() -> None:
    told = (
        "a.yml may not be changed.",
        "Outside of b, it changes a.yml.",
        "`a.yml`: no.",
        "no.",
        "b/a.yml is not a.ymlx",
    )
    lines = [str(Finding(code="x", message=message, file="a.yml")) for message in told]
    assert lines == [*(f"{one} [x]" for one in told[:3]), *(f"a.yml: {one} [x]" for one in told[3:])]
    assert str(Finding(code="x", message="a.yml may not", file="a.yml", line=3)) == "a.yml:3: may not [x]"
    in_text = Finding(code="x", message="a.ymlx is odd", file="a.yml", line=3)
    assert str(in_text) == "a.yml:3: a.ymlx is odd [x]"


def test_a_provider_that_refuses_names_the_variable_of_its_key() -> None:
    fixes = {model: provider_trouble("auth", "no", model).partition(" Fix: ")[2] for model in ("claude-x", "gpt-5")}
    assert "ANTHROPIC_API_KEY" in fixes["claude-x"]
    assert "OPENAI_API_KEY" in fixes["gpt-5"]
    assert provider_trouble("wrong_form", "no", "gpt-5", "ask again") == "no Fix: ask again"


def test_nothing_said_is_nothing_shown() -> None:
    assert lines_of(" \n==\n") == ()
