"""Programs that change files in a lane, each behind the Agent port."""
