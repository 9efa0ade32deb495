"""Hints that something is due, carried to many processes. Never the truth: that is in the store."""
