"""The window with the batch of a running step: what the network gets, to the pixel."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QSpinBox
from pytestqt.qtbot import QtBot

from tests.ui.train.live.pictures_tab_driver import (
    FakeBatchWorker,
    batch_worker,
    folder_of,
    pane,
    session,
    started,
    window,
)
from tests.ui.window_driver import find
from workbench.errors import WorkbenchError
from workbench.training.events import Progress
from workbench.ui.session import Session
from workbench.ui.train.live.batch_tiles import TILE
from workbench.ui.train.live.batch_window import BatchWindow
from workbench.ui.train.live.batch_work import BatchPlan, BatchPlanRequest, BatchWorker, Tile, TileRequest
from workbench.ui.train.live.pictures_tab import PicturesTab
from workbench.ui.train.runs.history import RunHistory, history_of
from workbench.ui.widgets.tile_view import TileView

__all__ = ["batch_worker", "pane", "session", "window"]  # fixtures


def names(window: BatchWindow) -> list[str]:
    return [window.model.index(row).data() for row in range(window.model.rowCount())]


def test_the_batch_of_the_running_step_is_made_and_now_makes_the_next(
    qtbot: QtBot, session: Session, window: BatchWindow, batch_worker: FakeBatchWorker
) -> None:
    history = history_of([started("tiny-1"), Progress(7, 30, 1, 4, {}, 1.0, 0.1, 5.0, 9.0)])
    window.show_run(folder_of(session, "tiny-1"), history)
    qtbot.waitUntil(lambda: window.model.done == 4)
    assert names(window) == ["7-0.png", "7-1.png", "7-2.png", ""]
    assert find(window, QSpinBox, "batch-step").value() == 8
    assert find(window, QLabel, "batch-of").text() == "of 30"
    assert find(window, QLabel, "batch-about").text() == "4 images of 416 × 416 px. 1 put together of several."
    assert window.model.index(0).data(Qt.ItemDataRole.ToolTipRole).splitlines()[:3] == [
        "7-0.png", "1 box", "with z.png",
    ]  # fmt: skip
    assert window.model.index(3).data(Qt.ItemDataRole.ToolTipRole) == "d.png can't be read."
    history.add(Progress(30, 30, 4, 4, {}, 1.0, 0.1, 5.0, 0.0))
    QTest.mouseClick(find(window, QPushButton, "batch-now"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: names(window)[0] == "29-0.png")
    window.grab()


def test_any_step_can_be_asked_for_and_what_was_asked_before_is_not_shown(
    qtbot: QtBot, session: Session, window: BatchWindow
) -> None:
    window.show_run(folder_of(session, "tiny-1"), history_of([started("tiny-1")]))
    qtbot.waitUntil(lambda: window.model.done == 4)
    assert names(window)[0] == "0-0.png"
    find(window, QSpinBox, "batch-step").setValue(12)
    qtbot.waitUntil(lambda: window.model.done == 4 and names(window)[0] == "11-0.png")
    window._done(TileRequest(folder_of(session, "tiny-1"), 3, 0), window.model.index(1).data(TILE))
    assert names(window)[0] == "11-0.png"


def test_a_double_click_on_an_image_of_the_batch_opens_it(qtbot: QtBot, session: Session, window: BatchWindow) -> None:
    window.show_run(folder_of(session, "tiny-1"), history_of([started("tiny-1")]))
    qtbot.waitUntil(lambda: window.model.done == 4)
    view = find(window, TileView, "batch-tiles")
    at = view.visualRect(window.model.index(1)).center()
    with qtbot.waitSignal(session.page_requested):
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert session.image_id == 2


def test_the_button_opens_one_window_that_goes_with_the_project(
    qtbot: QtBot, session: Session, pane: PicturesTab
) -> None:
    pane.show_run("tiny-1", RunHistory())
    QTest.mouseClick(find(pane, QPushButton, "live-batch"), Qt.MouseButton.LeftButton)
    window = find(pane, BatchWindow, "batch-window")
    view = find(window, TileView, "batch-tiles")
    qtbot.waitUntil(lambda: view.hint.startswith("tiny-1 has no record of its images yet"))
    QTest.mouseClick(find(pane, QPushButton, "live-batch"), Qt.MouseButton.LeftButton)
    assert len(pane.findChildren(BatchWindow)) == 1
    session.close()
    assert window.ended


class Trained:
    """A run that was asked for, and the batches that its training makes."""

    def __init__(self, session: Session, scratch: Path, mosaic: float, tiles: int = 0) -> None:
        from workbench import detectors
        from workbench.training import prepare, recipes, schedule
        from workbench.training.batches import data, image_views
        from workbench.training.events import Control
        from workbench.training.records import record
        from workbench.training.request import RunRequest

        assert session.document is not None
        recipe = recipes.preset(recipes.DEFAULT)
        own = replace(recipe.detector_settings, input_px=64).resolved(("cell", "plate"))
        self.settings = replace(recipe.training, batch=4, epochs=6, mosaic=mosaic, sizes=0.3, tiles=tiles)
        recipe = replace(recipe, detector_settings=own, training=self.settings)
        self.folder = folder_of(session, "tiny-1")
        request = RunRequest(self.folder, session.document.snapshot(), recipe)
        record.write_request(request)
        reading = data.load(
            image_views.learnt_views(prepare.select_images(request.snapshot, self.settings)[0], self.settings),
            schedule.largest_side(self.settings, 64, 32),
            detectors.load_all().get(recipe.detector).chosen_resize(own), ignore_difficult=True, threads=1,
            scratch=scratch, control=Control(),
        )  # fmt: skip
        try:
            while True:
                next(reading)
        except StopIteration as end:
            self.data = end.value
        self.plan = schedule.Plan(len(self.data), 4, 6, self.settings.seed)

    def check(self, tile: Tile, step: int) -> None:
        """That the tile is what the network got."""
        from workbench.training import schedule
        from workbench.training.batches import augment

        side = schedule.input_side(self.settings, step, self.plan.steps, 64, 32)
        calm = schedule.is_calm(self.settings, step, self.plan.steps)
        indices = self.plan.indices(step)
        wanted = augment.augmented(self.data, indices, self.settings, step, side, calm=calm)
        rows = np.frombuffer(tile.picture.constBits(), np.uint8).reshape(side, side, 4)
        np.testing.assert_array_equal(rows[..., 2::-1], wanted.images[tile.place])
        np.testing.assert_array_equal(tile.boxes, wanted.boxes[tile.place][wanted.labels[tile.place] >= 0])
        assert tile.image == self.data.snapshot.images[indices[tile.place]].id


@pytest.mark.slow  # PyTorch is loaded, if no test before it has
@pytest.mark.parametrize("broken", [False, True])
def test_a_batch_is_to_the_pixel_what_the_training_makes(session: Session, tmp_path: Path, broken: bool) -> None:
    """Broken: a file that can't be read was left out by the training, so all images after it moved up."""
    if broken:
        (tmp_path / "photographs" / "a.png").write_bytes(b"no picture")
    trained = Trained(session, tmp_path, mosaic=0.5)
    batches = BatchWorker()
    assert batches.handle(BatchPlanRequest(trained.folder, len(trained.data), 1)) == BatchPlan(
        4, trained.plan.steps, ""
    )
    for step in (0, 2):
        for place in range(4):
            tile = batches.handle(TileRequest(trained.folder, step, place))
            assert isinstance(tile, Tile)
            trained.check(tile, step)


