"""Audits of pushes, each once, by whichever process is free: fetched, judged, kept, and told to the forge.

Must never run what a repository holds. All state is in the store: an audit that a killed process had begun is done again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Literal

from buildwright.core.failpoint import failpoint
from buildwright.core.finding import Finding, Severity
from buildwright.errors import BadSettings, BuildwrightError, CouldNot, NotFound
from buildwright.ports import Annotation, CommitMark, CommitState, ForgeCheckRun
from buildwright.store.lease_holders import is_here, may_live, this_process
from buildwright.wiring.auditing import auditor

if TYPE_CHECKING:
    from buildwright.audit.check import AuditReport
    from buildwright.ports import Clock
    from buildwright.settings import Settings
    from buildwright.store.repositories import PushAudit, PushResult, PushStatus
    from buildwright.store.repositories import Repositories as RepositoryStore
    from buildwright.wiring.github_access import ForgeToken, GitHubAccess

CONTEXT = "buildwright/audit"
LOOK_SECONDS = 2.0
"""Seconds between searches for audits that another process has left behind."""
CLAIM_SECONDS = 300.0
"""Seconds after which the claim of a process that cannot be seen from here no longer counts."""
AT_ONCE = 2
MOST_TRIES = 4
_MOST_LOOKED_AT = 200
_LONGEST_PAUSE = 30.0
_CLOSING_SECONDS = 5.0
_MOST_ANNOTATIONS = 400
_LEVELS: Mapping[Severity, Literal["notice", "warning", "failure"]] = {
    "error": "failure",
    "warning": "warning",
    "note": "notice",
}
_STATES: Mapping[str, CommitState] = {"passed": "success", "failed": "failure"}
_AUTHORS_UNKNOWN = "commits.unknown_author"
_REWRITTEN = "commits.rewritten"


class PushAuditor:
    """Does the audits of pushes in one process. Several processes may each have one."""

    def __init__(
        self,
        settings: Settings,
        store: RepositoryStore,
        access: GitHubAccess,
        clock: Clock,
        log: Callable[..., None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._access = access
        self._clock = clock
        self._log = log
        self._heard: list[Callable[[PushAudit], None]] = []
        self._woken = asyncio.Event()
        self._doing: dict[str, asyncio.Task[None]] = {}
        """By repository: audits of one are done one after the other, in the order of their pushes."""
        self._again: dict[str, float] = {}
        """When (monotonic seconds) an audit may be tried again that something outside has stopped."""

    def on_change(self, hear: Callable[[PushAudit], None]) -> None:
        """Have `hear` called with each audit of this process when it has begun, and when it has ended."""
        self._heard.append(hear)

    def _changed(self, row: PushAudit) -> None:
        for hear in self._heard:
            hear(row)

    def wake(self) -> None:
        """Look for audits at once, because one was queued."""
        self._woken.set()

    async def take(self) -> None:
        """Do waiting audits, at once when woken. Runs until cancelled."""
        while True:
            self._woken.clear()
            try:
                await self._look()
            except CouldNot as trouble:
                self._log("audits-not-looked-at", level="error", why=str(trouble), fix=trouble.fix or "")
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._woken.wait()

    async def close(self) -> None:
        """End what is under way; an audit that was not finished waits in the store, for any process."""
        tasks = list(self._doing.values())
        if tasks:
            _, slow = await asyncio.wait(tasks, timeout=_CLOSING_SECONDS)
            for task in slow:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        held: set[str] = set(self._doing)
        for row in await self._store.waiting(_MOST_LOOKED_AT):
            if len(self._doing) >= AT_ONCE:
                return
            if row.repository_id in held:
                continue
            held.add(row.repository_id)
            if self._is_free(row):
                task = asyncio.create_task(self._take_up(row), name=f"audit {row.id}")
                self._doing[row.repository_id] = task
                task.add_done_callback(partial(self._over, row.repository_id))

    def _over(self, repository_id: str, _task: asyncio.Task[None]) -> None:
        self._doing.pop(repository_id, None)
        self.wake()

    def _is_free(self, row: PushAudit) -> bool:
        if time.monotonic() < self._again.get(row.id, 0.0):
            return False
        if not row.holder or row.holder == this_process() or not may_live(row.holder):
            return True
        silent = (self._clock.now() - (row.started_at or row.queued_at)).total_seconds()
        return not is_here(row.holder) and silent > CLAIM_SECONDS

    async def _take_up(self, seen: PushAudit) -> None:
        from buildwright.store.repositories import PushResult

        failpoint("pushed.claim.before")
        try:
            row = await self._store.claim(seen, this_process(), self._clock.now())
            if row is None:
                return
            failpoint("pushed.claim.after")
            self._changed(row)
            try:
                await self._carry_out(row)
            except BuildwrightError as trouble:
                if row.tries >= MOST_TRIES or not isinstance(trouble, CouldNot):
                    await self._end(row, PushResult("broke", str(trouble)[:2000]), None)
                else:
                    self._again[row.id] = time.monotonic() + min(2.0**row.tries, _LONGEST_PAUSE)
                    self._say("audit-not-done", row, level="error", why=str(trouble), tries=row.tries)
                    await self._store.claim(row, "", self._clock.now())
            except Exception as error:  # an effect becomes a state of the audit, or it would be tried for ever
                self._say("audit-broke", row, level="error", error=repr(error))
                await self._end(row, PushResult("broke", "unexpected error; the server's log says more"), None)
        except CouldNot as trouble:
            self._say("audit-not-begun", seen, level="error", why=str(trouble), fix=trouble.fix or "")

    async def _carry_out(self, row: PushAudit) -> None:
        from buildwright.store.repositories import PushCheck, PushResult

        token = await self._access.of(row.user_id, row.repository)
        telling = asyncio.create_task(self._tell(row, token, CommitMark(row.commit_sha, "pending", CONTEXT, "audited")))
        try:
            report = await self._audited(row, token)
        finally:
            await asyncio.gather(telling, return_exceptions=True)
        failpoint("pushed.finish.before")
        checks = tuple(
            PushCheck(one.code, one.name, one.result, one.findings[0].message if one.findings else "")
            for one in report.outcomes
        )
        status: PushStatus = "passed" if report.ok else "failed"
        result = PushResult(status, message_of(report), report.base, "", report.model_dump_json(), report.entry, checks)
        await self._end(row, result, (token, report))

    async def _audited(self, row: PushAudit, token: ForgeToken) -> AuditReport:
        """Fetch the push and audit it; its own commands are never run."""
        from buildwright.audit.comparison import AuditRange
        from buildwright.audit.run import AuditRequest
        from buildwright.workspace.git import Git
        from buildwright.workspace.pushed import fetched

        site = self._access.site
        address = site.remote_of(row.repository)

        def weigh(finding: Finding) -> Finding:
            routine = finding.code == _REWRITTEN and row.push.forced and not row.push.on_default
            if finding.code == _AUTHORS_UNKNOWN or routine:  # too little history was fetched to know all authors
                return finding.model_copy(update={"severity": "note"})
            return finding

        async with fetched(Git(self._settings.home, self._environment(token)), address, row.push) as pushed:
            return await auditor(self._settings).audit(
                AuditRequest(
                    str(pushed.repository),
                    AuditRange(pushed.base, row.commit_sha),
                    run_checks=False,
                    write=False,
                    of=f"{site.origin}{site.above}/{row.repository}",
                    weigh=weigh,
                )
            )

    def _environment(self, token: ForgeToken) -> dict[str, str]:
        """Return the environment of the git that fetches. Credentials of the owner serve the owner alone."""
        environment = dict(self._settings.environment)
        if not token.of_owner:
            environment.pop("HOME", None)
            environment |= {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        return environment | {self._access.site.variable: token.text}

    async def _end(self, row: PushAudit, result: PushResult, judged: tuple[ForgeToken, AuditReport] | None) -> None:
        self._again.pop(row.id, None)
        kept = await self._store.finish(row, result, self._clock.now())
        if kept is None:
            return
        seconds = round((self._clock.now() - row.queued_at).total_seconds(), 3)
        self._say("audit-ended", kept, status=kept.status, seconds=seconds)
        self._changed(kept)
        told = await self._told(kept, judged)
        await self._store.set_told(row.id, told)

    async def _told(self, row: PushAudit, judged: tuple[ForgeToken, AuditReport] | None) -> str:
        """Tell the forge what an audit came to, and return what it was told or why not."""
        mark = CommitMark(row.commit_sha, _STATES.get(row.status, "error"), CONTEXT, row.message)
        said = ""
        try:
            token = judged[0] if judged is not None else await self._access.of(row.user_id, row.repository)
            said = await self._tell(row, token, mark)
            if judged is None:
                return said
            async with self._access.opened(token) as forge:
                await forge.add_check_run(row.repository, check_run(row, judged[1]))
            return f"{said} and check run" if said == "status" else "check run"
        except (BadSettings, NotFound):
            return said
        except BuildwrightError as trouble:
            return str(trouble)[:500]

    async def _tell(self, row: PushAudit, token: ForgeToken, mark: CommitMark) -> str:
        try:
            async with self._access.opened(token) as forge:
                await forge.mark(row.repository, mark)
        except BuildwrightError as trouble:
            return str(trouble)[:500]
        return "status"

    def _say(self, what: str, row: PushAudit, **fields: object) -> None:
        self._log(what, audit=row.id, repository=row.repository, commit=row.commit_sha, **fields)


def message_of(report: AuditReport) -> str:
    """Return what an audit says in a line."""
    failed = [one.name for one in report.outcomes if one.result == "failed"]
    if failed:
        return f"failed: {', '.join(failed)}"
    warned = [one.name for one in report.outcomes if one.result == "warned"]
    passed = sum(one.result == "passed" for one in report.outcomes)
    return f"{passed} checks passed" + (f"; warnings of {', '.join(warned)}" if warned else "")


def check_run(row: PushAudit, report: AuditReport) -> ForgeCheckRun:
    """Return the check run for a report: a table, and a note at each line that a finding names."""
    rows = [f"| {one.code} {one.name} | {one.result} | {len(one.findings)} |" for one in report.outcomes]
    summary = "\n".join(["| check | result | findings |", "| --- | --- | --- |", *rows])
    notes = tuple(
        Annotation(one.file, one.line or 1, _LEVELS[one.severity], one.code, _words(one))
        for outcome in report.outcomes
        for one in outcome.findings
        if one.file
    )
    return ForgeCheckRun(row.commit_sha, CONTEXT, report.ok, row.message, summary, notes[:_MOST_ANNOTATIONS])


def _words(finding: Finding) -> str:
    return f"{finding.message}\n{finding.fix}" if finding.fix else finding.message


@asynccontextmanager
async def open_push_auditor(auditor_of_pushes: PushAuditor, log: Callable[..., None]) -> AsyncIterator[PushAuditor]:
    """Have audits of pushes done until the end of the block."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log("audits-broke", level="error", error=repr(error))

    task = asyncio.create_task(auditor_of_pushes.take(), name="audits of pushes")
    task.add_done_callback(ended)
    try:
        yield auditor_of_pushes
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await auditor_of_pushes.close()
