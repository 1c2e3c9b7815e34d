"""What a plan found, in five lists, and three sample images below them."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QSplitter, QTabWidget, QVBoxLayout, QWidget

from workbench.core.document import Document
from workbench.ui.data.importing import remark_groups
from workbench.ui.data.importing.choices import button
from workbench.ui.data.importing.differences_table import DifferencesTable
from workbench.ui.data.importing.findings import ImportFindings
from workbench.ui.data.importing.labels_view import LabelsView
from workbench.ui.data.importing.remarks_view import RemarksView
from workbench.ui.data.importing.samples import SHOWN, Samples, make_sample
from workbench.ui.widgets import window_geometry

_TABS = ("Recognised", "Repaired", "Left out", "Differences", "Labels")
_RECOGNISED, _REPAIRED, _LEFT, _DIFFERENCES, _LABELS = range(len(_TABS))


class FindingsView(QWidget):
    """`close_down` before its owner goes."""

    def __init__(self) -> None:
        super().__init__()
        self._document: Document | None = None
        self._found: ImportFindings | None = None
        self._at = 0  # place in found.samples of the first image that is shown
        self.recognised = RemarksView("import-recognised", "What was recognised")
        self.repaired = RemarksView("import-repaired", "What is repaired")
        self.left = RemarksView("import-left", "What is left out", opened=True)
        self.differences = DifferencesTable()
        self.labels = LabelsView()
        self.samples = Samples()
        self.tabs = QTabWidget()
        self.tabs.setObjectName("import-tabs")
        for widget, title in zip(
            (self.recognised, self.repaired, self.left, self.differences, self.labels), _TABS, strict=True
        ):
            self.tabs.addTab(widget, title)
        self._copy = button("import-copy-all", "Copy all", self._copy_all)
        self._copy.setToolTip("Copy all lines of this list as text")
        self.tabs.setCornerWidget(self._copy)
        self.tabs.currentChanged.connect(self._changed)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setObjectName("import-splitter")
        splitter.addWidget(self.tabs)
        splitter.addWidget(self.samples)
        splitter.setSizes([220, 240])
        splitter.setChildrenCollapsible(False)
        window_geometry.remember_panes(splitter, "import/splitter")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(splitter)
        self.samples.others_requested.connect(self.show_others)
        self.differences.image_chosen.connect(self._show_image)

    def show_findings(self, document: Document, found: ImportFindings, *, is_new_source: bool) -> None:
        """`is_new_source`: other files; else the same ones under other settings, and what was looked at stays."""
        self._document, self._found = document, found
        self.recognised.show_groups(found.recognised)
        self.repaired.show_groups(found.repaired)
        self.left.show_groups(found.left)
        self.differences.show_differences(found.differences)
        self.labels.show_labels(found.labels, document.labels())
        for place, count in (
            (_REPAIRED, remark_groups.count(found.repaired)),
            (_LEFT, remark_groups.count(found.left)),
            (_DIFFERENCES, len(found.differences.items)),
            (_LABELS, len(found.labels)),
        ):
            self.tabs.setTabText(place, f"{_TABS[place]} ({count:,})")
            self.tabs.setTabEnabled(place, count > 0)
        if is_new_source:
            self._at = 0
            first = _DIFFERENCES if found.differences.items else _RECOGNISED
            self.tabs.setCurrentIndex(_LABELS if found.are_labels_alike else first)
        self._show_samples(found.samples[self._at : self._at + SHOWN])

    @Slot(int)
    def _changed(self, _place: int) -> None:
        self._copy.setVisible(isinstance(self.tabs.currentWidget(), RemarksView))

    @Slot()
    def _copy_all(self) -> None:
        shown = self.tabs.currentWidget()
        if isinstance(shown, RemarksView):
            shown.copy_all()

    @Slot()
    def show_others(self) -> None:
        """The next three, and after the last ones the first again."""
        if self._found is not None:
            self._at += SHOWN
            if self._at >= len(self._found.samples):
                self._at = 0
            self._show_samples(self._found.samples[self._at : self._at + SHOWN])

    @Slot(int)
    def _show_image(self, row: int) -> None:
        """This one before two others."""
        if self._found is not None:
            rest = [other for other in self._found.samples[self._at : self._at + SHOWN] if other != row]
            self._show_samples((row, *rest))

    def _show_samples(self, rows: tuple[int, ...]) -> None:
        assert self._document is not None
        assert self._found is not None
        found = self._found
        self.samples.show_samples(
            [make_sample(self._document, found, row) for row in rows[:SHOWN]], more=len(found.samples) > SHOWN
        )

    def close_down(self) -> None:
        self.samples.close_down()
        self._document = self._found = None
