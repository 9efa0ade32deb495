"""A conversation that outgrows its model: it is cut, the build goes on, and the terminal, the journal and the log say so."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Program, write_tasks

WORDS = "thought " * 700
"""About 1,900 tokens by the estimate of three bytes each."""


def test_a_small_context_is_kept_to_and_told(program: Program, repository: Path, tmp_path: Path) -> None:
    """Without the first answer the conversation of the fourth attempt has one message of a person less before its last."""
    tasks = write_tasks(
        tmp_path / "tasks.json", {"id": "a", "title": "Be right", "goal": "g", "files_expected": ["a.txt"]}
    )
    model = tmp_path / "model.yaml"

    def turn(text: str, **when: int) -> dict[str, object]:
        return {"when": {"task": "a", **when}, "reply": {"say": f"{WORDS}\n", "files": {"a.txt": f"{text}\n"}}}

    turns = [turn("right", attempt=4, message=2), *(turn(f"wrong {number}", attempt=number) for number in range(1, 5))]
    model.write_text(json.dumps({"version": 1, "turns": turns}), "utf-8")
    done = program(
        *("build", tasks, "--repo", repository, "--cassette", model, "--sandbox", "none", "--context-tokens", "8000"),
        *("--check", "test:right=grep -qx right a.txt", "--accept-base", "--attempts", "4"),
        *("--loop-after", "9", "--stuck-after", "9"),
    )
    assert done.code == 0, done.err
    assert "its conversation is near the model's limit and was cut from about" in done.err
    journal = program("events", "").lines
    (cut,) = [event for event in journal if event["type"] == "conversation.compacted"]
    assert (cut["task"], cut["attempt"], cut["cut"]) == ("a", 4, 1)
    assert 1_850 < cut["tokens_before"] - cut["tokens_after"] < 1_950
    order = [event["type"] for event in journal if event.get("attempt") == 4]
    assert order.index("conversation.compacted") < order.index("agent.finished")
    assert "the conversation is near the model's limit: 1 older messages were cut" in program("logs", "").out
