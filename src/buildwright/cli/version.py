"""The verb `version`: prints the version of Buildwright. Must never open the store."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter


def version(*, json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False) -> int:
    """Show the version of Buildwright."""
    import platform
    import sys
    from importlib import metadata

    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output

    try:
        number = metadata.version("buildwright")
    except metadata.PackageNotFoundError:
        number = "unknown (not installed)"
    output = Output(json)
    if output.json:
        output.data({"version": number, "python": platform.python_version(), "platform": sys.platform})
    else:
        output.print(f"buildwright {number} (Python {platform.python_version()})")
    return Exit.DONE
