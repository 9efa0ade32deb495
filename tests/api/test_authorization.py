"""Who may do what, tried on every route there is: nobody gets in without being known, and nobody reaches another's things."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from buildwright.api.app import fastapi_for
from buildwright.api.guard import COOKIE
from buildwright.auth import Signer
from tests.api.conftest import OWNER, Client, Served, serving
from tests.api.seeded import Seeds, seeded
from tests.api.walked import HTTP, SOCKETS, WALKED

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = {
    ("GET", "/health"),
    ("GET", "/health/version"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/openapi.json"),
    ("HEAD", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/static/{name}"),
    ("GET", "/static/sign-in.js"),
    ("GET", "/assets/{name}"),
    ("POST", "/webhooks/github"),
    ("POST", "/auth/github"),
    ("GET", "/auth/github/callback"),
}
"""What needs nobody. A path that is added here shows something to the whole network."""
PROVEN = {("POST", "/sign-in"), ("POST", "/webhooks/github"), ("GET", "/auth/github/callback")}
"""Those of them that take a proof of their own: the token of a form, the signature of a body, a cookie with its code."""
IN_BODIES = {
    ("/api/build/start", "project_id"),
    ("/api/build/step", "build_id"),
    ("/api/builds", "project_id"),
    ("/api/devteam/automation/initialize", "projectId"),
}
"""Where a body names a thing by its id: each is tried below."""
TASKS = [{"id": "a", "title": "First"}]


class Filled(NamedTuple):
    """A server on which ann has something of every kind."""

    served: Served
    seeds: Seeds
    nobody: Client
    bob: Client

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no answer to others may hold."""
        return (*self.seeds.builds, *self.seeds.projects, self.seeds.repository, "Guestbook", "First", '"ann"')

    def secrets_beside(self, asked: str) -> tuple[str, ...]:
        """The same without what the request named itself: that it is not there may be said."""
        return tuple(secret for secret in self.secrets if secret not in asked)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Filled]:
    folder = tmp_path_factory.mktemp("filled")
    async with serving(folder) as served:
        seeds = await seeded(served.client, folder, served.site)
        await still(served)
        yield Filled(served, seeds, await served.user(""), await served.user("bob"))


def credentials(served: Served) -> dict[str, dict[str, str]]:
    """Headers that let nobody in."""
    site, now = served.site, served.site.app.clock.now()

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    good = site.signer.issue(OWNER, "bearer", 600, now)
    head, claims, signature = good.split(".")
    session = site.signer.issue(OWNER, "session", 600, now)
    return {
        "none": {},
        "empty": bearer(""),
        "garbage": bearer("garbage"),
        "three parts of garbage": bearer("a.b.c"),
        "expired": bearer(site.signer.issue(OWNER, "bearer", 600, now - timedelta(seconds=601))),
        "of tomorrow": bearer(site.signer.issue(OWNER, "bearer", 600, now + timedelta(days=1))),
        "of another key": bearer(Signer(b"another key, but a long one, yes").issue(OWNER, "bearer", 600, now)),
        "without its signature": bearer(f"{head}.{claims}."),
        "with another signature": bearer(f"{head}.{claims}.{signature[::-1]}"),
        "a sign-in token": bearer(site.signer.issue(OWNER, "sign-in", 600, now)),
        "a ticket": bearer(site.signer.issue(OWNER, "ticket", 600, now)),
        "a session as bearer": bearer(session),
        "another scheme": {"Authorization": f"Basic {good}"},
        "a bearer token as cookie": {"Cookie": f"{COOKIE}={good}"},
        "a session that has expired": {
            "Cookie": f"{COOKIE}={site.signer.issue(OWNER, 'session', 60, now - timedelta(seconds=61))}"
        },
        "a header of another kind": {"X-Forwarded-User": OWNER, "X-User": OWNER, "Remote-User": OWNER},
    }


