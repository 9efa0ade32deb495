"""Texts that instruct a language model, one file per advisor. Data only."""
