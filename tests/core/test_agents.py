"""Which agent makes an attempt: by the task, by a rule, or as a second opinion; and what the next one goes on from."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from buildwright.core import event as e
from buildwright.core.agents import KNOWN, OURS, PROGRAMS, AgentRule, OwnAgent
from buildwright.core.apply import apply, fold
from buildwright.core.decide import decide
from buildwright.core.event import AnyEvent, Recorded
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.core.task import Task

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_option_names_every_agent_of_the_table() -> None:
    words = Options.model_fields["agent"].description or ""
    assert (*OURS, *PROGRAMS) == KNOWN
    assert all(f"`{name}`" in words for name in KNOWN)


@pytest.mark.parametrize(
    ("task", "failed", "agent"),
    [
        ({}, 0, "direct"),
        ({"agent": "codex"}, 0, "codex"),
        ({"files_expected": ("docs/a/b.md",)}, 0, "claude"),
        ({"files_expected": ("docs/a/b.md",), "agent": "aider"}, 0, "aider"),
        ({"files_expected": ("docs/a/b.md",), "action": "create"}, 0, "claude"),
        ({"files_expected": ("src/b.py",), "action": "create"}, 0, "gemini"),
        ({"milestone": "Phase 2: polish"}, 0, "pi"),
        ({"milestone": "Phase 2: polish", "action": "delete"}, 0, "pi"),
        ({"agent": "codex"}, 1, "codex"),
        ({"agent": "codex"}, 2, "qwen"),
        ({}, 9, "qwen"),
    ],
)
def test_the_task_then_the_first_rule_then_the_build_says_who_makes_it(
    task: dict[str, object], failed: int, agent: str
) -> None:
    options = Options(
        second_agent="qwen",
        agent_rules=(
            AgentRule(agent="claude", files=("docs/*",)),
            AgentRule(agent="gemini", files=("src/*", "lib/*"), action="create"),
            AgentRule(agent="pi", phase="Phase 2*"),
        ),
    )
    assert options.agent_for(Task.model_validate({"id": "t", "title": "T", **task}), failed) == agent


def test_an_agent_of_ones_own_brings_its_model_and_the_build_brings_that_of_its_agent() -> None:
    own = (OwnAgent(name="fast", agent="codex", model="gpt-mini"), OwnAgent(name="mine", agent="shell", command="./a"))
    options = Options(agent="fast", agents=own, agent_command="./b")
    assert [(one.agent, one.model, one.agent_command) for one in map(options.as_of, ("fast", "mine", "claude"))] == [
        ("codex", "gpt-mini", "./b"),
        ("shell", "", "./a"),
        ("claude", "", "./b"),
    ]
    assert options.model_copy(update={"model": "gpt-5.5"}).as_of("fast").model == "gpt-5.5"
    assert options.model_copy(update={"model": "gpt-5.5"}).as_of("claude").model == ""
    tasks = (Task(id="a", title="A", agent="pi"), Task(id="b", title="B"))
    second = options.model_copy(update={"second_agent": "mine", "agent_rules": (AgentRule(agent="qwen", phase="x"),)})
    assert second.agents_for(tasks) == ("pi", "fast", "mine")
    assert second.agents_for(None) == ("fast", "qwen", "mine")


def journal(*facts: AnyEvent, **options: object) -> list[Recorded]:
    graph = Graph(tasks=(Task(id="t", title="T"),))
    begun: list[AnyEvent] = [
        e.BuildCreated(
            build_id="b",
            project_id="",
            user_id="",
            repository="/r",
            spec=Spec(title="s", graph=graph),
            options=Options(gates=False, **options),
        ),
        e.TargetPrepared(commit="c0", tree="t0"),
        e.PlanMade(graph=graph),
    ]
    return [Recorded(number, NOW, fact) for number, fact in enumerate((*begun, *facts), 1)]


def broke(attempt: int) -> AnyEvent:
    return e.AgentBroke(task="t", attempt=attempt, kind="crashed", message="it fell", conversation="talk")


def test_attempts_that_fail_call_the_second_agent_which_goes_on_with_nothing_of_the_first() -> None:
    build = fold(journal(second_agent="aider", second_after=1, agent="codex"))
    (started,) = decide(build).facts
    assert started == e.TaskStarted(task="t", attempt=1, base="c0", agent="codex")
    build = fold([*journal(started, broke(1), second_agent="aider", second_after=1, agent="codex")])
    assert build.task("t").agent == "codex"
    assert build.task("t").conversation == "talk"
    (again,) = decide(build).facts
    build = apply(build, Recorded(build.version + 1, NOW, again))
    build = build.evolve({"tasks": build.tasks.set("t", build.task("t")._replace(kept_base="c", kept_tree="k"))})
    (started,) = decide(build).facts
    assert started == e.TaskStarted(task="t", attempt=2, base="c0", agent="aider")
    state = apply(build, Recorded(build.version + 1, NOW, started)).task("t")
    assert (state.agent, state.conversation, state.kept_base, state.kept_tree) == ("aider", "", "", "")
    same = e.TaskStarted(task="t", attempt=2, base="c0", agent="codex")
    state = apply(build, Recorded(build.version + 1, NOW, same)).task("t")
    assert (state.conversation, state.kept_tree) == ("talk", "k")


def test_a_user_who_has_a_task_tried_again_begins_with_the_first_agent() -> None:
    again = e.TaskRetried(task="t", by="user")
    one = [e.TaskStarted(task="t", attempt=1, base="c0", agent="direct"), broke(1)]
    failed = e.TaskFailed(task="t", message="no")
    options = {"second_agent": "aider", "second_after": 1, "limits": {"attempts": 1}}
    (started,) = decide(fold(journal(*one, failed, again, **options))).facts
    assert isinstance(started, e.TaskStarted)
    assert (started.attempt, started.agent) == (2, "direct")


def test_an_older_journal_has_the_agent_of_its_build() -> None:
    build = fold(journal(e.TaskStarted(task="t", attempt=1, base="c0"), agent="claude"))
    assert build.task("t").agent == "claude"
