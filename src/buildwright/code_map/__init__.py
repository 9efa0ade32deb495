"""The map of a repository's code: what each file defines, who imports whom, and what tests it. Must never run a file."""

from __future__ import annotations
