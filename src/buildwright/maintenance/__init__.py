"""Upkeep of the home: pruning old data and repairing what a crash left. Must never touch a live build."""
