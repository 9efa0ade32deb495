"""Bundles the evidence of a build as signed statements, and verifies a bundle offline. Must never trust its own key.

The bundle holds one in-toto Statement about the build, one with the CycloneDX of what its change depends on, which the
first names by its digest, and one SLSA Verification Summary (VSA v1) for each commit that landed, which so names the
first. Formats: https://slsa.dev/spec/v1.1/verification_summary, https://cyclonedx.org/bom (its type of predicate).
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import ValidationError

from buildwright.audit.comparison import HistoryCommit
from buildwright.audit.dsse import PublicKey, StatementSigner, canonical, open_envelope, statement
from buildwright.core.finding import Verdict
from buildwright.errors import Refused
from buildwright.views.evidence import BuildEvidence, JudgedAttempt, LandedChange
from buildwright.views.overview import TotalSpent

EVIDENCE_TYPE = "urn:x-buildwright:build-evidence:v1"
VSA_TYPE = "https://slsa.dev/verification_summary/v1"
BOM_TYPE = "https://cyclonedx.org/bom"
VERIFIER = "urn:x-buildwright:gates"
_LEVEL = "GATES_PASSED"
_SCHEMA = 1


class Bundle(NamedTuple):
    """A bundle as it was read: the envelopes, and the public key that came with it, which proves nothing alone."""

    evidence: object
    summaries: tuple[object, ...]
    key: str
    dependencies: object = None
    """None in a bundle whose build landed nothing, and in one of before."""


class KnownHistory(NamedTuple):
    """What a bundle is compared with: the commits of a repository by id, and the components of a CycloneDX from it."""

    commits: Mapping[str, HistoryCommit]
    components: Sequence[Mapping[str, Any]] | None = None


def make_bundle(
    evidence: BuildEvidence,
    signer: StatementSigner,
    version: str,
    at: datetime,
    dependencies: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the bundle of a build as JSON. Every landed commit has a summary beside it.

    `dependencies` is the CycloneDX of all that the build landed.
    """
    bom = None
    if dependencies is not None and evidence.landed:
        last = evidence.landed[-1]
        bom = signer.sign(statement([_subject(last.commit, last.tree)], BOM_TYPE, dependencies))
        evidence = evidence.model_copy(update={"dependencies": statement_digest(bom)})
    told = evidence.model_dump(mode="json")
    subject = [_subject(one.commit, one.tree) for one in evidence.landed]
    envelope = signer.sign(statement(subject or [_nothing(evidence.build)], EVIDENCE_TYPE, _whole(told)))
    digest = statement_digest(envelope)
    summaries = [signer.sign(_summary(evidence, one, digest, version, at)) for one in evidence.landed]
    return {
        "schema": _SCHEMA,
        "build": evidence.build,
        "evidence": envelope,
        "summaries": summaries,
        **({"dependencies": bom} if bom is not None else {}),
        "public_key": signer.public.pem,
    }


