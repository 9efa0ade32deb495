"""What the program says of its own work: log lines, metrics and traces. Never about what agents do; that is in a build's log."""
