"""The tabs of the Inspect page: curves, confusion and kinds of mistakes, and the images that each of them opens."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtWidgets import QApplication, QComboBox, QLabel, QPushButton, QTableView, QTableWidget, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.test_inspect_page import (  # noqa: F401 (fixtures)
    FakeLook,
    look_fixture,
    looked,
    page_fixture,
    press,
    rows,
    session_fixture,
    slide,
    text,
)
from tests.ui.test_inspect_sliders import own
from workbench.core import edits
from workbench.core.project import Label
from workbench.ui import theme
from workbench.ui.inspect import confusion
from workbench.ui.inspect.charts import CHARTS, Drawing
from workbench.ui.inspect.curves import Curves
from workbench.ui.inspect.labels_table import LabelsTable
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.inspect.review.pane import Review
from workbench.ui.inspect.shown import Shown
from workbench.ui.inspect.tab import Tab
from workbench.ui.session import Session

# a: its cell is found, and a nucleus where nothing is. b: its cell is taken for a nucleus
SEEN = (
    ([(10, 10, 30, 30), (40, 40, 60, 60)], [0.9, 0.6], [0, 1]),
    ([(10, 10, 30, 30)], [0.75], [1]),
)
NOTHING = (([], [], []), ([], [], []))


@pytest.fixture
def seen(qtbot: QtBot, page: InspectPage, session: Session, look: FakeLook) -> InspectPage:
    """Looked at, with two labels."""
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    look.seen = SEEN
    looked(qtbot, page, session)
    slide(page, "confidence", 50)
    return page


def tab(page: InspectPage, title: str) -> QTabWidget:
    tabs = page.findChild(QTabWidget, "inspect-tabs")
    assert isinstance(tabs, QTabWidget)
    names = [tabs.tabText(place) for place in range(tabs.count())]
    tabs.setCurrentIndex(names.index(title))
    return tabs


def cells(page: InspectPage) -> list[list[str]]:
    table = page.findChild(QTableView, "inspect-confusion")
    assert isinstance(table, QTableView)
    model = table.model()
    return [
        [model.index(row, column).data() for column in range(model.columnCount())] for row in range(model.rowCount())
    ]


def mistakes(page: InspectPage) -> dict[str, tuple[str, str]]:
    table = page.findChild(QTableWidget, "inspect-mistakes")
    assert isinstance(table, QTableWidget)
    texts = [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount())]
    return {name: (cost, count) for name, cost, _, count in texts}


def click(qtbot: QtBot, table: QTableView | None, row: int, column: int) -> None:
    assert table is not None
    place = table.visualRect(table.model().index(row, column)).center()
    qtbot.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, pos=place)


def listed(page: InspectPage) -> list[str]:
    return [row[0] for row in rows(page)]


def marked(page: InspectPage) -> list[list[float]]:
    picture = page.findChild(InspectPicture, "inspect-picture")
    assert isinstance(picture, InspectPicture)
    return np.asarray(picture.marked).tolist()


def drawing(qtbot: QtBot, page: InspectPage, chart: str, label: int = 0) -> Drawing:
    """Choose a chart and wait until it is drawn."""
    tab(page, "Curves")
    curves = page.findChild(Curves)
    assert isinstance(curves, Curves)
    before = curves.drawing
    place = [one.name for one in CHARTS].index(chart)
    combos = [page.findChild(QComboBox, name) for name in ("inspect-chart", "inspect-chart-label")]
    combos[1].setCurrentIndex(label)  # type: ignore[union-attr]
    combos[0].setCurrentIndex(place)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: curves.drawn == (place, label - 1) and curves.drawing is not before)
    assert curves.drawing is not None
    return curves.drawing


# --- confusion ---


def test_the_matrix_adds_up_to_the_counts_shown(qtbot: QtBot, seen: InspectPage) -> None:
    tab(seen, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(seen)))
    assert cells(seen) == [
        ["1", "1", "0", "2"],  # cell: found, taken for a nucleus, missed; boxes
        ["0", "0", "0", "0"],
        ["0", "1", "", "1"],  # no box
        ["1", "2", "0", ""],  # detections
    ]
    counts = [seen.findChild(QPushButton, f"inspect-open-{name}").text() for name in ("right", "wrong", "missed")]
    assert counts == ["1 right", "2 false alarms", "1 missed"]  # the nucleus on a cell is one of each
    words = text(seen, "inspect-confusion-words")
    assert "Confidence from 0.50; right from an overlap of 0.5; NMS per label at 0.60, at most 300" in words


def test_a_cell_opens_its_images_with_its_boxes_marked_and_all_come_again(
    qtbot: QtBot, seen: InspectPage, session: Session
) -> None:
    tab(seen, "Confusion")
    table = seen.findChild(QTableView, "inspect-confusion")
    qtbot.waitUntil(lambda: bool(cells(seen)))
    click(qtbot, table, 0, 1)
    assert listed(seen) == ["b.png"]
    assert session.image is not None
    assert session.image.name == "b.png"
    assert marked(seen) == [[10, 10, 30, 30], [10, 10, 30, 30]]  # the detection and the box
    assert text(seen, "inspect-note") == "1 image: 1 cell detected as nucleus, 50% of its row"
    slide(seen, "confidence", 80)  # what was opened stays, whatever the sliders do
    assert listed(seen) == ["b.png"]
    press(qtbot, seen, "inspect-all-again")
    assert sorted(listed(seen)) == ["a.png", "b.png"]
    assert marked(seen) == []
    click(qtbot, table, 1, 0)  # an empty cell opens nothing
    assert len(listed(seen)) == 2


def test_sums_and_background_open_their_images_too(qtbot: QtBot, seen: InspectPage, session: Session) -> None:
    tab(seen, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(seen)))
    table = seen.findChild(QTableView, "inspect-confusion")
    both = {"a.png", "b.png"}
    for row, column, names in ((0, 3, both), (3, 0, {"a.png"}), (2, 1, {"a.png"}), (3, 1, both)):
        click(qtbot, table, row, column)
        assert set(listed(seen)) == names
    assert session.document is not None
    first, second = (image.id for image in session.document.images())
    session.select_image(first)
    assert marked(seen) == [[40, 40, 60, 60]]  # of each image its own
    session.select_image(second)
    assert marked(seen) == [[10, 10, 30, 30], [10, 10, 30, 30]]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_counts_can_be_read_on_every_share_of_colour(qapp: QApplication, mode: str) -> None:
    theme.apply(mode)
    model = confusion.ConfusionModel()
    for part in range(1, 101):
        model.show_table(("cell",), np.array([[part, 100 - part], [part, 0]]))
        for row, column in ((0, 0), (0, 1), (1, 0)):
            index = model.index(row, column)
            ground = index.data(Qt.ItemDataRole.BackgroundRole)
            if model.share(row, column):
                ink = index.data(Qt.ItemDataRole.ForegroundRole)
                assert theme.contrast(ink.name(), ground.name()) >= 4.5


def test_a_tab_out_of_sight_works_nothing_out(qtbot: QtBot, seen: InspectPage, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    table = seen.findChild(confusion.ConfusionTab)
    assert isinstance(table, confusion.ConfusionTab)
    real = table._work

    def work(state: Shown) -> object:
        asked.append(state.confidence)
        assert real is not None
        return real(state)

    monkeypatch.setattr(table, "_work", work)
    for value in (55, 60, 65):
        slide(seen, "confidence", value)
    assert asked == []
    tab(seen, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(seen)))
    assert asked == [0.65]


# --- kinds of mistakes ---


def test_mistakes_are_counted_and_open_their_images(qtbot: QtBot, seen: InspectPage) -> None:
    tab(seen, "Errors")
    qtbot.waitUntil(lambda: mistakes(seen)["classification"][1] == "1")
    counts = {name: count for name, (_, count) in mistakes(seen).items()}
    assert counts == {
        "classification": "1", "localisation": "0", "both": "0", "duplicate": "0", "background": "1", "missed": "0",
    }  # fmt: skip
    # the one label with boxes has AP50 51/101; with the nucleus called a cell all is found
    assert mistakes(seen)["classification"][0] == f"{50 / 101:.3f}"
    assert "AP50 is 0.505" in text(seen, "inspect-mistakes-words")
    table = seen.findChild(QTableWidget, "inspect-mistakes")
    click(qtbot, table, 0, 0)
    assert listed(seen) == ["b.png"]
    click(qtbot, table, 4, 2)
    assert listed(seen) == ["a.png"]
    assert marked(seen) == [[40, 40, 60, 60]]
    slide(seen, "confidence", 65)
    qtbot.waitUntil(lambda: mistakes(seen)["background"][1] == "0")


# --- numbers ---


def test_a_label_s_precision_opens_its_false_alarms_and_its_recall_what_it_misses(
    qtbot: QtBot, seen: InspectPage
) -> None:
    table = seen.findChild(LabelsTable, "inspect-labels")
    click(qtbot, table, 0, 4)
    assert (listed(seen), text(seen, "inspect-note")) == (["b.png"], "1 image: missed, cell")
    press(qtbot, seen, "inspect-open-right")
    assert (listed(seen), marked(seen)) == (["a.png"], [[10, 10, 30, 30]])
    click(qtbot, table, 1, 3)
    assert set(listed(seen)) == {"a.png", "b.png"}
    click(qtbot, table, 0, 3)  # no false alarm is called a cell
    assert listed(seen) == []
    press(qtbot, seen, "inspect-all-again")
    press(qtbot, seen, "inspect-open-wrong")
    assert set(listed(seen)) == {"a.png", "b.png"}


# --- curves ---


def test_every_chart_has_curves_whose_points_open_what_is_behind(qtbot: QtBot, seen: InspectPage) -> None:
    for chart, label in itertools.product((chart.name for chart in CHARTS), (0, 1)):
        result = drawing(qtbot, seen, chart, label)
        assert result.lines
        assert result.words
        for line in result.lines:
            for point in range(len(line.x)) if line.opens is not None else ():
                chosen = line.opens(point)
                assert set(chosen.some) <= {0, 1}
                assert chosen.words


def test_a_click_on_a_point_opens_its_images(qtbot: QtBot, seen: InspectPage) -> None:
    """The boxes that are not found at an overlap of 0.5: b's."""
    result = drawing(qtbot, seen, "overlaps")
    assert result.lines[0].y.tolist() == pytest.approx([51 / 101] * 10)
    curves = seen.findChild(Curves)
    assert isinstance(curves, Curves)
    place = curves.plot.getPlotItem().vb.mapViewToScene(QPointF(0.5, 51 / 101))
    curves.open_at(place + QPointF(0, 100))  # far from all points
    assert len(listed(seen)) == 2
    qtbot.mouseClick(curves.plot.viewport(), Qt.MouseButton.LeftButton, pos=curves.plot.mapFromScene(place))
    qtbot.waitUntil(lambda: listed(seen) == ["b.png"])
    curves.plot.show_curve("AP", False)
    press(qtbot, seen, "inspect-all-again")
    curves.open_at(place)
    assert len(listed(seen)) == 2


