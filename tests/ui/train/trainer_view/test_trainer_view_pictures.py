"""What is drawn and listed of an assignment: signs, colours, the legend, the table, the sentence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox
from pytestqt.qtbot import QtBot

from tests.ui.train.trainer_view.trainer_view_driver import (
    LONG,
    Opened,
    boxes,
    ink,
    labelled,
    made_assignment,
    open_view,
    recipe,
)
from tests.ui.window_driver import find
from workbench.training.trainer_view import box_colours
from workbench.ui import theme
from workbench.ui.train.trainer_view import picture as seen_picture
from workbench.ui.train.trainer_view.boxes_table import BoxesTable, size
from workbench.ui.train.trainer_view.colours import INKS, colour_indices, missed_colour
from workbench.ui.train.trainer_view.legend import SymbolLegend, entries
from workbench.ui.train.trainer_view.level_switches import LevelSwitches
from workbench.ui.train.trainer_view.marks import Marks, marks
from workbench.ui.train.trainer_view.pane import summary
from workbench.ui.train.trainer_view.picture import MANY, AssignmentPicture
from workbench.ui.train.trainer_view.requests import AssignmentRequest, AssignmentResult, DroppedBox

__all__ = ["labelled", "open_view"]

WISH = AssignmentRequest(Path("p"), 0, recipe(), 1, "fresh", True, 0, None)


def test_boxes_that_nothing_learns_come_first_and_in_red(open_view: Opened) -> None:
    _, window, _ = open_view()
    assert boxes(window) == [
        ("cell", "another box has its cell"),
        ("cell", "2 in 3 × 3"),
        ("other", "only 10 % of it is in sight"),
        ("cell", "it lies outside"),
    ]
    table = find(window, BoxesTable, "seen-boxes")
    colour_indices = [table.item(row, 2).foreground().color().name() for row in range(4)]
    assert (colour_indices[0], colour_indices[2], colour_indices[3]) == (
        theme.colours().error,
        theme.colours().muted,
        theme.colours().muted,
    )
    assert colour_indices[1] not in (colour_indices[0], colour_indices[2])


def test_the_sentence_tells_boxes_from_cells() -> None:
    assignment = made_assignment(WISH)
    assert summary(assignment) == (
        "1 of 3 boxes are learnt, by 2 cells. 1 box is ignored on purpose. 1 cell is ignored, 6 are learnt as"
        " background."
    )
    small = replace(assignment, ignore=np.zeros(3, bool))  # as a box that is too small is
    assert summary(small).startswith("1 of 3 boxes are learnt, by 2 cells. 1 cell is ignored")
    both = replace(
        assignment, prior=np.array([0, 1, 1]), box=np.array([0, 0, 1]), reasons=("", "", assignment.reasons[2])
    )
    assert summary(both).startswith("2 of 3 boxes are learnt, by 2 cells, 1 of which learns several. ")


def test_boxes_that_are_too_small_are_red_and_their_size_is_told_to_a_tenth(qtbot: QtBot) -> None:
    assignment = made_assignment(WISH)
    assignment = replace(
        assignment, ignore=np.zeros(3, bool), boxes=np.array([*assignment.boxes[:2], (60, 60, 60.6, 61.4)]),
        dropped=(DroppedBox("cell", (1, 1, 1, 5), "it has no area in its image", True),),
    )  # fmt: skip
    table = BoxesTable("t", "t")
    qtbot.addWidget(table)
    table.show_assignment(assignment, colour_indices(assignment))
    rows = [[table.item(row, column).text() for column in range(3)] for row in range(4)]
    assert rows[1] == ["other", "0.6 × 1.4", "only 10 % of it is in sight"]
    assert rows[3][2] == "it has no area in its image"
    assert table.item(1, 2).foreground().color().name() == theme.colours().error
    assert table.item(3, 2).foreground().color().name() == theme.colours().error
    assert size(36.0, 36.4) == "36 × 36"


def test_what_is_drawn_is_the_assignment(open_view: Opened) -> None:
    _, window, _ = open_view()
    shown = find(window, AssignmentPicture, "seen-picture")
    plain = ink(shown, 48, 80)
    assert ink(shown, 65, 10) == missed_colour().name()
    assert ink(shown, 20, 4) not in (plain, missed_colour().name())
    filled, hatched = ink(shown, 60, 6), ink(shown, 72, 70)
    assert filled != plain
    window.panes[0].levels._switches[0].click()
    assert ink(shown, 60, 6) == plain  # the only level is hidden
    assert ink(shown, 72, 70) == plain
    window.panes[0].levels._switches[0].click()
    assert (ink(shown, 60, 6), ink(shown, 72, 70)) == (filled, hatched)
    find(window, QCheckBox, "seen-ignored").click()
    assert ink(shown, 72, 70) == plain


def test_tab_comes_to_the_levels_before_what_stands_below_them(open_view: Opened) -> None:
    _, window, _ = open_view()
    order, widget = list[str](), window.panes[0].table.nextInFocusChain()
    while widget is not window.panes[0].table:
        if widget.isVisible() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
            order.append(widget.objectName())
        widget = widget.nextInFocusChain()
    assert order.index("seen-level-1") < order.index("seen-ignored") < order.index("seen-legend-on")


def test_switches_come_and_go_with_the_levels_and_are_on_at_first(qtbot: QtBot) -> None:
    levels = LevelSwitches("l")
    qtbot.addWidget(levels)
    heard: list[bool] = []
    levels.changed.connect(lambda: heard.append(True))
    assignment = made_assignment(WISH)
    for count in (1, 8, 2):
        levels.show_assignment(replace(assignment, grids=((3, 3),) * count))
        shown = [switch.objectName() for switch in levels.findChildren(QCheckBox) if not switch.isHidden()]
        assert shown == [f"l-{number + 1}" for number in range(count)]
        assert levels.hidden == frozenset()
        assert not heard
        levels._switches[0].click()
        assert levels.hidden == {0}
        heard.clear()


def test_only_cells_in_which_nothing_learns_are_hatched(qtbot: QtBot) -> None:
    assignment = made_assignment(WISH)
    everything = replace(assignment, ignored=np.ones(9, bool))
    assert sorted(marks(everything, ()).hatched.tolist()) == sorted(assignment.cells[2:].tolist())
    assert marks(everything, (0,)).hatched.tolist() == []
    assert marks(replace(assignment, ignored=None), ()).hatched.tolist() == []


def test_what_is_drawn_is_found_once_for_each_choice_of_levels(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is painted: each notch of the wheel does."""
    found: list[frozenset[int]] = []

    def counted(assignment: AssignmentResult, hidden: frozenset[int]) -> Marks:
        found.append(hidden)
        return marks(assignment, hidden)

    monkeypatch.setattr(seen_picture, "marks", counted)
    shown = AssignmentPicture("p")
    qtbot.addWidget(shown)
    shown.show_assignment(made_assignment(WISH))
    shown.grab()
    plain = shown.grab().toImage()
    shown.zoom_by(3)
    shown.choose(0)
    assert shown.grab().toImage() != plain
    assert found == [frozenset()]
    shown.hidden = frozenset({0})
    shown.renew()
    shown.grab()
    shown.show_assignment(made_assignment(WISH))
    shown.grab()
    assert found == [frozenset(), frozenset({0}), frozenset({0})]


