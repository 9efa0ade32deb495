"""The verb `check` of a repository that passed before: answered from what was kept, in little more than git takes.

Must never import the parser of command lines, asyncio or a model: each takes longer than all that is done here.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from buildwright.cli.argv0 import typed
from buildwright.cli.exit_codes import Exit
from buildwright.cli.output import Output, one_line
from buildwright.kept_verdicts import KeptVerdicts, surroundings
from buildwright.settings import Settings, project_file

Box = Literal["auto", "bubblewrap", "container", "none"]
_GIT_SECONDS = 10.0
_MOST_REASONS = 20
"""Findings that are printed for people."""


class CheckOptions(NamedTuple):
    """What of the options of `build` was asked for."""

    check: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    bring: tuple[str, ...] = ()
    grant_needs: bool = False
    package_settings: bool = False
    branch: str = ""
    gate_time: float = 120.0
    sandbox: Box = "auto"
    lfs: bool = False


_DEFAULTS: dict[str, Any] = {"repo": ".", "base": "", **CheckOptions()._asdict()}
IN_FILES = frozenset({"grant_needs", "package_settings", "branch", "gate_time", "sandbox", "lfs"})
"""What of `CheckOptions` a file of options can say. `bring` of a project's file is none of them."""
_FLAGS = {"--json": "json", "--verbose": "verbose", "-v": "verbose"} | {
    f"--{name.replace('_', '-')}": name for name, value in _DEFAULTS.items() if value is False
}
_VALUES = {f"--{name.replace('_', '-')}": name for name, value in _DEFAULTS.items() if value is not False}


def quick_check(argv: Sequence[str]) -> Exit | None:
    """Carry out `check` with these arguments, or return None: then the verb itself does it. Raises BadSettings."""
    read = _read(argv)
    if read is None:
        return None
    settings, repo = Settings.load(), read.get("repo", ".")
    texts = option_texts(settings, repo)
    given = _with_files(read, texts)
    question = question_of(settings, repo, read.get("base", ""), given, texts) if given is not None else None
    known = verdicts(settings).get(question) if question else None
    return tell_kept(Output("json" in read), known) if known is not None else None


def verdicts(settings: Settings) -> KeptVerdicts:
    """Return what is kept of checks of this home."""
    return KeptVerdicts(settings.home / "verdicts")