def foreign(served: Served) -> dict[str, dict[str, str]]:
    """Requests with ann's own session which pages of others have sent."""
    cookie = f"{COOKIE}={served.site.signer.issue(OWNER, 'session', 600, served.site.app.clock.now())}"
    origins = ("null", "https://evil.example", "http://127.0.0.1:1", f"{served.address}.evil.example")
    return {origin: {"Cookie": cookie, "Origin": origin} for origin in origins} | {
        "said by the browser": {"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}
    }


async def test_public_paths_are_exactly_the_listed_ones(filled: Filled) -> None:
    public = set()
    for one in HTTP:
        answer = await filled.nobody.ask(one.method, one.at(filled.seeds))
        if answer.status != 401 or (one.method, one.path) in PROVEN:
            public.add((one.method, one.path))
    assert public == PUBLIC


async def test_whoever_is_not_known_reaches_no_route(filled: Filled) -> None:
    tried = 0
    for name, headers in credentials(filled.served).items():
        for one in HTTP:
            if (one.method, one.path) in PUBLIC:
                continue
            answer = await filled.nobody.ask(one.method, one.at(filled.seeds), headers=headers)
            assert answer.status == 401, (name, one, answer.status)
            refuse_to_tell(answer.text, filled.secrets)
            assert answer.headers["www-authenticate"] == "Bearer"
            tried += 1
    print(f"\n{tried} requests of nobody to {len(HTTP)} routes")


async def test_paths_that_are_not_there_look_like_all_others_to_nobody(filled: Filled) -> None:
    for path in ("/", "/nothing", "/api", "/api/builds/", "/.env", "/static", "/HEALTH", "//health"):
        assert (await filled.nobody.get(path)).status == 401, path


async def test_a_browser_at_the_front_page_is_led_to_sign_in_and_then_to_the_pages(filled: Filled) -> None:
    page = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    led = await filled.nobody.get("/", headers=page)
    assert (led.status, led.headers["location"]) == (303, "/sign-in")
    assert led.headers["x-correlation-id"]
    for path, headers in (
        ("/", {"Accept": "application/json"}),
        ("/", {**page, "Authorization": "Bearer x"}),
        ("/api/builds", page),
        ("/api/nothing", page),
    ):
        assert (await filled.nobody.get(path, headers=headers)).status == 401, (path, headers)
    assert (await filled.nobody.get("//", headers=page)).headers["location"] == "/sign-in", "it leads nowhere else"
    assert (await filled.nobody.post("/", headers=page)).status == 401
    site = filled.served.site
    cookie = f"{COOKIE}={site.signer.issue(OWNER, 'session', 600, site.app.clock.now())}"
    there = await filled.nobody.get("/", headers={**page, "Cookie": cookie})
    assert (there.status, there.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (await filled.nobody.get("/", headers={**page, "Cookie": f"{COOKIE}=old"})).headers["location"] == "/sign-in"


async def test_a_session_counts_only_for_pages_of_this_server(filled: Filled) -> None:
    for name, headers in foreign(filled.served).items():
        for one in HTTP:
            if one.method in {"GET", "HEAD"} or (one.method, one.path) in PUBLIC:
                continue
            answer = await filled.nobody.ask(one.method, one.at(filled.seeds), headers=headers)
            assert answer.status == 403, (name, one, answer.status)
            refuse_to_tell(answer.text, filled.secrets)


async def test_nobody_reaches_what_is_anothers(filled: Filled) -> None:
    before = database_hash(filled.served)
    tried = 0
    for one in HTTP:
        if (one.method, one.path) in PUBLIC or (one.method, one.path) == ("DELETE", "/api/tokens"):
            continue  # the latter takes back bob's own
        named = one.names_something
        answer = await filled.bob.ask(one.method, one.at(filled.seeds), None if one.method == "GET" else {})
        if named:
            assert answer.status in {403, 404}, (one, answer.status, answer.text)
        else:
            assert answer.status < 500, (one, answer.status, answer.text)
        refuse_to_tell(answer.text, filled.secrets_beside(one.at(filled.seeds)))
        tried += named
    assert database_hash(filled.served) == before
    print(f"\n{tried} routes of another's things")


async def test_nobody_names_anothers_things_in_a_body_or_a_query(filled: Filled) -> None:
    seeds, bob = filled.seeds, filled.bob
    options = {"agent": "noop", "lanes": False}
    bodies: dict[tuple[str, str], dict[str, Any]] = {
        ("/api/build/step", "build_id"): {"build_id": seeds.by_hand},
        ("/api/build/start", "project_id"): {"project_id": seeds.project, "seed": {}, "tasks": TASKS},
        ("/api/builds", "project_id"): {"project_id": seeds.project, "tasks": TASKS, "options": options},
    }
    order = {"projectId": seeds.execution, "repository": seeds.repository, "tasks": TASKS, "options": options}
    bodies["/api/devteam/automation/initialize", "projectId"] = order
    bodies["/events", "projectId"] = {"type": "project.note", "projectId": seeds.execution, "text": "mine"}
    assert set(bodies) - {("/events", "projectId")} == IN_BODIES == _named_in_bodies()
    for (path, _), body in bodies.items():
        answer = await bob.post(path, body)
        # The name of a project in an event is free to choose, and taken; an id is not there for others.
        assert answer.status == 403, (path, answer.text)
        refuse_to_tell(answer.text, ("Guestbook", '"ann"'))
    for path, query in (
        ("/api/builds", {"project": seeds.project}),
        ("/api/builds", {"project": "seeded"}),
        ("/api/builds", {"prefix": seeds.finished[:8]}),
        ("/api/builds", {}),
        ("/projects", {}),
    ):
        answer = await bob.get(path, params=query)
        assert (answer.status, answer.json["items"]) == (200, []), path


async def test_no_stream_tells_whoever_may_not_listen(filled: Filled) -> None:
    """Each is let in to be told why it is closed, and gets no frame before that."""
    site, seeds = filled.served.site, filled.seeds
    used = site.signer.issue(OWNER, "ticket", 600, site.app.clock.now())
    bearer = {"Authorization": f"Bearer {site.signer.issue('bob', 'bearer', 600, site.app.clock.now())}"}
    known = credentials(filled.served) | {
        name: headers for name, headers in foreign(filled.served).items() if "Origin" in headers
    }
    tried = 0
    for one in SOCKETS:
        for query in (f"build={seeds.finished}", f"projectId={seeds.execution}", f"project={seeds.project}", ""):
            for name, headers in known.items():
                if name == "a ticket":
                    continue
                assert await closed(filled, f"{one.path}?{query}", headers) in {4401, 4403}, (one, query, name)
                tried += 1
            assert await closed(filled, f"{one.path}?{query}&ticket=garbage", {}) == 4401
        assert await closed(filled, f"{one.path}?build={seeds.finished}", bearer) == 4403
        # A project is a name that everybody may use: bob hears his own builds of it, which are none.
        async with filled.nobody.session.ws_connect(
            f"{filled.served.address}{one.path}?projectId=seeded", headers=bearer
        ) as stream:
            hello = await stream.receive(timeout=20)
            refuse_to_tell(str(hello.data), (*seeds.builds, '"ann"'))
    place = f"{SOCKETS[0].path}?build={seeds.finished}&ticket={used}"
    async with filled.nobody.session.ws_connect(f"{filled.served.address}{place}") as stream:
        assert (await stream.receive_json(timeout=20))["type"] == "hello"
    assert await closed(filled, place, {}) == 4401, "a ticket opens one stream"
    assert await closed(filled, "/ws/nothing", {}) == 4404
    print(f"\n{tried} WebSockets of nobody")


async def closed(filled: Filled, place: str, headers: Mapping[str, str]) -> int | None:
    """The code with which a WebSocket is closed, before it said anything."""
    async with filled.nobody.session.ws_connect(filled.served.address + place, headers=headers) as stream:
        message = await stream.receive(timeout=20)
        assert message.type is aiohttp.WSMsgType.CLOSE, message
        refuse_to_tell(str(message.extra), filled.secrets_beside(place))
        return stream.close_code


async def test_no_get_changes_the_database(filled: Filled) -> None:
    """Row 43: what is only looked at stays as it is, table by table."""
    client, tried = filled.served.client, 0
    before = database_hash(filled.served)
    for one in HTTP:
        if one.method != "GET":
            continue
        for build in filled.seeds.builds:
            path = one.at(replace(filled.seeds, finished=build))
            answer = await read(client, path)
            assert answer < 500, (path, answer)
            tried += 1
            assert database_hash(filled.served) == before, path
    print(f"\n{tried} GET requests")


async def test_the_walk_finds_the_routes(filled: Filled) -> None:
    documented = fastapi_for().openapi()["paths"]
    there = {(one.method.lower(), one.path.replace(":path", "")) for one in HTTP}
    assert {(method, path) for path, item in documented.items() for method in item} <= there
    assert len(WALKED) > 45


async def still(served: Served) -> None:
    """Until nothing is written any more of what the builds have left."""
    before: Mapping[str, str] = {}
    async with asyncio.timeout(30):
        while before != (before := database_hash(served)):
            await asyncio.sleep(1.5)


async def read(client: Client, path: str) -> int:
    """The status of an answer, of which a stream is read for a moment."""
    timeout = aiohttp.ClientTimeout(sock_read=20)
    async with client.session.get(client.address + path, allow_redirects=False, timeout=timeout) as answer:
        if answer.content_type == "text/event-stream":
            await answer.content.readany()
        else:
            await answer.read()
        return answer.status


def refuse_to_tell(text: str, secrets: tuple[str, ...]) -> None:
    assert not [secret for secret in secrets if secret in text], text


def database_hash(served: Served) -> Mapping[str, str]:
    """A hash of each table, of all its rows, but those of stats: what they count, any question may count.

    Nor of users and tokens: a request makes its user known, and its token used.
    """
    found: dict[str, str] = {}
    with sqlite3.connect(f"file:{served.site.app.settings.database}?mode=ro", uri=True) as database:
        names = database.execute(
            "select name from sqlite_master where type = 'table' and name not like 'metrics_%'"
            " and name not in ('users', 'tokens') order by name"
        ).fetchall()
        for (name,) in names:
            # A lease ends later with every beat of the build's runner; that is no request's doing.
            columns = "build_id, holder, token" if name == "leases" else "*"
            rows = sorted(map(repr, database.execute(f'select {columns} from "{name}"').fetchall()))
            found[name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    database.close()
    return found


def _named_in_bodies() -> set[tuple[str, str]]:
    description = fastapi_for().openapi()
    schemas = description["components"]["schemas"]
    found: set[tuple[str, str]] = set()
    for path, item in description["paths"].items():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
            fields = schemas.get(name, {}).get("properties", {})
            found |= {(path, field) for field in fields if field in {"build_id", "project_id", "projectId"}}
    return found
