"""Runs as folders, and what is done with them: list, extend, queue, delete."""
