"""Audits a change in any repository by named checks, and keeps a signed ledger. Must never believe what the tree says."""

from __future__ import annotations
