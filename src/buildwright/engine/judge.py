"""The verdict on an exact tree: gates in order, cheapest first, until one fails. Must never judge what agents reach.

The audit of a phase is asked here too: what its tasks were to touch and what landed is put together for the auditor.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from buildwright.core import event as e
from buildwright.core.action import AuditPhase
from buildwright.core.build import Build, TaskState
from buildwright.core.finding import SUPPLIED, Finding, Report, Verdict, fingerprint_of, needs_consent
from buildwright.core.running_command import KIND as COMMAND
from buildwright.core.sanitize import Mask, sanitize
from buildwright.core.tests_first import due_tests, red_tests
from buildwright.engine.action_context import ActionContext
from buildwright.engine.disk_space import check_disk_space
from buildwright.engine.sealing import read_sealed
from buildwright.errors import GateBroken, NotFound
from buildwright.kept_verdicts import surroundings
from buildwright.ports import BUILD_TRAILER, Builds, EndedPhase, Judged, Merged, Workspace

_LARGEST_OF_BASE = 64_000_000
"""Bytes of a base file that a gate may compare with."""


async def judge(bench: ActionContext, build: Build, tree: str, task: str = "") -> Verdict:
    """Return the verdict of all gates on a tree: of one task's change, or (task "") of the whole build.

    The gates get a private checkout of exactly that tree, made when one first needs files. Raises GateBroken, DiskFull.
    """
    world = bench.world
    workspace = world.workspace
    if workspace is None:
        raise GateBroken("there is no workspace to check the tree out of")
    state = build.task(task)
    base_tree = _base_tree(build, task, tree)
    consent = consent_of(build, task, world.mask)
    not_reached: tuple[str, ...] = ()
    log = partial(bench.logbook.note, "gate", task=task, attempt=state.attempt)
    reports: list[Report] = []
    sealed = await read_sealed(world.builds, build.task(task).sealed) if task else None
    read_base = _reader(workspace, build.id, base_tree) if base_tree else None
    async with AsyncExitStack() as stack:
        files: Path | None = None
        for place, gate in enumerate(world.gates):
            if gate.needs_files and files is None:
                files = await stack.enter_async_context(workspace.checkout(build.id, tree))
            with bench.logbook.stream("gate", task, state.attempt) as output_of_gate:
                judgements = await gate.judge(
                    Judged(
                        build_id=build.id,
                        task=build.plan.task(task) if task and build.plan else None,
                        tree=tree,
                        patch=state.patch if task else None,
                        files=files if gate.needs_files else None,
                        options=build.options,
                        on_output=output_of_gate,
                        on_command=partial(bench.logbook.note, COMMAND, task=task, attempt=state.attempt),
                        repository=build.repository,
                        base_tree=base_tree,
                        checkout=partial(workspace.checkout, build.id),
                        read_base=read_base,
                        consent=consent,
                        sealed=sealed,
                        red=red_tests(build, task, tree),
                        due=due_tests(build, task, tree),
                    )
                )
            told = []
            for judgement in judgements:
                report, output = _masked(with_consent(judgement.report, consent), judgement.output, world.mask)
                told.append(report)
                if output:
                    await world.builds.put_artifact(output)
                log(f"{report.gate}: {_said(report)}")
                reports.append(report)
            if not all(report.ok for report in told):
                if files is not None:
                    check_disk_space(files)
                not_reached = tuple(later.name for later in world.gates[place + 1 :])
                break
    return Verdict(tree=tree, reports=tuple(reports), not_reached=not_reached)


def _masked(report: Report, output: bytes, mask: Mask) -> tuple[Report, bytes]:
    """Return an output without secrets, and the report whose evidence names that one. Other bytes stay as they are."""
    clean = mask(output.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    if clean == output or report.evidence is None:
        return report, clean
    evidence = report.evidence.model_copy(update={"output_digest": hashlib.sha256(clean).hexdigest()})
    return report.model_copy(update={"evidence": evidence}), clean


async def judge_base(bench: ActionContext, build: Build, tree: str) -> Verdict:
    """Return the verdict on the tree that a build starts from; one that passed before, with the same tools, is kept.

    Raises GateBroken, DiskFull.
    """
    world, kept = bench.world, bench.world.kept
    question = _question(bench, build, tree)
    answer = kept.get(question) if kept is not None else None
    if answer is not None:
        verdict = Verdict.model_validate(answer)
        if await _has_outputs(world.builds, verdict):
            bench.logbook.note("gate", "the same tree passed before, judged with the same checks and programs")
            return verdict
    verdict = await judge(bench, build, tree)
    outside = any(one.code == SUPPLIED for report in verdict.reports for one in report.findings)
    if kept is not None and verdict.ok and not outside:
        commands = [report.evidence.command for report in verdict.reports if report.evidence is not None]
        kept.put(question, verdict.model_dump(mode="json"), commands, world.environment.get("PATH", ""))
    return verdict


def _question(bench: ActionContext, build: Build, tree: str) -> dict[str, Any]:
    """Return all that the verdict on a base depends on, as a JSON object."""
    options = build.options
    return {
        "tree": tree,
        "gates": [gate.name for gate in bench.world.gates],
        "options": options.model_dump(mode="json", include={"checks", "setup", "sandbox", "bring", "lfs"}),
        "limits": options.limits.model_dump(
            mode="json", include={"gate_seconds", "memory_bytes", "disk_gib", "processes"}
        ),
        **surroundings(build.repository, bench.world.environment),
    }


async def _has_outputs(builds: Builds, verdict: Verdict) -> bool:
    """Return whether the outputs that a verdict rests on are still there: they are pruned with old builds."""
    for report in verdict.reports:
        if report.evidence is not None:
            try:
                await builds.get_artifact(report.evidence.output_digest)
            except NotFound:
                return False
    return True


def consent_of(build: Build, task: str, mask: Mask) -> Callable[[Finding], Finding]:
    """Return what names a finding of this task and makes it a note if a person has approved it.

    On the final tree (task "") the approvals of all tasks count. Of the message without secrets, so that no name of a
    finding can be tried against guesses of a secret.
    """
    tasks = [task] if task else [one for one, state in build.tasks.items() if state.approvals]
    approvals = {approval.finding: approval for one in tasks for approval in build.task(one).approvals}

    def consent(finding: Finding) -> Finding:
        if finding.fingerprint:
            return finding
        cleaned = sanitize(finding, mask)
        names = [fingerprint_of(cleaned, one) for one in dict.fromkeys((task, *tasks))]
        approval = next((approvals[name] for name in names if name in approvals), None)
        if approval is None or finding.severity != "error" or not needs_consent(finding.code):
            return finding.model_copy(update={"fingerprint": names[0]})
        return finding.model_copy(
            update={"fingerprint": approval.finding, "severity": "note", "approved": str(approval)}
        )

    return consent


def with_consent(report: Report, consent: Callable[[Finding], Finding]) -> Report:
    """Return the report with its findings named, and approved ones as notes. It passes when no error is left.

    Errors are listed first, so a report that lists nothing but errors may have dropped some more: it does not pass.
    """
    findings = tuple(map(consent, report.findings))
    had = [one.severity == "error" or bool(one.approved) for one in findings]
    hides_some = report.dropped > 0 and all(had)
    ok = report.ok or (any(had) and not hides_some and not any(one.severity == "error" for one in findings))
    return report.model_copy(update={"findings": findings, "ok": ok})


def _base_tree(build: Build, task: str, tree: str) -> str:
    """Return the tree that a task's change lies on: in the train that of the car ahead, else that of its lane."""
    patch = build.task(task).patch if task else None
    if patch is None:
        return ""
    onto = next((car.onto for car in build.train if car.task == task and car.tree == tree), "")
    if not onto:
        return patch.base_tree
    ahead = {car.commit: car.tree for car in build.train} | {build.head: build.head_tree}
    return ahead.get(onto, patch.base_tree)


