"""Help pages: the Markdown files in resources/help, shown beside the work."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Slot
from PySide6.QtGui import QKeySequence, QShortcut, QTextCursor, QTextFrameFormat, QTextTable
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QTextBrowser, QVBoxLayout, QWidget

from workbench.core.files import resource
from workbench.ui import theme
from workbench.ui.actions import native_keys
from workbench.ui.commands import HELP


class _Pages(QTextBrowser):
    """Shows keys by their names on this system."""

    def loadResource(self, type: int, name: QUrl | str) -> object:
        page = QUrl(name)
        if page.isLocalFile() and page.fileName().endswith(".md"):
            return native_keys(Path(page.toLocalFile()).read_text(encoding="utf-8"))
        return super().loadResource(type, name)


class HelpWindow(QDialog):
    """Not modal: it may stay open beside the work. `name` is one of HELP. Links open other pages."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("help-window")
        self._text = text = _Pages(openExternalLinks=True)
        text.setObjectName("help-text")
        text.setAccessibleName("Help")
        text.setFrameShape(QTextBrowser.Shape.NoFrame)
        text.document().setDocumentMargin(3 * theme.GRID)
        bar = self._bar()
        text.sourceChanged.connect(self._turned)
        text.setSource(QUrl.fromLocalFile(str(resource("help", f"{name}.md"))))
        theme.theme().changed.connect(self._rule_tables)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(bar)
        column.addWidget(text)
        text.setFocus()
        self.resize(min(1040, parent.width() - 40), min(760, parent.height() - 40))

    def search(self, words: str) -> None:
        """Find them on the page, as if they were typed into its field."""
        self._field.setText(words)

    def _bar(self) -> QHBoxLayout:
        """Back, and a field to search the page."""
        back = QPushButton("Back", autoDefault=False)
        back.setEnabled(False)
        back.setObjectName("help-back")
        back.setToolTip(native_keys("The page before (Alt+Left)"))
        back.clicked.connect(self._text.backward)
        self._text.backwardAvailable.connect(back.setEnabled)
        self._field = QLineEdit(placeholderText="Find on this page", clearButtonEnabled=True)
        self._field.setObjectName("help-find")
        self._field.setAccessibleName("Find on this page")
        self._field.setToolTip(native_keys("Ctrl+F. Enter goes to the next place."))
        self._field.setMaximumWidth(320)
        self._field.textChanged.connect(self._find_anew)
        self._field.returnPressed.connect(self._find_next)
        self._missing = QLabel("Not on this page.")
        self._missing.setObjectName("help-missing")
        self._missing.setProperty("role", "muted")
        self._missing.hide()
        QShortcut(QKeySequence(Qt.Modifier.CTRL | Qt.Key.Key_F), self, self._to_field)
        row = QHBoxLayout()
        row.setContentsMargins(3 * theme.GRID, theme.GRID, 3 * theme.GRID, theme.GRID)
        row.addWidget(back)
        row.addStretch(1)
        row.addWidget(self._missing)
        row.addWidget(self._field, 1)
        return row

    @Slot(QUrl)
    def _turned(self, page: QUrl) -> None:
        self.setWindowTitle(HELP[page.fileName().removesuffix(".md")])
        self._missing.hide()
        self._rule_tables()

    @Slot()
    def _rule_tables(self) -> None:
        """Draw tables with the theme's lines: Qt draws them in the text's colour, twice on each side."""
        for frame in self._text.document().rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                form = frame.format()
                form.setBorderCollapse(True)
                form.setBorder(1)
                form.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
                form.setBorderBrush(theme.colour("border"))
                form.setCellPadding(theme.GRID // 2)
                form.setTopMargin(theme.GRID)
                form.setBottomMargin(theme.GRID)
                frame.setFormat(form)

    @Slot()
    def _to_field(self) -> None:
        self._field.setFocus()
        self._field.selectAll()

    @Slot()
    def _find_anew(self) -> None:
        """Search from the start of the last match: with each letter it stays, or moves to the next match."""
        cursor = self._text.textCursor()
        cursor.setPosition(cursor.selectionStart())
        self._text.setTextCursor(cursor)
        self._find_next()

    @Slot()
    def _find_next(self) -> None:
        words = self._field.text().strip()
        found = not words or self._text.find(words)
        if not found:
            kept = self._text.textCursor()
            self._text.moveCursor(QTextCursor.MoveOperation.Start)
            found = self._text.find(words)
            if not found:
                self._text.setTextCursor(kept)
        self._missing.setHidden(found)
