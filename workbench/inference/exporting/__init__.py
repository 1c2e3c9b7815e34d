"""Exported files: written, run in a process of their own, and verified to find the same."""