def _reader(workspace: Workspace, build_id: str, tree: str) -> Callable[[str], Awaitable[bytes | None]]:
    """Return a reader of a tree's files that asks git once for each, however many gates ask."""
    kept: dict[str, bytes | None] = {}

    async def read(path: str) -> bytes | None:
        if path not in kept:
            kept[path] = await workspace.read_file(build_id, tree, path, _LARGEST_OF_BASE)
        return kept[path]

    return read


async def audit_phase(bench: ActionContext, action: AuditPhase, build: Build) -> e.PhaseAudited:
    """Return what the audit says of a phase. Doing it again records nothing twice in the ledger.

    Raises what the auditor raises.
    """
    auditor = bench.world.auditor
    verdict, entry = Verdict(tree=build.head_tree), None
    if auditor is not None:
        audited = await auditor.audit(ended_phase(bench, action, build))
        verdict, entry = Verdict(tree=audited.tree, reports=audited.reports), audited.entry
    name = build.phase_name(action.phase)
    for report in verdict.reports:
        if not report.ok:
            bench.logbook.note("gate", f"audit of {name}, {report.gate}: {_said(report)}")
    bench.logbook.note("gate", f"audit of {name}: {'passed' if verdict.ok else 'refused'}")
    mark = await _mark(bench, action, build) if build.marks_phases else ""
    return e.PhaseAudited(
        phase=action.phase, base=action.base, head=action.head, verdict=verdict, entry=entry, mark=mark
    )


