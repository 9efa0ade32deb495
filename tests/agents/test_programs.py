"""Agents that are programs of their own: the real ones, from their registries, against a cassette through the gateway."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import psutil
import pytest

from buildwright.agents.finding import find, interpreter_of
from buildwright.agents.program_agent import LONGEST_ARGUMENT, ProgramAgent
from buildwright.agents.programs import PROGRAMS, program
from buildwright.agents.programs.program import PROMPT, AgentProgram, OwnForm, ProgramPlace, Start, Unpacks
from buildwright.agents.session_files import KeptConversation, save
from buildwright.core.activity import Activity, Finished, Heard, Printed, Ran, Said, Saved, Warned, Wrote
from buildwright.core.limits import Limits, Options
from buildwright.errors import AgentFailed
from buildwright.gateway import LocalGateway
from buildwright.ports import GO_ON, Agent, Assignment, Message, ModelAccess, ModelEndpoint
from buildwright.sandbox import Bubblewrap, NoSandbox
from tests.agents.conftest import Assign
from tests.agents.installed import FULL, names, programs

MODELS = (("claude-", "sonnet-5-5"), ("gpt-", "5.5"), ("gemini-", "2.5-flash"))

EVERY = pytest.mark.parametrize("name", names(PROGRAMS))


@pytest.fixture
def path(name: str) -> str:
    return f"{programs(name)}{os.pathsep}{os.environ['PATH']}"


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[LocalGateway]:
    gateway = LocalGateway({}, tmp_path)
    yield gateway
    await gateway.close()


async def play(agent: Agent, assignment: Assignment, *messages: str) -> list[Activity]:
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    for number, text in enumerate(messages):
        inbox.put_nowait(Message(f"m{number}", text))
    return [activity async for activity in agent.run(assignment, inbox)]


async def scripted(gateway: LocalGateway, assignment: Assignment, turns: str, **options: object) -> Assignment:
    """The assignment with a door to this script."""
    file = assignment.lane.parent / "script.yaml"
    file.write_text(f"version: 1\nturns:\n{turns}")
    access = ModelAccess("b1", "T1", 1, Options(cassette=str(file), **options), assignment.lane)
    return replace(assignment, door=await gateway.open(access))


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def finish(activities: list[Activity]) -> Finished:
    assert isinstance(activities[-1], Finished)
    return activities[-1]


def told(activities: list[Activity]) -> list[str]:
    return [activity.text.strip() for activity in activities if isinstance(activity, Said)]


WRITES = '{say: I write it., files: {new.txt: "x\\n"}}'
"""The same for all: a cassette's files are written by the tools of whichever agent asks."""


@EVERY
async def test_it_changes_a_file_and_tells_of_it(gateway: LocalGateway, assign: Assign, path: str, name: str) -> None:
    assignment = await scripted(gateway, assign(), f"  - {{reply: {WRITES}, usage: {{input: 9, output: 4}}}}\n")
    git(assignment.lane, "init", "--quiet")
    settings = (assignment.lane / ".git" / "config").read_bytes()
    out = await play(ProgramAgent(program(name), NoSandbox(), path), assignment)
    assert finish(out).ok, out
    assert (assignment.lane / "new.txt").read_text() == "x\n"
    if program(name).read is not None:
        assert [activity.text for activity in out if isinstance(activity, Said)] == ["I write it.", "Done."]
        (done,) = [activity for activity in out if isinstance(activity, Ran | Wrote)]
        assert "new.txt" in (done.command if isinstance(done, Ran) else done.path)
    assert assignment.door is not None
    # One that edits by its answer asks once, the others hear what their tools did.
    asked = 1 if name == "aider" else 2
    assert [spend[4:6] for spend in gateway.metered(assignment.door)] == [(9, 4)] * asked
    assert sorted(entry.name for entry in assignment.lane.iterdir()) == [".git", "new.txt"]
    assert (assignment.lane / ".git" / "config").read_bytes() == settings
    assert git(assignment.lane, "rev-list", "--all") == ""


@pytest.mark.parametrize("name", [name for name in names(PROGRAMS) if name != "mini"])
async def test_what_it_says_arrives_word_for_word(gateway: LocalGateway, assign: Assign, path: str, name: str) -> None:
    # One masks its key wherever it is in its own events, in the names of these as well: ours is no word.
    says = "A lane, an event, a message, a tool, a result, a key."
    assignment = await scripted(gateway, assign(), f"  - {{reply: {{text: '{says}'}}}}\n")
    git(assignment.lane, "init", "--quiet")
    out = await play(ProgramAgent(program(name), NoSandbox(), path), assignment)
    assert says in told(out), out


