"""Measures the orchestrator, not the model: real work, scripted agents, a truth that no contestant sees."""
