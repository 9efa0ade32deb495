"""Evidence and its verification: a bundle holds as it was written, and every change to it or to the history shows."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from buildwright.audit.bundle import BOM_TYPE, KnownHistory, make_bundle, read_bundle, verify_bundle
from buildwright.audit.comparison import HistoryCommit, read_history
from buildwright.audit.dsse import StatementSigner, canonical
from buildwright.core.finding import Evidence, Report, Verdict
from buildwright.errors import Refused
from buildwright.views.evidence import BuildEvidence, JudgedAttempt, LandedChange, TaskEvidence
from buildwright.views.evidence_page import evidence_page
from buildwright.views.overview import TotalSpent
from buildwright.workspace.git import Git
from tests.audit.repositories import commit, project
from tests.git import git

AT = datetime(2026, 11, 29, tzinfo=UTC)


def built(folder: Path) -> BuildEvidence:
    """A repository with two landed tasks and the evidence that fits it."""
    repository = project(folder)
    base = onto = git(repository, "rev-parse", "HEAD")
    tasks = []
    for name in ("a", "b"):
        (repository / f"{name}.txt").write_text(name)
        head = commit(repository, name)
        tree = git(repository, "rev-parse", "HEAD^{tree}")
        proof = Evidence(
            tree=tree, command="pytest", exit_code=0, seconds=0.25, output_digest="0" * 64, started_at=AT, tests=3
        )
        verdict = Verdict(tree=tree, reports=(Report(gate="tests", kind="test", ok=True, evidence=proof),))
        spent = TotalSpent(requests=1, input_tokens=10)
        attempt = JudgedAttempt(number=1, started_at=AT, seconds=1.5, verdict=verdict, spent=spent)
        landed = LandedChange(task=name, attempt=1, commit=head, tree=tree, onto=onto, at=AT)
        asked = (f"<script>{name}</script> works",)
        tasks.append(TaskEvidence(id=name, title=name, acceptance=asked, attempts=(attempt,), landed=landed))
        onto = head
    return BuildEvidence(
        build="0123456789",
        title="Two tasks",
        repository=str(repository),
        outcome="succeeded",
        created_at=AT,
        base=base,
        head=onto,
        agent="direct",
        model="",
        tasks=tuple(tasks),
        spent=TotalSpent(requests=3, input_tokens=30),
    )


@pytest.fixture
def evidence(tmp_path: Path) -> BuildEvidence:
    return built(tmp_path / "r")


@pytest.fixture
def signer(tmp_path: Path) -> StatementSigner:
    return StatementSigner(tmp_path / "keys")


async def history(evidence: BuildEvidence, home: Path) -> dict[str, HistoryCommit]:
    return await read_history(Git(home, os.environ), evidence.repository, os.environ, evidence.base, evidence.head)


def written(evidence: BuildEvidence, signer: StatementSigner) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.dumps(make_bundle(evidence, signer, "1", AT)))
    return told


def problems(bundle: dict[str, Any], signer: StatementSigner, known: dict[str, HistoryCommit] | None) -> list[str]:
    return verify_bundle(
        read_bundle(json.dumps(bundle).encode()), (signer.public,), KnownHistory(known) if known is not None else None
    )[1]


async def test_a_bundle_holds(evidence: BuildEvidence, signer: StatementSigner, tmp_path: Path) -> None:
    known = await history(evidence, tmp_path / "home")
    bundle = written(evidence, signer)
    found, wrong = verify_bundle(read_bundle(json.dumps(bundle).encode()), (signer.public,), KnownHistory(known))
    assert wrong == []
    assert found == evidence
    assert len(bundle["summaries"]) == 2


def lie(change: Callable[[dict[str, Any]], None], which: str = "evidence") -> Callable[[dict[str, Any]], None]:
    """Change the content of an envelope and leave its signature as it is."""

    def tamper(bundle: dict[str, Any]) -> None:
        envelope = bundle["evidence"] if which == "evidence" else bundle["summaries"][0]
        told = json.loads(base64.b64decode(envelope["payload"]))
        change(told)
        envelope["payload"] = base64.b64encode(canonical(told)).decode()

    return tamper


def first_exit_code(told: dict[str, Any]) -> None:
    told["predicate"]["tasks"][0]["attempts"][0]["verdict"]["reports"][0]["evidence"]["exit_code"] = 1


def another_subject(told: dict[str, Any]) -> None:
    told["subject"][0]["digest"]["gitTree"] = "f" * 40


def without_summary(bundle: dict[str, Any]) -> None:
    bundle["summaries"].pop()


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (lie(first_exit_code), "signature does not fit"),
        (lie(another_subject, "summary"), "summary 0 does not count"),
        (without_summary, "has no summary"),
    ],
)
async def test_a_changed_bundle_does_not_hold(
    evidence: BuildEvidence,
    signer: StatementSigner,
    tmp_path: Path,
    tamper: Callable[[dict[str, Any]], None],
    said: str,
) -> None:
    bundle = written(evidence, signer)
    tamper(bundle)
    assert any(said in one for one in problems(bundle, signer, await history(evidence, tmp_path / "home")))


def test_a_bundle_signed_by_another_does_not_hold(
    evidence: BuildEvidence, signer: StatementSigner, tmp_path: Path
) -> None:
    bundle = written(evidence, StatementSigner(tmp_path / "others"))
    assert "a key that is not known here" in problems(bundle, signer, None)[0]


def test_evidence_must_prove_its_own_commits(evidence: BuildEvidence, signer: StatementSigner) -> None:
    first = evidence.tasks[0]
    attempt = first.attempts[0].model_copy(update={"verdict": None})
    unjudged = evidence.model_copy(
        update={"tasks": (first.model_copy(update={"attempts": (attempt,)}), evidence.tasks[1])}
    )
    assert any("judged by no gate" in one for one in problems(written(unjudged, signer), signer, None))
    verdict = first.attempts[0].verdict
    assert verdict is not None
    refused = verdict.model_copy(update={"reports": (verdict.reports[0].model_copy(update={"ok": False}),)})
    attempt = first.attempts[0].model_copy(update={"verdict": refused})
    landed = evidence.model_copy(
        update={"tasks": (first.model_copy(update={"attempts": (attempt,)}), evidence.tasks[1])}
    )
    assert any("landed although tests refused" in one for one in problems(written(landed, signer), signer, None))
    cheap = evidence.model_copy(update={"spent": TotalSpent(requests=3, input_tokens=1)})
    assert problems(written(cheap, signer), signer, None) == ["the attempts have more input tokens than the build"]


async def test_a_commit_that_was_never_judged_shows(
    evidence: BuildEvidence, signer: StatementSigner, tmp_path: Path
) -> None:
    repository = Path(evidence.repository)
    (repository / "smuggled.txt").write_text("x")
    head = commit(repository, "smuggled")
    longer = evidence.model_copy(update={"head": head})
    wrong = problems(written(longer, signer), signer, await history(longer, tmp_path / "home"))
    assert wrong == [f"commit {head[:12]} lies between base and head and is not in the evidence"]


async def test_a_repository_without_the_commits_shows(
    evidence: BuildEvidence, signer: StatementSigner, tmp_path: Path
) -> None:
    other = project(tmp_path / "other")
    elsewhere = evidence.model_copy(update={"repository": str(other)})
    wrong = problems(written(evidence, signer), signer, await history(elsewhere, tmp_path / "home"))
    assert len([one for one in wrong if "the repository has no commit" in one]) == 2


def test_what_is_no_bundle_is_refused() -> None:
    with pytest.raises(Refused, match="not a bundle"):
        read_bundle(b'{"build": 1}')


def test_the_page_escapes_what_others_wrote(evidence: BuildEvidence) -> None:
    page = evidence_page(evidence, "0" * 64, "1" * 64)
    assert "<script>" not in page
    assert "&lt;script&gt;a&lt;/script&gt; works" in page
    assert "http://" not in page
    assert "https://" not in page


COMPONENTS = [{"type": "library", "name": "httpx", "purl": "pkg:pypi/httpx"}]


@pytest.mark.parametrize("attack", ["", "taken out", "changed", "of another build", "not of the repository"])
def test_the_dependencies_are_part_of_what_is_signed(
    evidence: BuildEvidence, signer: StatementSigner, attack: str
) -> None:
    bom = {"bomFormat": "CycloneDX", "components": COMPONENTS}
    bundle: dict[str, Any] = json.loads(json.dumps(make_bundle(evidence, signer, "1", AT, bom)))
    envelope = bundle["dependencies"]
    told = json.loads(base64.b64decode(envelope["payload"]))
    assert (told["predicateType"], told["predicate"]) == (BOM_TYPE, bom)
    assert told["subject"][0]["digest"]["gitCommit"] == evidence.head
    said = ""
    match attack:
        case "taken out":
            del bundle["dependencies"]
            said = "the dependencies do not count"
        case "changed":
            told["predicate"]["components"] = []
            envelope["payload"] = base64.b64encode(canonical(told)).decode()
            said = "signature does not fit"
        case "of another build":
            other = make_bundle(evidence, signer, "1", AT, {**bom, "components": []})
            bundle["dependencies"] = other["dependencies"]
            said = "not those that the evidence names"
        case "not of the repository":
            said = "differ from those that the repository's manifests newly declare"
    known = [] if attack == "not of the repository" else COMPONENTS
    read = read_bundle(json.dumps(bundle).encode())
    wrong = [
        one for one in verify_bundle(read, (signer.public,), KnownHistory({}, known))[1] if "has no commit" not in one
    ]
    assert any(said in one for one in wrong) if said else wrong == []
