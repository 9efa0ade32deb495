"""The verb `token`: prints a token for the HTTP API, or one that signs a browser in. Must never store one."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.errors import Refused
from buildwright.settings import Settings


async def token(
    *,
    user: Annotated[str, Parameter(help="The user it stands for; you when left out.")] = "",
    days: Annotated[float, Parameter(help="How many days it is valid.")] = 30.0,
    sign_in: Annotated[
        bool, Parameter(name="--sign-in", help="One that signs a browser in, once, within ten minutes.")
    ] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
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
    output = Output(json)
    if output.json:
        output.data({"token": text, "user": user or settings.user, "expires_at": now + timedelta(seconds=seconds)})
    else:
        output.print(text)
