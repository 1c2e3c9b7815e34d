"""The plots of a run: what is drawn of its history, and AP per label."""

from __future__ import annotations

import math
import time

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QSlider, QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.train.plots.train_plots_driver import Make, evaluated, history, make, note, progress
from tests.ui.window_driver import find
from workbench.training.events import Evaluated, Started
from workbench.ui import theme
from workbench.ui.train.plots import curves as curves_module
from workbench.ui.train.runs.history import RunHistory, history_of

__all__ = ["make"]  # fixtures


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
    assert (note(curves.ap), curves.ap.names()) == ("", ("AP50", "AP"))
    growing.add(Started("a", "a", "fcos", "cpu", "fp32", 8, 2, 4, 40, 99, resumed_step=0))  # killed before it saved
    growing.add(progress(1))
    curves.show_history(growing)
    assert (note(curves.ap), curves.ap.names()) == ("not evaluated yet", ())


def test_an_ap_of_nothing_is_drawn_at_the_foot_of_the_plot(make: Make) -> None:
    """It was drawn between -0.4 and 0.4, as if AP could be negative: so begin all trainings."""
    curves = make()
    curves.show_history(history(*(Evaluated(epoch, 10 * epoch, 0.0, 0.0, 0.0, {}, 10, 0.1, True) for epoch in (1, 2))))
    low, high = curves.ap.viewRange()[1]
    assert low == 0
    assert high > 0.1


@pytest.mark.parametrize("height", [180, 500])
def test_the_axis_of_ap_ends_at_one(make: Make, height: int) -> None:
    curves = make(860, height)
    assert curves.ap.viewRange()[1][1] < 1.1
    curves.show_history(history(*(Evaluated(epoch, 10 * epoch, 1.0, 1.0, 1.0, {}, 10, 0.1, True) for epoch in (1, 2))))
    assert curves.ap.viewRange()[1][1] < 1.1


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
    while curves.is_behind:
        curves.show_history(told_so_far, now=False)
    assert all(len(plot.data(plot.names()[0])[0]) == 1_001 for plot in curves.grid.shown if plot is not curves.ap)
    now[0] += 1.1
    monkeypatch.setattr(curves, "_draw_plot", lambda _: pytest.fail("drawn though nothing is new"))
    curves.show_history(told_so_far, now=False)


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
