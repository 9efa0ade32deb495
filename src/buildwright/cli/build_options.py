"""The options of `build`, as Cyclopts reads them. Made by docs/generate.py from core/limits.py; must never be edited."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter


# fmt: off
@Parameter(name="*")
@dataclass(kw_only=True, frozen=True)
class BuildOptions:
    """How a build runs. Fixed when it starts, and kept with it."""

    agent: Annotated[str, Parameter(group="Agents and models", help=
        "Which agent writes: `direct` (a model, streamed), `claude` (Claude Agent SDK), `shell` (a command), `codex`, "
        "`gemini`, `aider`, `opencode`, `qwen`, `copilot`, `pi`, `mini`, `acp:COMMAND` (any program that speaks the Agent "
        "Client Protocol), one of another package, or one of your own (`[agents.NAME]`).")] = "direct"
    second_agent: Annotated[str, Parameter(group="Agents and models", help=
        "A second opinion: the agent that makes the next attempts of a task whose first ones failed.")] = ""
    second_after: Annotated[int, Parameter(group="Agents and models", help=
        "Failed attempts of a task after which the second agent has its turn.")] = 2
    agent_command: Annotated[str, Parameter(group="Agents and models", help=
        "The command that the shell agent runs for each task; exit 0 means that it finished.")] = ""
    model: Annotated[str, Parameter(group="Agents and models", help=
        "The model that writes, a name in `[models]`, or `auto` (by complexity); the default depends on the agent.")] = ""
    context_tokens: Annotated[int, Parameter(group="Agents and models", help=
        "The context window of the direct agent's model, in tokens; 0: that of the price list, else 200,000.")] = 0
    planner_model: Annotated[str, Parameter(group="Agents and models", help="The model that plans.")] = ""
    diagnoser_model: Annotated[str, Parameter(group="Agents and models", help=
        "The model that looks for the cause of failures in a row; the one that plans when left out.")] = ""
    sealed_tests: Annotated[bool, Parameter(group="Agents and models", help=
        "Have a model write tests of each task's acceptance lines before its agent starts; the agent never sees them, and the"
        " change must pass them.")] = False
    sealed_model: Annotated[str, Parameter(group="Agents and models", help=
        "The model that writes sealed tests; the one that plans when left out.")] = ""
    review: Annotated[bool, Parameter(group="Agents and models", help=
        "Let a model review each change that has passed every gate; what it asks for must be done.")] = False
    review_model: Annotated[str, Parameter(group="Agents and models", help=
        "The model that reviews, which asks for a review; `--review` alone takes the one that plans.")] = ""
    no_lessons: Annotated[bool, Parameter(group="Agents and models", help="Give agents no lessons, and learn none.")] = False
    lesson_model: Annotated[str, Parameter(group="Agents and models", help=
        "The model that words lessons; without it they are made of what was found.")] = ""
    check: Annotated[tuple[str, ...], Parameter(group="Checks", help=
        "A command that judges every change: COMMAND, NAME=COMMAND or KIND:NAME=COMMAND, such as `lint:style='ruff check .'`."
        " KIND is syntax, typecheck, lint, test, build or other. Without it the checks are found from the repository. May be "
        "repeated.")] = ()
    setup: Annotated[tuple[str, ...], Parameter(group="Checks", help=
        "Commands to run in a fresh checkout before the checks, such as `npm ci`. May be repeated.")] = ()
    bring: Annotated[tuple[str, ...], Parameter(group="Checks", help=
        "A file that git does not track and checks need, by its path, folder or glob (`.env`); copied from your checkout, "
        "never into a change. May be repeated.")] = ()
    grant_needs: Annotated[bool, Parameter(group="Checks", help=
        "Give the project's commands what its `buildwright.toml` asks for from outside of the repository: variables of yours,"
        " ignored files, hosts of the network, services of this machine.")] = False
    lfs: Annotated[bool, Parameter(group="Checks", help=
        "Fetch the objects of Git LFS, so that agents and checks find the contents and not the pointers; needs git-lfs.")] = False
    bring_to_agents: Annotated[bool, Parameter(group="Checks", help=
        "Bring these files to agents that run commands, too.")] = False
    package_settings: Annotated[bool, Parameter(group="Checks", help=
        "Show set-up alone your settings of package managers (`~/.npmrc`, `pip.conf`, `~/.m2/settings.xml`, ...), for private"
        " registries; the code that it installs can read them, too.")] = False
    no_lanes: Annotated[bool, Parameter(group="Checks", help="Without a repository: run the agents, keep no files.")] = False
    no_gates: Annotated[bool, Parameter(group="Checks", help="Merge without any checks.")] = False
    no_audit: Annotated[bool, Parameter(group="Checks", help="Do not audit the phases of the plan.")] = False
    accept_base: Annotated[tuple[str, ...], Parameter(group="Checks", help=
        "Continue although the project already fails this check (or finding, such as `checks.none`): the tasks are meant to "
        "make it pass. Without a name: every one that fails. May be repeated.")] = ()
    on_failure: Annotated[Literal["pause", "fail"], Parameter(group="Course", help=
        "When a task has used up its attempts: ask you, or continue without it.")] = "pause"
    approve_plan: Annotated[bool, Parameter(group="Course", help=
        "Pause once there is a plan: nothing is built of it until you resume. You may change it first.")] = False
    by_hand: Annotated[bool, Parameter(group="Course", help="Do only what `step` asks for, one action at a time.")] = False
    deliver: Annotated[Literal["none", "branch", "push", "files", "pr"], Parameter(group="Result", help=
        "Where the result goes: to a `branch` in your repository, to a remote (`push`), there with a pull request (`pr`), to "
        "the branch that is checked out and its `files`, or nowhere (`none`).")] = "branch"
    branch: Annotated[str, Parameter(group="Result", help=
        "Branch for the result; `buildwright/` and the build's short id when left out.")] = ""
    push: Annotated[str, Parameter(group="Result", help=
        "Push the result to this remote, not to a local branch; with `--deliver pr` the remote of the pull request.")] = ""
    author: Annotated[str, Parameter(group="Result", help=
        "Author and committer, as `Name <address>`; by default who git says you are.")] = ""
    sign_off: Annotated[bool, Parameter(group="Result", help=
        "End each message with `Signed-off-by` and the author, as git does on request.")] = False
    trailer: Annotated[tuple[str, ...], Parameter(group="Result", help=
        "A line to end each message with, such as `Co-authored-by: Name <address>`. May be repeated.")] = ()
    sign: Annotated[Literal["auto", "yes", "no"], Parameter(group="Result", help=
        "Sign commits with your key of git (`user.signingKey`, `gpg.format`); `auto` as `commit.gpgSign` says.")] = "auto"
    mark_phases: Annotated[bool, Parameter(group="Result", help=
        "After the audit of each phase that the plan names, make a commit without a change, `forge: Phase N complete`.")] = False
    sandbox: Annotated[Literal["auto", "bubblewrap", "container", "none"], Parameter(group="Checks", help=
        "What contains agents and checks; `auto` is bubblewrap, containers where that does not work, and stops where neither "
        "does.")] = "auto"
    allow: Annotated[tuple[str, ...], Parameter(group="Checks", help=
        "A protected path that agents may change. May be repeated.")] = ()
    contracts_folder: Annotated[str, Parameter(group="Result", help=
        "Folder of the repository for the contracts that the build runs from; `Forge` if left out.")] = ""
    cassette: Annotated[Path | None, Parameter(group="Agents and models", help=
        "Replay a model's answers from this file instead of asking a provider.")] = None
    concurrency: Annotated[int, Parameter(group="Course", name=["--concurrency", "-j"], help=
        "Agents at once, and changes that one process judges at once.")] = 4
    attempts: Annotated[int, Parameter(group="Course", help="Attempts per task.")] = 3
    task_time: Annotated[float, Parameter(group="Course", help="Seconds for one attempt.")] = 300.0
    requests: Annotated[int, Parameter(group="Course", help="Requests to models in one attempt; the next one is refused.")] = 500
    gate_time: Annotated[float, Parameter(group="Course", help="Seconds for one check.")] = 120.0
    phase_time: Annotated[float | None, Parameter(group="Course", help=
        "Pause when a phase of the plan takes longer than this many seconds; pauses do not count.")] = None
    heartbeat: Annotated[float, Parameter(group="Course", help=
        "Seconds between two signs of life of an attempt; in a cluster a lease lasts three of them.")] = 30.0
    stuck_after: Annotated[int, Parameter(group="Course", help=
        "Failed attempts in a row, over all tasks, after which nothing starts until the cause has been looked for.")] = 3
    loop_after: Annotated[int, Parameter(group="Course", help=
        "Attempts of a task that failed with the same findings, after which it gets no more.")] = 3
    disk: Annotated[float, Parameter(group="Course", help="GiB that one agent or check may write on disk.")] = 20.0
    max_cost: Annotated[str, Parameter(group="Course", help="Pause when this many US dollars are spent.")] = ""
    max_task_cost: Annotated[str, Parameter(group="Course", help="Pause when a task has cost this many US dollars.")] = ""
    max_day_cost: Annotated[str, Parameter(group="Course", help=
        "Pause when all your builds have cost this many US dollars today (in UTC).")] = ""
    max_project_cost: Annotated[str, Parameter(group="Course", help=
        "Pause when all your builds of the project have cost this many US dollars.")] = ""
