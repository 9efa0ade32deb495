"""Names of models that a provider does not have, found before anything is asked of a model."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from buildwright.errors import BadSettings
from buildwright.gateway.model_list import FOLDER, check_model, keep_list, models_of
from buildwright.gateway.upstream import Provider

KEY = "test-key-of-nobody"


class ModelServer:
    """Answers with pages of a list, and remembers what it was asked."""

    def __init__(self) -> None:
        self.pages: list[Any] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.keys: list[str] = []
        self.status = 200
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path, dict(request.query)))
        self.keys.append(request.headers.get("x-api-key", "") or request.headers.get("Authorization", ""))
        return web.json_response(self.pages[min(len(self.asked), len(self.pages)) - 1], status=self.status)


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    told = ModelServer()
    app = web.Application()
    app.router.add_get("/{path:.*}", told.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    told.url = str(site.name) + "/v1"
    yield told
    await runner.cleanup()


async def test_a_list_is_asked_once_page_by_page_and_kept(server: ModelServer, tmp_path: Path) -> None:
    server.pages = [
        {"data": [{"id": "claude-a"}], "has_more": True, "last_id": "claude-a"},
        {"data": [{"id": "claude-b"}], "has_more": False},
    ]
    provider = Provider("anthropic", server.url, KEY)
    for _ in range(2):
        assert await models_of(provider, tmp_path) == frozenset({"claude-a", "claude-b"})
    assert server.asked == [
        ("/v1/models", {"limit": "1000"}),
        ("/v1/models", {"limit": "1000", "after_id": "claude-a"}),
    ]
    assert server.keys == [KEY, KEY]
    (kept,) = (tmp_path / FOLDER).iterdir()
    assert KEY not in kept.read_text() + kept.name
    os.utime(kept, (1, 1))
    await models_of(provider, tmp_path)
    assert len(server.asked) == 3, "a list is kept for a day"


async def test_each_providers_own_form_is_read(server: ModelServer, tmp_path: Path) -> None:
    server.pages = [{"object": "list", "data": [{"id": "gpt-9", "object": "model"}]}]
    assert await models_of(Provider("openai", server.url, KEY), tmp_path) == frozenset({"gpt-9"})
    assert server.keys == [f"Bearer {KEY}"]
    server.pages = [{"models": [{"name": "models/gemini-9"}]}]
    assert await models_of(Provider("google", server.url, KEY), tmp_path) == frozenset({"gemini-9"})


@pytest.mark.parametrize(
    ("status", "page"), [(401, {}), (302, {}), (200, []), (200, {"data": "x"}), (200, {"data": []})]
)
async def test_what_is_no_list_says_nothing(server: ModelServer, tmp_path: Path, status: int, page: Any) -> None:
    server.status, server.pages = status, [page]
    assert await models_of(Provider("openai", server.url, KEY), tmp_path) is None
    assert not (tmp_path / FOLDER).exists()
    assert await models_of(Provider("openai", "http://127.0.0.1:1/v1", KEY), tmp_path) is None


@pytest.mark.parametrize(
    ("asked", "fix"),
    [
        ("claude-sonet-5-5", "did you mean claude-sonnet-5-5?"),
        ("claude-houze-1", "did you mean claude-house-1?"),
        ("qwen", "name one of its models, such as claude-house-1"),
    ],
)
async def test_a_misspelt_name_is_refused_by_the_kept_list(tmp_path: Path, asked: str, fix: str) -> None:
    usual = Provider("anthropic", "https://api.anthropic.com/v1", KEY)
    keep_list(usual, tmp_path, frozenset({"claude-house-1"}))
    environment = {"ANTHROPIC_API_KEY": KEY}
    await check_model("claude-house-1", environment, tmp_path)
    with pytest.raises(BadSettings, match=f"Anthropic has no model {asked}") as refused:
        await check_model(asked, environment, tmp_path)
    assert refused.value.fix == fix


async def test_a_published_name_and_one_without_a_key_are_taken(tmp_path: Path) -> None:
    await check_model("claude-sonnet-5-5", {"ANTHROPIC_API_KEY": KEY}, tmp_path)
    await check_model("openai/gpt-5.2", {"OPENAI_API_KEY": KEY}, tmp_path)
    await check_model("claude-sonet-5-5", {}, tmp_path)
    assert not (tmp_path / FOLDER).exists()


async def test_a_server_at_an_address_of_the_users_own_has_names_of_its_own(
    server: ModelServer, tmp_path: Path
) -> None:
    server.pages = [{"data": [{"id": "another"}]}]
    environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.url}
    await check_model("openai/house-model", environment, tmp_path)
    assert server.asked == []
