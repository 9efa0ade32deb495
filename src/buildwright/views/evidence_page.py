"""The evidence of a build as one page of HTML that needs nothing else. Must never show text that is not escaped."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from buildwright.core.figures import count, money
from buildwright.core.finding import Report
from buildwright.core.own_names import UNCONTAINED
from buildwright.views.evidence import BuildEvidence, JudgedAttempt, PhaseEvidence, TaskEvidence
from buildwright.views.overview import TotalSpent

_STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c}
h1,h2{line-height:1.2}table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}td,th{border:1px solid #ccc;
padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}th{background:#f3f3f3}
code{font-size:.9em}.no{color:#a40000}.yes{color:#116329}details{margin:.3rem 0}"""


def evidence_page(evidence: BuildEvidence, statement_digest: str, key_id: str) -> str:
    """Return the page. It names the digest of the signed statement and the key, so that both can be compared."""
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f"<title>Evidence of {_text(evidence.title or evidence.build)}</title><style>{_STYLE}</style></head><body>",
            *_head(evidence, statement_digest, key_id),
            *(line for task in evidence.tasks for line in _task(task)),
            *_waived(evidence),
            "<h2>The whole result</h2>",
            *_reports(evidence.final),
            *(line for audit in evidence.audits for line in _audit(audit)),
            "</body></html>\n",
        )
    )


def _text(text: object) -> str:
    return escape(str(text), quote=True)


def _head(evidence: BuildEvidence, digest: str, key: str) -> Iterator[str]:
    yield f"<h1>Evidence of {_text(evidence.title or evidence.build)}</h1><table>"
    rows = {
        "Build": evidence.build,
        "Outcome": evidence.outcome or "not finished",
        "Repository": evidence.repository,
        "Commits": f"{evidence.base} .. {evidence.head}",
        "Delivered to": evidence.delivered or "nowhere",
        "Agent": " ".join((evidence.agent, evidence.model)).strip(),
        "Sandbox": _sandbox(evidence.sandbox),
        "Tokens and cost": _money(evidence.spent),
        "Signed statement (SHA-256)": digest,
        "Key": key,
    }
    for name, value in rows.items():
        yield f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>"
    yield "</table><h2>What was asked</h2><table><tr><th>Line</th><th>Task</th><th>State</th><th>Commit</th></tr>"
    for task in evidence.tasks:
        commit = task.landed.commit[:12] if task.landed else ""
        for line in (*task.requirements, *task.acceptance) or (task.title,):
            link = f'<a href="#{_text(task.id)}">{_text(task.id)}</a>'
            yield f"<tr><td>{_text(line)}</td><td>{link}</td><td>{_text(task.phase)}</td><td>{_text(commit)}</td></tr>"
    yield "</table>"


def _sandbox(name: str) -> str:
    said = {"": "not told", "auto": "chosen by each worker", "none": f"none: {UNCONTAINED}"}
    return said.get(name, name)


def _audit(audit: PhaseEvidence) -> Iterator[str]:
    yield f"<h2>Audit of {_text(audit.phase)}</h2>"
    entry = f", entry {audit.entry} of the signed ledger" if audit.entry is not None else ""
    yield f"<p>Commits <code>{_text(audit.base)}</code> to <code>{_text(audit.head)}</code>{_text(entry)}.</p>"
    yield from _reports(audit.reports)


def _task(task: TaskEvidence) -> Iterator[str]:
    yield f'<h2 id="{_text(task.id)}">{_text(task.id)}: {_text(task.title)}</h2>'
    if task.landed is not None:
        landed = task.landed
        yield f"<p>Landed as <code>{_text(landed.commit)}</code> on <code>{_text(landed.onto)}</code>, tree "
        yield f"<code>{_text(landed.tree)}</code>.</p>"
    for attempt in task.attempts:
        yield from _attempt(attempt)


def _waived(evidence: BuildEvidence) -> Iterator[str]:
    """Yield what a person let pass that the gates refused."""
    approvals = [one for task in evidence.tasks for one in task.approvals]
    if not approvals and not evidence.accepted:
        return
    yield "<h2>Let pass by a person</h2>"
    if approvals:
        heads = ("Task", "Finding", "Code", "By", "When", "Why")
        yield "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
        for one in approvals:
            cells = (one.task, one.finding, one.code, one.by, f"{one.at:%Y-%m-%d %H:%M}", one.reason)
            yield "<tr>" + "".join(f"<td>{_text(cell)}</td>" for cell in cells) + "</tr>"
        yield "</table>"
    if evidence.accepted:
        yield "<p>Accepted of the tree that the build began with:</p><ul>"
        yield from (f"<li>{_text(one)}</li>" for one in evidence.accepted)
        yield "</ul>"


def _attempt(attempt: JudgedAttempt) -> Iterator[str]:
    took = f", {attempt.seconds:.1f} s" if attempt.seconds is not None else ""
    by = f" by {_text(attempt.agent)}" if attempt.agent else ""
    yield f"<details open><summary>Attempt {attempt.number}{by}: {_text(attempt.detail or attempt.outcome)}{took}, "
    yield f"{_text(_money(attempt.spent))}</summary>"
    for verdict, words in ((attempt.verdict, "On its own tree"), (attempt.merge_verdict, "On what had landed")):
        if verdict is not None:
            yield f"<p>{words} (<code>{_text(verdict.tree)}</code>)</p>"
            yield from _reports(verdict.reports)
    yield "</details>"


def _reports(reports: tuple[Report, ...]) -> Iterator[str]:
    if not reports:
        yield "<p>No check ran.</p>"
        return
    heads = ("Check", "Result", "Command", "Exit code", "Tests", "Surface", "Output (SHA-256)", "Findings")
    yield "<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"
    for one in reports:
        proof = one.evidence
        surface = "" if proof is None else proof.surface or "of the change"
        tests = "" if proof is None or proof.tests is None else proof.tests
        ended = "" if proof is None else "time ran out" if proof.exit_code is None else proof.exit_code
        result = f'<span class="{"yes" if one.result == "passed" else "no"}">{one.result}</span>'
        cells = (
            _text(one.gate),
            result,
            *(_text(cell) for cell in (proof.command if proof else "", ended, tests, surface)),
        )
        output = f"<code>{_text(proof.output_digest)}</code>" if proof else ""
        found = "<br>".join(_text(finding) for finding in one.findings)
        yield "<tr>" + "".join(f"<td>{cell}</td>" for cell in (*cells, output, found)) + "</tr>"
    yield "</table>"


def _money(spent: TotalSpent) -> str:
    tokens = spent.input_tokens + spent.output_tokens + spent.cache_read_tokens + spent.cache_write_tokens
    unpriced = f" and {count(spent.unpriced, 'request')} without a price" if spent.unpriced else ""
    return f"{tokens} tokens, {money(spent.cost_usd)}{unpriced}"
