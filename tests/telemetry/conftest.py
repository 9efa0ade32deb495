"""The program as a user starts it."""

from tests.cli.conftest import program

__all__ = ["program"]
