"""What a run's recipe says, read as it is in its file: without torch, and whatever its detector is."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def tables(file: Path) -> dict[str, Any]:
    """The tables of the TOML file; empty if it can't be read."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def fold(recipe: Mapping[str, Any]) -> tuple[int, int]:
    """The fold that judges, from 1, and of how many; (0, 0) if it is not of a cross-validation, or edited by hand."""
    try:
        training = recipe.get("training", {})
        one, folds = int(training.get("fold", 0)), int(training.get("folds", 0))
    except (AttributeError, TypeError, ValueError):
        return 0, 0
    return (one or 1, folds) if folds > 1 else (0, 0)
