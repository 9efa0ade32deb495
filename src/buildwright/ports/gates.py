"""Ports for gates that judge a tree, and for the gateway to the models with its meter. Must never hold logic."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from buildwright.ports.agents import ModelEndpoint
from buildwright.ports.commands import Sandbox
from buildwright.ports.ledger import Notice, Purse

if TYPE_CHECKING:
    from buildwright.core.activity import FailureKind
    from buildwright.core.finding import Finding, Report
    from buildwright.core.limits import Options
    from buildwright.core.patch import Patch
    from buildwright.core.sealed import Language, SealedRun, SealedTests
    from buildwright.core.task import Task
    from buildwright.core.tests_first import EarlyTests


def as_found(finding: Finding) -> Finding:
    """Return the finding as it is: where nothing is approved."""
    return finding


@dataclass(frozen=True, slots=True)
class Judged:
    """Input of a gate: an exact tree, the patch that led to it, and (if the gate needs files) a private checkout."""

    build_id: str
    task: Task | None
    """None when the whole build is judged."""
    tree: str
    patch: Patch | None
    files: Path | None
    options: Options
    on_output: Callable[[str], None] | None = None
    """Called with pieces of command output as they come."""
    on_command: Callable[[str], None] | None = None
    """Called with a line when a command begins, and when it has ended; see `core.running_command`."""
    repository: str = ""
    """The repository that is built on, as the user named it: its path or URL."""
    base_tree: str = ""
    """The tree that the patch lies on; "" when there is no patch."""
    checkout: Callable[[str], AbstractAsyncContextManager[Path]] | None = None
    """Yields a private directory with exactly the files of a tree."""
    read_base: Callable[[str], Awaitable[bytes | None]] | None = None
    """Returns the content of a file of the base, None when it has no such file or the file is too large."""
    sealed: SealedTests | None = None
    """The sealed tests of the task; None when it was not asked for any."""
    consent: Callable[[Finding], Finding] = as_found
    """Returns a finding with its fingerprint, as a note if a person has approved it. The engine applies it to every
    report; a gate that goes on after a finding, or that finds less beside one, applies it itself where it decides."""
    red: tuple[EarlyTests, ...] = ()
    """Tests in the tree that must fail still, for later tasks write their code."""
    due: tuple[EarlyTests, ...] = ()
    """Tests of earlier tasks that have to pass with this change."""


class SealedTrial(Protocol):
    """Runs sealed tests on a tree."""

    async def languages(self, repository: str, files: Path) -> tuple[Language, ...]:
        """Return the languages in which tests of this checkout can be written and run here."""

    async def run(self, judged: Judged, tests: SealedTests) -> list[SealedRun]:
        """Return what each file did on a private checkout. Raises GateBroken, BadSettings."""


class Judgement(NamedTuple):
    """A gate's report and the whole output behind it."""

    report: Report
    output: bytes


class Furnished(NamedTuple):
    """A lane that was made ready: what its set-up said, none where there is none, and variables for the agent."""

    judgements: tuple[Judgement, ...]
    env: Mapping[str, str]


def _none_allowed(_repository: str) -> Collection[str]:
    return ()


class GateTools(NamedTuple):
    """What a gate is made with that runs commands or keeps something in the home."""

    sandbox: Sandbox
    path: str
    """The PATH of the project's own commands."""
    setups: Path | None = None
    """Where results of set-ups are kept; None to keep none."""
    secret_rules: Path | None = None
    """Where the compiled rules of the search for secrets are kept; None for the system's cache."""
    allowed_secrets: Callable[[str], Collection[str]] = _none_allowed
    """Returns the fingerprints of the secrets that a person allowed in a repository."""


