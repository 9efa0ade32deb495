"""Rewrites a passage of a contract by a model, as a person asks. Must never keep a text: its owner saves what is right."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from buildwright.core.passage import RewriteWish, passage_in
from buildwright.core.sanitize import sanitize
from buildwright.core.spec import text_difference
from buildwright.errors import Refused
from buildwright.store.values import plain
from buildwright.views.contracts import RewrittenContract

if TYPE_CHECKING:
    from buildwright.core.contract_types import ContractType
    from buildwright.core.secrets import Masker
    from buildwright.wiring.contracts import Contracting
    from buildwright.wiring.project_models import ProjectModels


@dataclass(frozen=True, slots=True)
class Rewriting:
    """Rewrites contracts of one store."""

    models: ProjectModels
    contracts: Contracting
    mask: Masker

    async def rewrite(
        self, user_id: str, project_id: str, contract_type: ContractType, wish: RewriteWish
    ) -> RewrittenContract:
        """Return a contract with the passage as the model has rewritten it; nothing is kept.

        Raises NotFound, Forbidden, Refused (no such passage, no words), BadSettings (no key) and ModelFailed.
        """
        from buildwright.advisors.rewriter import ModelRewriter

        now = await self.contracts.text(user_id, project_id, contract_type)
        project = await self.contracts.own(user_id, project_id)
        asked = plain(self.mask(wish.text.strip()))
        if not asked:
            raise Refused("nothing is asked for", fix="say what is to change in the passage")
        before = plain(self.mask((wish.content or now.content).replace("\r\n", "\n")))
        passage = passage_in(before, wish.first, wish.last)
        turn = (await self.models.records.interviews.get(project.id, project.user_id)).interview.turns
        opened = await self.models.open(project, turn, wish.model, wish.cassette)
        rewriter = ModelRewriter()
        try:
            found = await rewriter.rewrite(contract_type, before, passage, asked, opened.model, opened.door)
        finally:
            spends = await self.models.shut(opened)
        content = passage.replaced(before, plain(sanitize(found, self.mask).text))
        costs = [Decimal(one.cost_usd) for one in spends if one.cost_usd is not None]
        return RewrittenContract(
            project_id=project.id,
            contract_type=contract_type,
            version=now.version,
            first=passage.first,
            last=passage.last,
            content=content,
            diff="\n".join(text_difference(before, content)),
            cost_usd=sum(costs, Decimal(0)) if len(costs) == len(spends) else None,
            instructions=rewriter.instructions,
        )
