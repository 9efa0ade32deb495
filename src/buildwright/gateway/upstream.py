"""Addresses and keys of the providers, and relaying one request. Must never show a key to an agent or a log."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from buildwright.core.model_names import maker_of
from buildwright.errors import BadSettings
from buildwright.gateway.exchange import (
    HOLD_HEADER,
    AnswerReader,
    BrokenOff,
    DeclinedByProvider,
    ModelRequest,
    Protocol,
    ProviderName,
)
from buildwright.gateway.parse import AnswerStream, TooLong, read_body
from buildwright.gateway.protocols import PROTOCOLS

if TYPE_CHECKING:
    import aiohttp

ANTHROPIC_VERSION = "2023-06-01"
CONNECT_SECONDS = 30.0
SILENCE_SECONDS = 600.0
"""Silence of a provider after which a request is ended; an answer that is not streamed may think this long."""

LARGEST_ANSWER = 64 * 1024 * 1024

_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer"}
    | {"trailers", "transfer-encoding", "upgrade"}
)
_OURS = _HOP_BY_HOP | {
    "host",
    "content-length",
    "authorization",
    "x-api-key",
    "x-goog-api-key",
    "api-key",
    "accept-encoding",
    "content-encoding",
    "cookie",
    "expect",
    HOLD_HEADER,
}
_NOT_BACK = _HOP_BY_HOP | {"content-length", "content-encoding", "set-cookie", "server", "date", "alt-svc"}
_KEY = re.compile(r"[!#-&(-~]+")
"""Printable ASCII without spaces and quotes."""


def protocol_of(model: str) -> Protocol:
    """Return the protocol by which we ask a model, by its name."""
    maker = maker_of(model)
    return "gemini" if maker == "google" else maker


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's address and key. Its repr must not show the key."""

    name: ProviderName
    url: str
    """Up to and with the version: what stands before `/messages`, `/responses` or `/models/...`."""
    key: str = field(repr=False)
    bearer: bool = False
    """The key is a token for the header Authorization, whatever the provider's usual header is."""

    @property
    def is_usual(self) -> bool:
        """Whether the address is the provider's own, and not one that the user has named."""
        usual = _VARIABLES[self.name]
        return self.url == usual.default.removesuffix(usual.version) + usual.version

    def auth(self) -> dict[str, str]:
        """Return the headers that hold the key."""
        if self.bearer or self.name == "openai":
            return {"Authorization": f"Bearer {self.key}"}
        return {"x-api-key" if self.name == "anthropic" else "x-goog-api-key": self.key}


class _Variables(NamedTuple):
    keys: tuple[str, ...]
    """Names of the key's variable, the usual one first."""
    address: str
    default: str
    version: str
    """What is added to an address that does not end with it."""


_VARIABLES: dict[ProviderName, _Variables] = {
    "anthropic": _Variables(
        ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"), "ANTHROPIC_BASE_URL", "https://api.anthropic.com", "/v1"
    ),
    "openai": _Variables(("OPENAI_API_KEY",), "OPENAI_BASE_URL", "https://api.openai.com/v1", ""),
    "google": _Variables(
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        "GOOGLE_GEMINI_BASE_URL",
        "https://generativelanguage.googleapis.com",
        "/v1beta",
    ),
}
_BEARER = "ANTHROPIC_AUTH_TOKEN"


def key_name(protocol: Protocol) -> str:
    """Return the environment variable of the key of a protocol's provider."""
    return _VARIABLES[PROTOCOLS[protocol].PROVIDER].keys[0]


def read_provider(environment: Mapping[str, str], protocol: Protocol) -> Provider | None:
    """Return the provider that the environment names, None without a key. Raises BadSettings, naming no key.

    ANTHROPIC_AUTH_TOKEN and GOOGLE_API_KEY are used when the usual key is missing, as the makers' own clients do.
    """
    name = PROTOCOLS[protocol].PROVIDER
    variables = _VARIABLES[name]
    variable = next((one for one in variables.keys if environment.get(one)), None)
    if variable is None:
        return None
    key = environment[variable]
    if not _KEY.fullmatch(key):
        raise BadSettings(
            f"{variable} is not a key: it has spaces, quotes or characters that cannot be printed.",
            fix=f"Set {variable} to the key alone, without quotes or a line end.",
        )
    url = (environment.get(variables.address) or variables.default).rstrip("/")
    if not _is_address(url):
        raise BadSettings(
            f"{variables.address} is not an http or https address, or it carries a name and password.",
            fix=f"Set {variables.address} to the address alone, or unset it.",
        )
    return Provider(name, url.removesuffix(variables.version) + variables.version, key, variable == _BEARER)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = parts.hostname is not None and parts.port != 0
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https"} and "@" not in parts.netloc


