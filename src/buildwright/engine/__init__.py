"""The shell around the core: carries out actions and records the results. Must never know more than ports and core."""
