"""The verbs `repo list`, `connect`, `disconnect` and `audits`. Must never show a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session
from buildwright.cli.verbs import app_of

if TYPE_CHECKING:
    from buildwright.views.repositories import PushAuditView

repo = app_of("repo")

_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]
_Connected = Annotated[str, Parameter(help="A connected repository: `owner/name`, or its id.")]
_COMMIT = 12


@repo.command(name="list")
async def list_repositories(
    *,
    search: Annotated[
        str | None, Parameter(help="Those on GitHub that can be connected, with this text in their names.")
    ] = None,
    page: Annotated[int, Parameter(help="Page of such a list, from 1.")] = 1,
    json: _Json = False,
) -> None:
    """List the connected repositories, or with --search those on GitHub."""
    from buildwright.cli.table import Column, table

    output = Output(json)
    async with session() as app:
        if search is not None:
            found = await app.repositories.listed(search, page)
            if output.json:
                output.data(found.model_dump(mode="json"))
                return
            rows = [
                (
                    one.name,
                    one.default_branch,
                    "connected" if one.connected else "" if one.may_administer else "no right",
                )
                for one in found.items
            ]
            output.lines(table((Column("repository"), Column("branch"), Column("state")), rows, output.width))
            if found.next_cursor:
                output.print(f"There are more: --page {found.next_cursor}")
            return
        mine = await app.repositories.connected()
    if output.json:
        output.data(mine.model_dump(mode="json"))
        return
    if not mine.items:
        output.print("No repository is connected: `buildwright repo connect OWNER/NAME` connects one.")
        return
    columns = (Column("repository"), Column("webhook"), Column("last delivery"), Column("id"))
    lines = [
        (
            one.name,
            str(one.webhook),
            f"{one.last_delivery_at:%Y-%m-%d %H:%M}" if one.last_delivery_at else "-",
            one.id[:8],
        )
        for one in mine.items
    ]
    output.lines(table(columns, lines, output.width))


@repo.command
async def connect(
    name: Annotated[str, Parameter(help="`owner/name` on GitHub.")],
    /,
    *,
    json: _Json = False,
) -> None:
    """Connect a repository: a server audits each push to it from now on."""
    output = Output(json)
    async with session() as app:
        made = await app.repositories.connect(name)
    if output.json:
        output.data(made.model_dump(mode="json"))
    else:
        output.print(f"{made.name} is connected ({made.id[:8]}); its next push is audited by the server")


@repo.command
async def disconnect(repository: _Connected, /, *, json: _Json = False) -> None:
    """Remove a connected repository: its webhook on GitHub, and its audits here."""
    output = Output(json)
    async with session() as app:
        name = await app.repositories.find(repository)
        note = await app.repositories.disconnect(name)
    if output.json:
        output.data({"disconnected": name, "note": note})
    else:
        output.print(f"{repository} is disconnected, and its audits are removed{f'; {note}' if note else ''}")


@repo.command
async def audits(
    repository: _Connected,
    audit: Annotated[str, Parameter(help="Id of an audit, to see what it found.")] = "",
    /,
    *,
    branch: Annotated[str, Parameter(help="Only audits of pushes to this branch.")] = "",
    limit: Annotated[int, Parameter(help="How many.")] = 20,
    json: _Json = False,
) -> None:
    """Show the audits of a repository's pushes, newest first, or one with its findings."""
    from buildwright.cli.table import Column, table

    output = Output(json)
    async with session() as app:
        name = await app.repositories.find(repository)
        if audit:
            _show(await app.repositories.audit(name, audit), output)
            return
        found = await app.repositories.audits(name, limit, branch=branch)
    if output.json:
        output.data(found.model_dump(mode="json"))
        return
    if not found.items:
        output.print("There is no audit yet: the next push to it is audited.")
        return
    columns = (Column("commit"), Column("branch"), Column("result"), Column("says"), Column("id"))
    rows = [
        (one.commit[:_COMMIT], one_line(one.branch, 30), one.status, one_line(one.message, 60), one.id)
        for one in found.items
    ]
    output.lines(table(columns, rows, output.width))


def _show(found: PushAuditView, output: Output) -> None:
    if output.json:
        output.data(found.model_dump(mode="json"))
        return
    output.print(f"{found.commit[:_COMMIT]} on {one_line(found.branch, 80)}: {found.status}. {found.message}")
    for check in found.checks:
        output.print(f"{check.code} {check.name}: {check.result}")
        for finding in check.findings:
            output.print(f"  {finding}")
