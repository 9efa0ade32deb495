"""What a build has made, over HTTP: the change to be reviewed, comments on it, and files at any event."""

from __future__ import annotations

from pathlib import Path

from tests.api.conftest import SHELL, Served, ended
from tests.api.test_builds import started
from tests.git import git

CHECKS = [{"name": "there", "command": "test -e README.md"}]


async def test_a_review_is_shown_and_answered_by_a_new_task(served: Served, repository: Path) -> None:
    build = await started(served.client, repository=str(repository), options={**SHELL, "checks": CHECKS})
    await ended(served.client, build)
    path = f"/api/builds/{build}"
    view = (await served.client.get(f"{path}/review")).json
    tasks = {
        file["path"]: [one["task"] for hunk in file["hunks"] for one in hunk["purposes"]] for file in view["files"]
    }
    assert tasks == {"a.txt": ["a"], "b.txt": ["b"], "c.txt": ["c"]}
    assert (view["unasked"], view["added"]) == (0, 3)
    one = (await served.client.get(f"{path}/review", params={"task": "b"})).json
    assert [file["path"] for file in one["files"]] == ["b.txt"]
    missing = await served.client.get(f"{path}/review", params={"task": "zzz"})
    assert (missing.status, missing.json["code"]) == (404, "not-found")

    comments = [{"path": "b.txt", "line": 1, "text": "say more", "task": "b"}]
    sent = await served.client.post(f"{path}/review", {"comments": comments, "message": "Nearly"})
    assert (sent.status, set(sent.json)) == (202, {"build_id", "review_id"})
    status = await ended(served.client, build)
    assert (status["outcome"], status["tasks"][-1]["id"], status["tasks"][-1]["phase"]) == (
        "succeeded",
        "review-1",
        "done",
    )
    bad: tuple[dict[str, object], ...] = (
        {"comments": []},
        {"comments": [{"path": "b.txt", "line": 0, "text": "x"}]},
        {},
    )
    for wrong in bad:
        assert (await served.client.post(f"{path}/review", wrong)).status == 422
    nowhere = [{"path": "../../etc/passwd", "line": 1, "text": "x"}]
    refused = await served.client.post(f"{path}/review", {"comments": nowhere})
    assert (refused.status, refused.json["code"]) == (422, "unsafe-path")


async def test_files_are_shown_as_they_were_at_each_event(served: Served, repository: Path) -> None:
    (repository / "big.txt").write_text("x" * 1_000_001, encoding="utf-8")
    (repository / "raw.bin").write_bytes(b"\0\1")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "More")
    options = {
        **SHELL,
        "checks": CHECKS,
        "agent_command": 'echo "x = 1" > "$BUILDWRIGHT_TASK_ID.py"; echo >> README.md',
    }
    build = await started(served.client, repository=str(repository), options=options)
    await ended(served.client, build)
    path = f"/api/builds/{build}"
    now = (await served.client.get(f"{path}/tree")).json
    assert {one["path"]: one["mark"] for one in now["files"]} == {
        "README.md": "changed",
        "a.py": "new",
        "b.py": "new",
        "big.txt": "",
        "c.py": "new",
        "raw.bin": "",
    }
    events = (await served.client.get(f"{path}/events", params={"limit": 500})).json["items"]
    first = next(event["seq"] for event in events if event["type"] == "change.landed")
    then = (await served.client.get(f"{path}/tree", params={"at": first})).json
    assert (then["at"], [one["path"] for one in then["files"]]) == (first, ["README.md", "a.py", "big.txt", "raw.bin"])
    assert (await served.client.get(f"{path}/tree", params={"at": 1})).json["files"] == []
    file = (await served.client.get(f"{path}/file", params={"path": "a.py"})).json
    assert (file["lines"][0][0], file["mark"], file["task"], file["language"]) == (["n", "x"], "new", "a", "python")
    early = await served.client.get(f"{path}/file", params={"path": "a.py", "at": first - 1})
    assert early.status == 404
    for name, said in (("big.txt", "1,000,001 bytes"), ("raw.bin", "binary")):
        shown = (await served.client.get(f"{path}/file", params={"path": name})).json
        assert (shown["lines"], said in shown["note"]) == (None, True)
    assert (await served.client.get(f"{path}/file", params={"path": "../x"})).status == 422
    assert (await served.client.get(f"{path}/file")).status == 422
