"""One file per verb the user types. Nothing heavy is imported before a verb needs it."""
