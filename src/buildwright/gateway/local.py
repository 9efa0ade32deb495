"""The gateway: doors to the models with their tokens, keys and budgets. Must never log a key or a token."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL
from buildwright.core.models import id_of
from buildwright.errors import BadSettings
from buildwright.gateway import cassette, replay, upstream
from buildwright.gateway.access import OnCall, Opened, door_id, end
from buildwright.gateway.exchange import Protocol
from buildwright.gateway.limits import Notices, QuotaWindows
from buildwright.gateway.meter import Meter
from buildwright.gateway.recorder import Recorder
from buildwright.gateway.response_cache import AnswerOwner, ResponseCache
from buildwright.ports import Answers, ModelAccess, ModelEndpoint, ModelTrouble, MoneyLedger, Notice, Spend

if TYPE_CHECKING:
    from buildwright.gateway.server import GatewayServer


_OF_ADVISORS: tuple[Protocol, ...] = ("anthropic", "openai")
"""What planner, reviewer and the like can ask: the protocols whose libraries are there."""
_KINDS: dict[Protocol, str] = {"anthropic": "claude-...", "openai": "gpt-...", "gemini": "gemini-..."}


class LocalGateway:
    """The one door to language models; one per process and event loop.

    `environment` holds the providers' keys and addresses, a relative `record_to` is below `home`, `answers` keeps what
    was bought, `on_call` is called once for each request when it is over, and `ledger` is what it shares with others.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        home: Path,
        record_to: Path | None = None,
        answers: Answers | None = None,
        on_call: OnCall | None = None,
        ledger: MoneyLedger | None = None,
    ) -> None:
        self._environment = environment
        self._answers = answers
        self._recorder = Recorder(home / record_to) if record_to is not None else None
        self._doors: dict[str, Opened] = {}
        self._notices = Notices()
        self._meter = Meter(ledger, self._notices)
        self._limits = QuotaWindows(ledger, self._notices)
        self._on_call = on_call
        self._server: GatewayServer | None = None
        self.refusals: Counter[int] = Counter()
        """How often a provider answered with each status of 400 and above."""

    async def open(self, access: ModelAccess) -> ModelEndpoint:
        """Open a door. Raises BadSettings (no usable key, no cassette), BadSpec (the cassette is wrong)."""
        build_id, task, attempt, options, lane, _, kept, model, ancestors = access
        player = None
        if options.cassette:
            path = Path(options.cassette)
            tape = await asyncio.to_thread(cassette.load, path)
            player = replay.Player(tape, str(path), task, attempt, lane)
        else:
            self.check_keys(task, options, why="", model=model)
            if self._recorder is not None:
                await asyncio.to_thread(self._recorder.prepare)
        address = await self._start_server()
        await self._limits.load()
        opened = Opened(
            id=secrets.token_urlsafe(9),
            token=f"lane-{secrets.token_urlsafe(32)}",
            access=access,
            player=player,
            kept=ResponseCache(self._answers, AnswerOwner(build_id, task, attempt, ancestors), lane)
            if self._answers and kept
            else None,
        )
        self._meter.begin(access)
        self._doors[opened.id] = opened
        return ModelEndpoint(url=f"{address}/d/{opened.id}", token=opened.token)

    def metered(self, door: ModelEndpoint) -> list[Spend]:
        """Return the spends since the last call. After `shut` they can be taken once more."""
        opened = self._doors.get(door_id(door))
        if opened is None:
            return []
        taken, opened.spends = opened.spends, []
        if not opened.open:
            del self._doors[opened.id]
        return taken

    def trouble(self, door: ModelEndpoint) -> ModelTrouble | None:
        """Return how the last request through the door failed, None if it did not."""
        opened = self._doors.get(door_id(door))
        return opened.trouble if opened is not None else None

    def noticed(self, build_id: str) -> list[Notice]:
        """Return what there is to tell a build since the last call."""
        return self._notices.take(build_id)

    def limit(self, door: ModelEndpoint) -> datetime | None:
        """Return when the provider's limit ends, or ended, that a door has met; None when it has met none."""
        opened = self._doors.get(door_id(door))
        return self._limits.limit(opened) if opened is not None else None

    def denied(self, door: ModelEndpoint) -> tuple[str, ...]:
        """Return the requests through the door that are not served."""
        opened = self._doors.get(door_id(door))
        return tuple(opened.denied) if opened is not None else ()

    async def shut(self, door: ModelEndpoint) -> None:
        """Close the door and cancel its requests; its spends can be taken once more."""
        opened = self._doors.get(door_id(door))
        if opened is not None:
            opened.open = False
            await end(opened.under_way)
            if not opened.spends:
                self._doors.pop(opened.id, None)

    async def close(self) -> None:
        """Stop the server, and every request under way."""
        if self._server is not None:
            await self._server.close()

    async def _start_server(self) -> str:
        """Start the server unless it runs; return its address."""
        await asyncio.to_thread(import_module, "buildwright.gateway.server")
        from buildwright.gateway.server import GatewayServer

        if self._server is None:
            self._server = GatewayServer(
                self._environment,
                self._doors,
                self._meter,
                self._limits,
                self._recorder,
                self._on_call,
                self.refusals,
            )
        return await self._server.start()

    def check_keys(
        self, task: str, options: Options, why: str = "planning a Markdown spec asks a model: ", model: str = ""
    ) -> None:
        """Check that a door for this task ("" for an advisor) could be opened without a cassette. Raises BadSettings.

        `why` begins the message and says what an advisor is needed for; `model` is asked instead of the options' own.
        """
        if options.cassette:
            return
        asked: tuple[Protocol, ...] = ("anthropic", "openai", "gemini")
        found = [name for name in asked if upstream.read_provider(self._environment, name) is not None]
        if options.agent == "shell" and task and not (model or options.model) and found:
            return  # The command chooses its provider itself.
        named = model or (not task and options.planning_model) or id_of(options.models, options.model) or DEFAULT_MODEL
        wanted = upstream.protocol_of(named)
        if not task:
            asked = _OF_ADVISORS
            if wanted not in asked:
                kinds = " or ".join(_KINDS[one] for one in asked)
                raise BadSettings(
                    f"{why}{named} cannot be asked, because only agents speak the protocol of its provider",
                    fix=f"name a model {kinds} for it: --planner-model, --review-model, --sealed-model",
                )
        if wanted not in found:
            who = "" if task else why
            other = " or ".join(f"{upstream.key_name(one)} and --model {_KINDS[one]}" for one in asked if one != wanted)
            needs = f"{who}{upstream.key_name(wanted)} is not set, and {named} needs it"
            if model:
                own = (
                    f"set {upstream.key_name(wanted)} in the environment or in .env, or choose a model that has its key"
                )
                raise BadSettings(needs, fix=own)
            raise BadSettings(
                needs,
                fix=f"set {upstream.key_name(wanted)} (or {other}) in the environment or in .env; without a key, replay "
                "with --cassette FILE, or give a complete task list to --agent shell",
            )
