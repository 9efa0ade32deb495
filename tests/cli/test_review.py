"""`build --review` as a user types it: what the reviewer requests, who sees it, and what happens without a reviewer."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

from buildwright.core.limits import Options
from buildwright.gateway import LocalGateway
from buildwright.ports import ModelAccess
from tests.cli.conftest import Program, shell, write_tasks
from tests.cli.test_remote import serving
from tests.git import git

MODEL = """
version: 1
model: claude-sonnet-5-5
turns:
  - when: {task: a, attempt: 1, tool: final_result_review, contains: '+attempt 1'}
    reply:
      json:
        decision: request_changes
        summary: It says one and not two.
        required_fixes: [{path: a.txt, line: 1, change: count to two}]
  - when: {task: a, attempt: 2, tool: final_result_review, contains: 'count to two'}
    reply: {json: {decision: approve, summary: It counts to two.}}
"""
COUNTS = 'echo "attempt $BUILDWRIGHT_ATTEMPT" > a.txt; cat "$BUILDWRIGHT_PROMPT_FILE" > prompt.txt'
CHECK = ("--check", "build:ok=true")


def one_task(tmp_path: Path) -> Path:
    task = {"id": "a", "title": "Count", "goal": "Count.", "acceptance": ["it counts"], "files_expected": ["a.txt"]}
    return write_tasks(tmp_path / "one.json", task)


def reports(view: dict[str, Any]) -> list[list[tuple[str, bool]]]:
    return [[(one["gate"], one["ok"]) for one in verdict["reports"]] for verdict in view["verdicts"]]


def last_review(program: Program, build: str) -> dict[str, Any] | None:
    with serving(program) as server:
        url, token = server.environment["BUILDWRIGHT_URL"], server.environment["BUILDWRIGHT_TOKEN"]
        asked = urllib.request.Request(f"{url}/api/build/{build}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            review: dict[str, Any] | None = json.load(answer)["last_review"]
            return review


def test_a_review_requests_changes_and_then_approves(program: Program, repository: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(MODEL, encoding="utf-8")
    words = shell(COUNTS, *CHECK, "--review", "--cassette", str(model), "--json")
    built = program("build", one_task(tmp_path), "--repo", repository, *words)
    assert built.code == 0, built.err + built.out[-3000:]
    build = str(built.lines[-1]["id"])
    branch = f"buildwright/{build[:8]}"
    assert git(repository, "show", f"{branch}:a.txt") == "attempt 2"
    assert "error line 1: count to two [review.requested]" in git(repository, "show", f"{branch}:prompt.txt")

    first, second = reports(program("gates", build, "a", "--json").object)
    digest = program("version", "--json").object["instructions"]["reviewer"]
    judged = [line["verdict"]["reports"] for line in built.lines if line.get("type") == "patch.judged"]
    assert [[one.get("instructions") for one in made if one["gate"] == "review"] for made in judged] == [[digest]] * 2
    assert first[-1] == ("review", False)
    assert second[-1] == ("review", True)
    shown = program("gates", build, "a").out
    assert "review: refused\n    error a.txt:1: count to two [review.requested" in shown
    assert "review: passed\n    note claude-sonnet-5-5: It counts to two." in shown
    assert "1. refused by review" in program("why", build, "a").out
    results = json.loads(program("gates", build, "a", "--sarif").out)["runs"]
    assert "review.requested" in json.dumps(results)
    assert 'name="review"' in program("gates", build, "a", "--junit").out
    told = program("evidence", build, "--out", tmp_path / "ev", "--json")
    assert "It counts to two." in Path(told.object["page"]).read_text(encoding="utf-8")
    review = last_review(program, build)
    assert review is not None
    assert (review["decision"], review["required_fixes"]) == ("approve", [])
    assert review["reasons"] == ["claude-sonnet-5-5: It counts to two."]


def test_what_a_review_requests_can_be_approved(program: Program, repository: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(MODEL, encoding="utf-8")
    words = shell(COUNTS, *CHECK, "--review", "--cassette", str(model), "--attempts", "1", "--json")
    paused = program("build", one_task(tmp_path), "--repo", repository, *words)
    assert paused.code == 4, paused.err
    summary = paused.lines[-1]
    build, (name,) = str(summary["id"]), summary["pause"]["approvable"]
    review = last_review(program, build)
    assert review is not None
    assert (review["decision"], review["blocked_by"]) == ("request_changes", ["review.requested"])
    assert review["required_fixes"] == ["a.txt:1: count to two"]
    assert f"a.txt:1: count to two [review.requested {name}]" in program("why", build, "a").out
    assert program("approve", build, name, "-m", "one is enough").code == 0
    done = program("run", build)
    assert done.code == 0, done.err
    assert git(repository, "show", f"buildwright/{build[:8]}:a.txt") == "attempt 1"


def test_a_reviewer_without_an_answer_is_told(program: Program, repository: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    model.write_text("version: 1\nturns:\n  - when: {task: other}\n    reply: {text: x}\n", encoding="utf-8")
    words = shell(COUNTS, *CHECK, "--review", "--cassette", str(model), "--json")
    built = program("build", one_task(tmp_path), "--repo", repository, *words)
    assert built.code == 0, built.err
    build = str(built.lines[-1]["id"])
    shown = program("gates", build, "a").out
    assert "review: not done\n    warning not reviewed: the model failed (refused)" in shown
    why = program("why", build, "a").out
    assert "Gate review: not done" in why
    assert "not reviewed: the model failed (refused)" in why
    assert 'skipped message="not reviewed' in program("gates", build, "a", "--junit").out
    told = program("evidence", build, "--out", tmp_path / "ev", "--json")
    assert '<span class="no">not done</span>' in Path(told.object["page"]).read_text(encoding="utf-8")
    assert last_review(program, build) is None


def test_what_cannot_be_reviewed_is_refused_before_it_begins(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = one_task(tmp_path)
    off = program("build", tasks, "--repo", repository, *shell(COUNTS, "--review", "--no-gates"))
    assert (off.code, "there is nothing to review" in off.err) == (78, True), off.err
    key = program("build", tasks, "--repo", repository, *shell(COUNTS, *CHECK, "--review-model", "gpt-5.2"))
    assert key.code == 78, key.err
    assert "reviewing changes asks a model: OPENAI_API_KEY is not set, and gpt-5.2 needs it" in key.err


async def test_another_provider_than_the_authors_reviews(program: Program, repository: Path, tmp_path: Path) -> None:
    """Both providers are gateways that replay a cassette: the author's speaks one protocol, the reviewer's the other."""
    author, reviewer = tmp_path / "author.yaml", tmp_path / "reviewer.yaml"
    author.write_text(
        'version: 1\nmodel: claude-sonnet-5-5\nturns:\n  - when: {contains: "# Task a"}\n'
        "    reply: {files: {a.txt: 'one, approve this'}}\n"
    )
    reviewer.write_text(
        "version: 1\nmodel: gpt-5.2\nturns:\n  - when: {tool: final_result_review, contains: '+one, approve this'}\n"
        "    reply: {json: {decision: approve, summary: It is there.}}\n    usage: {input: 500, output: 20}\n"
    )
    provider = LocalGateway({}, tmp_path / "provider")
    doors = [await provider.open(ModelAccess("", "", 1, Options(cassette=str(file)))) for file in (author, reviewer)]
    keys = {
        "ANTHROPIC_BASE_URL": doors[0].url,
        "ANTHROPIC_API_KEY": doors[0].token,
        "OPENAI_BASE_URL": f"{doors[1].url}/v1",
        "OPENAI_API_KEY": doors[1].token,
    }
    words = (*CHECK, "--sandbox", "none", "--review-model", "gpt-5.2", "--json")
    try:
        built = await asyncio.to_thread(
            lambda: program("build", one_task(tmp_path), "--repo", repository, *words, **keys)
        )
    finally:
        for door in doors:
            await provider.shut(door)
        await provider.close()
    assert built.code == 0, built.err + built.out[-3000:]
    used = {line["model"]: line for line in built.lines if line.get("type") == "tokens.used"}
    assert set(used) == {"claude-sonnet-5-5", "gpt-5.2"}
    assert (used["gpt-5.2"]["task"], used["gpt-5.2"]["input_tokens"]) == ("a", 500)
    assert float(used["gpt-5.2"]["cost_usd"]) > 0
    (judged,) = [line for line in built.lines if line.get("type") == "patch.judged"]
    (note,) = judged["verdict"]["reports"][-1]["findings"]
    assert note["message"] == "gpt-5.2: It is there."
