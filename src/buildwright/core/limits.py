"""The options and limits of a build: chosen once, when the build is made, and kept with it. Pure data.

Each field says once what it means and where users may set it. From here come the options of `build`, requests of a
server, keys of `buildwright.toml` and tables of the pages. A place that a field is not marked for must never set it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, NamedTuple, TypeGuard, TypeVar, get_args

from pydantic import BaseModel, Field, WithJsonSchema
from pydantic.fields import FieldInfo

from buildwright.core.agents import AgentRule, OwnAgent, described, unsaid
from buildwright.core.finding import CheckKind
from buildwright.core.models import NamedModel, id_of
from buildwright.core.record import Record
from buildwright.core.task import Task

LONGEST_SECONDS = 1e10
"""Some 300 years: a moment that far ahead can still be shown as a date."""
MOST = 1_000_000
"""The upper bound of every number that counts something."""
KINDS = tuple(kind for kind in get_args(CheckKind) if kind not in {"scope", "validation"})
"""The kinds that a user's check can have; the others are kinds of the gates' own verdicts."""


class AsOption(NamedTuple):
    """Marks a field that an option of `build` sets."""

    names: str
    """Separated by spaces; pages use the first. A name that begins with `--no-` switches the field off."""
    help: str = ""
    """Replaces the field's description where the option needs other words."""
    is_path: bool = False
    """Whether the option takes the path of an existing file."""

    @property
    def attribute(self) -> str:
        """Return the option's name in Python: `task_time` for `--task-time`."""
        return self.names.split()[0].removeprefix("--").replace("-", "_")


class InRequest:
    """Marks a field that requests for a project's build may have, with bounds (`le=256`) instead of the field's own."""

    def __init__(self, **bounds: float) -> None:
        self.bounds = bounds


class InFile(NamedTuple):
    """Marks a field that the project's `buildwright.toml` may set. The user's own file may set every option."""

    key: str = ""
    """The key; left out, it is the option's name in Python."""


Budget = Annotated[
    Decimal,
    Field(gt=0, le=1_000_000),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
                {"type": "string", "pattern": r"^(?=[0.]*[1-9])[0-9]{1,6}(\.[0-9]{1,6})?$"},
            ]
        }
    ),
]
"""Dollars, as a number or, so that no digit is lost, as text."""
Seconds = Annotated[float, Field(gt=0, le=LONGEST_SECONDS), InRequest(le=7 * 86_400)]
Count = Annotated[int, Field(ge=1, le=MOST)]
Line = Annotated[str, InRequest(max_length=2_000)]
Name = Annotated[str, InRequest(max_length=200)]
DeliveryKind = Literal["none", "branch", "push", "files", "pr"]


class Check(Record):
    """A command that judges a tree."""

    name: Name = Field(min_length=1, description="Its name in verdicts.")
    command: Line = Field(min_length=1, description="For a shell, at the top of the tree.")
    kind: Annotated[CheckKind, InRequest()] = Field("test", description="Which of the build's verdicts it is.")
    report: Line = Field(
        "", description="A JUnit XML file that it writes, by its path in the tree, or a parser; recognised if left out."
    )
    paths: Annotated[tuple[Line, ...], InRequest(max_length=100)] = Field(
        (), description="Patterns (`server/*`; `*` also stands for slashes) of what a change must touch for it to run."
    )

    def concerns(self, touched: Iterable[str]) -> bool:
        """Return whether the check is for a change of these paths. `*` in a pattern also matches slashes."""
        return not self.paths or any(fnmatchcase(path, pattern) for path in touched for pattern in self.paths)


class Delivery(Record):
    """Where the result goes: nowhere, a branch in the user's repository, a push to a remote with or without a pull request,
    or the files checked out."""

    kind: Annotated[DeliveryKind, AsOption("--deliver"), InFile(), InRequest()] = Field(
        "branch",
        description="Where the result goes: to a `branch` in your repository, to a remote (`push`), there with a pull"
        " request (`pr`), to the branch that is checked out and its `files`, or nowhere (`none`).",
    )
    branch: Annotated[Name, AsOption("--branch"), InFile()] = Field(
        "", description="Branch for the result; `buildwright/` and the build's short id when left out."
    )
    remote: Annotated[Line, AsOption("--push")] = Field(
        "",
        description="Push the result to this remote, not to a local branch; with `--deliver pr` the remote of the"
        " pull request.",
    )