def test_a_cross_marks_the_middle_of_each_chosen_negative_alone(open_view: Opened) -> None:
    """Every second cell was chosen, such as those at (16, 48) and (48, 80)."""
    _, window, _ = open_view(lambda request: replace(made_assignment(request), negative=np.arange(9) % 2 == 1))
    shown = find(window, AssignmentPicture, "seen-picture")
    (plain,) = {ink(shown, x, y) for x, y in ((40, 48), (88, 44), (8, 90))}
    assert QColor(ink(shown, 16, 48)).lightness() > 200
    assert QColor(ink(shown, 48, 80)).lightness() > 200
    at, drawn = shown.view.to_widget(QPointF(16, 48)).toPoint(), shown.grab().toImage()
    border = min(drawn.pixelColor(at.x() + x, at.y() + y).lightness() for x in range(-5, 6) for y in range(-5, 6))
    assert border < QColor(plain).lightness() - 20  # it shows on a bright ground, too
    assert ink(shown, 48, 48) == plain
    find(window, QCheckBox, "seen-negatives").click()
    assert ink(shown, 16, 48) == plain


def test_what_else_a_prior_learns_is_looked_for_once_a_box(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    original = AssignmentResult.boxes_sharing

    def counted(assignment: AssignmentResult, box: int) -> list[int]:
        asked.append(box)
        return original(assignment, box)

    monkeypatch.setattr(AssignmentResult, "boxes_sharing", counted)
    assignment = replace(
        made_assignment(WISH), prior=np.array([0, 1, 1]), box=np.array([0, 0, 1]), reasons=("", "", "too small")
    )
    table = BoxesTable("t", "t")
    qtbot.addWidget(table)
    table.show_assignment(assignment, colour_indices(assignment))
    assert table.item(0, 2).toolTip() == "Shares its cell with cell 36 × 36"
    assert sorted(asked) == [0, 1]


def apart(one: QColor, other: QColor) -> float:
    return sum((part(one) - part(other)) ** 2 for part in (QColor.red, QColor.green, QColor.blue)) ** 0.5


def crowded(request: AssignmentRequest) -> AssignmentResult:
    """More anchors than can be told apart, all of one box, in a fine grid; the second box has a few."""
    assignment, n = made_assignment(request), MANY + 1
    cells = np.tile([40.0, 40, 42, 42], (n + 2, 1))
    priors = np.tile([4.0, 4, 92, 92], (n + 2, 1))
    priors[n:] = (50, 60, 70, 90)
    return replace(
        assignment, kind="anchor", priors=priors, cells=cells, level=np.zeros(n + 2, np.int64), grids=((48, 48),),
        prior=np.arange(n + 2), box=np.array([0] * n + [1, 1]), ignored=np.zeros(n + 2, bool),
        negative=np.zeros(n + 2, bool), reasons=("", "", assignment.reasons[2]),
    )  # fmt: skip


def test_very_many_anchors_are_points_until_a_box_is_chosen(open_view: Opened) -> None:
    _, window, _ = open_view(crowded)
    shown = find(window, AssignmentPicture, "seen-picture")

    def border() -> set[str]:
        """Along the border of the first box's anchors."""
        return {ink(shown, 92, y) for y in range(44, 56)}

    assert len(border()) == 1
    window.panes[0].choose_box(0)
    assert min(apart(QColor(INKS[shown.colour_indices[0]]), QColor(one)) for one in border()) < 30
    window.panes[0].choose_box(1)
    assert len(border()) == 1


def test_an_anchor_of_two_boxes_is_told_in_picture_and_table(qtbot: QtBot, open_view: Opened) -> None:
    def answer(request: AssignmentRequest) -> AssignmentResult:
        assignment = made_assignment(request)
        return replace(
            assignment, prior=np.array([0, 1, 1]), box=np.array([0, 0, 1]), reasons=("", "", assignment.reasons[2])
        )

    _, window, _ = open_view(answer)
    table = find(window, BoxesTable, "seen-boxes")
    assert boxes(window)[:2] == [("cell", "1 in 3 × 3, shared"), ("cell", "2 in 3 × 3, shared")]
    assert table.item(0, 2).toolTip() == "Shares its cell with cell 36 × 36"
    shown = find(window, AssignmentPicture, "seen-picture")
    picture = shown.grab().toImage()

    def brightest(x: float, y: float) -> int:
        """About a middle: of a ring it is white."""
        at = shown.view.to_widget(QPointF(x, y)).toPoint()
        seen = [picture.pixelColor(at.x() + k, at.y()) for k in range(-8, 9)]
        return max(min(colour.red(), colour.green(), colour.blue()) for colour in seen)

    assert brightest(48, 16) > 200
    assert brightest(16, 16) < 120


def test_a_box_is_chosen_in_the_list_and_in_the_picture(open_view: Opened) -> None:
    _, window, _ = open_view()
    shown, table = find(window, AssignmentPicture, "seen-picture"), find(window, BoxesTable, "seen-boxes")
    filled = ink(shown, 60, 6)
    table.selectRow(0)
    assert shown.chosen == 1
    assert ink(shown, 60, 6) != filled  # the cells are another's
    QTest.mouseClick(shown, Qt.MouseButton.LeftButton, pos=shown.view.to_widget(QPointF(20, 20)).toPoint())
    assert shown.chosen == 0
    assert [index.row() for index in table.selectionModel().selectedRows()] == [1]
    QTest.mouseClick(shown, Qt.MouseButton.LeftButton, pos=shown.view.to_widget(QPointF(20, 20)).toPoint())
    assert shown.chosen == -1
    assert not table.selectionModel().selectedRows()


# --- colours ---


def grid_of(count: int) -> AssignmentResult:
    """`count` x `count` boxes that nearly touch."""
    low = np.array([(x * 10.0, y * 10.0) for y in range(count) for x in range(count)])
    made = np.concatenate([low, low + 9], axis=1)
    n = len(made)
    return replace(
        made_assignment(WISH), boxes=made, side=count * 10, labels=("cell",) * n, ignore=np.zeros(n, bool),
        reasons=("",) * n, ids=np.arange(n),
    )  # fmt: skip


def test_neighbours_never_have_the_same_colour() -> None:
    n = len(INKS)  # as many in a row, so that colours by number would be the same in each column
    chosen = np.array(colour_indices(grid_of(n))).reshape(n, n)
    for down, right in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0)):
        assert (chosen[down:, right:] != chosen[: n - down, : n - right]).all(), (down, right)
    assert len(set(colour_indices(grid_of(3)))) == 9
    assert box_colours.choose_colours(grid_of(3).boxes, 30, {0: 7, 8: 7})[::8] == (7, 7)  # given ones stay


