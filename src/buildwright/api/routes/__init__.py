"""Routes, one file for each group of paths. A route reads input, asks the App or the store, shapes the answer; no more."""
