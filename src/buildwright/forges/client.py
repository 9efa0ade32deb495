"""Requests to a forge, by gidgethub: pages of lists, waits that limits ask for, errors in our words.

Must never send the token to another host than the API's, nor follow a forge that sends a request that writes elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
import gidgethub
from gidgethub.abc import GitHubAPI
from yarl import URL

from buildwright.core.forges import ForgeSite
from buildwright.errors import BadSettings, ForgeFailed, NotFound

_KNOWN = frozenset(HTTPStatus)
_SECONDS = 60.0
"""Of one request."""
_LONGEST_WAIT = 60.0
"""Seconds that a request waits because a limit asks for it; a longer wait is told to the user."""
_TRIES = 4
_LARGEST = 20_000_000
"""Bytes of an answer."""
_SHOWN = 300
"""Characters of a forge's own words in an error."""


class ForgeClient(GitHubAPI):
    """Asks the API of one forge with one token; paths are relative to `ForgeSite.api`.

    A 403 or 429 that names a time is waited for, up to a minute, and asked again. An answer that the forge has given
    before is asked for by its ETag. `headers` go with every request; they hold the token.
    """

    def __init__(
        self, session: aiohttp.ClientSession, site: ForgeSite, headers: Mapping[str, str], token_name: str = ""
    ) -> None:
        """`token_name` is what errors call the token; without it, it is the one in the site's variable."""
        super().__init__("buildwright", cache={}, base_url=site.api)
        self.site = site
        self._token_name = token_name or f"the token in {site.variable}"
        self._session = session
        self._token = dict(headers)

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        place = URL(url, encoded=True)
        if place.origin() != URL(self.site.api).origin():
            raise ForgeFailed(f"{self.site.host} names another host for the rest of its answer: {place.host}")
        sent = {**headers, "accept": "application/json", **self._token}
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with self._session.request(
            method, place, headers=sent, data=body, timeout=timeout, allow_redirects=method == "GET"
        ) as answer:
            whole = await answer.content.read(_LARGEST)
            while not answer.content.at_eof() and len(whole) < _LARGEST:
                whole += await answer.content.read(_LARGEST - len(whole))
            # Codes that only a proxy in front of the forge has, such as 520, are none of the library's.
            status = 502 if answer.status >= 500 and answer.status not in _KNOWN else answer.status
            return status, answer.headers, whole

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def handle_rate_limit_error(
        self,
        *,
        method: str,  # noqa: ARG002  named so by the library
        url: str,  # noqa: ARG002
        exception: gidgethub.HTTPException,
        attempt: int,
    ) -> bool:
        """Wait where the forge says for how long, if that is short; see `GitHubAPI`."""
        seconds = _asked_wait(exception)
        if seconds is None or seconds > _LONGEST_WAIT or attempt >= _TRIES:
            return False
        await self.sleep(seconds)
        return True

    @contextmanager
    def told(self, doing: str, repository: str, needs: str = "") -> Iterator[None]:
        """Raise what goes wrong inside as one of our errors. `doing` is what was tried, as "open a pull request".

        `needs` is the fix for a token without the right to it; without it, it is that for pull requests.
        """
        site = self.site
        try:
            yield
        except gidgethub.HTTPException as error:
            about = _About(site, self._token_name, doing, repository, needs or _PERMISSIONS[site.kind])
            raise _our_error(error, about) from error
        except gidgethub.GraphQLException as error:
            raise ForgeFailed(f"{site.host} refused to {doing} in {repository}: {str(error)[:_SHOWN]}") from error
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise ForgeFailed(
                f"{site.host} cannot be reached to {doing}: {reason[:_SHOWN]}",
                passes=True,
                fix="check the network and the address, then resume",
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ForgeFailed(
                f"{site.host} answered something else than an API of {site.name} when asked to {doing}",
                fix=f"check {site.kind.upper()}_API_URL, then resume",
            ) from error


def no_issue(number: int) -> NotFound:
    """Return the error for a number that is a pull request's: some forges count both alike."""
    return NotFound(f"{number} is a pull request and no issue", fix="name the number of an issue")


def _asked_wait(error: gidgethub.HTTPException) -> float | None:
    """Return the seconds that a refusal asks to wait; None when it asks for none."""
    headers = error.headers or {}
    if error.status_code not in {403, 429}:
        return None
    after = headers.get("retry-after", "")
    if after.isascii() and after.isdigit():
        return float(after)
    if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdigit():
        return max(float(headers["x-ratelimit-reset"]) - datetime.now(UTC).timestamp(), 0.0) + 1
    return None


class _About(NamedTuple):
    """What an error is about."""

    site: ForgeSite
    token: str
    doing: str
    repository: str
    needs: str


def _our_error(error: gidgethub.HTTPException, about: _About) -> BadSettings | NotFound | ForgeFailed:
    site, token, doing, repository, needs = about
    status, said = error.status_code, _words_of(error)
    seconds = _asked_wait(error)
    if seconds is not None or status == 429:
        when = f" for {seconds:.0f} s" if seconds is not None else ""
        return ForgeFailed(
            f"{site.host} takes no more requests with this token{when}: {said}",
            passes=True,
            fix="resume when it is over",
        )
    match status:
        case 401:
            return BadSettings(f"{site.host} does not accept {token}", fix="make a new one, and set it")
        case 403:
            return BadSettings(f"{token} may not {doing} in {repository}: {said}", fix=needs)
        case 404:
            return NotFound(
                f"{site.host} shows {token} no {repository}, so it cannot {doing}",
                fix=f"check the address of the remote; {needs}",
            )
        case _ if 300 <= status < 400:
            return ForgeFailed(f"{repository} has moved on {site.host}", fix="give the remote its new address")
        case _ if status >= 500:
            return ForgeFailed(
                f"{site.host} failed to {doing} ({status.value})", passes=True, fix="resume when it works again"
            )
        case _:
            return ForgeFailed(
                f"{site.host} refused to {doing} in {repository} ({status.value}): {said}",
                fix="remove what it names, then resume",
            )


_PERMISSIONS = {
    "github": "give the token the permissions `Contents` and `Pull requests`, to read and write",
    "gitlab": "give the token the scope `api` and the role Developer",
    "gitea": "give the token the permission `repository`, to read and write",
}


def _words_of(error: gidgethub.HTTPException) -> str:
    """Return what the forge said, on one line, with the messages of its parts."""
    parts = [str(one) for one in error.args if not isinstance(one, int)]
    listed = getattr(error, "errors", None)
    listed = listed if isinstance(listed, list) else []
    parts += [str(one.get("message") or json.dumps(one)) for one in listed if isinstance(one, dict)]
    return " ".join("; ".join(dict.fromkeys(filter(None, parts))).split())[:_SHOWN] or "no reason given"