def question_of(
    settings: Settings, repo: str, base: str, given: CheckOptions, texts: dict[str, str] | None
) -> dict[str, Any]:
    """Return all that the answer depends on, `texts` of `option_texts` too; {} when that cannot be known without looking."""
    if not Path(repo).is_dir() or texts is None:
        return {}
    place = str(Path(repo).resolve())
    command = ["git", "-C", place, "-c", "core.fsmonitor=false", "rev-parse", "--verify", "--end-of-options"]
    try:
        done = subprocess.run(
            [*command, f"{base or 'HEAD'}^{{tree}}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    asked = {**given._asdict(), "gate_time": float(given.gate_time), "files": texts}
    return {
        "verb": "check",
        "tree": done.stdout.decode().split()[-1],
        **asked,
        **surroundings(place, settings.environment),
    }


def _read(argv: Sequence[str]) -> dict[str, Any] | None:
    """Return what was typed, by the names of the options; None for what the verb is to read itself."""
    read: dict[str, Any] = {}
    waiting = list(argv)
    while waiting:
        option, equals, value = waiting.pop(0).partition("=")
        name = _FLAGS.get(option) or _VALUES.get(option)
        if name is None or (option in _FLAGS and equals):
            return None
        if option in _VALUES and not equals:
            if not waiting or waiting[0].startswith("-"):
                return None
            value = waiting.pop(0)
        if isinstance(_DEFAULTS.get(name), tuple):
            read[name] = (*read.get(name, ()), value)
        elif name in read:
            return None
        else:
            read[name] = value if option in _VALUES else True
    return read


def _with_files(read: dict[str, Any], texts: dict[str, str] | None) -> CheckOptions | None:
    """Return the options as typed, else as the files say, else as they always are; None when a file cannot be read.

    What else may be wrong with them was told when the answer was kept: the question has the text of each file.
    """
    import tomllib

    try:
        tables = [tomllib.loads(text) for text in (texts or {}).values()]
        values = {
            name: value
            for table in (*reversed(tables), read)
            for name, value in table.items()
            if name in (CheckOptions._fields if table is read else IN_FILES)
        }
        return CheckOptions(**{**values, "gate_time": float(values.get("gate_time", CheckOptions().gate_time))})
    except (TypeError, ValueError):
        return None


def option_texts(settings: Settings, repo: str) -> dict[str, str] | None:
    """Return the files of options that count for a repository, the stronger one first; None when one cannot be read."""
    files = (project_file(repo), settings.user_file if settings.user_file.is_file() else None)
    try:
        return {str(file): file.read_text(encoding="utf-8") for file in files if file is not None}
    except (OSError, UnicodeDecodeError):
        return None


def tell_kept(output: Output, known: dict[str, Any]) -> Exit:
    """Print an answer that was kept, and return the exit code."""
    if not output.json:
        print_found(output, known)
    return tell(output, known, was_kept=True)


def print_found(output: Output, view: dict[str, Any]) -> None:
    """Print what was found: the commands and their sources, the interpreter and why it, what pins versions."""
    output.print(f"{view['repository']} at {view['commit'][:12]}", style="bold")
    for title, commands in ("Set-up", view["setup"]), ("Checks", view["checks"]):
        output.print(f"{title}:" if commands else f"{title}: none found")
        for one in commands:
            source = "; ".join(one_line(text) for text in (one["source"], one.get("concerns", "")) if text)
            whole = " ".join(one["command"].split())  # its first line alone may end within a quoted word
            output.print(f"  {one['name']} ({one['kind']}): {one_line(whole)}  [{source}]")
    output.print(f"Python of the checks: {view['interpreter']} ({view['interpreter_why']})")
    if node := view.get("node"):
        output.print(f"Node of the checks: {one_line(node, 300)}")
    for line in (*view["pins"], *view["notes"]):
        output.print(f"  {one_line(line, 300)}")


def _print_report(output: Output, report: dict[str, Any]) -> None:
    """Print what one step or check said, and what it warns of. A step that ran nothing and warns of nothing is left out."""
    from buildwright.core.figures import count

    warnings = [one for one in report["findings"] if one["severity"] == "warning"]
    if not report["evidence"] and not warnings:
        return
    tests = report["evidence"]["tests"] if report["evidence"] else None
    counted = f", {count(tests, 'test')}" if tests is not None else ""
    warned = f", {count(len(warnings), 'warning')}" if warnings else ""
    output.print(f"{report['gate']}: {'passed' if report['ok'] else 'refused'}{counted}{warned}")
    for one in warnings[:_MOST_REASONS]:
        fix = f"fix: {one['fix']}" if one["fix"] else ""
        for line in (*one["message"].splitlines(), fix):
            if line.strip():
                output.print(f"  {one_line(line, 300)}")


def tell(output: Output, view: dict[str, Any], *, was_kept: bool) -> Exit:
    """Print what the checks say, and return the exit code."""
    code = Exit.DONE if view["ready"] else Exit.GATE_FAILED
    if output.json:
        output.data({**view, "kept": was_kept, "exit": int(code)})
        return code
    for first, *rest in view["reasons"][:_MOST_REASONS]:
        output.print(f"  {one_line(first, 300)}", style="red")
        for line in rest:
            output.print(f"    {one_line(line, 300)}")
    if len(view["reasons"]) > _MOST_REASONS:
        output.print(f"  and {len(view['reasons']) - _MOST_REASONS} more: --json has them all")
    for report in view["reports"]:
        _print_report(output, report)
    if view["ready"]:
        output.print(
            "Ready: it passes its own checks" + (" (kept: same tree, commands and programs)." if was_kept else ".")
        )
        here = Path.cwd().samefile(view["repository"]) if Path(view["repository"]).is_dir() else False
        where = "" if here else f" --repo {shlex.quote(view['repository'])}"
        output.say(typed(f"Next: buildwright build SPEC.md{where}"))
    else:
        output.print("Not ready: a build would pause here, before anything is paid for.", style="bold")
        from buildwright.core.finding import NOT_GRANTED

        accepted = " ".join(
            "--grant-needs" if name == NOT_GRANTED else f"--accept-base {shlex.quote(name)}"
            for name in view["refused_by"]
        )
        output.say(typed(f"Next: fix it, name other checks with --check, or build with {accepted or '--accept-base'}"))
    return code
