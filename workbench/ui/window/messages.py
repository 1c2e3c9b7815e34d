"""The quiet corner: a sentence at the bottom that stays a while, takes no focus, and is logged and announced."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, QTimer, Slot
from PySide6.QtGui import QHideEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QStackedWidget, QToolButton

from workbench.ui import keys, theme
from workbench.ui.actions import key_text, make_action, tell_key
from workbench.ui.page import Page
from workbench.ui.widgets.announcements import announce

_OFFERED = {"hint": 60.0}  # seconds that a message with a button stays: the user has to think
_TAKEN = 20.0
_SECONDS = {"info": 4.0, "hint": 12.0, "warning": 10.0, "error": 20.0}  # at least
_PER_LETTER = 0.06  # seconds: the reading speed of subtitles, 17 letters per second
_ICONS = {
    "info": "mdi6.information-outline",
    "hint": "mdi6.lightbulb-on-outline",
    "warning": "mdi6.alert-outline",
    "error": "mdi6.alert-circle-outline",
}
_WIDTH = 420
_FOOT = 56  # px below the message
_GAP = 8  # px above a table


class Messages(QFrame):
    """Lies over its parent's lower edge, in the middle, where pictures and plots are; the sides have buttons.
    `say` replaces the sentence; `offer` puts a button beside it, which has a key, as it takes no focus.
    """

    def __init__(self, parent: QStackedWidget) -> None:
        super().__init__(parent)
        self._over = parent
        self.setObjectName("messages")
        self.setProperty("role", "card")
        self.setAutoFillBackground(True)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(12, 8, 4, 8)
        self._icon = QLabel()
        self._text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._text.setObjectName("message-text")
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        close = QToolButton(autoRaise=True)
        close.setToolTip("Close this message")
        close.setAccessibleName("Close this message")
        close.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        theme.set_icon(close, "mdi6.close")
        close.clicked.connect(self.hide)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self._text, 1)
        self._button = QPushButton()
        self._button.setObjectName("message-button")
        self._button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._button.clicked.connect(self._do_it)
        self._button.hide()
        tell_key(self._button, "message")
        self._answer = make_action(self, "message", self._do_it, context=Qt.ShortcutContext.WindowShortcut)
        self._answer.setEnabled(False)
        self._act: Callable[[], object] | None = None
        layout.addWidget(self._button, 0, Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignTop)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self.hide)
        self._level = "info"
        parent.installEventFilter(self)
        self.hide()

    @Slot(str, str)
    def say(self, level: str, sentence: str) -> None:
        self._level = level
        theme.set_pixmap(self._icon, _ICONS.get(level, _ICONS["info"]), 20)
        self._text.setText(sentence)
        self._act = None
        self._button.hide()
        self._answer.setEnabled(False)
        self.setAccessibleName(sentence)
        self._timer.start(int(max(_SECONDS.get(level, 4.0), _PER_LETTER * len(sentence)) * 1000))
        self.show()
        self.place()
        announce(self, sentence, urgent=level in ("warning", "error"))

    @Slot(str, object)
    def offer(self, word: str, act: Callable[[], object]) -> None:
        """Add a button with this word, which calls `act` and disappears with the message."""
        self._act = act
        self._button.setText(word)
        self._button.show()
        self._answer.setEnabled(True)
        self._timer.start(int(_OFFERED.get(self._level, _TAKEN) * 1000))
        self.place()
        announce(self, ": ".join([word, *map(key_text, keys.of("message")[:1])]))

    @Slot()
    def _do_it(self) -> None:
        act, self._act = self._act, None
        self.hide()
        if act is not None:
            act()

    @Slot()
    def go(self) -> None:
        """The project closes: drop messages about it; any shown while it closes stays for its time."""
        self._timer.stop()
        self.hide()

    def hideEvent(self, event: QHideEvent) -> None:
        if not event.spontaneous():  # a minimised window's message is still there
            self._answer.setEnabled(False)
        super().hideEvent(event)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize:
            self.place()
        return False

    @Slot()
    def place(self) -> None:
        """Lie on top, in the middle of the lower edge; above a table there if the page has one and room."""
        parent, page = self._over, self._over.currentWidget()
        width = min(_WIDTH, parent.width() - 32)
        height = self.heightForWidth(width)
        table = page.lower_table if isinstance(page, Page) else None
        end = parent.height() - _FOOT
        if table is not None and table.isVisible() and (above := table.mapTo(parent, QPoint()).y() - _GAP) >= height:
            end = min(end, above)
        self.setGeometry((parent.width() - width) // 2, end - height, width, height)
        self.raise_()
