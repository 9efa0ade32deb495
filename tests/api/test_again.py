"""Tasks are taken back and redone, and builds are put on another base, over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api.conftest import SHELL, Client, Served, ended
from tests.git import git

TASKS = [{"id": "a", "title": "First"}, {"id": "b", "title": "Second", "depends_on": ["a"]}]
CHECKED = {**SHELL, "checks": [{"name": "there", "command": "test -e README.md"}]}


async def built(client: Client, repository: Path) -> dict[str, Any]:
    """The status of a build that has succeeded."""
    body = {"title": "Sample", "tasks": TASKS, "repository": str(repository), "options": CHECKED}
    answer = await client.post("/api/builds", body)
    assert answer.status == 202, answer.text
    status = await ended(client, answer.json["build_id"])
    assert status["outcome"] == "succeeded", status
    return status


def files(repository: Path, status: dict[str, Any]) -> list[str]:
    branch = status["delivered"].rpartition(" ")[2]
    return git(repository, "ls-tree", "--name-only", branch).split()


async def test_a_task_is_taken_back_and_redone(served: Served, repository: Path) -> None:
    place = f"/api/builds/{(await built(served.client, repository))['id']}"
    for name in ("undo", "redo"):
        refused = await served.client.post(f"{place}/{name}", {"task": "a"})
        assert (refused.status, refused.json["code"]) == (409, "illegal-move"), refused.text
        assert refused.json["fix"].startswith("say `with_dependents` to ")
    undone = await served.client.post(f"{place}/undo", {"task": "a", "with_dependents": True})
    assert (undone.status, undone.json["control"]) == (200, "running"), undone.text
    status = await ended(served.client, place.rpartition("/")[2])
    assert (status["outcome"], status["counts"]) == ("succeeded", {"skipped": 2})
    assert files(repository, status) == ["README.md"]
    nothing = await served.client.post(f"{place}/resume", {})
    assert (nothing.status, nothing.json["fix"]) == (
        409,
        f"add a task with POST {place}/task, or have one done again with POST {place}/redo with a `task`",
    )
    redone = await served.client.post(f"{place}/redo", {"task": "a", "message": "shorter", "from_attempt": 1})
    assert redone.status == 200, redone.text
    status = await ended(served.client, place.rpartition("/")[2])
    assert (status["counts"], status["tasks"][0]["attempt"]) == ({"done": 1, "skipped": 1}, 2)
    assert files(repository, status) == ["README.md", "a.txt"]
    for body, code in (({"task": "nix"}, 404), ({}, 422), ({"task": "b", "other": 1}, 422)):
        for name in ("undo", "redo"):
            refused = await served.client.post(f"{place}/{name}", body)
            assert refused.status == code, (name, body, refused.text)
    assert (await served.client.post(f"{place}/redo", {"task": "a", "from_attempt": 7})).status == 404
    other = await served.user("other")
    assert (await other.post(f"{place}/undo", {"task": "a"})).status == 403


async def test_a_build_is_put_on_another_base(served: Served, repository: Path) -> None:
    before = await built(served.client, repository)
    place = f"/api/builds/{before['id']}/resume"
    same = await served.client.post(place, {"rebase": True})
    assert (same.status, same.json["fix"]) == (409, "resume without another base")
    (repository / "base.txt").write_text("newer\n", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Newer")
    barred = await served.client.post(place, {"rebase": True})
    assert barred.status == 409, barred.text
    assert "a branch only grows" in barred.json["detail"]
    moved = await served.client.post(place, {"rebase": True, "options": {"branch": "again"}})
    assert moved.status == 200, moved.text
    status = await ended(served.client, before["id"])
    assert status["outcome"] == "succeeded", status
    assert files(repository, status) == ["README.md", "a.txt", "b.txt", "base.txt"]
    assert [task["attempt"] for task in status["tasks"]] == [1, 1]
    git(repository, "branch", "older", "main~1")
    back = await served.client.post(place, {"base": "older", "options": {"branch": "back"}})
    assert back.status == 200, back.text
    status = await ended(served.client, before["id"])
    assert files(repository, status) == ["README.md", "a.txt", "b.txt"]
    assert (await served.client.post(place, {"base": "no-such-branch"})).status in {404, 422}
