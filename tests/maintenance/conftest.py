"""The program and its repositories, as the tests of the command line have them."""

from tests.cli.conftest import program, repository, three

__all__ = ["program", "repository", "three"]
