"""What a request comes to that is under way when its door is shut: the journal has it, as the purses do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Literal

import aiohttp
import pytest

from buildwright.core.activity import Activity, Finished, Wrote
from buildwright.core.build import Build
from buildwright.core.event import TokensUsed
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.gateway import LocalGateway
from buildwright.ports import Assignment, Builds, Message, ModelEndpoint, PlanRevision, Purse, PurseName
from tests.engine.harness import Site, make_site, tasks
from tests.gateway.provider import Provider, anthropic_stream, running_provider

MODEL = "claude-sonnet-4-5"
INPUT = 100_000
"""Tokens, for 0.30 dollars."""


class Impatient:
    """Asks a model and does not wait for the end of its answer: an agent that writes a file, and a planner.

    With `stays` it goes on with something else, else it is done at once.
    """

    name = "scripted"
    resumes = False
    touches_files = True
    uses_model: Literal["always"] = "always"

    def __init__(self, *, stays: bool = True) -> None:
        self.stays = stays
        self.asking = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._got: aiohttp.ClientResponse | None = None
        """Kept: a connection that nobody holds warns when it is collected."""

    async def _ask(self, door: ModelEndpoint) -> None:
        self._session = aiohttp.ClientSession()
        body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        headers = {"x-api-key": door.token}
        self._got = await self._session.post(f"{door.url}/v1/messages", json=body, headers=headers)
        await self._got.content.readany()
        self.asking.set()
        if self.stays:
            await asyncio.sleep(600)

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        assert assignment.door is not None
        (assignment.lane / "a.txt").write_text("a\n", encoding="utf-8")
        yield Wrote(path="a.txt", size_bytes=2)
        await self._ask(assignment.door)
        yield Finished(ok=True, summary="done")

    async def plan(self, spec: Spec, context: str, model: str, door: ModelEndpoint) -> Graph:
        await self._ask(door)
        return tasks("a")

    async def revise(self, build: Build, context: str, model: str, door: ModelEndpoint) -> PlanRevision:
        raise AssertionError("no spec changes here")

    async def close(self) -> None:
        if self._got is not None:
            self._got.close()
        if self._session is not None:
            await self._session.close()


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Begins its answer, and never ends it."""
    async with running_provider() as running:
        running.script = [[*anthropic_stream("Hello", input_tokens=INPUT)[:3], asyncio.Event()]]
        yield running


async def run_until(end: str, site: Site, asked: Impatient, provider: Provider, home: Path) -> Build:
    """Run the build until its request is being answered, and end it; then look whether the answer is in both books."""
    ledger = getattr(site.builds, "ledger", None)
    gateway = LocalGateway(provider.environment(), home, ledger=ledger)
    running = asyncio.create_task(site.run(gateway=gateway, planner=asked))
    await asyncio.wait({running, asyncio.ensure_future(asked.asking.wait())}, return_when=asyncio.FIRST_COMPLETED)
    if end == "stop":
        await commands.ask(site.builds, site.clock, site.build_id, commands.StopBuild())
    elif end == "detach":
        site.detach.set()
    await running
    await gateway.close()
    await asked.close()
    build = await site.builds.load(site.build_id)
    used = [one.event for one in await site.builds.read(site.build_id) if isinstance(one.event, TokensUsed)]
    assert [(one.model[: len(MODEL)], one.input_tokens) for one in used] == [(MODEL, INPUT)]
    assert build.usage.cost_usd > Decimal("0.3")
    if ledger is not None:
        purse = Purse(PurseName("day", "u", f"{build.updated_at:%Y-%m-%d}"))
        assert await ledger.settle("look", [purse], Decimal(0)) == (build.usage.cost_usd,)
    return build


@pytest.mark.parametrize("end", ["itself", "stop", "detach"])
async def test_an_answer_that_an_agent_did_not_wait_for_is_in_the_journal(
    tmp_path: Path, builds: Builds, provider: Provider, end: str
) -> None:
    site, agent = make_site(tmp_path, builds), Impatient(stays=end != "itself")
    site.agent = agent  # type: ignore[assignment]
    await site.start(tasks("a"), gates=False)
    build = await run_until(end, site, agent, provider, tmp_path)
    assert build.outcome == {"itself": "succeeded", "stop": "stopped", "detach": None}[end]


@pytest.mark.parametrize("end", ["itself", "stop", "detach"])
async def test_an_answer_that_a_planner_did_not_wait_for_is_in_the_journal(
    tmp_path: Path, builds: Builds, provider: Provider, end: str
) -> None:
    site, planner = make_site(tmp_path, builds), Impatient(stays=end != "itself")
    options = Options(agent="scripted", sandbox="none", gates=False, model=MODEL)
    new = commands.NewBuild(Spec(title="t", text="words"), options, str(site.repository), "", "p", "u")
    site.build_id = await commands.create(builds, site.clock, new)
    build = await run_until(end, site, planner, provider, tmp_path)
    assert build.outcome == {"itself": "succeeded", "stop": "stopped", "detach": None}[end]
