"""How the program ends, seen from outside: refusals before anything is made, exit codes, signals, and what is left behind."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from tests.cli.conftest import WRITES, Process, Program, shell, write_tasks
from tests.git import git

CASSETTE = """
version: 1
model: claude-sonnet-5-5
turns:
  - when: {task: plan}
    reply: {json: {tasks: [{id: one, title: One, goal: g, acceptance: [a], files_expected: [one.txt], minutes: 1}]}}
  - when: {task: a}
    reply: {files: {a.txt: "a\\n"}}
    usage: {input: 1000000, output: 1000}
  - when: {task: b}
    reply: {files: {b.txt: "b\\n"}}
"""


def wait_for(process: Process, words: str) -> str:
    """Everything that the program says until the words are there."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            return said
    raise AssertionError(f"{words!r} was never said:\n{said}")


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(CASSETTE, encoding="utf-8")
    return path


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "SPEC.md"
    path.write_text("# A thing\n\nIt writes one.txt.\n", encoding="utf-8")
    return path


# --- refusals -------------------------------------------------------------------------------------------------------


def test_what_cannot_run_is_refused_before_a_build_is_made(
    program: Program, repository: Path, three: Path, spec: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    asked: list[tuple[tuple[str | Path, ...], int, str]] = [
        ((three, "--repo", repository, "--agent", "nobody"), 78, "direct, claude, shell"),
        ((three, "--repo", repository), 78, "ANTHROPIC_API_KEY.*OPENAI_API_KEY.*--cassette.*--agent shell"),
        ((three, "--repo", repository, "--model", "gpt-5"), 78, "OPENAI_API_KEY is not set, and gpt-5"),
        ((spec, "--repo", repository, *shell("true")), 78, "planning a Markdown spec asks a model"),
        ((three, "--repo", plain, *shell("true")), 2, "not in a git repository"),
        ((three, "--repo", "ftp://host.invalid/x", *shell("true")), 2, "https://"),
    ]
    for arguments, code, said in asked:
        ended = program("build", *arguments, "--json")
        assert ended.code == code, (arguments, ended)
        error = ended.object["error"]
        assert error["exit"] == code
        assert re.search(said, f"{error['message']} {error['fix']}", re.DOTALL), error
    assert program("status", "--all", "--json").object["builds"] == []


def test_misuse_with_json_is_one_object(program: Program, three: Path) -> None:
    for arguments in (
        ("build", "--json"),
        ("build", three, "--no-lanes", "--concurrency", "x", "--json"),
        ("nix", "--json"),
    ):
        ended = program(*arguments)
        assert (ended.code, ended.object["error"]["exit"], ended.object["schema"]) == (2, 2, 1)


def test_a_plan_of_a_spec_leaves_nothing(program: Program, repository: Path, cassette: Path, spec: Path) -> None:
    plan = program("plan", spec, "--repo", repository, "--cassette", cassette, "--check", "true", "--json")
    assert plan.code == 0, plan.err
    assert [task["id"] for task in plan.object["tasks"]] == ["one"]
    assert program("status", "--all", "--json").object["builds"] == []
    kept = [path for path in program.home.rglob("*") if "plan-" in path.name]
    assert kept == []


def test_no_plan_is_bought_for_a_repository_that_fails(
    program: Program, repository: Path, cassette: Path, spec: Path
) -> None:
    given = ("plan", spec, "--repo", repository, "--cassette", cassette, "--check", "test:goal=echo at 1 of 3; false")
    refused = program(*given)
    assert refused.code == 2, refused.err
    assert "no plan is paid for" in refused.err
    assert "at 1 of 3" in refused.err
    assert "plan anyway with --accept-base goal" in refused.err
    for more in ("--accept-base", "goal"), ("--accept-base",):
        planned = program(*given, *more)
        assert planned.code == 0, planned.err
        assert f"--check 'test:goal=echo at 1 of 3; false' {' '.join(more)}\n" in planned.err
    assert program(*given[:2], "--cassette", cassette).code == 0, "without a repository there is nothing to judge"


def test_an_agent_that_hides_the_refusal_of_its_key_costs_no_attempt(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    """Some say that they are done when the provider has refused them, and end with 0."""
    refused = tmp_path / "refused.yaml"
    refused.write_text(
        "version: 1\nturns:\n  - {reply: {text: x}, faults: [{kind: 401, times: 9}]}\n", encoding="utf-8"
    )
    tasks = write_tasks(tmp_path / "a.json", {"id": "a", "title": "A", "goal": "write a.txt"})
    body = json.dumps({"model": "gpt-5.5", "messages": [{"role": "user", "content": "hello"}]})
    asks = f"curl -s -H 'Authorization: Bearer '$OPENAI_API_KEY -d '{body}' $OPENAI_BASE_URL/chat/completions; true"
    given = ("--repo", repository, "--agent", "shell", "--agent-command", asks, "--no-gates", "--sandbox", "none")
    ended = program("build", tasks, *given, "--cassette", refused, "--json")
    assert ended.code == 4, ended.err
    (told,) = [line["message"] for line in ended.lines if line.get("type") == "build.paused"]
    assert told.startswith("the provider refuses the key: status 401")
    assert told.endswith("Fix: check OPENAI_API_KEY, in the environment or in .env")


def test_the_cassette_is_found_from_another_folder(
    program: Program, repository: Path, cassette: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "b.json", {"id": "b", "title": "B", "goal": "write b.txt"})
    relative = os.path.relpath(cassette, program.directory)
    built = program("build", tasks, "--repo", repository, "--cassette", relative, "--no-gates", "--sandbox", "none")
    assert built.code == 0, built.err
    created = program("events", "").lines[0]
    assert created["options"]["cassette"] == str(cassette)


def test_warnings_of_libraries_go_to_a_file(program: Program, repository: Path, cassette: Path, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "none.json", {"id": "none", "title": "No answer", "goal": "x"})
    paused = program(
        "build",
        tasks,
        "--repo",
        repository,
        "--cassette",
        cassette,
        "--no-gates",
        "--sandbox",
        "none",
        "--attempts",
        "1",
    )
    assert paused.code == 4, paused.err
    assert "has no answer" in (program.home / "warnings.log").read_text(encoding="utf-8")
    assert all(line[:1] in "✗•↻‖" for line in paused.err.splitlines()[3:]), paused.err
    assert paused.err.count("The request failed") == 1
    assert max(map(len, paused.err.splitlines())) < 350


# --- exit codes -----------------------------------------------------------------------------------------------------


def test_a_spent_budget_is_exit_5_and_a_larger_one_goes_on(
    program: Program, repository: Path, cassette: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "A", "goal": "write a.txt"},
        {"id": "b", "title": "B", "goal": "write b.txt", "depends_on": ["a"]},
    )
    given = ("--cassette", cassette, "--no-gates", "--sandbox", "none", "--max-cost", "0.50")
    spent = program("build", tasks, "--repo", repository, *given)
    assert spent.code == 5, spent.err
    assert "--max-cost 4.0" in spent.out, "twice of what is spent"
    more = program("resume", "--max-cost", "100")
    assert more.code == 0, more.err


def test_a_user_is_warned_before_the_budget_is_spent(
    program: Program, repository: Path, cassette: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "write a.txt"})  # for 2.01 dollars
    told = tmp_path / "told"
    given = ("--cassette", cassette, "--no-gates", "--sandbox", "none", "--notify", f"cat >> {told}; echo >> {told}")
    ended = program("build", tasks, "--repo", repository, "--max-cost", "4", *given)
    assert ended.code == 0, ended.err
    assert "50 % of the budget are spent: $2.01 of $4.00" in ended.err
    warned, finished = [json.loads(line) for line in told.read_text("utf-8").splitlines()]
    assert (warned["event"], finished["event"]) == ("budget", "finished")
    assert warned["message"] == "50 % of the budget are spent: $2.01 of $4.00"


