"""The recent projects on the start page as pictures to click; a missing one can be located or forgotten."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from PySide6.QtCore import QPoint, QRectF, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QFontMetrics, QFontMetricsF, QHideEvent, QImage, QPainter, QPaintEvent, QPen, QShowEvent
from PySide6.QtWidgets import QAbstractButton, QGridLayout, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.project import recent
from workbench.ui.project.recent import RecentProject
from workbench.ui.widgets.file_dialogs import ask_for_folder

WIDTH = 240  # px of a card
COLUMNS = 3
CHECK_EVERY = 3000
"""Milliseconds between checks whether the projects exist: a drive may be mounted or removed."""
_PICTURE = 128
CORNER = 6  # px


class RecentProjects(QWidget):
    """Call `close_down` before its owner is deleted."""

    chosen = Signal(object)  # project folder
    located = Signal(object, object)  # RecentProject, and its folder now, according to the user

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: list[RecentCard] = []
        self._missing: set[Path] = set()  # the missing ones at the last check
        self._pictures = Background("Pictures of recent projects", _thumbnail, self)
        self._pictures.done.connect(self._picture_read)
        self._checker = Background("Looking for recent projects", recent.is_there, self)
        self._checker.done.connect(self._checked)
        self._clock = QTimer(self, interval=CHECK_EVERY)
        self._clock.timeout.connect(self.check)
        title = QLabel("Recent projects")
        title.setFont(theme.font(theme.BODY, bold=True))
        self._grid = QGridLayout()
        self._grid.setSpacing(theme.GRID * 2)
        self._grid.setColumnStretch(COLUMNS, 1)
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(theme.GRID * 2)
        rows.addWidget(title)
        rows.addLayout(self._grid)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Read the list again."""
        for card in self._cards:
            self._grid.removeWidget(card)
            card.hide()
            card.deleteLater()
        self._cards = [RecentCard(one) for one in recent.projects()]
        for number, card in enumerate(self._cards):
            card.set_missing(card.recent.folder in self._missing)
            card.clicked.connect(lambda _=False, card=card: self.chosen.emit(card.recent.folder))
            card.find_it.clicked.connect(lambda _=False, card=card: self._find(card.recent))
            card.forget_it.clicked.connect(lambda _=False, card=card: self._forget(card.recent))
            self._grid.addWidget(card, number // COLUMNS, number % COLUMNS, Qt.AlignmentFlag.AlignLeft)
            card.show()
        self.setVisible(bool(self._cards))
        self._pictures.ask([card.recent.picture for card in self._cards if card.recent.picture])
        self.check()

    def _find(self, one: RecentProject) -> None:
        folder = ask_for_folder(self, f"Where the project {one.name} is now")
        if folder is not None:
            self.located.emit(one, folder)

    def _forget(self, one: RecentProject) -> None:
        recent.forget(one.folder)
        self.refresh()

    # --- whether they exist: checked in the background, as a network may be slow ---

    @Slot()
    def check(self) -> None:
        if self.isVisible() and self._checker.is_idle():
            self._checker.ask([card.recent.folder for card in self._cards])

    @Slot(object, object)
    def _checked(self, folder: Path, there: object) -> None:
        (self._missing.discard if there is True else self._missing.add)(folder)
        for card in self._cards:
            if card.recent.folder == folder and card.is_missing == (there is True):
                card.set_missing(there is not True)
                if card.recent.picture and there is True:  # the picture was missing, too
                    self._pictures.add(card.recent.picture)

    @Slot(object, object)
    def _picture_read(self, file: object, picture: object) -> None:
        for card in self._cards:
            if card.recent.picture == file and isinstance(picture, QImage):
                card.show_picture(picture)

    def showEvent(self, event: QShowEvent) -> None:
        self._clock.start()
        self.check()

    def hideEvent(self, event: QHideEvent) -> None:
        self._clock.stop()

    def close_down(self) -> None:
        self._clock.stop()
        self._pictures.close()
        self._checker.close()


def _lines() -> tuple[int, int]:
    """Pixels, in the application's font, of a card's name and of the line below it."""
    return max(20, QFontMetrics(theme.font()).height()), max(19, QFontMetrics(theme.font(theme.SMALL)).height())


class RecentCard(QAbstractButton):
    """A recent project: picture, name, last day and folder; if it is missing, two buttons replace the picture."""

    def __init__(self, one: RecentProject) -> None:
        super().__init__()
        self.recent = one
        self.is_missing = False
        self.setObjectName("recent-card")
        self.setText(one.name)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        words = sum(_lines()) + 9
        self.setFixedSize(WIDTH, _PICTURE + words)
        self._picture = QImage()
        self.find_it = self._button("recent-find", "Find it…", "Choose the folder in which this project is now")
        self.forget_it = self._button(
            "recent-forget", "Forget", "Take it off this list; its files stay, wherever they are"
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.GRID, 0, theme.GRID, words + theme.GRID)
        row.addStretch(1)
        row.addWidget(self.find_it, 0, Qt.AlignmentFlag.AlignBottom)
        row.addWidget(self.forget_it, 0, Qt.AlignmentFlag.AlignBottom)
        row.addStretch(1)
        self.set_missing(False)

    def _button(self, name: str, word: str, help: str) -> QPushButton:
        made = QPushButton(word)
        made.setObjectName(name)
        made.setToolTip(help)
        made.setAccessibleName(f"{word.rstrip('…')}: {self.recent.name}")
        made.setCursor(Qt.CursorShape.ArrowCursor)
        return made

    def set_missing(self, gone: bool) -> None:
        """Set whether the project is missing; it can't be opened then."""
        self.is_missing = gone
        folder, name = self.recent.folder, self.recent.name
        self.setAccessibleName(f"{name}, not found at {folder}" if gone else f"Open {name}")
        back = "It can be opened again as soon as it is there, as when its drive is back."
        self.setToolTip(f"Not found at {folder}. {back}" if gone else str(folder))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if gone else Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor if gone else Qt.CursorShape.PointingHandCursor)
        self.find_it.setVisible(gone)
        self.forget_it.setVisible(gone)
        self.update()

    def show_picture(self, picture: QImage) -> None:
        self._picture = picture
        self.update()

    def hitButton(self, place: QPoint) -> bool:
        return not self.is_missing and super().hitButton(place)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        lit = not self.is_missing and self.underMouse()
        ground = "window" if self.is_missing else "hover" if lit else "surface"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(ground))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), CORNER, CORNER)
        self._paint_picture(painter, QRectF(1, 1, self.width() - 2, _PICTURE))
        name, below = _lines()
        words = QRectF(10, _PICTURE + 6, self.width() - 20, name)
        when = "" if self.is_missing else self.recent.when(date.today())
        small = theme.font(theme.SMALL)
        taken = QFontMetricsF(small).horizontalAdvance(when) + theme.GRID if when else 0.0
        self._line(painter, words.adjusted(0, 0, -taken, 0), self.text(), "muted" if self.is_missing else "text")
        painter.setFont(small)
        self._line(painter, words, when, "muted", Qt.AlignmentFlag.AlignRight)
        place = f"not found at {self.recent.folder}" if self.is_missing else str(self.recent.folder)
        self._line(painter, QRectF(words.x(), words.bottom() - 1, words.width(), below + 1), place, "muted")
        paint_frame(painter, self, lit)
        painter.end()

    def _paint_picture(self, painter: QPainter, space: QRectF) -> None:
        if self.is_missing:
            icon = theme.icon("mdi6.folder-question-outline", theme.colours().muted)
            icon.paint(painter, space.toRect().adjusted(80, 20, -80, -60))
        elif self._picture.isNull():
            theme.icon("mdi6.image-outline").paint(painter, space.toRect().adjusted(40, 40, -40, -40))
        else:
            painter.drawImage(space, self._picture, cover(self._picture, space))

    def _line(
        self,
        painter: QPainter,
        area: QRectF,
        text: str,
        colour: str,
        side: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft,
    ) -> None:
        painter.setPen(theme.colour(colour))
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(area.width()))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter | side), cut)


def paint_frame(painter: QPainter, card: QWidget, lit: bool) -> None:
    """A thick frame for the card that has the keyboard: the mouse may rest on another one, which is only `lit`."""
    width = 2.0 if card.hasFocus() else 1.0
    painter.setPen(QPen(theme.colour("accent" if lit or card.hasFocus() else "border"), width))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    inside = QRectF(card.rect()).adjusted(width / 2, width / 2, -width / 2, -width / 2)
    painter.drawRoundedRect(inside, CORNER, CORNER)


def cover(picture: QImage, space: QRectF) -> QRectF:
    """The middle part of `picture` with the aspect ratio of `space`."""
    scale = min(picture.width() / space.width(), picture.height() / space.height())
    width, height = space.width() * scale, space.height() * scale
    return QRectF((picture.width() - width) / 2, (picture.height() - height) / 2, width, height)


def _thumbnail(file: object) -> QImage:
    from workbench.core import images
    from workbench.ui.images.pictures import to_qimage

    return to_qimage(images.thumbnail(Path(str(file)), 2 * WIDTH))
