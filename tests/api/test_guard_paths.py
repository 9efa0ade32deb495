"""The door, attacked: headers, methods, paths and tokens, and what is said when the server itself fails."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.api.attacking import Attacked, attacking
from tests.api.seeded import WRITTEN
from tests.auth.test_tokens import PUBLIC, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTSIDE = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "%252e%252e%252f%252e%252e%252fetc%252fpasswd",
    "....//....//etc/passwd",
    "..%5c..%5cetc%5cpasswd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "%2F%2Fetc/passwd",
    "a.txt%00.png",
    "a.txt/../../../etc/passwd",
    "a.txt/",
    ".git/config",
    ".GIT/config",
    "%2egit/config",
    "..;/etc/passwd",
    "%c0%ae%c0%ae/etc/passwd",
    "%ff%fe",
    "%ed%a0%80",
    "~root/.bashrc",
    "C:%5cWindows%5cwin.ini",
    "%u002e%u002e/etc/passwd",
    "x" * 300,
    "/".join("d" * 4 for _ in range(900)),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def attacked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Attacked]:
    async with attacking(tmp_path_factory.mktemp("attacked")) as it:
        yield it


# --- Headers, methods, paths ------------------------------------------------------------------------------------------------


async def test_headers_that_are_too_large_or_too_many_are_refused(attacked: Attacked) -> None:
    for more in ([f"X-Large: {'x' * 100_000}"], [f"X-{n}: {'x' * 50}" for n in range(2_000)]):
        answer = await attacked.ask("GET /auth/me HTTP/1.1", attacked.bearer, *more)
        assert answer.status in {0, 400, 431}, answer
    answer = await attacked.ask(f"GET /auth/me?{'x' * 100_000} HTTP/1.1", attacked.bearer)
    assert answer.status in {0, 400, 414, 431}, answer


async def test_two_credentials_at_once_are_none(attacked: Attacked) -> None:
    answer = await attacked.ask("GET /auth/me HTTP/1.1", "Authorization: Bearer garbage", attacked.bearer)
    assert answer.status == 401
    answer = await attacked.ask("GET /auth/me HTTP/1.1", attacked.bearer, "Authorization: Bearer garbage")
    assert answer.status == 401


async def test_a_correlation_id_comes_back_only_if_it_is_one(attacked: Attacked) -> None:
    good = await attacked.ask("GET /health HTTP/1.1", "X-Correlation-ID: order-17/a:b.c")
    assert good.headers["x-correlation-id"] == "order-17/a:b.c"
    for bad in ("a b", "<script>", "x" * 129, "\u00e9", "", '"'):
        answer = await attacked.ask("GET /health HTTP/1.1", f"X-Correlation-ID: {bad}")
        assert answer.status in {200, 400}
        if answer.status == 200:
            assert answer.headers["x-correlation-id"] not in {bad, ""}


async def test_a_method_is_what_the_first_line_says(attacked: Attacked) -> None:
    said = ("X-HTTP-Method-Override: POST", "X-HTTP-Method: POST", "X-Method-Override: POST")
    ticket = await attacked.ask("GET /api/tickets?_method=POST HTTP/1.1", attacked.bearer, *said)
    assert (ticket.status, ticket.headers["allow"]) == (405, "POST")
    for method in ("TRACE", "CONNECT", "PROPFIND", "post", "GET\t", "DELETE", "X" * 5_000):
        answer = await attacked.ask(f"{method} /api/tickets HTTP/1.1", attacked.bearer)
        assert answer.status in {400, 405}, (method, answer)
    listed = await attacked.ask("DELETE /projects HTTP/1.1", attacked.bearer)
    assert (listed.status, listed.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("path", OUTSIDE)
async def test_no_path_leads_out_of_the_repository(attacked: Attacked, path: str) -> None:
    """Row 5."""
    answer = await attacked.ask(f"GET /projects/{attacked.seeds.project}/build/files/{path} HTTP/1.1", attacked.bearer)
    assert 400 <= answer.status < 500, answer
    assert "root:" not in answer.body
    assert "[core]" not in answer.body


async def test_no_path_leads_around_the_door(attacked: Attacked) -> None:
    base = f"/projects/{attacked.seeds.project}"
    good = await attacked.ask(f"GET {base}/build/files/{WRITTEN} HTTP/1.1", attacked.bearer)
    assert (good.status, good.json["content"]) == (200, "a\n")
    for path in (
        f"/health/..{base}",
        f"/static/..{base}",
        f"/static/%2e%2e{base}",
        f"/static/..%2f..{base.replace('/', '%2f')}",
        f"/docs/../{base}",
        f"/health;{base}",
        f"/sign-in{base}",
        f"/sign-in/..%2f{base[1:]}",
        f"{base}?x=/health",
        f"{base}#/health",
        f"{base}%00/health",
        f"//health/..{base}",
        f"/%68ealth/..{base}",
        "/static/%2e%2e%2fsecret.key",
        f"http://{attacked.host}{base}",
        f"http://evil.example{base}",
        "*",
        "/static/..%2f..%2f..%2fsecret.key",
        "/static/docs.js%00",
        "/static//etc/passwd",
    ):
        answer = await attacked.ask(f"GET {path} HTTP/1.1")
        assert answer.status in {400, 401, 404, 421}, (path, answer)
        assert "Guestbook" not in answer.body


async def test_requests_in_one_packet_are_told_apart(attacked: Attacked) -> None:
    with_token = f"GET /auth/me HTTP/1.1\r\nHost: {attacked.host}\r\n{attacked.bearer}\r\n\r\n"
    without = f"GET /auth/me HTTP/1.1\r\nHost: {attacked.host}\r\n\r\n"
    elsewhere = "GET /auth/me HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    last = f"GET /health HTTP/1.1\r\nHost: {attacked.host}\r\nConnection: close\r\n\r\n"
    answers = await attacked.send((with_token + without + elsewhere + with_token + last).encode())
    assert [answer.status for answer in answers] == [200, 401, 421, 200, 200]


async def test_every_answer_says_how_a_browser_is_to_take_it(attacked: Attacked) -> None:
    for line, status in (("GET /health", 200), ("GET /nothing", 401), ("GET /docs", 200), ("POST /sign-in", 401)):
        answer = await attacked.ask(f"{line} HTTP/1.1", body=b"token=x" if "POST" in line else b"")
        assert answer.status == status
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == (
            "nosniff",
            "no-referrer",
        )
        assert answer.headers["x-correlation-id"]
        assert "server" not in answer.headers


# --- Row 39: tokens ---------------------------------------------------------------------------------------------------------


async def test_only_a_token_that_was_issued_here_is_good(attacked: Attacked) -> None:
    now = int(attacked.served.site.app.clock.now().timestamp())
    good: dict[str, Any] = {
        "iss": "buildwright",
        "aud": "buildwright",
        "sub": "ann",
        "iat": now,
        "exp": now + 600,
        "jti": "j",
        "kind": "bearer",
    }
    usual = {"alg": "HS256", "typ": "JWT"}

    def but(**changed: Any) -> str:
        return signed({name: value for name, value in (good | changed).items() if value is not None})

    def headed(**more: Any) -> str:
        return signed(good, usual | more)

    whole = signed(good)
    assert (await attacked.ask("GET /auth/me HTTP/1.1", f"Authorization: Bearer {whole}")).status == 200
    head, claims, signature = whole.split(".")
    bad = [
        signed(good, usual | {"alg": "none"}).rpartition(".")[0] + ".",
        headed(alg="none"),
        headed(alg="nOnE"),
        headed(alg="RS256"),
        headed(alg="HS512"),
        headed(alg=["HS256"]),
        headed(kid="../../../dev/null"),
        headed(jku="http://127.0.0.1/key"),
        headed(jwk={"kty": "oct", "k": "eA"}),
        headed(crit=["exp"]),
        headed(typ="other"),
        signed(good, key=PUBLIC),
        signed(good, key=b"x" * 32),
        signed(good, key=b""),
        *(but(**{name: None}) for name in good),
        but(exp=now - 1),
        but(exp="never"),
        but(exp=1e400),
        but(iat=now + 100),
        but(nbf=now + 100),
        but(aud="another"),
        but(aud=["buildwright", "another"]),
        but(iss="another"),
        but(sub=""),
        but(sub=["ann"]),
        but(kind="sign-in"),
        but(kind="ticket"),
        but(kind=["bearer"]),
        but(more="x" * 100_000)[:20_000],
        f"{head}.{claims}",
        f"{head}.{claims}.{signature}.{signature}",
        f"{head}.{claims}.{signature[:-2]}",
        f"{whole}\t",
        f"{whole}=",
        f"\u00e9{whole}",
        f"{whole}, {whole}",
        "",
        "null",
        "undefined",
    ]
    for token in bad:
        answer = await attacked.ask("GET /auth/me HTTP/1.1", f"Authorization: Bearer {token}")
        assert answer.status in ({401} if token.strip() != whole else {200, 401}), (token, answer)
    print(f"\n{len(bad)} bad tokens")


# --- What nobody foresaw -------------------------------------------------------------------------------------------------------


async def test_what_nobody_foresaw_is_told_to_the_log_alone(attacked: Attacked) -> None:
    """A record that is damaged, then a table that is gone."""
    made = await attacked.served.client.post("/projects", {"name": "damaged", "spec": "# One"})
    path = f"/projects/{made.json['id']}"
    with sqlite3.connect(attacked.served.site.app.settings.database) as database:
        database.execute("update projects set spec = '{not json' where id = ?", (made.json["id"],))
    database.close()
    answer = await attacked.ask(f"GET {path} HTTP/1.1", attacked.bearer, "X-Correlation-ID: damaged-1")
    assert (answer.status, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json == {
        "type": "/problems/internal",
        "title": "The server failed",
        "status": 500,
        "code": "internal",
        "detail": "unexpected error in the server",
        "fix": "try again; if it stays, look for the correlationId in the server's log",
        "correlationId": "damaged-1",
    }
    (logged,) = [line for line in attacked.served.logged if line["event"] == "request-failed"]
    assert (logged["correlationId"], logged["level"]) == ("damaged-1", "error")
    assert "JSONDecodeError" in logged["error"]
    assert (await attacked.ask("GET /health HTTP/1.1")).status == 200


async def test_a_store_that_is_gone_is_503_and_no_more_is_said(attacked: Attacked) -> None:
    database = sqlite3.connect(attacked.served.site.app.settings.database)
    with database:
        database.execute("alter table projects rename to gone")
    try:
        answer = await attacked.ask("GET /projects HTTP/1.1", attacked.bearer)
        assert (answer.status, answer.json["code"], answer.headers["retry-after"]) == (503, "store-failed", "2")
    finally:
        with database:
            database.execute("alter table gone rename to projects")
        database.close()
    logged = attacked.served.logged
    told = [line for line in logged if line.get("correlationId") == answer.json["correlationId"]]
    assert [line["event"] for line in told] == ["store-failed", "request"]
    assert "projects" in told[0]["error"]
    assert (await attacked.served.client.get("/projects")).status == 200
