"""The outside view of a build: records, and the words of every vocabulary. Pure; must never decide or change a build.

The API, the command line (`--json`) and the library return these records and no others. `statuses` has the one table
from the core's states to all words that say how far a build is.
"""