def test_the_best_confidence_is_marked_and_used(qtbot: QtBot, seen: InspectPage) -> None:
    """F1 of all is highest where only the right one is left: above 0.75."""
    result = drawing(qtbot, seen, "confidence")
    assert result.best == pytest.approx(0.76)
    assert "0.667, at 0.76" in result.words
    press(qtbot, seen, "inspect-use")
    tab(seen, "Numbers")
    assert seen.findChild(QPushButton, "inspect-open-wrong").text() == "0 false alarms"
    assert own(seen) == ["as global", "as global"]


def test_the_best_confidence_of_a_label_becomes_its_own(qtbot: QtBot, seen: InspectPage) -> None:
    assert drawing(qtbot, seen, "confidence", 1).best == pytest.approx(0.01)
    press(qtbot, seen, "inspect-use")
    tab(seen, "Numbers")
    assert own(seen) == ["0.01", "as global"]


def test_what_a_curve_says_of_scores_is_what_scores_are(qtbot: QtBot, seen: InspectPage) -> None:
    line = drawing(qtbot, seen, "calibration").lines[1]
    assert line.x.tolist() == pytest.approx([0.6, 0.75, 0.9])
    assert line.y.tolist() == [0, 0, 1]


# --- nothing to show ---


def test_without_labelled_boxes_every_tab_says_so(
    qtbot: QtBot, page: InspectPage, session: Session, look: FakeLook
) -> None:
    assert session.document is not None
    images = session.document.images()
    session.do(edits.RemoveBoxes(tuple(box.id for image in images for box in session.document.boxes(image.id))))
    looked_anyway(qtbot, page, session)
    for chart in ("precision", "confidence", "overlaps", "sizes"):
        assert drawing(qtbot, page, chart).words == "There are no labelled boxes to compare with."
    tab(page, "Errors")
    qtbot.waitUntil(lambda: "no labelled boxes" in text(page, "inspect-mistakes-words"))
    tab(page, "Confusion")
    qtbot.waitUntil(lambda: bool(cells(page)))
    assert text(page, "inspect-ap") == "–"


