"""Chaos: real workers over a real PostgreSQL, Redis and hub, broken at random while they build. See `__main__`."""
