"""The plots of a run: what is drawn of its history, which plots are shown, and what can be saved of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QLineEdit, QMenu, QSlider, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find
from workbench.errors import WorkbenchError
from workbench.training import tensorboard_log
from workbench.training.events import Evaluated, Event, Progress
from workbench.ui import preferences, theme
from workbench.ui.train import curves as curves_module
from workbench.ui.train.curves import Curves
from workbench.ui.train.history import RunHistory, history_of
from workbench.ui.train.plot_grid import best_columns

FOUR, ALL = ["loss", "ap", "rate", "speed"], ["loss", "ap", "rate", "speed", "norm", "use", "memory"]


def progress(step: int, norm: float = 1.0, use: float = 0.5) -> Progress:
    terms = {"box": 4.0 / step, "label": 2.0 / step}
    return Progress(step, 100, 1, 4, terms, 6.0 / step, 0.001 * step, 50.0, 9.0, 2_000_000_000, norm, use)


def evaluated(
    epoch: int, per_label: dict[str, float], per_label_ap: dict[str, float] | None = None, images: int = 10
) -> Evaluated:
    return Evaluated(epoch, 10 * epoch, 0.3, 0.5, 0.2, per_label, images, 0.1, True, per_label_ap or {})


def history(*more: Event) -> RunHistory:
    return history_of([*(progress(step) for step in range(1, 5)), *more])


@pytest.fixture
def make(qtbot: QtBot) -> Iterator[Callable[..., Curves]]:
    theme.apply("light")
    kept: list[Curves] = []  # one that Python collects while it is painted ends the process; qtbot forgets none

    def made(width: int = 860, height: int = 420) -> Curves:
        curves = Curves()
        curves.resize(width, height)
        curves.show()
        qtbot.waitExposed(curves)
        kept.append(curves)
        return curves

    yield made
    kept.clear()


Make = Callable[..., Curves]


def names(curves: Curves) -> list[str]:
    return [plot.kind.name for plot in curves.grid.shown]


def note(plot: QWidget) -> str:
    return find(plot, QLabel, "plot-note").text()


def choose(curves: Curves, title: str) -> None:
    menu = find(curves, QMenu, "train-plots-menu")
    next(action for action in menu.actions() if action.text() == title).trigger()


# --- what is drawn ---


def test_each_term_and_their_sum_are_drawn_and_all_that_the_machine_did(make: Make) -> None:
    curves = make(1500, 700)
    curves.show_history(history(evaluated(1, {})))
    drawn = {name: plot.names() for name, plot in ((plot.kind.name, plot) for plot in curves.grid.shown)}
    assert drawn == {
        "loss": ("box", "label", "sum"), "ap": ("AP50", "AP"), "rate": ("learning rate",),
        "speed": ("images a second",), "norm": ("gradient norm",), "use": ("device use",), "memory": ("memory",),
    }  # fmt: skip
    assert curves.loss.data("sum")[1].tolist() == [6.0, 3.0, 2.0, 1.5]


def test_without_a_run_the_first_plot_says_what_will_be_there(make: Make) -> None:
    curves = make()
    curves.clear()
    curves.draw()
    assert [note(plot) for plot in curves.grid.shown] == [curves_module.NO_RUN, "", "", ""]
    assert curves.loss.viewRange()[1][1] > 1, "the number at the top is whole"
    curves.clear()
    curves.show_history(history(), "tiny-1")
    assert note(curves.loss) == ""


def test_what_an_older_run_does_not_know_is_said_and_not_drawn(make: Make) -> None:
    curves = make(1500, 700)
    curves.show_history(history_of([progress(1, math.nan, math.nan), progress(2, math.nan, math.nan)]))
    norm = next(plot for plot in curves.grid.shown if plot.kind.name == "norm")
    assert (norm.names(), note(norm)) == ((), "not known of this run")
    curves.show_history(history())
    assert (norm.names(), note(norm)) == (("gradient norm",), "")


def test_the_plot_of_ap_says_when_there_is_none_yet(make: Make) -> None:
    curves = make()
    growing = RunHistory()
    curves.show_history(growing)
    assert note(curves.ap) == ""
    growing.add(progress(1))
    curves.show_history(growing)
    assert note(curves.ap) == "not evaluated yet"
    growing.add(evaluated(1, {}))
    curves.show_history(growing)
    assert note(curves.ap) == ""


def test_an_ap_of_nothing_is_drawn_at_the_foot_of_the_plot(make: Make) -> None:
    """It was drawn between -0.4 and 0.4, as if AP could be negative: so begin all trainings."""
    curves = make()
    curves.show_history(history(*(Evaluated(epoch, 10 * epoch, 0.0, 0.0, 0.0, {}, 10, 0.1, True) for epoch in (1, 2))))
    low, high = curves.ap.viewRange()[1]
    assert low == 0
    assert high > 0.1


def test_the_plot_of_ap_says_if_few_images_judged(make: Make) -> None:
    curves = make()
    curves.show_history(history(evaluated(1, {f"label {number:02}": 0.5 for number in range(11)}, images=1)))
    assert note(curves.ap) == "judged by 1 image only"
    curves.bar.labels.setCurrentIndex(1)
    assert note(curves.ap) == "the 10 lowest of 11 labels\njudged by 1 image only"
    curves.bar.labels.setCurrentIndex(2)
    assert note(curves.ap) == "AP per label is not known of this run."


def test_another_run_with_as_many_evaluations_is_drawn(make: Make) -> None:
    curves = make()
    curves.show_history(history(evaluated(1, {})))
    curves.show_history(history(Evaluated(2, 20, 0.7, 0.9, 0.2, {}, 5, 0.1, True)))
    assert curves.ap.data("AP50")[1].tolist() == [0.9]


def test_a_run_that_begins_is_seen_whole_whatever_was_zoomed_to_before(make: Make) -> None:
    curves = make()
    curves.show_history(history(*(evaluated(epoch, {}) for epoch in range(1, 60))))
    curves.ap.getPlotItem().vb.setXRange(40, 50)
    curves.clear()
    curves.show_history(history_of([evaluated(1, {})]))
    curves.ap.grab()
    low, high = curves.ap.getPlotItem().vb.viewRange()[0]
    assert 0 <= low < 1 < high < 5


def test_the_slider_smooths_the_noisy_curves_and_is_kept(make: Make) -> None:
    curves = make()
    curves.show_history(history())
    find(curves, QSlider, "train-smoothing").setValue(50)
    assert curves.loss.to_csv().splitlines()[:3] == [
        "curve,step,loss term,smoothed", "box,1.0,4.0,4.0", f"box,2.0,2.0,{8 / 3!r}",
    ]  # fmt: skip
    assert "smoothed" not in curves.rate.to_csv()
    assert find(curves, QLabel, "train-smoothing-value").text() == "0.50"
    assert find(make(), QSlider, "train-smoothing").value() == 50
    find(curves, QSlider, "train-smoothing").setValue(0)
    assert curves.loss.to_csv().splitlines()[0] == "curve,step,loss term"


def test_a_redraw_that_nobody_would_see_is_left_out(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    curves, now = make(), [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told_so_far = history_of(progress(step) for step in range(1, 1_001))
    curves.show_history(told_so_far)
    told_so_far.add(progress(1_001))
    curves.show_history(told_so_far, now=False)
    assert len(curves.loss.data("box")[0]) == 1_000
    now[0] += 1.1
    curves.show_history(told_so_far, now=False)
    assert len(curves.loss.data("box")[0]) == 1_001
    told_so_far.add(evaluated(1, {}))
    curves.show_history(told_so_far, now=False)
    assert curves.ap.names() == ("AP50", "AP")


def test_the_logarithmic_scale_is_a_button_and_a_line_of_the_menu_and_is_kept(make: Make) -> None:
    curves = make()
    button = find(curves, QToolButton, "train-log-loss")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert curves.loss.is_log
    assert next(action for action in curves.loss.actions() if action.text() == "Log scale").isChecked()
    assert make().loss.is_log
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert not curves.loss.is_log
    assert curves.speed.findChild(QToolButton) is None


# --- AP per label ---


def test_ap_can_be_seen_per_label_in_the_colours_of_the_project(make: Make) -> None:
    curves = make()
    curves.set_label_colours({"cat": "#0072b2"})
    curves.show_history(history(evaluated(1, {"cat": 0.5, "dog": 0.25}, {"cat": 0.4}), evaluated(2, {"dog": 0.75})))
    curves.bar.labels.setCurrentIndex(1)
    assert curves.ap.names() == ("cat", "dog")  # the lowest of now first
    assert curves.ap.data("dog")[1].tolist() == [0.25, 0.75]
    assert math.isnan(curves.ap.data("cat")[1][1])
    assert curves.ap.to_csv().startswith("curve,epoch,AP50\n")
    cat = next(item for item in curves.ap.getPlotItem().listDataItems() if item.opts["name"] == "cat")
    assert cat.opts["pen"].color().name() == "#0072b2"
    curves.bar.labels.setCurrentIndex(2)
    assert curves.ap.names() == ("cat",)
    assert curves.ap.to_csv() == "curve,epoch,AP\ncat,1.0,0.4\ncat,2.0,nan\n"
    curves.bar.labels.setCurrentIndex(0)
    assert curves.ap.names() == ("AP50", "AP")


def test_of_many_labels_the_lowest_are_drawn_and_others_can_be_found(make: Make) -> None:
    curves = make()
    many = {f"label {number:02}": 1 - number / 100 for number in range(80)}
    curves.show_history(history(evaluated(1, many)))
    search = find(curves, QLineEdit, "train-find-labels")
    assert not search.isVisible()
    curves.bar.labels.setCurrentIndex(1)
    assert curves.ap.names() == tuple(f"label {number}" for number in range(79, 69, -1))
    assert note(curves.ap) == "the 10 lowest of 80 labels"
    assert search.isVisible()
    search.setText("L 0")
    assert curves.ap.names() == tuple(f"label 0{number}" for number in range(9, -1, -1))
    assert note(curves.ap) == ""
    search.setText("zebra")
    assert (curves.ap.names(), note(curves.ap)) == ((), "No label has “zebra” in its name.")


def test_a_run_that_did_not_keep_ap_per_label_says_so(make: Make) -> None:
    curves = make()
    curves.show_history(history(evaluated(1, {"cat": 0.5})))
    curves.bar.labels.setCurrentIndex(2)
    assert (curves.ap.names(), note(curves.ap)) == ((), "AP per label is not known of this run.")


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("colour", ["#f0e442", "#000000", "#ffffff", "#0072b2"])
def test_a_label_of_any_colour_can_be_seen_on_the_ground_of_the_plot(qtbot: QtBot, mode: str, colour: str) -> None:
    theme.apply(mode)
    assert theme.contrast(theme.readable_colour(colour), theme.colours().plot) >= theme.READABLE
    theme.apply("light")


# --- which plots are shown ---


@pytest.mark.parametrize(
    ("size", "expected"), [((500, 240), FOUR), ((860, 420), FOUR), ((1100, 560), ALL[:6]), ((1500, 700), ALL)]
)
def test_as_many_plots_are_shown_as_fit(make: Make, size: tuple[int, int], expected: list[str]) -> None:
    assert names(make(*size)) == expected


def test_plots_are_chosen_by_name_and_the_choice_is_kept(make: Make) -> None:
    curves = make()
    curves.show_history(history())
    choose(curves, "Speed")
    choose(curves, "Gradient norm")
    assert names(curves) == ["loss", "ap", "rate", "norm"]
    norm = curves.grid.shown[-1]
    assert norm.names() == ("gradient norm",)  # drawn at once
    assert names(make()) == ["loss", "ap", "rate", "norm"]
    choose(curves, "As many as fit")
    assert names(curves) == FOUR


def test_without_any_chosen_plot_there_are_as_many_as_fit_again(make: Make) -> None:
    curves = make()
    for title in ("Loss terms", "Average precision", "Learning rate", "Speed"):
        choose(curves, title)
    assert names(curves) == FOUR


def test_a_double_click_gives_a_plot_all_the_room_and_takes_it_back(make: Make) -> None:
    curves = make()
    curves.show_history(history())
    QTest.mouseDClick(curves.rate.viewport(), Qt.MouseButton.LeftButton, pos=curves.rate.rect().center())
    assert names(curves) == ["rate"]
    assert not curves.bar.labels.isVisible()
    QTest.mouseClick(find(curves, QToolButton, "train-plots-all"), Qt.MouseButton.LeftButton)
    assert names(curves) == FOUR
    next(action for action in curves.ap.actions() if action.text().startswith("Only this")).trigger()
    assert names(curves) == ["ap"]


def test_plots_lie_so_that_they_are_wider_than_high() -> None:
    assert [best_columns(*case) for case in ((1, 860, 400), (4, 860, 400), (4, 300, 900), (7, 1500, 740))] == [
        1, 2, 1, 3,
    ]  # fmt: skip


@pytest.mark.parametrize(("size", "titles"), [((860, 420), ()), ((1500, 700), ()), ((860, 420), ("Memory",))])
def test_loss_and_ap_are_larger_than_what_says_how_the_machine_does(
    make: Make, qtbot: QtBot, size: tuple[int, int], titles: tuple[str, ...]
) -> None:
    curves = make(*size)
    for title in titles:
        choose(curves, title)
    page = curves.grid.page
    qtbot.waitUntil(lambda: curves.loss.width() + theme.GRID + curves.ap.width() == page.width())
    qtbot.waitUntil(lambda: curves.loss.size() == curves.ap.size())
    others = [plot for plot in curves.grid.shown if plot not in (curves.loss, curves.ap)]
    assert all(plot.y() > curves.loss.y() for plot in others)
    assert all(plot.width() * plot.height() < curves.loss.width() * curves.loss.height() for plot in others)


def test_all_plots_in_a_small_window_can_be_scrolled_to(make: Make) -> None:
    curves = make(500, 240)
    for title in ("Gradient norm", "Device use", "Memory"):
        choose(curves, title)
    assert names(curves) == ALL
    assert all(plot.height() >= 110 for plot in curves.grid.shown)
    assert curves.grid.verticalScrollBar().maximum() > 0


# --- saving ---


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
