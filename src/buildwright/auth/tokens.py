"""Signed tokens that name their user and purpose. Must never say what is wrong with a forged one.

JSON Web Tokens (RFC 7519), signed with HS256 only. What RFC 8725 warns of is refused, not weighed: a header has `alg`
and `typ`, and a token with more in it (`kid`, `jwk`, `crit`, ...) is not accepted.
"""

from __future__ import annotations

import math
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from buildwright.auth.secret import SHORTEST_KEY
from buildwright.errors import BadSettings, Unauthorized

Kind = Literal["session", "bearer", "ticket", "sign-in"]

LONGEST_TOKEN = 4096
"""In characters; a longer token is refused unread."""
_ALGORITHM = "HS256"
_HEADER = frozenset({"alg", "typ"})
_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_CLAIMS = ("iss", "aud", "sub", "iat", "exp", "jti")
_SIGN_IN = "get a new one: `buildwright token`, for a browser `buildwright token --sign-in`"


class Claims(NamedTuple):
    """The content of a token."""

    user_id: str
    kind: Kind
    jti: str
    """The token's own id, for tokens that can be used once."""
    expires_at: datetime
    issued_at: datetime
    session: str = ""
    """The id of the session, or of the token that got a ticket, that it ends with: its own, if it is a session."""


class Signer:
    """Issues and reads tokens with one key. A holder of the key can act as any user."""

    def __init__(self, key: bytes, issuer: str = "buildwright", audience: str = "buildwright") -> None:
        """Raise BadSettings when the key is shorter than 32 bytes, or belongs to another kind of signature."""
        import jwt

        if len(key) < SHORTEST_KEY:
            raise BadSettings(
                f"the key that signs tokens has {len(key)} bytes, and {SHORTEST_KEY} are needed",
                fix="set BUILDWRIGHT_SECRET to what `openssl rand -hex 32` prints, or unset it",
            )
        try:
            jwt.encode({}, key, _ALGORITHM)
        except jwt.InvalidKeyError as error:
            raise BadSettings(
                "the key that signs tokens is a public or private key, or a certificate",
                fix="set BUILDWRIGHT_SECRET to what `openssl rand -hex 32` prints",
            ) from error
        self._key = key
        self._issuer = issuer
        self._audience = audience

    def issue(self, user_id: str, kind: Kind, seconds: float, now: datetime, session: str = "") -> str:
        """Return a token that is valid for `seconds`, rounded up to a whole second, or until its `session` signs out."""
        import jwt

        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "iat": math.floor(now.timestamp()),
            "exp": math.ceil(now.timestamp() + seconds),
            "jti": secrets.token_urlsafe(16),
            "kind": kind,
            **({"sid": session} if session else {}),
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, token: str, kind: Kind | Collection[Kind], now: datetime) -> Claims:
        """Return the claims of a token of this kind, or one of these kinds. Raises Unauthorized, whatever is wrong."""
        kinds = {kind} if isinstance(kind, str) else set(kind)
        found = self._claims(token)
        moment, nbf = now.timestamp(), found.get("nbf", 0)
        # Signature, issuer and audience have been checked by now: the token is one of ours.
        if not (
            all(_is_time(found[name]) for name in ("iat", "exp"))
            and _is_time(nbf)
            and all(isinstance(found[name], str) and found[name] for name in ("sub", "jti", "kind"))
            and isinstance(found.get("sid", ""), str)
            and found["kind"] in kinds
            and found["iat"] <= moment
            and nbf <= moment
        ):
            raise _refused()
        if found["exp"] <= moment:
            raise Unauthorized("this token has expired", fix=_SIGN_IN)
        session = found["jti"] if found["kind"] == "session" else found.get("sid", "")
        expires, issued = (datetime.fromtimestamp(found[name], UTC) for name in ("exp", "iat"))
        return Claims(found["sub"], found["kind"], found["jti"], expires, issued, session)

    def _claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token with right signature, header, issuer and audience, and with no claim missing."""
        import jwt

        if len(token) > LONGEST_TOKEN or not _SHAPE.fullmatch(token):
            raise _refused()
        try:
            whole = jwt.decode_complete(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "require": [*_CLAIMS, "kind"],
                    "strict_aud": True,
                    # These use the clock of the process; `read` is given the time and checks them itself.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError:
            # Not even as its cause: an error may be shown with all that led to it.
            raise _refused() from None
        header: dict[str, Any] = whole["header"]
        claims: dict[str, Any] = whole["payload"]
        if not header.keys() <= _HEADER or header.get("typ", "JWT") != "JWT":
            raise _refused()
        return claims


def _is_time(value: object) -> bool:
    """Return whether it is seconds since 1970 that `datetime` can hold; True and False are numbers too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 253_402_300_800


def _refused() -> Unauthorized:
    return Unauthorized("the token is invalid", fix=_SIGN_IN)
