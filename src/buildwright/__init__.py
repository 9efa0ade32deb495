"""Buildwright: turns a description of software into merged, proven changes. Importing does no work."""
