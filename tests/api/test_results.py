"""What a build has made, over HTTP: the change to be reviewed, comments on it, and files at any event."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from buildwright.wiring.evidence import verify_file
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


async def test_the_words_and_the_white_space_of_a_change_are_told_apart(served: Served, repository: Path) -> None:
    (repository / "code.py").write_text("if ready:\n    go(1)\nend = 1\n", encoding="utf-8")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Code")
    changed = "printf 'if ready:\\n        go(1)\\nend = 2\\n' > code.py"
    options = {**SHELL, "checks": CHECKS, "agent_command": changed}
    tasks = [{"id": "a", "title": "Change it"}]
    build = await started(served.client, tasks=tasks, repository=str(repository), options=options)
    await ended(served.client, build)
    path = f"/api/builds/{build}/review"
    (hunk,) = (await served.client.get(path)).json["files"][0]["hunks"]
    assert [line["pieces"] for line in hunk["lines"] if line["text"].startswith("end")] == [
        ["end = ", "1"],
        ["end = ", "2"],
    ]
    assert sum(line["kind"] == "added" for line in hunk["lines"]) == 2
    less = (await served.client.get(path, params={"ignore_space": "true"})).json["files"][0]["hunks"][0]
    assert [line["text"] for line in less["lines"] if line["kind"] == "added"] == ["end = 2"]
    assert [one["task"] for one in less["purposes"]] == ["a"]


async def test_files_have_moments_a_base_and_writers_of_lines(served: Served, repository: Path) -> None:
    options = {**SHELL, "checks": CHECKS, "agent_command": 'echo "by $BUILDWRIGHT_TASK_ID" >> README.md'}
    tasks = [
        {"id": "a", "title": "First", "requirements": ["R1"]},
        {"id": "b", "title": "Second", "depends_on": ["a"]},
    ]
    build = await started(served.client, tasks=tasks, repository=str(repository), options=options)
    await ended(served.client, build)
    path = f"/api/builds/{build}"
    moments = (await served.client.get(f"{path}/moments")).json["moments"]
    assert [(one["words"], one["task"]) for one in moments] == [
        ("the base", ""),
        ("First landed", "a"),
        ("Second landed", "b"),
    ]
    file = (await served.client.get(f"{path}/file", params={"path": "README.md"})).json
    last = len(file["lines"])
    assert [(one["first"], one["last"], one["task"], one["agent"]) for one in file["touched"]] == [
        (last - 1, last - 1, "a", "shell"),
        (last, last, "b", "shell"),
    ]
    assert file["touched"][0]["requirements"] == ["R1"]
    then = (await served.client.get(f"{path}/file", params={"path": "README.md", "at": moments[1]["seq"]})).json
    assert [one["task"] for one in then["touched"]] == ["a"]
    base = (await served.client.get(f"{path}/file", params={"path": "README.md", "of": "base"})).json
    assert (len(base["lines"]), base["mark"], base["task"], base["touched"]) == (last - 2, "", "", [])
    assert (await served.client.get(f"{path}/tree", params={"of": "nothing"})).status == 422
    raw = await served.client.get(f"{path}/raw", params={"path": "README.md", "at": moments[1]["seq"]})
    assert raw.text.endswith("by a\n")
    assert (raw.headers["content-disposition"], raw.headers["content-type"]) == (
        "attachment; filename*=UTF-8''README.md",
        "application/octet-stream",
    )
    for wrong, status in (("../x", 422), ("nothing", 404)):
        assert (await served.client.get(f"{path}/raw", params={"path": wrong})).status == status


async def test_an_ended_build_has_figures_instructions_costs_and_evidence_that_holds(
    served: Served, repository: Path, tmp_path: Path
) -> None:
    build = await started(served.client, repository=str(repository), options={**SHELL, "checks": CHECKS})
    await ended(served.client, build)
    path = f"/api/builds/{build}"
    summary = (await served.client.get(f"{path}/summary")).json
    assert (summary["tasks"]["done"], summary["attempts"], summary["delivered"]["kind"]) == (3, 3, "branch")
    steps = (await served.client.get(f"{path}/instructions")).json["steps"]
    assert [step["kind"] for step in steps][:1] == ["take"]
    costs = (await served.client.get(f"{path}/costs")).json
    assert (costs["total"]["requests"], {table["by"] for table in costs["tables"]}) == (
        0,
        {"phase", "task", "model", "agent", "requirement", "result"},
    )
    table = await served.client.get(f"{path}/costs.csv", params={"by": "phase"})
    assert (table.status, table.text.splitlines()[0].split(",")[:2]) == (200, ["key", "requests"])
    assert "attachment" in table.headers["content-disposition"]
    assert (await served.client.get("/api/costs.csv", params={"by": "model"})).status == 200
    async with served.client.session.get(f"{served.address}{path}/evidence") as answer:
        assert answer.headers["content-type"] == "application/zip"
        archive = zipfile.ZipFile(io.BytesIO(await answer.read()))
    archive.extractall(tmp_path / "proof")
    bundle, key = tmp_path / "proof" / f"evidence-{build[:8]}.json", tmp_path / "proof" / "signing.pub.pem"
    evidence, problems = await verify_file(served.site.app.settings, bundle, str(repository), key)
    assert (problems, evidence and evidence.build) == ([], build)


async def test_what_the_project_comes_to_before_any_change_is_told(served: Served, repository: Path) -> None:
    checks = [{"name": "there", "command": "echo 'a.py:3: it is missing'; exit 1"}]
    wanted = {
        "repository": str(repository),
        "tasks": [{"id": "a", "title": "A"}],
        "options": {**SHELL, "checks": checks},
    }
    build = (await served.client.post("/api/builds", wanted)).json["build_id"]
    assert (await ended(served.client, build))["pause"]["reason"] == "base"
    said = (await served.client.get(f"/api/builds/{build}/base")).json
    assert said["answer"].startswith("It does not pass its own checks: ")
    assert any("it is missing" in line for reason in said["reasons"] for line in reason)
