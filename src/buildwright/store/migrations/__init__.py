"""Alembic migrations of the store's tables, up and down."""
