"""Above the plot of box sizes: a sentence on what it shows, colours, axes, and choosing a region."""

from __future__ import annotations

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from workbench.ui import theme
from workbench.ui.actions import tell_key
from workbench.ui.anchors.controls import make_combo
from workbench.ui.anchors.fitting_label import FittingLabel

NARROW = 640  # px of width below which full words on the buttons would leave no room for the sentence


class PlotBar(QWidget):
    """Above the plot: colours, axes, choosing a region, and a sentence. What its parts do is up to Plots."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._sentences: tuple[str, ...] = ("",)
        self._region = ""
        self.about = FittingLabel()
        self.about.setObjectName("anchors-about")
        self.about.setProperty("role", "muted")
        self.colours = make_combo(
            "anchors-colours", {"anchor": "by anchor", "label": "by label", "split": "by split"}, "What colours tell."
        )
        self.colours.setAccessibleName("Colours")
        self.log = QCheckBox("Logarithmic")
        self.log.setObjectName("anchors-log")
        tell_key(
            self.log,
            "anchors-log",
            "{}: equal factors look equally far apart, which is better when boxes are of very different sizes.",
        )
        self.choose = QPushButton("Choose a region")
        self.choose.setCheckable(True)
        self.choose.setObjectName("anchors-region")
        tell_key(self.choose, "anchors-region", "{}; Shift and drag does the same at any time.")
        theme.set_icon(self.choose, "mdi6.selection-drag")
        self.gallery = QPushButton("Show in the gallery")
        self.gallery.setObjectName("anchors-gallery")
        self.gallery.setToolTip("The images with boxes in the region, on the Data page.")
        self.drop = QPushButton("Clear")
        self.drop.setObjectName("anchors-drop-region")
        self.drop.setToolTip("Clear the region.")
        self.whole = QPushButton("Show all")
        self.whole.setObjectName("anchors-show-all")
        tell_key(self.whole, "anchors-show-all", "{}. The wheel zooms, a drag moves the picture.")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.about, 1)
        for widget in (self.gallery, self.drop, self.choose, self.whole, self.colours, self.log):
            row.addWidget(widget)
        self.show_region("")

    def tell(self, *sentences: str) -> None:
        """Show the first that fits of these ever shorter sentences; a region's sentence hides it."""
        self._sentences = sentences
        self._say()

    def show_region(self, sentence: str, *, is_empty: bool = False) -> None:
        """The sentence on the chosen region, "" without one."""
        self._region = sentence
        self.gallery.setEnabled(not is_empty)
        self.gallery.setVisible(bool(sentence))
        self.drop.setVisible(bool(sentence))
        self._say()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_narrow = self.width() < NARROW
        self.choose.setText("Region" if is_narrow else "Choose a region")
        self.gallery.setText("Gallery" if is_narrow else "Show in the gallery")
        self.log.setText("Log" if is_narrow else "Logarithmic")

    def _say(self) -> None:
        self.about.say(*((self._region,) if self._region else self._sentences))