def test_the_colours_are_far_apart_and_none_is_red() -> None:
    colours = [*map(QColor, INKS), missed_colour()]
    assert min(apart(a, b) for k, a in enumerate(colours) for b in colours[:k]) > 70


# --- legend, names, words ---


def test_the_legend_names_every_sign_that_is_there(qtbot: QtBot, open_view: Opened) -> None:
    _, window, _ = open_view()
    legend = find(window, SymbolLegend, "seen-legend")
    assert [sign for sign, _ in legend.entries] == ["box", "missed", "ignored box", "cell", "hatch"]
    assert "not its label's" in dict(legend.entries)["box"]
    anchors = crowded(WISH)
    assert [sign for sign, _ in entries([anchors])][:4] == ["box", "ignored box", "anchor", "cell"]
    points = replace(made_assignment(WISH), kind="point", prior=np.array([0, 0]), box=np.array([0, 1]))
    assert {"dot", "ring"} <= {sign for sign, _ in entries([points])}
    hard = replace(made_assignment(WISH), negative=np.zeros(9, bool))
    assert "cross" in {sign for sign, _ in entries([hard])}
    assert legend.heightForWidth(200) > legend.heightForWidth(1000) > 0
    for width in (window.width(), 1200, 700):
        window.resize(width, window.height())
        qtbot.waitUntil(lambda: legend.height() == legend.heightForWidth(legend.width()))
    find(window, QCheckBox, "seen-legend-on").click()
    assert not legend.isVisible()
    find(window, QCheckBox, "seen-legend-on").click()


