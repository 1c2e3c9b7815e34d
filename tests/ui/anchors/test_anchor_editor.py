"""The Anchors page in a person's hands: dragging, typing, comparing and keeping sets, scales, labels, regions."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QWidget,
)

from tests.ui.anchors.anchors_page_driver import AnchorsPageDriver, cells, hand
from tests.ui.window_driver import find
from workbench import anchors
from workbench.core import edits
from workbench.core.project import Box
from workbench.ui.anchors import computation
from workbench.ui.anchors.cloud import BINS, POINTS, make_cloud
from workbench.ui.anchors.computation import Boxes, PreparedBoxes, prepare
from workbench.ui.anchors.sizes_plot import SizesPlot
from workbench.ui.data.page import DataPage

__all__ = ["cells", "hand"]  # fixtures
LEFT = Qt.MouseButton.LeftButton


def mouse(widget: QWidget, kind: QEvent.Type, at: QPoint, held: Qt.MouseButton) -> None:
    button = Qt.MouseButton.NoButton if kind is QEvent.Type.MouseMove else LEFT
    place = QPointF(at)
    event = QMouseEvent(kind, place, widget.mapToGlobal(place), button, held, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


def test_a_dragged_anchor_takes_numbers_and_boxes_along(hand: AnchorsPageDriver) -> None:
    before, iou = hand.rows(), hand.text("anchors-mean-iou")
    plot = find(hand.window, SizesPlot, "anchors-plot")
    moves: list[tuple[int, float, float]] = []
    plot.dragged.connect(lambda *values: moves.append(values))
    view = plot.getPlotItem().vb
    centre = plot._centres[0].tolist()
    start = plot.mapFromScene(view.mapViewToScene(QPointF(*centre)))
    goal = plot.mapFromScene(view.mapViewToScene(QPointF(60, 60)))
    places = [start, start, *(start + (goal - start) * share for share in (0.3, 0.7, 1.0))]
    mouse(plot.viewport(), QEvent.Type.MouseMove, start, Qt.MouseButton.NoButton)
    mouse(plot.viewport(), QEvent.Type.MouseButtonPress, start, LEFT)
    for place in places:
        mouse(plot.viewport(), QEvent.Type.MouseMove, place, LEFT)
        hand.qtbot.wait(30)  # pyqtgraph takes moves that come at once for one
    mouse(plot.viewport(), QEvent.Type.MouseButtonRelease, goal, Qt.MouseButton.NoButton)
    assert moves, "it was taken hold of"
    assert hand.rows() != before
    assert float(hand.rows()[0][0]) == pytest.approx(60, abs=6)
    assert hand.text("anchors-mean-iou") != iou
    assert hand.text("anchors-progress").startswith("Moved by hand")
    find(hand.window, QPushButton, "anchors-use").click()
    kept = hand.window.session.document.anchors()
    assert kept.source == (
        "IoU k-means, median, seed 0, best of 8 starts, 26 boxes of train images, then moved by hand"
    )


def test_a_typed_side_is_taken_and_nonsense_is_not(hand: AnchorsPageDriver) -> None:
    table = find(hand.window, QTableWidget, "anchors-table")
    table.item(0, 0).setText("33,5")
    assert hand.rows()[0][0] == "33.5"
    table.item(0, 1).setText("tall")
    table.item(0, 0).setText("-4")
    assert hand.rows()[0][0] == "33.5"
    find(hand.window, QPushButton, "anchors-run").click()
    hand.wait()
    assert hand.rows()[0][0] != "33.5", "the fit again"


def test_sets_are_compared_kept_shown_and_forgotten(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    fitted = hand.rows()
    names = [row[0] for row in hand.rows("anchors-sets")]
    assert names == ["clustered", "shown", *(one.title for one in anchors.PUBLISHED.values())]
    ious = {row[0]: float(row[2]) for row in hand.rows("anchors-sets")}
    assert ious["shown"] > max(
        value for name, value in ious.items() if name not in ("shown", "clustered") and "SSD" not in name
    )
    hand.keep("mine")
    own = hand.set_row("mine")
    sets = find(hand.window, QTableWidget, "anchors-sets")
    yolo = [row[0] for row in hand.rows("anchors-sets")].index("YOLOv3")
    sets.selectRow(yolo)
    sets.cellClicked.emit(yolo, 0)
    assert len(hand.rows()) == 9
    assert hand.rows()[0][:2] == ["10.0", "13.0"]
    sets.selectRow(own)
    sets.cellClicked.emit(own, 0)
    assert [row[:2] for row in hand.rows()] == [row[:2] for row in fitted]
    find(hand.window, QPushButton, "anchors-forget").click()
    assert "mine" not in [row[0] for row in hand.rows("anchors-sets")]
    hand.window.session.undo()
    assert "mine" in [row[0] for row in hand.rows("anchors-sets")], "an edit like others"


def test_the_marked_row_is_that_of_what_is_shown(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    sets = find(hand.window, QTableWidget, "anchors-sets")

    def marked() -> list[str]:
        return [sets.item(index.row(), 0).text() for index in sets.selectionModel().selectedRows()]

    hand.look_at("YOLOv3")
    assert marked() == ["YOLOv3"]
    sets.selectRow(hand.set_row("YOLOv4"))  # with the arrow keys, on the way to another
    hand.window.session.do(edits.ChangeSetting("note", "an edit elsewhere"))
    assert marked() == ["YOLOv4"], "what is shown has not changed"
    find(hand.window, QPushButton, "anchors-run").click()
    hand.wait()
    assert marked() == ["clustered"], "the fit is shown again"


def test_sets_are_copied_as_cfg_json_and_python(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    menu = find(hand.window, QPushButton, "anchors-copy").menu()
    copied = []
    for action in menu.actions():
        action.trigger()
        copied.append(QGuiApplication.clipboard().text())
    assert copied[0].startswith("anchors = 11,9,  10")
    assert copied[1].startswith("anchors = 0.3")
    assert '"input_px": 416' in copied[2]
    assert copied[3].splitlines()[1].startswith("ANCHORS = [(11.00, 9.00), (")


def test_a_scale_without_boxes_and_boxes_in_one_cell_are_warned_of(hand: AnchorsPageDriver) -> None:
    assert "needs at least 3 anchors" in hand.scales("yolov3")
    find(hand.window, QSpinBox, "anchors-k").setValue(6)
    hand.wait()
    words = hand.scales("yolov3-tiny")
    assert len(hand.rows("anchors-scales")) == 2
    assert "smaller than a cell of the finest scale (16 px)" in words
    words = hand.scales("yolov1")
    assert words.startswith("⚠ YOLOv1 has 7 × 7 cells, and each learns one box: 25 of 26 boxes"), words
    assert "FCOS doesn't use the project's anchors" in hand.scales("fcos")


def test_the_worst_box_of_a_label_is_shown_on_its_image(hand: AnchorsPageDriver) -> None:
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: len(hand.rows("anchors-labels")) == 2)
    assert {row[0]: row[1] for row in hand.rows("anchors-labels")} == {"small": "20", "large": "6"}
    asked: list[tuple[int, ...]] = []
    hand.window.session.boxes_requested.connect(asked.append)
    row = [row[0] for row in hand.rows("anchors-labels")].index("large")
    find(hand.window, QTableWidget, "anchors-labels").cellClicked.emit(row, 3)
    assert hand.window.session.image.name == "b.png"
    (boxes,) = asked
    document = hand.window.session.document
    assert boxes[0] in {box.id for box in document.boxes(hand.window.session.image_id)}
    assert hand.window._stack.currentWidget() is hand.window._pages["label"]


def test_boxes_of_a_region_are_shown_in_the_gallery(hand: AnchorsPageDriver) -> None:
    plot = find(hand.window, SizesPlot, "anchors-plot")
    plot._area.brushed.emit(QRectF(QPointF(90, 90), QPointF(200, 200)))
    assert hand.text("anchors-about") == "6 boxes of 1 image in the region."
    find(hand.window, QPushButton, "anchors-gallery").click()
    data = find(hand.window, DataPage, "page-data")
    assert hand.window._stack.currentWidget() is data
    assert data._gallery.model.rowCount() == 1
    find(data, QPushButton, "filter-only").click()
    assert data._gallery.model.rowCount() == 2


def test_colours_and_axes_are_only_another_look(hand: AnchorsPageDriver) -> None:
    before = hand.rows()
    colours = find(hand.window, QComboBox, "anchors-colours")
    for log in (True, False):
        hand.page._plots.bar.log.setChecked(log)
        for name in ("label", "split", "anchor"):
            colours.setCurrentIndex(colours.findData(name))
            find(hand.window, SizesPlot, "anchors-plot").grab()
    assert hand.rows() == before


def test_the_second_stage_only_betters_it(hand: AnchorsPageDriver) -> None:
    find(hand.window, QSpinBox, "anchors-k").setValue(4)
    hand.wait()
    before = hand.page._step.mean_iou
    hand.page._form.refines.setChecked(True)
    hand.wait()
    assert hand.page._step.mean_iou >= before
    assert "then refined" in hand.page._source()


def test_scaled_boxes_are_counted_once(hand: AnchorsPageDriver) -> None:
    find(hand.window, QSpinBox, "anchors-scale").setValue(50)
    hand.wait()
    assert hand.text("anchors-about").startswith("26 boxes of 2 images.")
    assert sum(int(row[2]) for row in hand.rows()) == 26


# --- the cloud, without a window ---


def many(count: int = POINTS + 1) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return np.exp(random.normal(3.5, 0.8, (count, 2))), random.integers(0, 3, count)


@pytest.mark.parametrize("log", [True, False])
def test_a_density_has_every_box_in_it(log: bool) -> None:
    sizes, labels = many()
    made = make_cloud(sizes, {"label": labels}, log)
    assert made.cells is not None
    assert made.counts.sum() == len(sizes)
    assert [bars.sum() for bars in made.bars] == [len(sizes)] * 2
    mean = (made.middles * made.counts[:, None]).sum(axis=0) / len(sizes)
    assert mean == pytest.approx(sizes.mean(axis=0))
    picture = made.picture(np.tile(np.array([10, 20, 30], np.uint8), (len(made.cells), 1)))
    assert picture.shape == (BINS, BINS, 4)
    assert (picture[..., 3] > 0).sum() == len(made.cells)
    row, apart = made.nearest(tuple(made.places[7]), (1.0, 1.0))
    assert (row, apart) == (7, 0)


def test_the_colour_of_a_cell_is_that_of_most_of_its_boxes() -> None:
    sizes, labels = many()
    made = make_cloud(sizes, {"label": labels}, True)
    assert made.cells is not None
    at = np.clip((made.places - made.low) / (made.high - made.low) * BINS, 0, BINS - 1).astype(int)
    flat = at[:, 1] * BINS + at[:, 0]
    for place in range(0, len(made.cells), 97):
        inside = labels[flat == made.cells[place]]
        assert np.bincount(inside, minlength=3)[made.majorities["label"][place]] == np.bincount(inside).max()


def test_whole_pixels_make_no_stripes() -> None:
    sides = np.arange(1, 601) * 0.65
    sizes = np.stack(np.meshgrid(sides, sides), axis=-1).reshape(-1, 2)
    made = make_cloud(sizes, {}, False)
    assert made.cells is not None
    bars = made.bars[0][2:-8]
    assert bars.max() / bars.min() < 1.3, "a bar has six of these widths, or seven"
    ink = made.picture(np.zeros((len(made.cells), 3), np.uint8))[20:-40, 20:-40, 3].astype(float)
    assert ink.max() / ink.min() < 1.12, "as even as the sizes"


def test_few_boxes_are_points() -> None:
    sizes, labels = many(POINTS)
    assert make_cloud(sizes, {"label": labels}, False).cells is None
    assert len(make_cloud(np.zeros((0, 2)), {"label": labels[:0]}, True)) == 0


def test_an_edit_leaves_what_a_person_looks_at(hand: AnchorsPageDriver) -> None:
    plot = find(hand.window, SizesPlot, "anchors-plot")
    plot._area.setRange(QRectF(QPointF(5, 5), QPointF(30, 30)), padding=0)
    before = plot._area.viewRange()
    draw(hand, 60)
    hand.qtbot.waitUntil(lambda: hand.text("anchors-about").startswith("27 boxes of 2 images."))
    assert plot._area.viewRange() == before


def draw(hand: AnchorsPageDriver, width: float) -> None:
    document = hand.window.session.document
    box = Box(0, document.images()[0].id, document.labels()[0].id, (0, 0, width, 40))
    hand.window.session.do(edits.AddBoxes((box,)))


def test_an_edit_while_the_one_before_is_being_drawn_is_drawn_too(
    hand: AnchorsPageDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), []

    def slow(boxes: Boxes) -> PreparedBoxes:
        begun.append(len(boxes))
        assert go_on.wait(20)
        return prepare(boxes)

    monkeypatch.setattr(computation, "prepare", slow)
    draw(hand, 60)
    hand.qtbot.waitUntil(lambda: begun == [27])
    draw(hand, 61)
    with hand.qtbot.waitSignal(hand.page._renew.timeout):  # which finds the job at work
        pass
    go_on.set()
    hand.qtbot.waitUntil(lambda: hand.text("anchors-about").startswith("28 boxes of 2 images."))


def test_anchors_can_be_moved_and_sets_judged_before_the_fit_is_there(
    hand: AnchorsPageDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def late(*given: Any, **named: Any) -> anchors.AnchorFit:
        assert go_on.wait(20)
        return anchors.AnchorFit(*given, **named)

    monkeypatch.setattr(computation, "AnchorFit", late)
    hand.tab(1)
    find(hand.window, QPushButton, "anchors-run").click()
    hand.qtbot.waitUntil(lambda: hand.page._playback.over)
    assert "–" not in {row[2] for row in hand.rows("anchors-sets")}
    plot = find(hand.window, SizesPlot, "anchors-plot")
    plot.dragged.emit(0, 60.0, 60.0)
    plot.dropped.emit()
    assert hand.rows()[0][:2] == ["60.0", "60.0"]
    go_on.set()
    hand.qtbot.waitUntil(lambda: hand.page._incremental_fit.is_following)
    assert hand.rows()[0][:2] == ["60.0", "60.0"], "the film does not take it back"