def test_without_detections_nothing_is_found_right(
    qtbot: QtBot, page: InspectPage, session: Session, look: FakeLook
) -> None:
    look.seen = NOTHING
    looked_anyway(qtbot, page, session)
    assert "Nothing of all labels is found right." in drawing(qtbot, page, "confidence").words
    assert "scores at least" in drawing(qtbot, page, "calibration").words
    tab(page, "Errors")
    qtbot.waitUntil(lambda: mistakes(page)["missed"][1] == "2")


def test_a_split_without_misses_has_none_to_open(
    qtbot: QtBot, page: InspectPage, session: Session, look: FakeLook
) -> None:
    look.seen = (([(10, 10, 30, 30)], [0.9], [0]),) * 2
    looked(qtbot, page, session)
    for name, words in (("right", "2 right"), ("wrong", "0 false alarms"), ("missed", "0 missed")):
        button = page.findChild(QPushButton, f"inspect-open-{name}")
        assert isinstance(button, QPushButton)
        assert (button.text(), button.isEnabled()) == (words, name == "right")


def looked_anyway(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    """Look, where AP50 may stay a dash."""
    from tests.ui.test_inspect_page import make_run

    make_run(session)
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: len(rows(page)) == 2 and not session.jobs)


# --- a place for more ---


def test_a_tab_that_is_added_is_given_what_is_found_and_opens_images(
    qtbot: QtBot, page: InspectPage, session: Session, look: FakeLook
) -> None:
    class More(Tab):
        def __init__(self) -> None:
            super().__init__("More")
            self.drawn: list[float] = []
            self.label = QLabel("nothing yet", self)

        def draw(self, state: Shown, result: object) -> None:
            self.drawn.append(state.confidence)

        def clear(self) -> None:
            self.drawn.clear()

    more = More()
    page.add_tab(more, "More")
    looked(qtbot, page, session)
    assert more.drawn == []  # out of sight
    tab(page, "More")
    assert more.drawn == [0.5]
    slide(page, "confidence", 60)
    assert more.drawn == [0.5, 0.6]