def test_a_long_name_takes_one_line_and_its_tooltip_the_whole(qtbot: QtBot, open_view: Opened) -> None:
    _, window, _ = open_view(lambda request: replace(made_assignment(request), labels=("cell", LONG, "other")))
    table = find(window, BoxesTable, "seen-boxes")
    assert table.item(0, 0).text() == LONG
    assert table.item(0, 0).toolTip() == LONG
    table.setColumnWidth(2, 300)
    table.resizeRowsToContents()
    assert table.rowHeight(0) == table.rowHeight(1)


def test_a_size_is_read_whole(qtbot: QtBot) -> None:
    assignment = made_assignment(WISH)
    table = BoxesTable("t", "t")
    qtbot.addWidget(table)
    table.resize(240, 200)
    table.show_assignment(
        replace(assignment, boxes=np.array([*assignment.boxes[:2], (0, 0, 1116, 1133)])), colour_indices(assignment)
    )
    table.show()
    texts = [table.item(row, 1).text() for row in range(4)]
    assert "1116 × 1133" in texts
    assert table.columnWidth(1) >= max(map(table.fontMetrics().horizontalAdvance, texts)) + 8  # of padding


def test_a_sentence_is_broken_between_words(qtbot: QtBot) -> None:
    """Two words and most of a third fit into a line: nine words take five lines, and in pieces they would take four."""
    shown = AssignmentPicture("p")
    qtbot.addWidget(shown)
    words = ["unbreakable"] * 9
    width = shown.fontMetrics().horizontalAdvance(" ".join(words[:3]))
    shown.resize(width - shown.fontMetrics().averageCharWidth() + 32, 260)
    shown.refuse(" ".join(words))
    assert rows_of_ink(shown) == 5
    shown.refuse("x" * 200)  # no word, such as a path: it is broken somewhere
    assert rows_of_ink(shown) > 1


def rows_of_ink(shown: AssignmentPicture) -> int:
    """How many lines of text there are."""
    image = shown.grab().toImage()
    ground = image.pixel(1, 1)
    inked = [any(image.pixel(x, y) != ground for x in range(image.width())) for y in range(image.height())]
    return sum(now and not before for before, now in zip([False, *inked], inked, strict=False))


def test_a_table_of_nothing_is_no_failure(qtbot: QtBot) -> None:
    assignment = made_assignment(WISH)
    empty = replace(
        assignment, boxes=np.zeros((0, 4)), ids=np.zeros(0, np.int64), labels=(), ignore=np.zeros(0, bool), reasons=(),
        dropped=(), prior=np.zeros(0, np.int64), box=np.zeros(0, np.int64),
    )  # fmt: skip
    shown = AssignmentPicture("p")
    qtbot.addWidget(shown)
    shown.show_assignment(empty)
    assert not shown.grab().isNull()
    assert summary(empty).startswith("0 of 0 boxes are learnt, by 0 cells. 1 cell is ignored, ")
