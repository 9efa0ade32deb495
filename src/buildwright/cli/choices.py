"""The options of `build`, as typed by the user, and the records they become. Imports nothing heavy until they are read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from cyclopts import Parameter

from buildwright.errors import BadRepository, Refused

if TYPE_CHECKING:
    from buildwright.core.limits import Check, Options

_CHECK = re.compile(r"(?:(?P<kind>[a-z]+):)?(?P<name>[a-z][a-z0-9_.-]*)=(?P<command>.+)", re.DOTALL)
"""Names are lower case, so that `CI=1 pytest` stays a command with a variable in front."""


@Parameter(name="*")
@dataclass(kw_only=True, frozen=True)
class BuildChoices:
    """How a build runs. Fixed when it starts, and kept with it."""

    agent: Annotated[
        str, Parameter(help="Who writes: direct (a model, streamed), claude (Claude Agent SDK) or shell.")
    ] = "direct"
    agent_command: Annotated[str, Parameter(help="The command that the shell agent runs in each lane.")] = ""
    model: Annotated[str, Parameter(help="The model that writes; the default depends on the agent.")] = ""
    planner_model: Annotated[str, Parameter(help="The model that plans.")] = ""
    check: Annotated[
        tuple[str, ...],
        Parameter(
            help="A command that judges every change: COMMAND, NAME=COMMAND or KIND:NAME=COMMAND; may be repeated. KIND is"
            " syntax, typecheck, lint, test, build or other. Without it the checks are found from the repository."
        ),
    ] = ()
    setup: Annotated[
        tuple[str, ...], Parameter(help="A command to run in a fresh checkout before the checks; may be repeated.")
    ] = ()
    concurrency: Annotated[int, Parameter(name=["--concurrency", "-j"], help="Agents at once.")] = 4
    attempts: Annotated[int, Parameter(help="Tries per task.")] = 3
    stuck_after: Annotated[
        int, Parameter(help="Failures in a row, over all tasks, after which the cause is looked for.")
    ] = 3
    loop_after: Annotated[
        int, Parameter(help="Tries of a task refused for the same findings after which it gets no more.")
    ] = 3
    on_failure: Annotated[
        Literal["pause", "fail"], Parameter(help="When a task has used up its tries: ask you, or go on without it.")
    ] = "pause"
    max_cost: Annotated[str, Parameter(help="Pause when this many US dollars are spent.")] = ""
    task_time: Annotated[float, Parameter(help="Seconds an agent may take for one attempt.")] = 300.0
    gate_time: Annotated[float, Parameter(help="Seconds a check may take.")] = 120.0
    branch: Annotated[str, Parameter(help="Branch for the result; buildwright/ and a short id when left out.")] = ""
    push: Annotated[str, Parameter(help="Push the result to this remote instead of making a local branch.")] = ""
    base: Annotated[str, Parameter(help="Branch, tag or commit to build on; else what is checked out.")] = ""
    sandbox: Annotated[
        Literal["auto", "bubblewrap", "none"], Parameter(help="Where agents and checks run; none is said out loud.")
    ] = "auto"
    accept_base: Annotated[
        bool, Parameter(help="Do not ask when the project fails its own checks before any change.")
    ] = False
    by_hand: Annotated[bool, Parameter(help="Do nothing but what `step` asks for, one action at a time.")] = False
    no_gates: Annotated[bool, Parameter(help="Merge without judging.")] = False
    no_lanes: Annotated[bool, Parameter(help="No repository: run the agents, keep no files.")] = False
    allow: Annotated[tuple[str, ...], Parameter(help="Open a protected path to the agents; may be repeated.")] = ()
    cassette: Annotated[
        Path | None, Parameter(help="Replay the model from this file instead of asking a provider.")
    ] = None

    def options(self) -> Options:
        """The record that the build keeps. Raises Refused naming the option that is wrong."""
        from pydantic import ValidationError

        from buildwright.core.limits import Delivery, Limits, Options

        if self.agent == "shell" and not self.agent_command:
            raise Refused("the shell agent needs a command", fix="add --agent-command 'COMMAND'")
        if self.agent_command and self.agent != "shell":
            raise Refused(
                f"--agent-command is for the shell agent, and the agent is {self.agent}", fix="add --agent shell"
            )
        try:
            limits = Limits(
                concurrency=self.concurrency,
                attempts=self.attempts,
                stuck_after=self.stuck_after,
                loop_after=self.loop_after,
                task_seconds=self.task_time,
                gate_seconds=self.gate_time,
                budget_usd=read_money(self.max_cost, "--max-cost"),
            )
        except ValidationError as error:
            raise _wrong_number(error) from error
        delivery = Delivery(kind="push" if self.push else "branch", branch=self.branch, remote=self.push)
        return Options(
            agent=self.agent,
            agent_command=self.agent_command,
            model=self.model,
            planner_model=self.planner_model,
            checks=tuple(read_check(text) for text in self.check),
            setup=self.setup,
            lanes=not self.no_lanes,
            accept_base=self.accept_base,
            gates=not self.no_gates and not self.no_lanes,
            on_failure=self.on_failure,
            by_hand=self.by_hand,
            delivery=Delivery(kind="none") if self.no_lanes else delivery,
            sandbox=self.sandbox,
            allow=self.allow,
            cassette=_existing_file(self.cassette),
            limits=limits,
        )


def read_check(text: str) -> Check:
    """`COMMAND`, `NAME=COMMAND` or `KIND:NAME=COMMAND` as a check. Raises Refused for an unknown kind or no command."""
    from buildwright.core.finding import CheckKind
    from buildwright.core.limits import Check

    kinds = [kind for kind in get_args(CheckKind) if kind not in {"scope", "validation"}]
    found = _CHECK.fullmatch(text)
    if found is None:
        if not text.strip():
            raise Refused("--check has no command", fix="write --check 'pytest -q', for example")
        return Check(name=text.split(maxsplit=1)[0].rsplit("/", 1)[-1], command=text)
    kind = found["kind"] or (found["name"] if found["name"] in kinds else "test")
    if kind not in kinds:
        raise Refused(f"--check {text!r}: there is no kind {kind}", fix=f"use one of {', '.join(kinds)}")
    return Check(name=found["name"], command=found["command"], kind=kind)


def read_money(text: str, option: str) -> Decimal | None:
    """US dollars, None for "". Raises Refused."""
    if not text:
        return None
    try:
        amount = Decimal(text.removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount <= 0:
        raise Refused(f"{option} {text} is not an amount of money", fix=f"write US dollars, for example {option} 2.50")
    return amount


def read_repository(repository: str, no_lanes: bool = False) -> str:
    """A path made absolute, a URL as it is, "" without lanes. Raises BadRepository when the path is not there."""
    if no_lanes:
        return ""
    if "://" in repository or re.match(r"[\w.-]+@[\w.-]+:", repository):
        return repository
    path = Path(repository).expanduser()
    if not path.is_dir():
        raise BadRepository(f"there is no folder {repository}", fix="give --repo the path or URL of a git repository")
    return str(path.resolve())


def _existing_file(path: Path | None) -> str:
    if path is None:
        return ""
    if not path.is_file():
        raise Refused(f"there is no cassette {path}", fix="give --cassette the path of a cassette file")
    return str(path.resolve())


_OPTION_OF = {
    "concurrency": "--concurrency",
    "attempts": "--attempts",
    "stuck_after": "--stuck-after",
    "loop_after": "--loop-after",
    "task_seconds": "--task-time",
    "gate_seconds": "--gate-time",
}


def _wrong_number(error: Exception) -> Refused:
    from pydantic import ValidationError

    assert isinstance(error, ValidationError)
    first = error.errors()[0]
    option = _OPTION_OF.get(str(first["loc"][0]), str(first["loc"][0]))
    return Refused(f"{option} {first['input']}: {first['msg'].lower()}", fix=f"give {option} another number")
