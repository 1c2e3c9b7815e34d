"""Tables that look alike: hundreds of rows are filled without measuring all of them after each cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRect, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHeaderView, QTableView, QTableWidget, QTableWidgetItem, QTreeView
from pytestqt.qtbot import QtBot

from tests.raising import interrupt
from tests.ui.window_driver import Open, find
from workbench.core.project import Label
from workbench.ui.anchors.computation import ChosenBoxes
from workbench.ui.anchors.details import Details, LabelDetails
from workbench.ui.anchors.tables import LabelsView
from workbench.ui.commands import PAGES
from workbench.ui.train.compare.tables import SUMMARY
from workbench.ui.widgets.sort_header import SortHeader
from workbench.ui.widgets.tables import align_heads, deferred_column_sizing

FIT = QHeaderView.ResizeMode.ResizeToContents


def test_columns_fit_again_after_the_table_was_filled(qtbot: QtBot) -> None:
    table = QTableWidget(1, 2)
    qtbot.addWidget(table)
    table.horizontalHeader().setSectionResizeMode(1, FIT)
    table.show()
    with pytest.raises(ZeroDivisionError), deferred_column_sizing(table):
        table.setItem(0, 1, QTableWidgetItem("a long sentence that wants room " * 5))
        interrupt()
    assert table.horizontalHeader().sectionResizeMode(0) == QHeaderView.ResizeMode.Interactive
    assert table.horizontalHeader().sectionResizeMode(1) == FIT
    qtbot.waitUntil(lambda: table.columnWidth(1) > 300)


@pytest.mark.parametrize("order", list(Qt.SortOrder))
def test_the_arrow_of_the_order_stands_beside_the_words_of_its_column(qtbot: QtBot, order: Qt.SortOrder) -> None:
    table = QTableWidget(1, 2)
    qtbot.addWidget(table)
    header = SortHeader(table)
    table.resize(400, 100)
    table.setHorizontalHeaderLabels(["Name", "Missed"])
    align_heads(header, (1,))
    table.setSortingEnabled(True)
    for column in range(2):
        table.setColumnWidth(column, 150)
    table.show()

    for section, words in enumerate(("Name", "Missed")):
        table.sortByColumn(1 - section, order)
        without = header.grab().toImage()
        table.sortByColumn(section, order)
        left, wide = header.sectionViewportPosition(section), header.fontMetrics().horizontalAdvance(words)
        arrow = header.arrow(QRect(left, 0, 150, header.height()), section)
        area = arrow.boundingRect()
        within, beside = (left + 150 - wide, area.right()) if section else (area.left(), left + wide)
        assert 0 < within - beside < 12
        assert header.grab().toImage().pixel(area.center().toPoint()) != without.pixel(area.center().toPoint())
        assert (arrow.at(2).y() > area.center().y()) == (order == Qt.SortOrder.DescendingOrder)


def test_hundreds_of_labels_on_the_anchors_page_are_measured_a_few_times(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = LabelsView()
    qtbot.addWidget(view)
    view.show()
    some = ChosenBoxes(np.arange(2), np.arange(2), "")
    labels = [Label(n + 1, f"part {n}") for n in range(300)]
    told = Details(tuple(LabelDetails(n, some, 0.5, 0.25, some, some) for n in range(300)), (), ())
    view.show_details(told, labels)
    qtbot.wait(300)  # not until it was laid out does a table measure itself at each change
    table = find(view, QTableWidget, "anchors-labels")
    measured: list[int] = []
    monkeypatch.setattr(table, "sizeHintForColumn", lambda column: measured.append(column) or 50)
    view.show_details(told, labels)
    qtbot.wait(50)
    assert table.item(299, 0).text() == "part 299"
    assert len(measured) < 60


NUMBERS = {
    "Boxes", "AP50", "AP", "At least", "Precision", "Recall", "Missed", "False", "Epochs", "Size", "Size (px)",
    "Times", "Costs AP50", "Count", "Fixed", "Regr.", "Change", "k", "IoU %", "> 0.5 %", "< 4 × %", "Stride",
    "Mean IoU", "Worst", "< 0.5", "Width (px)", "Height (px)", "Images", "Train", "Validation", "Test",
    "Boxes after it", "Input px", "Not learnt", "Small", "Medium", "Large", "Turn",
}  # fmt: skip
EITHER = {"Share", "", "Interval"}  # of two tables; of a bar; of whiskers


def test_heads_begin_with_a_capital_and_stand_over_their_columns(open_window: Open, project: Path) -> None:
    window = open_window(project, "data")
    for page in PAGES:
        window.show_page(page)
    for name in ("check-data", "split", "seen", "history", "plugins"):
        find(window, QAction, f"action-{name}").trigger()
    heads, at_right, across = list(SUMMARY), set(), Qt.Orientation.Horizontal
    tables: list[QTableView | QTreeView] = [*window.findChildren(QTableView), *window.findChildren(QTreeView)]
    for table in tables:
        header = table.horizontalHeader() if isinstance(table, QTableView) else table.header()
        for column in range(header.count() if not header.isHidden() else 0):
            head = str(table.model().headerData(column, across) or "")
            side = table.model().headerData(column, across, Qt.ItemDataRole.TextAlignmentRole)
            heads.append(head)
            if int(header.defaultAlignment() if side is None else side) & int(Qt.AlignmentFlag.AlignRight):
                at_right.add(head)
    assert {"Run", "At least", "Learnt by", "Not learnt", "Width (px)", "What was found", "Verified"} <= set(heads)
    assert {head for head in heads if head[:1].islower()} == {"k"}, "a symbol"
    assert at_right - EITHER == NUMBERS
