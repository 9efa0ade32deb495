"""What the user types: one file per verb. Must never import a heavy library before a verb needs it."""
