"""A pause whose end a provider named: the build goes on by itself then, whoever runs it, and nobody aborts it before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import aiohttp
import pytest

from buildwright.core import event as e
from buildwright.core.activity import Activity, Finished, Wrote
from buildwright.core.build import Build
from buildwright.core.decide import timed_fact
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits, Options
from buildwright.core.spec import Spec
from buildwright.engine import commands
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import ModelFailed
from buildwright.gateway import LocalGateway
from buildwright.ports import Assignment, Builds, Message, ModelEndpoint, PlanRevision
from tests.engine.harness import Site, make_site, tasks
from tests.gateway.provider import Provider, anthropic_stream, running_provider

MODEL = "claude-sonnet-4-5"
TOO_MANY = {"type": "error", "error": {"type": "rate_limit_error", "message": "too many requests"}}


class AsksOnce:
    """An agent, and a planner, that gives up where the gateway would have it wait: at once, or after some seconds."""

    name = "scripted"
    resumes = False
    touches_files = True
    uses_model: Literal["always"] = "always"

    def __init__(self, gives_up_after: float = 0.0) -> None:
        self._seconds = gives_up_after

    async def _answered(self, door: ModelEndpoint) -> bool:
        body = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "stream": True}
        headers = {"x-api-key": door.token, "x-hold-seconds": "0"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{door.url}/v1/messages", json=body, headers=headers) as got,
        ):
            await got.read()
            if got.status == 429:
                await asyncio.sleep(self._seconds)
            return got.status == 200

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        assert assignment.door is not None
        if not await self._answered(assignment.door):
            yield Finished(ok=False, failure="rate_limit", summary="too many")
            return
        (assignment.lane / "a.txt").write_text("a\n", encoding="utf-8")
        yield Wrote(path="a.txt", size_bytes=2)
        yield Finished(ok=True, summary="done")

    async def plan(self, spec: Spec, context: str, model: str, door: ModelEndpoint) -> Graph:
        if not await self._answered(door):
            raise ModelFailed("no plan came", kind="rate_limit")
        return tasks("a")

    async def revise(self, build: Build, context: str, model: str, door: ModelEndpoint) -> PlanRevision:
        raise AssertionError("no spec changes here")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """Refuses once, for two seconds, and answers from then on."""
    async with running_provider() as running:
        running.script = [(429, {"retry-after": "2"}, TOO_MANY), anthropic_stream("yes")]
        yield running


async def begun(site: Site, *, planned: bool) -> None:
    # Shorter than the provider's limit: a build that waits for a person would be given up.
    options = Options(agent="scripted", sandbox="none", gates=False, model=MODEL, limits=Limits(pause_seconds=0.5))
    spec = Spec(title="t", text="words", graph=None if planned else tasks("a"))
    new = commands.NewBuild(spec, options, str(site.repository), "", "p", "u")
    site.build_id = await commands.create(site.builds, site.clock, new)


@pytest.mark.parametrize("asks", ["agent", "planner"])
@pytest.mark.parametrize("over", [False, True])
async def test_it_goes_on_at_the_time_that_the_provider_named(
    tmp_path: Path, builds: Builds, provider: Provider, asks: str, over: bool
) -> None:
    """Whether that is to come, or is past when the attempt gives up."""
    site, one = make_site(tmp_path, builds), AsksOnce(3.0 if over else 0.0)
    site.agent = one  # type: ignore[assignment]
    gateway = LocalGateway(provider.environment(), tmp_path, ledger=getattr(builds, "ledger", None))
    await begun(site, planned=asks == "planner")
    build = await site.run(gateway=gateway, planner=one)
    await gateway.close()
    assert build.outcome == "succeeded", build.message
    assert build.task("a").attempt == 1, "a limit of the provider uses up no attempt"
    journal = await builds.read(site.build_id)
    paused, resumed = (
        [one for one in journal if isinstance(one.event, kind)] for kind in (e.BuildPaused, e.BuildResumed)
    )
    assert [one.event.reason for one in paused if isinstance(one.event, e.BuildPaused)] == ["trouble"]
    assert [one.event.by for one in resumed if isinstance(one.event, e.BuildResumed)] == ["clock"]
    (until,) = (one.event.until for one in paused if isinstance(one.event, e.BuildPaused))
    assert until is not None
    assert until <= paused[0].at or not over
    assert resumed[0].at >= until - timedelta(seconds=0.1)  # the loop's clock and that of the day


async def test_one_that_nobody_ran_meanwhile_goes_on_when_somebody_does(
    tmp_path: Path, builds: Builds, provider: Provider
) -> None:
    site = make_site(tmp_path, builds)
    site.agent = AsksOnce()  # type: ignore[assignment]
    gateway = LocalGateway(provider.environment(), tmp_path, ledger=getattr(builds, "ledger", None))
    await begun(site, planned=False)
    running = asyncio.create_task(site.run(gateway=gateway))
    while (await builds.load(site.build_id)).pause is None:
        assert not running.done()
        await asyncio.sleep(0.02)
    site.detach.set()
    pause = (await running).pause
    assert pause is not None
    assert pause.until is not None
    while datetime.now(UTC) < pause.until:
        await asyncio.sleep(0.1)
    site.detach = asyncio.Event()
    assert (await site.run(gateway=gateway)).outcome == "succeeded"
    await gateway.close()


async def test_a_person_may_be_faster_than_the_clock(tmp_path: Path, builds: Builds) -> None:
    site = make_site(tmp_path, builds)
    await begun(site, planned=False)
    at = datetime.now(UTC) + timedelta(hours=1)
    pause = e.BuildPaused(reason="trouble", message="too many", fault="provider", until=at)
    await builds.append(site.build_id, 1, [pause], datetime.now(UTC))
    build = await builds.load(site.build_id)
    assert not build.waits_for_user
    timed = timed_fact(build)
    assert timed is not None
    assert (timed.fact, round(timed.seconds)) == (e.BuildResumed(by="clock"), 3600)
    build = (await commands.ask(builds, site.clock, site.build_id, ResumeBuild())).build
    assert build.pause is None
    assert timed_fact(build) is None
    assert (await site.run()).outcome == "succeeded"
