"""The journal with its leases, logs and artifacts, and the server's records, in SQLite or PostgreSQL."""