# --- what the review is at ---


def test_the_picture_frames_what_is_reviewed_while_that_tab_is_in_sight(
    qtbot: QtBot, seen: InspectPage, session: Session
) -> None:
    press(qtbot, seen, "inspect-open-right")  # lists a
    tab(seen, "Review")
    review = seen.findChild(Review)
    assert isinstance(review, Review)
    qtbot.waitUntil(lambda: review.queue.rowCount() == 2)
    for row in range(2):
        review.view.setCurrentIndex(review.queue.index(row))
        item = review.current
        assert item is not None
        session.select_image(item.image)
        boxes = [item.xyxy, item.prediction and item.prediction.xyxy]
        assert marked(seen) == [list(box) for box in boxes if box]
        others = [image.id for image in seen._found.truth.images if image.id != item.image]  # type: ignore[union-attr]
        session.select_image(others[0])
        assert marked(seen) == []
    assert listed(seen) == ["a.png"]
    tab(seen, "Numbers")
    a = next(image.id for image in seen._found.truth.images if image.path == "a.png")  # type: ignore[union-attr]
    session.select_image(a)
    assert marked(seen) == [[10, 10, 30, 30]]  # what the list is opened for


def test_narrow_sides_cut_the_words_of_the_tabs_and_hide_none(qtbot: QtBot, seen: InspectPage) -> None:
    bar = seen.findChild(QTabWidget, "inspect-tabs").tabBar()
    for width in (480, 270):
        bar.resize(width, bar.height())
        seen.findChild(QTabWidget, "inspect-tabs").resize(width, 400)
        rects = [bar.tabRect(place) for place in range(bar.count())]
        assert len(rects) == 6
        assert rects[0].left() >= 0
        qtbot.waitUntil(lambda wide=width: bar.tabRect(5).right() <= wide)
        assert all(rect.width() >= 30 for rect in rects)