def test_what_is_told_of_a_budget_is_not_told_again(
    program: Program, repository: Path, cassette: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "A", "goal": "write a.txt"},
        {"id": "b", "title": "B", "goal": "write b.txt", "depends_on": ["a"]},
    )
    given = ("--cassette", cassette, "--no-gates", "--sandbox", "none", "--max-cost", "1")
    assert program("build", tasks, "--repo", repository, *given).code == 5
    raised = program("resume", "--max-cost", "3")
    assert raised.code == 0, raised.err
    assert "Changed: --max-cost." in raised.err
    reached = [line["percent"] for line in program("events", "").lines if line["type"] == "budget.reached"]
    assert reached == [100], "the half of the new budget was spent before it was set"


def test_a_base_that_does_not_pass_pauses_unless_that_is_accepted(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    options = shell("sleep 1; " + WRITES, "--check", "test:goal=test -e a.txt")
    paused = program("build", tasks, "--repo", repository, *options)
    assert paused.code == 4
    assert "before any change" in paused.err
    assert "continue anyway" in paused.out
    assert "task.started" not in program("events", "").out, "no agent is paid for before the base is judged"
    why = program("why", "", "base")
    assert "does not pass its own checks: the project is at fault" in why.out
    assert "Gate goal: refused (test -e a.txt, exit 1" in why.out
    assert program("resume").code == 0
    for more in ("--accept-base",), ("--accept-base", "goal"):
        accepted = program("build", tasks, "--repo", repository, *options, "--new", *more)
        assert accepted.code == 0, accepted.err
        assert ("before any change" in accepted.err) == ("goal" not in more)


def test_a_base_that_fails_ends_a_build_that_asks_nobody_before_it_pays(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    options = shell(WRITES, "--check", "test:goal=echo no a.txt yet; test -e a.txt", "--on-failure", "fail")
    ended = program("build", tasks, "--repo", repository, *options)
    assert ended.code == 3, ended.err
    assert "no a.txt yet" in ended.out
    assert "start again with --accept-base goal" in ended.out
    assert "task.started" not in program("events", "").out
    assert re.search(r"why [0-9a-f]{8} base\n$", ended.out)
    for shown in program("status").out, program("why", "", "base").out, program("why", "").out:
        assert "no a.txt yet" in shown
    why = program("why", "")
    assert "It failed: your project already fails its own checks" in why.out
    assert re.search(r"Next: .*why [0-9a-f]{8} base\n$", why.err)


def test_the_last_lines_of_what_failed_are_on_the_screen(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    check = "test:goal=echo AssertionError: expected 3 got 4; echo; echo python3: No module named pytest; false"
    paused = program("build", tasks, "--repo", repository, *shell(WRITES, "--check", check))
    assert paused.code == 4
    whys = program("why", "", "base").out, program("why", "").out
    for shown in paused.err, paused.out, program("status").out, *whys:
        assert "expected 3 got 4" in shown
        assert "fix: pytest is not in the Python of the checks, /" in shown


@pytest.mark.parametrize(
    ("more", "at_fault", "said"),
    [
        (("--check", "test:t=sleep 60", "--gate-time", "1"), "a limit", "resume [0-9a-f]{8} --gate-time 2"),
        (("--setup", "echo no such index; exit 4", "--check", "true"), "the project's set-up", "no such index"),
        (("--check", "test:t=nosuchprogram --all"), "this machine", "nosuchprogram.*was not found"),
        (("--check", "test:t=false"), "the project", "continue anyway"),
    ],
)
def test_whose_fault_it_is_stands_where_it_stops(
    program: Program, repository: Path, tmp_path: Path, more: tuple[str, ...], at_fault: str, said: str
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    told = tmp_path / "told"
    words = (*shell(WRITES, *more), "--notify", f"echo $BUILDWRIGHT_FAULT > {told}")
    paused = program("build", tasks, "--repo", repository, *words)
    assert paused.code == 4, paused.err
    assert re.search(said, paused.out), paused.out
    for shown in paused.out, program("status").out, program("why", "").out:
        assert f"at fault: {at_fault}\n" in shown
        assert "You can\n" in shown
    assert program("why", "", "--json").object["pause"]["choices"]
    assert f": {at_fault} is at fault, not a task." in program("why", "", "base").out
    fault = program("status", "--json").object["pause"]["fault"]
    assert (program("events", "").lines[-1]["fault"], told.read_text().strip()) == (fault, fault)


def test_a_project_without_checks_is_a_question_before_the_start(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    paused = program("build", tasks, "--repo", repository, *shell(WRITES))
    assert paused.code == 4
    for choice in ("--check", "--no-gates", "--accept-base checks.none"):
        assert choice in paused.out
    assert "task.started" not in program("events", "").out
    tests = "printf 'import unittest\nclass T(unittest.TestCase):\n def test_a(self): pass\n' > test_a.py"
    accepted = program("build", tasks, "--repo", repository, *shell(tests, "--new", "--accept-base", "checks.none"))
    assert accepted.code == 0, accepted.err


def test_a_final_refusal_by_a_gate_is_exit_3(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    options = shell(WRITES, "--check", "test:never=test ! -e a.txt", "--attempts", "1", "--on-failure", "fail")
    refused = program("build", tasks, "--repo", repository, *options)
    assert refused.code == 3, refused.err + refused.out
    why = program("why", "", "a")
    assert why.code == 0
    assert "Gate never: refused" in why.out


def test_what_the_checks_leave_out_is_said_at_the_beginning_and_the_end(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    (repository / "package.json").write_text('{"scripts": {"lint": "eslint ."}}')
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "lint")
    planned = program("plan", tasks, "--repo", repository)
    assert "Each change is judged by: npm run lint" in planned.out
    assert "warning: No command tests this project" in planned.out
    check = ("--check", "test:some=test ! -e no || true")
    done = program("build", tasks, "--repo", repository, *shell(WRITES, *check))
    assert done.code == 0, done.err
    assert "before any change the checks leave out" in done.err
    assert "checks.hidden_exit" in done.err
    assert "warning: An end that always succeeds may hide a failure" in done.out
    status = program("status", "--json")
    assert "checks.hidden_exit" in status.object["warnings"][0]


def test_a_task_can_be_skipped(program: Program, repository: Path, three: Path) -> None:
    fails = f'test "$BUILDWRIGHT_TASK_ID" != a && {WRITES}'
    assert program("build", three, "--repo", repository, *shell(fails, "--no-gates", "--attempts", "1")).code == 4
    done = program("resume", "--skip", "--json")
    assert done.code == 0, done.err
    assert done.lines[-1]["counts"] == {"done": 2, "skipped": 1}
    assert "given up by the user" in program("why", "", "a").out


def test_steering_a_build_in_the_wrong_state_is_exit_7_in_words(
    program: Program, repository: Path, three: Path
) -> None:
    assert program("build", three, "--repo", repository, *shell("false", "--no-gates", "--attempts", "1")).code == 4
    again = program("pause")
    assert (again.code, "paused already" in again.err, "fix" in again.err) == (7, True, True)
    said = program("say", "", "be quick")
    assert said.code == 0
    assert "It waits for the next agent." in said.err
    assert "resume" in said.err
    assert "Not heard yet by any agent: be quick" in program("status").out
    assert program("status", "--json").object["unheard"][0]["text"] == "be quick"
    assert program("resume", "--retry", "--no-run").code == 0
    rests = program("status")
    assert "waits for a process to run it" in rests.out
    assert "Next: " not in rests.out, "nothing would be seen to watch"
    assert "No process runs it now" in rests.err
    twice = program("resume", "--retry")
    assert (twice.code, "not paused" in twice.err) == (7, True)
    given_up = program("resume", "--abort", "--no-run")
    assert (given_up.code, "buildwright stop " in given_up.err) == (7, True)
    assert program("stop", "--yes").code == 0
    opened = program("resume", "--no-run")  # something of it is left
    assert opened.code == 0, opened.err
    assert program("status", "--json").object["outcome"] == ""


# --- pushing --------------------------------------------------------------------------------------------------------


@pytest.fixture
def origin(repository: Path, tmp_path: Path) -> Path:
    bare = tmp_path / "origin.git"
    subprocess.run(["git", "clone", "-q", "--bare", repository, bare], check=True)
    subprocess.run(["git", "remote", "add", "origin", bare], cwd=repository, check=True)
    return bare


def test_a_push_is_asked_for_on_a_terminal_and_happens(
    program: Program, repository: Path, origin: Path, three: Path
) -> None:
    command: list[str | Path] = [
        "build",
        three,
        "--repo",
        repository,
        "--push",
        "origin",
        "--branch",
        "made",
        *shell(WRITES, "--no-gates"),
    ]
    leader, follower = pty.openpty()
    try:
        asking = subprocess.Popen(
            [sys.executable, "-m", "buildwright", *map(str, command)],
            cwd=program.directory,
            env=program.environment,
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=follower,
        )
        os.write(leader, b"n\n")
        asking.communicate(timeout=60)
        assert asking.returncode == 2
        assert b"Push the result to origin" in os.read(leader, 10_000)
    finally:
        os.close(leader)
        os.close(follower)
    assert program("status", "--all", "--json").object["builds"] == []
    pushed = program(*command, "--yes")
    assert pushed.code == 0, pushed.err
    log = subprocess.run(["git", "log", "--oneline", "made"], cwd=origin, capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == 4


# --- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_termination_and_a_closed_terminal_let_go(program: Program, tmp_path: Path, number: signal.Signals) -> None:
    tasks = write_tasks(tmp_path / "slow.json", {"id": "slow", "title": "Slow", "goal": "sleep 60"})
    running = program.start("build", tasks, "--agent", "sleep", "--no-lanes")
    wait_for(running, "slow started")
    running.send_signal(number)
    running.communicate(timeout=30)
    assert running.returncode == 130
    status = program("status", "--json").object
    assert (status["control"], status["runner"]) == ("running", None)


def test_a_second_ctrl_c_ends_at_once_even_if_the_agent_will_not(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "deaf.json", {"id": "deaf", "title": "Deaf", "goal": "x"})
    mark = tmp_path / "pid"
    deaf = f"trap '' TERM INT HUP; echo $$ > {mark}; echo ready; while :; do sleep 1; done"
    running = program.start("build", tasks, "--repo", repository, *shell(deaf, "--no-gates"))
    wait_for(running, "deaf started")
    while not mark.exists() or not mark.read_text():
        assert running.poll() is None
    agent = psutil.Process(int(mark.read_text()))
    running.send_signal(signal.SIGINT)
    wait_for(running, "stopping safely")
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode == 130
    psutil.wait_procs([agent], timeout=10)
    assert not agent.is_running()
    again = program("status", "--json").object
    assert (again["control"], again["runner"]) == ("running", None)


# --- watching -------------------------------------------------------------------------------------------------------


def test_logs_are_followed_to_the_end_and_no_socket_is_opened_without_a_model(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "A", "goal": "x"})
    gate = tmp_path / "go"
    says = f'echo started; while [ ! -e {gate} ]; do sleep 0.05; done; echo "url:$ANTHROPIC_BASE_URL."; {WRITES}'
    running = program.start("build", tasks, "--repo", repository, *shell(says, "--no-gates"), "--json")
    assert running.stdout is not None
    for line in running.stdout:
        if json.loads(line)["type"] == "task.started":
            break
    following = program.start("logs", "", "-f", "--task", "a")
    assert following.stdout is not None
    assert "started" in following.stdout.readline()
    listening = [each for each in psutil.Process(running.pid).net_connections("inet") if each.status == "LISTEN"]
    assert listening == []
    gate.touch()
    out, err = following.communicate(timeout=30)
    assert (following.returncode, "url:." in out) == (0, True), out + err
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_the_shell_agent_works_without_lanes(program: Program, three: Path, tmp_path: Path) -> None:
    done = program("build", three, "--no-lanes", *shell(f'echo "$BUILDWRIGHT_TASK_ID" >> {tmp_path}/done'))
    assert done.code == 0, done.err
    assert sorted((tmp_path / "done").read_text().split()) == ["a", "b", "c"]


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """A server that answers 404 to everything, as a provider's bare address does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_doctor_asks_the_providers_only_when_told(program: Program) -> None:
    with socket.socket() as closed, provider() as url:
        closed.bind(("127.0.0.1", 0))
        refused = f"http://127.0.0.1:{closed.getsockname()[1]}"
        ended = program("doctor", "--online", "--json", ANTHROPIC_BASE_URL=url, OPENAI_BASE_URL=refused)
    checks = {check["name"]: check for check in ended.object["checks"]}
    assert checks["anthropic online"]["ok"]
    assert "(404)" in checks["anthropic online"]["found"]
    assert not checks["openai online"]["ok"]
    offline = program("doctor", "--json").object
    assert not any("online" in check["name"] for check in offline["checks"])


def test_newest_names_a_build_wherever_an_id_is_asked_for(program: Program, repository: Path, three: Path) -> None:
    assert program("build", three, "--repo", repository, "--no-gates", *shell(WRITES)).code == 0
    for verb in (("why", "newest", "a"), ("events", "newest"), ("gates", "newest"), ("status", "newest")):
        ended = program(*verb, "--json")
        assert ended.code == 0, ended.err
    assert program("logs", "newest", "--tail", "-5").code == 2
    assert program("events", "newest", "--after", "-1").code == 2


def test_the_clock_of_a_paused_build_stands(program: Program, repository: Path, tmp_path: Path) -> None:
    one = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First", "goal": "Write a.txt."})
    assert program("build", one, "--repo", repository, "--no-gates", "--attempts", "1", *shell("exit 1")).code == 4
    first, second = program("status", "--json").object, program("status", "--json").object
    assert first["seconds"] == second["seconds"] > 0
    assert first["tasks"][0]["seconds"] == second["tasks"][0]["seconds"]


def test_a_skipped_task_stands_in_the_summary(program: Program, repository: Path, tmp_path: Path) -> None:
    two = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "First", "goal": "Write a.txt."},
        {"id": "b", "title": "Second", "goal": "Write b.txt."},
    )
    works = f'[ "$BUILDWRIGHT_TASK_ID" = b ] && exit 1; {WRITES}'
    line: tuple[str | Path, ...] = ("build", two, "--repo", repository, "--no-gates", "--attempts", "1", *shell(works))
    assert program(*line).code == 4
    ended = program("resume", "--skip")
    assert ended.code == 0, ended.err
    assert "1 of 2 tasks done, 1 skipped" in ended.out


def test_after_a_push_the_next_command_works(program: Program, repository: Path, three: Path, tmp_path: Path) -> None:
    git(repository, "clone", "-q", "--bare", ".", str(tmp_path / "remote"))
    git(repository, "remote", "add", "origin", str(tmp_path / "remote"))
    pushed = ("--push", "origin", "--branch", "feature/one", "--yes")
    ended = program("build", three, "--repo", repository, "--no-gates", *pushed, *shell(WRITES))
    assert ended.code == 0, ended.err
    assert "Next: " in ended.out
    assert "git -C" not in ended.out.partition("Next: ")[2]


def test_what_an_agent_was_denied_is_told_of_an_attempt_that_its_time_limit_ended(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"})
    agent = ("--agent", "shell", "--agent-command", "curl -s https://far.invalid/; echo asked; sleep 60")
    limits = ("--task-time", "8", "--attempts", "1", "--on-failure", "fail", "--no-gates")
    ended = program("build", tasks, "--repo", repository, *agent, *limits, "--json")
    events = {event["type"]: event for event in ended.lines}
    assert events["agent.broke"]["kind"] == "timeout", events["agent.broke"]
    assert events["agent.denied"]["places"] == ["far.invalid:443"]
    assert "far.invalid:443" in program("why", "newest", "a").out


def test_an_agent_that_says_it_is_done_when_its_last_request_was_one_too_many_is_not_done(
    program: Program, repository: Path, tmp_path: Path, cassette: Path
) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"})
    asked = json.dumps({"model": "claude-sonnet-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
    head = '-H "x-api-key: $ANTHROPIC_API_KEY" -H "content-type: application/json"'
    ask = f"curl -s $ANTHROPIC_BASE_URL/v1/messages {head} -d '{asked}'"
    agent = ("--agent", "shell", "--agent-command", f"{ask}; {ask}; echo half > a.txt", "--cassette", cassette)
    limits = ("--requests", "1", "--attempts", "1", "--on-failure", "fail", "--no-gates")
    ended = program("build", tasks, "--repo", repository, *agent, *limits, "--json")
    events = {event["type"]: event for event in ended.lines}
    assert events["agent.broke"]["kind"] == "request_limit", list(events)
    assert ended.code == 1
