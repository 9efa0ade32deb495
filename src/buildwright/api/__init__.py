"""The same machine over HTTP: routes, streams and problem details. Holds no rule of a build: those are in `core` and `engine`."""
