"""The line above the canvas: tools on the left, the image's name in the middle, zoom and Done on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QAction, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QPushButton, QToolButton

from workbench.core.formatting import count
from workbench.core.project import Image
from workbench.ui import theme
from workbench.ui.actions import tell_key
from workbench.ui.images.image_delegates import STATE_ICONS
from workbench.ui.widgets.file_names import NamedLine
from workbench.ui.widgets.popups import Menu
from workbench.ui.widgets.tooltips import plain

_TINT = 45
"""Opacity, of 255, of the accent on a tool that is on."""
_ROOMY = 860
"""Least width in widget pixels at which the image's size is shown beside its name."""
_WORDY = 920
"""Least width in widget pixels at which the button of suggestions shows its word."""
_TIGHT = 620
"""Width in widget pixels below which the view's buttons are hidden: keys and the View menu have them too."""


class CanvasToolbar(QFrame):
    """Buttons for the page's actions; the page says which image is shown. `hidden` shows hidden labels again."""

    def __init__(
        self,
        tools: Sequence[QAction],
        views: Sequence[QAction],
        ends: Sequence[QAction],
        menus: Mapping[str, QMenu],
    ) -> None:
        super().__init__()
        self.setProperty("role", "bar")
        self.setObjectName("canvas-strip")
        layout = self._row = QHBoxLayout(self)
        layout.setContentsMargins(theme.GRID, 4, theme.GRID, 4)
        layout.setSpacing(2)
        self._tools = [_button(action, menus.get(action.objectName())) for action in tools]
        for button in self._tools:
            layout.addWidget(button)
        self._styles = [button.toolButtonStyle() for button in self._tools]
        layout.addSpacing(theme.GRID)
        self._icon = QLabel()
        self._name = NamedLine()
        self._name.setObjectName("image-name")
        self._note = QLabel()
        self._note.setObjectName("image-note")
        self._note.setAccessibleName("About this file")
        theme.set_pixmap(self._note, "mdi6.information-outline", 16, "accent")
        self._about = QLabel()
        self._about.setObjectName("image-about")
        self._about.setProperty("role", "muted")
        self._zoom = QLabel()
        self._zoom.setObjectName("zoom")
        self._zoom.setProperty("role", "muted")
        self._zoom.setMinimumWidth(self.fontMetrics().horizontalAdvance("6,400 %") + theme.GRID)
        self._zoom.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout.addWidget(self._icon)
        layout.addSpacing(4)
        layout.addWidget(self._name, 1)
        layout.addWidget(self._note)
        self.hidden = _hidden_button()
        layout.addWidget(self.hidden)
        layout.addWidget(self._about)
        layout.addWidget(self._zoom)
        layout.addSpacing(4)
        self._views = [_button(action, menus.get(action.objectName())) for action in views]
        for button in self._views:
            layout.addWidget(button)
        self._more = _more_button(views, menus)
        layout.addWidget(self._more)
        self.setMinimumWidth(1)  # not that of all buttons
        layout.addSpacing(theme.GRID)
        for action in ends:
            layout.addWidget(_wide_button(action))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """If space is short, the name gets it; its tooltip has the size too."""
        self._about.setVisible(self.width() >= _ROOMY)
        is_tight, beside = self.width() < _TIGHT, Qt.ToolButtonStyle.ToolButtonTextBesideIcon
        for view in self._views:
            view.setVisible(not is_tight)
        self._more.setVisible(is_tight)
        for button, style in zip(self._tools, self._styles, strict=True):
            wide = beside if button.objectName() == "button-suggest" and self.width() >= _WORDY else style
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly if is_tight else wide)
        self._give_way()
        super().resizeEvent(event)

    def _give_way(self) -> None:
        """The zoom is shown unless the name would be cut: in a window of 1280 px, 12 letters fit beside it."""
        layout = self._row
        zoom = max(self._zoom.minimumWidth(), self._zoom.sizeHint().width()) + layout.spacing()
        needed = layout.sizeHint().width() + (zoom if self._zoom.isHidden() else 0)
        self._zoom.setVisible(self.width() >= max(needed, _TIGHT))

    def show_note(self, note: str) -> None:
        """Show a sign for what users should know about the file, with the words in its tooltip."""
        self._note.setVisible(bool(note))
        self._note.setToolTip(note)
        self._note.setAccessibleDescription(note)

    def show_hidden(self, labels: int, names: str) -> None:
        """Show how many labels are hidden, and which."""
        self.hidden.setVisible(bool(labels))
        self.hidden.setChecked(True)  # a click has unchecked it
        self.hidden.setText(f"{labels}")
        self.hidden.setToolTip(plain(f"{count(labels, 'label')} hidden: {names}. Click to see the boxes again"))
        self.hidden.setAccessibleName(f"{count(labels, 'label')} hidden")

    def show_image(self, image: Image | None) -> None:
        if image is None:
            self.show_note("")
            self._icon.hide()
            self._name.set_named("")
            self._about.setText("")
            return
        name, colour = STATE_ICONS[image.state]
        theme.set_pixmap(self._icon, name, 16, colour)
        self._icon.show()
        self._name.set_named(image.path)
        size = f"{image.width:,} × {image.height:,}" if image.width else "size unknown"
        about = f"{size}, {image.state}"
        self._name.setToolTip("\n".join(line for line in (image.path, image.note, about) if line))
        self._about.setText(size)
        self._icon.setToolTip(str(image.state))
        self._give_way()

    def show_zoom(self, scale: float) -> None:
        self._zoom.setText(f"{100 * scale:,.0f} %")


