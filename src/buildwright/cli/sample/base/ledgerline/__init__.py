"""Ledgerline: a ledger of personal expenses for the terminal."""

__version__ = "0.1.0"
__all__ = ["__version__"]
