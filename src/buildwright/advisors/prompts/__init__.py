"""Texts that instruct a language model, one file per advisor. Must never hold code."""
