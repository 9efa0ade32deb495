"""Scripted agents that lie, and honest twins: shows which lies the gates let through. Must never judge by itself."""

from buildwright.liars.records import KINDS, STRICT, Liar, SampleProject, Verdict
from buildwright.liars.stage import Tried, try_all
from buildwright.liars.suite import Suite, load

__all__ = ["KINDS", "STRICT", "Liar", "SampleProject", "Suite", "Tried", "Verdict", "load", "try_all"]
