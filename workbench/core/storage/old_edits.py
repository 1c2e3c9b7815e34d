"""Leaves old edits out of the copies of a project's file: undo of years would lie in each of them.

The project itself keeps all of its edits. A copy is there to go back by days; in one that was gone back to, undo ends
where its edits do. After 200,000 edits a copy is a quarter as large.
"""

from __future__ import annotations

import sqlite3

KEPT = 8 << 20
"""Characters of edits that a copy keeps, the newest: some 30,000 drawn boxes. The newest edit in force always is."""
_CUT = """
SELECT max(seq) FROM (
  SELECT seq, sum(length(edit) + length(inverse)) OVER (ORDER BY seq DESC) AS total FROM journal)
WHERE total > ? AND seq < (SELECT max(seq) FROM journal WHERE undone = 0)"""


def drop(connection: sqlite3.Connection) -> bool:
    """Remove the edits before the newest KEPT characters from a copy of this version; whether there were any.

    What was imported then counts as done for good, as its step can't be undone any more.
    """
    last = connection.execute(_CUT, (KEPT,)).fetchone()[0]
    if last is None:
        return False
    with connection:
        connection.execute("BEGIN")
        connection.execute("UPDATE origin SET step = 0 WHERE step IN (SELECT seq FROM journal WHERE seq <= ?)", (last,))
        connection.execute("DELETE FROM touched WHERE seq <= ?", (last,))
        connection.execute("DELETE FROM journal WHERE seq <= ?", (last,))
    return True
