"""The verb `prune`: shows what is old, asks, and removes it. Must never decide what goes: see `maintenance`."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output
from buildwright.cli.session import local_session
from buildwright.cli.table import Column, size, table
from buildwright.errors import Refused
from buildwright.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from buildwright.maintenance.prune import PrunePlan, PruneResult
    from buildwright.maintenance.retention_rules import RetentionRules

_SHOWN = 20


async def prune(
    *,
    older_than: Annotated[
        str,
        Parameter(help="Builds that ended longer ago go: a number and m, h, d or w (30d, or BUILDWRIGHT_KEEP_DAYS)."),
    ] = "",
    keep: Annotated[int, Parameter(help="How many of the newest ended builds stay, however old.")] = 0,
    log_lines: Annotated[int, Parameter(help="Lines of log that a build which stays keeps; the oldest go.")] = 100_000,
    logs_older_than: Annotated[str, Parameter(help="Only logs go: those of builds that ended longer ago.")] = "",
    dry_run: Annotated[bool, Parameter(help="Show what would go, and stop.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y", "--no-input"], help="Ask nothing.")] = False,
) -> int:
    """Remove old builds that have ended, and what nothing needs any more. A build that has not ended is never touched."""
    from buildwright.maintenance.prune import Pruner

    output = Output(json)
    settings = Settings.load()
    rules = _rules(settings.environment, older_than, keep, log_lines, logs_older_than)
    if not settings.database_url and not settings.database.is_file():
        return _nothing(output)
    async with local_session() as app:
        pruner = Pruner(app)
        going = await pruner.look(rules, app.clock.now())
        if not output.json:
            _print(output, going, rules)
        if going.is_nothing and not output.json:
            return _nothing(output)
        if dry_run or going.is_nothing:
            if output.json:
                output.data({"dry_run": dry_run, "going": _fields(going), "gone": None})
            return Exit.DONE
        if not yes and (json or not sys.stdin.isatty()):
            raise Refused(
                "there is no terminal to ask on", fix="look with `buildwright prune --dry-run`, then add --yes"
            )
        if not await output.confirm("Remove this for good?", yes):
            return Exit.USAGE
        gone = await pruner.carry_out(
            rules, app.clock.now(), lambda text: None if output.json else output.say(f"  {text}")
        )
    if output.json:
        output.data({"dry_run": False, "going": _fields(going), "gone": asdict(gone)})
    else:
        _tell(output, gone)
    return Exit.DONE


def _rules(
    environment: Mapping[str, str], older_than: str, keep: int, log_lines: int, logs_older_than: str
) -> RetentionRules:
    """Return the retention rules that the options and the environment name. Raises Refused, BadSettings."""
    from buildwright.maintenance.retention_rules import RetentionRules, default_age, duration

    for name, number in (("--keep", keep), ("--log-lines", log_lines)):
        if number < 0:
            raise Refused(f"{name} is {number}, and less than nothing cannot be kept", fix=f"give {name} 0 or more")
    if logs_older_than and older_than:
        raise Refused("--older-than removes builds and --logs-older-than only logs", fix="give one of the two")
    return RetentionRules(
        older_than=duration(older_than) if older_than else default_age(environment),
        keep=keep,
        log_lines=log_lines,
        logs_older_than=duration(logs_older_than) if logs_older_than else None,
        only_logs=bool(logs_older_than),
    )


def _nothing(output: Output) -> int:
    """Say that there is nothing to remove; return the exit code."""
    if output.json:
        output.data({"dry_run": True, "going": None, "gone": None})
    else:
        output.say("There is nothing to remove.")
    return Exit.DONE


def _print(output: Output, going: PrunePlan, rules: RetentionRules) -> None:
    """Print the prune plan: which builds, logs, mirrors, files and artifacts would go."""
    from buildwright.core.figures import count
    from buildwright.maintenance.retention_rules import words

    if going.builds:
        output.print(
            f"{count(len(going.builds), 'build')} that ended more than {words(rules.older_than)} ago", style="bold"
        )
        columns = [Column("build"), Column("ended"), Column("size", right=True), Column("title")]
        rows = [
            (
                build.row.build_id[:8],
                f"{build.row.completed_at or build.row.updated_at:%Y-%m-%d}",
                size(build.weight.bytes + build.lane_bytes),
                build.row.title,
            )
            for build in going.builds[:_SHOWN]
        ]
        output.lines(table(columns, rows, output.width))
        if len(going.builds) > _SHOWN:
            output.print(f"and {len(going.builds) - _SHOWN} more")
    for log in going.logs:
        output.print(f"log of {log.row.build_id[:8]}: the oldest {count(log.lines, 'line')}")
    for mirror in going.mirrors:
        output.print(f"mirror that no build uses: {mirror.path} ({size(mirror.bytes)})")
    for old in going.files:
        output.print(f"{old.kind}: {old.path} ({size(old.bytes)})")
    if going.artifacts.number:
        needless = f"{count(going.artifacts.number, 'artifact')} that no build needs"
        output.print(f"{needless} ({size(going.artifacts.bytes)})")
    if going.unfinished:
        output.print("what an earlier prune left unfinished")
    if going.live:
        output.say(f"Builds that have not ended stay, with what they need: {going.live}.")


def _tell(output: Output, gone: PruneResult) -> None:
    """Print what was removed, and how many bytes that freed."""
    from buildwright.core.figures import count

    parts = [
        count(number, what)
        for number, what in (
            (gone.builds, "build"),
            (gone.log_lines, "log line"),
            (gone.artifacts, "artifact"),
            (gone.files, "old file"),
        )
        if number
    ]
    output.print(f"Freed {size(gone.freed_bytes)}{': ' + ', '.join(parts) if parts else ''}.")
    for note in gone.notes:
        output.say(typed(note))


def _fields(going: PrunePlan) -> dict[str, object]:
    """Return the prune plan as `--json` prints it."""
    return {
        "builds": [
            {
                "build": build.row.build_id,
                "title": build.row.title,
                "ended_at": build.row.completed_at or build.row.updated_at,
                "events": build.weight.events,
                "log_lines": build.weight.log_lines,
                "bytes": build.weight.bytes + build.lane_bytes,
            }
            for build in going.builds
        ],
        "logs": [{"build": log.row.build_id, "lines": log.lines} for log in going.logs],
        "mirrors": [{"path": mirror.path, "bytes": mirror.bytes} for mirror in going.mirrors],
        "files": [{"kind": old.kind, "path": old.path, "bytes": old.bytes} for old in going.files],
        "artifacts": going.artifacts._asdict(),
        "live": going.live,
        "unfinished": going.unfinished,
    }
