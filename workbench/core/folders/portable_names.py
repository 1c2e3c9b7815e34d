"""What an export calls an image whose own name not every system can hold; it is known by it when it comes back."""

from __future__ import annotations

import os
import re
from pathlib import PurePosixPath

from workbench.core.files import inner_parts, safe_name
from workbench.errors import WorkbenchError

_DOUBTFUL = re.compile(r"[^!-9;-\[\]-~]|(?:^|/)(?:con|prn|aux|nul|com|lpt|[./])|\.(?:/|$)", re.IGNORECASE)
"""In every path that is changed or refused, and in few others: asking about 100,000 in full takes seconds."""
_SURELY_SHORT = 200  # characters of a path, fewer than a file's name may have


def portable(path: str) -> str:
    """A relative posix path with the same suffix that every system can hold; `path` itself if it is one.

    Names that Windows keeps for devices, spaces and dots at an end and control characters are changed.
    """
    if len(path) < _SURELY_SHORT and path and not _DOUBTFUL.search(path):
        return path
    try:
        inner_parts(path)
        if not re.search(r"[\x00-\x1f\x7f]", path) and PurePosixPath(path).stem.strip() == PurePosixPath(path).stem:
            return PurePosixPath(path).as_posix()
    except WorkbenchError:
        pass
    *folders, name = [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")] or ["image"]
    stem, suffix = os.path.splitext(name)
    return "/".join([*(safe_name(folder) for folder in folders), safe_name(stem, "image") + suffix])
