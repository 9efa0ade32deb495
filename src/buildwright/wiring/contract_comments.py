"""Comments on paragraphs of the contracts of a store's projects. Must never show those of another user's project."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildwright.core.passage import passage_in
from buildwright.errors import NotFound, Refused
from buildwright.store.contract_comments import CommentRecord
from buildwright.views.contract_comments import CommentedPlace, CommentList, ContractComment, VersionText, followed

if TYPE_CHECKING:
    from buildwright.core.contract_types import ContractType
    from buildwright.core.passage import Remark
    from buildwright.ports import Clock
    from buildwright.store.records import Records

MOST_OPEN = 1_000
"""Comments of one project that are not resolved, and comments in one answer."""
_BLOCK = 20
"""Versions of a contract that are in memory at once."""


@dataclass(frozen=True, slots=True)
class Commenting:
    """The comments of one store. `user_id` is the owner of the project; methods raise what those of `Records` do."""

    records: Records
    clock: Clock
    most: int = MOST_OPEN

    async def listed(
        self, user_id: str, project_id: str, contract_type: ContractType | None = None, *, resolved: bool = False
    ) -> CommentList:
        """Return the newest comments: those of one contract or of all, with or without those that are resolved."""
        found = await self.records.contract_comments.of(
            user_id, project_id, contract_type, only_open=not resolved, most=self.most + 1
        )
        shown = found[-self.most :]
        return CommentList(items=await self._shown(user_id, project_id, shown), more=len(found) > len(shown))

    async def add(
        self, user_id: str, project_id: str, contract_type: ContractType, remark: Remark, by: str
    ) -> ContractComment:
        """Keep a comment. Raises NotFound (the contract, or the version), Refused (no words, no such lines, too many)."""
        text = remark.text.strip()
        if not text:
            raise Refused("the comment is empty", fix="say what you think of the paragraph")
        contracts = self.records.contracts
        newest = await contracts.text(user_id, project_id, contract_type)
        found = newest
        if newest is not None and remark.version not in {0, newest[0]}:
            found = await contracts.text(user_id, project_id, contract_type, remark.version)
        if found is None:
            there = newest is not None
            what = (
                f"version {remark.version} of {contract_type}" if there else f"contract {contract_type} in the project"
            )
            raise NotFound(f"there is no {what}", fix="see which contracts and versions there are")
        version, content = found
        passage = passage_in(content, remark.first, remark.last)
        await self._check_room(user_id, project_id)
        made = CommentRecord(
            id=uuid.uuid4().hex[:12],
            contract_type=contract_type,
            version=version,
            first_line=passage.first,
            last_line=passage.last,
            passage=passage.of(content),
            text=text,
            author=by,
            created_at=self.clock.now(),
        )
        kept = await self.records.contract_comments.add(user_id, project_id, made)
        (shown,) = await self._shown(user_id, project_id, [kept])
        return shown

    async def resolve(
        self, user_id: str, project_id: str, comment_id: str, by: str, *, resolved: bool = True
    ) -> ContractComment:
        """Mark a comment as resolved, or open it again. Raises NotFound, Refused (there are too many open ones)."""
        kept = self.records.contract_comments
        if not resolved:
            before = await kept.find(user_id, project_id, comment_id)
            if before is not None and before.resolved_at is not None:
                await self._check_room(user_id, project_id)
        found = await kept.resolve(user_id, project_id, comment_id, by, self.clock.now() if resolved else None)
        if found is None:
            raise NotFound(f"there is no comment {comment_id} on the contracts of this project", fix="list them first")
        (shown,) = await self._shown(user_id, project_id, [found])
        return shown

    async def _check_room(self, user_id: str, project_id: str) -> None:
        if await self.records.contract_comments.count_open(user_id, project_id) >= self.most:
            raise Refused(f"the project has {self.most:,} open comments", fix="resolve some of them first")

    async def _shown(
        self, user_id: str, project_id: str, comments: Sequence[CommentRecord]
    ) -> tuple[ContractComment, ...]:
        """Return comments with where their paragraphs are now: versions are read a block at a time, and in a thread."""
        places = dict[str, CommentedPlace]()
        for kind in dict.fromkeys(one.contract_type for one in comments):
            mine = [one for one in comments if one.contract_type == kind]
            now = [CommentedPlace(one.passage, one.first_line, one.version, one.first_line) for one in mine]
            after = min(one.version for one in mine)
            while texts := await self.records.contracts.texts(user_id, project_id, kind, after, _BLOCK):
                now = await asyncio.to_thread(followed, now, [VersionText(*one) for one in texts])
                after = texts[-1][0]
            places.update(zip((one.id for one in mine), now, strict=True))
        return tuple(_view(one, places[one.id]) for one in comments)


def _view(comment: CommentRecord, place: CommentedPlace) -> ContractComment:
    return ContractComment(
        id=comment.id,
        contract_type=comment.contract_type,
        version=comment.version,
        first=comment.first_line,
        last=comment.last_line,
        passage=comment.passage,
        text=comment.text,
        by=comment.author,
        at=comment.created_at,
        resolved=comment.resolved_at is not None,
        resolved_by=comment.resolved_by,
        resolved_at=comment.resolved_at,
        line=0 if place.changed_in else place.line,
        changed_in=place.changed_in,
        words=place.words,
    )
