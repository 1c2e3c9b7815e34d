"""Folders of photographs: found, read into a project, moved, renamed, lost."""
