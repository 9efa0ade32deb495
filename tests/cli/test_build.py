"""The verbs on real builds, each in processes of its own."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import WRITES, Program, shell, write_tasks

SLEEPS = ("--agent", "sleep", "--no-lanes")


def branches(repository: Path) -> str:
    done = subprocess.run(["git", "branch", "--list"], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout


def test_a_build_from_spec_to_branch_and_every_way_to_look_at_it(
    program: Program, repository: Path, three: Path
) -> None:
    built = program("build", three, "--repo", repository, *shell(WRITES, "--no-gates", "--branch", "made"))
    assert built.code == 0, built.err
    assert "✓ a done in " in built.err
    assert "✓ delivered to branch made" in built.err
    assert "\x1b" not in built.err + built.out
    assert f"Next: git -C {repository} log --oneline made" in built.out
    assert "made" in branches(repository)

    status = program("status", "--json").object
    assert (status["schema"], status["outcome"], status["counts"], status["runner"]) == (
        1,
        "succeeded",
        {"done": 3},
        None,
    )
    short = status["id"][:6]
    shown = program("status", short)
    assert shown.code == 0
    assert all(f"{task}     done" in shown.out for task in "abc")
    assert program("status", "--all", "--json").object["builds"][0]["build_id"] == status["id"]

    journal = program("events", short).lines
    assert [event["seq"] for event in journal] == list(range(1, status["version"] + 1))
    assert (journal[0]["type"], journal[-1]["type"]) == ("build.created", "build.finished")
    assert program("events", short, "--after", "3", "-f").lines == journal[3:]

    diff = program("diff", short, "--json").object
    assert diff["files"] == [{"path": f"{task}.txt", "added": 1, "removed": 0} for task in "abc"]
    assert program("diff", short).out == diff["diff"]
    assert program("diff", short, "b", "--stat").out.splitlines() == ["b.txt  +1 -0", "1 file, +1 -0"]

    why = program("why", short, "b", "--json").object
    assert why["answer"].startswith("It is done: attempt 1 passed and landed as ")
    assert why["depends_on"] == [{"id": "a", "phase": "done", "met": True}]
    told = program("why", short, "b")
    assert told.out.startswith("b (done): Second\nIt is done")

    over = program("stop", short)
    assert over.code == 7
    assert "  fix: " in over.err


def test_json_is_events_and_then_one_summary(program: Program, three: Path) -> None:
    built = program("build", three, *SLEEPS, "--json")
    assert built.code == 0, built.err
    *events, summary = built.lines
    assert all(line["schema"] == 1 for line in built.lines)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)) or events[0]["seq"] > 1
    assert (summary["type"], summary["exit"], summary["outcome"]) == ("summary", 0, "succeeded")
    assert summary["next"]


def test_a_failing_task_pauses_with_its_choices_and_each_choice_works(
    program: Program, repository: Path, three: Path
) -> None:
    fails = f'if [ "$BUILDWRIGHT_TASK_ID" = a ] && [ ! -e {repository}/.ok ]; then echo no; exit 1; fi; {WRITES}'
    options: tuple[str | Path, ...] = ("--repo", repository, *shell(fails, "--no-gates", "--attempts", "1"))
    paused = program("build", three, *options)
    assert paused.code == 4, paused.err
    assert "--retry" in paused.out
    assert "--skip" in paused.out
    assert "--abort" in paused.out

    again = program("build", three, *options)
    assert again.code == 4
    assert "Continuing build" in again.err

    assert program("resume").code == 7
    assert program("resume", "-m", "x").code == 2
    assert program("resume", "--retry", "--skip").code == 2
    recorded = program("resume", "--retry", "-m", "look again", "--no-run", "--json")
    assert (recorded.code, recorded.object["control"]) == (0, "running")
    (repository / ".ok").touch()
    done = program("run")
    assert done.code == 0, done.err
    why = program("why", "", "a", "--json").object
    assert why["guidance"] == ["look again"]
    assert [attempt["outcome"] for attempt in why["attempts"]] == ["agent failed", "landed"]


def test_the_same_command_continues_a_build_whose_start_chose_the_sandbox_and_read_of_agents(
    program: Program, repository: Path, three: Path
) -> None:
    (repository / "buildwright.toml").write_text('[agents.careful]\nagent = "claude"\nmodel = "claude-opus-5"\n')
    options = ("--repo", repository, "--agent", "shell", "--agent-command", "exit 1", "--no-gates", "--attempts", "1")
    begun = program("build", three, *options)
    assert begun.code == 4, begun.err
    again = program("build", three, *options)
    assert f"Continuing build {begun.err.split()[1][:8]}" in again.err
    # No sandbox is another matter.
    other = program("build", three, *options, "--sandbox", "none").err.splitlines()
    assert "is unfinished, and began with another --sandbox, so this is a new build" in other[0]
    assert other[1].startswith("Build ")


def test_the_last_way_out_of_a_pause_ends_the_build(program: Program, repository: Path, three: Path) -> None:
    options: tuple[str | Path, ...] = ("--repo", repository, *shell("exit 1", "--no-gates", "--attempts", "1"))
    assert program("build", three, *options).code == 4
    assert program("resume", "--abort").code == 1
    assert program("status", "--json").object["outcome"] == "aborted"
    assert program("build", three, *options).err.startswith("Build ")


def test_ctrl_c_lets_go_and_the_same_command_goes_on(program: Program, tmp_path: Path) -> None:
    first = {"id": "quick", "title": "Quick", "goal": "sleep 0.01"}
    tasks = write_tasks(
        tmp_path / "tasks.json", first, {"id": "slow", "title": "Slow", "goal": "sleep 2", "depends_on": ["quick"]}
    )
    running = program.start("build", tasks, *SLEEPS)
    assert running.stderr is not None
    for line in running.stderr:
        if "slow started" in line:
            break
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130, said
    assert re.search(r"continue it with: BUILDWRIGHT_HOME=\S+ \S+ -m buildwright run ", said)
    again = program("build", tasks, *SLEEPS)
    assert again.code == 0, again.err
    assert "Continuing build" in again.err
    assert program("why", "", "quick", "--json").object["state"]["attempt"] == 1


def test_a_second_process_cannot_run_the_build_but_can_steer_it(program: Program, tmp_path: Path) -> None:
    tasks = write_tasks(
        tmp_path / "tasks.json",
        {"id": "one", "title": "One", "goal": "sleep 3"},
        {"id": "two", "title": "Two", "goal": "sleep 30", "depends_on": ["one"]},
    )
    running = program.start("build", tasks, *SLEEPS, "--json")
    assert running.stdout is not None
    for line in running.stdout:
        if json.loads(line)["type"] == "task.started":
            break
    second = program("run", "--json")
    assert (second.code, second.object["error"]["kind"]) == (7, "BuildIsRunning")
    said = program("say", "", "hurry", "--json")
    assert said.object["message"]
    assert program("pause", "-m", "lunch").code == 0
    out, err = running.communicate(timeout=30)
    assert running.returncode == 4, err
    assert json.loads(out.splitlines()[-1])["pause"]["reason"] == "user"
    assert program("stop", "--yes").code == 0
    assert program("status", "--json").object["outcome"] == "stopped"


def test_a_detached_build_runs_on_and_is_watched(program: Program, three: Path) -> None:
    detached = program("build", three, *SLEEPS, "--detach", "--json")
    assert detached.code == 0, detached.err
    watched = program("status", detached.object["build"], "--watch")
    assert watched.code == 0
    assert "Sample: succeeded" in watched.out
    assert Path(detached.object["log"]).parent == program.home / "detached"


def test_a_reader_that_leaves_ends_nothing(program: Program, three: Path) -> None:
    running = program.start("build", three, *SLEEPS, "--json")
    assert running.stdout is not None
    assert running.stderr is not None
    running.stdout.readline()
    running.stdout.close()
    with running.stderr as stderr:
        said = stderr.read()
    assert (running.wait(timeout=30), "Traceback" in said, "BrokenPipe" in said) == (0, False, False)
    assert program("status", "--json").object["outcome"] == "succeeded"


def test_a_plan_is_shown_without_a_model(program: Program, three: Path) -> None:
    plan = program("plan", three, "--json").object
    assert plan["waves"] == [["a"], ["b", "c"]]
    assert plan["critical_path"] == ["a", "b"]
    shown = program("plan", three)
    assert shown.code == 0
    assert "3 tasks in 2 waves" in shown.out
    assert f"-m buildwright build {three} --repo PATH" in shown.err


def test_bad_input_is_refused_with_a_fix(program: Program, repository: Path, tmp_path: Path, three: Path) -> None:
    circle = write_tasks(
        tmp_path / "circle.json",
        {"id": "a", "title": "A", "depends_on": ["b"]},
        {"id": "b", "title": "B", "depends_on": ["a"]},
    )
    asked: list[tuple[tuple[str | Path, ...], int, str]] = [
        (("status", "zzz"), 2, "no build"),
        (("why", "", "a"), 2, "no build"),
        (("plan", circle), 2, "circle"),
        (("build", tmp_path / "none.json"), 2, "none.json"),
        (("build", three, "--repo", tmp_path / "none"), 2, "no folder"),
        (("build", three, "--repo", repository, "--agent", "nobody"), 78, "nobody"),
        (("build", three, "--repo", repository, "--base", "nosuch", *shell(WRITES)), 2, "tag or commit 'nosuch'"),
        (("build", three, "--repo", repository, "--branch", "main", *shell(WRITES)), 7, "main is checked out"),
        (("build", three, "--repo", repository, "--branch", "main/one", *shell(WRITES)), 7, "main stands in the way"),
    ]
    for arguments, code, said in asked:
        ended = program(*arguments)
        assert (ended.code, ended.out) == (code, ""), (arguments, ended)
        assert said in ended.err
        assert "  fix: " in ended.err
        assert "Traceback" not in ended.err
    assert program("status", "--all", "--json").object["builds"] == [], "none of it makes a build"


def test_a_home_that_cannot_be_used_is_an_error_in_words(program: Program) -> None:
    program.home.mkdir()
    (program.home / "buildwright.db").mkdir()
    ended = program("status")
    assert ended.code != 0
    assert "Traceback" not in ended.err
    assert "error: " in ended.err


def test_the_database_is_migrated_asked_and_rolled_back(program: Program) -> None:
    assert program("db", "version", "--json").object["revision"] == ""
    made = program("db", "migrate", "--json").object
    assert made["revision"] == made["wanted"] != ""
    assert Path(made["database"]).is_file()
    assert program("db", "rollback", "--json").object["revision"] != made["wanted"]
    assert program("db", "migrate").code == 0


def test_the_doctor_finds_git_and_never_shows_a_key(program: Program) -> None:
    ended = program("doctor", "--json", ANTHROPIC_API_KEY="sk-ant-secret-value", OPENAI_API_KEY="")
    checks = {check["name"]: check for check in ended.object["checks"]}
    assert ended.code == (0 if ended.object["ok"] else 78)
    assert checks["git"]["ok"]
    assert checks["git"]["found"].startswith("git version")
    assert (checks["ANTHROPIC_API_KEY"]["found"], checks["OPENAI_API_KEY"]["ok"]) == ("present", False)
    assert "secret" not in ended.out + ended.err
    for name, asked in (("go", "version"), ("podman", "--version")):
        tool = program.directory / name
        tool.write_text(f'#!/bin/sh\n[ "$*" = {asked} ] && echo {name} 9.9\n')
        tool.chmod(0o755)
    bare = program("doctor", PATH=str(program.directory))
    assert "go 9.9" in bare.out
    assert "podman 9.9" in bare.out
    assert "Rust projects cannot be checked" in bare.out
    assert bare.code == 78
    assert "nothing can be built" in bare.out


def test_the_doctor_tells_of_a_home_that_all_users_can_change(program: Program) -> None:
    program.home.mkdir(exist_ok=True)
    for mode, is_told in ((0o777, True), (0o700, False)):
        program.home.chmod(mode)
        (home,) = [one for one in program("doctor", "--json").object["checks"] if one["name"] == "home"]
        assert (f"chmod 700 {program.home}" in home["found"]) is is_told


def test_the_doctor_tries_bubblewrap(program: Program) -> None:
    broken = program.directory / "bwrap"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && exec echo bubblewrap 9.9\necho no namespaces >&2; exit 1\n')
    broken.chmod(0o755)
    path = f"{program.directory}:{program.environment['PATH']}"
    checks = {check["name"]: check for check in program("doctor", "--json", PATH=path).object["checks"]}
    assert not checks["bwrap"]["ok"]
    assert checks["bwrap"]["found"].startswith("bubblewrap 9.9, ")


def test_the_doctor_shows_what_a_program_says_without_its_colours(program: Program) -> None:
    """Maven sends bold letters into a pipe as well."""
    loud = program.directory / "mvn"
    loud.write_text("#!/bin/sh\nprintf '\\033[1mApache Maven 9\\033[m%0300d\\n' 0\n")
    loud.chmod(0o755)
    path = f"{program.directory}:{program.environment['PATH']}"
    checks = {check["name"]: check for check in program("doctor", "--json", PATH=path).object["checks"]}
    assert checks["mvn"]["found"].rstrip("0") == "Apache Maven 9"
    assert len(checks["mvn"]["found"]) == 200


def test_importing_the_package_does_no_work(program: Program) -> None:
    script = (
        "import sys, buildwright; before = [n for n in sys.modules if n.startswith('buildwright')]\n"
        "assert before == ['buildwright'], before; assert 'pydantic' not in sys.modules\n"
        "from buildwright import Orchestrator, Task, Options; assert Orchestrator.__module__ == 'buildwright.library'\n"
        "missing = [n for n in buildwright.__all__ if not hasattr(buildwright, n)]; assert not missing, missing\n"
    )
    subprocess.run([sys.executable, "-c", script], env=program.environment, check=True)


def test_a_run_of_checks_is_logged_with_its_limit_and_its_end(program: Program, repository: Path, three: Path) -> None:
    done = program("build", three, "--repo", repository, *shell(WRITES, "--check", "ok=test -e README.md"))
    assert done.code == 0, done.err
    lines = [line for line in program("logs", "--json").lines if line["kind"] == "command"]
    texts = [line["text"] for line in lines if line["task"] == "a"]
    assert texts[:2] == ["ok: test -e README.md (at most 120 s)", "ok exited with code 0"]
    assert program("run").err.splitlines()[0].startswith("Build ")
