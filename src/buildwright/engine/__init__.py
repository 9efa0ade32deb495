"""The shell around the core: carries out actions and records what came of them. Knows ports and core only."""
