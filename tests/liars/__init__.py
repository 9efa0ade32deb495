"""The suite of liars, and trying them."""
