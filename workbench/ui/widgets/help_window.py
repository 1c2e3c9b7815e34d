"""Help pages: the Markdown files of resources/help, shown beside the work."""

from __future__ import annotations

from PySide6.QtCore import QUrl
from PySide6.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

from workbench.core.files import resource
from workbench.ui import theme
from workbench.ui.commands import HELP


class HelpWindow(QDialog):
    """Not modal: it may stay open beside the work. `name` is one of HELP."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("help-window")
        self.setWindowTitle(HELP[name])
        text = QTextBrowser(openExternalLinks=True)
        text.setObjectName("help-text")
        text.setAccessibleName("Help")
        text.setFrameShape(QTextBrowser.Shape.NoFrame)
        text.document().setDocumentMargin(3 * theme.GRID)
        text.document().setBaseUrl(QUrl.fromLocalFile(f"{resource('help')}/"))  # where its pictures are
        text.setMarkdown(resource("help", f"{name}.md").read_text(encoding="utf-8"))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(text)
        self.resize(min(1040, parent.width() - 40), min(760, parent.height() - 40))
