"""Sealed tests in whole builds: written before the agent starts, kept from it, and what they refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from buildwright.core import event as e
from buildwright.core.activity import Activity
from buildwright.core.build import Build
from buildwright.core.graph import Graph
from buildwright.core.limits import Limits
from buildwright.core.sealed import Language, SealedFile, SealedTests
from buildwright.core.task import Task
from buildwright.engine import commands
from buildwright.engine.sealing import MOST_FILES, relevant
from buildwright.errors import ModelFailed
from buildwright.gates.acceptance import AcceptanceGate
from buildwright.gates.checks import ChecksGate
from buildwright.gates.sealed import SealedGate, SealedRunner
from buildwright.gateway import LocalGateway
from buildwright.ports import Assignment, Builds, Gate, GateTools, Message, ModelEndpoint
from buildwright.sandbox import NoSandbox
from tests.adapters.scripted_agent import ScriptedAgent, Write
from tests.engine.harness import ONE_PROCESS, Script, Site, make_site
from tests.gates.projects import PATH

TOOLS = GateTools(NoSandbox(), PATH)
LINE = "spread([4, 9, 1]) is 8"
SECRET = "7919"
"""A number that stands in the sealed tests and nowhere else."""
BASE = {
    "stats.py": "def total(values):\n    return sum(values)\n",
    "test_stats.py": "from stats import total\n\n\ndef test_total():\n    assert total([1, 2]) == 3\n",
}
TESTS = f"""
def test_apart():
    from stats import spread
    assert spread([{SECRET}, 12]) == 7907


def test_alone():
    from stats import spread
    assert spread([{SECRET}]) == 0


def test_before():
    from stats import total
    assert total([{SECRET}]) == {SECRET}
