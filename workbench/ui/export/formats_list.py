"""The formats to choose from: a checkbox each, a sentence on its use, and why one can't be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QCheckBox, QLabel, QVBoxLayout, QWidget

from workbench.core.extras import install_command
from workbench.ui import theme
from workbench.ui.export.work import FormatChoice

EXTRA = "[export]"
_LINK = Qt.TextInteractionFlag.LinksAccessibleByMouse | Qt.TextInteractionFlag.LinksAccessibleByKeyboard
FIRST = "onnx"  # what most people want; checked at the start


def _copy(about: QLabel, words: str) -> None:
    """Copy the command to the clipboard, and say so in its place."""
    QGuiApplication.clipboard().setText(install_command(EXTRA))
    about.setText(f"{words} (copied, <a href='#'>again</a>), then start Workbench again.")


class FormatsList(QWidget):
    """`changed` when a person ticks one."""

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes: dict[str, QCheckBox] = {}
        self._files: dict[str, str] = {}
        self._titles: dict[str, str] = {}
        self._missing: set[str] = set()  # formats for which a package is missing
        self._unfit: Mapping[str, Mapping[str, str]] = {}
        self._detector = ""
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._loading = QLabel("Loading PyTorch …")
        self._loading.setObjectName("export-loading")
        self._loading.setProperty("role", "muted")
        self._column.addWidget(self._loading)

    @property
    def is_filled(self) -> bool:
        return bool(self._boxes)

    @property
    def waiting_for(self) -> str:
        """Why there are none yet."""
        return self._loading.text()

    def say(self, sentence: str) -> None:
        self._loading.setText(sentence)
        self.changed.emit()

    def fill(self, choices: tuple[FormatChoice, ...]) -> None:
        self._loading.hide()
        for choice in sorted(choices, key=lambda one: one.name != FIRST):
            box = QCheckBox(f"{choice.title}  ({choice.file})")
            box.setObjectName(f"export-format-{choice.name}")
            about = QLabel(choice.summary, wordWrap=True)
            about.setProperty("role", "muted")
            if choice.missing:
                self._missing.add(choice.name)
                box.setEnabled(False)
                words = f"Needs {', '.join(choice.missing)}. Run in a terminal: {escape(install_command(EXTRA))}"
                about.setText(f"{words} (<a href='#'>copy</a>), then start Workbench again.")
                about.setTextInteractionFlags(_LINK)
                about.linkActivated.connect(lambda _link, about=about, words=words: _copy(about, words))
                about.setObjectName(f"export-missing-{choice.name}")
            about.setContentsMargins(3 * theme.GRID, 0, 0, theme.GRID // 2)
            box.setChecked(choice.name == FIRST and not choice.missing)
            box.toggled.connect(self.changed)
            self._column.addWidget(box)
            self._column.addWidget(about)
            self._boxes[choice.name] = box
            self._files[choice.name] = choice.file
            self._titles[choice.name] = choice.title
        self.changed.emit()

    def set_unfit(self, unfit: Mapping[str, Mapping[str, str]]) -> None:
        """By detector, the formats that can't hold it, each with the reason."""
        self._unfit = unfit
        self.show_detector(self._detector)

    def show_detector(self, detector: str) -> None:
        """Disable the formats that can't hold this detector; the tooltip says why."""
        self._detector = detector
        reasons = self._unfit.get(detector, {})
        for name, box in self._boxes.items():
            why = reasons.get(name, "")
            box.setToolTip(why)
            box.setEnabled(not why and name not in self._missing)
            if why:
                box.setChecked(False)

    def title(self, name: str) -> str:
        return self._titles.get(name, name)

    def files(self) -> tuple[tuple[str, str], ...]:
        """Each format with the name of its file."""
        return tuple(self._files.items())

    def chosen(self) -> tuple[str, ...]:
        return tuple(name for name, box in self._boxes.items() if box.isChecked())
