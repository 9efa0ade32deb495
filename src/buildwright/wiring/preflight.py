"""Checks before a build is made: can its options be met, and what would its plan be. Must never keep anything."""

from __future__ import annotations

import re
import shlex
import subprocess
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.agents.acp_agents import is_acp
from buildwright.agents.finding import find
from buildwright.agents.programs import PROGRAMS, program
from buildwright.core.contracts import bound_by
from buildwright.core.graph import Graph
from buildwright.core.model_names import DEFAULT_MODEL, maker_of
from buildwright.core.models import id_of
from buildwright.core.review import reviewing_model, wants_review
from buildwright.core.routing import candidates
from buildwright.engine.commands import NewBuild
from buildwright.engine.usage import shared_purses
from buildwright.errors import BadSettings, BudgetSpent, Contradiction, GitFailed, ModelFailed
from buildwright.ports import Command, ModelAccess
from buildwright.wiring.adapters import LazyPlanner, agent_for, path_of, with_cassette
from buildwright.wiring.own_agents import with_own_agents
from buildwright.wiring.own_models import with_models

if TYPE_CHECKING:
    from buildwright.core.limits import Options
    from buildwright.gates.project_folder import Toolchain
    from buildwright.gateway import LocalGateway
    from buildwright.ports import Sandbox, Spend
    from buildwright.settings import Settings
    from buildwright.workspace import GitWorkspace


def check(
    new: NewBuild, settings: Settings, sandbox: Sandbox | None, gateway: Callable[[], LocalGateway] | None
) -> NewBuild:
    """Return the build with its options as the journal keeps them, once all they ask for is known to exist.

    `gateway` returns the gateway whose keys must suffice; it is None where the keys are those of workers. Raises
    BadSettings, BadRepository.
    """
    options = bound_by(resolved(new, settings).options, new.spec.contracts)
    if options.lanes:
        if not new.repository:
            raise BadSettings("there is no repository to build on", fix="name one with --repo, or add --no-lanes")
        from buildwright.workspace.source import locate

        source = locate(new.repository, settings.environment)
        if not options.commits.author and (author := _author(source.git_dir, settings.environment)):
            commits = options.commits.model_copy(update={"author": author})
            options = options.model_copy(update={"commits": commits})
        options = _with_key(options, source.git_dir, settings.environment)
    _check_contradictions(options)
    options = with_cassette(options)
    if sandbox is not None and options.sandbox == "auto" and gateway is not None:
        # What was chosen is kept, so that the build never goes on behind another wall, or none, without a word. Workers
        # of a cluster choose for themselves.
        options = options.model_copy(update={"sandbox": sandbox.name})
    options = options.model_copy(update={"project": _name_of(new.repository)})
    if sandbox is not None and gateway is not None:
        options = options.model_copy(update={"limits_watched": bool(sandbox.limits)})
    tasks = new.spec.graph.tasks if new.spec.graph is not None else None
    names = options.agents_for(tasks)
    if options.agent_command and "shell" not in {options.as_of(name).agent for name in names}:
        said = ", ".join(names)
        raise Contradiction(f"--agent-command is for the shell agent, and the agent is {said}", fix="add --agent shell")
    check_agents(options, names, settings, sandbox, gateway)
    if gateway is not None:
        for name in names:
            _check_program(options.as_of(name), new, settings, sandbox)
    if not options.cassette and gateway is not None:
        if tasks is None:  # the planner asks a model
            gateway().check_keys("", options)
        if wants_review(options):
            gateway().check_keys("", options, "reviewing changes asks a model: ", reviewing_model(options))
    return replace(new, options=options)


def _name_of(repository: str) -> str:
    """Return the last part of a repository's path or address, without `.git`: never a name or key of a user."""
    last = repository.rstrip("/").replace(":", "/").rpartition("/")[2]
    return last.partition("?")[0].removesuffix(".git")[:100]


def _check_contradictions(options: Options) -> None:
    """Raise BadSettings for options of which one takes away what another one needs."""
    if options.commits.sign_off and not options.commits.author:
        raise BadSettings("there is no name to sign off with", fix="say --author 'NAME <ADDRESS>', or set it in git")
    if wants_review(options) and not (options.gates and options.lanes):
        raise BadSettings(
            "there is nothing to review: changes are reviewed when they have passed the gates",
            fix="leave out --no-gates and --no-lanes, or the review",
        )
    if options.commits.mark_phases and not options.is_audited:
        raise Contradiction(
            "--mark-phases marks a phase as complete after its audit, and this build audits none",
            fix="leave out --mark-phases, or what switches the audit off (--no-audit, --no-gates, --no-lanes, --by-hand)",
        )


