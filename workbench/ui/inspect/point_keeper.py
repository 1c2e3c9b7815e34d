"""Keeping an operating point with a run, removing it, and undoing either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtWidgets import QWidget

from workbench.core.former_names import current_names
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.ui.page_undo import WidgetUndoStack
from workbench.ui.session import Session

_Written = Callable[[Path, OperatingPoint | None], None]


class PointKeeper:
    """`written(run_folder, point)` after each change of what is kept; `say` takes a sentence about it."""

    def __init__(self, session: Session, page: QWidget, written: _Written, say: Callable[[str], None]) -> None:
        self._steps = WidgetUndoStack(session, page)
        self._session, self._written, self._say = session, written, say

    def keep(self, run_folder: Path, point: OperatingPoint | None) -> None:
        """Keep it with this run; None removes it. Can be undone while the page is visible."""
        if not self._session.may_change():
            return
        try:
            before = operating_point.read(run_folder)
        except WorkbenchError:  # a damaged file can't be restored
            before = None
        if self._write(run_folder, point):
            title = "Keep as operating point" if point is not None else "Keep no operating point"
            self._steps.add(title, lambda: self._again(run_folder, before), lambda: self._again(run_folder, point))

    def _again(self, run_folder: Path, point: OperatingPoint | None) -> None:
        self._write(run_folder, point)

    def _now(self, run_folder: Path, point: OperatingPoint | None) -> OperatingPoint | None:
        """The point just written, with its labels' present names: it may be one of before they were renamed."""
        document = self._session.document
        if point is None or document is None:
            return point
        return operating_point.read(run_folder, former=current_names(document))

    def _write(self, run_folder: Path, point: OperatingPoint | None) -> bool:
        try:
            if point is not None:
                operating_point.write(run_folder, point)
            else:
                operating_point.forget(run_folder)
        except WorkbenchError as error:
            self._say(error.sentence)
            return False
        self._written(run_folder, self._now(run_folder, point))
        if point is not None:
            self._say(f"Confidence {point.confidence:.2f} is kept with run {run_folder.name}. This page opens with it.")
        else:
            self._say(f"No operating point is kept with run {run_folder.name} now.")
        return True
