"""Hints that something is due, carried to many processes, and the servers and workers of one machine that carry them.

Never the truth: that is in the store."""
