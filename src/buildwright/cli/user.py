"""The verbs `user list`, `show`, `add`, `set`, `disable`, `enable`, `members`, `share` and `unshare`.

Must never hold a rule: here and on a server they are the same, and a server takes the rights for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.session import session
from buildwright.cli.verbs import app_of
from buildwright.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from buildwright.views.team import MemberView, UserChanges, UserView

user = app_of("user")

_Name = Annotated[str, Parameter(help="Id of the user.")]
_Project = Annotated[str, Parameter(help="Id of the project, the beginning of one, or its name.")]
_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]
_Owner = Annotated[bool, Parameter(help="An owner of the server: sees all builds, and changes users.")]
_Member = Annotated[bool, Parameter(help="A member, who sees own builds and shared projects.")]
_Commands = Annotated[bool, Parameter(help="Builds of the user may run commands of the server's machine.")]
_NoCommands = Annotated[bool, Parameter(name="--no-commands", help="They may not.")]
_Builds = Annotated[str, Parameter(help="Builds at once; 0 for any number, `default` for the server's.")]
_Hourly = Annotated[str, Parameter(help="Builds begun within an hour, likewise.")]
_Month = Annotated[str, Parameter(help="US dollars for requests to models in a month; `default` for no limit.")]


@user.command(name="list")
async def list_users(*, json: _Json = False) -> None:
    """List the users with their rights, limits and what they have spent this month."""
    from buildwright.cli.table import Column, table
    from buildwright.core.figures import money

    output = Output(json)
    async with session() as app:
        found = await app.team.users()
    if output.json:
        output.data({"users": [one.model_dump(mode="json") for one in found]})
        return
    columns = (
        Column("user"),
        Column("role"),
        Column("commands"),
        Column("unfinished", right=True),
        Column("this month", right=True),
        Column("limit", right=True),
        Column("state"),
    )
    rows = [
        (
            one.user_id,
            one.role,
            "yes" if one.may_run_commands else "no",
            str(one.unfinished),
            money(one.spent_usd),
            money(one.most_usd_a_month) if one.most_usd_a_month is not None else "",
            "disabled" if one.disabled_at else "",
        )
        for one in found
    ]
    output.lines(table(columns, rows, output.width))


@user.command
async def show(
    name: Annotated[str, Parameter(help="Id of the user; you when left out.")] = "", /, *, json: _Json = False
) -> None:
    """Show one user."""
    async with session() as app:
        _show(Output(json), await app.team.user(name))


@user.command
async def add(
    name: _Name,
    /,
    *,
    display_name: Annotated[str, Parameter(name="--name", help="How pages show the user.")] = "",
    owner: _Owner = False,
    commands: _Commands = False,
    max_builds: _Builds = "",
    max_builds_an_hour: _Hourly = "",
    max_month_cost: _Month = "",
    json: _Json = False,
) -> None:
    """Add a user before the first request. `buildwright token --user NAME` makes a token for one, added or not."""
    wanted = _changes(display_name, owner, False, commands, False, max_builds, max_builds_an_hour, max_month_cost)
    async with session() as app:
        _show(Output(json), await app.team.add_user(name, wanted))


@user.command(name="set")
async def set_user(
    name: _Name,
    /,
    *,
    display_name: Annotated[str, Parameter(name="--name", help="How pages show the user.")] = "",
    owner: _Owner = False,
    member: _Member = False,
    commands: _Commands = False,
    no_commands: _NoCommands = False,
    max_builds: _Builds = "",
    max_builds_an_hour: _Hourly = "",
    max_month_cost: _Month = "",
    json: _Json = False,
) -> None:
    """Change rights and limits of a user; what is left out stays."""
    wanted = _changes(
        display_name, owner, member, commands, no_commands, max_builds, max_builds_an_hour, max_month_cost
    )
    if not wanted.model_fields_set:
        raise Refused("nothing was named that is to change", fix="see `buildwright user set --help`")
    async with session() as app:
        _show(Output(json), await app.team.set_user(name, wanted))


@user.command
async def disable(name: _Name, /, *, json: _Json = False) -> None:
    """Refuse a user, and take back all tokens. Builds that run go on."""
    async with session() as app:
        _show(Output(json), await app.team.disable_user(name))


@user.command
async def enable(name: _Name, /, *, json: _Json = False) -> None:
    """Let a user in again, with a new token."""
    async with session() as app:
        _show(Output(json), await app.team.enable_user(name))


@user.command
async def members(project: _Project, /, *, json: _Json = False) -> None:
    """List the users who see a project, with their roles."""
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        _show_members(Output(json), await app.team.members(project_id))


@user.command
async def share(
    project: _Project,
    name: _Name,
    /,
    *,
    role: Annotated[
        Literal["maintainer", "member", "viewer"], Parameter(help="What the user may do there.")
    ] = "member",
    json: _Json = False,
) -> None:
    """Share a project with a user, or change the role there."""
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        _show_members(Output(json), await app.team.set_member(project_id, name, role))


@user.command
async def unshare(project: _Project, name: _Name, /, *, json: _Json = False) -> None:
    """End the sharing of a project with a user."""
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        _show_members(Output(json), await app.team.set_member(project_id, name, None))


@user.command
async def leave(project: _Project, /, *, json: _Json = False) -> None:
    """Be a member of a project no more."""
    output = Output(json)
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        await app.team.leave(project_id)
    if output.json:
        output.data({"left": project_id})
    else:
        output.print(f"You are no member of {project} any more.")


@user.command(name="unlink-github")
async def unlink_github(*, json: _Json = False) -> None:
    """Forget your account at GitHub, with its token. Repositories that you have connected are audited no more."""
    async with session() as app:
        _show(Output(json), await app.team.unlink_github())


def _changes(
    name: str,
    owner: bool,
    member: bool,
    commands: bool,
    no_commands: bool,
    max_builds: str,
    max_builds_an_hour: str,
    max_month_cost: str,
) -> UserChanges:
    """Return what the options ask for. Raises Refused."""
    from buildwright.views.team import UserChanges

    if (owner and member) or (commands and no_commands):
        raise Refused("two options say the opposite", fix="leave one of them out")
    given: dict[str, Any] = {"name": name} if name else {}
    if owner or member:
        given["role"] = "owner" if owner else "member"
    if commands or no_commands:
        given["may_run_commands"] = commands
    for field, option, text in (
        ("most_builds", "--max-builds", max_builds),
        ("most_builds_an_hour", "--max-builds-an-hour", max_builds_an_hour),
    ):
        if text:
            given[field] = _count(option, text)
    if max_month_cost:
        given["most_usd_a_month"] = _money(max_month_cost)
    return UserChanges(**given)


def _count(option: str, text: str) -> int | None:
    if text == "default":
        return None
    if not (text.isascii() and text.isdigit()) or int(text) > 100_000:
        raise Refused(f"{option} {text} is not a count", fix="give a number up to 100000, or `default`")
    return int(text)


def _money(text: str) -> object:
    from buildwright.cli.options import read_money

    return None if text == "default" else read_money(text, "--max-month-cost")


def _show(output: Output, found: UserView) -> None:
    from buildwright.core.figures import money

    if output.json:
        output.data(found.model_dump(mode="json"))
        return
    disabled = f", disabled since {found.disabled_at:%Y-%m-%d %H:%M} UTC" if found.disabled_at else ""
    output.print(f"{found.user_id} ({found.name}), {found.role}{disabled}")
    output.print(f"commands of the server's machine: {'yes' if found.may_run_commands else 'no'}")
    counts = [
        "the server's" if count is None else str(count) or "any"
        for count in (found.most_builds, found.most_builds_an_hour)
    ]
    output.print(f"builds at once: {counts[0]} ({found.unfinished} unfinished); within an hour: {counts[1]}")
    limit = f" of {money(found.most_usd_a_month)}" if found.most_usd_a_month is not None else ""
    output.print(f"spent this month: {money(found.spent_usd)}{limit}")


def _show_members(output: Output, found: Sequence[MemberView]) -> None:
    from buildwright.cli.table import Column, table

    if output.json:
        output.data({"members": [one.model_dump(mode="json") for one in found]})
        return
    rows = [(one.user_id, one.role, one.added_by) for one in found]
    output.lines(table((Column("user"), Column("role"), Column("added by")), rows, output.width))
