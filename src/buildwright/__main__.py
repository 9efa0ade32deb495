"""The program `buildwright`: hands the command line to `cli.app`. Must never hold logic of its own."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process; return the exit code, one of `cli.exit_codes.Exit`."""
    from buildwright.cli.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