async def _mark(bench: ActionContext, action: AuditPhase, build: Build) -> str:
    """Return a commit on top of a phase's last one that changes nothing and says that the phase is complete."""
    workspace = bench.world.workspace
    assert workspace is not None
    commits = build.options.commits
    trailers = (f"{BUILD_TRAILER}: {build.id}", *commits.lines)
    named = re.match(r"phase\s+(\d[\d.]*)", build.phase_name(action.phase), re.IGNORECASE)
    number = named[1].rstrip(".") if named else build.phase_number(action.phase)
    message = "\n".join((f"forge: Phase {number} complete", "", *trailers, ""))
    made = await workspace.rebase(
        build.id,
        action.head,
        build.head_tree,
        action.head,
        message,
        build.updated_at,
        commits.author,
        commits.signing_key,
    )
    assert isinstance(made, Merged)
    return made.commit


def ended_phase(bench: ActionContext, action: AuditPhase, build: Build) -> EndedPhase:
    """Return what the auditor is to know of a phase, from the state of the build."""
    plan = build.plan
    assert plan is not None
    mine = [task for task, place in zip(plan.graph.tasks, plan.milestone, strict=True) if place == action.phase]
    landed = [state for _, state in build.tasks.items() if state.commit]
    named = [task.files_expected for task in mine]
    return EndedPhase(
        build_id=build.id,
        repository=build.repository,
        name=build.phase_name(action.phase),
        base=action.base,
        head=action.head,
        claimed=tuple(dict.fromkeys(path for files in named for path in files)) if all(named) else (),
        judged=frozenset(path for state in landed if state.patch is not None for path in state.patch.paths),
        commits=frozenset(state.commit for state in landed),
        reports=_reports(build, action.head, landed),
        allow=build.options.allow,
        consent=consent_of(build, "", bench.world.mask),
    )


def _reports(build: Build, head: str, landed: list[TaskState]) -> tuple[Report, ...]:
    """Return the reports of the newest verdict on the tree of a commit: that of the whole result, or of its task."""
    if build.verdict is not None and head == build.head:
        return build.verdict.reports
    verdicts = [state.verdict for state in landed if state.commit == head and state.verdict is not None]
    return verdicts[0].reports if verdicts else ()


def _said(report: Report) -> str:
    """Return the verdict of a gate as the log has it. The view `build_logs` knows these words."""
    number = len(report.findings)
    return "passed" if report.ok else f"refused, {number} findings" if number > 1 else "refused"
