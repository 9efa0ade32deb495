"""Runs one command line: finds the verb, runs it, and turns every ending into an exit code. Holds no verb's logic.

Here is the one broad `except` of the command line: an unforeseen error becomes a short message and a report file.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from buildwright.cli.argv0 import name, typed
from buildwright.cli.exit_codes import Exit, exit_for
from buildwright.cli.output import Output, silence
from buildwright.cli.verbs import VERBS, program_help
from buildwright.core.own_names import FORGE_TOKENS, MODEL_KEYS, OTHER_KEYS
from buildwright.errors import BuildwrightError
from buildwright.key_shelter import shelter

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import ArgumentCollection


OTHER_NAMES = {"cost": "costs"}
"""Other names of verbs, beside the verbs that they stand for."""
_MEANT = {
    "--budget": "--max-cost",
    "--max-budget": "--max-cost",
    "--parallel": "--concurrency",
    "--workers": "--concurrency",
    "--retries": "--attempts",
    "--timeout": "--task-time",
    "--test": "--check",
    "--remote": "--push",
    "--env-file": "--bring",
}
"""What other programs call an option of ours, whose spelling is too far away to be found by it."""
WITH_VERBS = frozenset(
    {"cluster", "contracts", "db", "hook", "lessons", "pr", "repo", "sandbox", "secrets", "task", "token", "user"}
)
"""Verbs that have verbs of their own; they put the examples into their help themselves."""


def run(argv: Sequence[str]) -> int:
    """Run one command line, given without the program's name, and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a terminal that lacks a character must not end a build
    output = Output(json="--json" in _ours(argv))
    shelter((*MODEL_KEYS, *FORGE_TOKENS, *OTHER_KEYS))
    try:
        code = _dispatch(list(argv))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        silence(sys.stdout)
        return Exit.DONE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except Exception as error:
        return report_error(error, output)


def _ours(argv: Sequence[str]) -> Sequence[str]:
    """Return the words before `--`: what comes after it is of another program."""
    return argv[: argv.index("--")] if "--" in argv else argv


def make_app() -> App:
    """Return the command line as a Cyclopts app: every verb is registered by name, none is imported."""
    from cyclopts import App, Group, Parameter

    app = App(
        name="buildwright",
        help="Buildwright turns a description of software into merged, proven changes.",
        help_format="plaintext",
        version_flags=(),
        default_parameter=Parameter(negative=(), show_default=_shown_default),
        suppress_keyboard_interrupt=False,
        config=_fill_in,
    )
    groups = {name: Group(name) for name in dict.fromkeys(verb.group for verb in VERBS)}
    for verb in VERBS:
        more = {} if verb.name in WITH_VERBS else {"help_epilogue": verb.epilogue}
        app.command(verb.target, name=verb.name, help=verb.words, group=groups[verb.group], **more)
    return app


def _fill_in(app: App, verbs: tuple[str, ...], arguments: ArgumentCollection) -> None:
    from buildwright.cli.settings_files import fill_in

    fill_in(app, verbs, arguments)


def _shown_default(value: object) -> str | None:
    """Return the default of an option as its help shows it, None if the option is off or empty by default."""
    return str(value) if value not in ("", False, (), None) else None