@pytest.mark.parametrize(
    ("name", "model"),
    [(name, f"{kind}{rest}") for name in names(PROGRAMS) for kind, rest in MODELS if kind in program(name).models],
)
async def test_the_name_of_a_model_chooses_the_protocol(
    gateway: LocalGateway, assign: Assign, path: str, name: str, model: str
) -> None:
    assignment = await scripted(gateway, assign(model=model), f"  - {{reply: {WRITES}}}\n")
    assert finish(await play(ProgramAgent(program(name), NoSandbox(), path), assignment)).ok
    assert assignment.door is not None
    assert {spend.model for spend in gateway.metered(assignment.door)} == {model}


ENDS = {
    "auth": "{kind: 401, times: 50}",
    "refused": "{kind: 400, times: 50}",
    "unavailable": "{kind: cut, times: 50, after_chars: 2}",
}
ASKS = {"auth": 3, "refused": 3, "unavailable": 12}
"""How often any of them may ask for one turn that fails so: what is over that is refused, and another kind of failure."""
WAITS = ("aider", "unavailable")
"""It tries again for a minute, which no setting of it shortens: `make agents` waits."""


@pytest.mark.parametrize(("name", "kind"), [pair for pair in product(names(PROGRAMS), ENDS) if FULL or pair != WAITS])
async def test_the_gateway_knows_how_a_failed_run_ended_and_it_is_not_asked_on_and_on(
    gateway: LocalGateway, assign: Assign, path: str, name: str, kind: str
) -> None:
    turns = f"  - {{reply: {{text: All done.}}, faults: [{ENDS[kind]}]}}\n"
    limits = Limits(task_seconds=60, requests=ASKS[kind])
    assignment = await scripted(gateway, assign(limits=limits), turns, limits=limits)
    finished = finish(await play(ProgramAgent(program(name), NoSandbox(), path), assignment))
    assert not finished.ok
    assert assignment.door is not None
    trouble = gateway.trouble(assignment.door)
    assert trouble is not None
    assert trouble.kind == kind


SHELLS = {
    "codex": ("exec_command", "cmd"),
    "gemini": ("run_shell_command", "command"),
    "qwen": ("run_shell_command", "command"),
    **dict.fromkeys(("opencode", "copilot", "pi", "mini"), ("bash", "command")),
}
"""The tool by which each runs a command; aider runs none."""


@pytest.mark.parametrize("name", [name for name in names(PROGRAMS) if name in SHELLS])
async def test_an_interrupt_leaves_no_process(gateway: LocalGateway, assign: Assign, path: str, name: str) -> None:
    tool, key = SHELLS[name]
    given = f'{{{key}: "echo x > new.txt; sleep 3600", description: wait, is_background: false}}'
    assignment = await scripted(gateway, assign(), f"  - {{reply: {{tools: [{{name: {tool}, input: {given}}}]}}}}\n")
    before = set(psutil.Process().children(recursive=True))
    running = asyncio.create_task(play(ProgramAgent(program(name), NoSandbox(), path), assignment))
    while not (assignment.lane / "new.txt").exists():
        assert not running.done(), running.result()
        await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    left = set(psutil.Process().children(recursive=True)) - before
    assert {process for process in left if process.status() != psutil.STATUS_ZOMBIE} == set()


def elsewhere(assignment: Assignment, **changes: Any) -> Assignment:
    """The assignment in another lane and home."""
    second = assignment.lane.parent / "second"
    for folder in ("lane", "home"):
        (second / folder).mkdir(parents=True)
    git(second / "lane", "init", "--quiet")
    return replace(assignment, lane=second / "lane", home=second / "home", **changes)


GOES_ON = (
    "  - {when: {contains: mend it, message: 0}, reply: {text: Who are you?}}\n"
    "  - {when: {contains: mend it}, reply: {text: Mended.}}\n"
    "  - {when: {contains: use tabs}, reply: {text: With tabs.}}\n"
    f"  - {{reply: {WRITES}}}\n"
)
SAMPLE = pytest.mark.parametrize("name", [name for name in names(PROGRAMS) if name == "codex" or FULL])
"""One with every run of the tests, all by `make agents`."""


