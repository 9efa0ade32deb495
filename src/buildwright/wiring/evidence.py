"""Writes and verifies the evidence of builds: files, notes, keys of this home. Must never judge a build."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from buildwright.audit.bundle import make_bundle, read_bundle, statement_digest, verify_bundle
from buildwright.audit.comparison import read_history
from buildwright.audit.dsse import PublicKey, StatementSigner
from buildwright.errors import BadSettings, NotFound
from buildwright.settings import Settings
from buildwright.views.evidence import BuildEvidence, evidence_of
from buildwright.views.evidence_page import evidence_page
from buildwright.wiring.adapters import SystemClock
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
    if build.plan is None:
        raise NotFound("this build has no plan yet, so there is no evidence", fix="wait until it has begun")
    evidence, signer = evidence_of(build, events), StatementSigner(settings.home / "keys")
    bundle = make_bundle(evidence, signer, metadata.version("buildwright"), SystemClock().now())
    folder.mkdir(parents=True, exist_ok=True)
    written = Written(
        folder / f"evidence-{build.id[:8]}.json",
        folder / f"evidence-{build.id[:8]}.html",
        folder / "signing.pub.pem",
        len(evidence.landed) if notes else 0,
    )
    written.bundle.write_text(json.dumps(bundle, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    page = evidence_page(evidence, statement_digest(bundle["evidence"]), signer.public.id)
    written.page.write_text(page, encoding="utf-8")
    written.key.write_text(signer.public.pem)
    if notes:
        await _write_notes(settings, evidence, bundle["summaries"])
    return written


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
        keys = [PublicKey.read(trusted.read_bytes())]
        read = read_bundle(bundle.read_bytes())
    except OSError as error:
        fix = "name the public key of the machine that built: --key FILE" if error.filename == str(trusted) else None
        raise BadSettings(f"{error.filename} cannot be read: {error.strerror}", fix=fix or "check the path") from error
    history = None
    evidence, problems = verify_bundle(read, keys, None)
    if evidence is not None and repository:
        git = Git(settings.home, settings.environment)
        history = await read_history(git, repository, settings.environment, evidence.base, evidence.head)
        evidence, problems = verify_bundle(read, keys, history)
    return evidence, problems
