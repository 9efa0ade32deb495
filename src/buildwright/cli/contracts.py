"""The verbs below `contracts`: the contracts of a project, made of its answers and kept in versions. Must never build."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.argv0 import typed
from buildwright.cli.output import Output, one_line
from buildwright.cli.session import session
from buildwright.cli.verbs import app_of
from buildwright.core.contract_types import FOLDER, ContractType
from buildwright.core.figures import count

if TYPE_CHECKING:
    from buildwright.views.contracts import ContractsChange, ContractView, StaleTask

contracts = app_of("contracts")

_Project = Annotated[str, Parameter(help="Name or id of the project, or how its id begins.")]
_Type = Annotated[ContractType, Parameter(help="Which contract.")]
_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]


@contracts.command
async def generate(
    project: _Project,
    /,
    *,
    answers: Annotated[
        Path | None,
        Parameter(help="Answers as YAML or JSON, instead of the interview's; makes the project if need be."),
    ] = None,
    replace_edited: Annotated[bool, Parameter(help="Make those again, too, that you have edited.")] = False,
    json: _Json = False,
) -> None:
    """Make the ten contracts of the answers of a project. One that you have edited stays as it is."""
    from buildwright.advisors.contracts import interview_from
    from buildwright.advisors.documents import read_text

    output = Output(json)
    told = interview_from(read_text(answers), str(answers)) if answers is not None else None
    async with session() as app:
        project_id, name = await app.contracts.find(project, create=told is not None)
        change = await app.contracts.generate(project_id, told, replace_edited=replace_edited)
    for one in change.kept:
        output.say(f"{one} stays as you have edited it (--replace-edited makes it again)")
    _say_change(output, change, name, "is as it was: no contract has changed")


@contracts.command(name="list")
async def list_(project: _Project, /, *, json: _Json = False) -> None:
    """List the contracts of a project with their versions."""
    output = Output(json)
    async with session() as app:
        project_id, name = await app.contracts.find(project)
        found = await app.contracts.listed(project_id)
    if output.json:
        output.data(
            {"project_id": project_id, "name": name, "contracts": [one.model_dump(mode="json") for one in found]}
        )
    elif not found:
        output.print(f"{name} has no contracts yet.")
    else:
        _print_list(output, found)


@contracts.command
async def show(
    project: _Project,
    contract: _Type,
    /,
    *,
    version: Annotated[int, Parameter(help="Which version; 0 for the newest.")] = 0,
    versions: Annotated[bool, Parameter(help="List its versions instead.")] = False,
    sources: Annotated[bool, Parameter(help="Put the answers that each line came from beside it.")] = False,
    json: _Json = False,
) -> None:
    """Print a contract."""
    output = Output(json)
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        if versions:
            listed = await app.contracts.versions(project_id, contract)
            if output.json:
                output.data({"versions": [one.model_dump(mode="json") for one in listed]})
            else:
                _print_list(output, listed)
            return
        found = await app.contracts.text(project_id, contract, version)
    if output.json:
        output.data(found.model_dump(mode="json"))
        return
    told = {line.number: ", ".join(line.answers) for line in found.lines} if sources else {}
    width = max(map(len, told.values()), default=0) + 2 if sources else 0
    for number, line in enumerate(found.content.splitlines(), 1):
        output.print(f"{told.get(number, ''):<{width}}{line}" if sources else line)


@contracts.command
async def edit(
    project: _Project,
    contract: _Type,
    /,
    *,
    file: Annotated[Path | None, Parameter(help="Take this file as the text, instead of opening an editor.")] = None,
    json: _Json = False,
) -> None:
    """Open a contract in your editor, and keep what you save as its next version once it is checked."""
    import tempfile

    from buildwright.advisors.contracts import check_contract
    from buildwright.advisors.documents import read_text
    from buildwright.cli.editor import edited
    from buildwright.core.contract_types import FILES
    from buildwright.errors import NotFound

    output = Output(json)
    async with session() as app:
        project_id, name = await app.contracts.find(project)
        try:
            old = await app.contracts.text(project_id, contract)
        except NotFound:
            old = None
        if file is not None:
            content = read_text(file)
        else:
            path = Path(tempfile.mkdtemp(prefix="buildwright-")) / FILES[contract]
            path.write_text(old.content if old is not None else "", encoding="utf-8")

            async def read() -> str:
                text = read_text(path)
                check_contract(contract, text.replace("\r\n", "\n"))
                return text

            output.say(f"What you write is kept in {path} until it is saved.")
            content = await edited(path, output, read)
        change = await app.contracts.save(project_id, contract, content, old.version if old is not None else 0)
        if file is None:
            path.unlink()
            path.parent.rmdir()
    _say_change(output, change, name, f"is as it was: {contract} has not changed")


@contracts.command
async def rewrite(
    project: _Project,
    contract: _Type,
    lines: Annotated[str, Parameter(help="A line of the paragraph, as `12`, or the lines themselves, as `12-15`.")],
    /,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="What is to change there.")],
    model: Annotated[str, Parameter(help="Which model rewrites, else that of interviews.")] = "",
    cassette: Annotated[Path | None, Parameter(help="A file that plays the model.")] = None,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Save it without asking.")] = False,
    json: _Json = False,
) -> None:
    """Have a model rewrite a paragraph of a contract; you see the difference before it is saved."""
    from buildwright.core.passage import RewriteWish

    output = Output(json)
    first, last = _lines(lines)
    wish = RewriteWish(message, first, last, model=model, cassette=str(cassette) if cassette else "")
    async with session() as app:
        project_id, name = await app.contracts.find(project)
        found = await app.contracts.rewrite(project_id, contract, wish)
        if output.json and not yes:
            output.data(found.model_dump(mode="json"))
            return
        for line in found.diff.splitlines() if not output.json else ():
            output.print(line)
        seen = yes or output.can_ask  # without a terminal the user has not
        if found.diff and not (seen and await output.confirm(f"Save it as version {found.version + 1}?", yes)):
            output.say("Nothing is changed." if seen else "Nothing is changed: --yes saves it.")
            return
        change = await app.contracts.save(project_id, contract, found.content, found.version)
    _say_change(output, change, name, f"is as it was: the model has left {contract} as it is")


@contracts.command
async def comment(
    project: _Project,
    contract: _Type,
    lines: Annotated[str, Parameter(help="A line of the paragraph, as `12`, or the lines themselves, as `12-15`.")],
    /,
    *,
    message: Annotated[str, Parameter(name=["--message", "-m"], help="What you have to say.")],
    version: Annotated[int, Parameter(help="The version that has these lines; 0 for the newest.")] = 0,
    json: _Json = False,
) -> None:
    """Write a comment on a paragraph of a contract. It is kept with what the paragraph says now; no agent is told."""
    from buildwright.core.passage import Remark

    output = Output(json)
    first, last = _lines(lines)
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        made = await app.contracts.comment(project_id, contract, Remark(message, first, last, version))
    if output.json:
        output.data(made.model_dump(mode="json"))
    else:
        output.print(f"Comment {made.id} is on line {made.first} of {contract}, version {made.version}.")


@contracts.command
async def comments(
    project: _Project,
    contract: Annotated[ContractType | None, Parameter(help="Only those on this contract.")] = None,
    /,
    *,
    all_: Annotated[bool, Parameter(name="--all", help="With those that are resolved.")] = False,
    json: _Json = False,
) -> None:
    """List the comments on the contracts of a project, each with its paragraph, and whether that has changed since."""
    output = Output(json)
    async with session() as app:
        project_id, name = await app.contracts.find(project)
        found = await app.contracts.comments(project_id, contract, resolved=all_)
    if output.json:
        output.data({"comments": [one.model_dump(mode="json") for one in found.items], "more": found.more})
    elif not found.items:
        output.print(f"There is no {'' if all_ else 'open '}comment on the contracts of {name}.")
    if found.more and not output.json:
        output.print("There are older ones, which are left out.")
    for one in found.items if not output.json else ():
        end = f", resolved by {one.resolved_by}" if one.resolved else ""
        output.print(f"{one.id}  {one.contract_type}, {one.by}, {one.at:%Y-%m-%d %H:%M}{end}")
        output.print(f"  {one_line(one.text, 400)}", wrap=True)
        output.print(f"  {one.words}")
        output.print(f"  > {one_line(one.passage, 200)}", wrap=True)


@contracts.command
async def resolve(
    project: _Project,
    comment_id: Annotated[str, Parameter(help="Id of the comment.")],
    /,
    *,
    again: Annotated[bool, Parameter(name="--reopen", help="Open it again instead.")] = False,
    json: _Json = False,
) -> None:
    """Mark a comment on a contract as resolved."""
    output = Output(json)
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        found = await app.contracts.resolve(project_id, comment_id, resolved=not again)
    if output.json:
        output.data(found.model_dump(mode="json"))
    else:
        output.print(f"Comment {found.id} is {'resolved' if found.resolved else 'open'}.")


@contracts.command
async def diff(
    project: _Project,
    contract: _Type,
    old: Annotated[int, Parameter(help="A version; else the one before the other.")] = 0,
    new: Annotated[int, Parameter(help="A version; else the newest.")] = 0,
    /,
) -> None:
    """Print how two versions of a contract differ."""
    from buildwright.core.spec import text_difference

    output = Output(False)
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        after = await app.contracts.text(project_id, contract, new)
        before = await app.contracts.text(project_id, contract, old or max(1, after.version - 1))
    for line in text_difference(before.content, after.content):
        output.print(line)


@contracts.command
async def stale(project: _Project, /, *, json: _Json = False) -> None:
    """Say which tasks and merged work of the newest build the contracts make stale as they are now."""
    output = Output(json)
    async with session() as app:
        project_id, name = await app.contracts.find(project)
        change = await app.contracts.stale(project_id)
    if change.build_id and not change.stale and not json:
        output.print(f"Nothing in build {change.build_id[:8]} is stale.")
        return
    _say_change(output, change, name, "has no build that runs from contracts")


@contracts.command
async def take(
    project: _Project,
    /,
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask before the build is changed.")] = False,
    json: _Json = False,
) -> None:
    """Let the newest build continue with the contracts as they are now, also one that runs or has ended.

    Tasks that have not begun take the new words. What has landed, or is under way, stays, and a task after it brings it
    up to date.
    """
    from buildwright.cli.task import say_next
    from buildwright.cli.unfinished import print_difference
    from buildwright.views.plan_difference import difference

    output = Output(json)
    async with session() as app:
        project_id, _ = await app.contracts.find(project)
        change = await app.contracts.stale(project_id)
        if change.stale and not json:
            _say_stale(output, change)
        if change.build_id and not await output.confirm("Take the contracts into that build?", yes):
            output.say("Nothing is changed.")
            return
        before = await app.builds.load(change.build_id) if change.build_id else None
        taken = await app.contracts.take(project_id)
        if output.json:
            output.data(taken.model_dump(mode="json"))
            return
        after = await app.builds.load(taken.build_id)
        assert after.plan is not None
        if before is not None:
            print_difference(output, before, difference(before, after.plan.graph))
        output.print(f"Build {after.id[:8]} has the contracts as they are now.")
        await say_next(app, before, after, output)


@contracts.command
async def export(
    project: _Project,
    /,
    *,
    out: Annotated[Path | None, Parameter(name=["--output", "-o"], help="The new archive; else NAME.zip here.")] = None,
    folder: Annotated[str, Parameter(help="Folder in the archive.")] = FOLDER,
    json: _Json = False,
) -> None:
    """Write the contracts of a project into a zip archive, as a build writes them into a repository."""
    import re

    from buildwright.client import contract_texts
    from buildwright.errors import Refused
    from buildwright.wiring.contracts import spec_of, zipped

    output = Output(json)
    async with session() as app:
        project_id, name = await app.contracts.find(project)
        found = await contract_texts(app.contracts, project_id)
    bound = spec_of(tuple(one.as_contract() for one in found), name, folder).contracts
    assert bound is not None
    path = out or Path(re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") + ".zip")
    try:
        with path.open("xb") as file:
            file.write(zipped(bound.files))
    except OSError as error:
        raise Refused(f"{path} cannot be written: {error.strerror}", fix="name a new file with -o") from error
    if output.json:
        output.data({"path": str(path), "files": list(bound.files)})
    else:
        output.print(f"{path}: {count(len(bound.files), 'contract')}")


def _lines(text: str) -> tuple[int, int]:
    """Return the first and the last line that a text names, 0 for the last if it names one. Raises Refused."""
    import re

    from buildwright.errors import Refused

    found = re.fullmatch(r"([1-9][0-9]{0,5})(?:-([1-9][0-9]{0,5}))?", text)
    if found is None:
        raise Refused(f"{text} names no lines", fix="name one as 12, or several as 12-15")
    return int(found[1]), int(found[2] or 0)


def _print_list(output: Output, found: tuple[ContractView, ...]) -> None:
    from buildwright.cli.table import Column, table

    columns = (Column("contract"), Column("version", right=True), Column("from"), Column("changed"), Column("file"))
    rows = [
        (
            one.contract_type,
            str(one.version),
            "you" if one.edited else f"template {one.template}",
            one.updated_at.strftime("%Y-%m-%d %H:%M"),
            one.file,
        )
        for one in found
    ]
    output.lines(table(columns, rows, output.width))


def _say_change(output: Output, change: ContractsChange, name: str, nothing: str) -> None:
    """Print the new versions, and what they make stale."""
    if output.json:
        output.data(change.model_dump(mode="json"))
        return
    for one in change.contracts:
        output.print(f"{one.contract_type} is at version {one.version}")
    if change.stale:
        _say_stale(output, change)
    elif not change.contracts:
        output.print(f"{name} {nothing}.")
    if change.build_id and (change.stale or change.contracts):
        short = change.build_id[:8]
        take = f"buildwright contracts take {shlex.quote(name)}"
        output.say(typed(f"Build {short} keeps the contracts that it has, until you say: `{take}`"))


def _say_stale(output: Output, change: ContractsChange) -> None:
    output.print(f"In build {change.build_id[:8]} this is stale:")
    for task in change.stale:
        output.print(f"  {_stale_line(task)}", wrap=True)
    if change.redoing:
        output.print(f"To bring what is merged up to date: {change.redoing}", wrap=True)


def _stale_line(task: StaleTask) -> str:
    merged = f", merged: {' '.join(task.files[:5])}" if task.landed else f", {task.state}"
    return f"{task.task}{merged}: {one_line('; '.join(task.reasons), 400)}"
