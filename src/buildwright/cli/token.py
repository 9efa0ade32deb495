"""The verb `token`: prints a token, lists those that count and takes them back. Must never store one, only its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.verbs import app_of
from buildwright.core.figures import count
from buildwright.errors import Refused
from buildwright.settings import Settings

if TYPE_CHECKING:
    from datetime import datetime

    from buildwright.auth import Claims

token = app_of("token")

_User = Annotated[str, Parameter(help="Of this user; yours when left out.")]
_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]


@token.default
async def print_token(
    *,
    user: Annotated[str, Parameter(help="The user it stands for; you when left out.")] = "",
    days: Annotated[float, Parameter(help="How many days it is valid.")] = 30.0,
    label: Annotated[str, Parameter(help="What it is for, as the list of tokens shows it.")] = "",
    sign_in: Annotated[
        bool, Parameter(name="--sign-in", help="One that signs a browser in, once, within ten minutes.")
    ] = False,
    json: _Json = False,
) -> None:
    """Print a token for `Authorization: Bearer ...`. Any program that has it is this user: keep it like a password."""
    from datetime import UTC, datetime, timedelta

    from buildwright.auth import Signer, secret_key
    from buildwright.cli.serve import SIGN_IN_SECONDS

    if not 0 < days <= 3650:
        raise Refused(f"--days {days} is not between 0 and 3650", fix="give a number of days, such as 30")
    settings = Settings.load()
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    signer = Signer(secret_key(settings.home, settings.environment))
    now = datetime.now(UTC)
    seconds = SIGN_IN_SECONDS if sign_in else days * 86400
    text = signer.issue(user or settings.user, "sign-in" if sign_in else "bearer", seconds, now)
    if not sign_in:
        await _keep(settings, signer.read(text, "bearer", now), label)
    output = Output(json)
    if output.json:
        output.data({"token": text, "user": user or settings.user, "expires_at": now + timedelta(seconds=seconds)})
    else:
        output.print(text)


@token.command(name="list")
async def list_tokens(*, user: _User = "", json: _Json = False) -> None:
    """List the tokens and sessions that count, with their last use."""
    from buildwright.cli.session import session
    from buildwright.cli.table import Column, table

    output = Output(json)
    async with session() as app:
        found = await app.team.tokens(user)
    if output.json:
        output.data({"tokens": [one.model_dump(mode="json") for one in found]})
        return
    if not found:
        output.print(f"No token of {user or Settings.load().user} counts. Those of another user: --user NAME.")
        return
    columns = (Column("id"), Column("kind"), Column("label"), Column("made"), Column("last used"), Column("until"))
    rows = [
        (one.id, one.kind, one.label, _when(one.created_at), _when(one.last_used_at), _when(one.expires_at))
        for one in found
    ]
    output.lines(table(columns, rows, output.width))


@token.command
async def revoke(
    token_id: Annotated[str, Parameter(name="TOKEN", help="Id of the token, as `token list` shows it.")] = "",
    /,
    *,
    all_of_them: Annotated[bool, Parameter(name="--all", help="All tokens and sessions of the user.")] = False,
    user: _User = "",
    json: _Json = False,
) -> None:
    """Take a token back, or all: requests with it are refused at once, and its streams end."""
    from buildwright.cli.session import session

    if bool(token_id) == all_of_them:
        raise Refused("name one token, or --all", fix="see `buildwright token list`")
    output = Output(json)
    async with session() as app:
        number = await app.team.revoke_tokens(user) if all_of_them else 1
        if not all_of_them:
            await app.team.revoke_token(token_id, user)
    if output.json:
        output.data({"revoked": number})
    else:
        output.print(f"{count(number, 'token')} {'is' if number == 1 else 'are'} taken back")


async def _keep(settings: Settings, claims: Claims, label: str) -> None:
    """Keep the id of a token, for the list."""
    from buildwright.store import revisions
    from buildwright.store.records import Records
    from buildwright.store.users import TokenRecord

    place = settings.database_url or settings.database
    await revisions.migrate(place)
    records = Records.open(place)
    try:
        await records.issued.keep(
            TokenRecord(claims.jti, claims.user_id, claims.kind, label, claims.issued_at, claims.expires_at)
        )
    finally:
        await records.close()


def _when(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at is not None else "never"
