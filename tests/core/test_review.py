"""A reviewer's answer and its report, and the part of a diff that it is shown."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from buildwright.core.finding import Finding, Report, Verdict, fingerprint_of
from buildwright.core.limits import Options
from buildwright.core.review import (
    RequiredFix,
    Review,
    ShownDiff,
    no_review,
    review_in,
    review_report,
    reviewing_model,
    shown_diff,
    wants_review,
)

FIXES = (RequiredFix(path="a.py", line=3, change="handle an empty list"), RequiredFix(change="add a test", line=9))


def a_diff(name: str, lines: int) -> str:
    head = f"diff --git a/{name} b/{name}\n--- a/{name}\n+++ b/{name}\n@@ -0,0 +1,{lines} @@\n"
    return head + "".join(f"+{name} line {number}\n" for number in range(lines))


@pytest.mark.parametrize(
    "answer",
    [
        {"decision": "approve", "summary": "fine", "required_fixes": [{"change": "but this"}]},
        {"decision": "request_changes", "summary": "no"},
        {"decision": "maybe", "summary": "x"},
        {"decision": "approve", "summary": ""},
        {"decision": "approve", "summary": "x", "gates": "passed"},
        {"decision": "request_changes", "summary": "x", "required_fixes": [{"change": ""}]},
        {"decision": "request_changes", "summary": "x", "required_fixes": [{"change": "y", "line": 0}]},
    ],
)
def test_an_answer_that_contradicts_itself_is_none(answer: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Review.model_validate(answer)


def test_required_fixes_are_errors_that_a_person_may_approve() -> None:
    review = Review(decision="request_changes", summary="not yet", required_fixes=FIXES)
    report = review_report(review, "model-x", ShownDiff("d", 1))
    assert not report.ok
    first, second, note = report.findings
    assert (first.code, first.file, first.line, first.message) == (
        "review.requested",
        "a.py",
        3,
        "handle an empty list",
    )
    assert (second.file, second.line) == (None, None), "a line without a file is no place"
    assert (note.code, note.severity, note.message) == ("review.summary", "note", "model-x: not yet")
    named = first.model_copy(update={"fingerprint": fingerprint_of(first, "a")})
    assert named.can_be_approved


def test_an_approval_passes_and_says_what_was_not_seen() -> None:
    review = Review(decision="approve", summary="good")
    assert [one.severity for one in review_report(review, "m", ShownDiff("d", 1)).findings] == ["note"]
    report = review_report(review, "m", ShownDiff("d", 90, is_cut=True))
    assert report.ok
    (warning,) = Verdict(tree="t", reports=(report,)).warnings
    assert (warning.code, "1 of the 90 characters" in warning.message) == ("review.cut", True)


def test_no_review_passes_for_no_review() -> None:
    report = no_review("no key " + "x" * 5_000)
    verdict = Verdict(tree="t", reports=(report,))
    assert verdict.ok
    assert [one.code for one in verdict.warnings] == ["review.not_done"]
    assert review_in(verdict) is None
    made = review_report(Review(decision="approve", summary="ok"), "m", ShownDiff("", 0))
    assert review_in(Verdict(tree="t", reports=(Report(gate="scope", ok=True), made))) == made
    assert review_in(Verdict(tree="t", reports=(Report(gate="scope", ok=True),))) is None


def test_who_reviews() -> None:
    assert not wants_review(Options(planner_model="p"))
    assert wants_review(Options(review=True))
    assert wants_review(Options(review_model="r"))
    assert reviewing_model(Options(review_model="r", planner_model="p", model="m")) == "r"
    assert reviewing_model(Options(planner_model="p", model="m")) == "p"
    assert reviewing_model(Options(model="m")) == "m"
    assert reviewing_model(Options()).startswith("claude-")


def test_a_short_diff_is_shown_whole() -> None:
    diff = a_diff("a.py", 3)
    assert shown_diff(diff) == ShownDiff(diff, len(diff))


def test_a_large_file_cannot_push_another_out_of_sight() -> None:
    small, last = a_diff("a.py", 3), a_diff("z.py", 4)
    shown = shown_diff(small + a_diff("package-lock.json", 5_000) + last, limit=5_000)
    assert shown.is_cut
    assert small in shown.text
    assert shown.text.endswith(last)
    assert "package-lock.json line 0\n" in shown.text
    assert "package-lock.json line 4999\n" in shown.text
    assert "characters of this file's diff are not shown]" in shown.text
    assert len(shown.text) <= 5_100


def test_files_for_which_there_is_no_room_are_counted() -> None:
    shown = shown_diff("".join(a_diff(f"f{number}", 20) for number in range(50)), limit=4_000)
    assert "[cut: the changes of 40 more files are not shown]" in shown.text
    assert "f9 line 0" in shown.text
    assert "f10 line 0" not in shown.text
    assert len(shown.text) < 4_400


def test_a_line_of_a_file_begins_no_file_of_the_diff() -> None:
    """The agent writes the header of a diff into its file, to have the rest of the file cut away as another one."""
    forged = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1,900 @@\n" + "+diff --git a/fine.py b/fine.py\n" * 900
    shown = shown_diff(forged, limit=3_000)
    assert shown.text.startswith("diff --git a/x b/x\n")
    assert shown.text.count("[cut: ") == 1


def test_a_finding_reads_as_a_required_fix_of_its_place() -> None:
    report = review_report(Review(decision="request_changes", summary="s", required_fixes=FIXES), "m", ShownDiff("", 0))
    assert str(report.findings[0]) == "a.py:3: handle an empty list [review.requested]"
    assert isinstance(report.findings[1], Finding)
