"""The twelve promises that a crash at any line may not break. Each says in its docstring how it is checked."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator

from buildwright.core import event as e
from buildwright.core.apply import fold
from buildwright.core.build import TaskPhase
from buildwright.core.snapshot import dump
from buildwright.errors import IllegalMove
from buildwright.views.runtime import head_change
from tests.crash.evidence import Evidence
from tests.crash.scenes import SCENES

Invariant = Callable[[Evidence, Evidence], Iterator[str]]
"""From what was seen, and the same build undisturbed: what is wrong, in words."""


def same_result(seen: Evidence, calm: Evidence) -> Iterator[str]:
    """I1: the delivered tree and the subjects of its commits are those of the undisturbed build, and so is what the journal
    means: for each task the same kinds of events in the same order with the same attempts and verdicts, for the build the
    same ones in any order (a user's words and the work go on beside each other). Heartbeats, the tokens of requests
    that had to be made again, and whether a merge needed a verdict of its own (it does when something else landed since the
    attempt began, which is a matter of time) are not part of the meaning."""
    if seen.tree != calm.tree:
        yield f"the tree is {seen.tree or 'not there'}, not {calm.tree}"
    if _subjects(seen) != _subjects(calm):
        yield f"the commits are {_subjects(seen)}, not {_subjects(calm)}"
    mine, theirs = meaning(seen), meaning(calm)
    for what in sorted(mine.keys() | theirs.keys()):
        if mine.get(what) != theirs.get(what):
            yield f"{what or 'the build'}: {mine.get(what)} instead of {theirs.get(what)}"


def effects_once(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I2: each task has one commit (by the trailers of its message), the delivered branch moved at most once (by its
    reflog), an attempt begins once more for each kill at most, and no call to the model is in the journal twice or, but for
    those that a kill cut off, missing (each call has a number, which comes back as its input tokens)."""
    of_task = Counter(re.findall(r"^Buildwright-Task: (.+)$", "\n".join(c[2] for c in seen.commits), re.MULTILINE))
    landed = Counter(r.event.task for r in seen.journal if isinstance(r.event, e.ChangeLanded))
    # What was taken back had landed before, and what was put on another base had landed on the old one.
    again = Counter(r.event.task for r in seen.journal if isinstance(r.event, e.ChangeUndone))
    landed += Counter(one.task for one in _landed_before(seen))
    moved = next((place for place, r in enumerate(seen.journal) if isinstance(r.event, e.BaseChanged)), 0)
    before = Counter(r.event.task for r in seen.journal[:moved] if isinstance(r.event, e.ChangeLanded))
    given_up = {task for task in again if seen.loaded.task(task).phase is TaskPhase.SKIPPED}
    for task, count in (of_task + landed).items():
        times = 1 + again[task] - (task in given_up)
        if landed[task] != times + before[task] or (seen.commits and of_task[task] != times):
            yield f"task {task} has {of_task[task]} commits and landed {landed[task]} times ({count})"
    if len(seen.moves) > 1:
        yield f"the branch moved {len(seen.moves)} times: {seen.moves}"
    most = seen.kills * SCENES[seen.scene].limits.concurrency
    starts = Counter((line[1], line[2]) for line in seen.ledger if line[0] == "start")
    if sum(count - 1 for count in starts.values()) > most:
        yield f"attempts ran again after they had ended: {starts}"
    paid = Counter(str(r.event.input_tokens) for r in seen.journal if isinstance(r.event, e.TokensUsed))
    calls = {line[1] for line in seen.ledger if line[0] == "call"}
    if twice := [number for number, count in paid.items() if count > 1]:
        yield f"calls {twice} are in the journal more than once"
    if unknown := set(paid) - calls:
        yield f"calls {unknown} were never made"
    if len(calls - set(paid)) > most:
        yield f"calls {calls - set(paid)} are in no journal, after {seen.kills} kills"


def legal_moves(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I3: the whole journal can be replayed by `apply`, which refuses every move that is not in the table."""
    try:
        fold(list(seen.journal))
    except IllegalMove as illegal:
        yield str(illegal)


def gapless(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I4: events are numbered from 1 without a gap, and their times never go back."""
    if [recorded.seq for recorded in seen.journal] != list(range(1, len(seen.journal) + 1)):
        yield f"the numbers are {[recorded.seq for recorded in seen.journal]}"
    if [recorded.at for recorded in seen.journal] != sorted(recorded.at for recorded in seen.journal):
        yield "an event is earlier than the one before it"


def views_agree(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I5: the build as loaded (newest snapshot and the events after it) is the fold of all events, and the head row says
    what the events make of it."""
    if dump(seen.loaded) != dump(fold(list(seen.journal))):
        yield "the loaded build is not the fold of its journal"
    wanted = head_change([recorded.event for recorded in seen.journal], seen.loaded)
    for column in ("phase", "control", "outcome", "current_task_id"):
        found = getattr(seen.row, column)
        if column in wanted and found != wanted.get(column):
            yield f"{column} of the head row is {found!r}, not {wanted.get(column)!r}"
    if seen.row.version != len(seen.journal):
        yield f"the head row is at version {seen.row.version} of {len(seen.journal)}"


def one_lease(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I6: the tokens of the leases that were given (noted when they were) only grow, those of actions are never given twice,
    and nobody holds the build at the end."""
    tokens = [int(line[1]) for line in seen.ledger if line[0] == "token"]
    if tokens != sorted(set(tokens)):
        yield f"the tokens were {tokens}"
    taken = Counter(line[1] for line in seen.ledger if line[0] == "taken")
    if set(taken.values()) - {1}:
        yield f"tokens of actions were {taken}"
    if seen.holder is not None:
        yield f"{seen.holder} still holds the build"


def nothing_outside(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I7: no file beside the known ones: the user's home and the place for temporary files are folders of this build and
    must be empty, the checkout of the repository clean, the home without half-made mirrors."""
    if seen.strays:
        yield f"left behind: {', '.join(seen.strays)}"
    if seen.checkout:
        yield f"the checkout is not clean: {seen.checkout}"


def nothing_left(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I8: no process whose command line names the build's folder (waited for up to 60 s), no lock file, no lane."""
    for what in ("processes", "locks", "lanes"):
        if left := getattr(seen, what):
            yield f"{what}: {', '.join(left)}"


def no_secret(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I9: every life has a canary in its environment and an agent says it aloud; no file of the build holds it."""
    if seen.leaks:
        yield f"the canary is in {', '.join(seen.leaks)}"


def proven_commits(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I10: each commit that was ever on the delivered branch (its reflog too) has a tree that a verdict in the journal let
    pass."""
    passed = {
        recorded.event.verdict.tree
        for recorded in seen.journal
        if isinstance(recorded.event, e.BaseJudged | e.PatchJudged | e.MergeJudged | e.BuildVerified)
        and recorded.event.verdict.ok
    } | {one.verdict.tree for one in _landed_before(seen) if one.verdict is not None and one.verdict.ok}
    for commit, tree, _ in seen.commits:
        if tree not in passed:
            yield f"commit {commit} has the tree {tree}, which no gate let pass"
    known = {commit for commit, _, _ in seen.commits}
    for _, new in seen.moves:
        if new not in known:
            yield f"the branch was at {new} once, which is not of this build"


def requests_end(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I11: the build has ended as the scene says, every pause was answered, every word that was acknowledged is in the
    journal and was heard, and every command that was acknowledged is in the journal."""
    events = [recorded.event for recorded in seen.journal]
    if seen.loaded.outcome != SCENES[seen.scene].outcome:
        yield f"the build is {seen.loaded.outcome or seen.loaded.control}"
    pauses, answers = (sum(isinstance(event, kind) for event in events) for kind in (e.BuildPaused, e.BuildResumed))
    if pauses != answers:
        yield f"{pauses} pauses, {answers} answers"
    sent = {event.id for event in events if isinstance(event, e.MessageSent)}
    heard = Counter(event.id for event in events if isinstance(event, e.MessageDelivered))
    if set(heard) != sent or set(heard.values()) - {1}:
        yield f"the words {sent} were heard: {heard}"
    acknowledged = Counter(line[1] for line in seen.ledger if line[0] == "ack")
    kinds: dict[str, type[e.Event]] = {
        "say": e.MessageSent,
        "pause": e.BuildPaused,
        "stop": e.StopRequested,
        "redo": e.UndoRequested,
        "undo": e.UndoRequested,
        "rebase": e.BaseChanged,
        "take": e.ContractsChanged,
    }
    for command, count in acknowledged.items():
        if sum(isinstance(event, kinds.get(command, e.BuildResumed)) for event in events) < count:
            yield f"{command} was acknowledged {count} times, which the journal does not have"


def stop_is_final(seen: Evidence, _calm: Evidence) -> Iterator[str]:
    """I12: after the acknowledgement of a stop no attempt begins and no call is made (order of the ledger), nothing lands
    and nothing is delivered (journal, branch), and the integration branch stays where the journal has it."""
    kinds = [type(recorded.event) for recorded in seen.journal]
    if e.StopRequested in kinds:
        after = kinds[kinds.index(e.StopRequested) + 1 :]
        if after != [e.BuildFinished]:
            yield f"after the stop came {[kind.__name__ for kind in after]}"
        if seen.tree:
            yield f"{seen.tree} was delivered after the stop"
        if seen.integration != seen.loaded.head:
            yield f"the integration branch is at {seen.integration}, the journal says {seen.loaded.head}"
    lines = [line[0] if line[0] != "ack" else f"ack {line[1]}" for line in seen.ledger]
    if "ack stop" in lines and {"start", "call"} & set(lines[lines.index("ack stop") :]):
        yield "an attempt began after the stop"


INVARIANTS: tuple[Invariant, ...] = (
    same_result,
    effects_once,
    legal_moves,
    gapless,
    views_agree,
    one_lease,
    nothing_outside,
    nothing_left,
    no_secret,
    proven_commits,
    requests_end,
    stop_is_final,
)


def broken(seen: Evidence, calm: Evidence) -> list[str]:
    """Every invariant that does not hold, with what is wrong."""
    return [f"{invariant.__name__}: {wrong}" for invariant in INVARIANTS for wrong in invariant(seen, calm)]


def _landed_before(seen: Evidence) -> tuple[e.LandedBefore, ...]:
    """What had landed in the build that this one was forked from."""
    return next((r.event.landed for r in seen.journal if isinstance(r.event, e.BuildForked)), ())


def meaning(seen: Evidence) -> dict[str, list[str]]:
    """What happened to each task ("" is the build), without ids, times and words."""
    told: dict[str, list[str]] = defaultdict(list)
    for recorded in seen.journal:
        event = recorded.event
        if isinstance(event, e.AgentHeartbeat | e.TokensUsed):
            continue
        if isinstance(event, e.MergeJudged) and event.verdict.ok:
            continue
        verdict = getattr(event, "verdict", None)
        parts = [event.type, getattr(event, "attempt", ""), "" if verdict is None else verdict.ok]
        of_users = isinstance(event, e.MessageSent | e.MessageDelivered | e.BuildPaused)
        words = " ".join(str(part) for part in parts if part != "")
        of_task = told["" if of_users else getattr(event, "task", "")]
        if isinstance(event, e.MergeConflicted) and of_task[-1:] == [words]:
            continue  # first with a change that had not landed, which only moves it to the end of the train
        of_task.append(words)
    told[""].sort()
    return dict(told)


def _subjects(seen: Evidence) -> list[str]:
    return sorted(message.splitlines()[0] for _, _, message in seen.commits)
