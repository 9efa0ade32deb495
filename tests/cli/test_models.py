"""`--model auto`, `[models]` and fallbacks as a user meets them: real builds against a server that plays the providers."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buildwright.gateway.model_list import keep_list
from buildwright.gateway.upstream import Provider as ModelProvider
from tests.cli.conftest import Ended, Program, write_tasks
from tests.cli.test_remote import serving
from tests.gateway.provider import Provider, anthropic_stream, openai_stream, running_provider

SMALL, MIDDLE, LARGE, SPARE = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5", "qwen-house"
BUSY = (529, {"retry-after": "0"}, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
USER_FILE = f"""
[models]
fallback = ["house"]
small = {{ model = "{SMALL}", context = 200000 }}
middle = "{MIDDLE}"
large = {{ model = "{LARGE}", price = [1, 2.5], context = 900000 }}
house = {{ model = "{SPARE}", provider = "openai", price = [0.5, 1] }}
"""


def writes(path: str, text: str = "done") -> str:
    return f"=== FILE: {path} ===\n{text}\n=== END FILE ===\n"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as running:
        yield running


def write_options(program: Program, text: str) -> None:
    """Make this the user's own file of options."""
    folder = program.home.parent / "config" / "buildwright"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text)
    program.environment["XDG_CONFIG_HOME"] = str(folder.parent)


async def build(program: Program, provider: Provider, tasks: Path, repository: Path, *words: str) -> Ended:
    program.patience = 300
    program.environment |= provider.environment()
    write_options(program, USER_FILE)
    more = ("--sandbox", "none", "--check", "build:ok=test ! -e bad.txt", "--json", *words)
    return await asyncio.to_thread(lambda: program("build", tasks, "--repo", repository, *more))


def chosen(ended: Ended) -> list[tuple[Any, ...]]:
    assert ended.lines, ended.err
    names = ("task", "attempt", "name", "kind", "before")
    found = [line for line in ended.lines if line.get("type") == "model.chosen"]
    return [tuple(line.get(name, "") for name in names) for line in found]


async def test_auto_chooses_by_complexity_and_goes_up_after_a_refused_attempt(
    program: Program, provider: Provider, repository: Path, tmp_path: Path
) -> None:
    many = [f"{letter}.py" for letter in "bcdefgh"]  # 22 * log2(8) - 6 = 60: complex
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "Fix a typo", "goal": "Small.", "files_expected": ["a.py"]},
        {"id": "b", "title": "Greet", "goal": "Wide.", "files_expected": many, "depends_on": ["a"]},
    )
    provider.by_model = {
        SMALL: [anthropic_stream(writes("bad.txt"))],
        MIDDLE: [anthropic_stream(writes("a.py", "A = 1") + "=== DELETE: bad.txt ===\n")],
        LARGE: [anthropic_stream(writes("b.py", "B = 1"))],
    }
    ended = await build(program, provider, tasks, repository, "--model", "auto")
    assert ended.code == 0, ended.err + ended.out[-3000:]
    assert provider.asked() == [SMALL, MIDDLE, LARGE]
    assert chosen(ended) == [
        ("a", 1, "small", "complexity", ""),
        ("a", 2, "middle", "failed_attempt", "small"),
        ("b", 1, "large", "complexity", ""),
    ]
    name = str(ended.lines[-1]["id"])
    why = program("why", name, "a").out
    assert f"it asked small ({SMALL}): the task is simple, 0 of 100" in " ".join(why.split())
    assert f"it asked middle ({MIDDLE}): an attempt failed with small" in " ".join(why.split())
    assert "Complexity: simple, 0 of 100: 1 file of code (+16); the title is about a small" in " ".join(why.split())
    assert " large " in program("status", name).out
    (priced,) = [line for line in ended.lines if line.get("type") == "tokens.used" and line["task"] == "b"]
    assert float(priced["cost_usd"]) == pytest.approx((100 * 1 + 7 * 2.5) / 1_000_000)  # the user's own price
    with serving(program) as server:
        url, token = server.environment["BUILDWRIGHT_URL"], server.environment["BUILDWRIGHT_TOKEN"]
        for path, read in (
            (f"/api/builds/{name}", lambda body: {task["id"]: task["model"] for task in body["tasks"]}),
            (
                f"/api/builds/{name}/why/a",
                lambda body: [use["kind"] for one in body["attempts"] for use in one["models"]],
            ),
        ):
            asked = urllib.request.Request(url + path, headers={"Authorization": f"Bearer {token}"})
            with await asyncio.to_thread(urllib.request.urlopen, asked, timeout=60) as answer:
                found = read(json.load(answer))
            assert found in (
                {"a": f"middle ({MIDDLE})", "b": f"large ({LARGE})"},
                ["complexity", "failed_attempt"],
            )


