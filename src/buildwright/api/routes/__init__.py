"""Routes, one module for each group of paths. Must never do more than read input, ask, and shape the answer."""
