from __future__ import annotations

import asyncio
import io
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from buildwright.cli.app import report_error
from buildwright.cli.build_options import BuildOptions
from buildwright.cli.current_steps import CurrentSteps, waiting_rows
from buildwright.cli.event_text import tell
from buildwright.cli.exit_codes import MEANINGS, Exit, exit_for, exit_of
from buildwright.cli.live import LiveView, region, status_line
from buildwright.cli.options import options_of, read_check, read_money, read_repository
from buildwright.cli.output import Glyphs, Output, clean, one_line, wrapped
from buildwright.cli.summary import print_summary
from buildwright.cli.table import Cell, Column, TableCell, cells, duration, table, tokens
from buildwright.core import event as e
from buildwright.core.figures import count, money
from buildwright.core.finding import Finding, Report, Verdict
from buildwright.core.limits import Delivery, Options
from buildwright.core.running_command import RunningCommand
from buildwright.core.task import Task
from buildwright.errors import (
    BadRepository,
    BadSettings,
    BadSpec,
    DiskFull,
    Forbidden,
    IllegalMove,
    KeyReused,
    Refused,
    TooMany,
    Unauthorized,
)
from buildwright.ports import LogEntry
from buildwright.wiring.changes import FileStat, file_stats
from tests.views.test_overview import FAILED, LATER, build_of, finished, journal, landed, started


def heard(*events: e.AnyEvent) -> list[str]:
    """The lines for a journal, in order, with the sign's name in front."""
    recorded = journal(*events)
    lines = [tell(each, build_of(recorded[:number])) for number, each in enumerate(recorded, 1)]
    return [f"{line.tone} {line.text}" for line in lines if line is not None]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_good_run_is_told_in_few_words() -> None:
    assert heard(started("money"), finished("money"), *landed("money")) == [
        "dot building on main at c0",
        "dot planned 4 tasks in 2 waves",
        "dot money started: Amounts",
        "done money done in 4.0 s",
    ]


def test_a_refusal_names_the_gate_and_the_first_finding() -> None:
    lines = heard(*FAILED)
    refused = "bad money did not pass, tests: test_money.py:4: 1 != 2 [pytest.failed] (+1 more)"
    assert lines[3:6] == [refused, "again money starts again (attempt 2), with the findings as feedback", refused]
    assert lines[-2:] == ["bad money failed after 2 attempts", "pause paused: money needs you"]


def test_text_of_others_cannot_steer_the_terminal() -> None:
    assert clean("a\x1b[2Jb\x1b]0;title\x07c\u202ed\te\nf\x07") == "abcd\te\nf"
    assert one_line("\n\n  \x1b[31mred   text\x1b[0m \r\n more") == "red text"
    assert one_line("x" * 300, 10) == "xxxxxxx..."
    assert one_line("a whole sentence that is long", 20) == "a whole sentence ...", "cut between words"
    broke = e.AgentBroke(task="money", attempt=1, kind="crashed", message="\x1b]0;pwned\x07bad\nnext")
    assert heard(started("money"), broke)[-1] == "bad money: the agent failed (crashed): bad"


def test_numbers_for_people() -> None:
    assert [duration(s) for s in (0, 3.21, 59.94, 125, 3840)] == ["0.0 s", "3.2 s", "59.9 s", "2 min 5 s", "1 h 4 min"]
    assert [tokens(n) for n in (950, 18_200, 1_400_000)] == ["950", "18.2k", "1.4M"]
    assert [money(Decimal(m)) for m in ("0", "0.0042", "1.2")] == ["$0.00", "$0.0042", "$1.20"]
    assert [count(n, w) for n, w in ((1, "task"), (1200, "task"), (2, "entry"))] == [
        "1 task",
        "1,200 tasks",
        "2 entries",
    ]


def test_signs_fall_back_where_they_cannot_be_shown() -> None:
    assert (Glyphs("utf-8").done, Glyphs("ascii").done, Glyphs(None).more) == ("✓", "ok", "...")


def test_json_is_one_line_with_the_schema() -> None:
    out = io.StringIO()
    output = Output(json=True, stdout=out, stderr=io.StringIO())
    output.data({"at": datetime(2026, 1, 2, tzinfo=UTC), "cost": Decimal("0.10"), "path": Path("/x"), "text": "a\nb"})
    assert json.loads(out.getvalue()) == {
        "schema": 1,
        "at": "2026-01-02T00:00:00Z",
        "cost": "0.10",
        "path": "/x",
        "text": "a\nb",
    }
    assert out.getvalue().count("\n") == 1


