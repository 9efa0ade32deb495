"""Contracts of a store's projects: made of answers, kept in versions, changed, and handed to builds.

Must never change a contract that it has not checked, nor show one user another's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from buildwright.core.contract_types import FOLDER, ContractType
from buildwright.core.contracts import BuildContracts, Contract, check_folder, edited
from buildwright.errors import BadSpec, Conflict, Forbidden, NotFound
from buildwright.views.choices import price_of_redoing
from buildwright.views.contracts import (
    ContractsChange,
    ContractText,
    ContractView,
    RewrittenContract,
    TakenContracts,
    contract_text,
    contract_view,
    stale_tasks,
    taken_contracts,
)

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.core.interview import Interview
    from buildwright.core.passage import Remark, RewriteWish
    from buildwright.core.spec import Spec
    from buildwright.engine.build_command import BuildCommand
    from buildwright.engine.commands import CommandResult
    from buildwright.engine.contracts_command import TakeContracts
    from buildwright.ports import Builds, Clock
    from buildwright.settings import Settings
    from buildwright.store.contracts import ContractRecord
    from buildwright.store.projects import ProjectRecord
    from buildwright.store.records import Records
    from buildwright.views.contract_comments import CommentList, ContractComment
    from buildwright.wiring.contract_comments import Commenting

    AskBuild = Callable[[str, BuildCommand], Awaitable[CommandResult]]
    AskRewriter = Callable[[str, str, ContractType, RewriteWish], Awaitable[RewrittenContract]]

_MOST_PROJECTS = 1_000


@dataclass(slots=True)
class Contracting:
    """The contracts of one store. Methods raise what those of `Records` do; NotFound and Forbidden for a project."""

    records: Records
    builds: Builds
    clock: Clock

    async def find(self, user_id: str, project: str, *, create: bool = False) -> ProjectRecord:
        """Return a user's project by its id, the beginning of one, or its name; `create` makes one of that name."""
        known = await self.records.projects.page(user_id, _MOST_PROJECTS)
        exact = [one for one in known if project in {one.id, one.name}]
        found = exact or [one for one in known if len(project) >= 4 and one.id.startswith(project)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(one.id[:8] for one in found[:5])
            raise NotFound(f"{project} is the name of {len(found)} projects: {ids}", fix="name it by its id")
        if create:
            return await self.records.projects.create(user_id, project, at=self.clock.now())
        names = ", ".join(one.name for one in known[:5])
        raise NotFound(f"there is no project {project}", fix=f"name one of yours: {names}" if names else "create one")

    async def listed(self, user_id: str, project_id: str) -> tuple[ContractView, ...]:
        """Return the newest versions, in the order of the types."""
        return tuple(contract_view(*record) for record in await self._newest(user_id, project_id))

    async def versions(self, user_id: str, project_id: str, contract_type: ContractType) -> tuple[ContractView, ...]:
        """Return all versions of a contract, the newest first. Raises NotFound without one."""
        return tuple(contract_view(*one) for one in await self._versions(user_id, project_id, contract_type))

    async def text(self, user_id: str, project_id: str, contract_type: ContractType, version: int = 0) -> ContractText:
        """Return a version of a contract (0: the newest) with its text. Raises NotFound."""
        found = await self._versions(user_id, project_id, contract_type)
        chosen = next((one for one in found if version in {0, one.contract.version}), None)
        if chosen is None:
            newest = found[0].contract.version
            raise NotFound(f"{contract_type} has no version {version}", fix=f"name one from 1 to {newest}")
        return contract_text(*chosen)

    async def save(
        self, user_id: str, project_id: str, contract_type: ContractType, content: str, version: int | None = None
    ) -> ContractsChange:
        """Keep a text as the next version, and say what it makes stale; the same text makes no version.

        `version` is the one that it was made from. Raises BadSpec (with the line), Conflict when there is a newer one.
        """
        project = await self.own(user_id, project_id)
        return await self._keep(project, await self._edited(user_id, project_id, contract_type, content, version))

    async def impact(
        self, user_id: str, project_id: str, contract_type: ContractType, content: str, version: int | None = None
    ) -> ContractsChange:
        """Return what `save` would say of a text, and keep nothing. Raises what it does."""
        project = await self.own(user_id, project_id)
        new = await self._edited(user_id, project_id, contract_type, content, version)
        now = self.clock.now()
        shown = ContractsChange(project_id=project.id, contracts=tuple(contract_view(one, now, now) for one in new))
        kept = [one.contract for one in await self._newest(user_id, project_id)]
        others = [one for one in kept if one.contract_type != contract_type]
        return await self._with_stale(project, shown, [*others, *new] if new else kept)

    async def _edited(
        self, user_id: str, project_id: str, contract_type: ContractType, content: str, version: int | None
    ) -> list[Contract]:
        """Return a checked text as the next version, [] when it is that of now. Raises BadSpec, Conflict."""
        from buildwright.advisors.contracts import check_contract

        found = await self.records.contracts.versions(user_id, project_id, contract_type)
        old = found[0].contract if found else None
        newest = old.version if old is not None else 0
        if version is not None and version != newest:
            message = f"{contract_type} is at version {newest} by now, and the change was made from version {version}"
            raise Conflict(message, fix="read it again, and make the change in that version")
        new = await asyncio.to_thread(edited, old, contract_type, content)
        await asyncio.to_thread(check_contract, contract_type, new.content)
        return [] if old is not None and new.content == old.content else [new]

    async def generate(
        self, user_id: str, project_id: str, interview: Interview | None = None, *, replace_edited: bool = False
    ) -> ContractsChange:
        """Make the contracts of the answers, by default those of the project's interview; say what that makes stale.

        A contract that comes out as it is gets no new version. One that a person edited stays, unless `replace_edited`.
        Raises BadSpec when there are no answers, Conflict when two of them contradict each other.
        """
        from buildwright.advisors.contracts import check_contract, contracts_from

        project = await self.own(user_id, project_id)
        told = interview if interview is not None else await self._interview(project)
        if not told.answers:
            raise BadSpec(
                "there are no answers to make contracts of", fix="hold the interview first, or give the answers"
            )
        if told.contradictions:
            one = told.contradictions[0]
            message = f"the answers {one.first} and {one.second} contradict each other: {one.sentence}"
            raise Conflict(message, fix="change one of them first")
        now = {one.contract.contract_type: one.contract for one in await self._newest(user_id, project_id)}
        new: list[Contract] = []
        kept: list[ContractType] = []
        for made in await asyncio.to_thread(contracts_from, told.title or project.name, told.answers):
            old = now.get(made.contract_type)
            if old is not None and old.is_edited and not replace_edited:
                kept.append(made.contract_type)
            elif old is None or (old.content, old.sources) != (made.content, made.sources):
                await asyncio.to_thread(check_contract, made.contract_type, made.content)
                new.append(made.model_copy(update={"version": old.version + 1 if old is not None else 1}))
        return (await self._keep(project, new)).model_copy(update={"kept": tuple(kept)})

    async def drafts(self, user_id: str, project_id: str) -> tuple[ContractText, ...]:
        """Return the contracts that the answers of the interview so far would make; () before there is an answer."""
        from buildwright.advisors.contracts import contracts_from

        project = await self.own(user_id, project_id)
        told = await self._interview(project)
        if not told.answers:
            return ()
        now = self.clock.now()
        made = await asyncio.to_thread(contracts_from, told.title or project.name, told.answers)
        return tuple(contract_text(one, now, now) for one in made)

    async def stale(self, user_id: str, project_id: str) -> ContractsChange:
        """Return which work of the project's newest build its contracts make stale as they are now."""
        return await self._keep(await self.own(user_id, project_id), [])

    async def spec(self, user_id: str, project_id: str, folder: str = "") -> Spec:
        """Return what a build from the newest contracts is to build. Raises BadSpec, BadGraph, BadSettings (the folder)."""
        project = await self.own(user_id, project_id)
        contracts = tuple(one.contract for one in await self._newest(user_id, project_id))
        return spec_of(contracts, project.name, folder)

    async def taking(self, user_id: str, project_id: str) -> tuple[Build, TakeContracts]:
        """Return the project's newest build, and the command that takes the contracts as they are now into it.

        Raises NotFound when it does not run from contracts, and what `spec` does.
        """
        from buildwright.engine.contracts_command import TakeContracts

        project = await self.own(user_id, project_id)
        row = await self.records.runs.latest_by_project(project.id)
        build = await self.builds.load(row.build_id) if row is not None else None
        if build is None or build.spec.contracts is None:
            raise NotFound(
                f"{project.name} has no build that runs from contracts",
                fix=f"start one: `buildwright build --contracts {project.name}`",
            )
        contracts = tuple(one.contract for one in await self._newest(user_id, project_id))
        return build, TakeContracts(spec_of(contracts, build.spec.title, build.spec.contracts.folder))

    async def own(self, user_id: str, project_id: str) -> ProjectRecord:
        """Return a user's project. Raises NotFound, Forbidden."""
        project = await self.records.projects.get(project_id)
        if project.user_id != user_id:
            raise Forbidden("this project belongs to another user", fix="name a project of your own")
        return project

    async def _newest(self, user_id: str, project_id: str) -> list[ContractRecord]:
        return await self.records.contracts.newest(user_id, project_id)

    async def _versions(self, user_id: str, project_id: str, contract_type: ContractType) -> list[ContractRecord]:
        found = await self.records.contracts.versions(user_id, project_id, contract_type)
        if not found:
            raise NotFound(f"the project has no contract {contract_type}", fix="generate the contracts, or write it")
        return found

    async def _interview(self, project: ProjectRecord) -> Interview:
        return (await self.records.interviews.get(project.id, project.user_id)).interview

    async def _keep(self, project: ProjectRecord, new: list[Contract]) -> ContractsChange:
        """Keep new versions; return them with what the contracts of now make stale in the newest build."""
        added = await self.records.contracts.add(project.user_id, project.id, new, self.clock.now())
        shown = ContractsChange(project_id=project.id, contracts=tuple(contract_view(*one) for one in added))
        newest = [one.contract for one in await self._newest(project.user_id, project.id)]
        return await self._with_stale(project, shown, newest)

    async def _with_stale(
        self, project: ProjectRecord, shown: ContractsChange, newest: list[Contract]
    ) -> ContractsChange:
        """Return a change with what these contracts make stale in the project's newest build."""
        row = await self.records.runs.latest_by_project(project.id)
        if row is None:
            return shown
        build = await self.builds.load(row.build_id)
        if build.spec.contracts is None:
            return shown
        stale = await asyncio.to_thread(stale_tasks, build, newest)
        landed = [one.task for one in stale if one.landed]
        events = await self.builds.read(build.id) if landed else []
        redoing = (await asyncio.to_thread(price_of_redoing, landed, events)).words if landed else ""
        return shown.model_copy(update={"build_id": build.id, "stale": stale, "redoing": redoing})


class OwnContracts:
    """Implements `ContractClient` on the store of this machine, for the user of the settings."""

    def __init__(self, settings: Settings, builds: Builds, clock: Clock, ask: AskBuild, rewrite: AskRewriter) -> None:
        self._settings = settings
        self._builds = builds
        self._clock = clock
        self._ask = ask
        self._rewrite = rewrite
        self._user = settings.user

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Contracting]:
        from buildwright.store.records import Records

        records = Records.open(self._settings.database_url or self._settings.database)
        try:
            yield Contracting(records, self._builds, self._clock)
        finally:
            await records.close()

    async def find(self, project: str, *, create: bool = False) -> tuple[str, str]:
        """See `ContractClient.find`."""
        async with self._open() as kept:
            found = await kept.find(self._user, project, create=create)
        return found.id, found.name

    async def listed(self, project_id: str) -> tuple[ContractView, ...]:
        """See `ContractClient.listed`."""
        async with self._open() as kept:
            return await kept.listed(self._user, project_id)

    async def versions(self, project_id: str, contract_type: ContractType) -> tuple[ContractView, ...]:
        """See `ContractClient.versions`."""
        async with self._open() as kept:
            return await kept.versions(self._user, project_id, contract_type)

    async def text(self, project_id: str, contract_type: ContractType, version: int = 0) -> ContractText:
        """See `ContractClient.text`."""
        async with self._open() as kept:
            return await kept.text(self._user, project_id, contract_type, version)

    async def save(
        self, project_id: str, contract_type: ContractType, content: str, version: int | None = None
    ) -> ContractsChange:
        """See `ContractClient.save`."""
        async with self._open() as kept:
            return await kept.save(self._user, project_id, contract_type, content, version)

    async def rewrite(self, project_id: str, contract_type: ContractType, wish: RewriteWish) -> RewrittenContract:
        """See `ContractClient.rewrite`."""
        return await self._rewrite(self._user, project_id, contract_type, wish)

    async def generate(
        self, project_id: str, interview: Interview | None = None, *, replace_edited: bool = False
    ) -> ContractsChange:
        """See `ContractClient.generate`."""
        async with self._open() as kept:
            return await kept.generate(self._user, project_id, interview, replace_edited=replace_edited)

    async def comments(
        self, project_id: str, contract_type: ContractType | None = None, *, resolved: bool = False
    ) -> CommentList:
        """See `ContractClient.comments`."""
        async with self._open() as kept:
            await kept.own(self._user, project_id)
            return await self._comments(kept).listed(self._user, project_id, contract_type, resolved=resolved)

    async def comment(self, project_id: str, contract_type: ContractType, remark: Remark) -> ContractComment:
        """See `ContractClient.comment`."""
        async with self._open() as kept:
            await kept.own(self._user, project_id)
            return await self._comments(kept).add(self._user, project_id, contract_type, remark, self._user)

    async def resolve(self, project_id: str, comment_id: str, *, resolved: bool = True) -> ContractComment:
        """See `ContractClient.resolve`."""
        async with self._open() as kept:
            await kept.own(self._user, project_id)
            return await self._comments(kept).resolve(self._user, project_id, comment_id, self._user, resolved=resolved)

    def _comments(self, kept: Contracting) -> Commenting:
        from buildwright.wiring.contract_comments import Commenting

        return Commenting(kept.records, self._clock)

    async def stale(self, project_id: str) -> ContractsChange:
        """See `ContractClient.stale`."""
        async with self._open() as kept:
            return await kept.stale(self._user, project_id)

    async def take(self, project_id: str) -> TakenContracts:
        """See `ContractClient.take`."""
        async with self._open() as kept:
            build, command = await kept.taking(self._user, project_id)
        return taken_contracts(project_id, build, (await self._ask(build.id, command)).build)


def spec_of(contracts: tuple[Contract, ...], title: str, folder: str = "") -> Spec:
    """Return the spec of a build from contracts that go into this folder. Raises BadSpec, BadGraph, BadSettings."""
    from buildwright.advisors.contracts import spec_of_contracts

    if not contracts:
        raise BadSpec("the project has no contracts to build from", fix="generate them from its answers first")
    bound = BuildContracts(contracts=contracts, folder=check_folder(folder or FOLDER))
    return spec_of_contracts(bound, title)


def zipped(files: Mapping[str, str]) -> bytes:
    """Return texts by their paths as a zip archive; the same texts give the same bytes."""
    import io
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text, zipfile.ZIP_DEFLATED)
    return made.getvalue()
