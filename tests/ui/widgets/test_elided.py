"""Labels whose text is cut: the tooltip has it whole, and keeps what it said anyway."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from itertools import combinations
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QFontMetrics, QFontMetricsF, QHelpEvent, QImage, QTextDocumentFragment
from PySide6.QtWidgets import QApplication, QHeaderView, QListView, QStyleOptionViewItem, QTableView, QToolTip
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.ui import theme
from workbench.ui.annotate.canvas import Canvas
from workbench.ui.data import labels_table
from workbench.ui.data.labels_model import NAME
from workbench.ui.images import boxes_painter
from workbench.ui.widgets import rows, tooltips
from workbench.ui.widgets.elided import ElidedCombo, ElidedLabel, cut_apart

LONG = "In training: 6 anchors, 416 px, mean IoU was 71.2 %"


ALIKE = ("Speed limit (20km/h)", "Speed limit (30km/h)", "species 07 of the genus", "species 12 of the genus")


@pytest.mark.parametrize("font", ["regular", "small"])
@pytest.mark.parametrize("letters", [9, 10, 11, 12, 13, 14])
def test_names_that_are_alike_are_elided_so_that_they_differ(qtbot: QtBot, font: str, letters: int) -> None:
    """Twenty labels of a list read "specie…genus"."""
    metrics = QFontMetricsF(theme.font(theme.SMALL if font == "small" else theme.BODY))
    room = round(letters * metrics.horizontalAdvance("0"))
    names = (*ALIKE, "Kraftfahrzeug-Haftpflichtversicherung", "WBC")
    cut = [cut_apart(name, names, metrics, room) for name in names]
    for one, other in combinations(range(len(names)), 2):
        assert not _looks_like(cut[one], names[other]), (cut[one], names[other])
        assert not _looks_like(cut[other], names[one]), (cut[other], names[one])
    assert all(metrics.horizontalAdvance(one) <= room for one in cut)
    assert cut[-2] == metrics.elidedText(names[-2], Qt.TextElideMode.ElideMiddle, room)
    assert cut[-1] == "WBC"
    twins = ("a" * 50, "a" * 49)
    assert cut_apart(twins[0], twins, metrics, room) == metrics.elidedText(twins[0], Qt.TextElideMode.ElideMiddle, room)


def _looks_like(cut: str, name: str) -> bool:
    beginning, dots, end = cut.partition("…")
    return name.startswith(beginning) and name.endswith(end) if dots else cut == name


def test_lists_of_labels_and_boxes_and_the_names_on_boxes_tell_labels_apart(
    qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels(tuple(Label(0, name) for name in ALIKE[2:])))
        document.draw((Box(0, document.images()[0].id, document.labels()[0].id, (20, 20, 42, 60)),))
    cut: dict[str, set[str]] = {}
    for where in (rows, labels_table, boxes_painter):

        def noting(
            name: str, others: Collection[str], metrics: QFontMetrics, room: int, where: str = where.__name__
        ) -> str:
            cut.setdefault(where.rpartition(".")[2], set()).update(others)
            return cut_apart(name, others, metrics, room)

        monkeypatch.setattr(where, "cut_apart", noting)
    window = open_window(project)
    find(window, Canvas, "canvas").grab()
    find(window, QListView, "box-list").grab()
    window.show_page("data")
    find(window, QTableView, "labels-table").grab()
    assert cut == {"rows": set(ALIKE[2:]), "labels_table": set(ALIKE[2:]), "boxes_painter": set(ALIKE[2:])}


def test_what_a_tooltip_says_is_not_lost_where_the_text_is_cut(qtbot: QtBot) -> None:
    label = ElidedLabel(LONG)
    label.setToolTip("10×13, 16×30")
    qtbot.addWidget(label)
    label.resize(80, 20)
    label.show()
    label.grab()  # painted
    assert label.full_tooltip == f"{LONG}\n10×13, 16×30"
    place = QPoint(4, 4)
    QApplication.sendEvent(label, QHelpEvent(QEvent.Type.ToolTip, place, label.mapToGlobal(place)))
    assert QToolTip.text() == label.full_tooltip
    QToolTip.hideText()
    label.resize(800, 20)
    assert label.full_tooltip == "10×13, 16×30"
    label.setToolTip("")
    label.resize(80, 20)
    label.grab()
    assert label.full_tooltip == LONG
    label.setText("short")
    label.grab()
    assert label.full_tooltip == "", "not the text before"


def test_the_note_on_an_image_is_told_where_its_name_is_cut(open_window: Open, project: Path) -> None:
    name = "a-photograph-with-a-name-that-is-much-longer-than-the-line-above-the-picture-has-room-for-" * 2
    (project.parent / "photographs" / "a.png").rename(project.parent / "photographs" / f"{name}.png")
    with Document.create(project.parent / "long", project.parent / "photographs") as document:
        document.do(edits.SetNote((document.images()[0].id,), "ask Anna"))
    window = open_window(project.parent / "long")
    label = find(window, ElidedLabel, "image-name")
    label.grab()
    assert label.full_tooltip.splitlines()[1:] == ["ask Anna", "200 × 100, unlabelled"]


def test_names_that_are_alike_differ_as_they_are_painted(qtbot: QtBot, open_window: Open, project: Path) -> None:
    """The style elided "species 07 of t…" once more, in its middle."""
    with Document.open(project) as document:
        document.do(edits.AddLabels(tuple(Label(0, f"birds: species {n:02} of the genus") for n in range(9))))
    window = open_window(project, "data")
    view = find(window, QTableView, "labels-table")
    index = view.model().index(5, NAME)
    option = QStyleOptionViewItem()
    view.initViewItemOption(option)
    option.rect = view.visualRect(index)
    delegate = view.itemDelegateForIndex(index)
    assert isinstance(delegate, labels_table.LabelNames)
    delegate.initStyleOption(option, index)
    assert option.text.startswith("birds: species 05")
    assert option.text.endswith("…")
    cell = view.visualRect(index).adjusted(0, 0, -4, 0)

    def painted() -> QImage:
        image: QImage = view.viewport().grab(QRect(view.visualRect(index).topLeft(), cell.size())).toImage()
        return image

    narrow = painted()
    label = window.session.document.labels()[5]
    window.session.do(edits.ChangeLabel(dataclasses.replace(label, name=option.text)))
    view.horizontalHeader().setSectionResizeMode(NAME, QHeaderView.ResizeMode.Fixed)
    view.horizontalHeader().resizeSection(NAME, 400)
    assert painted() == narrow


def test_a_list_of_which_nothing_is_chosen_shows_its_placeholder(qtbot: QtBot) -> None:
    """Without it, the list of who suggests boxes was a blank field in a project without runs."""
    combo = ElidedCombo("who", "Who suggests", "Who suggests boxes.")
    qtbot.addWidget(combo)
    combo.setPlaceholderText("choose one …")
    combo.addItem("A file…")
    combo.setCurrentIndex(-1)
    combo.resize(200, 24)
    combo.show()
    assert combo.shown_text() == "choose one …"
    combo.setCurrentIndex(0)
    assert combo.shown_text() == "A file…"


def test_a_name_that_is_html_is_told_as_it_is_written(qtbot: QtBot) -> None:
    """A label or file called <b>x</b> was x in bold, and one called <img> nothing."""
    row = rows.RowsModel()
    row.set_rows([rows.ListRow(1, "<img>")])
    combo, label = ElidedCombo("list", "List", "What it is for."), ElidedLabel()
    for one in (combo, label):
        qtbot.addWidget(one)
        one.resize(30, 20)
    combo.addItem("<b>a name that is cut</b>")
    label.setText("<b>a name that is cut</b>")
    at = QPoint(5, 5)
    QApplication.sendEvent(combo, QHelpEvent(QEvent.Type.ToolTip, at, combo.mapToGlobal(at)))
    label.show()
    QApplication.sendEvent(label, QHelpEvent(QEvent.Type.ToolTip, at, label.mapToGlobal(at)))
    shown = row.index(0, 0).data(Qt.ItemDataRole.ToolTipRole), combo.toolTip(), QToolTip.text()
    for words, written in zip(
        shown, ("<img>", "<b>a name that is cut</b>\nWhat it is for.", label.text()), strict=True
    ):
        assert QTextDocumentFragment.fromHtml(words).toPlainText() == written
    assert tooltips.plain("a < b\nc") == "a < b\nc"
