"""Routes, one module for each group of paths.

Must never do more than read input, ask App or store, and shape the answer.
"""
