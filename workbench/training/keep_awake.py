"""Keeps the machine from falling asleep by itself while it trains: nobody touches it, so Windows and macOS take it for
idle after half an hour or less, and the night's training is found where it was then.

The screen may go dark, and who closes the lid or asks for sleep gets it. Linux is left as it is: whether and how it
sleeps is its desktop's affair.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001
"""ES_..., of Windows' SetThreadExecutionState: until told otherwise; the machine, not the screen."""
_CAFFEINATE = "/usr/bin/caffeinate"


@contextlib.contextmanager
def kept_awake() -> Iterator[None]:
    """While the block runs, which begins and ends in one thread. Where it can't be, nothing is said."""
    if sys.platform == "win32":
        import ctypes

        tell = ctypes.windll.kernel32.SetThreadExecutionState
        tell(_CONTINUOUS | _SYSTEM_REQUIRED)
        try:
            yield
        finally:
            tell(_CONTINUOUS)
    elif sys.platform == "darwin":
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):
                # -i: not when idle; -w: it ends with this process, however that ends
                command = [_CAFFEINATE, "-i", "-w", str(os.getpid())]
                process = stack.enter_context(subprocess.Popen(command, stdin=subprocess.DEVNULL))
                stack.callback(process.terminate)
            yield
    else:
        yield
