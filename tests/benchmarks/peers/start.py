"""How long a peer takes to show its window, and what memory it then holds: start.py PEER

Prints {"paint_ms": from the start of the process until its window has been painted, "rss_mb": memory in use when it
has nothing more to do, "idle_after_s": how long after the painting that was found}.
"""

from __future__ import annotations

from programs import finish, resident, run, since_start, when_idle


def measure(window):
    painted = since_start()
    when_idle(lambda waited: finish(paint_ms=painted, rss_mb=resident(), idle_after_s=waited))


run(measure)
