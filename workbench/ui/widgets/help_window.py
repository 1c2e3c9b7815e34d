"""Help pages: the Markdown files of resources/help, shown beside the work."""

from __future__ import annotations

from PySide6.QtCore import QUrl, Slot
from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from workbench.core.files import resource
from workbench.ui import theme
from workbench.ui.commands import HELP


class HelpWindow(QDialog):
    """Not modal: it may stay open beside the work. `name` is one of HELP. Links lead to other pages, Alt+Left back."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("help-window")
        text = QTextBrowser(openExternalLinks=True)
        text.setObjectName("help-text")
        text.setAccessibleName("Help")
        text.setFrameShape(QTextBrowser.Shape.NoFrame)
        text.document().setDocumentMargin(3 * theme.GRID)
        text.sourceChanged.connect(self._turned)
        text.setSource(QUrl.fromLocalFile(str(resource("help", f"{name}.md"))))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(text)
        self.resize(min(1040, parent.width() - 40), min(760, parent.height() - 40))

    @Slot(QUrl)
    def _turned(self, page: QUrl) -> None:
        self.setWindowTitle(HELP[page.fileName().removesuffix(".md")])
