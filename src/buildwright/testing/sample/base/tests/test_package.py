"""The package itself."""

import unittest

import ledgerline


class PackageTest(unittest.TestCase):
    def test_has_a_version(self) -> None:
        assert ledgerline.__version__ == "0.1.0"
