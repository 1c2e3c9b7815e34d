"""The signals by which a terminal or the system asks this program to end, in the window as on the command line."""

from __future__ import annotations

import signal


def stop_signals() -> list[int]:
    """The signals that ask a long job to end: Ctrl-C, SIGTERM, and SIGHUP of a closed session, unless under nohup.

    On Windows also Ctrl-Break, the only way for one program to ask another to stop; SIGTERM there ends it at once.
    """
    ways: list[int] = [signal.SIGINT, signal.SIGTERM]
    if (asked := getattr(signal, "SIGBREAK", None)) is not None:
        ways.append(asked)
    closed = hangup_signal()
    return ways if closed is None or signal.getsignal(closed) is signal.SIG_IGN else [*ways, closed]


def hangup_signal() -> int | None:
    """SIGHUP; None on Windows, which has none."""
    found: int | None = getattr(signal, "SIGHUP", None)
    return found
