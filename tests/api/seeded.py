"""Real things on a server, for tests that go over all routes: projects, and builds in several states."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buildwright.api.state import ServerState
from buildwright.core.push import Push
from buildwright.store.repositories import PushResult
from tests.api.conftest import NOTHING, OWNER, SHELL, Client, ended
from tests.git import git

WRITTEN = "a.txt"
"""A file that the finished build and the project's build have made."""


@dataclass(frozen=True)
class Seeds:
    """Ids of one user's things."""

    repository: str
    finished: str
    paused: str
    by_hand: str
    project: str
    empty_project: str
    project_build: str
    execution: str
    """Its project's own name."""
    event: str
    lesson: str
    connected: str
    """A repository of GitHub."""
    audit: str
    """Of a push to it."""
    comment: str
    """On a contract."""

    @property
    def builds(self) -> tuple[str, ...]:
        return (self.finished, self.paused, self.by_hand, self.project_build)

    @property
    def projects(self) -> tuple[str, ...]:
        return (self.project, self.empty_project)


async def seeded(client: Client, folder: Path, site: ServerState) -> Seeds:
    """Make them, with a repository in `folder`. Needs a server that runs commands of this user."""
    repository = folder / "seeded"
    repository.mkdir()
    (repository / "README.md").write_text("# Target\n", encoding="utf-8")
    git(repository, "init", "-q", "-b", "main")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Start")
    tasks = [{"id": "a", "title": "First"}, {"id": "b", "title": "Second", "depends_on": ["a"]}]
    options = {**SHELL, "checks": [{"name": "tests", "command": "true"}]}
    target = {"target_type": "local_path", "target_ref": str(repository)}
    made = await client.post("/projects", {"name": "Guestbook", "tasks": tasks, **target})
    empty = await client.post("/projects", {"name": "Empty"})
    assert (made.status, empty.status) == (201, 201), (made.text, empty.text)
    # First, because a project's build waits for no other of the user's, and none may be under way.
    of_project = {"options": {**options, "delivery": {"kind": "none"}}}
    project_build = await _id(client, f"/projects/{made.json['id']}/build", of_project)
    real = {"tasks": tasks, "repository": str(repository), "project_id": "seeded"}
    finished = await _id(client, "/api/builds", {**real, "options": options})
    fails = {**options, "agent_command": "false", "limits": {"attempts": 1}}
    paused = await _id(client, "/api/builds", {**real, "options": fails})
    hand = {"project_id": "seeded", "seed": {}, "tasks": tasks, "options": NOTHING}
    by_hand = await _id(client, "/api/build/start", hand)
    order = {"projectId": "shop", "repository": str(repository), "tasks": tasks, "options": options}
    begun = await client.post("/events", {"type": "devteam.initialize", **order})
    assert begun.status == 202, begun.text
    lesson = {"pattern": "*", "content": "never push", "confidence": 0.5}
    assert (await client.post("/api/lessons/import", {"lessons": [lesson]})).json["added"] == 1
    assert (await ended(client, finished))["outcome"] == "succeeded"
    assert (await ended(client, paused))["control"] == "paused"
    assert (await ended(client, project_build))["outcome"] == "succeeded"
    async with asyncio.timeout(60):
        while (await client.get(f"/events/{begun.json['task_id']}")).json["status"] != "done":
            await asyncio.sleep(0.05)
    told = [{"section": "product_intent", "text": "A Guestbook"}]
    generated = await client.post(f"/projects/{made.json['id']}/contracts/generate", {"answers": told})
    assert len(generated.json["contracts"]) == 10, generated.text
    said = await client.post(f"/projects/{made.json['id']}/contracts/ui/comments", {"first": 1, "text": "good"})
    assert said.status == 201, said.text
    return Seeds(
        str(repository),
        finished,
        paused,
        by_hand,
        made.json["id"],
        empty.json["id"],
        project_build,
        "shop",
        begun.json["task_id"],
        (await client.get("/api/lessons")).json["lessons"][0]["id"],
        *await _connected(site),
        said.json["id"],
    )


async def _connected(site: ServerState) -> tuple[str, str]:
    """A connected repository, and the audit of a push to it."""
    store, now = site.records.repositories, site.app.clock.now()
    secret = site.connecting.vault.seal("example of a secret")
    here = await store.connect(OWNER, site.connecting.access.site.api, "ann/guestbook", secret, now)
    pushed = {"commit": "a" * 40, "before": "", "first": "", "commits": 0, "forced": False, "on_default": True}
    push = Push(repository=here.name, branch="main", **pushed)
    _, audit = await store.receive(here, "delivery", "push", push, now, known=True)
    assert audit is not None
    await store.finish(audit, PushResult("passed", "1 checks passed"), now)
    return here.id, audit.id


async def _id(client: Client, path: str, body: dict[str, Any]) -> str:
    answer = await client.post(path, body)
    assert answer.status in {200, 202}, answer.text
    return str(answer.json["build_id"])
