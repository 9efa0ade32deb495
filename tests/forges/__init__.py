"""Tests of the forges, against servers that speak their documented APIs and git over HTTP."""
