"""The Anchors page: computing, playing, taking the anchors and taking that back, empty and stale states."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QSlider, QSpinBox, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find, shown_page
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import AnchorSet, Box, Label
from workbench.ui.anchors.controls import ChoicesForm
from workbench.ui.anchors.page import AnchorsPage
from workbench.ui.anchors.playback import AT_ONCE
from workbench.ui.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    (tmp_path / "photographs").mkdir()
    PIL.Image.new("RGB", (416, 416)).save(tmp_path / "photographs" / "a.png")
    session = Session()
    session.open(Document.create(tmp_path / "project", tmp_path / "photographs"))
    yield session
    session.close()


def add_boxes(session: Session, sizes: list[tuple[float, float]]) -> None:
    assert session.document is not None
    session.do(edits.AddLabels((Label(0, "cell"),)))
    image, label = session.document.images()[0].id, session.document.labels()[0].id
    session.do(edits.AddBoxes(tuple(Box(0, image, label, (0, 0, w, h)) for w, h in sizes)))


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[AnchorsPage]:
    yield from shown_page(qtbot, AnchorsPage(session), session)


def text(page: QWidget, name: str) -> str:
    return find(page, QLabel, name).text()


def press(qtbot: QtBot, page: QWidget, name: str) -> None:
    button = find(page, QPushButton, name)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def table(page: QWidget) -> list[list[str]]:
    found = find(page, QTableWidget, "anchors-table")
    return [[found.item(r, c).text() for c in range(found.columnCount())] for r in range(found.rowCount())]


def compute(qtbot: QtBot, page: AnchorsPage, k: int) -> None:
    count = find(page, QSpinBox, "anchors-k")
    speed = find(page, QSlider, "anchors-speed")
    speed.setValue(AT_ONCE)
    count.setValue(k)
    page.shown()
    page.compute()
    qtbot.waitUntil(lambda: "nothing moves" in text(page, "anchors-progress"))


def test_without_boxes_the_page_offers_to_draw_some(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    page.shown()
    assert "need boxes" in text(page, "anchors-empty-sentence")
    with qtbot.waitSignal(session.page_requested) as asked:
        press(qtbot, page, "anchors-empty-button")
    assert asked.args == ["label"]


def test_two_heaps_of_boxes_give_two_rows(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    add_boxes(session, [(10, 20), (10, 20), (10, 20), (100, 50)])
    compute(qtbot, page, 2)
    assert table(page) == [["10.0", "20.0", "3", "75.0 %"], ["100.0", "50.0", "1", "25.0 %"]]
    assert text(page, "anchors-mean-iou") == "100.0 %"
    assert text(page, "anchors-recall") == "100.0 %"


def test_the_boxes_of_the_image_that_is_selected_have_rings(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    add_boxes(session, [(10, 20), (10, 20), (100, 50)])
    compute(qtbot, page, 2)
    rings = page._plots.sizes._rings
    assert len(rings.getData()[0]) == 3
    session.image_changed.emit(session.image_id + 1)
    assert len(rings.getData()[0]) == 0
    session.image_changed.emit(session.image_id)
    assert len(rings.getData()[0]) == 3


def test_too_many_anchors_for_the_boxes_are_explained_in_place(
    qtbot: QtBot, page: AnchorsPage, session: Session
) -> None:
    add_boxes(session, [(10, 20), (100, 50)])
    count = find(page, QSpinBox, "anchors-k")
    count.setValue(9)
    page.shown()
    qtbot.waitUntil(lambda: "only 2 different box sizes" in text(page, "anchors-progress"))
    button = find(page, QPushButton, "anchors-use")
    assert not button.isEnabled()


def test_the_anchors_are_used_and_that_is_undone(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    assert session.document is not None
    add_boxes(session, [(10, 20), (10, 20), (100, 50)])
    compute(qtbot, page, 2)
    press(qtbot, page, "anchors-use")
    kept = session.document.anchors()
    assert kept is not None
    assert (kept.sizes, kept.input_px, kept.mean_iou) == (((10, 20), (100, 50)), 416, 1.0)
    assert text(page, "anchors-in-use") == "In training: 2 anchors, 416 px, mean IoU was 100.0 %"
    add_boxes(session, [(200, 10)])  # the number stays that of then
    assert text(page, "anchors-in-use").endswith("mean IoU was 100.0 %")
    session.undo()
    session.undo()
    assert session.document.anchors() is None
    assert "published" in text(page, "anchors-in-use")
    session.anchorless = "FCOS"
    page.shown()
    assert text(page, "anchors-in-use") == "FCOS, chosen on the Train page, has no anchors."


def test_the_published_ones_can_be_had_again(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    assert session.document is not None
    add_boxes(session, [(10, 20), (100, 50)])
    compute(qtbot, page, 2)
    press(qtbot, page, "anchors-use")
    press(qtbot, page, "anchors-published")
    assert session.document.anchors() is None


def test_the_anchors_follow_an_edit_at_once(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    add_boxes(session, [(10, 20), (100, 50)])
    compute(qtbot, page, 2)
    qtbot.waitUntil(lambda: page._incremental_fit.is_following)
    assert session.document is not None
    image, label = session.document.images()[0].id, session.document.labels()[0].id
    session.do(edits.AddBoxes(tuple(Box(0, image, label, (0, 0, 100, 60)) for _ in range(2))))
    assert table(page) == [["10.0", "20.0", "1", "25.0 %"], ["100.0", "60.0", "3", "75.0 %"]], "at once"
    assert text(page, "anchors-progress") == "The anchors follow your edits."
    session.undo()
    assert table(page) == [["10.0", "20.0", "1", "50.0 %"], ["100.0", "50.0", "1", "50.0 %"]]


def test_edits_while_it_computes_are_not_missed(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    add_boxes(session, [(w, h) for w in range(10, 200, 7) for h in range(10, 200, 9)])
    speed = find(page, QSlider, "anchors-speed")
    speed.setValue(AT_ONCE)
    page.shown()
    assert session.document is not None
    image, label = session.document.images()[0].id, session.document.labels()[0].id
    for _ in range(3):
        session.do(edits.AddBoxes((Box(0, image, label, (0, 0, 300, 300)),)))
    qtbot.waitUntil(lambda: page._incremental_fit.is_following)
    boxes = len(session.document.boxes(image))
    qtbot.waitUntil(lambda: sum(int(row[2].replace(",", "")) for row in table(page)) == boxes)


def test_a_larger_input_makes_larger_anchors(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    add_boxes(session, [(10, 20), (100, 50)])
    compute(qtbot, page, 2)
    px = find(page, QSpinBox, "anchors-px")
    px.setValue(832)
    qtbot.waitUntil(lambda: [row[0] for row in table(page)] == ["20.0", "200.0"])


def test_a_single_step_pauses_and_moves_by_one(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    add_boxes(session, [(w, h) for w in range(10, 200, 7) for h in range(10, 200, 9)])
    page.shown()
    qtbot.waitUntil(lambda: text(page, "anchors-progress").startswith("Step"))
    press(qtbot, page, "anchors-pause")
    step = find(page, QPushButton, "anchors-step")
    qtbot.waitUntil(step.isEnabled)
    before = text(page, "anchors-progress")
    press(qtbot, page, "anchors-step")
    first, second = (int(words.split()[1].rstrip(":")) for words in (before, text(page, "anchors-progress")))
    assert second == first + 1


def test_leaving_while_it_computes_leaves_no_thread(qtbot: QtBot, page: AnchorsPage, session: Session) -> None:
    add_boxes(session, [(w, h) for w in range(10, 200, 3) for h in range(10, 200, 3)])
    page.shown()
    page.closing()
    qtbot.waitUntil(lambda: not session.jobs)


def test_the_page_begins_with_what_the_anchors_in_use_were_made_for(qtbot: QtBot, session: Session) -> None:
    used = AnchorSet(((8.0, 8.0), (16.0, 16.0)), 256, "darknet letterbox", tiles=640)
    session.do(edits.ChangeSetting("anchors", used.to_setting()))
    page = AnchorsPage(session)
    qtbot.addWidget(page)
    chosen = page._form.choices()
    assert (chosen.k, chosen.px, chosen.resize, chosen.tiles) == (2, 256, "letterbox", 640)
    page.closing()


def test_tiles_smaller_than_there_can_be_are_shown_as_they_are_counted(qtbot: QtBot) -> None:
    """'32 px' stood there, and the boxes were counted in whole photographs."""
    form = ChoicesForm()
    qtbot.addWidget(form)
    changed: list[int] = []
    form.changed.connect(lambda: changed.append(form.choices().tiles))
    for side in (32, 640, 0):
        form.tiles.setValue(side)
    assert changed == [64, 640, 0]
