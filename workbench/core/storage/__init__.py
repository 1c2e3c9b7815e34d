"""The project's SQLite file from inside: journal, snapshots, backups, and its copy as text."""