def check_agents(
    options: Options,
    names: Iterable[str],
    settings: Settings,
    sandbox: Sandbox | None,
    gateway: Callable[[], LocalGateway] | None,
) -> None:
    """Check that agents could work: they are known and installed, have a key, and speak the protocol of their model.

    Without a gateway workers run them, and only what a machine cannot lack is looked at. Raises BadSettings.
    """
    for name in names:
        agent, own = agent_for(options, settings, sandbox, name), options.as_of(name)
        if own.agent == "shell" and not own.agent_command.strip():
            raise Contradiction("the shell agent has no command", fix="say which with --agent-command 'CMD'")
        if gateway is None:
            continue
        made = program(own.agent) if own.agent in PROGRAMS else None
        if made is not None and find(made.program, path_of(settings)) is None:
            raise BadSettings(f"the agent {name} is not installed", fix=made.install)
        if options.cassette or agent.uses_model != "always":
            continue
        speaks = made.models if made is not None else ("claude-",) if own.agent == "claude" else ()
        default = made.default_model if made is not None else DEFAULT_MODEL
        routed = candidates(options, own.model)
        for model in [one.id for one in routed] or [own.model or default]:
            if speaks and maker_of(model) not in map(maker_of, speaks):
                kinds = " or ".join(f"{kind}*" for kind in speaks)
                key = "--model" if name == options.agent else f"model in [agents.{name}]"
                raise BadSettings(
                    f"the agent {name} cannot ask {model}: its models are {kinds}",
                    fix="name others in [models]" if routed else f"name one with {key}",
                )
            gateway().check_keys("any", own.model_copy(update={"model": model}))


async def check_models(
    options: Options, names: Iterable[str], settings: Settings, sandbox: Sandbox | None, *, plans: bool = False
) -> None:
    """Check that providers have the models which these agents, the advisors and, if it `plans`, the planner are to ask.

    Raises BadSettings.
    """
    from buildwright.gateway.model_list import check_model

    if options.cassette:
        return
    asked: list[str] = []
    for name in names:
        own = options.as_of(name)
        if is_acp(own.agent) or agent_for(options, settings, sandbox, name).uses_model != "always":
            continue  # what it asks is not said, or its own matter
        asked += [one.id for one in candidates(options, own.model)] or [own.model]
    advisors = (options.planner_model, options.diagnoser_model, options.sealed_model, options.review_model)
    asked += [id_of(options.models, one) for one in (*advisors, options.lesson_model)]
    asked += [options.planning_model] if plans else []
    for model in dict.fromkeys(filter(None, asked)):
        if model not in _CLAUDE_CODE:
            await check_model(model, settings.environment, settings.home)


_CLAUDE_CODE = frozenset({"default", "sonnet", "opus", "haiku", "opusplan"})
"""What Claude Code calls models by itself."""


def _check_program(options: Options, new: NewBuild, settings: Settings, sandbox: Sandbox | None) -> None:
    """Check that the shell agent will find the program that its command names by a path. Raises BadSettings.

    Agents work in checkouts of the base, and in the sandbox see the system and the folders of PATH alone.
    """
    from buildwright.sandbox.view import system_paths, tool_paths
    from buildwright.workspace.source import locate

    path = _named_path(options.agent_command) if options.agent == "shell" else None
    if path is None or not options.lanes:
        return
    if path.is_absolute():
        if not path.is_file():
            raise BadSettings(f"there is no program {path}", fix="name one that is there in --agent-command")
        looked = Command(argv=("/bin/sh",), cwd=path.parent, env={"PATH": path_of(settings)})
        shown = (*system_paths(network=False), *tool_paths(looked))
        if sandbox is None or sandbox.name != "bubblewrap" or any(path.is_relative_to(one) for one in shown):
            return
        raise BadSettings(
            f"agents cannot see {path}: the sandbox shows them the system, the folders of PATH and the repository",
            fix=_way_in(path, new, settings),
        )
    source = locate(new.repository, settings.environment)
    if source.git_dir is None or options.bring_to_agents or _has_file(source.git_dir, new.base, path, settings):
        return
    raise BadSettings(
        f"{path} is not in the commit that the build starts from, and agents work in checkouts of that",
        fix="commit it, or add its folder to PATH and name it without a folder",
    )


def _way_in(path: Path, new: NewBuild, settings: Settings) -> str:
    """Return what lets agents see a program: its name where it lies in the repository, else where to put it."""
    from buildwright.workspace.source import locate

    source = locate(new.repository, settings.environment)
    top = source.work_tree.resolve() if source.work_tree is not None else None
    if source.git_dir is None or top is None or not path.resolve().is_relative_to(top):
        return f"add {path.parent} to PATH, or commit the program to the repository"
    inside = path.resolve().relative_to(top)
    named = f"name it in the repository, as ./{inside.as_posix()}"
    return named if _has_file(source.git_dir, new.base, inside, settings) else f"commit it, and {named}"


_INTERPRETERS = frozenset({"sh", "bash", "dash", "zsh", "python", "python3", "node", "perl", "ruby"})


