"""The tests of Ledgerline."""
