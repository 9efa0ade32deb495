"""Language-model roles that return a record and touch no file, and the importers of complete task lists."""
