"""Real open-source projects, and a series of changes to each that every agent makes in its own way."""
