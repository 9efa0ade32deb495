"""Structured logs with secrets masked."""
