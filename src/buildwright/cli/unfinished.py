"""Builds that `build` continues instead of starting another, and how one takes an edited task list over.

Must never start or run a build.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from buildwright.cli.argv0 import typed
from buildwright.errors import BuildwrightError, Refused
from buildwright.views.plan_difference import PlanDifference, difference, edited_fields

if TYPE_CHECKING:
    from buildwright.cli.output import Output
    from buildwright.client import Client
    from buildwright.core.build import Build
    from buildwright.core.graph import Graph
    from buildwright.core.limits import Options
    from buildwright.core.spec import Spec
    from buildwright.ports import BuildRow

_OVER = frozenset({"done", "skipped"})
_LOOK_BACK = 200
"""How many of the newest builds are searched for an unfinished one with the same spec and options."""


async def unfinished_build(app: Client, spec: Spec, options: Options, repository: str, base: str) -> str:
    """Return the id of the newest unfinished build with this spec, repository, base and options; "" without one."""
    for row in await app.builds.rows(limit=_LOOK_BACK):
        if row.control in {"finished", "stopped"} or row.title != spec.title:
            continue
        found = await app.builds.load(row.build_id)
        same = (found.spec, found.repository, found.base_ref) == (spec, repository, base)
        if same and not found.new_spec and await _began_with(app, found, options):
            return found.id
    return ""


async def changed_build(
    app: Client, spec: Spec, options: Options, repository: str, base: str, output: Output, yes: bool
) -> FoundBuild | None:
    """Give the newest build of this name the tasks of an edited list, or an edited spec, if the user agrees.

    Returns None when there is no such build: it has the same repository, base, options, and title or file, a plan, and a
    task of the list. An unfinished one comes first; one that has ended must have done a task of the list as it stands.
    One that began with other options is named.
    """
    change = _respecified if spec.graph is None else _relisted
    taken = await change(app, spec, options, repository, base, output, yes)
    if taken is None:
        await _say_left(app, spec, options, repository, base, output)
    return taken


async def _relisted(
    app: Client, spec: Spec, options: Options, repository: str, base: str, output: Output, yes: bool
) -> FoundBuild | None:
    from buildwright.engine.task_commands import ChangeTasks

    assert spec.graph is not None
    for row in sorted(await app.builds.rows(limit=_LOOK_BACK), key=_has_ended):
        if _has_ended(row) and row.title != spec.title:
            continue  # told without reading each build that has ever ended
        found = await app.builds.load(row.build_id)
        if (found.repository, found.base_ref) != (repository, base) or not _is_of(found, spec, spec.graph):
            continue
        if not await _began_with(app, found, options):
            continue
        differs = difference(found, spec.graph)
        if differs.is_empty and found.is_terminal:
            return None
        if differs.is_empty:
            output.say(f"Continuing build {found.id[:8]}, which has these tasks (--new starts another).")
            return FoundBuild(found.id, changed=False)
        how_far = "has ended" if found.is_terminal else "is unfinished"
        output.say(f"Build {found.id[:8]} {how_far} and has the same name. The list differs from its plan:")
        print_difference(output, found, differs)
        if found.is_terminal:
            await say_moved(app, found.id, output)
        if not await output.confirm("Change that build? What is done stays (no: start another).", yes):
            return None
        await app.ask(found.id, ChangeTasks((*differs.added, *differs.edited), differs.dropped))
        output.say(f"Continuing build {found.id[:8]} and these changes (--new starts another).")
        return FoundBuild(found.id, changed=True)
    return None


async def _respecified(
    app: Client, spec: Spec, options: Options, repository: str, base: str, output: Output, yes: bool
) -> FoundBuild | None:
    """Give the newest build of this name an edited spec, if the user agrees; return it, None without one.

    It has a plan that was made from a spec, and when it has ended, something has landed. Raises Refused when the user
    cannot be asked and `yes` is not set: the planner is paid for its answer.
    """
    from buildwright.core.spec import text_difference
    from buildwright.engine.task_commands import ChangeSpec

    for row in sorted(await app.builds.rows(limit=_LOOK_BACK), key=_has_ended):
        if _has_ended(row) and row.title != spec.title:
            continue
        found = await app.builds.load(row.build_id)
        same = (found.repository, found.base_ref, found.spec.graph) == (repository, base, None)
        if not (same and _is_named(found, spec) and found.plan is not None and await _began_with(app, found, options)):
            continue
        short, before = found.id[:8], found.new_spec or found.spec.text
        if found.is_terminal and (spec.text == before or not found.done):
            return None
        if spec.text == before:
            output.say(f"Continuing build {short}, which has this spec (--new starts another).")
            return FoundBuild(found.id, changed=False)
        how_far = "has ended" if found.is_terminal else "is unfinished"
        output.say(f"Build {short} {how_far} and has the same name. The spec differs from what it was planned from:")
        for line in text_difference(before, spec.text):
            output.say(f"  {line}")
        if found.is_terminal:
            await say_moved(app, found.id, output)
        if not (yes or output.can_ask):
            raise Refused(
                f"whether to change build {short} cannot be asked here",
                fix="say --yes to change it (the planner is asked what the difference means), or --new to start another",
            )
        question = "Change that build? The planner is asked what that means; what is done stays (no: start another)."
        if not await output.confirm(question, yes):
            return None
        await app.ask(found.id, ChangeSpec(spec.text))
        output.say(f"Continuing build {short} with this spec (--new starts another).")
        return FoundBuild(found.id, changed=True)
    return None


def _has_ended(row: BuildRow) -> bool:
    return row.control in {"finished", "stopped"}


def _is_named(build: Build, spec: Spec) -> bool:
    return bool(spec.title == build.spec.title or (spec.source and spec.source == build.spec.source))


def _is_of(build: Build, spec: Spec, graph: Graph) -> bool:
    """Return whether a list is an edited one of a build's; after its end only if it would spare a task that is done."""
    plan = build.plan
    if plan is None or not _is_named(build, spec):
        return False
    shared = [task for task in graph.tasks if task.id in plan.position]
    if not build.is_terminal:
        return bool(shared)
    return any(task == plan.task(task.id) and build.task(task.id).phase in _OVER for task in shared)