def _hidden_button() -> QToolButton:
    """Marked like a tool that is on: hidden boxes are easily forgotten."""
    button = _Tool(autoRaise=True)
    button.setCheckable(True)
    button.setObjectName("hidden-labels")
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    theme.set_icon(button, "mdi6.eye-off-outline")
    button.hide()
    return button


def _more_button(actions: Sequence[QAction], menus: Mapping[str, QMenu]) -> QToolButton:
    """A menu of all of them, for when there is no room for their buttons."""
    button = QToolButton(autoRaise=True)
    button.setObjectName("button-more-views")
    button.setAccessibleName("Zoom and looks")
    button.setToolTip("More: zoom and looks")
    button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
    theme.set_icon(button, "mdi6.dots-horizontal")
    menu = Menu(button)
    for action in actions:
        below = menus.get(action.objectName())
        if below is None:
            menu.addAction(action)
        else:
            below.setTitle(action.text())
            menu.addMenu(below)
    button.setMenu(menu)
    button.hide()
    return button


def _wide_button(action: QAction) -> QPushButton:
    """Shows the command's name, and its key in the tooltip."""
    name = action.objectName().removeprefix("action-")
    button = QPushButton(name.capitalize())
    button.setObjectName(f"{name}-button")
    button.setProperty("command", name)
    tell_key(button, name)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    button.setFixedWidth(max(72, button.sizeHint().width()))
    button.clicked.connect(action.trigger)
    return button


class _Tool(QToolButton):
    """A QToolButton that stands out when it is on. A style sheet would remove its text."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.isChecked():
            painter = QPainter(self)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(theme.colour("accent"), 1.5))
            painter.setBrush(theme.colour("accent", _TINT))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
            painter.end()


def _button(action: QAction, menu: QMenu | None = None) -> QToolButton:
    """With a menu, a checkable action gets text and the menu beside it; any other button just opens the menu."""
    button = _Tool(autoRaise=True)
    button.setDefaultAction(action)
    button.setObjectName(f"button-{action.objectName().removeprefix('action-')}")
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    if menu is not None:
        button.setMenu(menu)
        modes = QToolButton.ToolButtonPopupMode
        button.setPopupMode(modes.MenuButtonPopup if action.isCheckable() else modes.InstantPopup)
        if action.isCheckable():
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    return button