@dataclass(slots=True)
class ProviderReply:
    """A provider's answer under way. `pieces` must be read to the end or closed."""

    status: int
    headers: dict[str, str]
    pieces: AsyncGenerator[bytes, None]
    reader: AnswerReader


async def request(
    session: aiohttp.ClientSession,
    provider: Provider,
    protocol: Protocol,
    asked: ModelRequest | None,
    raw: bytes,
    tail: str,
    headers: Mapping[str, str],
    *,
    proxy: str | None,
    whole: bool = False,
) -> ProviderReply:
    """Send a client's request to the provider. `tail` is the path below the version, with its query.

    `asked` is given for a conversation: its stream is made to tell its usage. `whole` has all of the answer read, also
    what is said piece by piece. Raises DeclinedByProvider (502 or 504) when the provider cannot be reached.
    """
    import aiohttp

    adds_usage = asked is not None and asked.stream and not asked.counts_usage
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
    try:
        response = await session.post(
            provider.url + tail,
            # A file, because aiohttp warns about large bytes.
            data=io.BytesIO(_with_usage(asked.body) if asked is not None and adds_usage else raw),
            headers=_headers_to(provider, headers),
            timeout=timeout,
            proxy=proxy,
            # A redirect would send the key to a host that no setting names.
            allow_redirects=False,
        )
    except TimeoutError as error:
        raise DeclinedByProvider(
            504, f"The provider did not answer within {SILENCE_SECONDS:.0f} s.", final=False
        ) from error
    except (aiohttp.ClientError, OSError) as error:
        host = urlsplit(provider.url).netloc
        raise DeclinedByProvider(
            502, f"The provider at {host} is not reached: {type(error).__name__}.", final=False
        ) from error
    if 300 <= response.status < 400:
        response.close()
        raise DeclinedByProvider(
            502, f"The provider answered with a redirect ({response.status}), which is not followed."
        )
    reader = AnswerReader(protocol)
    back = {name: value for name, value in response.headers.items() if name.lower() not in _NOT_BACK}
    return ProviderReply(response.status, back, _pieces(response, reader, whole, adds_usage), reader)


def proxy_for(url: str) -> str | None:
    """Return the proxy that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name for this address, if any."""
    parts = urlsplit(url)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


async def _pieces(
    response: aiohttp.ClientResponse, reader: AnswerReader, whole: bool, drops_usage: bool
) -> AsyncGenerator[bytes, None]:
    """Yield the body as it comes, read by `reader` on the way. Raises BrokenOff."""
    import aiohttp

    try:
        if response.content_type != "text/event-stream":
            body = bytearray()
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > LARGEST_ANSWER:
                    raise BrokenOff
            read_body(reader, bytes(body))
            yield bytes(body)
            return
        stream = AnswerStream(reader, whole=whole)
        try:
            async for piece in response.content.iter_any():
                if out := stream.feed(piece, drops_usage=drops_usage):
                    yield out
        finally:
            stream.settle()
        if drops_usage and stream.rest():
            yield stream.rest()
    except (aiohttp.ClientError, OSError, TooLong) as error:
        raise BrokenOff from error
    finally:
        # Closed, not released: when a client disconnects, the provider's work must end too.
        response.close()


def _with_usage(body: Mapping[str, Any]) -> bytes:
    options = body.get("stream_options")
    merged = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return json.dumps({**body, "stream_options": merged}).encode()


def _headers_to(provider: Provider, headers: Mapping[str, str]) -> dict[str, str]:
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    sent = {name: value for name, value in headers.items() if name.lower() not in _OURS | named}
    # Compressed events would arrive in batches, and could not be read on the way.
    sent |= provider.auth() | {"Accept-Encoding": "identity"}
    if provider.name == "anthropic" and not any(name.lower() == "anthropic-version" for name in sent):
        sent["anthropic-version"] = ANTHROPIC_VERSION
    return sent
