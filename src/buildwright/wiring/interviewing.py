"""Interviews of the users of a store: each message is heard, and the interviewer asked where code does not suffice.

Must never keep a turn by halves: the answers of a turn are kept together, and its cost also if it fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakValueDictionary

from buildwright.core.interview import Interview, InterviewCost
from buildwright.core.interview_steps import (
    HeardMessage,
    InterviewMaterial,
    change_answer,
    hear,
    spec_of_interview,
    with_reply,
)
from buildwright.core.sanitize import sanitize
from buildwright.core.terminal import clean
from buildwright.errors import Forbidden
from buildwright.ports import Clock, Spend
from buildwright.store.values import plain
from buildwright.views.interview import InterviewEntry, InterviewView, interview_view
from buildwright.wiring.project_models import ProjectModels

if TYPE_CHECKING:
    from buildwright.core.secrets import Masker
    from buildwright.core.spec import Spec
    from buildwright.gateway import LocalGateway
    from buildwright.settings import Settings
    from buildwright.store.interviews import KeptInterview
    from buildwright.store.projects import ProjectRecord
    from buildwright.store.records import Records


class InterviewMessage(NamedTuple):
    """What a user says, and files that are dropped in with it."""

    text: str = ""
    material: tuple[InterviewMaterial, ...] = ()
    model: str = ""
    cassette: str = ""
    """Path of a file that plays the model."""


@dataclass(frozen=True, slots=True)
class OwnInterviews:
    """The interviews of one user of a store, as a `Client` has them."""

    all: Interviewing
    user_id: str

    async def begin(self, name: str, folder: str) -> str:
        return await self.all.begin(self.user_id, name, folder)

    async def listed(self) -> Sequence[InterviewEntry]:
        return await self.all.listed(self.user_id)

    async def state(self, project_id: str) -> InterviewView:
        return await self.all.state(self.user_id, project_id)

    async def tell(
        self, project_id: str, message: InterviewMessage, on_reply: Callable[[str], None] | None = None
    ) -> InterviewView:
        return await self.all.tell(self.user_id, project_id, message, on_reply)


@dataclass(slots=True)
class Interviewing:
    """The interviews of one store."""

    settings: Settings
    clock: Clock
    records: Records
    gateway: Callable[[], LocalGateway]
    mask: Masker
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    """A lock for each interview with a turn under way: the next one waits."""

    async def begin(self, user_id: str, name: str, folder: str) -> str:
        """Create a project of a directory of this machine to interview its user about, and return its id."""
        project = await self.records.projects.create(
            user_id, name, target_type="local_path", target_ref=folder, at=self.clock.now()
        )
        await self.records.interviews.put(project.id, user_id, Interview(), 0, self.clock.now())
        return project.id

    async def listed(self, user_id: str) -> Sequence[InterviewEntry]:
        """Return a user's interviews, the newest change first."""
        return await self.records.interviews.page(user_id)

    async def state(self, user_id: str, project_id: str) -> InterviewView:
        """Return the interview on a user's project; an empty one when it has none. Raises NotFound, Forbidden."""
        project, kept = await self._open(user_id, project_id)
        return interview_view(project.id, project.name, kept.interview)

    async def spec(self, user_id: str, project_id: str) -> Spec | None:
        """Return what a complete interview says is to be built, None while it is not complete. Raises as `state`."""
        project, kept = await self._open(user_id, project_id)
        return spec_of_interview(kept.interview, project.name) if kept.interview.is_complete else None

    async def change(self, user_id: str, project_id: str, answer: str, text: str) -> InterviewView:
        """Change an answer without asking the interviewer, which looks at it when it is asked next.

        Raises NotFound, Forbidden, Conflict.
        """
        async with self._turn(project_id):
            project, kept = await self._open(user_id, project_id)
            heard = change_answer(kept.interview, answer, plain(self.mask(text.strip())))
            return await self._keep(project, kept.version, heard.interview, heard.done)

    async def tell(
        self,
        user_id: str,
        project_id: str,
        message: InterviewMessage,
        on_reply: Callable[[str], None] | None = None,
    ) -> InterviewView:
        """Return the interview after a message. `on_reply` gets the interviewer's reply, as far as it has come.

        Raises NotFound, Forbidden, Refused, Conflict (changed meanwhile), BadSettings (no key) and ModelFailed.
        """
        async with self._turn(project_id):
            project, kept = await self._open(user_id, project_id)
            text = plain(self.mask(message.text))
            heard = (
                HeardMessage(kept.interview) if message.material and not text.strip() else hear(kept.interview, text)
            )
            if not heard.asked and not message.material:
                return await self._keep(project, kept.version, heard.interview, heard.done)
            version = kept.version
            if heard.interview is not kept.interview:  # kept first: asking may fail, or never end
                await self._keep(project, version, heard.interview, heard.done)
                version += 1
            return await self._asked(project, version, heard, message, on_reply)

    async def _asked(
        self,
        project: ProjectRecord,
        version: int,
        heard: HeardMessage,
        message: InterviewMessage,
        on_reply: Callable[[str], None] | None,
    ) -> InterviewView:
        """Ask the interviewer, and keep what it answers; if it fails, its cost alone."""
        from buildwright.advisors.interviewer import ModelInterviewer

        interview = heard.interview
        models = ProjectModels(self.settings, self.clock, self.records, self.gateway)
        opened = await models.open(project, interview.turns + 1, message.model, message.cassette)
        masked = tuple(each.model_copy(update={"text": plain(self.mask(each.text))}) for each in message.material)
        told = _words(on_reply, self.mask) if on_reply is not None else None
        interviewer, reply = ModelInterviewer(), None
        try:
            found = await interviewer.reply(interview, heard.asked, masked, opened.model, opened.door, told)
            reply = sanitize(found, self.mask)
        finally:
            cost = _sum(interview.cost, await models.shut(opened))
            asked = {"cost": cost, "turns": interview.turns + 1, "instructions": interviewer.instructions}
            paid = interview.model_copy(update=asked)
            after = with_reply(paid, reply, begun=heard.stepped) if reply is not None else paid
            view = await self._keep(project, version, after, reply.reply if reply is not None else heard.done)
        if on_reply is not None:
            on_reply(view.reply)
        return view

    async def _open(self, user_id: str, project_id: str) -> tuple[ProjectRecord, KeptInterview]:
        project = await self.records.projects.get(project_id)
        if project.user_id != user_id:
            raise Forbidden("this project belongs to another user", fix="ask for a project of your own")
        return project, await self.records.interviews.get(project_id, user_id)

    async def _keep(self, project: ProjectRecord, version: int, interview: Interview, reply: str) -> InterviewView:
        kept = interview.model_copy(update={"reply": reply or interview.reply})
        await self.records.interviews.put(project.id, project.user_id, kept, version, self.clock.now())
        return interview_view(project.id, project.name, kept)

    def _turn(self, project_id: str) -> asyncio.Lock:
        lock = self._turns.get(project_id)
        if lock is None:
            lock = self._turns[project_id] = asyncio.Lock()
        return lock


def _words(on_reply: Callable[[str], None], mask: Masker) -> Callable[[str], None]:
    """Return what passes on a growing reply, cleaned, in whole words: a secret is known only when it has ended."""
    last = ""

    def told(text: str) -> None:
        nonlocal last
        whole = text[: max(text.rfind(" "), text.rfind("\n")) + 1]
        if whole and whole != last:
            last = whole
            on_reply(clean(whole, mask))

    return told


def _sum(cost: InterviewCost, spends: Sequence[Spend]) -> InterviewCost:
    return InterviewCost(
        requests=cost.requests + len(spends),
        input_tokens=cost.input_tokens + sum(each.input_tokens for each in spends),
        output_tokens=cost.output_tokens + sum(each.output_tokens for each in spends),
        cache_tokens=cost.cache_tokens + sum(each.cache_read_tokens + each.cache_write_tokens for each in spends),
        cache_read_tokens=cost.cache_read_tokens + sum(each.cache_read_tokens for each in spends),
        cost_usd=cost.cost_usd + sum((Decimal(each.cost_usd) for each in spends if each.cost_usd), Decimal(0)),
        unpriced=cost.unpriced + sum(each.cost_usd is None for each in spends),
    )
