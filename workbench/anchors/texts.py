"""Anchors as text to paste elsewhere: a line of a Darknet cfg, JSON, Python; each can be read back."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.project import AnchorSet


def as_cfg(sizes: Sequence[Sequence[float]], cell: float = 0.0) -> str:
    """`anchors = 10,13,  16,30, ...`, as [yolo] has it: whole pixels of the network input.

    With `cell` (32 for YOLOv2) as [region] has it: in cells of that many pixels, with four decimals. No side becomes 0.
    """
    unit, places = (cell, 4) if cell else (1.0, 0)
    pairs = [",".join(f"{max(side / unit, 10.0**-places):.{places}f}" for side in size) for size in sizes]
    return "anchors = " + ",  ".join(pairs)


def as_json(chosen: AnchorSet, ratio_recall: float | None = None) -> str:
    """The sizes in pixels, with the input side and resize rule they are valid for, and where they come from.

    `ratio_recall`: from the Step; a set does not keep it.
    """
    values = {
        "anchors": [[round(side, 2) for side in size] for size in chosen.sizes],
        "input_px": chosen.input_px,
        "resize": chosen.resize,
        "mean_iou": round(chosen.mean_iou, 4),
        "recall": round(chosen.recall, 4),
        "ratio_recall": None if ratio_recall is None else round(ratio_recall, 4),
        "source": chosen.source,
    }
    return json.dumps({key: value for key, value in values.items() if value is not None}, ensure_ascii=False)


def as_python(chosen: AnchorSet) -> str:
    """A list of tuples, below a comment that says what they are valid for."""
    pairs = ", ".join(f"({w:.2f}, {h:.2f})" for w, h in chosen.sizes)
    source = " ".join(chosen.source.split())  # a comment is one line
    of = f"; {source}" if source else ""
    return f"# width, height in pixels at {chosen.input_px} px, {chosen.resize}{of}\nANCHORS = [{pairs}]\n"


def whole_numbers(counts: ArrayLike, total: int) -> NDArray[np.int64]:
    """(k,) whole numbers in the proportions of `counts` (k,) that add up to `total`, by largest remainders."""
    parts = np.asarray(counts, np.float64)
    exact = parts * (total / parts.sum() if parts.sum() else 0.0)
    found = np.floor(exact).astype(np.int64)
    short = (total - int(found.sum())) if parts.sum() else 0
    found[np.argsort(found - exact, kind="stable")[:short]] += 1
    return found
