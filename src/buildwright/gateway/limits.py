"""Limits of providers: what one request meets holds back all others, until the provider's reset. Must never send a request.

A window is of one provider, key and model. While it lasts, requests wait here, and none reaches the provider. At its end
one goes first, and the others follow when the provider has answered it; so does the first one of a process, which does not
know yet whether a limit is in force. Windows of other processes come from the ledger, twice a second; no request but a
refused one waits for the database.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Literal

from buildwright.errors import CouldNot
from buildwright.gateway.access import Opened, WindowKey
from buildwright.gateway.exchange import DeclinedByProvider, ProviderError
from buildwright.gateway.failures import failure_kind
from buildwright.ports import MoneyLedger, Notice, QuotaWindow

if TYPE_CHECKING:
    from buildwright.gateway.upstream import Provider

LONGEST_HOLD = 270.0
"""Seconds that a request waits here: HTTP clients give up after 300 seconds without an answer."""
LONGEST_WINDOW = 7 * 86_400.0
FIRST_BACKOFF, LONGEST_BACKOFF = 1.0, 60.0
"""Seconds of a window whose end the provider does not tell: doubled each time, up to the longest."""
PROBE_SECONDS = 5.0
"""How long others wait for the first answer: a refusal comes at once."""
KNOWN_SECONDS = 60.0
"""How long an answer says that there is no limit in force."""
_SAME = 5.0
"""Seconds by which a window may grow without being told of anew: requests in the air meet the same limit again."""
_RESET = re.compile(r"(?:anthropic-|x-)?ratelimit-(.+)")
_DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_TOLD = re.compile(r"(?:retry|try again) in (\d+(?:\.\d+)?) ?(ms|s)", re.IGNORECASE)

_log = logging.getLogger(__name__)


def window_key(provider: Provider, model: str) -> WindowKey:
    """Return whose limit a request for a model meets."""
    digest = hashlib.blake2b(f"{provider.url}\n{provider.key}".encode(), digest_size=8, person=b"quota window")
    return WindowKey(provider.name, digest.hexdigest(), model[:100])


class Notices:
    """What there is to tell builds. Each mark and each window is told a build once by this process."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, list[Notice]] = defaultdict(list)
        self._told: dict[tuple[object, ...], float] = {}

    def tell(self, build_id: str, notice: Notice, about: object, size: float, least: float = 0.0) -> None:
        """Tell a build something, unless what it was told about that was not exceeded by more than `least`."""
        if size > self._told.get((build_id, about), float("-inf")) + least:
            self._told[build_id, about] = size
            self._waiting[build_id].append(notice)

    def take(self, build_id: str) -> list[Notice]:
        """Return what was not taken yet."""
        return self._waiting.pop(build_id, [])


@dataclass(slots=True, eq=False)
class _Gate:
    """What is known of one provider, key and model. Times of `until` are Unix seconds, others the loop's."""

    key: WindowKey
    until: float = 0.0
    kind: Literal["rate_limit", "overloaded"] = "rate_limit"
    closed_at: float = 0.0
    refusals: int = 0
    """In a row, without those of requests that were in the air when the window was closed."""
    known_until: float = 0.0
    probe: float | None = None
    """When a request went first of whose answer nothing is known yet."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Let all that wait look again."""
        self.changed.set()
        self.changed = asyncio.Event()

    def close(self, until: float, kind: Literal["rate_limit", "overloaded"], now: float) -> bool:
        """Close it until then; return whether that is later than it was."""
        self.known_until, self.probe = 0.0, None
        grows = until > self.until
        if grows:
            if self.until < time.time():
                self.closed_at = now
            self.until, self.kind = until, kind
        self.wake()
        return grows


class LimitedRequest:
    """One request that goes to a provider. What it is answered says how it goes on for the others."""

    def __init__(self, limits: QuotaWindows, gate: _Gate, opened: Opened, began: float) -> None:
        self._limits, self._gate, self._opened, self._began = limits, gate, opened, began

    async def answered(self, status: int, headers: Mapping[str, str], error: ProviderError | None = None) -> None:
        """Note the provider's answer: a limit closes the window for all, anything else opens it."""
        kind = failure_kind(status, error or ProviderError("", "")) if status >= 400 else ""
        if kind == "rate_limit" or kind == "overloaded":  # noqa: PLR1714  narrows the type
            await self._limits.met(self._gate, self._opened, self._began, kind, headers, error)
        elif self._began >= self._gate.closed_at:
            self._gate.refusals = 0
            self._gate.known_until = asyncio.get_running_loop().time() + KNOWN_SECONDS
            self._gate.probe = None
            self._gate.wake()


