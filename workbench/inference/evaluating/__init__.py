"""Runs measured on a split: candidates kept, scored, compared, reviewed, and used at a confidence."""
