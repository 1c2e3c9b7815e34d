"""What a Mac's privacy keeps from a program: the folders of the desktop, documents and downloads, sticks and shares.

It asks once, of the terminal that the program was started from; after a no, changing permissions is of no use.
"""

from __future__ import annotations

import errno
import sys

ALLOW = (
    "macOS keeps this place from Workbench. Allow it in System Settings > Privacy & Security > Files and Folders, for"
    " the program that Workbench was started from (such as Terminal), and start it again"
)


def is_privacy_error(error: BaseException) -> bool:
    """Whether that is what the error means: what is refused by permissions alone has another number."""
    return sys.platform == "darwin" and isinstance(error, PermissionError) and error.errno == errno.EPERM
