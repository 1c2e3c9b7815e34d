"""Keeping an operating point with a run, removing it, and undoing either."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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

    def keep(self, run_folder: Path, point: OperatingPoint | None, step: int | None) -> None:
        """Keep it with this run; None removes it. Can be undone while the page is visible.

        `step`: of the weights that it was chosen with, if known; if the training has written others since, it is
        refused.
        """
        if not self._session.may_change():
            return
        before = operating_point.record(run_folder)
        change = operating_point.forget if point is None else partial(operating_point.write, point=point, step=step)
        if self._do(run_folder, change):
            title, after = "Keep as operating point", operating_point.record(run_folder)
            self._steps.add(
                title if point is not None else "Keep no operating point",
                lambda: self._put_back(run_folder, before),
                lambda: self._put_back(run_folder, after),
            )

    def _put_back(self, run_folder: Path, record: bytes | None) -> None:
        self._do(run_folder, partial(operating_point.put_back, before=record))

    def _do(self, run_folder: Path, change: Callable[[Path], object]) -> bool:
        """Change what is kept with this run, and tell; False if that failed."""
        document = self._session.document
        try:
            change(run_folder)
            point = operating_point.read(run_folder, former=() if document is None else current_names(document))
        except WorkbenchError as error:
            self._say(error.sentence)
            return False
        self._written(run_folder, point)
        if point is not None:
            self._say(f"Confidence {point.confidence:.2f} is kept with run {run_folder.name}. This page opens with it.")
        else:
            self._say(f"No operating point is kept with run {run_folder.name} now.")
        return True