class Commits(Record):
    """What the commits of a build say of people."""

    author: Annotated[Name, AsOption("--author"), InFile(), InRequest(max_length=200)] = Field(
        "",
        pattern=r"^$|^[^<>\x00-\x1f]+ <[^<>\s\x00-\x1f]+>$",
        description="Author and committer, as `Name <address>`; by default who git says you are.",
    )
    sign_off: Annotated[bool, AsOption("--sign-off"), InFile(), InRequest()] = Field(
        False, description="End each message with `Signed-off-by` and the author, as git does on request."
    )
    trailers: Annotated[
        tuple[Annotated[Line, Field(pattern=r"^[A-Za-z0-9-]+: [^\x00-\x1f]+$")], ...],
        AsOption("--trailer"),
        InFile(),
        InRequest(max_length=20),
    ] = Field((), description="A line to end each message with, such as `Co-authored-by: Name <address>`.")

    sign: Annotated[Literal["auto", "yes", "no"], AsOption("--sign"), InFile()] = Field(
        "auto",
        description="Sign commits with your key of git (`user.signingKey`, `gpg.format`); `auto` as `commit.gpgSign` says.",
    )
    signing_key: str = Field("", max_length=2_000, description="Format and key, found at the start; `` signs nothing.")

    mark_phases: Annotated[bool, AsOption("--mark-phases"), InFile(), InRequest()] = Field(
        False,
        description="After the audit of each phase that the plan names, make a commit without a change,"
        " `forge: Phase N complete`.",
    )

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines that each message ends with."""
        signed = (f"Signed-off-by: {self.author}",) if self.sign_off and self.author else ()
        return (*self.trailers, *signed)


class Limits(Record):
    """Every number that bounds a build. Times in seconds."""

    concurrency: Annotated[int, AsOption("--concurrency -j"), InFile(), InRequest(le=256)] = Field(
        4, ge=1, le=4096, description="Agents at once, and changes that one process judges at once."
    )
    attempts: Annotated[Count, AsOption("--attempts"), InFile(), InRequest(le=100)] = Field(
        3, description="Attempts per task."
    )
    task_seconds: Annotated[Seconds, AsOption("--task-time"), InFile()] = Field(
        300.0, description="Seconds for one attempt."
    )
    requests: Annotated[Count, AsOption("--requests"), InFile(), InRequest(le=100_000)] = Field(
        500, description="Requests to models in one attempt; the next one is refused."
    )
    gate_seconds: Annotated[Seconds, AsOption("--gate-time"), InFile()] = Field(
        120.0, description="Seconds for one check."
    )
    phase_seconds: Annotated[float | None, AsOption("--phase-time"), InFile(), InRequest(le=7 * 86_400)] = Field(
        None,
        gt=0,
        le=LONGEST_SECONDS,
        description="Pause when a phase of the plan takes longer than this many seconds; pauses do not count.",
    )
    pause_seconds: Seconds = Field(1800.0, description="Seconds of a pause after which a process gives the build up.")
    heartbeat_seconds: Annotated[Seconds, AsOption("--heartbeat"), InFile(), InRequest(ge=1, le=86_400)] = Field(
        30.0, description="Seconds between two signs of life of an attempt; in a cluster a lease lasts three of them."
    )
    failed_tasks: Annotated[int, InRequest(le=20_000)] = Field(
        3, ge=0, le=MOST, description="Tasks that may fail; one more stops the build."
    )
    stuck_after: Annotated[Count, AsOption("--stuck-after"), InFile(), InRequest(le=1_000)] = Field(
        3,
        description="Failed attempts in a row, over all tasks, after which nothing starts until the cause has been looked for.",
    )
    loop_after: Annotated[int, AsOption("--loop-after"), InFile(), InRequest(le=1_000)] = Field(
        3,
        ge=2,
        le=MOST,
        description="Attempts of a task that failed with the same findings, after which it gets no more.",
    )
    train: Annotated[Count, InRequest(le=64)] = Field(4, description="Cars of the merge train tested at once.")
    pushes: Annotated[Count, InRequest(le=100)] = Field(4, description="Tries of a failed delivery before a pause.")
    output_bytes: int = Field(
        4_000_000, gt=0, le=2**40, description="Output kept of one command; more is cut in the middle, and said so."
    )
    memory_bytes: int = Field(4 * 1024**3, gt=0, le=2**50, description="Memory that one check may use.")
    disk_gib: Annotated[float, AsOption("--disk"), InFile(), InRequest(le=10_000)] = Field(
        20.0, gt=0, le=2**20, description="GiB that one agent or check may write on disk."
    )
    processes: int = Field(512, gt=0, le=2**22, description="Processes that one check may have.")
    budget_usd: Annotated[Budget | None, AsOption("--max-cost"), InFile(), InRequest()] = Field(
        None, description="Pause when this many US dollars are spent."
    )
    task_budget_usd: Annotated[Budget | None, AsOption("--max-task-cost"), InFile(), InRequest()] = Field(
        None, description="Pause when a task has cost this many US dollars."
    )
    day_budget_usd: Annotated[Budget | None, AsOption("--max-day-cost"), InRequest()] = Field(
        None, description="Pause when all your builds have cost this many US dollars today (in UTC)."
    )
    project_budget_usd: Annotated[Budget | None, AsOption("--max-project-cost"), InRequest()] = Field(
        None, description="Pause when all your builds of the project have cost this many US dollars."
    )

    @property
    def disk_bytes(self) -> int:
        """Bytes that one agent or check may write on disk."""
        return int(self.disk_gib * 1024**3)


class Options(Record):
    """How a build runs. Fixed at its start, stored in its first event, so that a resume needs nothing by hand."""

    agent: Annotated[str, AsOption("--agent"), InFile(), InRequest(min_length=1, max_length=1_000)] = Field(
        "direct",
        description=f"Which agent writes: {described()}, one of another package, or one of your own (`[agents.NAME]`).",
    )
    second_agent: Annotated[str, AsOption("--second-agent"), InFile(), InRequest(max_length=80)] = Field(
        "", description="A second opinion: the agent that makes the next attempts of a task whose first ones failed."
    )
    second_after: Annotated[Count, AsOption("--second-after"), InFile(), InRequest(le=100)] = Field(
        2, description="Failed attempts of a task after which the second agent has its turn."
    )
    models: tuple[NamedModel, ...] = Field((), description="What `[models]` of your files says of models.")
    fallback: tuple[Annotated[str, Field(max_length=40)], ...] = Field(
        (), description="Names of models to ask, in this order, where one is overloaded or cannot be reached."
    )
    agents: tuple[OwnAgent, ...] = Field((), description="What `[agents.NAME]` of your files says of agents.")
    agent_rules: tuple[AgentRule, ...] = Field(
        (), description="Which agent makes which task; the first rule that fits counts."
    )
    agent_command: Annotated[str, AsOption("--agent-command"), InRequest(max_length=10_000)] = Field(
        "", description="The command that the shell agent runs for each task; exit 0 means that it finished."
    )
    model: Annotated[Name, AsOption("--model"), InFile()] = Field(
        "",
        description="The model that writes, a name in `[models]`, or `auto` (by complexity); the default depends on"
        " the agent.",
    )
    context_tokens: Annotated[int, AsOption("--context-tokens"), InFile(), InRequest(le=10_000_000)] = Field(
        0,
        ge=0,
        le=10_000_000,
        description="The context window of the direct agent's model, in tokens; 0: that of the price list, else 200,000.",
    )
    planner_model: Annotated[Name, AsOption("--planner-model"), InFile()] = Field(
        "", description="The model that plans."
    )
    diagnoser_model: Annotated[Name, AsOption("--diagnoser-model"), InFile()] = Field(
        "", description="The model that looks for the cause of failures in a row; the one that plans when left out."
    )
    sealed_tests: Annotated[bool, AsOption("--sealed-tests"), InRequest()] = Field(
        False,
        description="Have a model write tests of each task's acceptance lines before its agent starts; the agent never"
        " sees them, and the change must pass them.",
    )
    sealed_model: Annotated[Name, AsOption("--sealed-model"), InFile()] = Field(
        "", description="The model that writes sealed tests; the one that plans when left out."
    )
    review: Annotated[bool, AsOption("--review"), InRequest()] = Field(
        False, description="Let a model review each change that has passed every gate; what it asks for must be done."
    )
    review_model: Annotated[Name, AsOption("--review-model"), InFile()] = Field(
        "", description="The model that reviews, which asks for a review; `--review` alone takes the one that plans."
    )
    lessons: Annotated[bool, AsOption("--no-lessons", "Give agents no lessons, and learn none."), InRequest()] = Field(
        True, description="Give agents lessons of earlier attempts, and learn new ones; False: neither."
    )
    lesson_model: Annotated[Name, AsOption("--lesson-model"), InFile()] = Field(
        "", description="The model that words lessons; without it they are made of what was found."
    )
    checks: Annotated[
        tuple[Check, ...],
        AsOption(
            "--check",
            "A command that judges every change: COMMAND, NAME=COMMAND or KIND:NAME=COMMAND, such as"
            " `lint:style='ruff check .'`. KIND is syntax, typecheck, lint, test, build or other. Without it the checks are"
            " found from the repository.",
        ),
        InRequest(max_length=50),
        InFile("checks"),
    ] = Field((), description="Commands that judge every change; found from the repository's files if left out.")
    setup: Annotated[tuple[Line, ...], AsOption("--setup"), InRequest(max_length=50), InFile("setup")] = Field(
        (), description="Commands to run in a fresh checkout before the checks, such as `npm ci`."
    )
    bring: Annotated[tuple[Line, ...], AsOption("--bring"), InFile("bring")] = Field(
        (),
        description="A file that git does not track and checks need, by its path, folder or glob (`.env`); copied from your"
        " checkout, never into a change.",
    )
    grant_needs: Annotated[bool, AsOption("--grant-needs")] = Field(
        False,
        description="Give the project's commands what its `buildwright.toml` asks for from outside of the repository:"
        " variables of yours, ignored files, hosts of the network, services of this machine.",
    )
    lfs: Annotated[bool, AsOption("--lfs"), InFile()] = Field(
        False,
        description="Fetch the objects of Git LFS, so that agents and checks find the contents and not the pointers; needs"
        " git-lfs.",
    )
    bring_to_agents: Annotated[bool, AsOption("--bring-to-agents"), InFile()] = Field(
        False, description="Bring these files to agents that run commands, too."
    )
    package_settings: Annotated[bool, AsOption("--package-settings")] = Field(
        False,
        description="Show set-up alone your settings of package managers (`~/.npmrc`, `pip.conf`, `~/.m2/settings.xml`, ...),"
        " for private registries; the code that it installs can read them, too.",
    )
    lanes: Annotated[bool, AsOption("--no-lanes", "Without a repository: run the agents, keep no files.")] = Field(
        True, description="False: no repository, no lanes, no merge; the agent's word is the result."
    )
    gates: Annotated[bool, AsOption("--no-gates", "Merge without any checks."), InRequest()] = Field(
        True, description="False: merge without judging."
    )
    audit: Annotated[bool, AsOption("--no-audit", "Do not audit the phases of the plan."), InRequest()] = Field(
        True, description="False: the phases of the plan are not audited when their tasks have landed; by hand none is."
    )
    accept_base: Annotated[bool, InRequest()] = Field(
        False,
        description="Continue although the project fails its own checks before any change; the tasks are meant to fix that.",
    )
    accept_checks: Annotated[
        tuple[Line, ...],
        AsOption(
            "--accept-base",
            "Continue although the project already fails this check (or finding, such as `checks.none`): the tasks are"
            " meant to make it pass. Without a name: every one that fails.",
        ),
        InRequest(max_length=50),
    ] = Field((), description="The same for these checks alone, or findings by their code, such as `checks.none`.")
    on_failure: Annotated[Literal["pause", "fail"], AsOption("--on-failure"), InFile(), InRequest()] = Field(
        "pause", description="When a task has used up its attempts: ask you, or continue without it."
    )
    approve_plan: Annotated[bool, AsOption("--approve-plan"), InFile(), InRequest()] = Field(
        False,
        description="Pause once there is a plan: nothing is built of it until you resume. You may change it first.",
    )
    by_hand: Annotated[bool, AsOption("--by-hand")] = Field(
        False, description="Do only what `step` asks for, one action at a time."
    )
    delivery: Delivery = Field(default_factory=Delivery)
    commits: Commits = Field(default_factory=Commits)
    sandbox: Annotated[Literal["auto", "bubblewrap", "container", "none"], AsOption("--sandbox"), InRequest()] = Field(
        "auto",
        description="What contains agents and checks; `auto` is bubblewrap, containers where that does not work, and stops"
        " where neither does.",
    )
    project: Line = Field("", description="Name of the repository: containers that run its commands are named for it.")
    limits_watched: bool = Field(
        False,
        description="Found out at the start: the container engine cannot set limits, so Buildwright watches them.",
    )
    protected: Annotated[tuple[Line, ...], InRequest(max_length=200)] = Field(
        (), description="More path patterns no agent may touch, beside the built-in list."
    )
    allow: Annotated[tuple[Line, ...], AsOption("--allow"), InRequest(max_length=200)] = Field(
        (), description="A protected path that agents may change."
    )
    contracts_folder: Annotated[Name, AsOption("--contracts-folder"), InRequest(max_length=200)] = Field(
        "", description="Folder of the repository for the contracts that the build runs from; `Forge` if left out."
    )
    cassette: Annotated[Line, AsOption("--cassette", is_path=True)] = Field(
        "", description="Replay a model's answers from this file instead of asking a provider."
    )
    part: Line = Field(
        "", description="Folder of the repository that the build is about, such as `packages/a`; the whole if left out."
    )
    limits: Limits = Field(default_factory=Limits)

    def agent_for(self, task: Task, failed: int = 0) -> str:
        """Return the name of the agent that makes the task's next attempt, after so many that have failed."""
        if self.second_agent and failed >= self.second_after:
            return self.second_agent
        return task.agent or next((rule.agent for rule in self.agent_rules if rule.fits(task)), self.agent)

    def agents_for(self, tasks: Iterable[Task] | None) -> tuple[str, ...]:
        """Return the names of all agents that may have a turn; `tasks` is None while no plan is known."""
        planned = (
            [self.agent, *(rule.agent for rule in self.agent_rules)] if tasks is None else map(self.agent_for, tasks)
        )
        return tuple(dict.fromkeys((*planned, *filter(None, (self.second_agent,)))))

    @property
    def planning_model(self) -> str:
        """The model that plans: its own, else the one that writes; "" when neither is named."""
        return id_of(self.models, self.planner_model or self.model)

    def advising_model(self, own: str) -> str:
        """Return the model of an advisor that `own` names; without it the one that plans."""
        return id_of(self.models, own) or self.planning_model

    @property
    def wording_model(self) -> str:
        """The model that words lessons; "" when none is named."""
        return id_of(self.models, self.lesson_model)

    @property
    def asked_models(self) -> tuple[str, ...]:
        """The names of models that the options say for the agent and the advisors, each once."""
        advisors = (self.planner_model, self.diagnoser_model, self.sealed_model, self.review_model, self.lesson_model)
        return tuple(dict.fromkeys(filter(None, (self.model, *advisors, *(one.model for one in self.agents)))))

    @property
    def is_audited(self) -> bool:
        """Whether the phases are audited. Who drives a build by hand audits it by hand as well."""
        return self.lanes and self.gates and self.audit and not self.by_hand

    def own(self, name: str) -> OwnAgent:
        """Return what the user says of an agent; nothing more than its name when that is nothing."""
        return next((one for one in self.agents if one.name == name), None) or unsaid(name)

    def as_of(self, name: str) -> Options:
        """Return the options as an attempt of this agent has them: the known agent it is made of, its model and command.

        `model` is the model of the build's agent; another one has its own, or its default.
        """
        own = self.own(name)
        model = own.model if name != self.agent else self.model or own.model
        return self.model_copy(
            update={"agent": own.base, "model": model, "agent_command": own.command or self.agent_command}
        )


