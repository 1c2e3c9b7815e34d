"""Files that Windows does not hand out: those that somebody else has open just now, and those of long paths.

Virus scanners, indexers and sync clients briefly open what was just written, and so does our own window with the files
of a training. Other systems don't refuse.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

REFUSES = os.name == "nt"
"""Whether this system refuses."""
_WAITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Seconds between the tries, 1.2 in all: a scanner lets go of most files within a tenth of one."""
_LONGEST = 247
"""Letters of a folder's path; a file's may have twelve more."""
_SHARING, _LOCKED, _MAPPED = 32, 33, 1224
"""Windows' error numbers for a file that another program has open, has locked, or has mapped into memory."""


def retry_while_in_use(act: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
    """`act(...)`, retried for a second while Windows refuses it because the file is open elsewhere."""
    for seconds in _WAITS if REFUSES else ():
        try:
            return act(*args, **named)
        except OSError as error:
            if not (isinstance(error, PermissionError) or _number(error) == _MAPPED):
                raise
            time.sleep(seconds)
    return act(*args, **named)


def is_in_use(error: OSError) -> bool:
    """Whether that is the probable cause. Replacing a file only reports "access denied"."""
    if not REFUSES:
        return False
    replacing = isinstance(error, PermissionError) and error.filename2 is not None
    return replacing or _number(error) in (_SHARING, _LOCKED, _MAPPED)


def is_too_long(error: OSError) -> bool:
    """Whether the path is longer than Windows allows, unless long ones were switched on. It says "not found" then."""
    return REFUSES and isinstance(error, FileNotFoundError) and len(os.path.abspath(error.filename or "")) > _LONGEST


def _number(error: OSError) -> int:
    """Windows' error number; 0 elsewhere."""
    return getattr(error, "winerror", None) or 0
