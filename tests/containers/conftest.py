"""Without the amount `full` nothing here is collected: an engine is too much to install for every run of the suite."""

from __future__ import annotations

import os

from tests.cli.conftest import program, repository, three

__all__ = ["program", "repository", "three"]

collect_ignore_glob = [] if os.environ.get("BUILDWRIGHT_PROOFS") == "full" else ["test_*.py"]
