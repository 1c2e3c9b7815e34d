"""Readers of files from elsewhere, stricter than their formats: JSON, XML, YAML, text, zip."""
