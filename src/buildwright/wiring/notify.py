"""Tells of a build that pauses, has ended or nears its budget, by a command or a POST to a webhook. Must never hold a build up.

Users name the command, for their own builds; a project's own files never do.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tomllib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from buildwright.core import event as e
from buildwright.core.build import Build
from buildwright.core.event import Recorded
from buildwright.core.figures import money
from buildwright.errors import BadSettings
from buildwright.views.money import budget_words
from buildwright.views.overview import pause_view, seconds_of, task_counts
from buildwright.wiring.webhook import FORMS, SECRET_PREFIX, Form, NotTakenError, body_of, delivery_id, post, secret_of

SECONDS = 10.0
"""How long one try may take."""
WAITS = (1.0,)
"""Seconds before another try of a command."""
WEBHOOK_WAITS = (1.0, 3.0, 9.0)
"""Seconds before each other try of a webhook."""
KEYS = ("notify", "webhook", "webhook_secret", "webhook_form")
"""Keys of the user's own file of options: a command, an address, and of that the secret and the form."""
_VARIABLES = {
    "EVENT": "event",
    "BUILD_ID": "build",
    "TITLE": "title",
    "REPOSITORY": "repository",
    "OUTCOME": "outcome",
    "REASON": "reason",
    "FAULT": "fault",
    "MESSAGE": "message",
    "TASK_ID": "task",
    "DELIVERED": "delivered",
}
"""The facts that stand in the environment of a command as well."""
_LONGEST = 4_000
_TOLD: dict[type[e.Event], str] = {e.BuildPaused: "paused", e.BuildFinished: "finished", e.BudgetReached: "budget"}
"""The events that are told, by the word for each."""


class Listeners(NamedTuple):
    """The receivers: a shell command, an http or https address; "" for none."""

    command: str = ""
    webhook: str = ""
    secret: str = ""
    """What signs the deliveries to the webhook; "" for no signature."""
    form: Form = "json"
    """The form of their bodies."""

    def __bool__(self) -> bool:
        return bool(self.command or self.webhook)


