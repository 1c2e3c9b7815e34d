"""The plots of a run are saved as numbers and as a picture, and written for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import QPoint
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QMenu, QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.train.plots.train_plots_driver import Make, history, make
from tests.ui.window_driver import find
from workbench.errors import WorkbenchError
from workbench.training.monitoring import tensorboard_log
from workbench.ui import preferences, theme
from workbench.ui.train.plots import plot_files
from workbench.ui.train.plots.curves import Curves

__all__ = ["make"]  # fixtures


def saved(qtbot: QtBot, curves: Curves, file: Path) -> None:
    """Answers the dialog that is open with this file."""
    dialog = find(curves, QFileDialog, "train-save")
    dialog.selectFile(str(file))
    dialog.accept()
    qtbot.waitUntil(lambda: curves.findChild(QFileDialog, "train-save") is None)


def files(curves: Curves) -> dict[str, QMenu]:
    menu = find(curves, QMenu, "train-plots-save-menu")
    menu.aboutToShow.emit()
    return {action.text(): cast(QMenu, action.menu()) for action in menu.actions() if action.text()}


def test_the_numbers_of_a_plot_are_saved_with_their_units(qtbot: QtBot, make: Make, tmp_path: Path) -> None:
    curves = make(1500, 700)
    curves.show_history(history(), "tiny/1")
    memory = files(curves)["Memory"]
    assert memory is not None
    next(action for action in memory.actions() if action.text() == "As CSV…").trigger()
    assert find(curves, QFileDialog, "train-save").selectedFiles()[0].endswith("tiny-1 memory.csv")
    with qtbot.waitSignal(curves.message) as said:
        saved(qtbot, curves, tmp_path / "memory.csv")
    assert said.args == [f"Saved memory.csv in {tmp_path}."]
    assert (tmp_path / "memory.csv").read_text().splitlines()[:2] == ["curve,step,memory (GB)", "memory,1.0,2.0"]
    assert preferences.get("train/save-folder") == str(tmp_path)


def test_all_plots_are_saved_as_one_picture_without_their_buttons(qtbot: QtBot, make: Make, tmp_path: Path) -> None:
    curves = make()
    curves.show_history(history(), "tiny-1")
    menu = find(curves, QMenu, "train-plots-save-menu")
    menu.aboutToShow.emit()
    menu.actions()[0].trigger()
    saved(qtbot, curves, tmp_path / "plots")  # the suffix comes by itself
    image = QImage(str(tmp_path / "plots.png"))
    assert image.width() == 2 * curves.grid.page.width()
    assert image.height() > 2 * curves.grid.page.height()
    button = find(curves, QToolButton, "train-log-rate")
    assert button.isVisible()
    corner = button.mapTo(curves.grid.page, button.rect().topLeft())
    area = image.copy(2 * corner.x(), 2 * (corner.y() + 32), 2 * button.width(), 2 * button.height())
    ground = area.pixelColor(0, 0)
    assert all(area.pixelColor(x, y) == ground for x in range(area.width()) for y in range(area.height()))


def test_a_picture_has_no_frame_of_the_keyboard(qtbot: QtBot, make: Make) -> None:
    curves = make()
    curves.show_history(history(), "tiny-1")
    curves.loss.setFocus()
    qtbot.waitUntil(curves.loss.hasFocus)
    for widget in (curves.loss, curves.grid.page):
        image = QImage.fromData(plot_files.picture(widget, "tiny-1"))
        corner = curves.loss.mapTo(widget, QPoint()) if widget is not curves.loss else QPoint()
        edge = image.pixelColor(2 * corner.x(), 2 * (corner.y() + plot_files.HEAD + 50))
        assert edge == theme.colour("plot")
        assert curves.loss.hasFocus()


def test_a_file_that_can_not_be_written_is_told(qtbot: QtBot, make: Make, tmp_path: Path) -> None:
    curves = make()
    curves.show_history(history(), "tiny-1")
    (tmp_path / "file").write_text("not a folder")
    with qtbot.waitSignal(curves.failed) as failed:
        curves._write("words", str(tmp_path / "file" / "loss.csv"))
    assert isinstance(failed.args[0], WorkbenchError)
    assert "could not be written" in failed.args[0].sentence


def writes_for_tensorboard(curves: Curves) -> bool:
    return curves.bar.for_tensorboard


def test_trainings_can_write_for_tensorboard_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = make()
    assert not writes_for_tensorboard(curves)
    if not tensorboard_log.is_installed():
        monkeypatch.setattr(tensorboard_log, "is_installed", lambda: True)
    files(curves)
    menu = find(curves, QMenu, "train-plots-save-menu")
    menu.actions()[-1].trigger()
    assert writes_for_tensorboard(curves)
    files(curves)
    assert menu.actions()[-1].isChecked(), "kept for the next start"
    monkeypatch.setattr(tensorboard_log, "is_installed", lambda: False)
    assert not writes_for_tensorboard(curves)
    files(curves)
    assert not menu.actions()[-1].isEnabled()
    assert "not installed" in menu.actions()[-1].text()
