"""The tab "Pictures" of the Train page: what a run finds in the same images after each epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QDoubleSpinBox, QLabel, QPushButton, QSlider, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.test_accessible import nameless, unreachable
from tests.ui.train.live.pictures_tab_driver import (
    CELL,
    OTHER,
    PLATE,
    batch_worker,
    counts,
    folder_of,
    has,
    keep,
    pane,
    pictures,
    session,
    started,
    window,
    words,
)
from tests.ui.train.train_page_driver import FakeTraining
from tests.ui.window_driver import find, shown_page
from workbench.core import edits
from workbench.core.project import Box
from workbench.training import recipes
from workbench.training.events import Evaluated, Finished
from workbench.training.records import record
from workbench.training.request import RunRequest
from workbench.ui.images.box_names import COVERED
from workbench.ui.images.pictures import Picture
from workbench.ui.session import Session
from workbench.ui.train import work
from workbench.ui.train.live import pictures_tab
from workbench.ui.train.live.batch_window import BatchWindow
from workbench.ui.train.live.grid import best_columns
from workbench.ui.train.live.picture import LivePicture, PictureContent
from workbench.ui.train.live.pictures_tab import PicturesTab
from workbench.ui.train.page import TrainPage
from workbench.ui.train.runs.history import RunHistory, history_of

__all__ = ["batch_worker", "pane", "session", "window"]  # fixtures


def test_the_newest_epoch_is_shown_with_its_ap(qtbot: QtBot, session: Session, pane: PicturesTab) -> None:
    first, second = keep(session, "tiny-1", 1, 0.3), keep(session, "tiny-1", 2, 0.9, 0.4)
    pane.show_run("tiny-1", history_of([started("tiny-1"), first, second]))
    qtbot.waitUntil(lambda: words(pane) == "epoch 2 of 30, AP50 0.520")
    assert counts(pane) == [2, 2, 2]
    assert [picture.toolTip().splitlines()[0] for picture in pictures(pane)] == [
        f"{name}.png: 2 found, 1 box labelled" for name in "def"
    ]
    qtbot.waitUntil(lambda: all(picture.picture is not None for picture in pictures(pane)))


def test_left_and_right_walk_through_the_epochs_and_the_end_follows_the_training(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    keep(session, "tiny-1", 1, 0.3)
    keep(session, "tiny-1", 2, 0.9, 0.4)
    history = history_of([started("tiny-1")])
    pane.show_run("tiny-1", history)
    qtbot.waitUntil(lambda: words(pane) == "epoch 2 of 30")
    session.job_event.emit(None, keep(session, "tiny-1", 3, 0.8))
    qtbot.waitUntil(lambda: words(pane) == "epoch 3 of 30")
    pictures(pane)[1].setFocus()
    QTest.keyClick(pictures(pane)[1], Qt.Key.Key_Left)
    assert words(pane) == "epoch 2 of 30"
    session.job_event.emit(None, keep(session, "tiny-1", 4, 0.8))
    qtbot.waitUntil(lambda: find(pane, QSlider, "live-epochs").maximum() == 3)
    assert words(pane) == "epoch 2 of 30", "one who looks at an epoch keeps it"
    QTest.keyClick(pictures(pane)[1], Qt.Key.Key_Home)
    assert words(pane) == "epoch 1 of 30"
    slider = find(pane, QSlider, "live-epochs")
    QTest.keyClick(slider, Qt.Key.Key_Right)
    assert words(pane) == "epoch 2 of 30"
    QTest.keyClick(slider, Qt.Key.Key_End)
    session.job_event.emit(None, keep(session, "tiny-1", 5, 0.8))
    qtbot.waitUntil(lambda: words(pane) == "epoch 5 of 30")


def test_scores_below_the_threshold_are_left_out_and_that_is_kept(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    keep(session, "tiny-1", 1, 0.9, 0.4)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: counts(pane) == [2, 2, 2])
    find(pane, QDoubleSpinBox, "live-score").setValue(0.5)
    assert counts(pane) == [1, 1, 1]
    assert [picture.remark for picture in pictures(pane)] == ["", "", ""]
    find(pane, QDoubleSpinBox, "live-score").setValue(0.95)
    assert [picture.remark for picture in pictures(pane)] == ["best 0.90"] * 3
    other = PicturesTab(session)
    qtbot.addWidget(other)
    assert find(other, QDoubleSpinBox, "live-score").value() == 0.95
    other.close_down()


def test_labelled_boxes_are_thin_found_ones_have_their_labels_colour(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    keep(session, "tiny-1", 1, 0.9, 0.4)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: len(pictures(pane)) == 3 and pictures(pane)[0].picture is not None)
    picture = pictures(pane)[0]
    both = has(picture, CELL)
    assert has(picture, PLATE) > 0
    find(pane, QCheckBox, "live-labelled").setChecked(False)
    assert 0 < has(picture, CELL) < both
    find(pane, QDoubleSpinBox, "live-score").setValue(0.95)
    assert has(picture, CELL) == has(picture, PLATE) == 0


def test_names_in_a_small_tile_cover_neither_each_other_nor_most_of_the_picture(qtbot: QtBot) -> None:
    tile = LivePicture(0)
    qtbot.addWidget(tile)
    tile.resize(320, 240)
    corners = np.array([[10 + 16 * row, 10 + 11 * row] for row in range(16)], np.float64)
    boxes, scores = np.hstack([corners, np.add(corners, (140, 90))]), np.linspace(0.99, 0.3, 16)
    names = tuple(("miss", "thrombocyte")[row % 2] for row in range(16))  # the first is also a kind of Inspect's boxes
    none = np.zeros((0, 4))
    tile.put(Picture((QImage(400, 300, QImage.Format.Format_RGB32),), (400, 300)))
    tile.show_found(PictureContent(1, "a.png", boxes, scores, names, none, ()), {"miss": CELL}, 0.25, True)
    areas = [plate.area for plate in tile.plates]
    assert not any(one.intersects(other) for one, other in itertools.combinations(areas, 2))
    assert sum(area.width() * area.height() for area in areas) < 1.2 * COVERED * 320 * 240
    assert 3 <= len(areas) < 16
    assert tile.plates[0].words == "miss 0.99"
    assert has(tile, CELL)
    tile.show()
    for at, expected in ((QPoint(20, 20), ["miss 0.99"]), (QPoint(2, 2), [])):
        QTest.mouseMove(tile, at)
        qtbot.waitUntil(lambda expected=expected: [plate.words for plate in tile.pointed] == expected)  # type: ignore[misc]
    QTest.mouseMove(tile, QPoint(30, 24))
    qtbot.waitUntil(lambda: [plate.words for plate in tile.pointed] == ["miss 0.99", "thrombocyte 0.94"])
    QTest.mousePress(tile, Qt.MouseButton.LeftButton, pos=QPoint(30, 24))
    assert tile.pointed == ()
    QTest.mouseRelease(tile, Qt.MouseButton.LeftButton, pos=QPoint(30, 24))


def test_a_box_that_is_drawn_meanwhile_and_another_colour_of_a_label_are_seen(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    keep(session, "tiny-1", 1, 0.9)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: counts(pane) == [1, 1, 1])
    assert session.document is not None
    image, label = session.document.images()[3].id, session.document.labels()[0]
    session.do(edits.AddBoxes((Box(0, image, label.id, (130, 20, 180, 60)),)))
    assert pictures(pane)[0].toolTip().startswith("d.png: 1 found, 2 boxes labelled")
    qtbot.waitUntil(lambda: pictures(pane)[0].picture is not None)
    session.do(edits.ChangeLabel(replace(label, colour=OTHER)))
    assert has(pictures(pane)[0], OTHER) > 0
    assert has(pictures(pane)[0], CELL) == 0


def test_what_was_found_of_a_label_that_is_renamed_meanwhile_keeps_its_colour(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    keep(session, "tiny-1", 1, 0.9)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: counts(pane) == [1, 1, 1] and pictures(pane)[0].picture is not None)
    find(pane, QCheckBox, "live-labelled").setChecked(False)
    before = has(pictures(pane)[0], CELL)
    assert session.document is not None
    label, plate = session.document.labels()
    session.do(edits.ChangeLabel(replace(label, name="erythrocyte")))
    assert pictures(pane)[0].shown is not None
    assert pictures(pane)[0].shown.found_labels == ("erythrocyte",)
    assert has(pictures(pane)[0], CELL) > before / 2  # a longer name may be left out
    session.do(edits.MergeLabels(label.id, plate.id))
    assert has(pictures(pane)[0], PLATE) > 0


def test_a_double_click_opens_the_image_on_the_label_page(qtbot: QtBot, session: Session, pane: PicturesTab) -> None:
    keep(session, "tiny-1", 1, 0.9)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: counts(pane) == [1, 1, 1])
    with qtbot.waitSignal(session.page_requested, check_params_cb=lambda page: page == "label"):
        QTest.mouseDClick(pictures(pane)[1], Qt.MouseButton.LeftButton, pos=QPoint(20, 20))
    assert session.image is not None
    assert session.image.name == "e.png"
    with qtbot.waitSignal(session.page_requested):
        QTest.keyClick(pictures(pane)[2], Qt.Key.Key_Return)
    assert session.image.name == "f.png"


def test_an_image_that_was_taken_out_or_can_not_be_read_is_told(
    qtbot: QtBot, session: Session, pane: PicturesTab, tmp_path: Path
) -> None:
    keep(session, "tiny-1", 1, 0.9)
    assert session.document is not None
    (tmp_path / "photographs" / "e.png").write_bytes(b"no picture")
    session.do(edits.RemoveImages((session.document.images()[3].id,)))
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: len(pictures(pane)) == 3 and "e.png" in pictures(pane)[1].sentence)
    assert pictures(pane)[0].sentence == "d.png is not in the project any more."
    qtbot.waitUntil(lambda: pictures(pane)[2].picture is not None)


def test_an_image_that_can_be_read_again_is_shown_after_the_next_evaluation(
    qtbot: QtBot, session: Session, pane: PicturesTab, tmp_path: Path
) -> None:
    """Until the project was opened again, a file on a disk that had been away for a moment stayed unreadable."""
    file = tmp_path / "photographs" / "e.png"
    whole = file.read_bytes()
    file.write_bytes(b"no picture")
    keep(session, "tiny-1", 1, 0.9)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: len(pictures(pane)) == 3 and "e.png" in pictures(pane)[1].sentence)
    file.write_bytes(whole)
    session.job_event.emit(None, keep(session, "tiny-1", 2, 0.9))
    qtbot.waitUntil(lambda: pictures(pane)[1].picture is not None)


def test_pictures_of_many_runs_that_were_looked_at_are_not_all_kept(
    qtbot: QtBot, session: Session, pane: PicturesTab, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(session, "tiny-1", 1, 0.9)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: len(pane._pictures) == 3)
    pane.show_run("", RunHistory())
    assert len(pane._pictures) == 3
    monkeypatch.setattr(pictures_tab, "MOST_KEPT", 2)
    pane.show_run("tiny-1", RunHistory())
    assert len(pane._pictures) == 0


def test_what_was_found_in_an_image_is_not_shown_over_another_of_its_id(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    """As after an older copy of the project was restored and other images were added."""
    keep(session, "tiny-1", 1, 0.9)
    assert session.document is not None
    then = session.document.snapshot()
    images = [replace(image, path="gone.png", date=1.0) if image.name == "d.png" else image for image in then.images]
    images = [replace(image, id=80) if image.name == "e.png" else image for image in images]
    recipe = recipes.preset("quick-cpu")
    record.write_request(RunRequest(folder_of(session, "tiny-1"), replace(then, images=tuple(images)), recipe))
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: len(pictures(pane)) == 3 and pictures(pane)[2].picture is not None)
    assert [bool(picture.sentence) for picture in pictures(pane)] == [True, True, False]


def test_what_is_missing_is_said(qtbot: QtBot, session: Session, pane: PicturesTab) -> None:
    sentence = find(pane, QLabel, "live-sentence")
    assert sentence.text().startswith("Start a training or choose a run")
    assert not find(pane, QPushButton, "live-batch").isEnabled()
    history = history_of([started("tiny-2")])
    pane.show_run("tiny-2", history)
    qtbot.waitUntil(lambda: sentence.text().startswith("tiny-2 has not been evaluated yet."))
    pane.show_run("old", history_of([started("old"), Finished(10, 1, False, 0.5, 1.0, "")]))
    qtbot.waitUntil(lambda: sentence.text().startswith("old kept no pictures"))
    assert sentence.isVisible()


def test_another_run_is_shown_from_its_end(qtbot: QtBot, session: Session, pane: PicturesTab) -> None:
    for epoch in (1, 2, 3):
        keep(session, "tiny-1", epoch, 0.9)
    keep(session, "tiny-2", 1, 0.9, 0.8)
    keep(session, "tiny-2", 7, 0.9, 0.8)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: words(pane) == "epoch 3")
    find(pane, QSlider, "live-epochs").setValue(0)
    pane.show_run("tiny-2", RunHistory())
    qtbot.waitUntil(lambda: words(pane) == "epoch 7")
    assert counts(pane) == [2, 2, 2]


def test_a_zoomed_view_stays_from_epoch_to_epoch_and_zooming_out_ends_with_the_whole_picture(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    keep(session, "tiny-1", 1, 0.9)
    keep(session, "tiny-1", 2, 0.9, 0.8)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: len(pictures(pane)) == 3 and pictures(pane)[0].picture is not None)
    picture = pictures(pane)[0]
    whole = picture.view

    def wheel(notches: int) -> None:
        at = QPointF(picture.rect().center())
        turned = QWheelEvent(
            at, QPointF(picture.mapToGlobal(at)), QPoint(), QPoint(0, 120 * notches), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(picture, turned)

    wheel(3)
    near = picture.view
    assert near.scale > 1.5 * whole.scale
    find(pane, QSlider, "live-epochs").setValue(0)
    assert counts(pane) == [1, 1, 1]
    assert picture.view == near
    wheel(-9)
    assert picture.view == whole


def test_every_control_has_a_name_and_is_reached_by_tab(
    qtbot: QtBot, session: Session, pane: PicturesTab, window: BatchWindow
) -> None:
    keep(session, "tiny-1", 1, 0.9)
    pane.show_run("tiny-1", RunHistory())
    qtbot.waitUntil(lambda: counts(pane) == [1, 1, 1])
    for top in (pane, window):
        assert nameless(top) == unreachable(top) == []


def test_as_many_columns_as_make_the_pictures_large() -> None:
    assert best_columns(8, 860, 340, 4 / 3) == 4
    assert best_columns(8, 1600, 160, 4 / 3) == 8
    assert best_columns(8, 320, 900, 4 / 3) == 2
    assert best_columns(1, 300, 900, 4 / 3) == 1


def test_the_train_page_shows_them_while_a_training_runs_with_more_room(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Training(FakeTraining):
        def _events(self, folder: Path, control: object) -> Iterator[object]:  # type: ignore[override]
            for event in super()._events(folder, control):  # type: ignore[arg-type]
                if isinstance(event, Evaluated) and event.epoch <= 3:
                    keep(session, folder.name, event.epoch, 0.9, 0.4)
                yield event

    monkeypatch.setattr(work, "load", lambda: iter(()))  # PyTorch takes seconds
    shown = shown_page(qtbot, TrainPage(session, train=Training()), session)
    page = next(shown)
    page.shown()
    page.continue_run(folder_of(session, "tiny-1"))
    tabs = find(page, QTabWidget, "train-tabs")
    before = tabs.height()
    tabs.setCurrentWidget(find(page, PicturesTab, "live-pictures"))
    pane = find(page, PicturesTab, "live-pictures")
    qtbot.waitUntil(lambda: words(pane).startswith("epoch 3 of 4"))
    assert counts(pane) == [2, 2, 2]
    QApplication.processEvents()
    assert tabs.height() > 1.4 * before
    tabs.setCurrentIndex(0)
    QApplication.processEvents()
    assert abs(tabs.height() - before) <= 2
    with pytest.raises(StopIteration):
        next(shown)
