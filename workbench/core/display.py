"""Whether a window can be opened here at all, told in a sentence, without loading Qt."""

from __future__ import annotations

import ctypes.util
import os
import sys

PACKAGES = "libegl1 libgl1 libxkbcommon-x11-0 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 libxcb-shape0"
_LIBRARIES = ("EGL", "GL", "xkbcommon-x11", "xcb-cursor", "xcb-icccm", "xcb-keysyms", "xcb-shape")


def missing() -> str:
    """A sentence that says why no window can open and what to do, or "" if one can."""
    if not sys.platform.startswith("linux") or os.environ.get("QT_QPA_PLATFORM") in ("offscreen", "minimal", "vnc"):
        return ""
    absent = [name for name in _LIBRARIES if ctypes.util.find_library(name) is None]
    if absent:
        return (
            f"The window needs system libraries that are missing here ({', '.join(absent)})."
            f" On Debian and Ubuntu: sudo apt install {PACKAGES}"
        )
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return (
            "There is no display here, so no window can open. Everything works on the command line too:"
            " workbench --help"
        )
    return ""
