"""Comments on paragraphs of the contracts of a store's projects. Must never show those of another user's project."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildwright.core.passage import passage_in
from buildwright.errors import NotFound, Refused
from buildwright.store.contract_comments import CommentRecord
from buildwright.views.contract_comments import ContractComment, VersionText, placed

if TYPE_CHECKING:
    from buildwright.core.contract_types import ContractType
    from buildwright.core.passage import Remark
    from buildwright.ports import Clock
    from buildwright.store.records import Records

MOST_OPEN = 1_000
"""Comments of one project that are not resolved."""


@dataclass(frozen=True, slots=True)
class Commenting:
    """The comments of one store. `user_id` is the owner of the project; methods raise what those of `Records` do."""

    records: Records
    clock: Clock

    async def listed(
        self, user_id: str, project_id: str, contract_type: ContractType | None = None, *, resolved: bool = False
    ) -> tuple[ContractComment, ...]:
        """Return the comments, oldest first: those of one contract or of all, with or without those that are resolved."""
        found = [
            one
            for one in await self.records.contract_comments.of(user_id, project_id)
            if contract_type in {None, one.contract_type} and (resolved or one.resolved_at is None)
        ]
        texts = {
            kind: await self._texts(user_id, project_id, kind)
            for kind in dict.fromkeys(one.contract_type for one in found)
        }
        return tuple(_shown(one, texts[one.contract_type]) for one in found)

    async def add(
        self, user_id: str, project_id: str, contract_type: ContractType, remark: Remark, by: str
    ) -> ContractComment:
        """Keep a comment. Raises NotFound (the contract, or the version), Refused (no words, no such lines, too many)."""
        text = remark.text.strip()
        if not text:
            raise Refused("the comment is empty", fix="say what you think of the paragraph")
        texts = await self._texts(user_id, project_id, contract_type)
        version = remark.version or max((one.version for one in texts), default=0)
        content = next((one.content for one in texts if one.version == version), None)
        if content is None:
            what = f"version {version} of {contract_type}" if texts else f"contract {contract_type} in the project"
            raise NotFound(f"there is no {what}", fix="see which contracts and versions there are")
        passage = passage_in(content, remark.first, remark.last)
        kept = await self.records.contract_comments.of(user_id, project_id)
        if sum(one.resolved_at is None for one in kept) >= MOST_OPEN:
            raise Refused(f"the project has {MOST_OPEN:,} open comments", fix="resolve some of them first")
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
        return _shown(await self.records.contract_comments.add(user_id, project_id, made), texts)

    async def resolve(
        self, user_id: str, project_id: str, comment_id: str, by: str, *, resolved: bool = True
    ) -> ContractComment:
        """Mark a comment as resolved, or open it again. Raises NotFound."""
        at = self.clock.now() if resolved else None
        found = await self.records.contract_comments.resolve(user_id, project_id, comment_id, by, at)
        if found is None:
            raise NotFound(f"there is no comment {comment_id} on the contracts of this project", fix="list them first")
        return _shown(found, await self._texts(user_id, project_id, found.contract_type))

    async def _texts(self, user_id: str, project_id: str, contract_type: ContractType) -> tuple[VersionText, ...]:
        versions = await self.records.contracts.versions(user_id, project_id, contract_type)
        return tuple(VersionText(one.contract.version, one.contract.content) for one in versions)


def _shown(comment: CommentRecord, texts: Sequence[VersionText]) -> ContractComment:
    place = placed(comment.passage, comment.first_line, comment.version, texts)
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
        line=place.line,
        changed_in=place.changed_in,
        words=place.words,
    )