class QuotaWindows:
    """The windows that this process knows of."""

    def __init__(self, ledger: MoneyLedger | None, notices: Notices) -> None:
        self._ledger = ledger
        self._notices = notices
        self._gates: dict[WindowKey, _Gate] = {}
        self._loaded = False
        self._silent = False

    async def load(self) -> None:
        """Read the windows of other processes, once, before anything is asked."""
        if not self._loaded:
            self._loaded = True
            await self.refresh()

    async def refresh(self) -> None:
        """Read the windows of other processes. Where the ledger cannot be read, this process goes by its own."""
        if self._ledger is None:
            return
        try:
            found = await self._ledger.windows()
        except CouldNot as trouble:
            if not self._silent:
                _log.warning("The limits that other processes met are not known: %s", trouble)
            self._silent = True
            return
        self._silent = False
        now = asyncio.get_running_loop().time()
        for window in found:
            gate = self._gate(WindowKey(*window[:3]))
            if window.until > gate.until + 1:
                gate.close(window.until, window.kind, now)

    def limit(self, opened: Opened) -> datetime | None:
        """Return when the last of the limits ends, or ended, that a door has met; None when it has met none."""
        until = max((self._gates[key].until for key in opened.limits), default=0.0)
        return datetime.fromtimestamp(until, UTC) if until else None

    @asynccontextmanager
    async def turn(
        self, key: WindowKey, opened: Opened, patience: float = LONGEST_HOLD
    ) -> AsyncIterator[LimitedRequest]:
        """Wait until a request may go to the provider. Raises DeclinedByProvider (429) after `patience` seconds."""
        gate, loop = self._gate(key), asyncio.get_running_loop()
        await self.wait(key, opened, patience)
        probes = loop.time() >= gate.known_until and gate.probe is None
        began = loop.time()
        if probes:
            gate.probe = began
        try:
            yield LimitedRequest(self, gate, opened, began)
        finally:
            if probes and gate.probe == began:  # it has said nothing: another one goes first
                gate.probe = None
                gate.wake()

    async def wait(self, key: WindowKey, opened: Opened, patience: float = LONGEST_HOLD) -> None:
        """Wait until nothing speaks against asking. Raises DeclinedByProvider (429) after `patience` seconds."""
        gate, loop = self._gate(key), asyncio.get_running_loop()
        give_up = loop.time() + patience
        while True:
            left = gate.until - time.time()
            if left > 0:
                self._tell(opened, gate)
                if loop.time() >= give_up:
                    message = f"The limit of {key.provider} for {key.model} lasts until {_clock(gate.until)}."
                    raise DeclinedByProvider(429, message, final=False, kind=gate.kind, wait=left)
                await _until(gate.changed, min(left, give_up - loop.time()))
            elif gate.probe is not None and loop.time() < gate.probe + PROBE_SECONDS:
                await _until(gate.changed, gate.probe + PROBE_SECONDS - loop.time())
            else:
                return

    async def met(
        self,
        gate: _Gate,
        opened: Opened,
        began: float,
        kind: Literal["rate_limit", "overloaded"],
        headers: Mapping[str, str],
        error: ProviderError | None,
    ) -> None:
        """Close a window for all processes. `began` is when the request that met it went out, by the loop's clock."""
        now = time.time()
        seconds = asked_wait(headers, error.message if error else "", now)
        if seconds is None:
            if began < gate.closed_at or gate.until > now:
                return  # it was in the air when another one met the limit
            seconds = min(FIRST_BACKOFF * 2.0**gate.refusals, LONGEST_BACKOFF)
        gate.refusals = min(gate.refusals + 1, 16)
        until = now + min(seconds, LONGEST_WINDOW)
        grows = gate.close(until, kind, asyncio.get_running_loop().time()) and until > now
        self._tell(opened, gate)
        if grows and self._ledger is not None:
            try:
                await self._ledger.close_window(QuotaWindow(*gate.key, until, kind))
            except CouldNot as trouble:
                _log.warning("Other processes do not know of the limit of %s: %s", gate.key.provider, trouble)

    def _gate(self, key: WindowKey) -> _Gate:
        found = self._gates.get(key)
        if found is None:
            found = self._gates[key] = _Gate(key)
        return found

    def _tell(self, opened: Opened, gate: _Gate) -> None:
        if gate.until > time.time():
            opened.limits.add(gate.key)
            window = QuotaWindow(*gate.key, gate.until, gate.kind)
            self._notices.tell(opened.access.build_id, window, gate.key, gate.until, least=_SAME)


async def _until(changed: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.001)):
            await changed.wait()
    except TimeoutError:
        pass


def _clock(until: float) -> str:
    return datetime.fromtimestamp(until, UTC).strftime("%H:%M:%S UTC")


def asked_wait(headers: Mapping[str, str], message: str, now: float) -> float | None:
    """Return for how many seconds a provider that refuses wants not to be asked; None when it does not say.

    `Retry-After` counts first, then the resets of the limits that are used up, then the words of the error.
    """
    lower = {name.lower(): value.strip() for name, value in headers.items()}
    for name, parts in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        if (told := _moment(lower.get(name, ""), now)) is not None:
            return told / parts
    resets: list[float] = []
    for name, value in lower.items():
        found = _RESET.fullmatch(name)
        of = found[1] if found else ""
        if of != "reset" and not of.startswith("reset-") and not of.endswith("-reset"):
            continue
        left = name.replace("reset", "remaining")
        used_up = (
            lower.get(left, "0").partition(".")[0] == "0" and lower.get(name.replace("reset", "status")) != "allowed"
        )
        if used_up and (told := _moment(value, now)) is not None:
            resets.append(told)
    if resets:
        return max(resets)
    words = _TOLD.search(message)
    return float(words[1]) / (1000 if words[2] == "ms" else 1) if words else None


def _moment(value: str, now: float) -> float | None:
    """Return the seconds until a moment: a number of seconds, a duration, a date, or a Unix time; None if unreadable."""
    try:
        number = float(value)
    except ValueError:
        pass
    else:
        if number > 1e12:
            number /= 1000
        return max(0.0, number - now if number > 1e9 else number) if number == number else None  # noqa: PLR0124  no NaN
    if value and (parts := _DURATION.fullmatch(value)) is not None:
        sizes = (86_400, 3_600, 60, 1, 0.001)
        return sum(float(part) * size for part, size in zip(parts.groups(), sizes, strict=True) if part)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value)
        except ValueError:
            continue
        return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
    return None
