"""The strip's menus for drawing and display: shape of new boxes, looks of picture and boxes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt, Slot
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from workbench.core.folders.name_forms import short
from workbench.errors import WorkbenchError
from workbench.ui.actions import make_action
from workbench.ui.annotate.adjustments_menu import AdjustmentsMenu
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.annotate.click_undo import ClickUndo
from workbench.ui.annotate.gestures import DrawGesture, PointsGesture
from workbench.ui.annotate.shape_menu import BY_POINTS, ShapeMenu
from workbench.ui.annotate.style_menu import StyleMenu
from workbench.ui.images.pictures import Picture
from workbench.ui.session import Session

_DARK = 32
"""Of 255: below it, objects can hardly be told from the background."""


class CanvasMenus(QObject):
    """`menus` are keyed by the name of the action whose button opens them; `views` are those actions."""

    def __init__(self, session: Session, canvas: Canvas, draw: QAction, page: QWidget) -> None:
        super().__init__(page)
        self._session, self._canvas, self._draw, self._page = session, canvas, draw, page
        self._told: Path | None = None  # the folder of the project in which it was said
        self._shapes = ShapeMenu(page)
        ClickUndo(canvas)
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

    def offer_levels(self, picture: Picture | None) -> None:
        """Where a picture of more than 8 bits is nearly black, say once in a project how it becomes visible.

        Not in a window that may only read: it has to say why, and can't change it.
        """
        document, image = self._session.document, self._session.image
        if picture is None or not picture.about or not picture.levels or document is None or image is None:
            return
        if document.folder == self._told or document.read_only or document.window() is not None:
            return
        if _lightest(picture.levels[-1]) >= _DARK:
            return
        from workbench.core import images  # a cost only for who needs it

        try:
            bits = images.info(document.file(image)).bits
        except WorkbenchError:  # gone since it was read
            return
        if bits > 8:
            self._told = document.folder
            self._session.inform(f"{short(image.name)} has {bits} bits, and its values are all near black.")
            self._session.offered.emit("Choose what is white", self.show_levels)

    @Slot()
    def _shape_chosen(self) -> None:
        self._show_shape()
        self._canvas.set_drawing(True)

    def _show_shape(self) -> None:
        self._canvas.ratio = self._shapes.ratio
        by_points = self._shapes.words == BY_POINTS
        self._canvas.draws = PointsGesture if by_points else DrawGesture
        self._draw.setIconText("Draw by points" if by_points else f"Draw boxes {self._shapes.words}".strip())


def _lightest(picture: QImage) -> int:
    """The lightest of 64 parts of a picture, 0 to 255: single bright pixels show no object."""
    how = Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation
    small = picture.scaled(QSize(8, 8), *how).convertToFormat(QImage.Format.Format_Grayscale8)
    return max(bytes(small.constBits()))
