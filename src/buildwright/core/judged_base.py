"""What the gates say of the tree that a build starts from, and who accepts it. Must never decide what happens then."""

from __future__ import annotations

from collections.abc import Mapping

from buildwright.core.build import Build
from buildwright.core.fault import Fault
from buildwright.core.finding import Finding

NO_TEST_YET = "test.none_collected"
"""Finding of a base that has no test yet: no reason to stop, since the tasks are to write them."""
NO_CHECK = "checks.none"
"""Finding of a base with nothing to check it with: a question before the start, not a failed task."""

_LONGEST_REASON = 2_000
_FAULTS: Mapping[str, Fault] = {"check.timeout": "limits", "check.limit": "limits", "check.tool_missing": "machine"}
_BEFORE_ANY_CHANGE: Mapping[Fault, str] = {
    "base": "your project already fails its own checks, before any change by Buildwright",
    "setup": "the set-up of your project already fails, before any change by Buildwright",
    "machine": "this machine lacks a program that the checks of your project need",
    "limits": "a limit ended a check of your project, before any change by Buildwright",
}


def base_troubles(build: Build) -> tuple[Finding, ...]:
    """Return what the gates refuse in the tree the build started from and no option accepts, before any change.

    An option accepts a gate or check by its name, or a finding by its code.
    """
    return tuple(finding for _, finding in _named_troubles(build))


def base_waived(build: Build) -> tuple[Finding, ...]:
    """Return what the gates refuse in the tree the build started from, and a person has accepted."""
    if build.base_verdict is None:
        return ()
    refused = tuple(
        finding
        for report in build.base_verdict.reports
        if not report.ok
        for finding in report.findings
        if finding.severity == "error" and finding.code != NO_TEST_YET
    )
    left = () if build.base_accepted or build.options.accept_base else base_troubles(build)
    return tuple(finding for finding in refused if finding not in left)


def base_refusal(build: Build) -> str:
    """Return why the build may not continue from its base, and what a person can do; "" when it may."""
    if build.base_accepted or build.options.accept_base:
        return ""
    troubles = _named_troubles(build)
    if not troubles:
        return ""
    asks = build.options.on_failure == "pause"
    if any(one.code == NO_CHECK for _, one in troubles):
        command = f"`buildwright resume {build.id} --check COMMAND`" if asks else "start again with `--check COMMAND`"
        return (
            "no tests or checks were found\n"
            f"fix: name a command: {command}\n"
            "merge without any checks: start again with `--no-gates`\n"
            "continue if the tasks are meant to write the first checks: `--accept-base checks.none` says so beforehand"
        )
    reason = "\n".join(troubles[0][1].reason)[:_LONGEST_REASON]
    message = f"{what_bars(build)}: {reason}"
    names = " ".join(f"--accept-base {name}" for name in refusing(build))
    paid = "" if build.rebases else "nothing was paid for; "
    return message if asks else f"{message}\n{paid}fix it, or start again with {names}"


def what_bars(build: Build) -> str:
    """Return in words what it is about the base that bars the build."""
    if any(one.code == NO_CHECK for _, one in _named_troubles(build)):
        return "nothing can be proven yet"
    return _BEFORE_ANY_CHANGE[base_fault(build)]


def base_fault(build: Build) -> Fault:
    """Return whose fault it is that the gates refuse the base: by the first thing that they refuse."""
    troubles = _named_troubles(build)
    if not troubles:
        return ""
    name, finding = troubles[0]
    return _FAULTS.get(finding.code) or ("setup" if name == "setup" else "base")


def refusing(build: Build) -> tuple[str, ...]:
    """Return what refuses the base and no option accepts, each as `--accept-base` takes it."""
    return tuple(dict.fromkeys(name for name, _ in _named_troubles(build)))


def _named_troubles(build: Build) -> list[tuple[str, Finding]]:
    """Return each finding that refuses the base with the name that `--accept-base` takes for it."""
    if build.base_verdict is None:
        return []
    accepted = {*build.options.accept_checks, NO_TEST_YET}
    return [
        (finding.code if report.gate == "checks" else report.gate, finding)
        for report in build.base_verdict.reports
        if not report.ok and report.gate not in accepted
        for finding in report.findings
        if finding.severity == "error" and finding.code not in accepted
    ]