def test_the_live_region_fits_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("LINES", "6")
    output = Output(stdout=io.StringIO(), stderr=Terminal())
    build = build_of(journal(started("money"), started("month")))
    with output.talk.capture() as captured:
        output.talk.print(region(build, LATER, steps_of(("money", "wrote", "x" * 200)), 0, output))
    lines = captured.get().splitlines()
    assert len(lines) == 4
    assert "building" in lines[0]
    assert all(len(clean(line)) <= 60 for line in lines)
    assert " ".join(clean(line).strip() for line in lines[:2])[2:] == (
        "building  0 of 4 tasks done  2 working  2 waiting  59 min 59 s"
    )
    assert status_line(build, LATER) == "building  0 of 4 tasks done  2 working  2 waiting  59 min 59 s"


def steps_of(*entries: tuple[str, str, str]) -> CurrentSteps:
    """What log entries of (task, kind, text) tell, a half minute before `LATER`."""
    steps = CurrentSteps()
    for task, kind, text in entries:
        steps.hear(LogEntry(LATER - timedelta(seconds=34), task, 1, kind, text))
    return steps


def test_while_the_repository_is_fetched_a_row_says_so() -> None:
    assert list(CurrentSteps().rows(build_of(journal()[:1]), LATER)) == ["base  fetching the repository"]
    assert list(CurrentSteps().rows(build_of(journal()), LATER)) == []


def test_a_row_says_the_step_with_its_time_the_attempt_and_what_waits_for_what(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("LINES", "30")
    output = Output(stdout=io.StringIO(), stderr=Terminal())
    build = build_of(journal(started("money"), started("month")))
    build = build.evolve({"budget_usd": Decimal(5)})
    tests = RunningCommand("tests", "python -m\n pytest", 120.0)
    steps = steps_of(
        ("money", "command", str(tests)), ("month", "said", "thinking"), ("", "command", "x: y (at most 9 s)")
    )
    with output.talk.capture() as captured:
        output.talk.print(region(build, LATER, steps, 0, output))
    shown = [clean(line).strip() for line in captured.get().splitlines()]
    assert shown[1:] == [
        "base  judging  x: y, 34 s of 9 s",
        "money  working, 59 min 56 s  tests: python -m pytest, 34 s of 120 s",
        "month  working, 59 min 55 s  said: thinking",
        *waiting_rows(build, 3),
    ]
    assert waiting_rows(build, 3)[0] == "entry  waits for money, month"
    assert status_line(build, LATER).endswith("  $0.00 of $5.00")
    narrow = list(steps.rows(build, LATER, 64))[1]
    assert narrow == "money  working, 59 min 56 s  tests: python -m ..., 34 s of 120 s"
    steps.hear(LogEntry(LATER, "money", 1, "gate", "....s..."))
    assert steps.step("money", LATER).startswith("tests: ")
    steps.hear(LogEntry(LATER, "money", 1, "command", tests.ended(0)))
    assert steps.step("money", LATER) == ""
    assert steps.step("", LATER + timedelta(minutes=9)) == ""  # whoever ran it is gone


def test_a_paused_build_whose_agents_still_run_says_so() -> None:
    build = build_of(journal(started("money"), e.BuildPaused(reason="user", message="lunch")))
    assert status_line(build, LATER).endswith("lets running agents finish")


async def test_without_a_terminal_a_heartbeat_says_what_runs() -> None:
    stderr = io.StringIO()
    view = LiveView(Output(stdout=io.StringIO(), stderr=stderr), Late(), beat_seconds=0.01)
    view.build = build_of(journal(started("money")))
    view.on_log(LogEntry(LATER - timedelta(seconds=34), "money", 1, "command", "tests: pytest (at most 120 s)"))
    async with view.shown():
        while "pytest" not in stderr.getvalue():
            await asyncio.sleep(0.01)
    assert "tests: pytest, 34 s of 120 s" in stderr.getvalue().splitlines()[0]
    assert "\x1b" not in stderr.getvalue()


class Late:
    """A clock that stands at `LATER`."""

    def now(self) -> datetime:
        return LATER

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def test_prose_is_wrapped_at_words_and_commands_stay_whole() -> None:
    text = (
        "• money did not pass:\n  note: one two three\n      expected 3 got 4\n"
        '    buildwright approve 3fa9c2d1 1c9e -m "..."'
    )
    assert wrapped(text, 14).split("\n") == [
        "• money did",
        "  not pass:",
        "  note: one",
        "    two three",
        "      expected",
        "        3 got",
        "        4",
        '    buildwright approve 3fa9c2d1 1c9e -m "..."',
    ]
    assert wrapped(text, None) == text


def test_a_summary_of_a_pause_shows_findings_then_commands_to_copy() -> None:
    out = io.StringIO()
    print_summary(Output(stdout=out, stderr=io.StringIO()), build_of(journal(*FAILED)), LATER)
    text = out.getvalue()
    assert "\x1b" not in text
    order = [
        "money  failed",
        "0 of 4 tasks done",
        "Paused: task money failed 2 times",
        "\n  test_money.py:4: 1 != 2 [pytest.failed]",
        "buildwright resume 3fa9c2d1 --retry",
        "buildwright resume 3fa9c2d1 --skip",
        "buildwright resume 3fa9c2d1 --abort",
    ]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)