async def test_a_size_that_no_file_names_is_the_usual_model_of_that_size(
    program: Program, provider: Provider, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "Greet", "files_expected": ["a.py"]})
    provider.by_model = {MIDDLE: [anthropic_stream(writes("bad.txt"))], LARGE: [anthropic_stream(writes("a.py"))]}
    program.environment |= provider.environment()
    words = ("--repo", repository, "--sandbox", "none", "--check", "build:ok=test ! -e bad.txt", "--json")

    def built(*more: str) -> Ended:
        return program("build", tasks, *words, "--attempts", "1", *more)

    ended = await asyncio.to_thread(built, "--model", "middle")
    assert (provider.asked(), chosen(ended)) == ([MIDDLE], [("a", 1, "middle", "named", "")]), ended.err
    build_id = str(ended.lines[-1]["id"])
    refused = await asyncio.to_thread(program, "resume", build_id, "--retry", "--model", "large")
    assert "large stands for one of them" in " ".join(refused.err.split())
    assert "name a model, or start a new build with --model large" in " ".join(refused.err.split())
    forked = await asyncio.to_thread(program, "fork", build_id, "--at", "1", "--model", "large", "--json")
    assert (forked.code, provider.asked()) == (0, [MIDDLE, LARGE]), forked.err


async def test_an_overloaded_model_gives_way_to_the_fallback_within_its_attempt(
    program: Program, provider: Provider, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(
        tmp_path / "one.json", {"id": "a", "title": "Greet", "goal": "Small.", "files_expected": ["a.py"]}
    )
    provider.by_model = {MIDDLE: [BUSY], SPARE: [openai_stream(writes("a.py", "A = 1"), usage={"prompt_tokens": 9})]}
    ended = await build(program, provider, tasks, repository, "--model", "middle")
    assert ended.code == 0, ended.err + ended.out[-3000:]
    assert chosen(ended) == [("a", 1, "middle", "named", ""), ("a", 1, "house", "overloaded", "middle")]
    assert provider.asked()[-1] == SPARE
    assert set(provider.asked()[:-1]) == {MIDDLE}
    assert not [line for line in ended.lines if line.get("type") in {"agent.broke", "build.paused"}]


async def test_a_build_pauses_when_no_fallback_is_left_and_asks_all_again_after_a_resume(
    program: Program, provider: Provider, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(
        tmp_path / "one.json", {"id": "a", "title": "Greet", "goal": "Small.", "files_expected": ["a.py"]}
    )
    down = (503, {"retry-after": "0"}, {"error": {"type": "server_error", "message": "down"}})
    provider.by_model = {MIDDLE: [BUSY], SPARE: [down]}
    ended = await build(program, provider, tasks, repository, "--model", "middle")
    assert ended.code == 4, ended.err
    assert [one[2:4] for one in chosen(ended)] == [("middle", "named"), ("house", "overloaded")]
    provider.by_model = {MIDDLE: [anthropic_stream(writes("a.py", "A = 1"))], SPARE: [down]}
    again = await asyncio.to_thread(lambda: program("resume", str(ended.lines[-1]["id"]), "--json"))
    assert (again.code, chosen(again)) == (0, [("a", 1, "middle", "named", "house")]), again.err


@pytest.mark.parametrize(
    "words",
    [
        (
            400,
            {},
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": "prompt is too long: 200001 tokens > 200000 maximum",
                },
            },
        ),
        (
            413,
            {},
            {"type": "error", "error": {"type": "request_too_large", "message": "Request exceeds the maximum size"}},
        ),
    ],
    ids=["tokens", "bytes"],
)
async def test_a_conversation_that_is_too_long_goes_to_the_larger_context(
    program: Program, provider: Provider, repository: Path, tmp_path: Path, words: Any
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "Fix a typo", "files_expected": ["a.py"]})
    provider.by_model = {SMALL: [words], LARGE: [anthropic_stream(writes("a.py", "A = 1"))]}
    ended = await build(program, provider, tasks, repository, "--model", "auto", "--attempts", "1")
    assert ended.code == 0, ended.err + ended.out[-3000:]
    # of the larger contexts the smallest: 900,000 is less than the million of the middle one
    assert chosen(ended) == [("a", 1, "small", "complexity", ""), ("a", 1, "large", "context_length", "small")]


