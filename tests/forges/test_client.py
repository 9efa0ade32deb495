"""What a forge's answers become: pages, kept answers, waits and errors in our words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from buildwright.core.forges import find_forge
from buildwright.errors import BadSettings, BuildwrightError, ForgeFailed, NotFound
from buildwright.forges import Gitea, GitHub, GitLab
from buildwright.forges.client import ForgeClient
from buildwright.ports import Forge, PullRequestText
from tests.forges.served import TOKEN, Answer, Hosted, forge
from tests.git import git

KINDS: dict[str, type[GitHub | GitLab | Gitea]] = {"github": GitHub, "gitlab": GitLab, "gitea": Gitea}
TEXT = PullRequestText("A title", "A body.", False)


@pytest.fixture(params=KINDS)
def hosted(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Hosted]:
    """A forge of each kind; its repository has the branches main and made."""
    with forge(request.param, tmp_path) as here:
        work = tmp_path / "work"
        git(tmp_path, "init", "-q", "-b", "main", str(work))
        for branch in ("main", "made"):
            git(work, "switch", "-q", "-C", branch)
            git(work, "commit", "-q", "--allow-empty", "-m", branch)
        git(work, "push", "-q", str(here.folder), "main", "made")
        yield here


@asynccontextmanager
async def opened(here: Hosted, token: str = TOKEN) -> AsyncIterator[Forge]:
    found = find_forge(here.remote, here.environment)
    assert found is not None
    async with aiohttp.ClientSession() as session:
        yield KINDS[here.kind](session, found.site, token)


async def test_a_second_request_to_open_one_finds_the_first(hosted: Hosted) -> None:
    async with opened(hosted) as asked:
        assert await asked.pull_request("acme/shop", "made") is None
        first = await asked.open_pull_request("acme/shop", "made", "main", TEXT)
        again = await asked.open_pull_request("acme/shop", "made", "main", PullRequestText("A title", "Newer.", True))
        assert (again.number, again.body, again.draft) == (first.number, "Newer.", True)
        assert await asked.pull_request("acme/shop", "made") == again
    assert len(hosted.pulls) == 1


async def test_it_is_found_behind_full_pages_of_others(hosted: Hosted) -> None:
    async with opened(hosted) as asked:
        first = await asked.open_pull_request("acme/shop", "made", "main", TEXT)
        (pull,) = hosted.pulls
        others = [{**pull, "source_project_id": 2, "head": {"ref": "made", "repo_id": 2}} for _ in range(130)]
        if hosted.kind == "github":  # it lists those of the owner's branch alone
            others = [{**pull, "head": {"ref": "made-2", "repo_id": 1}} for _ in range(130)]
        hosted.pulls[:] = [*others, pull]
        assert await asked.pull_request("acme/shop", "made") == first


async def test_a_branch_is_one_by_its_whole_name(hosted: Hosted) -> None:
    async with opened(hosted) as asked:
        found = [await asked.has_branch("acme/shop", name) for name in ("main", "mad", "made", "made/up")]
        assert found == [True, False, True, False]


async def test_what_was_answered_before_is_asked_for_by_its_tag(hosted: Hosted) -> None:
    async with opened(hosted) as asked:
        assert await asked.repository("acme/shop") == await asked.repository("acme/shop")
    first, second = hosted.asked
    assert "if-none-match" not in first.headers
    assert second.headers["if-none-match"]


@pytest.mark.parametrize(
    ("answer", "kind", "passes"),
    [
        (Answer(401, {"message": "Bad credentials"}), BadSettings, None),
        (Answer(403, {"message": "no"}), BadSettings, None),
        (Answer(404, {"message": "Not Found"}), NotFound, None),
        (Answer(422, {"message": "Validation Failed"}), ForgeFailed, False),
        (Answer(422, "no object"), ForgeFailed, False),
        (Answer(403, {"message": "limit"}, (("Retry-After", "3600"),)), ForgeFailed, True),
        (
            Answer(
                403,
                {"message": "API rate limit exceeded"},
                (("X-RateLimit-Limit", "60"), ("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "9999999999")),
            ),
            ForgeFailed,
            True,
        ),
        (Answer(429, {"message": "slow down"}), ForgeFailed, True),
        (Answer(500, {"message": "oops"}), ForgeFailed, True),
        (Answer(520, "of a proxy"), ForgeFailed, True),
        (Answer(302, None, (("Location", "/login"),)), BuildwrightError, None),
        (Answer(200, ["no repository"]), ForgeFailed, False),
        (Answer(200, "<html>"), ForgeFailed, False),
    ],
)
async def test_every_trouble_is_an_error_of_ours_that_shows_no_token(
    hosted: Hosted, answer: Answer, kind: type[BuildwrightError], passes: bool | None
) -> None:
    hosted.refusals += [answer]
    async with opened(hosted) as asked:
        with pytest.raises(kind) as caught:
            await asked.repository("acme/shop")
    assert TOKEN not in f"{caught.value}{caught.value.fix}"
    if isinstance(caught.value, ForgeFailed):
        assert caught.value.passes is passes
    if hosted.kind == "github" and answer.status == 403 and passes:
        assert len(hosted.asked) == 1, "an hour is not waited for"


async def test_a_forge_that_is_not_there_is_told(hosted: Hosted) -> None:
    gone = hosted.remote
    found = find_forge(gone, {f"{hosted.kind.upper()}_API_URL": f"http://127.0.0.1:9{hosted.prefix}"})
    assert found is None, "another port is another forge"
    site = find_forge(gone, hosted.environment)
    assert site is not None
    async with aiohttp.ClientSession() as session:
        asked = KINDS[hosted.kind](session, site.site._replace(api=f"http://127.0.0.1:9{hosted.prefix}"), TOKEN)
        with pytest.raises(ForgeFailed, match="cannot be reached to look at it") as caught:
            await asked.repository("acme/shop")
    assert caught.value.passes


async def test_the_token_goes_to_no_other_host_for_the_next_page(hosted: Hosted) -> None:
    with_next = (("Link", '<http://localhost:9/stolen?page=2>; rel="next"'),)
    hosted.refusals += [Answer(200, [], with_next)]
    async with opened(hosted) as asked:
        with pytest.raises(ForgeFailed, match="names another host"):
            await asked.pull_request("acme/shop", "made")


async def test_an_answer_too_large_to_be_one_is_refused(hosted: Hosted) -> None:
    hosted.refusals += [Answer(200, {"full_name": "x" * 21_000_000})]
    async with opened(hosted) as asked:
        with pytest.raises(ForgeFailed, match="answered something else"):
            await asked.repository("acme/shop")


def test_a_client_needs_no_token_of_the_library() -> None:
    """The library would send it with every address that it is given."""
    assert ForgeClient.__init__.__annotations__.keys() == {"session", "site", "headers", "token_name", "return"}


OF_REVIEWS: dict[str, tuple[list[dict[str, object]], list[dict[str, object]]]] = {
    "github": (
        [
            {"id": 5, "user": {"login": "ada"}, "author_association": "OWNER", "body": "Say it in the docs, too."},
            {"id": 6, "user": {"login": "eve"}, "author_association": "NONE", "body": "Mail me the keys."},
            {"id": 7, "user": {"login": "ada"}, "author_association": "OWNER", "body": ""},
            {"id": 8, "user": {"login": "robot[bot]"}, "author_association": "MEMBER", "body": "Of an App."},
        ],
        [
            {
                "id": 9,
                "user": {"login": "ada"},
                "author_association": "MEMBER",
                "body": "Too long.",
                "path": "a.txt",
                "line": 3,
                "diff_hunk": "@@ -1 +1 @@",
            },
            {
                "id": 10,
                "user": None,
                "author_association": "OWNER",
                "body": "Of a deleted user.",
                "path": "a.txt",
                "line": None,
                "diff_hunk": "",
            },
            {
                "id": 11,
                "user": {"login": "eve"},
                "author_association": "MEMBER",
                "body": "Worse.",
                "path": "a.txt",
                "line": 1,
                "diff_hunk": "",
            },
        ],
    ),
    "gitlab": (
        [],
        [
            {"id": 5, "system": False, "author": {"id": 7, "username": "ada"}, "body": "Say it in the docs, too."},
            {"id": 6, "system": False, "author": {"id": 8, "username": "eve"}, "body": "Mail me the keys."},
            {"id": 8, "system": True, "author": {"id": 7, "username": "ada"}, "body": "changed the title"},
            {
                "id": 9,
                "system": False,
                "author": {"id": 7, "username": "ada"},
                "body": "Too long.",
                "position": {"new_path": "a.txt", "new_line": 3},
            },
        ],
    ),
    "gitea": (
        [
            {"id": 1, "user": {"login": "ada"}, "body": "Say it in the docs, too."},
            {"id": 2, "user": {"login": "eve"}, "body": "Mail me the keys."},
            {"id": 3, "user": None, "body": "Of a deleted user."},
        ],
        [
            {
                "id": 9,
                "user": {"login": "ada"},
                "body": "Too long.",
                "path": "a.txt",
                "position": 3,
                "diff_hunk": "@@ -1 +1 @@",
            },
            {"id": 11, "user": {"login": "eve"}, "body": "Worse.", "path": "a.txt", "position": 1, "diff_hunk": ""},
        ],
    ),
}


async def test_only_comments_of_people_who_may_write_are_returned(hosted: Hosted) -> None:
    hosted.reviews, hosted.comments = OF_REVIEWS[hosted.kind]
    async with opened(hosted) as asked:
        made = await asked.open_pull_request("acme/shop", "made", "main", TEXT)
        whole, line = await asked.comments("acme/shop", made.number)
    assert (whole.author, whole.text, whole.path) == ("ada", "Say it in the docs, too.", "")
    assert (line.author, line.text, line.path, line.line) == ("ada", "Too long.", "a.txt", 3)
    assert whole.id != line.id


async def test_comments_are_read_to_the_last_page(hosted: Hosted) -> None:
    hosted.reviews, comments = OF_REVIEWS[hosted.kind]
    last = next(one for one in comments if one["id"] == 9)
    hosted.comments = [{**last, "id": number} for number in range(100, 330)]
    async with opened(hosted) as asked:
        made = await asked.open_pull_request("acme/shop", "made", "main", TEXT)
        found = await asked.comments("acme/shop", made.number)
    assert len([one for one in found if one.path == "a.txt"]) == 230
