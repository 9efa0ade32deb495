"""Tests of the comparison: its arithmetic, its crash, its report."""
