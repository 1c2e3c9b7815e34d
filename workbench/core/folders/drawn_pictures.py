"""Which pictures a prediction has drawn: they show detections, so that no walk through photographs takes them."""

from __future__ import annotations

import json
from pathlib import Path

PARTS, CLAIMED, PICTURES = "parts", "folders.json", "pictures"
"""In a folder of results: what was found, a file in it that names what predictions have written here, and pictures."""


def is_drawn(results: Path | str, name: str) -> bool:
    """Whether the folder `name` within `results` holds pictures that a prediction drew."""
    if name != PICTURES:
        return False
    try:
        return PICTURES in json.loads(Path(results, PARTS, CLAIMED).read_text("utf-8"))
    except (OSError, ValueError, TypeError):
        return False
