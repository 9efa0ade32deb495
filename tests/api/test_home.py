"""The first page over HTTP: projects, what needs a person, and the news, of nobody but the caller."""

from __future__ import annotations

from pathlib import Path

from tests.api.conftest import SHELL, Served, ended
from tests.api.test_builds import started


async def test_the_first_page_of_a_new_user_is_empty(served: Served) -> None:
    page = (await served.client.get("/api/home")).json
    assert (page["projects"], page["inbox"], page["news"]) == ([], [], [])


async def test_the_first_page_has_what_happened_and_what_needs_a_person(served: Served, repository: Path) -> None:
    before = (await served.client.get("/api/home")).json["as_of"]
    options = {**SHELL, "checks": [{"name": "there", "command": "test -e README.md"}]}
    good = await started(served.client, repository=str(repository), options=options)
    await ended(served.client, good)
    bad = {**options, "agent_command": 'test "$BUILDWRIGHT_TASK_ID" = a && echo a > a.txt', "limits": {"attempts": 1}}
    stuck = await started(served.client, repository=str(repository), options=bad)
    await ended(served.client, stuck)
    made = await served.client.post("/projects", {"name": "Guestbook"})

    page = (await served.client.get("/api/home", params={"since": before})).json
    projects = {one["name"]: one for one in page["projects"]}
    assert list(projects) == ["target", "Guestbook"]
    assert projects["Guestbook"]["id"] == made.json["id"]
    assert projects["target"]["health"]["colour"] == "red"
    assert [card["id"] for card in projects["target"]["builds"]] == [stuck]
    assert projects["target"]["more_builds"] == 1
    (need,) = page["inbox"]
    assert (need["build"], need["kind"], need["blocks"]) == (stuck, "pause", 2)
    assert {line["kind"] for line in page["news"]} >= {"ended", "paused", "landed"}
    assert len(page["news"]) == 5
    for line in page["news"]:
        assert (await served.client.get(line["evidence"])).status == 200, line
    assert (await served.client.get(need["evidence"])).status == 200
    assert (await served.client.get("/api/home", params={"since": page["as_of"]})).json["news"] == []

    skip = next(one for one in need["remedies"] if one["name"] == "skip")
    answer = await served.client.post(skip["path"], skip["body"])
    assert answer.status == 200, answer.text
    await ended(served.client, stuck)


async def test_the_first_page_shows_nothing_of_others(served: Served) -> None:
    await ended(served.client, await started(served.client))
    bob = await served.user("bob")
    page = (await bob.get("/api/home", params={"since": "2020-01-01T00:00:00Z"})).json
    assert (page["projects"], page["inbox"], page["news"]) == ([], [], [])
    assert (await bob.get("/api/home", params={"since": "yesterday"})).status == 422
