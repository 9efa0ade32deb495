"""Where a server runs that this command can listen to, and what opens it. Speaks to no server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from buildwright.errors import BadSettings

if TYPE_CHECKING:
    from buildwright.settings import Settings

TOKEN_SECONDS = 3600.0


class Reach(NamedTuple):
    """A server. `named`: by the environment; else it was found in the home, whose store can be asked as well."""

    url: str
    named: bool
    settings: Settings

    def headers(self) -> dict[str, str]:
        """What a request says of who makes it; anew for each, since tokens end."""
        return {"Authorization": f"Bearer {_token(self.settings)}"}


def find_server(settings: Settings) -> Reach | None:
    """The server that BUILDWRIGHT_URL names, else the one that serves this home. Raises BadSettings."""
    url = settings.server_url
    if url:
        if not settings.server_token:
            raise BadSettings(
                "BUILDWRIGHT_URL names a server, and BUILDWRIGHT_TOKEN is missing",
                fix="print a token there with `buildwright token`, and set BUILDWRIGHT_TOKEN to it",
            )
        return Reach(url, True, settings)
    from buildwright.store.holders import may_live

    try:
        noted = json.loads((settings.home / "server.json").read_text(encoding="utf-8"))
        url, holder = str(noted["url"]), str(noted["holder"])
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Reach(url, False, settings) if may_live(holder) else None


def _token(settings: Settings) -> str:
    if settings.server_url:
        return settings.server_token
    from datetime import UTC, datetime

    from buildwright.auth import Signer, secret_key

    signer = Signer(secret_key(settings.home, settings.environment))
    return signer.issue(settings.user, "bearer", TOKEN_SECONDS, datetime.now(UTC))
