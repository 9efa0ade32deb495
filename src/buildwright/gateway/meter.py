"""The purses that requests are paid from: money is held before each call, and settled after it. Must never lend more.

A build's own purses, and those of its tasks, are counted in this process, unless several processes carry out one build.
Those of days and projects are in the ledger, which all processes share. A replay of a kept answer is paid from none.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

from buildwright.core.build import budget_mark
from buildwright.core.figures import money
from buildwright.errors import CouldNot
from buildwright.gateway.access import Hold, Opened, cost_of, load_price_list, own_price
from buildwright.gateway.exchange import AnswerReader, DeclinedByProvider, ModelRequest, Tokens, most_output
from buildwright.gateway.limits import Notices
from buildwright.ports import MarkReached, ModelAccess, MoneyLedger, Purse, PurseKind, PurseName, Spend

LONG_OUTPUT = 16_000
"""Tokens that an answer may well have: held back where its request names no limit, or those of the longest so far."""
LARGEST_OUTPUT = 128_000
"""No more tokens are held back for one answer, whatever its request asks for."""
CAUTIOUS_CHARS = 3
"""Bytes of a request for a token, for what is held back: text of many short words has less than four."""
LOOK_SECONDS = 0.25
"""How often a request looks whether other processes have let go of money."""
RENEW_SECONDS = 10.0
_SHARED: frozenset[PurseKind] = frozenset({"day", "project", "month"})

_log = logging.getLogger(__name__)


class Meter:
    """What each purse has spent, as far as this process knows, and what its requests hold back."""

    def __init__(self, ledger: MoneyLedger | None, notices: Notices) -> None:
        self._ledger = ledger
        self._notices = notices
        self._spent: defaultdict[PurseName, Decimal] = defaultdict(Decimal)
        self._holds: defaultdict[PurseName, dict[str, Decimal]] = defaultdict(dict)
        self._in_ledger: set[str] = set()
        self._longest: defaultdict[str, int] = defaultdict(lambda: LONG_OUTPUT)
        """The tokens of the longest answer so far, by build."""
        self._freed = asyncio.Event()
        self._unpriced: set[str] = set()
        self._pricing: asyncio.Task[None] | None = None
        self._renewed_at = 0.0

    def load_prices(self) -> None:
        """Begin to read the price list, once."""
        if self._pricing is None:
            self._pricing = asyncio.create_task(asyncio.to_thread(load_price_list))

    async def priced(self) -> None:
        """Wait for the price list: reading it takes long enough to block every other door."""
        if self._pricing is not None:
            await asyncio.shield(self._pricing)

    def begin(self, access: ModelAccess) -> None:
        """Take over what earlier processes spent: the journal knows it, but not yet what this process has metered."""
        for purse in access.purses:
            self._spent[purse.name] = max(self._spent[purse.name], purse.spent_usd)

    @asynccontextmanager
    async def reserve(self, access: ModelAccess, asked: ModelRequest) -> AsyncIterator[Hold]:
        """Hold back what a request may cost while it is answered. Raises DeclinedByProvider(402) if nothing is left.

        While other requests may use up what is left, this one waits for them: so no purse is overrun by more than the
        one answer that was running. 503 when the ledger cannot be read.
        """
        purses = await self._limited(tuple(_of_today(purse) for purse in access.purses))
        hold = Hold(secrets.token_hex(8), access.build_id, purses, Decimal(0))
        if any(purse.most_usd is not None for purse in purses):
            await self.priced()
            most = min(most_output(asked.body) or self._longest[access.build_id], LARGEST_OUTPUT)
            expected = Tokens(asked.size // CAUTIOUS_CHARS, most)
            own = own_price(access.options, asked.model)
            hold.held = cost_of(asked.protocol, asked.model, expected, own) or Decimal(0)
        try:
            await self._take(hold)
            yield hold
        finally:
            for purse in hold.purses:  # before others are let in, who would take what is spent for what is left
                self._spent[purse.name] += hold.cost
            self._let_go(hold)
            await asyncio.shield(asyncio.ensure_future(self._settle(hold)))

    async def renew(self) -> None:
        """Keep what this process holds in the ledger. Called often; seldom does something."""
        now = asyncio.get_running_loop().time()
        if self._ledger is None or not self._in_ledger or now < self._renewed_at + RENEW_SECONDS:
            return
        self._renewed_at = now
        try:
            await self._ledger.renew(sorted(self._in_ledger))
        except CouldNot as trouble:
            _log.warning("What requests hold back of a budget was not renewed: %s", trouble)

    def charge(self, hold: Hold, opened: Opened, asked: ModelRequest, reader: AnswerReader, request: str) -> None:
        """Add the cost of an answer to its door and purses. `request` is the name it is kept under."""
        if reader.tokens is None and not reader.done and not reader.chars:
            return
        spend = opened.spend(asked, reader, request)
        self._longest[spend.build_id] = max(self._longest[spend.build_id], spend.output_tokens)
        if spend.cost_usd is not None:
            hold.cost += Decimal(spend.cost_usd)
        elif spend.model not in self._unpriced:
            self._unpriced.add(spend.model)
            _log.warning("No price is known for %s: its requests count as nothing against a budget.", spend.model)
        hold.answered = True
        opened.spends.append(spend)

    async def replayed(self, spend: Spend) -> None:
        """Count an answer that was kept and is not bought again."""
        if self._ledger is not None:
            try:
                await self._ledger.count_replay(spend.build_id, Decimal(spend.cost_usd or 0))
            except CouldNot as trouble:
                _log.warning("An answer that was played again is not counted: %s", trouble)

    async def _limited(self, purses: tuple[Purse, ...]) -> tuple[Purse, ...]:
        """Return the purses with the limit of the month, which stands in the ledger. Raises DeclinedByProvider (503)."""
        if self._ledger is None:
            return purses
        try:
            return tuple(
                [
                    one._replace(most_usd=await self._ledger.month_limit(one.name.owner))
                    if one.name.kind == "month"
                    else one
                    for one in purses
                ]
            )
        except CouldNot as trouble:
            raise DeclinedByProvider(503, f"The month's budget cannot be read: {trouble}", final=False) from trouble

    def _shared(self, purse: Purse) -> bool:
        return self._ledger is not None and (purse.name.kind in _SHARED or self._ledger.shares_builds)

    async def _take(self, hold: Hold) -> None:
        """Hold the money in all purses that have a limit. Raises DeclinedByProvider."""
        limited = [purse for purse in hold.purses if purse.most_usd is not None]
        shared = [purse for purse in limited if self._shared(purse)]
        own = [purse for purse in limited if not self._shared(purse)]
        while limited:
            freed = self._freed
            fits = True
            for purse in own:
                held = self._holds[purse.name]
                self._check(hold.build_id, purse, self._spent[purse.name])
                most = purse.most_usd or Decimal(0)
                fits = fits and (not held or self._spent[purse.name] + sum(held.values()) + hold.held <= most)
            if fits:
                for purse in own:
                    self._holds[purse.name][hold.id] = hold.held
                if not shared or await self._take_shared(hold, shared):
                    return
                self._let_go(hold)
            await _either(freed, LOOK_SECONDS if shared else None)

    async def _take_shared(self, hold: Hold, shared: list[Purse]) -> bool:
        assert self._ledger is not None
        self._in_ledger.add(hold.id)
        try:
            held, spent = await self._ledger.reserve(hold.id, shared, hold.held)
        except CouldNot as trouble:
            message = f"What the budgets have left is not known: {trouble}"
            raise DeclinedByProvider(503, message, final=False) from trouble
        for purse, usd in zip(shared, spent, strict=True):
            self._spent[purse.name] = usd
            self._check(hold.build_id, purse, usd)
        if not held:
            self._in_ledger.discard(hold.id)
        return held

    def _check(self, build_id: str, purse: Purse, spent: Decimal) -> None:
        """Raises DeclinedByProvider (402) when a purse is empty."""
        if purse.most_usd is not None and spent >= purse.most_usd:
            self._mark(build_id, purse, spent)
            limit = f"${purse.most_usd:f}"  # as its user wrote it: rounded it might look like another one
            raise DeclinedByProvider(402, f"{_words(purse.name)} of {limit} is spent ({money(spent)}).")

    def _let_go(self, hold: Hold) -> None:
        for purse in hold.purses:
            held = self._holds.get(purse.name, {})
            if held.pop(hold.id, None) is not None and not held:
                del self._holds[purse.name]
        self._freed.set()
        self._freed = asyncio.Event()

    async def _settle(self, hold: Hold) -> None:
        """Add what an answer cost to its purses in the ledger, and tell of the marks that they have reached."""
        # Days and projects are counted without a limit as well, for a build that sets one later.
        counted = [
            one for one in hold.purses if self._shared(one) and (one.most_usd is not None or one.name.kind in _SHARED)
        ]
        if self._ledger is not None and (hold.id in self._in_ledger or (hold.answered and counted)):
            try:
                spent = await self._ledger.settle(hold.id, counted, hold.cost)
            except CouldNot as trouble:
                _log.warning("An answer of $%s is missing in the ledger: %s", hold.cost, trouble)
            else:
                self._spent.update(zip((purse.name for purse in counted), spent, strict=True))
            self._in_ledger.discard(hold.id)
        for purse in hold.purses:
            self._mark(hold.build_id, purse, self._spent[purse.name])
        self._freed.set()
        self._freed = asyncio.Event()

    def _mark(self, build_id: str, purse: Purse, spent: Decimal) -> None:
        """Tell the build of a mark that a purse has reached. Of its own purse it knows by its journal."""
        if purse.most_usd is None or purse.name.kind == "build":
            return
        if mark := budget_mark(spent, purse.most_usd):
            notice = MarkReached(purse.name, mark, spent, purse.most_usd)
            self._notices.tell(build_id, notice, (purse.name, purse.most_usd), mark)


_NAMES: dict[PurseKind, str] = {
    "build": "The build's budget",
    "task": "The budget of task {part}",
    "day": "The day's budget ({part}, UTC, all builds of {owner})",
    "project": "The budget of project {part}",
    "month": "The month's budget ({part}, UTC, all builds of {owner})",
}


def _words(name: PurseName) -> str:
    return _NAMES[name.kind].format(owner=name.owner, part=name.part)


def _of_today(purse: Purse) -> Purse:
    """Return the purse; that of a day or a month is the one of now, in UTC."""
    form = {"day": "%Y-%m-%d", "month": "%Y-%m"}.get(purse.name.kind)
    return purse._replace(name=purse.name._replace(part=time.strftime(form, time.gmtime()))) if form else purse


async def _either(freed: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await freed.wait()
    except TimeoutError:
        pass
