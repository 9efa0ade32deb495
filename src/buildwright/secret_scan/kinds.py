"""Kinds of findings that are no secret themselves. Must never hold logic."""

IGNORE_COMMENT = "ignore-comment"
"""A comment that hides lines from a scanner of secrets."""
CONTENT_UNREAD = "too-large-to-search"
"""A file that is larger than what is searched."""
