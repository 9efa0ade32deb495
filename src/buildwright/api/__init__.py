"""The HTTP API: routes, streams and problem details. Must never hold a rule of a build.

The rules are in `core` and `engine`.
"""
