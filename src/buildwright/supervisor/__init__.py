"""Keeps the workers of one machine alive, with the PostgreSQL and Redis they share. Must never touch a build."""
