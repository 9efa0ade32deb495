"""How much of a proof a run does: a sample in every run of the tests, all of it in `make faults`. Holds the seed of both."""

from __future__ import annotations

import os
import random

FULL = os.environ.get("BUILDWRIGHT_PROOFS") == "full"
SEED = int(os.environ.get("BUILDWRIGHT_SEED", "1"))


def amount(sample: int, full: int) -> int:
    """How often to do something."""
    return full if FULL else sample


def dice(what: str) -> random.Random:
    """Chance for one test: the same for the same seed, whatever else runs."""
    return random.Random(f"{SEED}/{what}")
