"""Three failures in a row: what is gathered, who is asked, what the next attempts are told; and tasks that go in circles."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buildwright.advisors.diagnoser import ModelDiagnoser
from buildwright.core import event as e
from buildwright.core.finding import Diagnosis, TaskAdvice
from buildwright.core.limits import Limits
from buildwright.core.models import NamedModel
from buildwright.core.secrets import mask
from buildwright.engine import commands
from buildwright.engine.resume_command import ResumeBuild
from buildwright.errors import ModelFailed
from buildwright.gateway import LocalGateway
from buildwright.ports import Builds, Judged, ModelEndpoint
from tests.adapters.scripted_agent import Fail, Say, Sleep, Write
from tests.engine.harness import FunctionGate, Script, Site, make_site, tasks

KEY = "sk-ant-" + "a" * 24


class ScriptedDiagnoser:
    """Says what it is given, or raises it; `told` keeps what it was asked."""

    def __init__(self, answer: Diagnosis | Exception, before: Callable[[], Any] | None = None) -> None:
        self._answer = answer
        self._before = before
        self.told: list[str] = []
        self.models: list[str] = []

    async def diagnose(self, context: str, model: str, door: ModelEndpoint) -> Diagnosis:
        self.told.append(context)
        self.models.append(model)
        if self._before is not None:
            await self._before()
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.fixture
async def gateway(tmp_path: Path) -> Any:
    opened = LocalGateway({"ANTHROPIC_API_KEY": "test-key-of-nobody"}, tmp_path / "gateway")
    yield opened
    await opened.close()


def stuck_events(site: Site) -> list[e.BuildStuck]:
    return [recorded.event for recorded in site.journal if isinstance(recorded.event, e.BuildStuck)]


def loops(site: Site) -> list[e.LoopDetected]:
    return [recorded.event for recorded in site.journal if isinstance(recorded.event, e.LoopDetected)]


def refuse_wrong(files: Path, judged: Judged) -> list[str]:
    return [f"{path.name} is wrong" for path in sorted(files.glob("*.txt")) if "wrong" in path.read_text()]


async def test_the_context_has_the_log_its_tail_and_the_history(tmp_path: Path, builds: Builds) -> None:
    many = "\n".join(f"line {n}" for n in range(700)) + f"\nkey {KEY}"
    script: Script = {
        ("a", 1): [Say(many), Write("a.txt", "wrong 1\n")],
        ("a", 2): [Fail("crashed", f"boom {KEY}")],
        ("a", 3): [Say("nothing to do")],
    }
    site = make_site(tmp_path, builds, script, [FunctionGate(refuse_wrong)])
    await site.start(tasks("a"))
    build = await site.run(mask=mask)
    assert build.pause is not None
    assert build.pause.reason == "failure"
    (stuck,) = stuck_events(site)
    assert (stuck.failures, stuck.tasks, stuck.number) == (3, ("a",), 1)
    assert (stuck.advice, stuck.no_advice) == ("", "no model is available")
    text = (await builds.get_artifact(stuck.context)).decode()
    assert KEY not in text
    context = json.loads(text)
    assert [each["kind"] for each in context["history"]] == ["gate", "agent", "empty"]
    assert [each["attempt"] for each in context["history"]] == [1, 2, 3]
    assert "a.txt is wrong" in context["history"][0]["findings"][0]
    assert "boom [secret]" in context["history"][1]["reason"]
    assert len(context["log"]) == 500
    assert context["log"][-1]["text"] == "nothing to do"
    assert len(context["tail"]) == 100
    assert context["tail"][-1].endswith("a/3 said: nothing to do")
    assert context["tasks"][0]["id"] == "a"
    kinds = site.kinds()
    assert kinds.index("build.stuck") < kinds.index("task.failed"), "who is asked knows the diagnosis"


async def test_advice_reaches_the_next_attempts_of_those_tasks(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    script: Script = {
        ("a", 1): [Fail()],
        ("b", 1): [Sleep(0.3), Fail()],
        ("a", 2): [Sleep(0.6), Fail()],
        ("b", 2): [Sleep(1.2), Fail()],
    }
    advice = (TaskAdvice(task="a", text=f"write it with {KEY}"), TaskAdvice(task="other", text="no such task"))
    diagnoser = ScriptedDiagnoser(Diagnosis(cause="the package is missing", advice=advice))
    site = make_site(tmp_path, builds, script)
    prompts: dict[tuple[str, int], str] = {}

    async def brief(request: Any) -> Any:
        from buildwright.agents.briefing import brief_attempt

        briefing = await brief_attempt(request, site.workspace)
        prompts[request.task.id, request.state.attempt] = briefing.feedback
        return briefing

    await site.start(tasks("a", "b", "d: a b"), gates=False)
    build = await site.run(diagnoser=diagnoser, gateway=gateway, brief=brief, mask=mask)
    assert build.outcome == "succeeded"
    assert len(diagnoser.told) == 1
    assert "the package is missing\nwrite it with [secret]" in prompts["a", 3]
    assert "the package is missing" in prompts["b", 3]
    assert "write it" not in prompts["b", 3]
    assert "diagnosis" not in prompts["d", 1]
    (stuck,) = stuck_events(site)
    assert [each.task for each in stuck.task_advice] == ["a"]
    assert stuck.tasks == ("a", "b")
    assert build.task("a").diagnosis.startswith("the package is missing")
    assert (build.diagnosis, build.stuck) == ("", False), "something has landed since"


async def test_nothing_starts_while_the_cause_is_looked_for_but_what_runs_goes_on(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    script: Script = {("a", 0): [Fail()], ("slow", 1): [Sleep(0.6), Fail("crashed", "late")]}
    site = make_site(tmp_path, builds, script)

    async def slow_fails() -> None:
        async with asyncio.timeout(20):
            while not any(isinstance(r.event, e.AgentBroke) and r.event.task == "slow" for r in site.journal):
                await asyncio.sleep(0.02)

    diagnoser = ScriptedDiagnoser(Diagnosis(cause="a is hopeless"), before=slow_fails)
    await site.start(tasks("slow", "a", "b", "c"), gates=False, limits=Limits(attempts=3, concurrency=2))
    await site.run(diagnoser=diagnoser, gateway=gateway)
    stuck_at = site.kinds().index("build.stuck")
    assert not [r for r in site.journal[:stuck_at] if isinstance(r.event, e.TaskStarted) and r.event.task in "bc"]
    (stuck,) = stuck_events(site)
    assert stuck.number == 1


async def test_a_landing_meanwhile_ends_the_row_and_the_question(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    script: Script = {("a", n): [Fail()] for n in range(1, 4)} | {("slow", 1): [Sleep(0.8), Write("slow.txt")]}
    site = make_site(tmp_path, builds, script)
    waiting = asyncio.Event()
    diagnoser = ScriptedDiagnoser(Diagnosis(cause="never said"), before=waiting.wait)
    await site.start(tasks("slow", "a"), gates=False, limits=Limits(attempts=4, concurrency=2))
    build = await site.run(diagnoser=diagnoser, gateway=gateway)
    assert build.outcome == "succeeded"
    assert len(diagnoser.told) == 1
    assert not stuck_events(site)


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (ModelFailed("no credit", kind="auth"), "the model failed (auth): no credit"),
        (TimeoutError(), "did not answer within"),
    ],
)
async def test_a_model_that_fails_leaves_the_build_going_and_says_why(
    tmp_path: Path, builds: Builds, gateway: LocalGateway, failure: Exception, said: str
) -> None:
    site = make_site(tmp_path, builds, {("a", n): [Fail()] for n in range(1, 4)})
    await site.start(tasks("a"), gates=False, limits=Limits(attempts=4))
    build = await site.run(diagnoser=ScriptedDiagnoser(failure), gateway=gateway)
    assert build.outcome == "succeeded"
    (stuck,) = stuck_events(site)
    assert said in stuck.no_advice
    assert not stuck.advice


@pytest.mark.parametrize("on_failure", ["pause", "fail"])
async def test_a_diagnosis_that_needs_a_person_pauses_only_who_may_be_asked(
    tmp_path: Path, builds: Builds, gateway: LocalGateway, on_failure: str
) -> None:
    site = make_site(tmp_path, builds, {("a", n): [Fail()] for n in range(1, 4)})
    diagnoser = ScriptedDiagnoser(Diagnosis(cause="install libfoo", ask_person=True))
    await site.start(tasks("a"), gates=False, on_failure=on_failure, limits=Limits(attempts=4))
    build = await site.run(diagnoser=diagnoser, gateway=gateway)
    if on_failure == "fail":
        assert build.outcome == "succeeded"
        return
    assert build.pause is not None
    assert (build.pause.reason, build.pause.message) == ("stuck", "install libfoo")
    assert len(site.agent.assignments) == 3
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild())
    assert (await site.run()).outcome == "succeeded"
    assert len(diagnoser.told) == 1


async def test_a_run_that_dies_while_asking_asks_again_for_the_same(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    """The artifact is there and its fact is not: the next run makes the same artifact, and one fact."""
    site = make_site(tmp_path, builds, {("a", n): [Fail()] for n in range(1, 4)})
    forever = asyncio.Event()
    first = ScriptedDiagnoser(Diagnosis(cause="x"), before=forever.wait)
    await site.start(tasks("a"), gates=False, limits=Limits(attempts=4))
    running = asyncio.create_task(site.run(diagnoser=first, gateway=gateway))
    async with asyncio.timeout(20):
        while not first.told:
            await asyncio.sleep(0.02)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not stuck_events(site)
    second = ScriptedDiagnoser(Diagnosis(cause="y"))
    build = await site.run(diagnoser=second, gateway=gateway)
    assert build.outcome == "succeeded"
    (stuck,) = stuck_events(site)
    assert stuck.advice == "y"
    assert second.told == first.told
    assert (await builds.get_artifact(stuck.context)).decode() == first.told[0]


async def test_a_cassette_answers_as_the_model_and_its_tokens_count(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    cassette = tmp_path / "model.yaml"
    cassette.write_text(
        "version: 1\nmodel: claude-sonnet-5-5\nturns:\n"
        "  - when: {task: plan, tool: final_result_diagnosis, contains: crashed}\n"
        "    reply: {json: {cause: the disk is slow, advice: [{task: a, text: wait}]}}\n"
        "    usage: {input: 120, output: 7}\n",
        encoding="utf-8",
    )
    site = make_site(tmp_path, builds, {("a", n): [Fail()] for n in range(1, 4)})
    await site.start(tasks("a"), gates=False, limits=Limits(attempts=4), cassette=str(cassette))
    build = await site.run(diagnoser=ModelDiagnoser(), gateway=gateway)
    assert build.outcome == "succeeded"
    (stuck,) = stuck_events(site)
    assert stuck.advice == "the disk is slow"
    assert build.task("a").diagnosis == "the disk is slow\nwait"
    assert (build.usage.input_tokens, build.usage.output_tokens) == (120, 7)


async def test_the_same_change_is_not_judged_twice_and_a_retry_starts_afresh(tmp_path: Path, builds: Builds) -> None:
    gate = FunctionGate(refuse_wrong)
    script: Script = {("a", n): [Write("a.txt", "wrong\n")] for n in range(1, 4)} | {("a", 4): [Write("a.txt", "ok\n")]}
    site = make_site(tmp_path, builds, script, [gate])
    await site.start(tasks("a"), limits=Limits(attempts=5))
    build = await site.run()
    assert build.pause is not None
    assert "it goes in circles: attempt 2 made exactly the change that was refused in attempt 1" in build.pause.message
    assert "--retry -m TEXT" in build.pause.message
    assert [(loop.kind, loop.attempt) for loop in loops(site)] == [("patch", 2)]
    assert build.task("a").findings[0].message == "a.txt is wrong"
    assert len([tree for tree in gate.trees if tree != build.base_tree]) == 1
    await commands.ask(builds, site.clock, site.build_id, ResumeBuild("retry", "write ok"))
    build = await site.run()
    assert build.outcome == "succeeded"
    assert [loop.attempt for loop in loops(site)] == [2], "attempt 3 is the first since the user's word"
    assert build.task("a").attempt == 4
    feedback = site.agent.assignments[2].feedback
    assert "write ok" in feedback
    assert "resume" not in feedback, "what the user can type is not for the agent"


async def test_the_same_findings_again_and_again_are_a_loop(tmp_path: Path, builds: Builds) -> None:
    def judge(files: Path, judged: Judged) -> list[str]:
        return [f"took {len((files / 'a.txt').read_text())} ms"] if (files / "a.txt").exists() else []

    script: Script = {("a", n): [Write("a.txt", "x" * n)] for n in range(1, 9)}
    site = make_site(tmp_path, builds, script, [FunctionGate(judge)])
    build = await site.build(tasks("a", "b"), limits=Limits(attempts=8, stuck_after=20), on_failure="fail")
    assert build.outcome == "failed"
    assert [(loop.kind, loop.attempt) for loop in loops(site)] == [("finding", 3)]
    assert "b.txt" not in build.message
    assert build.done == 1, "the others go on"


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        ("drop everything", "cannot be read"),
        ({"tasks": [{"id": "no good id!", "title": "X"}]}, "cannot be read: tasks.0.id"),
        ({"tasks": [{"id": "c"}]}, "cannot be read: tasks.0.title"),
        ({"reason": "just so"}, "cannot be built: it changes nothing"),
        ({"tasks": [{"id": "a", "depends_on": ["b"]}, {"id": "b", "depends_on": ["a"]}]}, "cannot be built"),
        ({"drop": ["a", "a"]}, "cannot be built: task a is named twice"),
        ({"drop": ["nothing-like-it"]}, "cannot be built: there is no task nothing-like-it"),
        ({"drop": ["done"]}, "cannot be built: task done is done"),
        ({"tasks": [{"id": "c", "title": "x" * 200, "goal": "y" * 70_000}]}, "more than 60,000"),
    ],
)
async def test_a_proposed_plan_that_cannot_be_had_is_left_out_and_said(
    tmp_path: Path, builds: Builds, gateway: LocalGateway, plan: Any, why: str
) -> None:
    script: Script = {("done", 1): [Write("done.txt", "1\n")], ("a", 1): [Fail()], ("a", 2): [Fail()]}
    diagnoser = ScriptedDiagnoser(Diagnosis(cause="the plan is wrong", plan=plan))
    site = make_site(tmp_path, builds, script)
    await site.start(tasks("done", "a: done", "b: a"), gates=False, limits=Limits(stuck_after=2, attempts=3))
    build = await site.run(diagnoser=diagnoser, gateway=gateway)
    (stuck,) = stuck_events(site)
    assert (stuck.proposal, stuck.advice) == (None, "the plan is wrong"), "the rest of the answer counts"
    assert why in stuck.no_proposal
    assert build.outcome == "succeeded", "nobody is asked for nothing"


async def test_a_diagnosis_is_told_the_cost_and_other_models(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    diagnoser = ScriptedDiagnoser(Diagnosis(cause="a cause", plan={"split": [{"task": "a", "into": []}]}))
    site = make_site(tmp_path, builds, {("a", 1): [Fail()]})

    limits = Limits(stuck_after=1)
    await site.start(tasks("a"), gates=False, limits=limits, model="claude-haiku-4-5", planner_model="claude-opus-4-5")
    await site.run(diagnoser=diagnoser, gateway=gateway)
    (told,) = diagnoser.told
    context = json.loads(told)
    assert (context["build"]["model"], context["models"]) == ("claude-haiku-4-5", ["claude-opus-4-5"])
    assert (context["build"]["cost_usd"], context["tasks"][0]["attempts"]) == ("0", 1)


async def test_the_diagnoser_may_be_a_model_that_the_user_has_named(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    diagnoser = ScriptedDiagnoser(Diagnosis(cause="a cause"))
    site = make_site(tmp_path, builds, {("a", 1): [Fail()]})
    house = NamedModel(name="house", model="claude-opus-5-5")
    await site.start(tasks("a"), gates=False, limits=Limits(stuck_after=1), models=(house,), diagnoser_model="house")
    await site.run(diagnoser=diagnoser, gateway=gateway)
    assert diagnoser.models == ["claude-opus-5-5"]


async def test_a_proposal_waits_for_its_user_and_ends_with_any_answer(
    tmp_path: Path, builds: Builds, gateway: LocalGateway
) -> None:
    plan = {"reason": "less", "drop": ["b"], "tasks": [{"id": "a", "goal": "do less"}]}
    site = make_site(tmp_path, builds, {("a", 1): [Fail()]})
    await site.start(tasks("a", "b: a"), gates=False, limits=Limits(stuck_after=1))
    diagnoser = ScriptedDiagnoser(Diagnosis(cause="too much", plan=plan))
    build = await site.run(diagnoser=diagnoser, gateway=gateway)
    assert (build.pause and build.pause.reason, build.proposal is not None) == ("stuck", True)
    assert build.plan is not None
    assert set(build.plan.position) == {"a", "b"}
    await commands.ask(site.builds, site.clock, build.id, ResumeBuild())
    after = await site.builds.load(build.id)
    assert (after.proposal, after.pause) == (None, None)
    assert after.plan is not None
    assert set(after.plan.position) == {"a", "b"}, "to go on is not to accept"
