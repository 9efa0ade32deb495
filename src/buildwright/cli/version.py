"""The verb `version`: prints the version of Buildwright. Must never open the store."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output


def version(*, json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False) -> None:
    """Show the version of Buildwright."""
    import platform
    import sys
    from importlib import metadata

    try:
        number = metadata.version("buildwright")
    except metadata.PackageNotFoundError:
        number = "unknown (not installed)"
    output = Output(json)
    if output.json:
        output.data({"version": number, "python": platform.python_version(), "platform": sys.platform})
    else:
        output.print(f"buildwright {number} (Python {platform.python_version()})")
