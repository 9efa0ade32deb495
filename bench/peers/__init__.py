"""One stand-alone script per existing engine, each run by its own pinned environment. Imports nothing of Buildwright."""