def _dispatch(argv: list[str]) -> int:
    """Find the verb that `argv` names, run it, and return its exit code."""
    if not argv or argv[0] in {"-h", "--help", "help"}:
        if len(argv) < 2:
            sys.stdout.write(program_help())
            return Exit.DONE
        argv = [*argv[1:], "--help"]
    if argv[0] in {"-V", "--version"}:
        argv = ["version", *argv[1:]]
    argv = [OTHER_NAMES.get(argv[0], argv[0]), *argv[1:]]
    shown = _shown_quickly(argv[0], argv[1:])
    if shown is not None:
        return shown
    from cyclopts import CycloptsError

    from buildwright.cli.options import with_all_named

    try:
        command, bound, _ = make_app().parse_args(with_all_named(argv), exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _misused(error, argv)
    result = command(*bound.args, **bound.kwargs)
    if inspect.iscoroutine(result):
        import asyncio

        result = asyncio.run(result)
    return int(result or 0)


def _shown_quickly(verb: str, argv: Sequence[str]) -> int | None:
    """Carry out what needs no parser of command lines, and return the exit code; None for all other command lines."""
    if verb == "status":
        from buildwright.cli.quick_status import quick_status

        return quick_status(argv)
    if verb == "logs":
        from buildwright.cli.quick_logs import quick_logs

        return quick_logs(argv)
    if verb == "check":
        from buildwright.cli.quick_check import quick_check

        return quick_check(argv)
    return None


def _misused(error: Exception, argv: list[str]) -> int:
    """Print what is wrong with the arguments, and return the exit code for wrong usage."""
    from cyclopts import UnknownOptionError, UnusedCliTokensError

    verb = argv[0] if argv and argv[0] in {verb.name for verb in VERBS} else ""
    fix = f"see {name()} {verb} --help" if verb else f"see {name()} --help"
    message = str(error).strip()
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        message = f"{' '.join(error.unused_tokens)}: {f'`{verb}`' if verb else 'the command'} takes no more words here"
    if isinstance(error, UnknownOptionError):
        option = (error.token.keyword or error.token.value).partition("=")[0]
        meant = _MEANT.get(option, "")
        if any(meant in argument.names for argument in error.argument_collection):
            message = f"Unknown option: {option}. Did you mean {meant}?"
        every = error.argument_collection
        words = [one.name for one in every if not one.name.startswith("-") and one.token_count()[1]]
        if words:
            options = ", ".join(one.name for one in every if one.name.startswith("-"))
            fix = f"the options are {options}; a word of {words[0]} that begins with `-` goes after `--`; {fix}"
    return _tell(Output(json="--json" in _ours(argv)), "Usage", message, fix, Exit.USAGE)


def _tell(output: Output, kind: str, message: str, fix: str, code: Exit) -> int:
    """Print an error and its fix, with `--json` also as an object on stdout, and return `code`."""
    fix = typed(fix)
    if output.json:
        output.data({"error": {"kind": kind, "message": message, "fix": fix, "exit": int(code)}})
    output.say(f"error: {message}", style="red", wrap=True)
    if fix:
        output.say(f"  fix: {fix}", wrap=True)
    return code


def report_error(error: Exception, output: Output) -> int:
    """Print an error, foreseen or not, and return its exit code. BUILDWRIGHT_DEBUG=1 adds the traceback."""
    known = _foreseen(error)
    if os.environ.get("BUILDWRIGHT_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    if known is not None:
        return _tell(output, type(known).__name__, str(known), known.fix or "", exit_for(known))
    fix = "run it again with BUILDWRIGHT_DEBUG=1 to see where; nothing recorded is lost"
    written = _write_crash_report(error)
    if written:
        fix = f"send the report {written}; nothing recorded is lost, `buildwright status` shows where it stands"
    what = f"unexpected error ({type(error).__name__}: {str(error).strip()[:300]})"
    return _tell(output, "Unforeseen", what, fix, Exit.FAILED)


def _foreseen(error: BaseException) -> BuildwrightError | None:
    """Return the error that was raised on purpose, also from inside an exception group; None when there is none."""
    if isinstance(error, BuildwrightError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := _foreseen(inner)) is not None), None)
    return None


def _write_crash_report(error: Exception) -> str:
    """Write the traceback to a file under the home and return its path, "" when it cannot be written."""
    import platform
    import traceback
    from datetime import UTC, datetime

    from buildwright.settings import Settings

    now = datetime.now(UTC)
    try:
        folder = Settings.load().home / "crash"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
        about = f"{now.isoformat()}\npython {platform.python_version()} on {platform.platform()}\n\n"
        path.write_text(about + "".join(traceback.format_exception(error)), encoding="utf-8")
    except (OSError, BuildwrightError):
        return ""
    return str(path)
