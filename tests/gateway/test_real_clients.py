"""Real programs against a cassette: pydantic-ai's models of both protocols, and Claude Code through its SDK."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from anthropic import AsyncAnthropic
from claude_agent_sdk import ClaudeAgentOptions, ResultMessage, query
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from buildwright.core.limits import Options
from buildwright.gateway import LocalGateway
from buildwright.ports import ModelAccess, ModelEndpoint

PLAN = """
version: 1
model: claude-sonnet-5-5
turns:
  - when: {task: plan, contains: bad first, turn: 0}
    reply: {json: {tasks: 7}}
  - when: {task: plan}
    reply:
      json: {tasks: [core, api]}
    usage: {input: 1000, output: 50, cache_read: 400}
  - when: {task: T1}
    reply: {text: "Once upon a time there was a test."}
    faults: [{kind: 529, times: 1}]
"""


class Plan(BaseModel):
    tasks: list[str]


@asynccontextmanager
async def model_for(kind: str, door: ModelEndpoint) -> AsyncIterator[Model]:
    # Clients of our own, for pydantic-ai leaves those it makes to the garbage collector.
    if kind == "anthropic":
        async with AsyncAnthropic(api_key=door.token, base_url=door.url) as client:
            yield AnthropicModel("claude-sonnet-5-5", provider=AnthropicProvider(anthropic_client=client))
    else:
        async with AsyncOpenAI(api_key=door.token, base_url=f"{door.url}/v1") as other:
            yield OpenAIChatModel("gpt-5", provider=OpenAIProvider(openai_client=other))


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    file = tmp_path / "plan.yaml"
    file.write_text(PLAN)
    return file


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
@pytest.mark.parametrize("prompt", ["make a plan", "bad first"])
async def test_pydantic_ai_gets_structured_output(
    replaying: LocalGateway, cassette: Path, kind: str, prompt: str
) -> None:
    door = await replaying.open(ModelAccess("b1", "", 1, Options(cassette=str(cassette))))
    async with model_for(kind, door) as model:
        result = await Agent(model, output_type=Plan, retries=2).run(prompt)
    assert result.output == Plan(tasks=["core", "api"])
    spends = replaying.metered(door)
    assert len(spends) == (2 if prompt == "bad first" else 1)
    assert spends[-1].output_tokens == 50
    assert (spends[-1].input_tokens, spends[-1].cache_read_tokens) == (1000, 400)


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
async def test_pydantic_ai_streams_after_a_scripted_overload(
    replaying: LocalGateway, cassette: Path, kind: str
) -> None:
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(cassette))))
    async with model_for(kind, door) as model, Agent(model).run_stream("tell") as result:
        pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
    assert "".join(pieces) == "Once upon a time there was a test."
    assert len(replaying.metered(door)) == 1


async def test_claude_code_writes_overwrites_and_deletes_files(replaying: LocalGateway, tmp_path: Path) -> None:
    lane, home = tmp_path / "lane", tmp_path / "home"
    lane.mkdir()
    home.mkdir()
    (lane / "old.py").write_text("before = 1\n")
    (lane / "empty.py").touch()
    (lane / "big.txt").write_text("a line of a large file\n" * 30_000)
    (lane / "gone file.txt").write_text("x\n")
    file = tmp_path / "files.yaml"
    file.write_text(
        "version: 1\nmodel: claude-sonnet-5-5\nturns:\n"
        "  - when: {task: T1}\n"
        "    reply:\n"
        "      say: I write two files.\n"
        "      files:\n"
        "        old.py: |\n          after = 2\n"
        "        empty.py: |\n          filled = 3\n"
        "        big.txt: |\n          small\n"
        "        pkg/new.py: |\n          VALUE = '${LANE} stays'\n"
        "      delete: [gone file.txt]\n"
        "    usage: {input: 100, output: 20}\n"
    )
    door = await replaying.open(ModelAccess("b1", "T1", 1, Options(cassette=str(file)), lane))
    options = ClaudeAgentOptions(
        cwd=lane,
        model="claude-sonnet-5-5",
        permission_mode="acceptEdits",
        max_buffer_size=64 * 1024 * 1024,  # The CLI repeats whole files in one message.
        allowed_tools=["Bash", "Read", "Write"],
        env={
            "ANTHROPIC_BASE_URL": door.url,
            "ANTHROPIC_API_KEY": door.token,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "1",
            "HOME": str(home),
            "CLAUDE_CONFIG_DIR": str(home / ".claude"),
        },
    )
    messages = [message async for message in query(prompt="Do task T1.", options=options)]
    (result,) = [message for message in messages if isinstance(message, ResultMessage)]
    assert (result.is_error, result.result) == (False, "Done.")
    assert (lane / "old.py").read_text() == "after = 2\n"
    assert (lane / "empty.py").read_text() == "filled = 3\n"
    assert (lane / "big.txt").read_text() == "small\n"
    assert (lane / "pkg/new.py").read_text() == "VALUE = '${LANE} stays'\n"
    assert not (lane / "gone file.txt").exists()
    spends = replaying.metered(door)
    assert [spend.input_tokens for spend in spends] == [100, 100, 100]
    assert sum(float(spend.cost_usd or 0) for spend in spends) == pytest.approx(result.total_cost_usd)