TABLES = ("env", "network", "services", "agents", "agent_rules", "models")
"""Keys of the project's file that are no options: what its commands need (`gates.needs`), and its agents."""

Place = tuple[str, ...]
"""The names that lead from `Options` to a field: `("limits", "attempts")`."""
_Mark = TypeVar("_Mark", bound=AsOption | InRequest | InFile)


def mark_of(field: FieldInfo, kind: type[_Mark]) -> _Mark | None:
    """Return the last mark of this kind on a field; None without one."""
    return next((mark for mark in reversed(field.metadata) if isinstance(mark, kind)), None)


def marked(
    kind: type[_Mark], record: type[BaseModel] = Options, above: Place = ()
) -> Iterator[tuple[Place, FieldInfo, _Mark]]:
    """Yield the fields that have a mark of this kind, also those of the records inside, in the order of the records."""
    for name, field in record.model_fields.items():
        if is_record(field.annotation):
            yield from marked(kind, field.annotation, (*above, name))
        elif (mark := mark_of(field, kind)) is not None:
            yield (*above, name), field, mark


def file_keys(option_files: bool = False) -> dict[str, AsOption | None]:
    """Return the keys that the project's `buildwright.toml` may have, with the options that they set.

    None stands beside tables of their own, which are no options. With `option_files` the keys of the user's own file.
    """
    keys: dict[str, AsOption | None] = {} if option_files else dict.fromkeys(TABLES)
    for _, field, option in marked(AsOption):
        mark = mark_of(field, InFile)
        if mark is not None and mark.key:
            keys |= {} if option_files else {mark.key: None}
        elif option_files or mark is not None:
            keys[option.attribute] = option
    return keys


def is_record(annotation: Any) -> TypeGuard[type[Record]]:
    """Return whether a field holds one of our records."""
    return isinstance(annotation, type) and issubclass(annotation, Record)
