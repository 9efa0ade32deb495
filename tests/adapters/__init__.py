"""Adapters that only tests use, each a real implementation of its port: the contract suites run over them too."""