def _named_path(command: str) -> Path | None:
    """Return the program that a command begins with, or the script after an interpreter, if that is plainly a path."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    while words and re.fullmatch(r"[A-Za-z_]\w*=.*", words[0], re.DOTALL):
        words.pop(0)
    is_script = len(words) > 1 and Path(words[0]).name in _INTERPRETERS and not words[1].startswith("-")
    named = words[1] if is_script else words[0] if words else ""
    plain = (is_script or "/" in named) and re.fullmatch(r"[\w./+@-]+", named) is not None
    return Path(named) if plain else None


def _has_file(git_dir: Path, base: str, path: Path, settings: Settings) -> bool:
    """Return whether the base has the file, or git does not answer."""
    command = ["git", "cat-file", "-e", f"{base or 'HEAD'}:{path.as_posix()}"]
    try:
        done = subprocess.run(
            command, check=False, cwd=git_dir, env=dict(settings.environment), capture_output=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return done.returncode == 0


def _with_key(options: Options, git_dir: Path | None, environment: Mapping[str, str]) -> Options:
    """Return the options with the key that signs commits, which has signed a trial. Raises BadSettings."""
    from buildwright.workspace.signing import signing_key

    commits = options.commits
    try:
        key = signing_key(environment, git_dir, commits.author, commits.sign)
    except GitFailed as error:
        raise BadSettings(error.message, fix=error.fix) from error
    return options.model_copy(update={"commits": commits.model_copy(update={"signing_key": key})})


def resolved(new: NewBuild, settings: Settings) -> NewBuild:
    """Return the build with the agents of its user and its project, and about the part that its folder names.

    The part is the nearest folder with a manifest. Raises BadRepository, BadSettings.
    """
    from buildwright.gates.parts import part_of
    from buildwright.workspace.source import locate

    top = locate(new.repository, settings.environment).work_tree if new.repository else None
    part = ""
    if top is not None and "://" not in new.repository:
        folder, root = Path(new.repository).expanduser().resolve(), top.resolve()
        if folder != root and folder.is_relative_to(root):
            part = part_of(folder.relative_to(root).as_posix(), lambda path: (root / path).is_file())
    options = with_own_agents(new.options, settings, new.repository, new.user_id)
    options = with_models(options, settings, new.repository, new.user_id)
    return replace(new, options=options.model_copy(update={"part": part}))


def _author(git_dir: Path | None, environment: Mapping[str, str]) -> str:
    """Return who git says the user is, `Name <address>`, by its environment and settings; "" when it does not know."""
    asked = ["git", "-c", "user.useConfigOnly=true", "var", "GIT_AUTHOR_IDENT"]
    try:
        answer = subprocess.run(
            asked, check=False, cwd=git_dir, env=dict(environment), capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    name = answer.stdout.rpartition(">")[0]
    return f"{name}>" if answer.returncode == 0 and name else ""


async def toolchain(new: NewBuild, workspace: GitWorkspace) -> Toolchain:
    """Return the checks that a build in the repository would run on its base, and warnings about them.

    Without a repository there are none. Raises BadRepository, BadSettings (buildwright.toml is wrong).
    """
    from buildwright.gates.project_folder import Toolchain as Found
    from buildwright.gates.stored_tree import toolchain_of_tree
    from buildwright.workspace.orphans import PLAN

    if not new.repository or not new.options.gates:
        return Found((), ())
    place = f"{PLAN}{uuid.uuid4()}"
    target = await workspace.prepare(place, new.repository, new.base)
    try:
        paths = await workspace.list_files(place, target.tree)
        return await toolchain_of_tree(paths, lambda path: workspace.read_file(place, target.tree, path), new.options)
    finally:
        await workspace.release(place)


async def plan(
    new: NewBuild,
    owner: str,
    gateway: LocalGateway,
    workspace: GitWorkspace,
    check_base: Callable[[], Awaitable[None]],
    count: Callable[[str, Sequence[Spend]], Awaitable[None]],
) -> Graph:
    """Ask the planner for a plan and return it. The planner reads the files of the repository if there is one.

    It is paid from the purses of the day and the project of `owner`. `check_base` is called before the model is, and
    `count` with the plan's id and what its requests cost, also if there is no plan. Raises BadGraph, ModelFailed,
    BudgetSpent, BadSettings, BadRepository.
    """
    from buildwright.wiring.code_map import planner_context, spec_words
    from buildwright.workspace.orphans import PLAN

    options = with_cassette(new.options)
    gateway.check_keys("", options)
    await check_base()
    place = f"{PLAN}{uuid.uuid4()}"
    context = ""
    if new.repository:
        target = await workspace.prepare(place, new.repository, new.base)
        try:
            context = await planner_context(workspace, place, target.tree, spec_words(new.spec), new.options.part)
        finally:
            await workspace.release(place)
    purses = shared_purses(owner, new.project, options.limits)
    door = await gateway.open(ModelAccess(place, "", 1, options, purses=purses, kept=False))
    try:
        return await LazyPlanner().plan(new.spec, context, options.planning_model, door)
    except ModelFailed as failure:
        trouble = gateway.trouble(door)
        if trouble is None or trouble.kind != "budget":
            raise
        fix = "raise it with --max-day-cost or --max-project-cost, or wait for the next day (UTC)"
        raise BudgetSpent(f"no plan was asked for: {trouble.message}", fix=fix) from failure
    finally:
        await gateway.shut(door)
        if spends := gateway.metered(door):
            await count(place, spends)
