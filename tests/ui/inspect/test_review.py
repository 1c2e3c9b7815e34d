"""The review gallery with detections made by hand: what is listed, keys of the decisions, undo, Enter, its crops."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import PIL.Image
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QImage
from PySide6.QtWidgets import QComboBox, QLabel, QMainWindow, QPushButton, QTabWidget
from pytestqt.qtbot import QtBot

from tests.core.test_metrics import found_of
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import match
from workbench.core.project import Box, Label, State
from workbench.inference.evaluating import review_decisions
from workbench.inference.evaluating.review import Prediction, ReviewItem, ReviewKind
from workbench.ui import keys
from workbench.ui.commands import BY_NAME
from workbench.ui.inspect.review.bars import TIGHT, DecisionBar
from workbench.ui.inspect.review.gallery import ReviewGallery
from workbench.ui.inspect.review.queue_model import _stable
from workbench.ui.inspect.review.tab import ReviewTab
from workbench.ui.session import Session
from workbench.ui.window.keys_sheet import KeysSheet

LONG = "a label whose name is far longer than any tile is wide, so that it is cut"
# image a: its box is found as another label, and there are two false alarms; image b: its box is missed, at the edge
SEEN = [(0, 1, [10, 10, 30, 30], 0.9), (0, 0, [60, 60, 80, 80], 0.8), (0, 0, [60, 10, 62, 12], 0.7)]
WRONG, ALARM, TINY, MISS = range(4)  # in the order of doubt


class Bench:
    """The gallery in a window, with what the Inspect page does around it."""

    def __init__(self, qtbot: QtBot, session: Session) -> None:
        self.qtbot, self.session = qtbot, session
        self.window = QMainWindow()
        self.review = ReviewGallery(session)
        self.window.setCentralWidget(self.review)
        qtbot.addWidget(self.window)
        self.window.resize(960, 640)
        self.window.show()
        assert session.document is not None
        self.document = session.document
        self.truth = self.document.snapshot()
        session.edited.connect(self._edited)

    def _edited(self, applied: object) -> None:
        """As the page follows an edit."""
        images = getattr(applied, "images", ())
        if images:
            self.truth = review_decisions.replace_images(self.truth, self.document.snapshot(images))
            self.show()

    def show(self) -> None:
        found = found_of([(i, label, list(map(float, box)), score) for i, label, box, score in SEEN], 2)
        self.review.show_found(self.truth, match(GroundTruth.of(self.truth), DetectionSet.of(found)), 0.5)

    def shown(self) -> None:
        """Wait for the list."""
        self.show()
        self.qtbot.waitUntil(lambda: bool(self.kinds()))
        self.review.view.setFocus()
        self.qtbot.waitUntil(self.review.view.hasFocus)

    def kind(self) -> ReviewKind:
        assert self.review.current is not None
        return self.review.current.kind

    def kinds(self) -> list[str]:
        queue = self.review.queue
        return [str(item.kind) for row in range(queue.rowCount()) if (item := queue.item(row))]

    @property
    def count(self) -> str:
        label = self.review.findChild(QLabel, "review-count")
        assert isinstance(label, QLabel)
        return label.text()

    def combo(self, name: str) -> QComboBox:
        combo = self.review.findChild(QComboBox, f"review-{name}")
        assert isinstance(combo, QComboBox)
        return combo

    def button(self, name: str) -> QPushButton:
        button = self.review.findChild(QPushButton, f"review-{name}")
        assert isinstance(button, QPushButton)
        return button

    def press(self, *pressed: Qt.Key) -> None:
        for key in pressed:
            self.qtbot.keyClick(self.review.view, key)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "photographs").mkdir()
    for name in "ab":
        PIL.Image.new("RGB", (100, 100), (90, 120, 60)).save(tmp_path / "photographs" / f"{name}.png")
    session = Session()
    session.open(Document.create(tmp_path / "project", tmp_path / "photographs"))
    assert session.document is not None
    session.do(edits.AddLabels((Label(0, "cell"), Label(0, LONG))))
    ids = tuple(image.id for image in session.document.images())
    label = session.document.labels()[0].id
    session.do(edits.AddBoxes((Box(0, ids[0], label, (10, 10, 30, 30)), Box(0, ids[1], label, (0, 80, 12, 100)))))
    session.do(edits.SetState(ids, State.DONE))
    yield session
    session.close()


@pytest.fixture
def bench(qtbot: QtBot, session: Session) -> Iterator[Bench]:
    bench = Bench(qtbot, session)
    yield bench
    bench.review.close_down()
    assert session.end_jobs()


def test_it_says_what_to_do_before_anything_was_found(bench: Bench) -> None:
    assert "Look at the images first" in bench.review.view.hint
    assert bench.count == "0 left of 0"
    assert not bench.button("take").isEnabled()


def test_all_mistakes_are_listed_and_the_first_is_current(bench: Bench) -> None:
    bench.shown()
    assert bench.kinds() == ["wrong label", "false alarm", "false alarm", "miss"]
    assert bench.count == "4 left of 4"
    assert bench.review.current is not None
    assert bench.review.current.kind is ReviewKind.WRONG_LABEL
    assert bench.combo("kind").itemText(0) == "All mistakes (4)"
    assert "gets the prediction's place and label" in bench.button("take").toolTip()
    assert bench.button("keep").text() == "My label stands  (N)"


def test_a_key_decides_and_the_next_item_is_current(bench: Bench) -> None:
    bench.shown()
    decided = bench.review.current
    assert isinstance(decided, ReviewItem)
    bench.press(Qt.Key.Key_T)
    assert decided.kind is ReviewKind.WRONG_LABEL
    assert bench.document.boxes(decided.image)[0].label == bench.document.labels()[1].id
    assert bench.kinds() == ["false alarm", "false alarm", "miss"]
    assert bench.count == "3 left of 4"
    bench.press(Qt.Key.Key_N)
    assert bench.kinds() == ["false alarm", "miss"]
    assert bench.review.current is not None
    assert bench.review.current.kind is ReviewKind.FALSE_ALARM
    bench.press(Qt.Key.Key_I, Qt.Key.Key_W)
    assert bench.kinds() == []
    assert bench.count == "0 left of 4"
    images = [image.id for image in bench.document.images()]
    assert [box.crowd for box in bench.document.boxes(images[0])] == [False, True]
    assert bench.document.boxes(images[1]) == ()
    bench.qtbot.waitUntil(lambda: "nothing left" in bench.review.view.hint)


def test_what_follows_from_a_decision_comes_after_the_current_item() -> None:
    items: dict[str, Any] = {name: SimpleNamespace(key=(name,)) for name in "abcdefxyz"}

    def listed(ranked: str, before: str, current: int) -> str:
        rows = [items[name] for name in ranked]
        return "".join(item.key[0] for item in _stable(rows, [items[name].key for name in before], current))

    assert listed("abcdef", "abcdef", 2) == "abcdef"
    assert listed("xabycdzef", "abcdef", 2) == "abcxydzef", "x and y would lie before what is current"
    assert listed("xabydzef", "abcdef", 2) == "abxydzef", "c was decided: what comes next is one of them"
    assert listed("fedcba", "abcdef", 0) == "abcdef", "nothing moves that was there"
    assert listed("xyz", "abc", 1) == "xyz"


def test_only_decisions_that_mean_something_here_can_be_made(bench: Bench) -> None:
    bench.shown()
    bench.press(Qt.Key.Key_N)  # the wrong label
    assert bench.kind() is ReviewKind.FALSE_ALARM  # there is no label of mine to be wrong
    assert not bench.button("wrong").isEnabled()
    before = bench.kinds()
    bench.press(Qt.Key.Key_W)
    assert bench.kinds() == before
    assert bench.button("take").isEnabled()
    bench.press(Qt.Key.Key_N, Qt.Key.Key_N)
    assert bench.kind() is ReviewKind.MISS
    assert bench.button("wrong").text() == "Remove my box  (W)"
    assert bench.button("wrong").isEnabled()
    bench.press(Qt.Key.Key_T)  # nothing was predicted here: there is nothing to take, and the box stays
    assert bench.kind() is ReviewKind.MISS
    assert not bench.button("take").isEnabled()


def test_a_decision_that_can_not_be_made_says_why_on_its_button(bench: Bench) -> None:
    bench.shown()
    bench.press(Qt.Key.Key_N)
    assert bench.kind() is ReviewKind.FALSE_ALARM
    assert bench.button("wrong").toolTip() == "There is no label of yours here that could be wrong."
    bench.press(Qt.Key.Key_N, Qt.Key.Key_N)
    assert bench.kind() is ReviewKind.MISS
    assert bench.button("take").toolTip() == "Nothing was found here, so there is no prediction to take."


def test_a_decision_of_ctrl_k_shows_the_mistake_before_it_decides_it(qtbot: QtBot, bench: Bench) -> None:
    bench.shown()
    asked: list[bool] = []
    said: list[str] = []
    bench.review.show_requested.connect(lambda: asked.append(True))
    bench.session.message.connect(lambda _kind, words: said.append(words))
    take = bench.review.view.findChild(QAction, "action-review-take")
    assert isinstance(take, QAction)
    bench.review.hide()
    take.trigger()
    bench.review.show()
    take.trigger()  # nobody has seen it yet
    assert len(asked) == 2
    assert bench.count == "4 left of 4"
    assert said[-1] == "This is the mistake to decide. Look at it, then press T."
    qtbot.waitUntil(lambda: bench.review._is_seen)
    take.trigger()
    assert bench.count == "3 left of 4"


def test_the_button_says_that_a_prediction_on_another_object_is_added(bench: Bench) -> None:
    seen = Prediction((16, 10, 26, 20), 1, 0.9)
    bar = bench.review.findChild(DecisionBar)
    assert isinstance(bar, DecisionBar)
    for box, word in ((10, "Add the prediction"), (14, "Take the prediction")):
        bar.show_item(ReviewItem(ReviewKind.POOR_BOX, 1, 1, 1, (box, 10, box + 10, 20), seen), "")
        assert bench.button("take").text().startswith(word)


def _is_whole(button: QPushButton) -> bool:
    return button.width() >= button.sizeHint().width() - TIGHT


@pytest.mark.parametrize("width", [260, 300, 364, 660, 700, 900])
def test_no_decision_is_cut_however_narrow_the_pane_is(bench: Bench, width: int) -> None:
    bench.shown()
    bar = bench.review.findChild(DecisionBar)
    assert isinstance(bar, DecisionBar)
    bench.window.resize(width, 640)
    bench.qtbot.waitUntil(lambda: bar.width() <= width)
    for _ in range(4):
        for name, key in zip(("take", "wrong", "ignore", "keep"), "TWIN", strict=True):
            button = bench.button(name)
            assert button.text().endswith(f"  ({key})")
            assert width < 364 or button.text() == f"{button.accessibleName()}  ({key})"
            bench.qtbot.waitUntil(partial(_is_whole, button))
            assert bar.rect().contains(button.geometry())
        bench.press(Qt.Key.Key_N)


def test_each_undo_brings_one_item_back_and_makes_it_current(bench: Bench) -> None:
    bench.shown()
    bench.press(Qt.Key.Key_T, Qt.Key.Key_N)  # a label that changes, and one that is only remembered
    bench.session.undo()
    assert bench.kinds() == ["false alarm", "false alarm", "miss"]
    assert bench.review.view.currentIndex().row() == 0
    bench.session.undo()
    bench.qtbot.waitUntil(lambda: bench.kinds() == ["wrong label", "false alarm", "false alarm", "miss"])
    assert bench.count == "4 left of 4"
    assert bench.review.current is not None
    assert bench.review.current.kind is ReviewKind.WRONG_LABEL
    bench.session.redo()
    bench.qtbot.waitUntil(lambda: bench.kinds() == ["false alarm", "false alarm", "miss"])


def test_what_was_looked_at_is_counted_the_next_time(bench: Bench, qtbot: QtBot) -> None:
    bench.shown()
    bench.press(Qt.Key.Key_Right, Qt.Key.Key_N)
    again = Bench(qtbot, bench.session)
    again.shown()
    assert again.kinds() == ["wrong label", "false alarm", "miss"]
    assert again.count == "3 left of 4"
    again.review.close_down()


def test_an_older_list_that_comes_late_does_not_bring_back_what_is_decided(bench: Bench) -> None:
    bench.shown()
    bench.session.edited.disconnect(bench._edited)  # the page is slow
    bench.press(Qt.Key.Key_T)
    done = []
    bench.review.queue.modelReset.connect(lambda: done.append(True))
    bench.show()
    bench.qtbot.waitUntil(lambda: bool(done))
    assert bench.kinds() == ["false alarm", "false alarm", "miss"]
    assert bench.count == "3 left of 4"


def test_kind_label_and_order_choose_what_is_listed(bench: Bench) -> None:
    bench.shown()
    bench.combo("kind").setCurrentIndex(bench.combo("kind").findData("false alarm"))
    assert bench.count == "2 left of 2"
    bench.combo("label").setCurrentIndex(2)
    assert bench.kinds() == []
    bench.combo("kind").setCurrentIndex(0)
    assert bench.kinds() == ["wrong label"]
    bench.combo("kind").setCurrentIndex(bench.combo("kind").findData("likely label error"))
    bench.combo("label").setCurrentIndex(0)
    assert bench.kinds() == ["likely label error"] * 4
    bench.combo("order").setCurrentIndex(bench.combo("order").findText("Least overlap first"))
    assert bench.review.queue.item(0) is not None
    assert bench.review.queue.item(0).iou == 1.0


def test_arrows_move_and_take_the_image_along(bench: Bench) -> None:
    bench.shown()
    bench.press(Qt.Key.Key_Right, Qt.Key.Key_Right, Qt.Key.Key_Right)
    assert bench.review.current is not None
    assert bench.review.current.kind is ReviewKind.MISS
    assert bench.session.image_id == bench.review.current.image
    bench.press(Qt.Key.Key_Left)
    assert bench.review.view.currentIndex().row() == TINY


def test_enter_and_a_double_click_open_the_label_page_with_the_box(bench: Bench) -> None:
    bench.shown()
    asked: list[object] = []
    bench.session.page_requested.connect(asked.append)
    bench.session.boxes_requested.connect(asked.append)
    bench.press(Qt.Key.Key_Return)
    box = bench.document.boxes(bench.document.images()[0].id)[0].id
    assert asked == ["label", (box,)]
    asked.clear()
    place = bench.review.view.visualRect(bench.review.queue.index(ALARM)).center()
    bench.qtbot.mouseClick(bench.review.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    bench.qtbot.mouseDClick(bench.review.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert asked == ["label"]  # there is no box to select


def test_letters_in_a_list_of_choices_decide_nothing(bench: Bench) -> None:
    bench.shown()
    bench.combo("order").setFocus()
    bench.qtbot.keyClick(bench.combo("order"), Qt.Key.Key_T)
    assert bench.count == "4 left of 4"


def test_the_decisions_have_keys_that_nothing_else_has_here() -> None:
    assert not keys.conflicts(keys.in_force("labelImg", {}))
    assert {BY_NAME[f"review-{decision}"].where for decision in review_decisions.Decision} == {"Inspect"}


def test_the_wide_list_gives_the_room_back_while_another_tab_is_shown(qtbot: QtBot, session: Session) -> None:
    tabs, tab = QTabWidget(), ReviewTab(session)
    qtbot.addWidget(tabs)
    tabs.addTab(QLabel("numbers"), "Numbers")
    tabs.addTab(tab, "Review")
    tabs.show()
    said: list[bool] = []
    tab.wide_requested.connect(said.append)
    tabs.setCurrentIndex(1)
    button = tab.findChild(QPushButton, "review-wide")
    assert isinstance(button, QPushButton)
    button.click()
    tabs.setCurrentIndex(0)
    tabs.setCurrentIndex(1)
    tab.close_down()
    assert said == [False, True, False, True]


# --- crops ---


def grab(bench: Bench) -> QImage:
    return bench.review.view.viewport().grab().toImage()


def test_tiles_show_the_photograph_with_both_boxes(bench: Bench) -> None:
    bench.shown()
    place = bench.review.view.visualRect(bench.review.queue.index(MISS))
    middle = QPoint(place.center().x() + 30, place.y() + 40)  # beside the box
    bench.qtbot.waitUntil(lambda: grab(bench).pixelColor(middle).getRgb() == (90, 120, 60, 255))


def test_a_photograph_that_can_not_be_read_says_why(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "photographs" / "b.png").write_bytes(b"not a picture")
    bench.shown()
    crops = bench.review._crops
    file = tmp_path / "photographs" / "b.png"
    bench.qtbot.waitUntil(lambda: (grab(bench), crops.problem(file))[1] != "")
    assert "b.png" in crops.problem(file) or "image" in crops.problem(file)
    assert crops.problem(tmp_path / "photographs" / "a.png") == ""


def test_the_sheet_of_keys_has_the_decisions(qtbot: QtBot, bench: Bench) -> None:
    sheet = KeysSheet(bench.window)
    qtbot.addWidget(sheet)
    for decision in review_decisions.Decision:
        button = sheet.findChild(QPushButton, f"key-review-{decision}")
        assert isinstance(button, QPushButton)
        assert button.text() == keys.of(f"review-{decision}")[0]
