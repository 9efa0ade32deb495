"""Language-model roles that return a record, and importers of complete task lists. Must never touch a file."""
