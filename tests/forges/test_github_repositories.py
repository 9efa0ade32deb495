"""What GitHub is asked for repositories: parts of a check run, limits, new repositories, an App's tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from buildwright.core.forges import find_forge
from buildwright.errors import BadSettings, ForgeFailed, NotFound
from buildwright.forges import GitHubRepositories
from buildwright.forges.github_app import GitHubApp
from buildwright.ports import Annotation, CommitMark, ForgeCheckRun
from tests.forges.github import HostedGitHub
from tests.forges.served import TOKEN, Answer, forge_of

COMMIT = "c" * 40


@pytest.fixture
def github(tmp_path: Path) -> Iterator[HostedGitHub]:
    with forge_of(HostedGitHub, "github", tmp_path) as here:
        yield here


@asynccontextmanager
async def opened(here: HostedGitHub, token: str = TOKEN) -> AsyncIterator[GitHubRepositories]:
    found = find_forge(here.remote, here.environment)
    assert found is not None
    async with aiohttp.ClientSession() as session:
        yield GitHubRepositories(session, found.site, token)


async def test_notes_of_a_check_run_are_sent_fifty_at_a_time(github: HostedGitHub) -> None:
    notes = tuple(Annotation(f"f{number}.py", number + 1, "failure", "x", "no") for number in range(120))
    async with opened(github) as asked:
        await asked.add_check_run("acme/shop", ForgeCheckRun(COMMIT, "audit", False, "t", "s", notes))
    (run,) = github.check_runs
    assert [note["path"] for note in run["annotations"]] == [one.path for one in notes]
    assert [one.method for one in github.asked] == ["POST", "PATCH", "PATCH"]


async def test_a_limit_that_asks_for_a_short_wait_is_waited_for(github: HostedGitHub) -> None:
    said = {"message": "You have exceeded a secondary rate limit."}
    github.refusals = [Answer(403, said, (("Retry-After", "0"),)), Answer(429, said, (("Retry-After", "0"),))]
    async with opened(github) as asked:
        await asked.mark("acme/shop", CommitMark(COMMIT, "success", "audit", "d" * 300))
        github.refusals = [Answer(403, said, (("Retry-After", "3600"),))]
        with pytest.raises(ForgeFailed, match="for 3600 s"):
            await asked.mark("acme/shop", CommitMark(COMMIT, "success", "audit", "d"))
    assert [(one["state"], len(one["description"])) for one in github.statuses] == [("success", 140)]


async def test_a_list_that_did_not_change_is_asked_for_by_its_tag(github: HostedGitHub) -> None:
    async with opened(github) as asked:
        first = await asked.repositories("", 1, 10)
        assert await asked.repositories("", 1, 10) == first
    assert github.asked[1].headers["if-none-match"]


async def test_a_repository_is_made_for_the_user_and_for_an_organisation(github: HostedGitHub) -> None:
    async with opened(github) as asked:
        mine = await asked.make_repository("acme/new", "A thing", private=True)
        theirs = await asked.make_repository("guild/new", "A thing", private=False)
        assert (mine.name, mine.private, theirs.name, theirs.private) == ("acme/new", True, "guild/new", False)
        with pytest.raises(ForgeFailed, match="name already exists"):
            await asked.make_repository("acme/new", "", private=True)
    assert [one.path for one in github.asked if one.method == "POST"][:2] == ["/user/repos", "/orgs/guild/repos"]


async def test_what_the_token_may_not_do_is_told_with_its_right(github: HostedGitHub) -> None:
    github.has_checks = github.administers = False
    async with opened(github) as asked:
        with pytest.raises(BadSettings, match="must authenticate via a GitHub App"):
            await asked.add_check_run("acme/shop", ForgeCheckRun(COMMIT, "audit", True, "t", "s"))
        github.sees = False
        with pytest.raises(NotFound) as refused:
            await asked.add_webhook("acme/shop", "https://build.example/x", "secret")
        assert "Webhooks" in (refused.value.fix or "")


async def test_an_app_gets_a_token_of_its_installation(github: HostedGitHub) -> None:
    made = rsa.generate_private_key(65537, 2048)
    own = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key = made.private_bytes(*own)
    public = made.public_key().public_bytes(own[0], serialization.PublicFormat.SubjectPublicKeyInfo)
    github.app_id, github.app_key, github.installation = "77", public.decode(), 5
    found = find_forge(github.remote, github.environment)
    assert found is not None
    async with aiohttp.ClientSession() as session:
        app = GitHubApp(session, found.site, "77", key)
        assert await app.installation("acme/shop") == 5
        assert await app.installation("acme/other") == 0
        token = await app.token(5)
        async with opened(github, token.token) as asked:
            assert (await asked.repository("acme/shop")).name == "acme/shop"
        with pytest.raises(BadSettings, match="does not accept the App"):
            await GitHubApp(session, found.site, "78", key).installation("acme/shop")
        with pytest.raises(BadSettings, match="cannot be read"):
            GitHubApp(session, found.site, "77", b"no key")
