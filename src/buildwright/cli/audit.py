"""The verb `audit`: judges a change in any repository by named checks. Must never change what it judges."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from buildwright.audit.check import AuditReport
    from buildwright.cli.output import Output


async def audit(
    span: Annotated[
        str,
        Parameter(name="RANGE", help="BASE..HEAD, or BASE; where HEAD left the default branch, to HEAD, if left out."),
    ] = "",
    /,
    *,
    repo: Annotated[str, Parameter(help="Path of the repository.")] = ".",
    claimed_files: Annotated[
        str, Parameter(help="Files that the change says it touches, separated by commas: paths, directories, globs.")
    ] = "",
    phase: Annotated[str, Parameter(help='The phase that is audited, such as "Phase 3".')] = "",
    work_tree: Annotated[bool, Parameter(help="Judge the files of the working tree instead of HEAD's.")] = False,
    no_run: Annotated[bool, Parameter(help="Do not run the project's own checks.")] = False,
    sandbox: Annotated[
        Literal["auto", "bubblewrap", "container", "none"], Parameter(help="What contains the project's own checks.")
    ] = "auto",
    no_write: Annotated[bool, Parameter(help="Do not write evidence/audit_ledger.md.")] = False,
    allow: Annotated[tuple[str, ...], Parameter(help="A path that a person has opened; can be repeated.")] = (),
    author: Annotated[
        tuple[str, ...], Parameter(help="An address whose commits a person vouches for; can be repeated.")
    ] = (),
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
    sarif: Annotated[bool, Parameter(help="SARIF 2.1.0 on stdout.")] = False,
    junit: Annotated[bool, Parameter(help="JUnit XML on stdout.")] = False,
    cyclonedx: Annotated[bool, Parameter(help="What manifests newly declare, as CycloneDX 1.6, on stdout.")] = False,
) -> int:
    """Audit a change: scope, evidence, boundaries, authors, tests, dependencies, secrets, routes. Exit code 3 on a no."""
    from buildwright.audit.comparison import AuditRange
    from buildwright.audit.run import AuditRequest
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.settings import Settings
    from buildwright.wiring.auditing import auditor

    output = Output(json)
    base, _, head = span.partition("..")
    request = AuditRequest(
        repo,
        AuditRange(base, head.removeprefix("."), work_tree),
        claimed=tuple(one.strip() for one in claimed_files.split(",") if one.strip()),
        phase=phase,
        allow=allow,
        authors=author,
        run_checks=not no_run,
        write=not no_write,
    )
    report = await auditor(Settings.load(), sandbox).audit(request)
    _print(output, report, "sarif" if sarif else "junit" if junit else "cyclonedx" if cyclonedx else "")
    return Exit.DONE if report.ok else Exit.GATE_FAILED


def _print(output: Output, report: AuditReport, form: str) -> None:
    from buildwright.audit import formats

    if output.json:
        output.data({"audit": report.model_dump(mode="json"), "ok": report.ok})
    elif form in {"sarif", "cyclonedx"}:
        import json

        made = formats.sarif(report)
        if form == "cyclonedx":
            made = formats.cyclonedx(report.repository, report.base, report.head, report.dependencies)
        output.raw(json.dumps(made, ensure_ascii=False) + "\n")
    elif form == "junit":
        output.raw(formats.junit(report))
    else:
        words = {"passed": "PASS", "warned": "WARN", "failed": "FAIL", "not run": "-"}
        colours = {"failed": "red", "warned": "yellow"}
        for one in report.outcomes:
            output.print(f"{one.code:<3} {words[one.result]:<4} {one.name}", style=colours.get(one.result, ""))
            for line in formats.told(one):
                output.print(f"         {' '.join(line.split())}")
        said = "passes" if report.ok else "does not pass"
        output.print(f"The change {said}: {report.base[:12] or 'nothing'}..{report.head[:12]}, tree {report.tree[:12]}")
