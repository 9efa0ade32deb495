"""Where foreign commands run, with limits, and with nothing left behind."""
