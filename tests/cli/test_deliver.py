"""`deliver` and `pr open` as a user types them: builds that have ended, forges that speak the documented APIs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import WRITES, Program, shell
from tests.cli.test_remote import serving
from tests.forges.served import Answer, Hosted
from tests.git import git

KINDS = ("github", "gitlab", "gitea")
FAILS_B = f'test "$BUILDWRIGHT_TASK_ID" != b && {WRITES}'
"""An agent's command that makes every task but b."""


def build(program: Program, three: Path, repository: Path, *words: str, command: str = WRITES, code: int = 0) -> None:
    options = ("--check", "test -f README.md", "--branch", "made", "--yes", *words)
    ended = program("build", three, "--repo", repository, *options, *shell(command))
    assert ended.code == code, ended.err


@pytest.mark.parametrize("kind", KINDS)
def test_a_build_that_has_ended_gets_a_pull_request_once(
    program: Program, hosted: Hosted, repository: Path, three: Path
) -> None:
    build(program, three, repository)
    assert hosted.pulls == []
    opened = program("pr", "open", "newest", "--json")
    assert opened.code == 0, opened.err
    (pull,) = hosted.pulls
    address = pull["web_url" if hosted.kind == "gitlab" else "html_url"]
    assert (pull["title"], pull.get("draft", False)) == ("Sample", False)
    assert hosted.commit_of("made") == git(repository, "rev-parse", "made")
    kinds = [line["type"] for line in opened.lines]
    assert kinds == ["build.delivered", "build.finished", "summary"], "nothing is judged again"
    assert (opened.lines[-1]["pull_request"], opened.lines[-1]["outcome"]) == (address, "succeeded")
    body = pull["description" if hosted.kind == "gitlab" else "body"]
    assert "Done: every change has passed the checks" in body
    assert "| test | passed | test -f README.md |" in body
    again = program("pr", "open", "newest")
    assert again.code == 0, again.err
    assert f"Pull request: {address}" in again.out
    assert len(hosted.pulls) == 1, "it is updated"
    assert program("status", "newest", "--json").object["outcome"] == "succeeded"


def test_one_that_has_failed_gets_a_draft_and_no_push(
    program: Program, hosted: Hosted, repository: Path, three: Path
) -> None:
    words = ("--attempts", "1", "--on-failure", "fail")
    build(program, three, repository, *words, command=FAILS_B, code=1)
    before = program("status", "newest", "--json").object
    pushed = program("deliver", "newest", "--to", "push")
    assert pushed.code == 7
    assert "half of a result" in pushed.err
    opened = program("deliver", "newest")
    assert opened.code == 0, opened.err
    assert [one["draft"] for one in hosted.pulls] == [True]
    assert "Not done: this is what is proven so far" in hosted.pulls[0]["body"]
    after = program("status", "newest", "--json").object
    assert (after["outcome"], after["message"]) == ("failed", before["message"])
    resumed = program("resume", "--skip")
    assert resumed.code == 0, resumed.err
    assert [one["draft"] for one in hosted.pulls] == [False], "it goes on as before, to where it was delivered last"


def test_it_is_pushed_later_to_another_branch(program: Program, hosted: Hosted, repository: Path, three: Path) -> None:
    build(program, three, repository, "--deliver", "none")
    ended = program("deliver", "newest", "--to", "push", "--branch", "later")
    assert ended.code == 0, ended.err
    assert hosted.commit_of("later")
    assert (hosted.commit_of("made"), hosted.pulls) == ("", [])
    home = program("deliver", "newest", "--to", "branch", "--branch", "here")
    assert home.code == 0, home.err
    assert git(repository, "rev-parse", "here") == hosted.commit_of("later")


def test_what_bars_it_is_told_and_the_build_stays_as_it_had_ended(
    program: Program, hosted: Hosted, repository: Path, three: Path
) -> None:
    build(program, three, repository)
    missing = program("pr", "open", "newest", GITHUB_TOKEN="")
    assert missing.code == 78
    assert "GITHUB_TOKEN is not set" in missing.err
    first = hosted.answer
    count = iter(range(1_000))
    refusal = Answer(422, {"message": "Validation Failed", "errors": [{"code": "custom", "message": "Too odd"}]})
    hosted.answer = lambda asked: refusal if next(count) else first(asked)  # type: ignore[method-assign]
    refused = program("pr", "open", "newest")
    assert refused.code == 1, refused.err
    assert "It was not delivered" in refused.out
    assert "Validation Failed" in refused.out
    view = program("status", "newest", "--json").object
    assert (view["outcome"], view["pause"], "Validation Failed" in view["delivery_error"]) == ("succeeded", None, True)
    assert "The newest delivery failed: " in program("status", "newest").out
    hosted.answer = first  # type: ignore[method-assign]
    assert program("pr", "open", "newest").code == 0
    assert program("status", "newest", "--json").object["delivery_error"] == ""