@SAMPLE
async def test_it_goes_on_with_its_conversation_and_hears_the_user(
    gateway: LocalGateway, assign: Assign, path: str, name: str
) -> None:
    agent = ProgramAgent(program(name), Bubblewrap(), path)
    assignment = await scripted(gateway, assign(), GOES_ON)
    git(assignment.lane, "init", "--quiet")
    out = await play(agent, assignment, "use tabs")
    if not agent.resumes:
        assert any(isinstance(activity, Warned) and "next attempt" in activity.text for activity in out)
        assert not any(isinstance(activity, Heard) for activity in out)
        out = await play(agent, elsewhere(assignment, feedback="mend it"))
        assert any(
            isinstance(activity, Warned) and "begins again, with the findings" in activity.text for activity in out
        )
        assert "Who are you?" in told(out)
        return
    assert [activity.message_ids for activity in out if isinstance(activity, Heard)] == [("m0",)]
    assert "With tabs." in told(out)
    kept = finish(out).conversation
    assert kept is not None
    assert (assignment.lane / "new.txt").read_text() == "x\n"
    out = await play(agent, elsewhere(assignment, conversation=kept, feedback="mend it"))
    assert finish(out).ok, out
    assert "Mended." in told(out)


async def test_codex_goes_on_from_where_it_was_when_the_engine_died(gateway: LocalGateway, assign: Assign) -> None:
    runs = "  - {{when: {{turn: {}}}, reply: {{tools: [{{name: exec_command, input: {{cmd: {}}}}}]}}}}\n".format
    turns = (
        f"  - {{when: {{contains: {GO_ON}, message: 0}}, reply: {{text: Who are you?}}}}\n"
        f"  - {{when: {{contains: {GO_ON}}}, reply: {{text: Went on.}}}}\n"
        f"{runs(0, 'echo one > one.txt')}{runs(1, 'sleep 3600')}"
    )
    agent = ProgramAgent(program("codex"), Bubblewrap(), f"{programs('codex')}{os.pathsep}{os.environ['PATH']}")
    assignment = await scripted(gateway, assign(), turns)
    git(assignment.lane, "init", "--quiet")
    activities = agent.run(assignment, asyncio.Queue())
    saved = ""
    async for activity in activities:
        if isinstance(activity, Saved):
            saved = activity.conversation
            break
    assert isinstance(activities, AsyncGenerator)
    await activities.aclose()
    assert (assignment.lane / "one.txt").read_text() == "one\n", "the conversation is ahead of the lane"
    out = await play(agent, elsewhere(assignment, conversation=saved, resumed=True, feedback="mend it"))
    assert finish(out).ok, out
    assert "Went on." in told(out)


def test_a_line_that_was_being_written_is_no_part_of_a_conversation(assign: Assign) -> None:
    assignment = assign()
    (assignment.home / "only.jsonl").write_text('{"a')
    (assignment.home / "deep.jsonl").write_text("[" * 100_000)
    lines = {"torn.jsonl": '{"a": 1}\n{"b', "whole.jsonl": '{"a": 1}\n{"b": 2}', "plain.md": "one\ntwo"}
    for name, text in lines.items():
        (assignment.home / name).write_text(text)
    kept = save("s", ("*.*",), assignment)
    assert kept is not None
    assert KeptConversation.model_validate_json(kept).files == lines | {"torn.jsonl": '{"a": 1}\n'}


@pytest.mark.parametrize(
    "name", [name for name in names(PROGRAMS) if program(name).lost is not None and (name == "codex" or FULL)]
)
async def test_a_conversation_that_is_lost_is_begun_again(
    gateway: LocalGateway, assign: Assign, path: str, name: str
) -> None:
    session = "ses_dd69dd5c1ffehtFlh8nJ6MXH3w" if name == "opencode" else "a6cfc122-2963-4963-8dde-ced99525e41d"
    kept = json.dumps({"session": session, "lane": "/nowhere/lane", "home": "/nowhere/home", "files": {}})
    assignment = await scripted(gateway, assign(conversation=kept, feedback="mend it"), GOES_ON)
    out = await play(ProgramAgent(program(name), NoSandbox(), path), assignment)
    assert finish(out).ok, out
    assert any(isinstance(activity, Warned) and "does not find its conversation" in activity.text for activity in out)
    assert "Who are you?" in told(out)


async def test_what_is_missing_is_named(assign: Assign) -> None:
    agent = ProgramAgent(program("codex"), NoSandbox(), "/nowhere")
    if find("codex", "/nowhere") is None:
        with pytest.raises(AgentFailed) as failed:
            await play(agent, assign())
        assert failed.value.fix == "npm install --global @openai/codex"
    with pytest.raises(AgentFailed, match="no access"):
        await play(agent, assign(door=None))