async def test_a_conversation_too_long_for_every_model_is_paid_once_and_pauses_with_a_choice(
    program: Program, provider: Provider, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "Fix a typo", "files_expected": ["a.py"]})
    long: Any = (413, {}, {"type": "error", "error": {"type": "request_too_large", "message": "Request too large"}})
    provider.by_model = {MIDDLE: [long], SPARE: [openai_stream(writes("a.py", "A = 1"), usage={"prompt_tokens": 9})]}
    ended = await build(program, provider, tasks, repository, "--model", "middle")
    assert (ended.code, provider.asked()) == (4, [MIDDLE]), ended.err
    (paused,) = [line for line in ended.lines if line.get("type") == "build.paused"]
    assert (paused["reason"], paused["task"]) == ("failure", "a")
    name = str(ended.lines[-1]["id"])
    assert f"Fix: name a model with a longer context, `buildwright resume {name} --retry --model NAME`" in str(
        paused["message"]
    )
    again = await asyncio.to_thread(lambda: program("resume", name, "--retry", "--model", "house", "--json"))
    assert (again.code, provider.asked()) == (0, [MIDDLE, SPARE]), again.err


async def test_a_refused_key_and_a_rate_limit_switch_to_no_other_model(
    program: Program, provider: Provider, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "Greet", "files_expected": ["a.py"]})
    wrong: Any = (401, {}, {"type": "error", "error": {"type": "authentication_error", "message": "invalid x-api-key"}})
    provider.by_model = {MIDDLE: [wrong]}
    refused = await build(program, provider, tasks, repository, "--model", "middle")
    assert (refused.code, provider.asked()) == (4, [MIDDLE]), refused.err
    assert [one[3] for one in chosen(refused)] == ["named"]

    provider.requests.clear()
    limit: Any = (
        429,
        {"retry-after": "1"},
        {"type": "error", "error": {"type": "rate_limit_error", "message": "Too many"}},
    )
    provider.by_model = {MIDDLE: [limit, anthropic_stream(writes("a.py", "A = 1"))]}
    waited = await build(program, provider, tasks, repository, "--model", "middle", "--new", "--branch", "second")
    assert (waited.code, provider.asked()) == (0, [MIDDLE, MIDDLE]), waited.err
    assert [one[3] for one in chosen(waited)] == ["named"]


def test_the_plan_shows_how_complex_each_task_is(program: Program, tmp_path: Path) -> None:
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "Fix a typo", "files_expected": ["README.md"]},
        {"id": "b", "title": "Greet", "files_expected": [f"{letter}.py" for letter in "abcdefg"]},
    )
    planned = program("plan", tasks, "--json").object["tasks"]
    assert {one["id"]: (one["complexity"]["level"], one["complexity"]["score"]) for one in planned} == {
        "a": ("simple", 0),
        "b": ("complex", 60),
    }
    (tmp_path / "shown.json").write_text(program("plan", tasks, "--json").out)
    shown = program("plan", tmp_path / "shown.json").out
    assert "level" in shown
    assert "complex" in shown


