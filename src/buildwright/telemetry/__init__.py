"""Log lines, metrics and traces of the program itself. Must never tell what agents do: that is in a build's log."""
