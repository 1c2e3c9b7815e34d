"""Image files with labelled boxes, as a snapshot of a project."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from workbench.core.project import Image, Label, Snapshot, Split

Row = tuple[str, list[float], bool]


def snapshot_of(files: list[Path], rows: list[list[Row]], labels: list[str]) -> Snapshot:
    """rows[i]: (label, xyxy, crowd) of image i."""
    flat = [row for some in rows for row in some]
    flags = np.zeros((len(flat), 4), bool)
    flags[:, 3] = [row[2] for row in flat]
    return Snapshot(
        labels=tuple(Label(i + 1, name, position=i) for i, name in enumerate(labels)),
        images=tuple(Image(i + 1, file.name, 640, 480, split=Split.VALIDATION) for i, file in enumerate(files)),
        files=tuple(files),
        offsets=np.concatenate([[0], np.cumsum([len(some) for some in rows])]).astype(np.int64),
        boxes=np.array([row[1] for row in flat], float).reshape(-1, 4),
        label_index=np.array([labels.index(row[0]) for row in flat], np.int64),
        flags=flags,
        box_ids=np.arange(len(flat)) + 1,
    )
