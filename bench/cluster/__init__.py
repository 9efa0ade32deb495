"""Buildwright over several processes: PostgreSQL, Redis and real workers, measured against floors, Celery alone and DBOS."""