def test_a_build_without_a_result_or_an_end_is_not_delivered(
    program: Program, hosted: Hosted, repository: Path, three: Path
) -> None:
    build(program, three, repository, "--attempts", "1", command="exit 1", code=4)
    going = program("deliver", "newest")
    assert going.code == 7
    assert "has not ended" in going.err
    assert program("resume", "--abort").code == 1
    empty = program("deliver", "newest")
    assert empty.code == 7
    assert "nothing of the build has landed" in empty.err
    assert hosted.writes == []


def test_a_branch_that_cannot_be_is_told_at_once_and_the_build_stays_as_it_is(
    program: Program, hosted: Hosted, repository: Path, three: Path
) -> None:
    build(program, three, repository)
    before = program("status", "newest", "--json").object["version"]
    for to, name, code, words in (
        ("branch", "../x", 2, "cannot be a branch name"),
        ("push", "../x", 2, "cannot be a branch name"),
        ("branch", "main", 7, "is checked out"),
        ("branch", "made/below", 7, "stands in the way"),
    ):
        ended = program("deliver", "newest", "--to", to, "--branch", name)
        assert (ended.code, words in ended.err) == (code, True), ended.err
    assert program("status", "newest", "--json").object["version"] == before
    git(hosted.folder, "branch", "theirs", "main")
    git(repository, "switch", "-q", "--orphan", "theirs")
    git(repository, "commit", "-q", "--allow-empty", "-m", "Foreign")
    git(repository, "push", "-q", "-f", str(hosted.folder), "theirs")
    git(repository, "switch", "-q", "main")
    foreign = program("deliver", "newest", "--to", "push", "--branch", "theirs")
    assert (foreign.code, "commits that are not of this build" in foreign.out) == (1, True), foreign.out
    assert program("status", "newest", "--json").object["outcome"] == "succeeded"


def test_a_push_elsewhere_is_for_once_and_the_pull_request_stays_the_one_that_is_updated(
    program: Program, hosted: Hosted, repository: Path, three: Path
) -> None:
    build(program, three, repository, "--deliver", "pr")
    first = hosted.commit_of("made")
    assert program("deliver", "newest", "--to", "push", "--branch", "plain").code == 0
    hosted.reviews = [{"id": 5, "user": {"login": "ada"}, "author_association": "OWNER", "body": "More, please."}]
    added = program("pr", "feedback", "newest", "--json")
    assert added.object["added"] == ["pr-r5"], added.err
    ended = program("run", "newest")
    assert ended.code == 0, ended.err
    assert hosted.commit_of("plain") == first
    assert git(hosted.folder, "show", "made:pr-r5.txt") == "pr-r5"
    assert len(hosted.pulls) == 1
    assert "| pr-r5 | Review by ada | done |" in hosted.pulls[0]["body"]


@pytest.mark.parametrize("point", ["before", "after"])
def test_one_that_is_killed_meanwhile_opens_one_request(
    program: Program, hosted: Hosted, repository: Path, three: Path, point: str
) -> None:
    build(program, three, repository)
    armed = {"BUILDWRIGHT_FAILPOINT": f"delivery.pull_request.{point}:1"}
    assert program("pr", "open", "newest", **armed).code == -9
    other = program("task", "add", "newest", "--title", "More")
    assert other.code == 7
    assert "is being delivered" in other.err
    ended = program("run", "newest")
    assert ended.code == 0, ended.err
    assert hosted.writes.count("POST /repos/acme/shop/pulls") == 1
    assert program("status", "newest", "--json").object["outcome"] == "succeeded"


def test_a_server_delivers_it_with_its_own_token(
    program: Program, hosted: Hosted, repository: Path, three: Path
) -> None:
    with serving(program) as server:
        asking = {**server.environment, "GITHUB_TOKEN": ""}
        words = ("--check", "true", "--branch", "made", "--yes")
        ended = program("build", three, "--repo", repository, *words, *shell(WRITES), **asking)
        assert ended.code == 0, ended.err
        opened = program("pr", "open", "newest", **asking)
        assert opened.code == 0, opened.err
        assert f"Pull request: {hosted.pulls[0]['html_url']}" in opened.out
