"""What plans without a build cost. Must never keep a plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from buildwright.ports import Spend
from buildwright.store.database import Database
from buildwright.store.spends import add_spends
from buildwright.store.tables import plan_costs


class PlanCosts:
    """The costs of such plans of all users. Its method raises what those of `Database` do."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def count(self, plan_id: str, user_id: str, project_id: str, spends: Sequence[Spend], at: datetime) -> None:
        """Add what requests for a plan cost. They count whether or not it became one."""
        about = {"user_id": user_id, "project_id": project_id, "at": at}
        await add_spends(self._database, plan_costs, {"plan_id": plan_id}, about, spends)