def test_a_table_never_cuts_an_id_and_in_a_pipe_nothing() -> None:
    columns = (
        Column("task"),
        Column("time", right=True, leaves=3),
        Column("cost", right=True, leaves=5),
        Column("why"),
    )
    rows: list[tuple[Cell, ...]] = [
        ("a-task-with-a-long-name-of-forty-letters", "3.2 s", "$0.01", "x" * 100),
        ("日本", "", "", TableCell("y")),
    ]

    def shown(width: int | None) -> list[str]:
        return ["".join(piece.text for piece in line).rstrip() for line in table(columns, rows, width)]

    assert shown(None)[1].endswith("$0.01  " + "x" * 100)
    for width in (60, 80, 120):
        assert all(cells(line) <= width for line in shown(width))
        assert shown(width)[1].startswith("a-task-with-a-long-name-of-forty-letters")
        assert shown(width)[1].endswith("x...")
    assert "cost" not in shown(60)[0]
    assert shown(10)[1].startswith("a-task-with-a-long-name-of-forty-letters")
    assert [line.index("y") for line in shown(None)[2:]] == [shown(None)[1].index("x") - 2]  # two wide letters


def test_colour_is_forced_and_forbidden_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    plain = io.StringIO()
    Output(stdout=plain, stderr=plain).say("red", style="red")
    assert "\x1b[31m" in plain.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    Output(stdout=terminal, stderr=terminal).say("red", style="red")
    assert terminal.getvalue() == "red\n"
    monkeypatch.setenv("TERM", "dumb")
    assert not Output(stdout=terminal, stderr=terminal).can_animate


def test_every_error_has_its_exit_code() -> None:
    assert exit_for(BadSettings()) is Exit.CONFIGURATION
    assert exit_for(BadSpec()) is Exit.USAGE
    for refused in (Unauthorized(), Forbidden(), TooMany(retry_after=1.5), KeyReused()):
        assert exit_for(refused) is Exit.USAGE
    assert exit_for(IllegalMove()) is Exit.CONFLICT
    assert exit_for(DiskFull()) is Exit.FAILED
    assert set(MEANINGS) == set(Exit)


def test_every_ending_of_a_build_has_its_exit_code() -> None:
    refused = Verdict(tree="t", reports=(Report(gate="g", ok=False, findings=(Finding(code="c", message="m"),)),))
    assert exit_of(build_of(journal(started("money")))) is Exit.INTERRUPTED
    assert exit_of(build_of(journal(*FAILED))) is Exit.PAUSED
    assert exit_of(build_of(journal(e.BuildPaused(reason="budget")))) is Exit.BUDGET
    assert exit_of(build_of(journal(*FAILED[:-1], e.BuildFinished(outcome="failed")))) is Exit.GATE_FAILED
    assert refused.ok is False
    broke = e.AgentBroke(task="money", attempt=1, kind="crashed", message="x")
    crashed = journal(
        started("money"), broke, e.TaskFailed(task="money", message="x"), e.BuildFinished(outcome="failed")
    )
    assert exit_of(build_of(crashed)) is Exit.FAILED
    stopped = journal(e.StopRequested(), e.BuildFinished(outcome="stopped"))
    assert exit_of(build_of(stopped)) is Exit.FAILED


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("pytest -q", ("pytest", "pytest -q", "test")),
        ("unit=pytest -q", ("unit", "pytest -q", "test")),
        ("lint=ruff check .", ("lint", "ruff check .", "lint")),
        ("typecheck:types=mypy --strict src", ("types", "mypy --strict src", "typecheck")),
        ("CI=1 npm test", ("CI=1", "CI=1 npm test", "test")),
        ("./run -k a=b", ("run", "./run -k a=b", "test")),
    ],
)
def test_a_check_is_read_in_its_three_forms(text: str, check: tuple[str, str, str]) -> None:
    read = read_check(text)
    assert (read.name, read.command, read.kind) == check


@pytest.mark.parametrize("text", ["", "  ", "scope:x=true", "nonsense:x=true"])
def test_a_check_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused) as caught:
        read_check(text)
    assert caught.value.fix