def listeners_of(user_file: Path, command: str = "") -> Listeners:
    """Return the receivers that the user's own file names; `command` comes before the file's. Raises BadSettings."""
    try:
        table = tomllib.loads(user_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Listeners(command)
    except (OSError, ValueError) as error:
        raise BadSettings(
            f"{user_file} cannot be used: {error}", fix="correct it there, and run the same command again"
        ) from error
    found = {key: table.get(key, "") for key in KEYS}
    for key, value in found.items():
        if not isinstance(value, str):
            raise BadSettings(f"{user_file}: {key} is not text", fix=f'write {key} = "..."')
    if found["webhook"] and not found["webhook"].startswith(("http://", "https://")):
        raise BadSettings(f"{user_file}: webhook is not an address", fix='write webhook = "https://..."')
    form = next((one for one in FORMS if one == (found["webhook_form"] or "json")), None)
    if form is None:
        raise BadSettings(f"{user_file}: there is no webhook_form like this", fix=f"write one of {', '.join(FORMS)}")
    if found["webhook_secret"]:
        try:
            secret_of(found["webhook_secret"])
        except ValueError as error:
            fix = f'make one by `openssl rand -base64 32`, and write webhook_secret = "{SECRET_PREFIX}..."'
            raise BadSettings(f"{user_file}: webhook_secret {error}", fix=fix) from error
    return Listeners(command or found["notify"], found["webhook"], found["webhook_secret"], form)


class Notifier:
    """Tells the listeners of builds that pause or end. A failure is told once to `trouble`, in one line."""

    def __init__(
        self,
        listeners: Listeners,
        trouble: Callable[[str], None],
        seconds: float = SECONDS,
        webhook_waits: Sequence[float] = WEBHOOK_WAITS,
    ) -> None:
        self._listeners = listeners
        self._trouble = trouble
        self._seconds = seconds
        self._webhook_waits = webhook_waits
        self._telling: set[asyncio.Task[None]] = set()
        self._failed: set[str] = set()

    def see(self, recorded: Recorded, build: Build) -> None:
        """Begin to tell, if users are told of this event. Returns at once."""
        if type(recorded.event) in _TOLD:
            facts = facts_of(recorded, build)
            told = [("--notify", self._run(facts))] if self._listeners.command else []
            told += (
                [("the webhook", self._post(facts, delivery_id(build.id, recorded.seq)))]
                if self._listeners.webhook
                else []
            )
            for name, trying in told:
                task = asyncio.create_task(trying, name="notify")
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)
                task.add_done_callback(partial(self._ended, name))

    async def close(self) -> None:
        """Wait until all were told, at most the time that the tries may take."""
        await asyncio.gather(*self._telling, return_exceptions=True)

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and name not in self._failed:
            self._failed.add(name)
            self._trouble(f"{name} was not told: {str(error) or type(error).__name__}")

    async def _run(self, facts: Mapping[str, Any]) -> None:
        await self._try(lambda: run_command(self._listeners.command, facts), WAITS)

    async def _post(self, facts: Mapping[str, Any], delivery: str) -> None:
        _, address, secret, form = self._listeners
        body = body_of(facts, form)
        await self._try(lambda: post(address, delivery, body, secret), self._webhook_waits)

    async def _try(self, once: Callable[[], Awaitable[None]], waits: Sequence[float]) -> None:
        """Try until it succeeds, once more after each wait. Raises what the last try has raised."""
        for wait in (*waits, None):
            try:
                async with asyncio.timeout(self._seconds):
                    await once()
                return
            except NotTakenError:
                raise
            except TimeoutError as error:
                if wait is None:
                    tries = len(waits) + 1
                    raise TimeoutError(f"no answer after {self._seconds:g} seconds, tried {tries} times") from error
            except (OSError, ValueError):
                if wait is None:
                    raise
            await asyncio.sleep(wait)


def facts_of(recorded: Recorded, build: Build) -> dict[str, Any]:
    """Return what is told of a build, as JSON: the same for a command and a webhook."""
    pause = pause_view(build, build.pause) if build.pause is not None else None
    return {
        "schema": 1,
        "event": _TOLD[type(recorded.event)],
        "at": recorded.at.isoformat().replace("+00:00", "Z"),
        "build": build.id,
        "title": build.spec.title,
        "repository": build.repository,
        "outcome": build.outcome or "",
        "reason": pause.reason if pause is not None else "",
        "fault": pause.fault if pause is not None else "",
        "message": _message(recorded.event, pause.message if pause is not None else build.message),
        "task": pause.task if pause is not None else "",
        "findings": list(pause.findings[:10]) if pause is not None else [],
        "choices": [choice.name for choice in pause.choices] if pause is not None else [],
        "tasks": {"total": build.total, **task_counts(build)},
        "seconds": round(seconds_of(build, recorded.at), 3),
        "cost_usd": str(build.usage.cost_usd),
        "delivered": build.delivered,
    }


def _message(event: e.AnyEvent, of_build: str) -> str:
    if isinstance(event, e.BudgetReached):
        return f"{budget_words(event)} are spent: {money(event.spent_usd)} of {money(event.budget_usd)}"
    return of_build


async def run_command(command: str, facts: Mapping[str, Any]) -> None:
    """Run the command with the facts as JSON on stdin and in the environment. Raises OSError when it fails.

    Its process group is ended when the caller is cancelled.
    """
    told = {f"BUILDWRIGHT_{name}": str(facts[key]).replace("\0", "")[:_LONGEST] for name, key in _VARIABLES.items()}
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **told},
        start_new_session=True,
    )
    try:
        await process.communicate(json.dumps(facts).encode())
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        raise
    if process.returncode:
        raise OSError(f"`{command}` exited with code {process.returncode}")
