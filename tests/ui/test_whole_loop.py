"""One person, one window, real photographs: draw, cluster, train, stop, restart, resume, inspect, export."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QTableWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, boxes_on_disk, find
from workbench import exchange
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Split, State
from workbench.training.records import runs
from workbench.ui.window.main_window import MainWindow

pytestmark = pytest.mark.slow
SMALL = {"epochs": "2", "input_px": "96", "batch": "4", "width": "0.25", "threads": "1"}


@pytest.fixture
def cells(test_data: Path, tmp_path: Path) -> Path:
    """Nine photographs of blood cells: six labelled for training, two for validation, the last without a box."""
    source = test_data / "data" / "bccd" / "BCCD"
    photographs = tmp_path / "Blutzellen ü"
    photographs.mkdir()
    for file in sorted((source / "JPEGImages").glob("*.jpg"))[:9]:
        shutil.copy(file, photographs)
    with Document.create(tmp_path / "project", photographs) as document:
        quiet = exchange.ImportSettings(splits=False)
        exchange.apply_import(document, exchange.plan_import(document, source, images=photographs, settings=quiet))
        ids = [image.id for image in document.images()]
        document.do(edits.RemoveImages(tuple(ids[9:])))
        document.do(edits.RemoveBoxes(tuple(box.id for box in document.boxes(ids[8]))))
        document.do(edits.SetState((ids[8],), State.UNLABELLED))
        document.do(edits.SetSplit(tuple(ids[:6]), Split.TRAIN))
        document.do(edits.SetSplit(tuple(ids[6:8]), Split.VALIDATION))
        document.clear_history()
    return tmp_path / "project"


def wait(qtbot: QtBot, condition: Callable[[], bool]) -> None:
    qtbot.waitUntil(condition, timeout=120_000)


def press(qtbot: QtBot, window: MainWindow, name: str) -> None:
    button = find(window, QAbstractButton, name)
    wait(qtbot, button.isEnabled)
    button.click()


def start_training(qtbot: QtBot, window: MainWindow, epochs: str) -> None:
    window.show_page("train")
    wait(qtbot, lambda: find(window, QComboBox, "train-detector").isEnabled())
    for name, typed in {**SMALL, "epochs": epochs}.items():
        find(window, QLineEdit, f"train-form-{name}").setText(typed)
    press(qtbot, window, "train-start")


def test_from_photographs_to_exported_weights(qtbot: QtBot, open_window: Open, cells: Path) -> None:
    window = open_window(cells)

    # draw on the unlabelled image, undo, restart, redo
    document = window.session.document
    assert document is not None
    last = document.images()[-1]
    window.session.select_image(last.id)
    hand = WindowDriver(qtbot, window)
    wait(qtbot, lambda: hand.canvas.picture is not None)
    hand.draw((100, 100), (300, 260))
    assert len(boxes_on_disk(cells)[last.name]) == 1
    window.session.undo()
    window.close()
    assert boxes_on_disk(cells)[last.name] == []
    window = open_window(cells)
    window.session.redo()
    assert len(boxes_on_disk(cells)[last.name]) == 1

    # cluster, and use what was found
    window.show_page("anchors")
    find(window, QSpinBox, "anchors-k").setValue(6)
    find(window, QSpinBox, "anchors-px").setValue(96)
    find(window, QSlider, "anchors-speed").setValue(31)
    wait(qtbot, lambda: "nothing moves" in find(window, QLabel, "anchors-progress").text())
    press(qtbot, window, "anchors-use")
    with Document.open(cells, read_only=True) as on_disk:
        kept = on_disk.anchors()
    assert kept is not None
    assert (len(kept.sizes), kept.input_px) == (6, 96)

    # close the window in mid-training: a checkpoint is left, and the run goes on after a restart
    start_training(qtbot, window, "500")
    folder = cells / "runs"
    wait(qtbot, lambda: bool(runs.runs(folder)) and runs.runs(folder)[0].step >= 2)
    window.close()
    run = runs.runs(folder)[0]
    assert (run.state, run.resumable) == ("stopped", True)
    window = open_window(cells, "train")
    past = find(window, QTableWidget, "train-runs")
    wait(qtbot, lambda: past.rowCount() > 0)
    past.selectRow(0)
    press(qtbot, window, "train-resume")
    wait(qtbot, lambda: runs.runs(folder)[0].step > run.step)
    press(qtbot, window, "train-stop")
    wait(qtbot, lambda: not window.session.jobs)

    # a short one to its end
    start_training(qtbot, window, "2")
    wait(qtbot, lambda: len(runs.runs(folder)) == 2)  # once the look before the start has ended
    wait(qtbot, lambda: not window.session.jobs)
    finished = runs.runs(folder)[0]
    assert (finished.state, finished.epoch) == ("finished", 2)

    # look at it under the sliders
    window.show_page("inspect")
    press(qtbot, window, "inspect-look")
    wait(qtbot, lambda: find(window, QLabel, "inspect-ap50").text() != "–")
    find(window, QSlider, "inspect-confidence-slider").setValue(0)
    wait(qtbot, lambda: float(find(window, QLabel, "inspect-recall").text()) > 0)

    # and export it
    window.show_page("export")
    wait(qtbot, lambda: window.findChild(QPushButton, "export-start") is not None)
    for name in ("onnx", "safetensors"):
        wait(qtbot, partial(lambda one: window.findChild(QAbstractButton, f"export-format-{one}") is not None, name))
        find(window, QAbstractButton, f"export-format-{name}").setChecked(True)
    press(qtbot, window, "export-start")
    wait(qtbot, lambda: "written" in find(window, QLabel, "export-words").text())
    written = {file.name for file in (finished.folder / "export").rglob("*") if file.is_file()}
    assert {"model.onnx", "model.safetensors", "MODEL_CARD.md", "model.json"} <= written
