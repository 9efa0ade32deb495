"""Judges of a patch: they return reports of findings and change nothing."""
