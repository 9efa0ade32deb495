"""The audit over HTTP: for the machine's owner, on a real repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.conftest import serving
from tests.audit.repositories import change, project


async def test_the_owner_audits_and_others_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = project(tmp_path / "repository")
    change(repository, {"calc.py": "import requests\n"})
    async with serving(tmp_path) as served:
        wish = {"repository": str(repository), "base": "main", "claimed_files": ["calc.py"], "phase": "Phase 1"}
        answer = await served.client.post("/audit/run", wish)
        assert answer.status == 200, answer.text
        results = {one["code"]: one["result"] for one in answer.json["outcomes"]}
        assert len(results) == 12
        assert results["A1"] == "passed"
        assert results["A9"] == "failed"
        assert results["A8"] == "not run"
        bob = await served.user("bob")
        assert (await bob.post("/audit/run", wish)).status == 403
        assert (await served.client.post("/audit/run", {"repository": "/nowhere/at/all"})).status == 422
        assert not (repository / "evidence").exists()
