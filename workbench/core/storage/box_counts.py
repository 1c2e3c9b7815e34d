"""How many boxes each image and each label has: counted once, then updated with every edit."""

from __future__ import annotations

import sqlite3
from collections import Counter

import numpy as np

from workbench.core import edits
from workbench.core.edits import Edit
from workbench.core.storage.image_table import numbers

_PLAIN = (edits.AddBoxes, edits.ReplaceBoxes, edits.RemoveBoxes)
_WITHOUT_BOXES = (
    edits.SetState, edits.SetSplit, edits.SetNote, edits.ChangeSetting, edits.AddLabels, edits.ChangeLabel,
)  # fmt: skip


class BoxCounts:
    """`by_id` (m,) int64: boxes of the image with that id; `labels`: boxes by label id, where there are any."""

    def __init__(self, by_id: np.ndarray, labels: dict[int, int]) -> None:
        self.by_id = by_id
        self.labels = labels

    @classmethod
    def read(cls, connection: sqlite3.Connection) -> BoxCounts:
        """Count all boxes. SQLite returns the numbers as text, which lets other threads run meanwhile."""
        images = _pairs(connection, "image")
        by_id = np.zeros(int(images[:, 0].max(initial=0)) + 1, np.int64)
        by_id[images[:, 0]] = images[:, 1]
        return cls(by_id, dict(_pairs(connection, "label").tolist()))

    def of(self, ids: np.ndarray) -> np.ndarray:
        """(k,) number of boxes of the images with these ids (k,)."""
        inside = ids < len(self.by_id)
        return np.asarray(np.where(inside, self.by_id[np.where(inside, ids, 0)], 0))

    def of_image(self, id: int) -> int:
        return int(self.by_id[id]) if id < len(self.by_id) else 0

    @property
    def total(self) -> int:
        return sum(self.labels.values())

    def follow(self, edit: Edit, inverse: Edit) -> bool:
        """Update for an edit; False if it did more than add, change and remove boxes: then count again."""
        done, undone = list(edits.walk(edit)), list(edits.walk(inverse))
        if not all(isinstance(part, _PLAIN + _WITHOUT_BOXES) for part in done):
            return False
        for parts, sign in ((done, 1), (undone, -1)):
            boxes = [box for p in parts if isinstance(p, edits.AddBoxes | edits.ReplaceBoxes) for box in p.boxes]
            for image, count in Counter(box.image for box in boxes).items():
                if image >= len(self.by_id):
                    self.by_id = np.concatenate([self.by_id, np.zeros(image + 1024 - len(self.by_id), np.int64)])
                self.by_id[image] += sign * count
            for label, count in Counter(box.label for box in boxes).items():
                self.labels[label] = self.labels.get(label, 0) + sign * count
                if not self.labels[label]:
                    del self.labels[label]
        return True


def _pairs(connection: sqlite3.Connection, column: str) -> np.ndarray:
    """(k, 2) int64: each value in a column of the boxes, and how many boxes have it."""
    found = connection.execute(
        f"SELECT group_concat(value), group_concat(boxes)"
        f" FROM (SELECT {column} AS value, count(*) AS boxes FROM box GROUP BY {column})"
    ).fetchone()
    return np.stack([numbers(text or "") for text in found], axis=1)
