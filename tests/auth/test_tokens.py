"""Tokens: what is issued is read, and nothing else is, however it is made."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from buildwright.auth import Claims, Kind, Signer
from buildwright.auth.tokens import LONGEST_TOKEN
from buildwright.errors import BadSettings, Unauthorized

KEY = b"k" * 32
NOW = datetime(2026, 1, 2, 3, 4, 5, 600_000, tzinfo=UTC)
STAMP = int(NOW.timestamp())
SIGNER = Signer(KEY)
_PUBLIC = (
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAsLVkMOg0GFqHECh2xhJOrRlDnlmMsxSDRRG7Rbp1LnQ1mn+75094ffL3"
    "xNvrVsHA8e4I7ZH+k6dxUoiZptwTDLEz0NMs5on+70/dsBT+B9/8xnfRM9ItKbzWbWbAh+VTdxMK1WXv7KkYfs/D/q+i5/9h+xdj"
    "VYW95Gn9YmFUtqEv1WjO0R0Ld5uPWCd1wLr+bAWPSx4hIKmOc9aWxaZkdktLT/c77NHrJz3kfwRKVd07nj2c2zXcwUUQJQaaf6pe"
    "zFyem6NIyLCwid7CAVvgaBZh+V7bYnq88baZKbEgHU1KlpheoiKcowvfBRDq5noxBfNKsk2t+ipTlNhP7vrOEQIDAQAB"
)
PUBLIC = f"-----BEGIN PUBLIC KEY-----\n{_PUBLIC}\n-----END PUBLIC KEY-----\n".encode()
RS256 = (
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJidWlsZHdyaWdodCIsImF1ZCI6ImJ1aWxkd3JpZ2h0Iiwic3ViIjo"
    "idSIsImlhdCI6MTc2NzMyMzA0NSwiZXhwIjoxNzY3MzIzMTA1LCJqdGkiOiJqIiwia2luZCI6InNlc3Npb24ifQ.MvYKkjRDY91B"
    "wRej_SeyvPYqieNLnvilnV_8RBchOLx7TDJmSfYEDz2Ns33MNu5nBBypy9fTOE86SuVoonJXZ5NE-MMl2G5kzzXsbT8hHFqcozcJ"
    "NyvnmrrZ3NIKeFd0mh5wWfdTWd8SHXdj9thken-g9PT8DcLO8mwktRJivBqJXAHxeOezPTlgCUvVcCVe8QWsL4c-Tvi_xa2L75oY"
    "OG5RAFIxIzbihTH6pVTLNmay2f_CsZtBoYeUo7YrMIIAQWjmJZ2ZEOjCsVFFtBRopZiZac4leGhoQIM8-bswEqHXQAWMZFLe0VmC"
    "2GyDhHiehvcThM_srWGl7qTjsbfWpw"
)
"""The good claims below, signed with the private key of `PUBLIC`."""
GOOD: dict[str, Any] = {
    "iss": "buildwright",
    "aud": "buildwright",
    "sub": "u",
    "iat": STAMP,
    "exp": STAMP + 60,
    "jti": "j",
    "kind": "session",
}


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(claims: Any, header: Any = None, key: bytes = KEY) -> str:
    """By hand, so that nothing which a library would refuse to write is left out."""
    header = {"alg": "HS256", "typ": "JWT"} if header is None else header
    parts = [content if isinstance(content, str) else json.dumps(content) for content in (header, claims)]
    text = ".".join(encoded(part.encode()) for part in parts)
    return f"{text}.{encoded(hmac.digest(key, text.encode(), hashlib.sha256))}"


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key != name}


def header(**more: Any) -> dict[str, Any]:
    return {"alg": "HS256", "typ": "JWT"} | more


def altered() -> str:
    head, claims, signature = signed(GOOD).split(".")
    other = encoded(json.dumps(GOOD | {"sub": "admin"}).encode())
    assert other != claims
    return f"{head}.{other}.{signature}"


TOKEN = signed(GOOD)
BAD: dict[str, str | Callable[[], str]] = {
    "alg none, no signature": signed(GOOD, {"alg": "none"}).rpartition(".")[0] + ".",
    "alg none, signed": signed(GOOD, header(alg="none")),
    "alg None in odd case": signed(GOOD, header(alg="nOnE")),
    "alg missing": signed(GOOD, {"typ": "JWT"}),
    "alg a list": signed(GOOD, header(alg=["HS256"])),
    "alg HS512": lambda: jwt.encode(GOOD, KEY * 2, "HS512"),
    "alg RS256": RS256,
    "alg RS256, signed with our key": signed(GOOD, header(alg="RS256")),
    "the public key as the key": signed(GOOD, key=PUBLIC),
    "another key": signed(GOOD, key=b"x" * 32),
    "an empty key": signed(GOOD, key=b""),
    "kid, a path": signed(GOOD, header(kid="../../../dev/null")),
    "kid, a number": signed(GOOD, header(kid=1)),
    "jwk": signed(GOOD, header(jwk={"kty": "oct", "k": encoded(KEY)})),
    "jku": signed(GOOD, header(jku="https://example.org/keys")),
    "x5c": signed(GOOD, header(x5c=["MII"])),
    "crit, unknown": signed(GOOD, header(crit=["x"], x=1)),
    "crit, empty": signed(GOOD, header(crit=[])),
    "b64 false": signed(GOOD, header(crit=["b64"], b64=False)),
    "typ, of another token": signed(GOOD, header(typ="at+jwt")),
    "header a list": signed(GOOD, ["HS256"]),
    "header no JSON": signed(GOOD, "{"),
    "claims a list": signed([GOOD]),
    "claims no JSON": signed("{"),
    "claims deep": signed("[" * 1200 + "]" * 1200),
    "no exp": signed(without("exp")),
    "no iat": signed(without("iat")),
    "no jti": signed(without("jti")),
    "no sub": signed(without("sub")),
    "no aud": signed(without("aud")),
    "no iss": signed(without("iss")),
    "no kind": signed(without("kind")),
    "expired": signed(GOOD | {"exp": STAMP}),
    "exp null": signed(GOOD | {"exp": None}),
    "exp a text": signed(GOOD | {"exp": str(STAMP + 60)}),
    "exp true": signed(GOOD | {"exp": True}),
    "exp without end": signed(json.dumps(GOOD | {"exp": float("inf")})),
    "exp not a number": signed(json.dumps(GOOD | {"exp": float("nan")})),
    "exp beyond all calendars": signed(GOOD | {"exp": 10**300}),
    "iat to come": signed(GOOD | {"iat": STAMP + 1}),
    "nbf to come": signed(GOOD | {"nbf": STAMP + 1}),
    "nbf a text": signed(GOOD | {"nbf": "now"}),
    "sub empty": signed(GOOD | {"sub": ""}),
    "sub a number": signed(GOOD | {"sub": 1}),
    "jti empty": signed(GOOD | {"jti": ""}),
    "jti a list": signed(GOOD | {"jti": ["j"]}),
    "aud of another": signed(GOOD | {"aud": "another"}),
    "aud of many": signed(GOOD | {"aud": ["buildwright", "another"]}),
    "iss of another": signed(GOOD | {"iss": "another"}),
    "iss a list": signed(GOOD | {"iss": ["buildwright"]}),
    "kind of another use": signed(GOOD | {"kind": "sign-in"}),
    "kind unknown": signed(GOOD | {"kind": "root"}),
    "kind a list": signed(GOOD | {"kind": ["session"]}),
    "claims of another": altered,
    "huge": signed(GOOD | {"x": "y" * LONGEST_TOKEN}),
    "nothing": "",
    "dots": "..",
    "two parts": TOKEN.rpartition(".")[0],
    "four parts": f"{TOKEN}.{TOKEN.rpartition('.')[2]}",
    "five parts, as encrypted ones have": ".".join([TOKEN, "a", "b"]),
    "a line end behind it": f"{TOKEN}\n",
    "a space before it": f" {TOKEN}",
    "padding": f"{TOKEN}=",
    "bad base64": TOKEN.replace(".", ".*", 1),
    "a digit of another script": f"{TOKEN}\u0663",
    "a lone surrogate": f"{TOKEN}\ud800",
    "a signature cut short": TOKEN[:-4],
    "a signature of the same bits": TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_refused(name: str) -> None:
    bad = BAD[name]
    token = bad if isinstance(bad, str) else bad()
    with pytest.raises(Unauthorized) as refused:
        SIGNER.read(token, "session", NOW)
    assert refused.value.__cause__ is None
    said = "this token has expired" if name == "expired" else "the token is invalid"
    assert (str(refused.value), refused.value.fix) == (
        said,
        "get a new one: `buildwright token`, for a browser `buildwright token --sign-in`",
    )


def test_the_good_one_among_them_is_good() -> None:
    ends = datetime.fromtimestamp(STAMP + 60, UTC)
    assert SIGNER.read(TOKEN, "session", NOW) == Claims(
        "u", "session", "j", ends, datetime.fromtimestamp(STAMP, UTC), "j"
    )
    assert SIGNER.read(signed(GOOD | {"nbf": STAMP}), "session", NOW).jti == "j"
    assert SIGNER.read(signed(GOOD, {"alg": "HS256"}), ("bearer", "session"), NOW).user_id == "u"


@given(
    user=st.text(min_size=1),
    seconds=st.floats(1, 1e8),
    kind=st.sampled_from(["session", "bearer", "ticket", "sign-in"]),
)
@example(user="\ud800\0", seconds=0.5, kind="ticket")
def test_what_is_issued_is_read_until_its_end(user: str, seconds: float, kind: Kind) -> None:
    token = SIGNER.issue(user, kind, seconds, NOW)
    claims = SIGNER.read(token, {kind}, NOW)
    assert claims[:2] == (user, kind)
    assert timedelta(0) <= claims.expires_at - (NOW + timedelta(seconds=seconds)) < timedelta(seconds=1.001)
    assert SIGNER.read(token, kind, claims.expires_at - timedelta(microseconds=1)) == claims
    with pytest.raises(Unauthorized, match="expired"):
        SIGNER.read(token, kind, claims.expires_at)
    with pytest.raises(Unauthorized):
        SIGNER.read(token, kind, NOW - timedelta(seconds=1))


def test_every_token_has_an_id_of_its_own_and_holds_only_for_its_server() -> None:
    tokens = [SIGNER.issue("u", "ticket", 30, NOW) for _ in range(100)]
    assert len({SIGNER.read(token, "ticket", NOW).jti for token in tokens}) == 100
    others = (Signer(b"o" * 32), Signer(KEY, issuer="another"), Signer(KEY, audience="another"))
    for other in others:
        with pytest.raises(Unauthorized):
            other.read(tokens[0], "ticket", NOW)
        assert other.read(other.issue("u", "ticket", 30, NOW), "ticket", NOW).user_id == "u"


@given(st.text(alphabet=st.sampled_from("aA0-_.=\n é{}"), max_size=60) | st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(Unauthorized):
        SIGNER.read(text, "session", NOW)


@pytest.mark.parametrize("key", [b"", b"k" * 31, PUBLIC])
def test_a_key_that_is_none_is_refused(key: bytes) -> None:
    with pytest.raises(BadSettings) as refused:
        Signer(key)
    assert refused.value.fix
    assert "kkk" not in str(refused.value)


def test_importing_the_package_loads_no_library() -> None:
    program = "import sys, buildwright.auth; print(sorted({'jwt', 'cryptography'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
