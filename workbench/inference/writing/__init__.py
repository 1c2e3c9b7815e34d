"""Predictions as files: text, JSON, pictures and videos with boxes."""
