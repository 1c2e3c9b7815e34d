"""The first thing a person sees: make a project from a folder of photographs, open one, or try the sample."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QKeySequence, QPainter, QPaintEvent, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QFormLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from workbench.core.files import safe_name
from workbench.ui import preferences, theme
from workbench.ui.actions import tooltip
from workbench.ui.background import Background
from workbench.ui.commands import BY_NAME

_CARD = QSize(240, 176)
_PICTURE = 128
_COLUMNS = 3


class StartPage(QWidget):
    """Says what the person wants by signals; opening itself is the window's."""

    folder_asked = Signal()  # choose a folder of photographs, then `offer`
    open_asked = Signal()
    sample_asked = Signal()
    tour_asked = Signal()
    create_asked = Signal(object, object)  # project folder, folder of photographs
    recent_chosen = Signal(object)  # project folder

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page-start")
        self._photographs = Path()
        self._cards: list[RecentCard] = []
        self._background = Background("Pictures of recent projects", _thumbnail, self)
        self._background.done.connect(self._picture_came)
        self._content = QVBoxLayout()
        self._content.setSpacing(theme.GRID * 2)
        title = QLabel("Workbench")
        title.setFont(theme.font(theme.TITLE, bold=True))
        about = QLabel("From a folder of photographs to a trained object detector, on your own machine.")
        about.setProperty("role", "muted")
        self._content.addWidget(title)
        self._content.addWidget(about)
        self._content.addLayout(self._buttons())
        self._form = self._make_form()
        self._content.addWidget(self._form)
        self._recent_title = QLabel("Recent projects")
        self._recent_title.setFont(theme.font(theme.BODY, bold=True))
        self._content.addWidget(self._recent_title)
        self._grid = QGridLayout()
        self._grid.setSpacing(theme.GRID * 2)
        self._grid.setColumnStretch(_COLUMNS, 1)
        self._content.addLayout(self._grid)
        self._content.addStretch(1)
        self._place()
        self.refresh()

    def _place(self) -> None:
        """The content in a column of readable width in the middle, scrolling where the window is low."""
        column = QWidget()
        column.setLayout(self._content)
        column.setFixedWidth(_CARD.width() * _COLUMNS + theme.GRID * 2 * (_COLUMNS - 1) + theme.GRID * 4)
        inner = QWidget()
        row = QHBoxLayout(inner)
        row.setContentsMargins(0, theme.GRID * 6, 0, theme.GRID * 2)
        row.addStretch(1)
        row.addWidget(column)
        row.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(inner)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(theme.GRID)
        for name, word, icon, signal, help in (
            ("start-new", "New project from a folder…", "mdi6.folder-plus-outline", self.folder_asked,
             tooltip(BY_NAME["new-project"])),
            ("start-open", "Open…", "mdi6.folder-open-outline", self.open_asked, tooltip(BY_NAME["open-project"])),
            ("start-sample", "Sample project", "mdi6.shape-outline", self.sample_asked,
             "Made here in some seconds: drawn photographs with labels, to try everything with"),
            ("start-tour", "Tour, a minute", "mdi6.map-marker-path", self.tour_asked,
             "Through the six pages, on the sample project"),
        ):  # fmt: skip
            button = QPushButton(word)
            button.setToolTip(help)
            button.setObjectName(name)
            button.setMinimumHeight(theme.GRID * 5)
            button.setIconSize(QSize(20, 20))
            theme.set_icon(button, icon)
            button.clicked.connect(signal)
            row.addWidget(button)
        row.addStretch(1)
        return row

    # --- a new project ---

    def _make_form(self) -> QFrame:
        form = QFrame()
        form.setObjectName("new-project-form")
        form.setProperty("role", "card")
        layout = QFormLayout(form)
        layout.setContentsMargins(16, 16, 16, 16)
        self._from = QLabel(textFormat=Qt.TextFormat.PlainText, wordWrap=True)
        self._folder = QLineEdit()
        self._folder.setObjectName("new-project-folder")
        self._create = QPushButton("Create project")
        self._create.setObjectName("new-project-create")
        self._create.setProperty("role", "primary")
        self._create.clicked.connect(self._ask_create)
        self._folder.returnPressed.connect(self._ask_create)
        cancel = QPushButton("Cancel")
        cancel.setObjectName("new-project-cancel")
        cancel.clicked.connect(self._put_away)
        QShortcut(QKeySequence(Qt.Key.Key_Escape), form, self._put_away).setContext(
            Qt.ShortcutContext.WidgetWithChildrenShortcut
        )
        buttons = QHBoxLayout()
        buttons.addWidget(self._create, 1)
        buttons.addWidget(cancel)
        note = QLabel("The photographs stay where they are and are never changed.")
        note.setProperty("role", "muted")
        layout.addRow("Photographs", self._from)
        layout.addRow("Project folder", self._folder)
        layout.addRow("", note)
        layout.addRow("", buttons)
        form.hide()
        return form

    def offer(self, photographs: Path) -> None:
        """Show the form for a new project of this folder, with a place for it suggested."""
        self._photographs = photographs
        self._from.setText(str(photographs))
        self._folder.setText(str(free_folder(photographs.parent / f"{safe_name(photographs.name)} project")))
        self._form.show()
        self._folder.setFocus()  # Return there creates; a push button in a page does not heed it

    @Slot()
    def _ask_create(self) -> None:
        text = self._folder.text().strip()
        if text:
            self._put_away()
            self.create_asked.emit(Path(text).expanduser(), self._photographs)

    @Slot()
    def _put_away(self) -> None:
        """The keyboard first, or the next button has it, and the same Enter presses that."""
        focused = self._form.focusWidget()
        if focused is not None:
            focused.clearFocus()
        self._form.hide()

    # --- recent projects ---

    def refresh(self) -> None:
        """Read the recent projects again."""
        for card in self._cards:
            self._grid.removeWidget(card)
            card.deleteLater()
        self._cards = [RecentCard(one) for one in preferences.recent()]
        for number, card in enumerate(self._cards):
            card.clicked.connect(lambda _=False, folder=card.recent.folder: self.recent_chosen.emit(folder))
            self._grid.addWidget(card, number // _COLUMNS, number % _COLUMNS, Qt.AlignmentFlag.AlignLeft)
        self._recent_title.setVisible(bool(self._cards))
        self._background.ask([card.recent.picture for card in self._cards if card.recent.picture])

    @Slot(object, object)
    def _picture_came(self, file: object, picture: object) -> None:
        for card in self._cards:
            if card.recent.picture == file and isinstance(picture, QImage):
                card.show_picture(picture)

    def closing(self) -> None:
        self._background.close()


class RecentCard(QAbstractButton):
    """A recent project: a picture of it, its name and its folder."""

    def __init__(self, recent: preferences.Recent) -> None:
        super().__init__()
        self.recent = recent
        self.setObjectName("recent-card")
        self.setText(recent.name)
        self.setAccessibleName(f"Open {recent.name}")
        self.setToolTip(str(recent.folder))
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(_CARD)
        self._picture = QImage()

    def show_picture(self, picture: QImage) -> None:
        self._picture = picture
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        frame = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        lit = self.underMouse() or self.hasFocus()
        painter.setPen(theme.colour("accent" if lit else "border"))
        painter.setBrush(theme.colour("hover" if lit else "surface"))
        painter.drawRoundedRect(frame, 6, 6)
        space = QRectF(1, 1, self.width() - 2, _PICTURE)
        if not self._picture.isNull():
            painter.drawImage(space, self._picture, _cover(self._picture, space))
        else:
            theme.icon("mdi6.image-outline").paint(painter, space.toRect().adjusted(40, 40, -40, -40))
        words = QRectF(10, _PICTURE + 6, self.width() - 20, 20)
        self._line(painter, words, self.text(), "text")
        painter.setFont(theme.font(theme.SMALL))
        self._line(painter, words.translated(0, 19), str(self.recent.folder), "muted")
        painter.end()

    def _line(self, painter: QPainter, area: QRectF, text: str, colour: str) -> None:
        painter.setPen(theme.colour(colour))
        cut = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, int(area.width()))
        painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter), cut)


def _cover(picture: QImage, space: QRectF) -> QRectF:
    """The middle part of `picture` that has the shape of `space`."""
    scale = min(picture.width() / space.width(), picture.height() / space.height())
    width, height = space.width() * scale, space.height() * scale
    return QRectF((picture.width() - width) / 2, (picture.height() - height) / 2, width, height)


def _thumbnail(file: object) -> QImage:
    from workbench.core import images
    from workbench.ui.pictures import to_qimage

    return to_qimage(images.thumbnail(Path(str(file)), 2 * _CARD.width()))


def free_folder(folder: Path) -> Path:
    """`folder`, or the same with a number when there is something in that place."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name} {number}")
    return free
