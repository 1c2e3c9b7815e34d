"""The labels of the files in the import window; a person can say which label of the project each of them is."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from workbench.core import formatting, similar_names
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.actions import escape_mnemonics
from workbench.ui.data.importing.choices import button
from workbench.ui.data.importing.findings import LabelRow
from workbench.ui.widgets.label_popup import LabelPopup
from workbench.ui.widgets.rows import ListRow, RowsView

_HINT = "Does the project have one of them under another name? Choose it in the list, then say which it is."


class LabelsView(QWidget):
    """`matched` when `names`, the project's labels by those of the files, are others than before."""

    matched = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, str] = {}
        self._found: tuple[LabelRow, ...] = ()
        self._labels: tuple[Label, ...] = ()
        self.view = RowsView("import-labels-list", "Labels of the files")
        self._hint = QLabel(_HINT, wordWrap=True)
        self._hint.setObjectName("import-labels-hint")
        self._hint.setProperty("role", "muted")
        self._match = button("import-label-match", "It is …", self._ask)
        self._match.setToolTip("Give its boxes a label that the project has. The next import will know.")
        self._part = button("import-label-part", "A label of its own", self._forget_one)
        foot = QHBoxLayout()
        foot.setContentsMargins(theme.GRID, 0, theme.GRID, theme.GRID)
        foot.addWidget(self._hint, 1)
        foot.addWidget(self._part)
        foot.addWidget(self._match)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.GRID)
        layout.addWidget(self.view, 1)
        layout.addLayout(foot)
        self.view.selectionModel().selectionChanged.connect(self._enable)
        self.view.doubleClicked.connect(self._ask)
        self._enable()

    def show_labels(self, found: tuple[LabelRow, ...], labels: tuple[Label, ...]) -> None:
        """Show the labels `found` in the files, each of which may be one of the project's `labels`."""
        self._found, self._labels = found, labels
        self.view.rows.set_rows([_row(number, row) for number, row in enumerate(found)])
        self._enable()

    def forget(self) -> None:
        """Other files: nothing has been said about their labels."""
        self.names = {}

    def _chosen(self) -> LabelRow | None:
        selected = self.view.selectionModel().selectedIndexes()
        return self._found[selected[0].row()] if selected and selected[0].row() < len(self._found) else None

    @Slot()
    def _enable(self) -> None:
        row = self._chosen()
        self._hint.setVisible(bool(self._labels))
        self._match.setVisible(bool(self._labels))
        self._match.setEnabled(row is not None)
        name = escape_mnemonics(formatting.visible(row.name, 24)) if row is not None else ""
        self._match.setText(f"“{name}” is …" if name else "It is …")
        self._part.setVisible(row is not None and row.name in self.names)

    @Slot()
    def _ask(self) -> None:
        row = self._chosen()
        if row is None or not self._labels:
            return
        groups = similar_names.group_similar([*(label.name for label in self._labels), row.name])
        alike = {name for group in groups if row.name in group for name in group}
        first = sorted(self._labels, key=lambda label: label.name not in alike)
        words = f"'{row.name}' and its {formatting.count(row.boxes, 'box')} come in as the label that is chosen."
        popup = LabelPopup(first, self.window(), words, may_make=False)
        popup.chosen.connect(lambda id: self._say(row.name, next(one.name for one in first if one.id == id)))
        popup.open_at(self._match.mapToGlobal(QPoint(0, self._match.height())))

    def _say(self, theirs: str, ours: str) -> None:
        self.names = {**self.names, theirs: ours} if theirs != ours else _without(self.names, theirs)
        self.matched.emit()

    @Slot()
    def _forget_one(self) -> None:
        row = self._chosen()
        if row is not None:
            self.names = _without(self.names, row.name)
            self.matched.emit()


def _without(names: dict[str, str], name: str) -> dict[str, str]:
    return {theirs: ours for theirs, ours in names.items() if theirs != name}


def _row(number: int, row: LabelRow) -> ListRow:
    count = formatting.count(row.boxes, "box")
    here = "new to the project, " if row.is_new else f"“{row.label.name}” here, " if row.label.name != row.name else ""
    return ListRow(number, row.name, f"{here}{count}", row.label.colour)
