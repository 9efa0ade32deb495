"""Which models a provider has: by the published price list, else by the provider's own list, asked once a day and kept.

Must never refuse a name because the list could not be had, or where the user's own address stands for a provider: the
names of such a server are its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from buildwright.core.model_names import maker_of
from buildwright.errors import BadSettings
from buildwright.gateway import upstream
from buildwright.gateway.upstream import Provider

FOLDER: Final = "models"
"""Folder of the home with the kept lists."""
_KEPT_SECONDS: Final = 86_400.0
_SECONDS: Final = 5.0
_MOST_PAGES: Final = 20
_LARGEST: Final = 4 * 1024 * 1024
_TITLES: Final = {"anthropic": "Anthropic", "openai": "OpenAI", "google": "Google"}


async def check_model(model: str, environment: Mapping[str, str], home: Path) -> None:
    """Raise BadSettings for a model that its provider does not have, with the name that may be meant.

    Nothing is asked of a provider without a key, or of a server at an address of the user's own.
    """
    maker = maker_of(model)
    name = model.removeprefix(f"{maker}/")
    if _is_published(name, maker):
        return
    provider = upstream.read_provider(environment, upstream.protocol_of(model))
    if provider is None or not provider.is_usual:
        return
    there = await models_of(provider, home)
    if there is None or name in there:
        return
    close = get_close_matches(name, sorted({*there, *published(maker)}), n=1)
    raise BadSettings(
        f"{_TITLES[maker]} has no model {name}",
        fix=f"did you mean {close[0]}?" if close else f"name one of its models, such as {', '.join(sorted(there)[:3])}",
    )


def published(maker: str) -> tuple[str, ...]:
    """Return the names of a maker's models in the published price list."""
    from genai_prices.data_snapshot import get_snapshot

    return tuple(one.id for provider in get_snapshot().providers if provider.id == maker for one in provider.models)


def _is_published(name: str, maker: str) -> bool:
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider_model(name, None, maker, None)
    except LookupError:
        return False
    return True


async def models_of(provider: Provider, home: Path) -> frozenset[str] | None:
    """Return the names in a provider's own list, kept in the home for a day; None when it does not tell them."""
    kept = await asyncio.to_thread(_read, _file(provider, home))
    if kept is not None:
        return kept
    found = await _ask(provider)
    if not found:
        return None
    await asyncio.to_thread(keep_list, provider, home, found)
    return found


def _file(provider: Provider, home: Path) -> Path:
    owner = hashlib.sha256(f"{provider.url}\0{provider.key}".encode()).hexdigest()[:16]
    return home / FOLDER / f"{provider.name}-{owner}.json"


def _read(file: Path) -> frozenset[str] | None:
    try:
        if time.time() - file.stat().st_mtime > _KEPT_SECONDS:
            return None
        return frozenset(map(str, json.loads(file.read_text(encoding="utf-8"))))
    except (OSError, ValueError):
        return None


def keep_list(provider: Provider, home: Path, names: frozenset[str]) -> None:
    """Keep a provider's list in the home, as of now."""
    file = _file(provider, home)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = file.with_suffix(".new")
    temporary.write_text(json.dumps(sorted(names)), encoding="utf-8")
    temporary.replace(file)


async def _ask(provider: Provider) -> frozenset[str] | None:
    """Return the names that the provider tells, page by page; None when it does not answer as it should."""
    import aiohttp

    names: set[str] = set()
    more: dict[str, str] = {}
    try:
        async with asyncio.timeout(_SECONDS), aiohttp.ClientSession() as session:
            for _ in range(_MOST_PAGES):
                page = await _page(session, provider, more)
                names |= _names_in(page)
                more = _next_page(page)
                if not more:
                    return frozenset(names)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None
    return None


async def _page(session: Any, provider: Provider, more: Mapping[str, str]) -> dict[str, Any]:
    """Return one page of the list. Raises ValueError for an answer that is none."""
    size = {"anthropic": {"limit": "1000"}, "google": {"pageSize": "1000"}}.get(provider.name, {})
    headers = provider.auth() | (
        {"anthropic-version": upstream.ANTHROPIC_VERSION} if provider.name == "anthropic" else {}
    )
    async with session.get(
        f"{provider.url}/models",
        params={**size, **more},
        headers=headers,
        proxy=upstream.proxy_for(provider.url),
        allow_redirects=False,  # a redirect would send the key to a host that no setting names
    ) as answer:
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        text = await answer.content.read(_LARGEST)
    page = json.loads(text)
    if not isinstance(page, dict):
        raise ValueError("the list is not an object")
    return page


def _names_in(page: Mapping[str, Any]) -> set[str]:
    listed = page.get("data", page.get("models", ()))
    entries = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {re.sub(r"^models/", "", str(one.get("id") or one.get("name"))) for one in entries}


def _next_page(page: Mapping[str, Any]) -> dict[str, str]:
    if page.get("has_more") and page.get("last_id"):
        return {"after_id": str(page["last_id"])}
    return {"pageToken": str(page["nextPageToken"])} if page.get("nextPageToken") else {}
