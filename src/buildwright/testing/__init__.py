"""Adapters that tests use: they ship with the package because they are real implementations of the ports."""
