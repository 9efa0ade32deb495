"""Judges which files a change touches, how, and whose commits bring it. Must never trust a diff's or a status's word.

The levels of a path (named, companion, outside, protected) are those of the gate `scope`, which is asked for them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from buildwright.audit.check import AuditInput
from buildwright.audit.comparison import Comparison
from buildwright.core.finding import Finding, Severity
from buildwright.core.limits import Options
from buildwright.core.paths import is_covered
from buildwright.core.task import Task
from buildwright.gates.reporting import finding
from buildwright.gates.scope import ScopeGate
from buildwright.ports import Judged

DIFF_LOG = "evidence/updatedifflog.md"
RENDERED = ("evidence/audit_ledger.md", DIFF_LOG)
"""Files that the audit itself writes; they are no part of a change's scope."""

_REWRITTEN = 0.8
"""Share of a file's old lines that are gone, from which on it counts as rewritten."""
_SMALL = 20
"""Lines; a smaller file is not worth the question whether it was rewritten."""
_INDENTED = re.compile(r"\.(?:pyi?|ya?ml|md|mk|nim|haml|pug|sass|coffee)$|(?:^|/)(?:Makefile|makefile|GNUmakefile)$")
"""Files in which white space at the start of a line has a meaning."""
_PLACEHOLDER = re.compile(r"\b(?:TODO|TBD|FIXME|XXX)\b|<[a-z _]*(?:fill|describe|insert)[a-z _]*>", re.IGNORECASE)
_MOST = 40
_LONGEST_LOG = 500


async def judge_scope(audit: AuditInput) -> Sequence[Finding]:
    """Return what the change touches beyond the files it claims, and what no change may touch without a person."""
    claimed = tuple(one.strip().removeprefix("./") for one in audit.claimed if one.strip())
    comparison = audit.comparison
    changes = tuple(one for one in comparison.patch.changes if one.path not in RENDERED)
    task = Task(id="audit", title="the change", files_expected=claimed) if claimed else None
    options = Options(allow=audit.allow)
    patch = comparison.patch.model_copy(update={"changes": changes})
    judged = Judged("audit", task, comparison.patch.tree, patch, None, options)
    found: list[Finding] = []
    for judgement in await ScopeGate().judge(judged):
        found += [_as_asked(one) for one in judgement.report.findings if not _is_open(one, audit.allow)]
    touched = {one.path for one in changes}
    unused = [one for one in claimed if one not in touched and not any(is_covered(path, (one,)) for path in touched)]
    for name in unused[:_MOST]:
        found.append(finding("scope.untouched", f"{name} is claimed and was not changed.", severity="warning"))
    return found


def _as_asked(one: Finding) -> Finding:
    if one.code != "scope.outside":
        return one
    fix = f"take {one.file} out of the change or claim it; a person can open it with `--allow {one.file}`"
    return one.model_copy(update={"severity": "error", "fix": fix})


def _is_open(one: Finding, allow: tuple[str, ...]) -> bool:
    return one.code in {"scope.outside", "scope.tests_deleted"} and bool(one.file) and is_covered(one.file or "", allow)


async def judge_minimal(audit: AuditInput) -> Sequence[Finding]:
    """Return changes that say nothing: white space or a mode alone, an unclaimed rename or rewrite."""
    comparison = audit.comparison
    await comparison.read_changed()
    found = list(_without_content(audit))
    for rename in comparison.renames:
        claims = bool(audit.claimed) and all(is_covered(path, audit.claimed) for path in (rename.old, rename.new))
        if not claims and not is_covered(rename.new, audit.allow):
            message = f"{rename.old} was renamed to {rename.new} ({rename.similarity}% alike)."
            fix = f"keep the name, or claim both {rename.old} and {rename.new}"
            severity: Severity = "error" if audit.claimed else "warning"
            found.append(finding("minimal.renamed", message, rename.new, severity=severity, fix=fix))
    for change in comparison.patch.changes:
        old = comparison.text(comparison.before.get(change.path))
        if change.kind != "modified" or old is None or old.count("\n") < _SMALL:
            continue
        share = len(comparison.lines[change.path].removed) / (old.count("\n") or 1)
        if share >= _REWRITTEN:
            message = f"{share:.0%} of the lines of {change.path} were replaced."
            fix = "change only the lines that the task needs"
            found.append(finding("minimal.rewritten", message, change.path, severity="warning", fix=fix))
    return found


