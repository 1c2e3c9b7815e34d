"""A picture with boxes that have names: those that have room stand on it, those under the pointer beside it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF
from PySide6.QtGui import QColor, QFontMetricsF, QMouseEvent, QPainter
from PySide6.QtWidgets import QWidget

from workbench.ui import theme
from workbench.ui.images.box_names import BoxGroup, NamePlate, boxes_at, name_plates, pointer_plates
from workbench.ui.images.boxes_painter import name_plate
from workbench.ui.images.picture_view import PictureView


class NamedBoxesView(PictureView):
    """Override `visible_groups` and `ink`, and paint the lines; then `paint_names`, which they would strike out.

    `pointer`: in widget pixels, None while it is elsewhere or a button is pressed. Painted anew as it moves.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pointer: QPointF | None = None

    def visible_groups(self) -> Sequence[BoxGroup]:
        """The boxes that are shown."""
        return ()

    def ink(self, _kind: str) -> QColor:
        """The colour of a group's boxes and names."""
        return theme.colour("accent")

    @property
    def plates(self) -> tuple[NamePlate, ...]:
        """The names that have room on the picture."""
        photograph = self.view.rect((0.0, 0.0, self.image_size.width(), self.image_size.height()))
        return name_plates(self.visible_groups(), self.view, _metrics(), photograph.intersected(QRectF(self.rect())))

    @property
    def at_pointer(self) -> tuple[tuple[BoxGroup, int], ...]:
        """The boxes under the pointer, the smallest first, each as its group and its row there."""
        if self.pointer is None or self.sentence:
            return ()
        return boxes_at(self.visible_groups(), self.view.to_image(self.pointer))

    @property
    def pointed(self) -> tuple[NamePlate, ...]:
        """The names of the boxes under the pointer."""
        found, at = self.at_pointer, self.pointer
        return pointer_plates(found, at, _metrics(), QRectF(self.rect())) if found and at is not None else ()

    def paint_names(self, painter: QPainter, plates: Sequence[NamePlate]) -> None:
        """Paint `plates` or `pointed`."""
        painter.setFont(theme.font(theme.SMALL))
        for plate in plates:
            ink = self.ink(plate.kind)
            name_plate(painter, plate.area, plate.words, ink, QColor(theme.text_on(ink.name())))

    def _point(self, at: QPointF | None) -> None:
        self.pointer = at
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        self._point(None if event.buttons() else event.position())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self._point(None)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self._point(None)


def _metrics() -> QFontMetricsF:
    return QFontMetricsF(theme.font(theme.SMALL))
