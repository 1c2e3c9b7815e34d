"""Which boxes are meant: by label, size, mark or id; as a test of one box, and as a condition of SQL."""

from __future__ import annotations

import math
from dataclasses import dataclass

from workbench.core.project import FLAGS, Box
from workbench.core.storage.rows import GIVEN, given


@dataclass(frozen=True, slots=True)
class BoxCriteria:
    """All that is given must hold; None and () mean any.

    `label`: its id; `side_from`, `side_to`: pixels of the shorter side; `flags`: it has one of these; `ids`: of boxes.
    """

    label: int | None = None
    side_from: float | None = None
    side_to: float | None = None
    flags: tuple[str, ...] = ()
    ids: frozenset[int] | None = None

    def fits(self, box: Box) -> bool:
        low, high = self._sides
        return (
            (self.label is None or box.label == self.label)
            and low <= min(box.width, box.height) <= high
            and (not self.flags or any(getattr(box, flag) for flag in self.flags))
            and (self.ids is None or box.id in self.ids)
        )

    @property
    def _sides(self) -> tuple[float, float]:
        low = -math.inf if self.side_from is None else self.side_from
        return low, math.inf if self.side_to is None else self.side_to

    @property
    def condition(self) -> tuple[str, list[object]]:
        """For rows of the table `box`: the same as SQL, and the values of its parameters."""
        assert set(self.flags) <= set(FLAGS)
        parts, values = ["1"], list[object]()
        if self.label is not None:
            parts.append("label = ?")
            values.append(self.label)
        if (self.side_from, self.side_to) != (None, None):
            parts.append("min(x1 - x0, y1 - y0) BETWEEN ? AND ?")
            values += self._sides
        if self.flags:
            parts.append(f"({' OR '.join(self.flags)})")
        if self.ids is not None:
            parts.append(f"id IN {GIVEN}")
            values.append(given(sorted(self.ids)))
        return " AND ".join(parts), values


ANY_BOX = BoxCriteria()
