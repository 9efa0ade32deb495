"""Deterministic simulation: whole builds on virtual time, with faults drawn from a seed."""
