"""Help > About: version, licence, and what Workbench is built on."""

from __future__ import annotations

from PySide6.QtCore import Qt, qVersion
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from workbench import __version__
from workbench.ui import theme

_TEXT = """From a folder of photographs to a trained object detector, on your own machine. Nothing is sent anywhere.

Version {version}, with Qt {qt}.

Free software under the MIT licence: use, change and share it; it comes without any warranty. \
Qt and PySide6 are used under the LGPL, version 3; the icons are Material Design Icons (Apache 2.0)."""


class AboutWindow(QDialog):
    """A few sentences; the full licence is in the file LICENSE."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("about")
        self.setWindowTitle("About Workbench")
        title = QLabel("Workbench")
        title.setFont(theme.font(theme.TITLE, bold=True))
        text = QLabel(_TEXT.format(version=__version__, qt=qVersion()), wordWrap=True)
        text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(*(2 * theme.GRID,) * 4)
        layout.setSpacing(theme.GRID * 2)
        for widget in (title, text, buttons):
            layout.addWidget(widget)
        layout.setAlignment(title, Qt.AlignmentFlag.AlignLeft)
        self.setFixedWidth(480)