def statement_digest(envelope: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the statement inside an envelope."""
    return hashlib.sha256(base64.b64decode(envelope["payload"])).hexdigest()


def read_bundle(text: bytes) -> Bundle:
    """Read a bundle. Raises Refused when it is none."""
    try:
        told = json.loads(text)
        return Bundle(told["evidence"], tuple(told["summaries"]), str(told["public_key"]), told.get("dependencies"))
    except (ValueError, KeyError, TypeError) as error:
        fix = "give the .json file that `buildwright evidence` wrote"
        raise Refused(f"This is not a bundle of evidence: {error}.", fix=fix) from error


def verify_bundle(
    bundle: Bundle, keys: Sequence[PublicKey], repository: KnownHistory | None
) -> tuple[BuildEvidence | None, list[str]]:
    """Return the evidence and all that does not hold, also in a repository if there is one to compare it with.

    `keys` are those that the caller trusts.
    """
    told, wrong = open_envelope(bundle.evidence, keys)
    problems = [f"the evidence does not count: {wrong}"] if wrong else []
    try:
        evidence = BuildEvidence.model_validate_json(json.dumps(_parts(told.get("predicate", {}))))
    except ValidationError as error:
        return None, [*problems, f"the evidence cannot be read: {error.errors()[0]['msg']}"]
    if told.get("predicateType") != EVIDENCE_TYPE:
        problems.append("the evidence is a statement of another kind")
    subjects = [_subject(one.commit, one.tree) for one in evidence.landed] or [_nothing(evidence.build)]
    if told.get("subject") != subjects:
        problems.append("the statement is about other commits than its evidence")
    problems += _judged(evidence)
    problems += _sums(evidence)
    problems += _summaries(bundle, evidence, keys)
    problems += _dependencies(bundle, evidence, keys, repository)
    if repository is not None:
        problems += _in_history(evidence, repository.commits)
    return evidence, problems


def _subject(commit: str, tree: str) -> dict[str, Any]:
    return {"name": commit, "digest": {"gitCommit": commit, "gitTree": tree}}


def _nothing(build: str) -> dict[str, Any]:
    """Return the subject of a build that landed nothing: the build itself."""
    return {"name": build, "digest": {"sha256": hashlib.sha256(build.encode()).hexdigest()}}


def _whole(told: Any) -> Any:
    """Return JSON whose numbers are whole or texts: a fraction has several forms."""
    if isinstance(told, float):
        return {"seconds": repr(told)}
    if isinstance(told, dict):
        return {name: _whole(value) for name, value in told.items()}
    return [_whole(one) for one in told] if isinstance(told, list) else told


def _parts(told: Any) -> Any:
    """Undo `_whole`."""
    if isinstance(told, dict):
        if told.keys() == {"seconds"} and isinstance(told["seconds"], str):
            return float(told["seconds"])
        return {name: _parts(value) for name, value in told.items()}
    return [_parts(one) for one in told] if isinstance(told, list) else told


def _summary(evidence: BuildEvidence, one: LandedChange, digest: str, version: str, at: datetime) -> dict[str, Any]:
    commands = sorted({report.evidence.command for report in evidence.final if report.evidence is not None})
    policy = hashlib.sha256(canonical(commands)).hexdigest()
    return statement(
        [_subject(one.commit, one.tree)],
        VSA_TYPE,
        {
            "verifier": {"id": VERIFIER, "version": {"buildwright": version}},
            "timeVerified": at.isoformat().replace("+00:00", "Z"),
            "resourceUri": f"git+{evidence.repository}@{one.commit}",
            "policy": {"uri": f"{VERIFIER}:{evidence.build}", "digest": {"sha256": policy}},
            "inputAttestations": [{"uri": f"urn:x-buildwright:build:{evidence.build}", "digest": {"sha256": digest}}],
            "verificationResult": "PASSED",
            "verifiedLevels": [_LEVEL],
            "slsaVersion": "1.1",
        },
    )


def _verdict_of(attempt: JudgedAttempt, tree: str) -> Verdict | None:
    verdicts = (attempt.merge_verdict, attempt.verdict)
    return next((one for one in verdicts if one is not None and one.tree == tree), None)


def _judged(evidence: BuildEvidence) -> Iterator[str]:
    """Yield landed commits whose exact tree no passing verdict covers."""
    for task in evidence.tasks:
        if task.landed is None:
            continue
        attempt = next((one for one in task.attempts if one.number == task.landed.attempt), None)
        verdict = _verdict_of(attempt, task.landed.tree) if attempt is not None else None
        if verdict is None:
            yield f"{task.id}: tree {task.landed.tree[:12]} of its commit was judged by no gate"
        elif not verdict.ok:
            gates = ", ".join(report.gate for report in verdict.reports if not report.ok)
            yield f"{task.id}: its commit landed although {gates} refused it"
        else:
            for report in verdict.reports:
                if report.evidence is not None and report.evidence.tree != verdict.tree:
                    yield f"{task.id}: {report.gate} judged tree {report.evidence.tree[:12]}, and another one landed"


def _sums(evidence: BuildEvidence) -> Iterator[str]:
    """Yield sums that are smaller than their parts. Advisors spend too, so the whole may be more."""
    attempts = [attempt.spent for task in evidence.tasks for attempt in task.attempts]
    for name in TotalSpent.model_fields:
        if sum(getattr(one, name) for one in attempts) > getattr(evidence.spent, name):
            yield f"the attempts have more {name.replace('_', ' ')} than the build"


def _summaries(bundle: Bundle, evidence: BuildEvidence, keys: Sequence[PublicKey]) -> Iterator[str]:
    digest = statement_digest(bundle.evidence) if isinstance(bundle.evidence, dict) else ""
    found: set[str] = set()
    for number, envelope in enumerate(bundle.summaries):
        told, wrong = open_envelope(envelope, keys)
        if wrong or told.get("predicateType") != VSA_TYPE:
            yield f"summary {number} does not count: {wrong or 'it is a statement of another kind'}"
            continue
        said = told["predicate"]
        named = {str(one.get("digest", {}).get("sha256")) for one in said.get("inputAttestations", ())}
        if digest not in named:
            yield f"summary {number} is about other evidence"
        elif said.get("verificationResult") == "PASSED":
            found |= {json.dumps(one, sort_keys=True) for one in told.get("subject", ())}
    for one in evidence.landed:
        if json.dumps(_subject(one.commit, one.tree), sort_keys=True) not in found:
            yield f"{one.task}: commit {one.commit[:12]} has no summary"


def _dependencies(
    bundle: Bundle, evidence: BuildEvidence, keys: Sequence[PublicKey], repository: KnownHistory | None
) -> Iterator[str]:
    """Yield what is wrong with the CycloneDX; the repository says what its manifests declare anew."""
    if not evidence.dependencies and bundle.dependencies is None:
        return
    told, wrong = open_envelope(bundle.dependencies, keys)
    if wrong or told.get("predicateType") != BOM_TYPE:
        yield f"the dependencies do not count: {wrong or 'they are a statement of another kind'}"
        return
    if not isinstance(bundle.dependencies, dict) or statement_digest(bundle.dependencies) != evidence.dependencies:
        yield "the dependencies are not those that the evidence names"
    last = evidence.landed[-1:]
    if told.get("subject") != [_subject(one.commit, one.tree) for one in last]:
        yield "the dependencies are of another commit than the last that landed"
    if repository is not None and repository.components is not None:
        said = told["predicate"].get("components")
        if said != list(repository.components):
            yield "the dependencies differ from those that the repository's manifests newly declare"


def _in_history(evidence: BuildEvidence, history: Mapping[str, HistoryCommit]) -> Iterator[str]:
    """Yield what differs between the evidence and the repository, commits that were never judged among them."""
    landed = {one.commit: one for one in evidence.landed}
    for one in landed.values():
        there = history.get(one.commit)
        if there is None:
            yield f"{one.task}: the repository has no commit {one.commit[:12]} between base and head"
            continue
        if there.tree != one.tree:
            yield f"{one.task}: commit {one.commit[:12]} has tree {there.tree[:12]}, not {one.tree[:12]}"
        if there.parents != (one.onto,):
            yield f"{one.task}: commit {one.commit[:12]} does not lie on {one.onto[:12]}"
    for mark in evidence.marks:
        there, below = history.get(mark.commit), history.get(mark.onto)
        if there is None or there.parents != (mark.onto,) or below is None or there.tree != below.tree:
            yield f"{mark.phase}: commit {mark.commit[:12]} is not one without a change on {mark.onto[:12]}"
    known = {*landed, *(mark.commit for mark in evidence.marks)}
    for name in history:
        if name not in known:
            yield f"commit {name[:12]} lies between base and head and is not in the evidence"