def _without_content(audit: AuditInput) -> Iterator[Finding]:
    comparison = audit.comparison
    for change in comparison.patch.changes:
        path = change.path
        if is_covered(path, audit.allow):
            continue
        if change.kind == "mode":
            message = f"Only the mode of {path} changed ({change.old_mode} to {change.mode})."
            fix = f"bring back the mode, or claim {path}"
            if not is_covered(path, audit.claimed):
                yield finding("minimal.mode", message, path, fix=fix)
        elif change.kind == "modified":
            lines = comparison.lines[path]
            old, new = "\n".join(lines.removed), "\n".join(text for _, text in lines.added)
            is_text = "\0" not in old and "\ufffd" not in old and "\ufffd" not in new
            if is_text and _told(path, old) == _told(path, new):
                message = f"Only white space or line ends of {path} changed."
                yield finding("minimal.whitespace", message, path, fix=f"bring {path} back as it was")


def _told(path: str, text: str) -> list[str]:
    """Return the lines of a file without the white space that says nothing in it."""
    lines = [line.rstrip() for line in text.splitlines()]
    if not _INDENTED.search(path):
        lines = [" ".join(line.split()) for line in lines]
    return [line for line in lines if line]


async def judge_diff_log(audit: AuditInput) -> Sequence[Finding]:
    """Return what a diff log in the tree leaves out or leaves open. The true one is made by `diff_log`."""
    comparison = audit.comparison
    entry = comparison.after.get(DIFF_LOG)
    if entry is None or DIFF_LOG not in comparison.patch.paths:
        return []
    await comparison.read((entry,))
    text = comparison.text(entry)
    if text is None:
        return [
            finding("difflog.unreadable", f"{DIFF_LOG} is not text.", DIFF_LOG, fix="remove it; it can be made again")
        ]
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        if _PLACEHOLDER.search(line):
            message = f"{DIFF_LOG} has a placeholder: {line.strip()[:100]}"
            found.append(
                finding("difflog.placeholder", message, DIFF_LOG, number, fix="write what was done, or remove it")
            )
    missing = [path for path in comparison.patch.paths if path not in RENDERED and path not in text]
    for path in missing[:_MOST]:
        message = f"{path} was changed and {DIFF_LOG} does not name it."
        found.append(finding("difflog.missing", message, path, fix=f"name {path} in {DIFF_LOG}"))
    return found


def diff_log(comparison: Comparison) -> list[str]:
    """Return the true diff log, a line per file, made by comparing the trees; cut after some hundred files."""
    lines = []
    for change in comparison.patch.changes:
        if change.path not in RENDERED:
            told = comparison.lines.get(change.path)
            counts = f" +{len(told.added)} -{len(told.removed)}" if told else ""
            lines.append(f"{change.kind} {change.path}{counts}")
    rest = len(lines) - _LONGEST_LOG
    return lines if rest <= 0 else [*lines[:_LONGEST_LOG], f"and {rest} more files"]


async def judge_commits(audit: AuditInput) -> Sequence[Finding]:
    """Return commits by unknown authors, and a history that was rewritten."""
    comparison = audit.comparison
    if not comparison.is_related:
        message = f"{comparison.head[:12]} does not descend from {comparison.base[:12]}: the base was rewritten."
        return [finding("commits.rewritten", message, fix="put the change on top of the base again, by `git rebase`")]
    known = await comparison.authors() | {one.lower() for one in audit.authors}
    if not known:
        return []
    found = []
    for commit in comparison.commits:
        if commit.id in audit.landed:
            continue
        strange = [one for one in dict.fromkeys((commit.author, commit.committer)) if one.lower() not in known]
        for address in strange:
            message = f"Commit {commit.id[:12]} ({commit.subject[:60]}) is by {address}, who made none before the base."
            fix = f"have it made by a known author; a person can vouch with `--author {address}`"
            found.append(finding("commits.unknown_author", message, fix=fix))
    return found