@pytest.mark.parametrize(
    ("project", "user", "told"),
    [
        ("[models]\nsmall = { model = 'claude-haiku-5-5', price = [0, 0] }", "", "cannot say what a model costs"),
        ("[models]\nfallback = ['big']", "", "names 'big', and there is no such model"),
        ("[models]\nsmall = { modell = 'x', model = 'y' }", "", "models.small.modell"),
        ("[models]\nauto = 'claude-haiku-5-5'", "", "auto stands for the choice by complexity"),
        ("", "[models]\nsmall = { model = 'gpt-5.4', provider = 'anthropic' }", "is a name of another provider"),
        ("", "[models]\nsmall = { model = '../x y' }", "models.small: model"),
        ("", "[models]\nsmall = { model = 'x', price = [1] }", "price is not two numbers"),
        ("", "[models]\nsmall = { model = 'x', price = [-1, 1] }", "input_usd"),
    ],
)
def test_what_the_files_cannot_say_is_told(
    program: Program, repository: Path, project: str, user: str, told: str
) -> None:
    (repository / "buildwright.toml").write_text(project)
    write_options(program, user)
    ended = program("config", "--repo", repository)
    assert ended.code == 78, ended.out
    assert told in " ".join(ended.err.split())


def test_the_users_word_for_a_model_goes_before_the_projects(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    (repository / "buildwright.toml").write_text("[models]\nsmall = 'claude-opus-5-5'\nextra = 'claude-opus-5-5'\n")
    write_options(program, "[models]\nsmall = 'claude-haiku-5-5'\n")
    found = program("config", "--repo", repository, "--json").object
    assert {one["name"]: one["model"] for one in found["models"]} == {
        "small": "claude-haiku-5-5",
        "extra": "claude-opus-5-5",
    }
    assert {one["name"]: one["of_project"] for one in found["models"]} == {"small": False, "extra": True}


def test_every_model_that_auto_may_ask_needs_its_key_at_the_start(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "Greet"})
    write_options(program, USER_FILE)
    words = ("--sandbox", "none", "--model", "auto")
    ended = program("build", tasks, "--repo", repository, *words, ANTHROPIC_API_KEY="sk-ant-x")
    assert ended.code == 78, ended.err
    assert f"OPENAI_API_KEY is not set, and openai/{SPARE} needs it" in " ".join(ended.err.split())


def test_a_misspelt_model_is_found_before_the_start(program: Program, repository: Path, tmp_path: Path) -> None:
    key = "sk-ant-api03-of-no-user"
    usual = ModelProvider("anthropic", "https://api.anthropic.com/v1", key)
    keep_list(usual, program.home, frozenset({"claude-house-1"}))
    program.environment |= {"ANTHROPIC_API_KEY": key}
    write_options(program, '[models]\nsmall = "claude-houze-1"\nmiddle = "claude-house-1"\n')
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "Greet"})
    spec = tmp_path / "spec.md"
    spec.write_text("# Greet\n", encoding="utf-8")
    for verb, words, meant in (
        ("build", (tasks, "--model", "claude-sonet-5-5"), "claude-sonnet-5-5"),
        ("build", (tasks, "--model", "claude-house-1", "--review-model", "claude-opuss-5-5"), "claude-opus-5-5"),
        ("build", (tasks, "--model", "auto"), "claude-house-1"),
        ("plan", (spec, "--planner-model", "claude-hause-1"), "claude-house-1"),
    ):
        place = ("--repo", repository, "--sandbox", "none") if verb == "build" else ()
        ended = program(verb, *words, *place)
        assert (ended.code, f"did you mean {meant}?" in ended.err) == (78, True), (words, ended.err)
        assert "Anthropic has no model claude-" in ended.err
    said = program("init", "-m", "it counts", "--model", "claude-haus-1")
    assert (said.code, "did you mean claude-house-1?" in said.err) == (78, True), said.err
    assert program("status", "--all", "--json").object["builds"] == []
