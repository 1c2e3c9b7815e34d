"""The top line: menus, the project's name and numbers, whether all is saved, and the search field for anything."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenuBar, QPushButton, QSizePolicy, QToolButton, QWidget

from workbench.core.formatting import count
from workbench.ui import theme
from workbench.ui.actions import tell_key, write_key
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedLabel

_COUNT_AFTER = 150
"""Milliseconds after the last edit until boxes are counted again: counting a million takes 40 ms."""
_ALL_DONE = "All images are done or verified. Click to show them."


class TopBar(QFrame):
    """Follows the session. The menus belong to the window."""

    def __init__(self, session: Session, menus: QMenuBar, find: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("top-bar")
        self.setProperty("role", "bar")
        self._session = session
        menus.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Preferred)  # elide the name before menus fold
        _follow_theme(menus)
        self._name = ElidedLabel()
        self._name.setObjectName("project-name")
        self._name.setFont(theme.font(theme.BODY, bold=True))
        self._name.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._images = self._number("project-images", "Show all images", self._ask_images)
        self._boxes = self._number("project-boxes", "Show the images that have boxes", self._ask_labelled)
        self._done = self._number("project-done", "", self._ask_not_done)
        self._saved = QLabel()
        self._saved.setObjectName("saved-state")
        self._find = QPushButton()
        write_key(self._find, "find", "Find anything   {}")
        self._find.setObjectName("find-button")
        tell_key(self._find, "find")
        self._find.setMinimumWidth(220)
        theme.set_icon(self._find, "mdi6.magnify")
        self._find.clicked.connect(find.trigger)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 4, 8, 4)
        layout.setSpacing(theme.GRID * 2)
        numbers = QHBoxLayout()
        numbers.setSpacing(0)
        numbers.addWidget(self._images)
        numbers.addWidget(self._boxes)
        numbers.addWidget(self._done)
        for widget in (menus, self._name):
            layout.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addLayout(numbers)
        layout.addWidget(self._saved, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addStretch(1)
        layout.addWidget(self._find)
        self._later = QTimer(self, singleShot=True, interval=_COUNT_AFTER)
        self._later.timeout.connect(self._count)
        session.document_changed.connect(self._count)
        session.edited.connect(self._count_soon)
        session.images_found.connect(self._count_soon)
        self._count()

    def _number(self, name: str, help: str, slot: Callable[[], object]) -> QToolButton:
        number = QToolButton(autoRaise=True)
        number.setObjectName(name)
        number.setProperty("role", "count")
        number.setToolTip(help)
        number.setCursor(Qt.CursorShape.PointingHandCursor)
        number.clicked.connect(slot)
        return number

    @Slot()
    def _ask_images(self) -> None:
        self._session.page_requested.emit("data")
        self._session.images_requested.emit(None, "")

    @Slot()
    def _ask_labelled(self) -> None:
        document = self._session.document
        if document is not None:
            images = document.images()
            some = document.counts().of(images.ids) > 0
            self._session.page_requested.emit("data")
            self._session.images_requested.emit(frozenset(images.ids[some].tolist()), "with boxes")

    @Slot()
    def _ask_not_done(self) -> None:
        """Show the images still to do, without those that are done meanwhile; if there are none, all."""
        from workbench.ui.images.images_model import Filter  # needs NumPy, which painting the window comes before

        document = self._session.document
        if document is not None:
            self._session.page_requested.emit("data")
            self._session.gallery_requested.emit(Filter(unfinished=not document.images().finished.all()))

    @Slot()
    def _count_soon(self, _what: object = None) -> None:
        if not self._later.isActive():  # signals come faster than that: they must not postpone it forever
            self._later.start()

    @Slot()
    def _count(self) -> None:
        document = self._session.document
        for widget in (self._name, self._images, self._boxes, self._done, self._saved):
            widget.setVisible(document is not None)
        if document is None:
            return
        self._name.setText(document.title)
        self._name.setToolTip(str(document.folder))
        images, boxes = len(document.images()), document.counts().total
        self._images.setText(count(images, "image"))
        self._boxes.setText(count(boxes, "box"))
        self._boxes.setEnabled(boxes > 0)
        done = int(document.images().finished.sum())
        self._done.setText(f"{done:,} done")
        left = images - done
        self._done.setToolTip(f"Show the {count(left, 'image')} not done yet" if left else _ALL_DONE)
        self._done.setEnabled(images > 0)
        _give_role(self._done, "count" if left or not images else "ok")
        if document.read_only:
            self._say("read only", "error", document.why_read_only)
        else:
            self._say("saved", "ok", "Every edit is on disk as soon as it is made; there is no Save button to forget.")
        if (layout := self.layout()) is not None:
            layout.activate()  # an opening project is painted before its first page, and that before pending layouts

    def _say(self, word: str, role: str, why: str) -> None:
        self._saved.setText(word)
        self._saved.setToolTip(why)
        _give_role(self._saved, role)


def _give_role(widget: QWidget, role: str) -> None:
    """Set the role by which the theme's style sheet colours it."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        widget.style().unpolish(widget)
        widget.style().polish(widget)


def _follow_theme(menus: QMenuBar) -> None:
    """Recolour the button of a menu bar that is folded nevertheless: Qt draws it black in every palette."""
    more = menus.findChild(QToolButton, "qt_menubar_ext_button")
    if isinstance(more, QToolButton):
        theme.set_icon(more, "mdi6.chevron-double-right")
