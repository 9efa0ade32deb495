"""The package itself."""

import importlib
import unittest


class PackageTest(unittest.TestCase):
    def test_can_be_imported(self) -> None:
        package = importlib.import_module("ledgerline")
        assert package.__version__ == "0.1.0"
