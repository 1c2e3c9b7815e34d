"""The strip's menus for drawing and display: shape of new boxes, looks of picture and boxes."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from workbench.ui.actions import make_action
from workbench.ui.annotate.adjustments_menu import AdjustmentsMenu
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.gestures import DrawGesture, PointsGesture
from workbench.ui.annotate.shape_menu import BY_POINTS, ShapeMenu
from workbench.ui.annotate.style_menu import StyleMenu
from workbench.ui.session import Session


class CanvasMenus(QObject):
    """`menus` are keyed by the name of the action whose button opens them; `views` are those actions."""

    def __init__(self, session: Session, canvas: Canvas, draw: QAction, page: QWidget) -> None:
        super().__init__(page)
        self._session, self._canvas, self._draw, self._page = session, canvas, draw, page
        self._shapes = ShapeMenu(page)
        self._adjustments = AdjustmentsMenu(make_action(page, "levels", self.show_levels), page)
        self._style = StyleMenu(page)
        self.menus: dict[str, QMenu] = {
            "action-draw": self._shapes, "action-looks": self._adjustments, "action-box-style": self._style,
        }  # fmt: skip
        self.views = (
            make_action(page, "looks", self._opening(self._adjustments, "looks")),
            make_action(page, "box-style", self._opening(self._style, "box-style")),
        )
        self._shapes.chosen.connect(self._shape_chosen)
        self._adjustments.changed.connect(canvas.set_adjustments)
        self._style.changed.connect(canvas.set_style)
        canvas.set_style(self._style.style_of_boxes)
        self._show_shape()

    def _opening(self, menu: QMenu, name: str) -> Callable[[], None]:
        """Opens the menu below its button, also when the key was pressed."""

        def open_() -> None:
            button = self._page.findChild(QToolButton, f"button-{name}")
            assert isinstance(button, QToolButton)
            menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

        return open_

    @Slot()
    def show_levels(self) -> None:
        from workbench.ui.annotate.levels_window import LevelsWindow

        window = self._page.findChild(LevelsWindow) or LevelsWindow(self._session, self._page)
        window.show()
        window.raise_()

    @Slot()
    def _shape_chosen(self) -> None:
        self._show_shape()
        self._canvas.set_drawing(True)

    def _show_shape(self) -> None:
        self._canvas.ratio = self._shapes.ratio
        by_points = self._shapes.words == BY_POINTS
        self._canvas.draws = PointsGesture if by_points else DrawGesture
        self._draw.setIconText("Draw by points" if by_points else f"Draw boxes {self._shapes.words}".strip())
