"""The tour: one minute through the six pages, a card with a few words beside the real control, which has a ring.

Nothing is modal: the control in the ring can be used meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QRectF, Qt, QTimer, Signal, SignalInstance, Slot
from PySide6.QtGui import QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.actions import with_keys

_WIDTH = 336
_GAP = 12
"""Widget pixels between the ring and the card."""


@dataclass(frozen=True, slots=True)
class TourStep:
    """`at`: object names; the first visible one is used. {name} in the words stands for a command's key."""

    page: str
    at: tuple[str, ...]
    title: str
    words: str


STEPS = (
    TourStep("data", ("rail",), "Six pages",
         "They are in the order of the work. {page-data} to {page-export} switch between them."),
    TourStep("data", ("gallery", "data-empty-button"), "Data: your images",
         "The one you choose here is the current image on every page. Enter opens it for labelling."),
    TourStep("data", ("button-import-labels",), "Labels you already have",
         "Import labels from other programs here, in eleven formats. You see what would happen before anything is"
         " changed."),
    TourStep("label", ("canvas",), "Label: draw",
         "Press {draw} and drag. A box is on disk when you let go of the mouse; {undo} takes it back. When every object"
         " has one, {done} marks the image as done and goes to the next: training learns from images that are done."),
    TourStep("label", ("button-suggest",), "Let a detector help",
         "With a trained run, {suggest} shows its suggestions; Enter takes the marked one."),
    TourStep("anchors", ("anchors-plot", "anchors-empty-button"), "Anchors: sizes",
         "The sizes of your boxes, grouped step by step. {anchors-play} plays it again, {anchors-use} uses the result"
         " in training."),
    TourStep("train", ("train-start", "train-empty-button", "train-loading"), "Train",
         "Choose a recipe and a detector, then press {start-training}. You can do it now: the tour goes on meanwhile."
         " On every page, the bottom line shows the time left, Pause and Stop."),
    TourStep("inspect", ("inspect-confidence-slider", "inspect-empty-button"), "Inspect: what it finds",
         "Once a run is trained, two sliders decide what counts as found; pictures, numbers, curves follow at once."),
    TourStep("export", ("export-start", "export-empty-button"), "Export",
         "Turn a trained run into files for other programs. Each file is checked against the network first."),
    TourStep("export", ("find-button",), "Find anything",
         "{find} finds any command, image or label, {keys} shows all keys. This tour is in the Help menu."),
)  # fmt: skip


