"""How to install what is missing: a command that means this very Python, wherever it is typed."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def install(what: str) -> str:
    """The command that brings a package, or one of our own extras by its name in brackets: "[export]".

    The extra's command needs no other place to get Workbench from: pip finds that it is there.
    """
    package = f'"workbench-detection{what}"' if what.startswith("[") else what
    own = Path(sys.exec_prefix, "Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not own.exists():  # of the system, whose name has a number, or no environment on Windows
        own = Path(sys.executable)
    python = f'"{own}"' if " " in str(own) else str(own)
    return f"{python} -m pip install {package}"
