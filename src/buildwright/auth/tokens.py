"""Signed tokens that say who their holder is and what they are for. Never says what is wrong with a forged one.

JSON Web Tokens (RFC 7519), signed with HS256 and nothing else. What RFC 8725 warns of is left out and not weighed: a
header has `alg` and `typ`, and a token with more in it (`kid`, `jwk`, `crit`, ...) is refused.
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
"""Characters. Nothing longer is looked at."""
_ALGORITHM = "HS256"
_HEADER = frozenset({"alg", "typ"})
_SHAPE = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_CLAIMS = ("iss", "aud", "sub", "iat", "exp", "jti")
_SIGN_IN = "print a new one: buildwright token (with --sign-in for a browser)"


class Claims(NamedTuple):
    """What a token says."""

    user_id: str
    kind: Kind
    jti: str
    """Its own id: for tokens that are good for one use."""
    expires_at: datetime


class Signer:
    """Issues tokens and reads them, with one key. Whoever has the key can be anybody."""

    def __init__(self, key: bytes, issuer: str = "buildwright", audience: str = "buildwright") -> None:
        """Raises BadSettings when the key is shorter than 32 bytes, or one that belongs to another way of signing."""
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

    def issue(self, user_id: str, kind: Kind, seconds: float, now: datetime) -> str:
        """A token that is good for so long, to the next whole second."""
        import jwt

        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "iat": math.floor(now.timestamp()),
            "exp": math.ceil(now.timestamp() + seconds),
            "jti": secrets.token_urlsafe(16),
            "kind": kind,
        }
        return jwt.encode(claims, self._key, _ALGORITHM)

    def read(self, token: str, kind: Kind | Collection[Kind], now: datetime) -> Claims:
        """What a token of that kind, or of one of those kinds, says. Raises Unauthorized, whatever is wrong with it."""
        kinds = {kind} if isinstance(kind, str) else set(kind)
        found = self._claims(token)
        moment, nbf = now.timestamp(), found.get("nbf", 0)
        # What has been checked by then are signature, issuer and audience: whoever gets further holds a token of ours.
        if not (
            all(_is_time(found[name]) for name in ("iat", "exp"))
            and _is_time(nbf)
            and all(isinstance(found[name], str) and found[name] for name in ("sub", "jti", "kind"))
            and found["kind"] in kinds
            and found["iat"] <= moment
            and nbf <= moment
        ):
            raise _refused()
        if found["exp"] <= moment:
            raise Unauthorized("this token has expired", fix=_SIGN_IN)
        return Claims(found["sub"], found["kind"], found["jti"], datetime.fromtimestamp(found["exp"], UTC))

    def _claims(self, token: str) -> dict[str, Any]:
        """Of a token whose signature, header, issuer and audience are right, and from which nothing is missing."""
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
                    # These go by the clock of the process; `read` is told the time, and looks itself.
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
    """Seconds since 1970 that `datetime` can hold; True and False are numbers too."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 253_402_300_800


def _refused() -> Unauthorized:
    return Unauthorized("this token is not good here", fix=_SIGN_IN)
