"""Readers stricter than the formats: JSON, XML, YAML, text and zip from elsewhere, and our own NumPy archives."""