async def say_moved(app: Client, build_id: str, output: Output) -> None:
    """Say when the base of a build is no longer the newest commit there: what was mended since is not in the build.

    Only of a repository on this machine: asking another one takes time.
    """
    from buildwright.workspace.git import Git
    from buildwright.workspace.source import locate, read_head

    found = await app.builds.load(build_id)
    if app.elsewhere or not found.base or found.spec.contracts is not None:  # it stands on a commit of its own
        return
    with suppress(BuildwrightError):  # a notice; whether the repository can be used is not the question here
        source = locate(found.repository, app.settings.environment)
        if source.git_dir is None:
            return
        head = await read_head(Git(app.settings.home, app.settings.environment), source, found.base_ref)
        if head.commit and head.commit != found.base:
            there = typed(f"buildwright resume {build_id[:8]} --rebase")
            output.say(
                f"Its base has moved: the build began at {found.base[:10]}, and the newest commit is {head.commit[:10]}."
                f" To put it on what you have changed there since: `{there}`, or --new for a new build.",
                wrap=True,
            )


async def _say_left(app: Client, spec: Spec, options: Options, repository: str, base: str, output: Output) -> None:
    """Say which unfinished build of this name is left as it is, because it began with other options."""
    from buildwright.cli.event_text import options_named
    from buildwright.core.options_change import changed_options

    for row in await app.builds.rows(limit=_LOOK_BACK):
        if _has_ended(row):
            continue
        found = await app.builds.load(row.build_id)
        same = (found.repository, found.base_ref) == (repository, base) and _is_named(found, spec)
        other = changed_options(found.options, _as_started(options, found.options)) if same else ()
        if not other or (spec.graph is not None and not _is_of(found, spec, spec.graph)):
            continue
        short, named = found.id[:8], ", ".join(options_named(other))
        go_on = typed(f"buildwright {'resume' if found.pause is not None else 'run'} {short}")
        output.say(
            f"note: build {short} of the same name is unfinished, and began with another {named}, so this is a new build."
            f" That one is continued with `{go_on}`.",
            wrap=True,
        )
        return


async def _began_with(app: Client, found: Build, options: Options) -> bool:
    """Return whether a build began with these options, whatever a `resume` has changed since."""
    from buildwright.core.event import BuildCreated

    if found.options == _as_started(options, found.options):
        return True
    created = (await app.builds.read(found.id, limit=1))[0].event if "options.changed" in found.moments else None
    return isinstance(created, BuildCreated) and created.options == _as_started(options, created.options)


def _as_started(options: Options, found: Options) -> Options:
    """Return the options with what the start of the other build found out.

    That is its part, the author and key that git named, the sandbox that `auto` chose and how it holds limits, the
    project's name, and what files say of agents.
    """
    named = {"author": options.commits.author or found.commits.author, "signing_key": found.commits.signing_key}
    started: dict[str, object] = {"part": found.part, "commits": options.commits.model_copy(update=named)}
    started |= {"project": found.project, "limits_watched": found.limits_watched}
    started |= {"agents": options.agents or found.agents, "agent_rules": options.agent_rules or found.agent_rules}
    if options.sandbox == "auto" and found.sandbox != "none":  # which `auto` never chooses
        started["sandbox"] = found.sandbox
    return options.model_copy(update=started)


class FoundBuild(NamedTuple):
    """A build that goes on instead of a new one, and whether it was given what is new in the list or spec."""

    id: str
    changed: bool


def print_difference(output: Output, build: Build, found: PlanDifference) -> None:
    """Print a line for each task that differs, with the fields that are new."""
    assert build.plan is not None
    for task in found.added:
        output.say(f"  + {task.id}: {task.title}")
    for task in found.edited:
        fields = [name.replace("_", " ") for name in edited_fields(build, task)]
        output.say(f"  ~ {task.id}: {', '.join(fields)}")
    for name in found.dropped:
        output.say(f"  - {name}: {build.plan.task(name).title}")
    for name in found.kept:
        output.say(f"  = {name}: stays as it is, for it is {build.task(name).phase}")
