"""The project's SQLite file from inside: journal, lock, snapshots, backups, and its copy as text."""
