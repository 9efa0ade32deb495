"""The verb `verify`: says what of a bundle of evidence does not hold. Must never need a network or a build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


async def verify(
    bundle: Annotated[Path, Parameter(help="The .json file that `evidence` wrote.")],
    /,
    *,
    repo: Annotated[
        str, Parameter(help="Path of the repository that has the commits; not looked at if left out.")
    ] = "",
    key: Annotated[Path | None, Parameter(help="The public key to trust; that of this machine if left out.")] = None,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Verify a bundle of evidence offline: signatures, verdicts, commits. Exit code 3 when something does not hold."""
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.core.figures import count
    from buildwright.settings import Settings
    from buildwright.wiring.evidence import verify_file

    output = Output(json)
    found, problems = await verify_file(Settings.load(), bundle, repo, key)
    if output.json:
        commits = len(found.landed) if found is not None else 0
        output.data({"ok": not problems, "problems": problems, "commits": commits})
    else:
        for problem in problems:
            output.print(f"does not hold: {problem}", style="red")
        if found is not None and not problems:
            where = "in the repository and judged" if repo else "judged (no repository was looked at: --repo PATH)"
            output.print(f"holds: {count(len(found.landed), 'commit')} of build {found.build[:8]}, each {where}")
    return Exit.GATE_FAILED if problems else Exit.DONE