def plain_program(tmp_path: Path, script: str, *, argument: bool) -> AgentProgram:
    """A small program of ours that only writes text, as some agents do."""
    file = tmp_path / "bin" / "plain"
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)

    def start(place: ProgramPlace) -> Start:
        return Start((place.program, *((PROMPT,) if argument else ())), {"MODEL": place.model}, {"deep/er/set": "1"})

    return AgentProgram("plain", "Plain", "plain", "none", ("m-",), "m-1", start, None)


async def test_a_program_that_only_writes_text(assign: Assign, tmp_path: Path) -> None:
    plain = plain_program(tmp_path, 'cat; echo "$MODEL" $(cat "$HOME/deep/er/set"); printf unended', argument=False)
    out = await play(ProgramAgent(plain, NoSandbox(), str(tmp_path / "bin") + ":/usr/bin:/bin"), assign())
    assert [activity.text for activity in out if isinstance(activity, Said)] == ["Do it.m-1 1\n", "unended\n"]
    assert (finish(out).ok, finish(out).summary) == (True, "unended")


async def test_what_a_program_prints_beside_its_events_is_not_what_the_agent_says(
    assign: Assign, tmp_path: Path
) -> None:
    script = """echo 'Startup took 3 s.'; echo '{"says": "Done."}'; echo 'Bye.' >&2; exit $1"""
    writes = plain_program(tmp_path, script, argument=True)
    program = replace(writes, read=lambda run, event: run.says(event["says"]))
    agent = ProgramAgent(program, NoSandbox(), str(tmp_path / "bin") + ":/usr/bin:/bin")
    out = await play(agent, assign(prompt="0"))
    assert [activity.text for activity in out if isinstance(activity, Said)] == ["Done."]
    assert {activity.text for activity in out if isinstance(activity, Printed)} == {"Startup took 3 s.", "Bye."}
    assert finish(out).summary == "Done."
    failed = finish(await play(agent, assign(prompt="3")))
    assert not failed.ok
    assert "Startup took 3 s." in failed.summary, "what a failed program printed may say why"


async def test_a_prompt_too_long_for_an_argument_is_put_into_a_file(assign: Assign, tmp_path: Path) -> None:
    plain = plain_program(tmp_path, 'echo "$1"; wc -c < "$HOME/prompt.md"', argument=True)
    agent = ProgramAgent(plain, NoSandbox(), str(tmp_path / "bin") + ":/usr/bin:/bin")
    assignment = assign(prompt="x" * (LONGEST_ARGUMENT + 1))
    out = [activity.text for activity in await play(agent, assignment) if isinstance(activity, Said)]
    assert out == [
        f"Your task is in the file {assignment.home}/prompt.md. Read all of it, then do it.\n",
        f"{LONGEST_ARGUMENT + 1}\n",
    ]


async def test_what_a_program_leaves_for_itself_is_taken_away(assign: Assign, tmp_path: Path) -> None:
    assignment = assign()
    (assignment.lane / ".plain-kept").write_text("the project's own")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    script = f"mkdir .plain; touch .plain/x .plain-y kept; ln -s {tmp_path}/outside .plain-link; exit $1"
    plain = replace(plain_program(tmp_path, script, argument=True), leaves=(".plain*",))
    agent = ProgramAgent(plain, NoSandbox(), str(tmp_path / "bin") + ":/usr/bin:/bin")
    for code in ("0", "1"):
        await play(agent, replace(assignment, prompt=code))
        assert sorted(entry.name for entry in assignment.lane.iterdir()) == [".plain-kept", "kept"]
        assert (tmp_path / "outside" / "file").exists()


