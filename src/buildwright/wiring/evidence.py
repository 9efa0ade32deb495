"""Writes and verifies the evidence of builds: files, notes, keys of this home. Must never judge a build."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from buildwright.audit.bundle import KnownHistory, make_bundle, read_bundle, statement_digest, verify_bundle
from buildwright.audit.check import DependencyChange
from buildwright.audit.comparison import AuditRange, compare, read_history
from buildwright.audit.dependencies import dependency_changes
from buildwright.audit.dsse import PublicKey, StatementSigner
from buildwright.audit.formats import cyclonedx
from buildwright.errors import BadRepository, BadSettings, GitFailed, NotFound
from buildwright.settings import Settings
from buildwright.views.evidence import BuildEvidence, evidence_of
from buildwright.views.evidence_page import evidence_page
from buildwright.wiring.adapters import SystemClock
from buildwright.workspace import GitWorkspace
from buildwright.workspace.git import Git
from buildwright.workspace.source import locate

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.core.event import Recorded

NOTES = "buildwright/vsa"
"""The ref below `refs/notes/` that holds the summaries."""


class Written(NamedTuple):
    """The files of a build's evidence."""

    bundle: Path
    page: Path
    key: Path
    notes: int


async def write_evidence(
    settings: Settings, build: Build, events: Sequence[Recorded], folder: Path, *, notes: bool
) -> Written:
    """Write bundle, page and public key into `folder`; with `notes` each landed commit gets its summary as a git note.

    Raises NotFound for a build without a plan, GitFailed.
    """
    found = await evidence_files(settings, build, events)
    folder.mkdir(parents=True, exist_ok=True)
    bundle, page, key = (folder / name for name in found.texts)
    for name, text in found.texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    if notes:
        await _write_notes(settings, found.evidence, found.summaries)
    return Written(bundle, page, key, len(found.evidence.landed) if notes else 0)


class EvidenceFiles(NamedTuple):
    """What proves a build: `texts` has the bundle, the page and the public key, in this order, by their names."""

    evidence: BuildEvidence
    summaries: Sequence[object]
    texts: Mapping[str, str]


async def evidence_files(settings: Settings, build: Build, events: Sequence[Recorded]) -> EvidenceFiles:
    """Return the evidence of a build, signed by this home. Raises NotFound for a build without a plan, GitFailed."""
    if build.plan is None:
        raise NotFound("this build has no plan yet, so there is no evidence", fix="wait until it has begun")
    evidence, signer = evidence_of(build, events), StatementSigner(settings.home / "keys")
    bom = await _dependencies(settings, evidence)
    bundle = make_bundle(evidence, signer, metadata.version("buildwright"), SystemClock().now(), bom)
    texts = {
        f"evidence-{build.id[:8]}.json": json.dumps(bundle, indent=1, ensure_ascii=False) + "\n",
        f"evidence-{build.id[:8]}.html": evidence_page(
            evidence, statement_digest(bundle["evidence"]), signer.public.id
        ),
        "signing.pub.pem": signer.public.pem,
    }
    return EvidenceFiles(evidence, bundle["summaries"], texts)


async def _dependencies(settings: Settings, evidence: BuildEvidence) -> dict[str, Any] | None:
    """Return the CycloneDX of all that a build landed; None when it landed nothing, or no repository here has it."""
    if not evidence.landed:
        return None
    git = Git(settings.home, settings.environment)
    workspace = GitWorkspace(settings.home, settings.environment, settings.hub)
    for mirrored in (True, False):
        with suppress(BadRepository, GitFailed):
            place = await workspace.mirror_with(evidence.build, evidence.base, evidence.head) if mirrored else None
            changes = await _changes(git, settings, str(place or evidence.repository), evidence)
            return cyclonedx(evidence.repository, evidence.base, evidence.head, changes)
    return None


async def _changes(
    git: Git, settings: Settings, repository: str, evidence: BuildEvidence
) -> Sequence[DependencyChange]:
    async with compare(git, repository, settings.environment, AuditRange(evidence.base, evidence.head)) as comparison:
        return await dependency_changes(comparison)


async def _write_notes(settings: Settings, evidence: BuildEvidence, summaries: Sequence[object]) -> None:
    source = locate(evidence.repository, settings.environment)
    if source.git_dir is None:
        raise NotFound("the repository is not on this machine, so no notes were written", fix="leave --notes out")
    git = Git(settings.home, settings.environment)
    for one, summary in zip(evidence.landed, summaries, strict=True):
        text = json.dumps(summary, ensure_ascii=False).encode()
        await git.run(source.git_dir, "notes", f"--ref={NOTES}", "add", "--force", "--file=-", one.commit, stdin=text)


async def verify_file(
    settings: Settings, bundle: Path, repository: str, key: Path | None
) -> tuple[BuildEvidence | None, list[str]]:
    """Return the evidence in a bundle and all that does not hold. Without `key` only this home's own key counts.

    With `repository` "" the commits are not looked at. Raises Refused, BadSettings, BadRepository.
    """
    trusted = key or settings.home / "keys" / "signing.pub.pem"
    try:
        read = read_bundle(bundle.read_bytes())
        keys = [PublicKey.read(trusted.read_bytes())]
    except OSError as error:
        fix = "name the public key of the machine that built: --key FILE" if error.filename == str(trusted) else None
        raise BadSettings(f"{error.filename} cannot be read: {error.strerror}", fix=fix or "check the path") from error
    evidence, problems = verify_bundle(read, keys, None)
    if evidence is not None and repository:
        git = Git(settings.home, settings.environment)
        history = await read_history(git, repository, settings.environment, evidence.base, evidence.head)
        components = None
        if evidence.dependencies:
            with suppress(BadRepository):  # a commit that is not there is told below
                changes = await _changes(git, settings, repository, evidence)
                bom = cyclonedx(evidence.repository, evidence.base, evidence.head, changes)
                components = bom["components"]
        evidence, problems = verify_bundle(read, keys, KnownHistory(history, components))
    return evidence, problems
