"""How to install what is missing: a command that uses this very Python, wherever it is typed."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def install_command(what: str) -> str:
    """The command that installs a package, or one of our own extras by its name in brackets: "[export]".

    For an extra, pip finds Workbench already installed, so no source has to be named.
    """
    package = f'"workbench-detection{what}"' if what.startswith("[") else what
    own = Path(sys.exec_prefix, "Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not own.exists():  # a system Python whose name has a number, or Windows without an environment
        own = Path(sys.executable)
    call = "& " if os.name == "nt" else ""  # without it a quoted name is only a text to PowerShell
    python = f'{call}"{own}"' if " " in str(own) else str(own)
    return f"{python} -m pip install {package}"