async def test_what_a_program_unpacks_is_shared_and_no_attempt_can_change_it(assign: Assign, tmp_path: Path) -> None:
    script = (
        'if [ "$1" = unpack ]; then test "$ONLY" && echo 1 > "$PARTS/part"; exit $?; fi\n'
        'if [ -z "$PARTS" ]; then echo alone; exit; fi\n'
        'cat "$PARTS/part"; echo 2 > "$PARTS/part"; echo 2 > "$PARTS/more"; ls -A "$HOME"'
    )
    plain = replace(
        plain_program(tmp_path, script, argument=True), unpacks=Unpacks("PARTS", ("unpack",), {"ONLY": "1"})
    )
    kept, path = tmp_path / "kept", str(tmp_path / "bin") + ":/usr/bin:/bin"
    assignment = assign(door=ModelEndpoint("http://127.0.0.1:9999", "token"))
    for _ in range(2):
        out = told(await play(ProgramAgent(plain, Bubblewrap(), path, kept=kept), assignment))
        assert out[0] == "1", out
        assert [line for line in out if "Read-only file system" in line] == out[1:3]
        (folder,) = (kept / "agents" / "plain").iterdir()
        assert [entry.name for entry in folder.iterdir()] == ["part"]
    # Another version of it unpacks anew, and what nobody has used for long is taken away.
    os.utime(folder, (0, 0))
    (tmp_path / "bin" / "plain").write_text((tmp_path / "bin" / "plain").read_text() + "\n# newer\n")
    out = told(await play(ProgramAgent(plain, Bubblewrap(), path, kept=kept), assignment))
    assert out[0] == "1"
    assert folder not in set((kept / "agents" / "plain").iterdir())
    # Where it does not unpack, the attempt is left to itself; and without walls nothing is shared.
    fails = replace(plain, name="fails", unpacks=Unpacks("PARTS", ("unpack",)))
    assert told(await play(ProgramAgent(fails, Bubblewrap(), path, kept=kept), assignment)) == ["alone"]
    assert told(await play(ProgramAgent(plain, NoSandbox(), path, kept=kept), assignment)) == ["alone"]


if FULL:  # none of those that every run drives unpacks itself

    @pytest.mark.parametrize("name", [name for name in PROGRAMS if program(name).unpacks is not None])
    async def test_its_parts_are_unpacked_once(
        gateway: LocalGateway, assign: Assign, tmp_path: Path, path: str, name: str
    ) -> None:
        agent = ProgramAgent(program(name), Bubblewrap(), path, kept=tmp_path / "kept")
        assignment = await scripted(gateway, assign(), f"  - {{reply: {WRITES}}}\n")
        second = elsewhere(assignment)
        for one in (assignment, second):
            assert finish(await play(agent, one)).ok
            used = sum(file.stat().st_size for file in one.home.rglob("*") if file.is_file() and not file.is_symlink())
            assert used < 20_000_000
        assert len(list((tmp_path / "kept" / "agents" / name).iterdir())) == 1


async def test_a_failure_is_seen_in_the_text_of_a_program_that_ends_with_0(assign: Assign, tmp_path: Path) -> None:
    plain = replace(plain_program(tmp_path, "echo litellm.AuthError: no; echo bye", argument=False))
    plain = replace(plain, fails=re.compile(r"AuthError"))
    agent = ProgramAgent(plain, NoSandbox(), str(tmp_path / "bin") + ":/usr/bin:/bin")
    finished = finish(await play(agent, assign()))
    assert (finished.ok, finished.summary) == (False, "Plain ended with exit code 0. litellm.AuthError: no")


async def test_an_exit_code_and_a_time_limit_are_failures(assign: Assign, tmp_path: Path) -> None:
    path = str(tmp_path / "bin") + ":/usr/bin:/bin"
    crashes = plain_program(tmp_path, "echo what was wrong; exit 7", argument=False)
    finished = finish(await play(ProgramAgent(crashes, NoSandbox(), path), assign()))
    assert (finished.ok, finished.failure) == (False, "crashed")
    assert finished.summary == "Plain ended with exit code 7. what was wrong"
    slow = plain_program(tmp_path, "sleep 100", argument=False)
    limited = assign(limits=Limits(task_seconds=0.5))
    assert finish(await play(ProgramAgent(slow, NoSandbox(), path), limited)).failure == "timeout"
    fills = plain_program(
        tmp_path, "for n in 1 2 3 4; do head -c 30000000 /dev/zero > f$n; done; sleep 60", argument=False
    )
    limited = assign(limits=Limits(disk_gib=0.05))
    finished = finish(await play(ProgramAgent(fills, NoSandbox(), path), limited))
    assert (finished.failure, "more than 51 MiB on disk. Fix: " in finished.summary) == ("crashed", True)


def test_programs_are_found_where_installers_put_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find("no-such-agent", "/usr/bin") is None
    for folder in (".nvm/versions/node/v9.1.0/bin", ".nvm/versions/node/v22.3.0/bin"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "no-such-agent").touch(0o755)
    assert find("no-such-agent", "/usr/bin") == tmp_path / ".nvm/versions/node/v22.3.0/bin/no-such-agent"
    for folder in (
        ".opencode/bin",
        ".local/share/pnpm/bin",
        ".bun/bin",
        "node_modules/.bin",
        ".npm-global/bin",
        ".local/bin",
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "no-such-agent").touch(0o755)
        assert find("no-such-agent", "/usr/bin") == tmp_path / folder / "no-such-agent"


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