class Tour(QFrame):
    """The card, a child of `window`. `show_page` switches to a page; `ended` when it is closed or finished.

    When it is finished, the page `home` is shown again.
    """

    ended = Signal()

    def __init__(self, window: QWidget, show_page: Callable[[str], object], home: str) -> None:
        super().__init__(window)
        self.setObjectName("tour")
        self.setProperty("role", "card")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setFixedWidth(_WIDTH)
        self._window, self._show_page, self._home = window, show_page, home
        self._number = 0
        self._is_over = self._is_on_its_way = False
        self._target: QWidget | None = None
        self._ring = Ring(window)
        self._title = QLabel()
        self._title.setObjectName("tour-title")
        self._title.setFont(theme.font(theme.BODY, bold=True))
        self._count = QLabel()
        self._count.setProperty("role", "muted")
        self._words = QLabel(wordWrap=True)
        self._words.setObjectName("tour-words")
        self._end, self._back, self._next = (QPushButton(word) for word in ("End", "Back", "Next"))
        self._next.setProperty("role", "primary")
        for button, slot in ((self._end, self.close), (self._back, self.go_back), (self._next, self._next_clicked)):
            button.setObjectName(f"tour-{button.text().lower()}")
            button.clicked.connect(slot)
        self._lay_out()
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._place)
        window.installEventFilter(self)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._title, 1)
        head.addWidget(self._count)
        foot = QHBoxLayout()
        foot.addWidget(self._end)
        foot.addStretch(1)
        foot.addWidget(self._back)
        foot.addWidget(self._next)
        column = QVBoxLayout(self)
        column.setContentsMargins(*(2 * theme.GRID,) * 4)
        column.setSpacing(theme.GRID)
        column.addLayout(head)
        column.addWidget(self._words)
        column.addLayout(foot)

    # --- its steps ---

    def begin(self) -> None:
        """Show the first step."""
        self._go(0)

    @Slot()
    def _next_clicked(self) -> None:
        """Next was pressed: ignore it while a page is still being built, when presses pile up unseen."""
        if not self._is_on_its_way:
            self.go_on()

    @Slot()
    def go_on(self) -> None:
        if self._number + 1 == len(STEPS):
            self.close()
            self._show_page(self._home)
        else:
            self._go(self._number + 1)

    @Slot()
    def go_back(self) -> None:
        self._go(max(0, self._number - 1))

    def _go(self, number: int) -> None:
        step, self._number, self._is_on_its_way = STEPS[number], number, True
        self._title.setText(step.title)
        self._words.setText(with_keys(step.words))
        self._count.setText(f"{number + 1} of {len(STEPS)}")
        self._back.setEnabled(number > 0)
        last = number + 1 == len(STEPS)
        self._next.setText("Done" if last else "Next")
        self._end.setVisible(not last)
        self.setAccessibleName(f"{step.title}. {self._words.text()}")
        # Point at nothing before a page is built, which may take seconds, and laid out.
        self._watch(None)
        self._ring.hide()
        if self.isVisible():
            self.adjustSize()  # its words can be read meanwhile
        else:
            self._lie(None)
        self._show_page(step.page)
        self._soon.start()
        self._next.setFocus()

    # --- its place ---

    def _find(self) -> QWidget | None:
        for name in STEPS[self._number].at:
            for widget in self._window.findChildren(QWidget, name):
                if widget.isVisible():
                    return widget
        return None

    @Slot()
    def _place(self) -> None:
        self._is_on_its_way = False
        self._watch(self._find())
        self._lie(self._target)

    def _lie(self, target: QWidget | None) -> None:
        """Place it right of `target`, left, below, above, or inside if that fills the window; in the middle if None."""
        self.adjustSize()
        room = self._window.rect()
        if target is None:  # the page has changed, or is still empty
            self._ring.hide()
            at = room.center() - self.rect().center()
        else:
            area = _visible_part(target, self._window)
            self._ring.surround(area)
            at = place_beside(area, self.size().width(), self.size().height(), room)
        self.move(at)
        self.show()
        self.raise_()

    def _watch(self, target: QWidget | None) -> None:
        if target is self._target:
            return
        if self._target is not None:
            self._target.removeEventFilter(self)
        if target is not None:
            target.installEventFilter(self)
        self._target = target

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The window or the target was laid out again, shown or hidden; Esc that nobody else handled ends the tour."""
        if watched is self._window and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            return self._ends(event)
        kinds = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide, QEvent.Type.LayoutRequest)
        if event.type() in kinds and self.isVisible():
            self._soon.start()
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc ends it; Enter presses the focused button, which outside dialogs only Space does."""
        focused = self.focusWidget()
        if self._ends(event):
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(focused, QPushButton):
            focused.click()
        else:
            super().keyPressEvent(event)

    def _ends(self, event: QKeyEvent) -> bool:
        ends = event.key() == Qt.Key.Key_Escape
        if ends:
            self.close()
        return ends

    def closeEvent(self, event: object) -> None:
        if self._is_over:  # the project may be closed before this is deleted
            return
        self._is_over = True
        self._watch(None)
        self._window.removeEventFilter(self)
        self._soon.stop()
        self._ring.hide()
        self._ring.deleteLater()
        self.ended.emit()


def begin_tour(window: QWidget, closing: SignalInstance, show_page: Callable[[str], object], home: str) -> None:
    """Begin a tour of `window` in place of one under way; `closing` ends it. The rest is as for Tour."""
    for open_one in window.findChildren(Tour):
        open_one.close()
    tour = Tour(window, show_page, home)
    closing.connect(tour.close)
    tour.begin()


class Ring(QWidget):
    """A line in the accent colour around an area of the window; it lets the mouse through."""

    def __init__(self, window: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self.setObjectName("tour-ring")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def surround(self, area: QRect) -> None:
        self.setGeometry(area.adjusted(-4, -4, 4, 4).intersected(self._window.rect()))
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour("accent"), 3))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5), 6, 6)
        painter.end()


def _visible_part(target: QWidget, window: QWidget) -> QRect:
    """The area of `target` in the window, without what is scrolled out of view."""
    visible = target.visibleRegion().boundingRect()
    area = visible if not visible.isEmpty() else target.rect()
    return QRect(target.mapTo(window, area.topLeft()), area.size())


def place_beside(area: QRect, width: int, height: int, room: QRect) -> QPoint:
    """The best place in `room` for a card of this size: the first side of `area` with room for it, else inside it."""
    x = min(max(area.left(), room.left() + _GAP), room.right() - width - _GAP)
    y = min(max(area.top(), room.top() + _GAP), room.bottom() - height - _GAP)
    if area.right() + _GAP + width < room.right():
        return QPoint(area.right() + _GAP, y)
    if area.left() - _GAP - width > room.left():
        return QPoint(area.left() - _GAP - width, y)
    if area.bottom() + _GAP + height < room.bottom():
        return QPoint(x, area.bottom() + _GAP)
    if area.top() - _GAP - height > room.top():
        return QPoint(x, area.top() - _GAP - height)
    return QPoint(area.right() - width - 2 * _GAP, area.bottom() - height - 2 * _GAP)