class Gate(Protocol):
    """Judges a patch. Refuses it by a report; raises GateBroken when it cannot judge."""

    name: str
    needs_files: bool

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement per check it ran, in order; stops after the first that refuses."""


@dataclass(frozen=True, slots=True)
class EndedPhase:
    """A phase of a build that is to be audited: all commits from `base` to `head`."""

    build_id: str
    repository: str
    """As the user named it."""
    name: str
    base: str
    head: str
    claimed: tuple[str, ...]
    """Files that its tasks named; empty when one of them named none."""
    judged: frozenset[str]
    """Paths of the changes that gates have judged and let land."""
    commits: frozenset[str]
    """Commits that the build landed."""
    reports: tuple[Report, ...]
    """What the project's own checks said of the tree of `head`."""
    allow: tuple[str, ...] = ()
    consent: Callable[[Finding], Finding] = as_found


class AuditedPhase(NamedTuple):
    """What the audit says: the tree of the head, a report per check, and the number of its entry in the ledger."""

    tree: str
    reports: tuple[Report, ...]
    entry: int | None


class PhaseAuditor(Protocol):
    """Audits a phase and records the result, once for each phase however often it is asked."""

    async def audit(self, phase: EndedPhase) -> AuditedPhase:
        """Return what every check of the audit says. Raises GitFailed, BadSettings."""


class Spend(NamedTuple):
    """The gateway's measurement of one request."""

    build_id: str
    task: str
    attempt: int
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    cost_usd: str | None
    request: str = ""
    """The name under which the answer is kept, the same when it is replayed; "" if it is not kept."""


class ModelAccess(NamedTuple):
    """What a door to the models is opened for: one attempt of a task, or an advisor's request (task "")."""

    build_id: str
    task: str
    attempt: int
    options: Options
    lane: Path | None = None
    """Lets a replayed answer name absolute paths for agents that want them."""
    purses: tuple[Purse, ...] = ()
    """What its requests are paid from. What the gateway itself has metered since the journal was read counts too."""
    kept: bool = True
    """False: answers are not kept, because the attempt is never run again."""
    model: str = ""
    """The model that an advisor asks, where it is not the one of the options."""
    ancestors: tuple[str, ...] = ()
    """The builds that this one was forked from, the nearest first: what they were answered is played for nothing."""


class ModelTrouble(NamedTuple):
    """How a request to a model failed."""

    kind: FailureKind
    message: str
    model: str = ""
    """The model that was asked."""


class Gateway(Protocol):
    """The one door to language models. Starts on first use."""

    async def open(self, access: ModelAccess) -> ModelEndpoint:
        """Start the server if needed and issue a token. Raises BadSettings without a key and without a cassette."""

    def metered(self, door: ModelEndpoint) -> list[Spend]:
        """Return the spends of a door since the last call, in order, with those of replayed answers."""

    def noticed(self, build_id: str) -> list[Notice]:
        """Return what there is to tell a build since the last call: marks of purses, limits of providers."""

    def limit(self, door: ModelEndpoint) -> datetime | None:
        """Return when the provider's limit ends, or ended, that requests through a door have met; None without one."""

    def trouble(self, door: ModelEndpoint) -> ModelTrouble | None:
        """Return how the last request through a door failed, None if it did not."""

    def denied(self, door: ModelEndpoint) -> tuple[str, ...]:
        """Return the requests through a door that the gateway does not serve: other addresses, wrong tokens."""

    async def shut(self, door: ModelEndpoint) -> None:
        """Close a door: its token is invalid from now on, and its requests end. What they came to can be taken once more."""

    async def close(self) -> None: ...


class AnswerKey(NamedTuple):
    """Names a model's answer: attempt, request (SHA-256 of its essential parts), the `nth` to it, from 0."""

    build_id: str
    task: str
    attempt: int
    digest: str
    nth: int


class Answers(Protocol):
    """Finished answers of models, so that an attempt that is begun again does not buy them twice."""

    async def find_answer(self, key: AnswerKey) -> bytes | None: ...

    async def keep_answer(self, key: AnswerKey, answer: bytes) -> None:
        """Keep an answer, durable when this returns. The first answer under a key stays."""
