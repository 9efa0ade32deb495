"""What answers over HTTP cost: with an empty store beside a full one."""
