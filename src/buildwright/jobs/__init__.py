"""Hints that something is due, carried to many processes. Must never be the truth: that is in the store."""