"""
SEEN = "from stats import spread\n\n\ndef test_spread():\n    assert spread([4, 9, 1]) == 8\n"
HONEST = [
    Write("stats.py", BASE["stats.py"] + "\n\ndef spread(values):\n    return max(values) - min(values)\n"),
    Write("test_spread.py", SEEN),
]
LIE = [
    Write("stats.py", BASE["stats.py"] + "\n\ndef spread(values):\n    return len(values) * 3 - 1\n"),
    Write("test_spread.py", SEEN),
]
"""It passes every test that can be seen, and the question of the acceptance line."""


class ScriptedSealer:
    """Gives its answers one after the other, the last for ever; an exception is raised. `told` keeps what it was asked."""

    def __init__(self, *answers: SealedTests | Exception, before: Callable[[], Any] | None = None) -> None:
        self._answers = list(answers)
        self._before = before
        self.told: list[str] = []
        self.models: list[str] = []

    async def seal(
        self, context: str, lines: Sequence[str], languages: Sequence[Language], model: str, door: ModelEndpoint
    ) -> SealedTests:
        assert (tuple(lines), tuple(languages)) == ((LINE,), ("python",))
        self.told.append(context)
        self.models.append(model)
        if self._before is not None:
            await self._before()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class LookingAgent:
    """A scripted agent that first reads all that it can reach: prompt, feedback, lane and home."""

    name = "scripted"
    resumes = False
    touches_files = True
    uses_model: Literal["always", "if given", "never"] = "never"

    def __init__(self, script: Script) -> None:
        self._inner = ScriptedAgent(script)
        self.seen: list[str] = []
        self.assignments = self._inner.assignments

    async def run(self, assignment: Assignment, inbox: asyncio.Queue[Message]) -> AsyncIterator[Activity]:
        """Look around, then play the script."""
        self.seen += [assignment.prompt, assignment.feedback]
        for folder in (assignment.lane, assignment.home):
            self.seen += [
                f"{path} {path.read_bytes().decode(errors='replace')}" for path in folder.rglob("*") if path.is_file()
            ]
        async for activity in self._inner.run(assignment, inbox):
            yield activity


def written(text: str = TESTS) -> SealedTests:
    return SealedTests(files=(SealedFile(line=LINE, language="python", text=text),))


GRAPH = Graph(tasks=(Task(id="a", title="add spread", goal="add spread to stats.py", acceptance=(LINE,)),))


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LocalGateway]:
    opened = LocalGateway(
        {"ANTHROPIC_API_KEY": "test-key-of-nobody", "OPENAI_API_KEY": "nor-this-one"}, tmp_path / "gateway"
    )
    yield opened
    await opened.close()


def site_of(tmp_path: Path, builds: Builds, script: Script, *before: Gate) -> Site:
    """Make a site whose changes are judged by the gates `before`, then by the sealed tests."""
    return make_site(tmp_path, builds, script, [*before, SealedGate(TOOLS)], BASE)


async def build_with(
    site: Site, sealer: ScriptedSealer, gateway: LocalGateway | None, agent: LookingAgent | None = None
) -> Build:
    async def brief(request: Any) -> Any:
        from buildwright.agents.briefing import brief_attempt

        return await brief_attempt(request, site.workspace)

    more = {"agent": agent} if agent is not None else {}
    return await site.run(sealer=sealer, sealed_trial=SealedRunner(TOOLS), gateway=gateway, brief=brief, **more)


def sealings(site: Site) -> list[e.TestsSealed]:
    return [recorded.event for recorded in site.journal if isinstance(recorded.event, e.TestsSealed)]


@ONE_PROCESS
async def test_a_lie_that_passes_all_it_can_see_is_refused_and_the_honest_change_lands(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    script: Script = {("a", 1): LIE, ("a", 2): HONEST}
    site = site_of(tmp_path, builds, script, ChecksGate(TOOLS), AcceptanceGate(TOOLS))
    sealer, agent = ScriptedSealer(written()), LookingAgent(script)
    await site.start(GRAPH, sealed_tests=True, sealed_model="gpt-5.2", accept_base=True)
    build = await build_with(site, sealer, gateway, agent)
    assert build.outcome == "succeeded"
    assert "max(values)" in site.files()["stats.py"]
    kinds = site.kinds()
    assert kinds.count("tests.sealed") == 1, "sealed once for all attempts"
    assert kinds.index("task.started") < kinds.index("tests.sealed") < kinds.index("agent.finished")
    (sealing,) = sealings(site)
    assert (sealing.files, sealing.tests) == (1, 2)
    assert [reason for reason in sealing.dropped if "test_before passes before any change" in reason]
    assert SECRET in (await builds.get_artifact(sealing.artifact)).decode()
    verdicts = [recorded.event.verdict for recorded in site.journal if isinstance(recorded.event, e.PatchJudged)]
    (refusal,) = verdicts[0].findings
    assert refusal.code == "sealed.failed"
    assert "2 of 2 sealed tests fail" in refusal.message
    assert [report.gate for report in verdicts[0].reports if not report.ok] == ["sealed"]
    assert verdicts[1].ok
    assert sealer.models == ["gpt-5.2"]
    assert "def total" in sealer.told[0], "the base is shown"
    assert "def spread" not in sealer.told[0], "the change is not"


@pytest.mark.parametrize("builds", ["sqlite"], indirect=True)
async def test_the_sealed_tests_are_in_no_prompt_no_lane_and_no_log(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    script: Script = {("a", 1): LIE, ("a", 2): LIE[:1], ("a", 3): HONEST}
    site, sealer, agent = site_of(tmp_path, builds, script), ScriptedSealer(written()), LookingAgent(script)
    await site.start(GRAPH, sealed_tests=True, accept_base=True)
    await build_with(site, sealer, gateway, agent)
    assert len(agent.assignments) >= 2
    assert any("sealed tests fail" in text for text in agent.seen), "the result is told"
    assert not [text for text in agent.seen if SECRET in text or "test_apart" in text or "7907" in text]
    log = await builds.read_log(site.build_id, limit=10_000)
    assert not [line.text for line in log if SECRET in line.text or "test_apart" in line.text]
    assert not [text for text in site.files().values() if SECRET in text]


@pytest.mark.parametrize("builds", ["memory"], indirect=True)
async def test_a_person_can_let_a_change_pass_that_the_sealed_tests_refuse(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    site = site_of(tmp_path, builds, {("a", 0): HONEST})
    wrong = TESTS.replace("== 0", "== 5")
    await site.start(GRAPH, sealed_tests=True, accept_base=True, limits=Limits(attempts=1))
    build = await build_with(site, ScriptedSealer(written(wrong)), gateway)
    (finding,) = build.task("a").findings
    assert "1 of 2 sealed tests fail" in finding.message
    assert "a person can look at these tests and approve this" in finding.fix
    approval = commands.ApproveFinding(finding.fingerprint, "the test is wrong")
    await commands.ask(builds, site.clock, site.build_id, approval)
    build = await build_with(site, ScriptedSealer(written(wrong)), gateway)
    assert build.outcome == "succeeded"
    assert len(site.agent.assignments) == 1


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ([ModelFailed("no credit", kind="auth")], "the model failed (auth): no credit"),
        ([TimeoutError()], "did not answer within"),
        ([SealedTests(why_none="no line can be tested")], "no line can be tested"),
        ([written("def test_now():\n    assert True\n")], "none fails on the base"),
    ],
)
@pytest.mark.parametrize("builds", ["memory"], indirect=True)
async def test_without_tests_the_build_goes_on_and_says_why(
    tmp_path: Path, builds: Builds, gateway: LocalGateway, answers: list[SealedTests | Exception], why: str
) -> None:
    site = site_of(tmp_path, builds, {("a", 0): HONEST})
    await site.start(GRAPH, sealed_tests=True, accept_base=True)
    build = await build_with(site, ScriptedSealer(*answers), gateway)
    assert build.outcome == "succeeded"
    (sealing,) = sealings(site)
    assert (sealing.tests, sealing.artifact) == (0, "")
    assert why in sealing.why_none
    verdict = build.task("a").verdict
    assert verdict is not None
    (note,) = [one for report in verdict.reports for one in report.findings if one.code == "sealed.none"]
    assert why in note.message


@pytest.mark.parametrize("builds", ["memory"], indirect=True)
async def test_tests_that_cannot_be_run_are_asked_for_once_more(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    broken = written(f"from stats import spread\n\n\ndef test_it():\n    assert spread([{SECRET}]) == 0\n")
    sealer = ScriptedSealer(broken, written())
    site = site_of(tmp_path, builds, {("a", 0): HONEST})
    await site.start(GRAPH, sealed_tests=True, accept_base=True)
    build = await build_with(site, sealer, gateway)
    assert build.outcome == "succeeded"
    assert len(sealer.told) == 2
    assert "import the product inside the tests" in sealer.told[1]
    assert sealings(site)[0].tests == 2


@pytest.mark.parametrize("builds", ["memory"], indirect=True)
async def test_a_task_without_acceptance_and_a_build_without_a_model(tmp_path: Path, builds: Builds) -> None:
    site = site_of(tmp_path, builds, {("a", 0): HONEST, ("b", 0): [Write("b.txt")]})
    graph = Graph(tasks=(*GRAPH.tasks, Task(id="b", title="b", depends_on=("a",))))
    await site.start(graph, sealed_tests=True, accept_base=True)
    build = await build_with(site, ScriptedSealer(written()), None)
    assert build.outcome == "succeeded"
    assert [(one.task, one.why_none) for one in sealings(site)] == [("a", "no model is available")]


async def test_a_run_that_dies_between_sealing_and_the_agent_does_not_seal_again(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    site = site_of(tmp_path, builds, {("a", 0): HONEST})
    forever = asyncio.Event()
    asking = ScriptedSealer(written(), before=forever.wait)
    await site.start(GRAPH, sealed_tests=True, accept_base=True)
    await _killed(site, asking, gateway, lambda: bool(asking.told))
    assert sealings(site) == [], "it died while it asked"
    again = ScriptedSealer(written())
    await _killed(site, again, gateway, lambda: bool(sealings(site)))
    never = ScriptedSealer(AssertionError("asked for tests that are sealed"))
    build = await build_with(site, never, gateway)
    assert build.outcome == "succeeded"
    assert (len(again.told), len(never.told), len(sealings(site))) == (1, 0, 1)


async def _killed(site: Site, sealer: ScriptedSealer, gateway: LocalGateway, when: Callable[[], bool]) -> None:
    """Let a build run until something has happened, then end its process's work at once."""
    running = asyncio.create_task(build_with(site, sealer, gateway))
    async with asyncio.timeout(120):
        while not when():
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_expected_and_named_files_are_shown_first() -> None:
    task = Task(id="a", title="add spread to stats", files_expected=("src/deep/expected.py",))
    paths = ["README.md", "src/deep/expected.py", "src/deep/stats.py", *(f"src/other_{n}.py" for n in range(40))]
    shown = relevant(task, paths)
    assert shown[:3] == ["src/deep/expected.py", "src/deep/stats.py", "README.md"]
    assert len(shown) == MOST_FILES
