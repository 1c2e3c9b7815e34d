"""Keeps the machine from falling asleep by itself while it trains: nobody touches it, so Windows and macOS take it for
idle after half an hour or less, and the night's training is found where it was then. macOS also slows down programs
whose windows are hidden (App Nap); not this one meanwhile.

The screen may go dark, the machine may fall asleep while the training is paused, and who closes the lid or asks for
sleep gets it. Linux is left as it is: whether and how it sleeps is its desktop's affair.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator
from typing import Any

_CONTINUOUS, _SYSTEM_REQUIRED = 0x80000000, 0x00000001
"""ES_..., of Windows' SetThreadExecutionState: until told otherwise; the machine, not the screen."""
_FOUNDATION, _OBJC = "/System/Library/Frameworks/Foundation.framework/Foundation", "/usr/lib/libobjc.A.dylib"
_USER_INITIATED = 0x00FFFFFF
"""NSActivityUserInitiated, of macOS' NSProcessInfo: neither idle sleep of the machine nor App Nap."""


@contextlib.contextmanager
def kept_awake() -> Iterator[None]:
    """While the block runs, which begins and ends in one thread. Where it can't be, nothing is said."""
    if sys.platform == "win32":
        tell = ctypes.windll.kernel32.SetThreadExecutionState
        tell(_CONTINUOUS | _SYSTEM_REQUIRED)
        try:
            yield
        finally:
            tell(_CONTINUOUS)
    elif sys.platform == "darwin":
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError, AttributeError):
                stack.callback(_begin_activity())
            yield
    else:
        yield


def _begin_activity() -> Callable[[], None]:
    """Tell macOS that a person waits for this program; returns what takes that back. OSError if there is no such call.

    Each message has the prototype of its own method, as Apple's processors require of objc_msgSend.
    """
    ctypes.CDLL(_FOUNDATION)
    library, pointer = ctypes.CDLL(_OBJC), ctypes.c_void_p
    of_name = ctypes.CFUNCTYPE(pointer, ctypes.c_char_p)
    find_class, find_message = of_name(("objc_getClass", library)), of_name(("sel_registerName", library))

    def send(to: Any, message: bytes, *given: tuple[Any, Any]) -> Any:
        """`given`: type and value of each argument."""
        prototype = ctypes.CFUNCTYPE(pointer, pointer, pointer, *(kind for kind, _ in given))
        return prototype(("objc_msgSend", library))(to, find_message(message), *(value for _, value in given))

    reason = send(find_class(b"NSString"), b"stringWithUTF8String:", (ctypes.c_char_p, b"A training runs"))
    info = send(find_class(b"NSProcessInfo"), b"processInfo")
    options = (ctypes.c_uint64, _USER_INITIATED)
    activity = send(info, b"beginActivityWithOptions:reason:", options, (pointer, reason))
    send(activity, b"retain")  # it would end when it is released

    def end() -> None:
        send(info, b"endActivity:", (pointer, activity))
        send(activity, b"release")

    return end
