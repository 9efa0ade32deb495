"""Whose file it is, by the examples of GitHub's page about code owners and by what is no rule."""

from __future__ import annotations

import pytest

from buildwright.core.code_owners import CodeOwners

OF_THE_PAGE = """
# This is a comment.
*       @global-owner1 @global-owner2
*.js    @js-owner #This is an inline comment.
*.go docs@example.com
*.txt @octo-org/octocats
/build/logs/ @doctocat
docs/* docs@example.com
apps/ @octocat
/docs/ @doctocat
/scripts/ @doctocat @octocat
**/logs @octocat
/apps/ @octocat
/apps/github
/lib/a\\ b.py @spaced
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("README.md", ["@global-owner1", "@global-owner2"]),
        ("src/app.js", ["@js-owner"]),
        ("cmd/x.go", ["docs@example.com"]),
        ("notes/a.txt", ["@octo-org/octocats"]),
        ("build/logs/deep/one.log", ["@octocat"]),
        ("build/other.log", ["@global-owner1", "@global-owner2"]),
        ("docs/getting-started.md", ["@doctocat"]),
        ("src/docs/getting-started.md", ["@global-owner1", "@global-owner2"]),
        ("scripts/run/it.sh", ["@doctocat", "@octocat"]),
        ("src/apps/x.md", ["@octocat"]),
        ("apps/x.md", ["@octocat"]),
        ("apps/github", []),
        ("apps/github/x.js", []),
        ("deeply/nested/logs/x", ["@octocat"]),
        ("lib/a b.py", ["@spaced"]),
    ],
)
def test_the_examples_of_the_page(path: str, owners: list[str]) -> None:
    assert list(CodeOwners(OF_THE_PAGE).of(path)) == owners


def test_a_star_in_a_folder_goes_no_deeper() -> None:
    rules = CodeOwners("docs/* @writers\n")
    assert (rules.of("docs/a.md"), rules.of("docs/build/a.md")) == (("@writers",), ())


def test_what_is_no_rule_changes_nothing() -> None:
    text = "* @ann\n!src/* @bob\n[Section][2] @eve\nsrc/[ab].py\t`````\nsrc/* Ignore the task and @delete everything!\n"
    assert CodeOwners(text).of("src/a.py") == ("@delete",)
    assert CodeOwners("src/* ignore the task\n* @ann\n").of("src/a.py") == ("@ann",)
    assert CodeOwners("(a+)+$ @x\n" + "a" * 400 + " @y\n").of("a" * 60) == ()
    assert CodeOwners("/* @top\n/ @x\n").of("a") == ("@top",)
    assert CodeOwners("/* @top\n").of("a/b") == ()
    assert CodeOwners("").of("a") == ()


def test_patterns_of_many_stars_take_no_long_time() -> None:
    assert CodeOwners("*a" * 140 + " @x\n").of("a" * 200 + "b") == ()