@pytest.mark.slow
def test_tiles_of_a_batch_are_named_and_counted_as_such(session: Session, window: BatchWindow, tmp_path: Path) -> None:
    """Their images have 200 x 100 pixels, so each has eight tiles."""
    trained = Trained(session, tmp_path, mosaic=0.0, tiles=64)
    batches, views = BatchWorker(), len(trained.data)
    plan = batches.handle(BatchPlanRequest(trained.folder, views, 1))
    assert isinstance(plan, BatchPlan)
    assert (plan.tiled, plan.note) == (True, "")
    names = set()
    for step in range(-(-views // 4)):
        for place in range(4):
            tile = batches.handle(TileRequest(trained.folder, step, place))
            assert isinstance(tile, Tile)
            trained.check(tile, step)
            names.add(tile.name)
    assert "a.png" in names
    assert any(name.startswith("a.png, tile ") and name.endswith(" of 8") for name in names)
    fewer = batches.handle(BatchPlanRequest(trained.folder, views + 5, 2))
    assert isinstance(fewer, BatchPlan)
    assert fewer.note.startswith(f"The training had {views + 5} images and tiles, but {views} can be read now")
    window._plan = plan
    window._tell()
    assert window.about.text().startswith("0 of 4 images and tiles")


@pytest.mark.slow
def test_an_image_that_is_gone_since_the_training_does_not_move_the_others(session: Session, tmp_path: Path) -> None:
    trained = Trained(session, tmp_path, mosaic=0.0)
    batches = BatchWorker()
    batches.handle(BatchPlanRequest(trained.folder, len(trained.data), 1))
    (tmp_path / "photographs" / "a.png").unlink()
    shown = [outcome(batches, TileRequest(trained.folder, 0, place)) for place in range(4)]
    refused = [tile.sentence for tile in shown if isinstance(tile, WorkbenchError)]
    there = [tile for tile in shown if isinstance(tile, Tile)]
    assert refused
    assert all("a.png" in sentence for sentence in refused)
    assert there
    for tile in there:
        trained.check(tile, 0)


def outcome(batches: BatchWorker, request: TileRequest) -> object:
    try:
        return batches.handle(request)
    except WorkbenchError as error:
        return error
