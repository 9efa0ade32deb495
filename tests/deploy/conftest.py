"""The program and a repository, as in the tests of the command line."""

from __future__ import annotations

from tests.cli.conftest import program, repository, three

__all__ = ["program", "repository", "three"]
