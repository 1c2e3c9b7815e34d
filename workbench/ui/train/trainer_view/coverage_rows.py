"""The rows of the table "Whole set": a detector, below it its labels, with the numbers by size; sorted numerically."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QTreeWidgetItem

from workbench.core.formatting import count, percent
from workbench.core.metrics import SIZES
from workbench.inference.suggesting.model_files import FROM_CFG
from workbench.ui import theme

if TYPE_CHECKING:
    from workbench.training.trainer_view.box_coverage import Coverage

COLUMNS = ("Detector", "Input px", "Boxes", "Not learnt", "Share", *(size.capitalize() for size in SIZES))
PX, BOXES, MISSED, SHARE, FIRST_SIZE = 1, 2, 3, 4, 5
FINE = 0.001
"""Shares below this are shown to two digits."""
_NUMBER = Qt.ItemDataRole.UserRole + 1


class CoverageRow(QTreeWidgetItem):
    """For a detector, or one of its labels (`label`: its index). `found` is None if nothing could be counted.

    `wants_file`: because it needs a file, which is chosen on the Train page.
    """

    def __init__(
        self, name: str, found: Coverage | None, label: int | None = None, *, wants_file: bool = False
    ) -> None:
        super().__init__([name])
        self.found, self.label, self.wants_file = found, label, wants_file
        self._inks: dict[int, str] = {}  # names of colours, by column
        self.setToolTip(0, name)
        self.setTextAlignment(0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)

    def put(self, column: int, text: str, number: float, help: str = "", *, red: bool = False) -> None:
        self.setText(column, text)
        self.setData(column, _NUMBER, number)
        self.setToolTip(column, help)
        self.setTextAlignment(column, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if red:
            self.ink(column, "error")

    def ink(self, column: int, colour: str) -> None:
        """Paint the column's text in the theme's colour of this name."""
        self._inks[column] = colour
        self.setForeground(column, theme.colour(colour))

    def recolour(self) -> None:
        """The theme has changed: recolour this row and those below it."""
        for column, colour in self._inks.items():
            self.ink(column, colour)
        for place in range(self.childCount()):
            child = self.child(place)
            if isinstance(child, CoverageRow):
                child.recolour()

    def __lt__(self, other: QTreeWidgetItem) -> bool:
        """By number; those without one come first."""
        tree = self.treeWidget()
        column = tree.sortColumn() if tree is not None else 0
        if column <= 0:
            return self.text(0).lower() < other.text(0).lower()
        one, two = (
            -1.0 if item.data(column, _NUMBER) is None else item.data(column, _NUMBER) for item in (self, other)
        )
        return bool(one < two)

    def images(self, column: int) -> tuple[tuple[int, ...], str]:
        """The images behind the number in a column, those with the most first, and a description of them."""
        if self.found is None:
            return (), ""
        size = column - FIRST_SIZE if column >= FIRST_SIZE else None
        kind = "" if size is None else f"{SIZES[size]} "
        whose = "boxes" if self.label is None else f"boxes of {self.text(0)}"
        return self.found.images_of(
            self.label, size
        ), f"images with {kind}{whose} that {self.found.title} does not learn"


def coverage_row(found: Coverage, labels: Sequence[str]) -> CoverageRow:
    """With a child row per label; or, if nothing could be counted, with the reason in its place."""
    if found.problem:
        left_out = f"{found.title} is left out: {found.problem}"
        row = CoverageRow(left_out, None, wants_file=found.detector == FROM_CFG)
        row.ink(0, "muted")
        return row
    row = _filled(CoverageRow(found.title, found), found.missed.sum(axis=0).tolist(), found.total.sum(axis=0).tolist())
    row.put(PX, f"{found.px:,}", found.px, f"Side of the input of {found.title}, in pixels")
    for label, (name, missed, total) in enumerate(zip(labels, found.missed.tolist(), found.total.tolist())):
        row.addChild(_filled(CoverageRow(name, found, label), missed, total))
    return row


def _filled(row: CoverageRow, missed: Sequence[int], total: Sequence[int]) -> CoverageRow:
    some, all_ = sum(missed), sum(total)
    help = f"{row.text(0)}: {some:,} of {count(all_, 'box')} not learnt"
    row.put(BOXES, f"{all_:,}", all_, f"{row.text(0)}: {count(all_, 'box')} to be learnt")
    row.put(MISSED, f"{some:,}", some, help, red=some > 0)
    share = some / max(all_, 1)
    row.put(SHARE, percent(share, 2 if 0 < share < FINE else 1) if all_ else "", share, help, red=some > 0)
    for column, (number, of) in enumerate(zip(missed, total, strict=True), start=FIRST_SIZE):
        help = f"{row.text(0)}: {number:,} of {of:,} {SIZES[column - FIRST_SIZE]} boxes are not learnt"
        row.put(column, f"{number:,} of {of:,}" if of else "", number, help, red=number > 0)
    return row
