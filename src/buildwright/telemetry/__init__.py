"""What the program says of its own work: log lines for machines. Never about what agents do; that is in a build's log."""