async def test_a_program_beside_the_path_runs_in_the_box_where_the_checks_have_a_path_of_their_own(
    assign: Assign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    plain = replace(plain_program(tmp_path, "", argument=False), program="one-beside")
    versions = script(tmp_path / "user/.local/share/one/versions/3", '#!/bin/sh\necho ran; echo "$PATH"\n')
    (tmp_path / "user/.local/bin").mkdir(parents=True)
    (tmp_path / "user/.local/bin/one-beside").symlink_to(versions)
    assignment = assign(env={"PATH": "/usr/bin:/bin"}, door=ModelEndpoint("http://127.0.0.1:9999", "token"))
    out = told(await play(ProgramAgent(plain, Bubblewrap(), "/usr/bin:/bin"), assignment))
    assert out == ["ran", f"/usr/bin:/bin:{tmp_path}/user/.local/bin"], "what the checks find is found first"


async def test_a_script_starts_with_the_interpreter_that_it_was_installed_for(
    assign: Assign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    versions = tmp_path / "user/.nvm/versions/node"
    for version in ("v14.1.0", "v22.3.0"):
        script(versions / version / "bin/no-node", f'#!/bin/sh\necho {version} $@; . "$0-would"\n')
        script(versions / version / "bin/no-node-would", "no-node-of-commands\n")
        script(versions / version / "bin/no-node-of-commands", f"#!/bin/sh\necho commands {version}\n")
    agent = script(versions / "v22.3.0/bin/one-scripted", "#!/usr/bin/env -S no-node --quiet\n")
    plain = replace(plain_program(tmp_path, "", argument=True), program="one-scripted")
    door = ModelEndpoint("http://127.0.0.1:9999", "token")
    assignment = assign(env={"PATH": f"{versions}/v14.1.0/bin:/usr/bin:/bin"}, door=door)
    for sandbox in (Bubblewrap(), NoSandbox()):
        out = told(await play(ProgramAgent(plain, sandbox, "/usr/bin:/bin"), assignment))
        assert out == [f"v22.3.0 --quiet {agent} Do it.", "commands v14.1.0"]


@pytest.mark.parametrize("laid", ["start", "tmp"])
async def test_a_home_in_which_the_export_has_no_place_costs_only_the_conversation(
    assign: Assign, tmp_path: Path, laid: str
) -> None:
    spoils = f'#!/bin/sh\nrm -r "$HOME/{laid}"; ln -s /etc/hostname "$HOME/{laid}"; echo Done.\n'
    for folder, text in (("old", "#!/bin/sh\necho old\n"), ("new", spoils)):
        script(tmp_path / folder / "no-node", text)
    script(tmp_path / "new" / "one-exported", "#!/usr/bin/env no-node\n")
    form = OwnForm(("talk.txt",), lambda _: (), lambda place: (place.program, "export"))
    plain = replace(
        plain_program(tmp_path, "", argument=False),
        program="one-exported",
        start=lambda place: Start((place.program,), session="one-talk"),
        session_files=lambda _: form.files,
        own_form=form,
    )
    assignment = assign(env={"PATH": f"{tmp_path}/old:/usr/bin:/bin"})
    out = await play(ProgramAgent(plain, NoSandbox(), f"{tmp_path}/new:/usr/bin:/bin"), assignment)
    assert (told(out), finish(out).ok, finish(out).conversation) == (["Done."], True, None)


def test_what_may_be_run_and_not_read_is_no_script(tmp_path: Path) -> None:
    assert interpreter_of(script(tmp_path / "one", "#!/usr/bin/env -S node --quiet\n")) == ("node", "--quiet")
    for other in (script(tmp_path / "two", "#!/bin/sh\n"), tmp_path, tmp_path / "gone"):
        assert interpreter_of(other) == ()


def test_wrote_names_only_files_of_the_lane(tmp_path: Path) -> None:
    from buildwright.agents.programs.program import Run

    (tmp_path / "a.py").write_text("1\n")
    run = Run(tmp_path)
    assert [wrote.path for wrote in run.wrote(str(tmp_path / "a.py")) if isinstance(wrote, Wrote)] == ["a.py"]
    assert list(run.wrote("../../etc/passwd")) == []
    (gone,) = run.wrote("gone.py")
    assert isinstance(gone, Wrote)
    assert gone.deleted
