"""Passages of contracts rewritten over HTTP by a played model: shown, never kept, counted, and for nobody else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from buildwright.advisors.instructions import instruction_digests
from tests.api.conftest import Served, serving
from tests.api.test_contracts import made, put
from tests.api.test_projects import get
from tests.api.test_questionnaire import playing, purses

BETTER = {"text": "- The page of a room shows its area."}


def turn(reply: dict[str, Any], **when: Any) -> dict[str, Any]:
    return {"when": {"task": "plan", "tool": "final_result_passage", **when}, "reply": {"json": reply}}


async def ui_line(served: Served, ui: str, words: str) -> int:
    lines = (await get(served.client, ui))["content"].split("\n")
    return 1 + next(at for at, line in enumerate(lines) if words in line)


async def test_a_paragraph_is_rewritten_shown_and_not_kept(tmp_path: Path, kept_in: dict[str, str]) -> None:
    async with playing(tmp_path, [turn(BETTER)]) as provider, serving(tmp_path, **provider, **kept_in) as served:
        ui = f"{await made(served.client)}/ui"
        first = await ui_line(served, ui, "# What people see") + 2
        before = (await get(served.client, ui))["content"]
        wish = {"text": "Say what the page of a room shows.", "first": first}
        answered = await served.client.post(f"{ui}/rewrite", wish, headers={"idempotency-key": "k1"})
        assert answered.status == 200, answered.text
        found = answered.json
        assert (found["version"], found["first"]) == (1, first)
        assert found["instructions"] == instruction_digests()["rewriter"]
        assert f"+{BETTER['text']}" in found["diff"].split("\n")
        assert BETTER["text"] in found["content"].split("\n")
        rest = [line for line in before.split("\n") if line in found["content"].split("\n")]
        assert len(rest) == len(before.split("\n")) - (found["last"] - found["first"] + 1)
        assert (await get(served.client, ui))["content"] == before
        again = await served.client.post(f"{ui}/rewrite", wish, headers={"idempotency-key": "k1"})
        assert (again.json, again.headers["idempotent-replayed"]) == (found, "true")
        saved = await put(served.client, ui, found["content"], f'"{found["version"]}"')
        assert [one["version"] for one in saved.json["contracts"]] == [2]
        assert set(await purses(kept_in.get("DATABASE_URL") or tmp_path / "home" / "buildwright.db")) >= {
            "day",
            "project",
        }


async def test_a_draft_can_be_rewritten_before_it_is_saved(tmp_path: Path, kept_in: dict[str, str]) -> None:
    turns = [turn(BETTER, contains="Draft of mine")]
    async with playing(tmp_path, turns) as provider, serving(tmp_path, **provider, **kept_in) as served:
        ui = f"{await made(served.client)}/ui"
        draft = (await get(served.client, ui))["content"] + "\nDraft of mine\n"
        last = len(draft.split("\n")) - 1
        body = {"text": "better", "first": last, "last": last, "content": draft}
        found = await served.client.post(f"{ui}/rewrite", body)
        assert found.status == 200, found.text
        assert found.json["content"] == draft.replace("Draft of mine", BETTER["text"])


async def test_what_cannot_be_is_refused_and_keeps_nothing(tmp_path: Path, kept_in: dict[str, str]) -> None:
    broken = [turn({"text": "tables: ["}), turn({"text": "tables: ["})]
    async with playing(tmp_path, broken) as provider, serving(tmp_path, **provider, **kept_in) as served:
        contracts = await made(served.client)
        late = await served.client.post(f"{contracts}/ui/rewrite", {"text": "x", "first": 9_999})
        assert (late.status, late.json["code"]) == (422, "refused")
        assert "name lines from 1 to" in late.json["fix"]
        for body in ({"text": " ", "first": 1}, {"text": "x"}, {"text": "x", "first": 0}):
            assert (await served.client.post(f"{contracts}/ui/rewrite", body)).status == 422
        wrong = await served.client.post(f"{contracts}/schema/rewrite", {"text": "break it", "first": 1, "last": 2})
        assert wrong.status == 502, wrong.text
        assert "schema.yaml" in wrong.json["detail"]
        assert [one["version"] for one in (await get(served.client, f"{contracts}/schema/versions"))["items"]] == [1]
