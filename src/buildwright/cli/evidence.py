"""The verb `evidence`: writes what proves a build. Must never change the build."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


async def evidence(
    build: Annotated[str, Parameter(help="Id of the build, or its first characters; the newest when left out.")] = "",
    /,
    *,
    out: Annotated[Path, Parameter(help="Directory for the files.")] = Path("evidence"),
    notes: Annotated[bool, Parameter(help="Also write each commit's summary as a git note.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Write a page for people and a signed bundle for programs: from each line asked to its commit, checks and cost."""
    from buildwright.cli.argv0 import typed
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.cli.session import session
    from buildwright.settings import Settings
    from buildwright.wiring.evidence import write_evidence

    output = Output(json)
    async with session() as app:
        build_id = await app.find(build)
        loaded, events = await app.builds.load(build_id), await app.builds.read(build_id)
    written = await write_evidence(Settings.load(), loaded, events, out, notes=notes)
    if output.json:
        output.data({"build": build_id, **written._asdict()})
        return Exit.DONE
    for path in (written.page, written.bundle, written.key):
        output.print(str(path))
    if notes:
        output.say(f"{written.notes} notes in refs/notes/buildwright/vsa")
    bundle, repository = shlex.quote(str(written.bundle)), shlex.quote(loaded.repository)
    output.say(typed(f"Next: buildwright verify {bundle} --repo {repository}"))
    return Exit.DONE