def test_choices_become_options() -> None:
    options = options_of(BuildOptions(push="origin", branch="b", max_cost="$2.50", no_gates=True, allow=("x",)))
    assert (options.delivery.kind, options.delivery.remote, options.delivery.branch) == ("push", "origin", "b")
    assert (options.limits.budget_usd, options.gates, options.lanes, options.allow) == (
        Decimal("2.50"),
        False,
        True,
        ("x",),
    )
    assert options_of(BuildOptions(no_lanes=True)) == Options(lanes=False, gates=False, delivery=Delivery(kind="none"))
    assert options_of(BuildOptions()) == Options()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (BuildOptions(concurrency=0), "--concurrency 0"),
        (BuildOptions(task_time=-1), "--task-time"),
        (BuildOptions(max_cost="2000000"), "--max-cost"),
        (BuildOptions(cassette=Path("nowhere.yaml")), "no cassette"),
    ],
)
def test_contradictions_are_refused(given: BuildOptions, said: str) -> None:
    with pytest.raises(Refused, match=said) as caught:
        options_of(given)
    assert caught.value.fix


@pytest.mark.parametrize("text", ["x", "-1", "0", "nan", "inf"])
def test_money_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_money(text, "--max-cost")


def test_repositories_are_paths_or_urls(tmp_path: Path) -> None:
    assert read_repository(str(tmp_path)) == str(tmp_path)
    for url in ("https://host.invalid/a.git", "git@host.invalid:a.git", "file:///x"):
        assert read_repository(url) == url
    assert read_repository("anything", no_lanes=True) == ""
    with pytest.raises(BadRepository):
        read_repository(str(tmp_path / "nowhere"))


def test_a_diff_is_counted_by_file() -> None:
    text = (
        "diff --git a/a b.txt b/a b.txt\nindex 1..2 100644\n--- a/a b.txt\t\n+++ b/a b.txt\t\n"
        "@@ -1,2 +1,2 @@\n-old\n+new\n--- looks like a header\n context\n"
        "diff --git a/x.bin b/x.bin\nBinary files a/x.bin and b/x.bin differ\n"
    )
    assert file_stats(text) == [FileStat("a b.txt", 1, 2), FileStat("x.bin", 0, 0)]


def test_an_unforeseen_error_leaves_a_report_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BUILDWRIGHT_HOME", str(tmp_path))
    monkeypatch.delenv("BUILDWRIGHT_DEBUG", raising=False)
    out, err = io.StringIO(), io.StringIO()
    code = report_error(ValueError("boom"), Output(json=True, stdout=out, stderr=err))
    assert code is Exit.FAILED
    assert "ValueError: boom" in err.getvalue()
    (report,) = (tmp_path / "crash").iterdir()
    assert "ValueError: boom" in report.read_text(encoding="utf-8")
    assert str(report) in json.loads(out.getvalue())["error"]["fix"]
    assert "Traceback" not in err.getvalue() + capsys.readouterr().err


def test_an_error_of_ours_is_found_inside_a_group_of_concurrent_work() -> None:
    out = io.StringIO()
    group = ExceptionGroup("tasks", [ValueError("x"), ExceptionGroup("more", [BadSettings("no key", fix="set one")])])
    assert report_error(group, Output(json=True, stdout=out, stderr=io.StringIO())) is Exit.CONFIGURATION
    assert json.loads(out.getvalue())["error"]["message"] == "no key"


async def test_asking_is_left_out_where_nobody_can_answer() -> None:
    assert await Output(stdout=io.StringIO(), stderr=io.StringIO()).confirm("Sure?", yes=False)
    assert await Output(json=True, stdout=io.StringIO(), stderr=Terminal()).confirm("Sure?", yes=False)


def test_the_audit_of_a_plan_without_phases_is_that_of_the_result() -> None:
    audited = e.PhaseAudited(phase=0, base="0" * 40, head="1" * 40, verdict=Verdict(tree="2" * 40))
    recorded = e.Recorded(seq=9, at=datetime(2026, 1, 1, tzinfo=UTC), event=audited)
    alone = build_of(journal(tasks=(Task(id="a", title="A"),)))
    phased = build_of(journal(tasks=(Task(id="a", title="A", milestone="Core"),)))
    for build, name in ((alone, "the result"), (phased, "Core")):
        told = tell(recorded, build)
        assert told is not None
        assert told.text == f"{name} passed its audit"


def test_lines_are_broken_between_words_and_commands_stay_whole() -> None:
    fix = "  fix: see `buildwright status 3fa9 --json` for its tasks, or name one of them"
    assert wrapped(fix, 40).splitlines() == [
        "  fix: see",
        "    `buildwright status 3fa9 --json` for",
        "    its tasks, or name one of them",
    ]
    command = "  or (`" + "a " * 30 + "b`) c"
    assert wrapped(command, 20).splitlines() == ["  or", "    (`" + "a " * 30 + "b`)", "    c"]
