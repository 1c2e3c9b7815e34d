"""What the trainer sees of large images in tiles: which view is first, the steps through the others, what is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from tests.ui.train.trainer_view.test_trainer_view_worker import assignment_of, ids_of, narrow
from tests.ui.train.trainer_view.trainer_view_driver import Opened, labelled, made_assignment, open_view, settle
from tests.ui.window_driver import find
from workbench.core.document import Document
from workbench.core.snapshot_views import FULLEST
from workbench.ui.train.trainer_view.requests import FRESH, AssignmentRequest, AssignmentResult
from workbench.ui.train.trainer_view.worker import TrainerViewWorker

__all__ = ["labelled", "open_view"]


def test_the_views_of_a_large_image_are_stepped_through(qtbot: QtBot, open_view: Opened) -> None:
    """First the tile with most boxes, then the next ones by T; another image begins anew."""
    numbers = {FULLEST: 2}

    def answer(request: AssignmentRequest) -> AssignmentResult:
        view = numbers.get(request.view, request.view)
        name = f"tile {view} of 3" if view else "the whole image"
        return replace(made_assignment(request), view=view, tiles=3, view_name=name)

    session, window, worker = open_view(answer)
    controls, label = window.controls, find(window, QLabel, "seen-view")
    shown = []
    for count, (key, modifier) in enumerate(
        [(Qt.Key.Key_T, Qt.KeyboardModifier.NoModifier), *[(Qt.Key.Key_T, Qt.KeyboardModifier.ShiftModifier)] * 3], 2
    ):
        shown.append((label.text(), worker.requests[-1].view, controls.view_on.isEnabled()))
        QTest.keyClick(window, key, modifier)
        settle(qtbot, window, worker, count)
    assert shown == [
        ("Tile 2 of 3", FULLEST, True), ("Tile 3 of 3", 3, False), ("Tile 2 of 3", 2, True), ("Tile 1 of 3", 1, True),
    ]  # fmt: skip
    assert (label.text(), worker.requests[-1].view) == ("The whole image", 0)
    assert not controls.view_back.isEnabled()
    controls.view_back.click()
    controls.step_view(-1)
    assert controls.view_wanted == 0
    QTest.keyClick(window, Qt.Key.Key_D)
    settle(qtbot, window, worker, 6)
    assert (worker.requests[-1].image, worker.requests[-1].view) == (session.image_id, FULLEST)
    assert controls.view_on.toolTip().endswith("(T)")


def test_an_image_without_tiles_offers_no_steps_through_them(qtbot: QtBot, open_view: Opened) -> None:
    _, window, worker = open_view()
    for part in (window.controls.view_back, window.controls.view, window.controls.view_on):
        assert not part.isVisible()
    QTest.keyClick(window, Qt.Key.Key_T)
    window.controls.augmented.click()
    settle(qtbot, window, worker, 2)
    assert worker.requests[-1].view == FULLEST


def test_of_a_large_image_the_tile_with_most_boxes_is_shown_and_where_it_lies_is_said(labelled: Path) -> None:
    """Two of three boxes of the first image lie in its upper left corner."""
    tiled = narrow("yolov1", tiles=64, tile_overlap=0.0)
    request = AssignmentRequest(labelled, 0, tiled, ids_of(labelled)[0], FRESH, True, 0, None)
    shown = assignment_of(TrainerViewWorker(), request)
    assert ", the tile at 0, 0" in shown.about
    assert (shown.view, shown.tiles, shown.view_name) == (1, 8, "tile 1 of 8")
    with Document.open(labelled, read_only=True) as document:
        first, second, _ = document.boxes(ids_of(labelled)[0])
    assert sorted(shown.ids.tolist()) == [first.id, second.id]
    without = assignment_of(TrainerViewWorker(), replace(request, recipe=narrow("yolov1")))
    assert (without.tiles, without.view_name, "tile" in without.about) == (0, "", False)


def test_every_view_of_a_large_image_can_be_shown_also_those_that_are_left_out(labelled: Path) -> None:
    """Of tiles without boxes only some are learnt from: the last image has no others."""
    tiled = narrow("yolov1", tiles=64, tile_overlap=0.0)
    request = AssignmentRequest(labelled, 0, tiled, ids_of(labelled)[0], FRESH, True, 0, None)
    worker = TrainerViewWorker()
    shown = [assignment_of(worker, replace(request, view=view)) for view in range(9)]
    assert [one.view_name for one in shown] == ["the whole image", *(f"tile {n} of 8" for n in range(1, 9))]
    assert [len(one.ids) for one in shown[:2]] == [3, 2]
    assert not any(one.exclusion_reason for one in shown)
    empty = [assignment_of(worker, replace(request, image=ids_of(labelled)[-1], view=view)) for view in range(9)]
    assert assignment_of(worker, replace(request, image=ids_of(labelled)[-1])).view == 0, "no tile has a box"
    left_out = [one for one in empty if one.exclusion_reason]
    assert all("no box counts in this tile" in one.note for one in left_out)
    assert all("not augmented" in one.about for one in left_out)
    assert 0 < len(left_out) < 8
    as_it_is = assignment_of(worker, replace(request, view=3, augmented=False))
    assert (as_it_is.view, as_it_is.tiles, as_it_is.exclusion_reason) == (3, 8, "")
    assert ", the tile at 91, 0, not augmented" in as_it_is.about
    assert assignment_of(worker, replace(request, view=99)).view == 1, "of other tiles than before"
