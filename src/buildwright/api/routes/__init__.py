"""Routes, one file for each group of paths. A route reads its input, asks the App or the store, shapes the answer; no more."""
