"""Weights and saved states: written, read without running code, taken from elsewhere."""
