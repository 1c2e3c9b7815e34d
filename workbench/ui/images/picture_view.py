"""Shows a picture that can be zoomed at the pointer, panned and fitted; subclasses paint over it.

What rarely changes (the picture, the boxes) is painted once into a backdrop of the widget's size; what moves with the
mouse is painted over it. A mouse move then costs a copy of the backdrop, however many boxes there are.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, QSizeF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QImage,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QWidget

from workbench.ui import theme
from workbench.ui.images.picture_adjustments import PLAIN, PictureAdjustments
from workbench.ui.images.pictures import Picture, TiledPicture
from workbench.ui.images.tiles import Tiles
from workbench.ui.images.view_transform import LARGEST, ViewTransform, fitted, kept_inside

_STEP = 1.25
"""Zoom per notch of the wheel (120 units) and per press of the zoom keys."""
_SPREAD = Qt.NativeGestureType.ZoomNativeGesture
_LEAST = 0.1  # least factor per pinch event, whose value is the increase
_TILES_TOGETHER = 30
"""Milliseconds within which arriving tiles are painted together: each repaint paints the boxes too."""


class PictureView(QWidget):
    """Override `paint_backdrop` (kept until `renew`) and `paint_overlay` (each time), in widget coordinates."""

    view_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumSize(160, 120)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.view = ViewTransform()
        self.picture: Picture | None = None
        self.adjustments = PLAIN
        self.sentence = ""
        self._ink = "error"
        self._size = QSizeF()
        self._is_fitted = True
        self._backdrop: QImage | None = None
        self._ground: QImage | None = None  # the picture as last painted, if it is worth keeping
        self._ground_of: tuple[object, ...] = ()
        self._grabbed: QPointF | None = None  # the pan's last position, in widget pixels
        self._tiles: Tiles | None = None  # the ones whose signal is connected
        self._gather = QTimer(self, singleShot=True, interval=_TILES_TOGETHER)
        self._gather.timeout.connect(self.renew)

    # --- what is shown ---

    @property
    def image_size(self) -> QSizeF:
        """Width and height in image pixels; empty when nothing is shown."""
        return self._size

    def show_picture(self, picture: Picture | None, size: QSizeF, *, keep_view: bool = False) -> None:
        """Show `picture` (None: not loaded yet, or there is none: see `say`) of an image of `size` pixels."""
        same = keep_view and size == self._size and not size.isEmpty()
        self.picture, self._size, self.sentence = picture, size, ""
        self._listen()
        if not same:
            self.fit()
        self.renew()

    def _listen(self) -> None:
        """Follow arriving tiles: connected once for all pictures with the same ones."""
        tiles = self.picture.tiles if isinstance(self.picture, TiledPicture) else None
        if tiles is not None and tiles is not self._tiles:
            self._tiles = tiles
            tiles.loaded.connect(self._tile_loaded)

    @Slot()
    def _tile_loaded(self) -> None:
        if isinstance(self.picture, TiledPicture) and not self._gather.isActive():
            self._gather.start()

    def set_adjustments(self, adjustments: PictureAdjustments) -> None:
        """Show the picture with this brightness, contrast and gamma."""
        self.adjustments = adjustments
        self.renew()

    def say(self, sentence: str, ink: str = "error") -> None:
        """Show a sentence instead of the picture; `ink`: a theme colour's name."""
        self.picture, self.sentence, self._ink = None, sentence, ink
        self.renew()

    def renew(self) -> None:
        """Paint the backdrop again at the next repaint."""
        self._backdrop = None
        self.update()

    # --- the view ---

    def set_view(self, view: ViewTransform) -> None:
        self._is_fitted = False
        self.view = kept_inside(view, self._size, QSizeF(self.size())) if not self._size.isEmpty() else view
        self.renew()
        self.view_changed.emit()

    def fit(self) -> None:
        """Fit the whole image into the widget, also after the widget is resized."""
        self.view = fitted(self._size, QSizeF(self.size()))
        self._is_fitted = True
        self.renew()
        self.view_changed.emit()

    def zoom_to(self, scale: float) -> None:
        """`scale` is widget pixels per image pixel; zooms at the pointer if it is over the picture, else the middle."""
        if self._size.isEmpty():
            return
        at = QPointF(self.mapFromGlobal(self.cursor().pos()))
        if not QRectF(self.rect()).contains(at):
            at = QRectF(self.rect()).center()
        if self.view.scale > 0:
            self.set_view(self.view.zoomed(scale / self.view.scale, at, self._size))

    def zoom_by(self, notches: float) -> None:
        self.zoom_to(self.view.scale * _STEP**notches)

    def look_at(self, xyxy: tuple[float, float, float, float]) -> None:
        """Bring a box into view if a part of it is outside; of one larger than the view, a part is enough.

        The zoom stays.
        """
        room, shown = QRectF(self.rect()), self.view.rect(xyxy)
        fits = shown.width() <= room.width() and shown.height() <= room.height()
        if not (room.contains(shown) if fits else room.intersects(shown)):
            middle = QPointF((xyxy[0] + xyxy[2]) / 2, (xyxy[1] + xyxy[3]) / 2)
            self.set_view(self.view.moved(QRectF(self.rect()).center() - self.view.to_widget(middle)))

    def zoom_on(self, xyxy: tuple[float, float, float, float]) -> None:
        """Show a box in the middle, at half the view's width or height; a large one with the whole picture."""
        x0, y0, x1, y1 = xyxy
        half = min(self.width() / max(x1 - x0, 1.0), self.height() / max(y1 - y0, 1.0)) / 2
        if half <= fitted(self._size, QSizeF(self.size())).scale:
            self.fit()
            return
        scale = min(half, LARGEST)
        middle = QPointF(x0 + x1, y0 + y1) * (scale / 2)
        self.set_view(ViewTransform(scale, self.width() / 2 - middle.x(), self.height() / 2 - middle.y()))

    def resizeEvent(self, event: QResizeEvent) -> None:
        if self._is_fitted:
            self.fit()
        else:
            self.set_view(self.view)

    def event(self, event: QEvent) -> bool:
        """A pinch on a touch pad zooms at the pointer."""
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == _SPREAD:
            if not self._size.isEmpty():
                self.set_view(self.view.zoomed(max(1 + event.value(), _LEAST), event.position(), self._size))
            return True
        return super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the pointer, with Ctrl (labelImg) or without (CVAT); Shift scrolls sideways."""
        if self._size.isEmpty():
            return
        if event.phase() == Qt.ScrollPhase.ScrollMomentum:  # a Mac continues after the fingers have left
            event.accept()
            return
        delta = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.set_view(self.view.moved(QPointF(delta.y() or delta.x(), 0) / 2))
        else:
            notches = delta.y() / 120
            self.set_view(self.view.zoomed(_STEP**notches, event.position(), self._size))
        event.accept()

    # --- panning with the mouse ---

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self.begin_pan(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self.pan(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self.end_pan()

    def begin_pan(self, event: QMouseEvent) -> None:
        self._grabbed = event.position()
        self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def pan(self, event: QMouseEvent) -> bool:
        """Follow the mouse; False if there is no pan."""
        if self._grabbed is None:
            return False
        self.set_view(self.view.moved(event.position() - self._grabbed))
        self._grabbed = event.position()
        return True

    def end_pan(self) -> bool:
        """False if there was no pan."""
        was, self._grabbed = self._grabbed, None
        if was is not None:
            self.unsetCursor()
        return was is not None

    # --- painting ---

    def paint_backdrop(self, painter: QPainter) -> None:
        """Paint what lies over the picture and rarely changes."""

    def paint_overlay(self, painter: QPainter) -> None:
        """Paint what moves."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        if self._backdrop is None or self._backdrop.devicePixelRatioF() != self.devicePixelRatioF():
            self._backdrop = self._made_backdrop()
        painter.drawImage(QPointF(0, 0), self._backdrop)
        self.paint_overlay(painter)
        if self.hasFocus():
            painter.setPen(theme.colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _made_backdrop(self) -> QImage:
        made = self._made_ground()
        painter = QPainter(made)
        if self.sentence:
            self._paint_sentence(painter)
        self.paint_backdrop(painter)
        painter.end()
        return made

    def _made_ground(self) -> QImage:
        """The picture alone at the widget's size: a QImage, as boxes are written into its pixels.

        Smoothing is the slowest part, so it is kept when a view is painted a second time: edits and
        selections change only what lies over it, while a pan or zoom shows each view once.
        """
        ratio = self.devicePixelRatioF()
        canvas = theme.colour("canvas")
        picture = None if self.sentence else self.picture
        shows = (picture, bool(self.sentence), self._size, self.view, self.adjustments, self.size(), ratio, canvas)
        same = shows == self._ground_of and not isinstance(picture, TiledPicture)  # more tiles may have arrived
        if same and self._ground is not None:
            return QImage(self._ground)
        made = QImage((QSizeF(self.size()) * ratio).toSize(), QImage.Format.Format_RGB32)
        made.setDevicePixelRatio(ratio)
        made.fill(canvas)
        if not self.sentence:
            painter = QPainter(made)
            self._paint_picture(painter)
            painter.end()
        self._ground = QImage(made) if same else None
        self._ground_of = shows
        return made

    def _paint_picture(self, painter: QPainter) -> None:
        whole = self.view.rect((0.0, 0.0, self._size.width(), self._size.height()))
        visible = whole.intersected(QRectF(self.rect()))
        if visible.isEmpty():
            return
        if self.picture is None:
            painter.fillRect(visible, theme.colour("hover"))
            return
        scale = self.view.scale * self.devicePixelRatioF()
        # a file whose size differs from the project's is stretched to it
        x, y = self.picture.width / whole.width(), self.picture.height / whole.height()
        part = QRectF(
            (visible.x() - whole.x()) * x, (visible.y() - whole.y()) * y, visible.width() * x, visible.height() * y
        )
        if isinstance(self.picture, TiledPicture) and not self.picture.levels:
            painter.fillRect(visible, theme.colour("hover"))
        if self.adjustments == PLAIN:
            self.picture.paint(painter, visible, part, scale)
        else:
            painter.drawImage(visible, self._adjusted(visible.size(), part, scale))
        if isinstance(self.picture, TiledPicture) and self.picture.note and self.picture.lacks_detail(scale):
            self._paint_note(painter, self.picture.note)

    def _adjusted(self, size: QSizeF, part: QRectF, scale: float) -> QImage:
        """The visible part of the picture at screen size: the table is applied only to visible pixels."""
        assert self.picture is not None
        pixels = (size * self.devicePixelRatioF()).toSize().expandedTo(QSize(1, 1))
        made = QImage(pixels, QImage.Format.Format_RGB32)
        made.fill(theme.colour("hover"))
        inner = QPainter(made)
        self.picture.paint(inner, QRectF(made.rect()), part, scale)
        inner.end()
        self.adjustments.apply_to(made)
        return made

    def _paint_note(self, painter: QPainter, note: str) -> None:
        """At the middle of the lower edge, over the picture."""
        painter.setFont(theme.font(theme.SMALL))
        room = QRectF(self.rect()).adjusted(24, 24, -24, -12)
        flags = int(Qt.AlignmentFlag.AlignHCenter) | int(Qt.AlignmentFlag.AlignBottom) | int(Qt.TextFlag.TextWordWrap)
        taken = painter.boundingRect(room, flags, note)
        painter.fillRect(taken.adjusted(-8, -4, 8, 4), theme.colour("surface"))
        painter.setPen(theme.colour("text"))
        painter.drawText(taken, flags, note)

    def _paint_sentence(self, painter: QPainter) -> None:
        """In the middle; a word is broken only if it is too long for a line."""
        beside = min(48, self.width() // 10)
        room = QRectF(self.rect()).adjusted(beside, 16, -beside, -16)
        painter.setPen(theme.colour(self._ink))
        option = QTextOption(Qt.AlignmentFlag.AlignCenter)
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        painter.drawText(room, self.sentence, option)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange):
            self.renew()
        super().changeEvent(event)
