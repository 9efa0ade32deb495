"""The journal and what stands beside it, in SQLite or PostgreSQL."""
