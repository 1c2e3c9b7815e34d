"""The plots of a run: which are shown, where, and how large."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from tests.ui.train.plots.train_plots_driver import ALL, FOUR, Make, choose, history, make, names
from tests.ui.window_driver import find
from workbench.ui import theme
from workbench.ui.train.plots.plot_grid import best_columns

__all__ = ["make"]  # fixtures


@pytest.mark.parametrize(
    ("size", "expected"),
    [((860, 180), FOUR[:2]), ((500, 240), FOUR), ((860, 420), FOUR), ((1100, 560), ALL[:6]), ((1500, 700), ALL)],
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
