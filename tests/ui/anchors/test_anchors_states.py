"""The Anchors page when things change under it: late events, edits elsewhere, failures, other projects and choices."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QAction, QHelpEvent, QImage, QTextDocumentFragment
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QLabel, QPushButton, QSpinBox, QTableWidget
from pytestqt.qtbot import QtBot

from tests.ui.anchors.anchors_page_driver import AnchorsPageDriver, cells, hand
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split
from workbench.ui import theme
from workbench.ui.anchors import result_panel as panel_module
from workbench.ui.anchors.cloud import make_cloud
from workbench.ui.anchors.computation import MOST_ANCHORS
from workbench.ui.anchors.points import ROUND, SIZE, Points
from workbench.ui.anchors.sizes_plot import CURRENT, SizesPlot
from workbench.ui.data.import_window import ImportWindow
from workbench.ui.plots.plot import Plot

__all__ = ["cells", "hand"]  # fixtures


def plot_of(hand: AnchorsPageDriver) -> SizesPlot:
    return find(hand.window, SizesPlot, "anchors-plot")


def boxes_of(hand: AnchorsPageDriver, label: str) -> tuple[int, ...]:
    document = hand.window.session.document
    (number,) = [one.id for one in document.labels() if one.name == label]
    return tuple(box.id for image in document.images() for box in document.boxes(image.id) if box.label == number)


@pytest.mark.parametrize("quits", [False, True])
def test_what_a_job_reported_before_the_project_closed_is_passed_over(hand: AnchorsPageDriver, quits: bool) -> None:
    find(hand.window, QPushButton, "anchors-run").click()
    job = hand.page._job
    job.wait()  # all its events are on their way, and none has arrived
    del job
    if quits:
        hand.page.closing()
    hand.window.session.close()
    QApplication.processEvents()
    assert hand.page._step is None
    hand.qtbot.waitUntil(lambda: not hand.page._dropped)


def test_labels_are_those_after_an_edit_on_another_page(hand: AnchorsPageDriver) -> None:
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: len(hand.rows("anchors-labels")) == 2)
    hand.window.show_page("label")
    hand.window.session.do(edits.RemoveBoxes(boxes_of(hand, "large")[:2]))
    hand.window.show_page("anchors")
    hand.qtbot.waitUntil(lambda: {row[0]: row[1] for row in hand.rows("anchors-labels")}["large"] == "4")


def test_the_tooltip_of_a_label_that_is_html_shows_it_as_it_is_written(hand: AnchorsPageDriver) -> None:
    hand.window.session.do(edits.ChangeLabel(replace(hand.window.session.document.labels()[0], name="<img>")))
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: "<img>" in [row[0] for row in hand.rows("anchors-labels")])
    row = [row[0] for row in hand.rows("anchors-labels")].index("<img>")
    item = find(hand.window, QTableWidget, "anchors-labels").item(row, 0)
    assert QTextDocumentFragment.fromHtml(item.toolTip()).toPlainText() == "<img>"


def test_a_link_to_a_box_that_is_gone_says_so(hand: AnchorsPageDriver) -> None:
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: len(hand.rows("anchors-labels")) == 2)
    row = [one[0] for one in hand.rows("anchors-labels")].index("large")
    hand.page._renew.setInterval(60_000)  # the table is still that from before
    hand.window.session.do(edits.RemoveBoxes(boxes_of(hand, "large")))
    find(hand.window, QTableWidget, "anchors-labels").cellClicked.emit(row, 3)
    assert find(hand.window, QLabel, "message-text").text() == "This box is no longer there."
    assert hand.page.isVisible()


def test_images_that_a_detector_resizes_otherwise_are_warned_of_and_a_click_mends_it(hand: AnchorsPageDriver) -> None:
    find(hand.window, QSpinBox, "anchors-k").setValue(6)
    hand.wait()
    told = hand.scales("yolov3-tiny")
    assert told.startswith("⚠ YOLOv3-tiny learns from letterboxed images, but these sizes are from stretched ones.")
    find(hand.window, QLabel, "anchors-scales-words").linkActivated.emit("0")
    assert find(hand.window, QComboBox, "anchors-resize").currentText() == "letterbox"
    hand.wait()
    hand.qtbot.waitUntil(lambda: "letterboxed" not in hand.page._panel.scales.plain_text)
    assert hand.scales("yolov1").endswith("Counted as YOLOv1 resizes images, by stretch.")


def test_counts_lead_to_what_they_count(hand: AnchorsPageDriver) -> None:
    asked: list[tuple[frozenset[int], str]] = []
    hand.window.session.marked_images_requested.connect(lambda images, why, _boxes: asked.append((images, why)))
    first, second = (image.id for image in hand.window.session.document.images())
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: len(hand.rows("anchors-labels")) == 2)
    labels = find(hand.window, QTableWidget, "anchors-labels")
    labels.cellClicked.emit([one[0] for one in hand.rows("anchors-labels")].index("small"), 1)
    assert asked[-1] == (frozenset({first}), "with 20 boxes of small")
    plot_of(hand).dragged.emit(0, 300, 300)
    plot_of(hand).dropped.emit()
    hand.qtbot.waitUntil(lambda: "20" in [one[4] for one in hand.rows("anchors-labels")])
    labels.cellClicked.emit([one[4] for one in hand.rows("anchors-labels")].index("20"), 4)
    assert asked[-1] == (frozenset({first}), "with 20 boxes of small below an IoU of 0.5")
    find(hand.window, QPushButton, "anchors-run").click()
    hand.wait()
    table = find(hand.window, QTableWidget, "anchors-table")
    table.cellClicked.emit(1, 2)
    assert hand.rows()[1][2] == "6"
    assert asked[-1][0] == {second}
    assert asked[-1][1].startswith("with 6 boxes of the anchor 10")


def test_a_click_on_an_anchor_shows_it_in_the_table(hand: AnchorsPageDriver) -> None:
    hand.tab(3)
    plot = plot_of(hand)
    at = plot.mapFromScene(plot.getPlotItem().vb.mapViewToScene(QPointF(*plot._centres[1].tolist())))
    QTest.mouseMove(plot.viewport(), at)
    QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert hand.page.isVisible()
    table = find(hand.window, QTableWidget, "anchors-table")
    assert {index.row() for index in table.selectedIndexes()} == {1}
    assert table.isVisible()


def test_after_a_failure_no_anchor_of_before_is_left_but_the_boxes_and_what_they_allow(hand: AnchorsPageDriver) -> None:
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: len(hand.rows("anchors-labels")) == 2)
    find(hand.window, QSpinBox, "anchors-k").setValue(15)
    hand.qtbot.waitUntil(lambda: "different box sizes" in hand.text("anchors-progress"))
    assert (hand.rows(), hand.rows("anchors-labels")) == ([], [])
    assert not len(hand.page._panel.numbers.picture._centres), "nor drawn to scale"
    counts = find(hand.window, Plot, "anchors-by-count")
    hand.qtbot.waitUntil(lambda: bool(counts.names()))
    assert "–" not in {row[2] for row in hand.rows("anchors-sets")}, "the published ones, by these boxes"
    assert plot_of(hand)._cloud is not None
    assert not [handle for handle in plot_of(hand)._handles if handle.isVisible()]
    assert not find(hand.window, QLabel, "message-text").isVisible(), "it is said in its place, not in the corner too"
    find(hand.window, QSpinBox, "anchors-k").setValue(2)
    hand.wait()
    assert len(hand.rows()) == 2


def test_without_a_box_left_the_page_says_so(hand: AnchorsPageDriver) -> None:
    hand.window.session.do(edits.RemoveBoxes(boxes_of(hand, "large") + boxes_of(hand, "small")))
    empty = find(hand.window, QLabel, "anchors-empty-sentence")
    hand.qtbot.waitUntil(empty.isVisible)
    other = find(hand.window, QPushButton, "anchors-empty-other")
    assert other.isVisible()
    assert other.text() == "Import labels…", "as on the Train page"
    other.click()
    assert hand.window._stack.currentWidget() is hand.window._pages["data"]
    opened = find(hand.window, ImportWindow, "import-window")
    assert opened.isVisible()
    opened.close()


def test_nothing_of_the_project_before_is_left(hand: AnchorsPageDriver, tmp_path: object) -> None:
    Document.create(hand.window.session.document.folder.parent / "other").close()
    hand.window.open(hand.window.session.document.folder.parent / "other")
    hand.window.show_page("anchors")
    assert not plot_of(hand)._handles[0].isVisible()
    assert hand.rows() == []
    assert "Add images" in find(hand.window, QPushButton, "anchors-empty-button").text()


def test_the_curve_over_the_number_of_anchors_follows_an_edit(hand: AnchorsPageDriver) -> None:
    curve = find(hand.window, Plot, "anchors-by-count")
    before = curve.data("mean IoU")[1].tolist()
    assert curve.getPlotItem().vb.viewRange()[0] == pytest.approx([1 - 0.42, MOST_ANCHORS + 0.42], abs=0.1)
    hand.window.session.do(edits.RemoveBoxes(boxes_of(hand, "large")))
    hand.qtbot.waitUntil(lambda: curve.data("mean IoU")[1].tolist() != before)
    assert max(before) <= 100


def test_that_all_images_are_shown_for_want_of_training_images_is_said(hand: AnchorsPageDriver) -> None:
    document = hand.window.session.document
    hand.window.session.do(edits.SetSplit(tuple(image.id for image in document.images()), Split.TEST))
    find(hand.window, QPushButton, "anchors-run").click()
    hand.wait()
    assert "No training image has a box: these are all." in hand.text("anchors-about")
    assert "all images, as no training image has a box" in hand.page._source()
    hand.window.session.do(edits.SetSplit((document.images()[1].id,), Split.TRAIN))
    hand.qtbot.waitUntil(lambda: hand.text("anchors-about").startswith("6 boxes of 1 image. Click"))


def test_a_side_that_cannot_be_is_refused_with_a_reason(hand: AnchorsPageDriver) -> None:
    before, table = hand.rows()[0][0], find(hand.window, QTableWidget, "anchors-table")
    for text in ("abc", "99999", "0", "417"):
        table.item(0, 0).setText(text)
        assert hand.rows()[0][0] == before, text
        assert hand.text("anchors-progress").startswith("A width is a number from 1 to 416"), text
    table.item(0, 0).setText("416")
    assert hand.rows()[0][0] == "416.0"
    assert hand.text("anchors-progress").startswith("Moved by hand")


def test_scales_say_that_they_are_being_computed(hand: AnchorsPageDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    view, panel = hand.page._panel.scales, hand.page._panel
    view.offer([("a", "A"), ("b", "B")], "a")
    panel._offered = True
    asked: list[object] = []
    monkeypatch.setattr(panel._rules, "ask", asked.extend)
    hand.tab(2)
    view.wait("of a")
    view.detector.setCurrentIndex(1)
    view.detector.activated.emit(1)
    assert (view.plain_text, asked[-1]) == ("Computing …", ("b", 2))
    view.wait("of b")
    find(hand.window, QSpinBox, "anchors-px").setValue(320)
    hand.qtbot.waitUntil(lambda: hand.page._choices.px == 320)
    assert view.plain_text == "Computing …"


def test_while_detectors_are_loaded_labels_are_there_and_the_project_can_be_closed(
    hand: AnchorsPageDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, begun = threading.Event(), threading.Event()

    def slow() -> tuple[tuple[str, str], ...]:
        begun.set()
        assert go_on.wait(30)
        return (("yolov3", "YOLOv3"),)

    monkeypatch.setattr(panel_module, "detectors", slow)
    hand.tab(2)
    assert begun.wait(10)
    assert hand.page._panel.scales.plain_text.startswith("Loading the detectors")
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: len(hand.rows("anchors-labels")) == 2)
    find(hand.window, QAction, "action-close-project").trigger()
    assert hand.window.session.document is None
    assert not go_on.is_set(), "it did not wait"
    go_on.set()
    hand.qtbot.waitUntil(hand.page._panel._rules.is_idle)


def test_boxes_of_one_size_have_axes_in_both_ways() -> None:
    for log in (True, False):
        made = make_cloud(np.full((5, 2), 40.0), {}, log)
        assert (made.high - made.low > (0.25 if log else 40)).all()
        assert ((made.low < made.places) & (made.places < made.high)).all()


@pytest.mark.parametrize("count", [1, ROUND])
def test_a_point_is_as_wide_as_high_however_the_axes_are_stretched(qtbot: QtBot, count: int) -> None:
    import pyqtgraph as pg

    plot = pg.PlotWidget()
    qtbot.addWidget(plot)
    plot.resize(300, 300)
    plot.setBackground("white")
    plot.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it gets no frame when it is active
    plot.hideAxis("left")
    plot.hideAxis("bottom")
    points = Points()
    plot.addItem(points)
    points.set_points(np.full((count, 2), 2.0), np.zeros((count, 3), np.uint8))
    plot.getPlotItem().vb.setRange(QRectF(1.9, -100, 0.2, 204), padding=0)  # a logarithm beside pixels
    plot.show()
    with qtbot.waitExposed(plot):
        pass
    picture = plot.grab().toImage().convertToFormat(QImage.Format.Format_Grayscale8)
    rows = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.bytesPerLine())
    dark = np.argwhere(rows[:, : picture.width()] < 200)
    high, wide = dark.max(axis=0) - dark.min(axis=0) + 1
    assert abs(int(wide) - SIZE) <= 2
    assert abs(int(high) - SIZE) <= 2


def test_all_is_shown_again_by_a_key_and_anchors_out_of_sight_are_fetched(hand: AnchorsPageDriver) -> None:
    plot = plot_of(hand)
    whole = np.array(plot._area.viewRange())
    plot._area.setRange(QRectF(QPointF(5, 5), QPointF(30, 30)), padding=0)
    assert QApplication.activeWindow() is hand.window, "no part of the page was a window of its own"
    hand.page.setFocus()
    QTest.keyClick(hand.page, Qt.Key.Key_F)
    assert np.array(plot._area.viewRange()) == pytest.approx(whole)
    hand.tab(1)
    hand.look_at("YOLOv3")
    (left, right), (bottom, top) = plot._area.viewRange()
    assert ((plot._centres > (left, bottom)) & (plot._centres < (right, top))).all()


def test_an_empty_region_leads_nowhere_and_colours_have_a_key(hand: AnchorsPageDriver) -> None:
    plot_of(hand)._area.brushed.emit(QRectF(QPointF(300, 300), QPointF(310, 310)))
    assert hand.text("anchors-about") == "No box is in the region."
    assert not find(hand.window, QPushButton, "anchors-gallery").isEnabled()
    key = find(hand.window, QLabel, "anchors-colour-key")
    assert key.text() == f"○ {CURRENT}", "colours of anchors need none"
    colours = find(hand.window, QComboBox, "anchors-colours")
    colours.setCurrentIndex(colours.findData("label"))
    assert key.isVisible()
    assert "small" in key.text()
    assert "large" in key.text()
    told: list[int] = []
    plot = plot_of(hand)
    plot.hovered.connect(lambda row, _place: told.append(row))
    row = int(plot._cloud.places.sum(axis=1).argmax())
    at = plot.mapFromScene(plot.getPlotItem().vb.mapViewToScene(QPointF(*plot._cloud.places[row].tolist())))
    viewport = plot.viewport()
    QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, at, viewport.mapToGlobal(at)))
    assert told == [row], "what a point is, is said over it"
    hand.tab(3)
    hand.qtbot.waitUntil(lambda: len(hand.rows("anchors-labels")) == 2)
    for mode in ("dark", "light"):
        theme.apply(mode)
        cell = find(hand.window, QTableWidget, "anchors-labels").item(0, 3)
        assert cell.foreground().color() == theme.colour("accent"), mode


def test_refining_is_told_of(hand: AnchorsPageDriver) -> None:
    find(hand.window, QSpinBox, "anchors-k").setValue(4)
    find(hand.window, QCheckBox, "anchors-refine").click()
    hand.wait()
    assert "refining, generation 1,000: nothing moves any more" in hand.text("anchors-progress")
    assert hand.page._plots.curves.stage.isVisible()


def test_a_click_in_the_curve_over_their_number_chooses_it(hand: AnchorsPageDriver) -> None:
    curves = hand.page._plots.curves
    hand.qtbot.waitUntil(lambda: 4 in curves.by_count.data("mean IoU")[0])
    plot, k = curves.by_count, find(hand.window, QSpinBox, "anchors-k")
    vb = plot.getPlotItem().vb
    low, high = vb.viewRange()[1]

    def click(x: float) -> None:
        at = plot.mapFromScene(vb.mapViewToScene(QPointF(x, low + 0.9 * (high - low))))
        QTest.mouseMove(plot.viewport(), at)
        QTest.mouseClick(plot.viewport(), Qt.MouseButton.LeftButton, pos=at)

    click(4.3)
    assert k.value() == 4
    hand.wait()
    assert len(hand.rows()) == 4
