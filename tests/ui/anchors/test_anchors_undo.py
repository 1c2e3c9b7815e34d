"""The Anchors page: moves by hand are taken back before edits are, sets keep their names, provenance goes along."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QSpinBox, QTableWidget, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.anchors.anchors_page_driver import AnchorsPageDriver, cells, hand
from tests.ui.window_driver import find
from workbench.anchors import PUBLISHED
from workbench.core import edits
from workbench.core.applied_edit import AppliedEdit
from workbench.core.project import AnchorSet, Box
from workbench.ui.anchors.fit_curves import SHOWN
from workbench.ui.anchors.sets import KEPT, kept_sets, to_setting
from workbench.ui.anchors.sizes_plot import SizesPlot
from workbench.ui.page_undo import WidgetUndoStack
from workbench.ui.session import Session

__all__ = ["cells", "hand"]  # fixtures
FIT = "IoU k-means, median, seed 0, best of 8 starts, 26 boxes of train images"


def drag(hand: AnchorsPageDriver, width: float, height: float) -> None:
    plot = find(hand.window, SizesPlot, "anchors-plot")
    plot.dragged.emit(0, width / 2, height / 2)
    plot.dragged.emit(0, width, height)
    plot.dropped.emit()


def press(hand: AnchorsPageDriver, name: str) -> None:
    find(hand.window, QPushButton, name).click()


def act(hand: AnchorsPageDriver, name: str) -> QAction:
    action: QAction = find(hand.window, QAction, f"action-{name}")
    assert action.isEnabled(), name
    action.trigger()
    return action


def count(hand: AnchorsPageDriver) -> int:
    document = hand.window.session.document
    return sum(len(document.boxes(image.id)) for image in document.images())


def used(hand: AnchorsPageDriver) -> str:
    kept = hand.window.session.document.anchors()
    return "" if kept is None else str(kept.source)


def test_undo_takes_a_move_back_and_not_the_edit_before_it(hand: AnchorsPageDriver) -> None:
    fitted, boxes = hand.rows(), count(hand)
    drag(hand, 60, 70)
    moved = hand.rows()
    assert moved != fitted
    find(hand.window, QTableWidget, "anchors-table").item(0, 1).setText("80")
    assert find(hand.window, QAction, "action-undo").text() == "Undo: Type an anchor's side"
    act(hand, "undo")
    assert hand.rows() == moved
    act(hand, "undo")
    assert (hand.rows(), count(hand)) == (fitted, boxes), "one drag is one move"
    act(hand, "redo")
    assert hand.rows() == moved
    act(hand, "undo")
    assert find(hand.window, QAction, "action-undo").text().startswith("Undo: Add 26 boxes")
    act(hand, "undo")
    assert count(hand) == 0, "then the project's, as elsewhere"


def test_undo_goes_back_in_the_order_in_which_things_were_done(hand: AnchorsPageDriver) -> None:
    fitted = hand.rows()
    drag(hand, 60, 70)
    moved = hand.rows()
    press(hand, "anchors-use")
    assert used(hand)
    act(hand, "undo")
    assert (used(hand), hand.rows()) == ("", moved), "the last deed was the use"
    act(hand, "undo")
    assert hand.rows() == fitted
    act(hand, "redo")
    act(hand, "redo")
    assert hand.rows() == moved
    assert used(hand)


def test_on_another_page_undo_is_the_projects(hand: AnchorsPageDriver) -> None:
    drag(hand, 60, 70)
    moved = hand.rows()
    act(hand, "page-label")
    assert find(hand.window, QAction, "action-undo").text().startswith("Undo: Add 26 boxes")
    act(hand, "page-anchors")
    assert find(hand.window, QAction, "action-undo").text() == "Undo: Move an anchor"
    assert hand.rows() == moved


def test_moves_after_an_undone_edit_are_not_mixed_up_with_those_before(qtbot: QtBot) -> None:
    session, widget = Session(), QWidget()
    qtbot.addWidget(widget)
    history = WidgetUndoStack(session, widget)
    done = edit("do")
    session.edited.emit(done)
    history.add("first", lambda: None, lambda: None)
    session.edited.emit(edit("undo"))
    assert history.undo_title == "", "it was made after the edit that is undone"
    session.edited.emit(edit("redo"))
    assert history.undo_title == "first"
    session.edited.emit(edit("do"))
    session.edited.emit(edit("undo", 2))
    session.edited.emit(edit("redo"))
    assert history.undo_title == "first"
    session.edited.emit(edit("undo"))
    session.edited.emit(edit("do"))
    assert history.undo_title == ""


def edit(kind: str, steps: int = 1) -> AppliedEdit:
    nothing = edits.Batch((), "nothing")
    return AppliedEdit(kind, nothing, nothing, "nothing", frozenset(), False, False, False, steps)


def test_where_anchors_come_from_goes_along(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    press(hand, "anchors-use")
    assert used(hand) == FIT
    hand.look_at("in use")
    press(hand, "anchors-use")
    assert used(hand) == FIT
    drag(hand, 60, 70)
    drag(hand, 61, 71)
    press(hand, "anchors-use")
    assert used(hand) == f"{FIT}, then moved by hand"
    hand.look_at("YOLOv2, COCO")
    hand.keep("theirs")
    hand.look_at("clustered")
    hand.look_at("theirs")
    press(hand, "anchors-use")
    paper = next(one.paper for one in PUBLISHED.values() if one.title == "YOLOv2, COCO")
    assert used(hand) == f"YOLOv2, COCO: {paper}"
    drag(hand, 60, 70)
    press(hand, "anchors-use")
    assert used(hand) == f"YOLOv2, COCO: {paper}, then moved by hand"


def test_a_set_that_was_made_for_other_images_stays_one_when_it_is_looked_at_and_used(hand: AnchorsPageDriver) -> None:
    """Of letterboxed images, it was handed to trainings as of stretched ones, as the page's boxes were."""
    theirs = AnchorSet(((10.0, 12.0), (50.0, 60.0)), 208, "letterbox", source="theirs", tiles=640)
    hand.window.session.do(edits.ChangeSetting(KEPT, to_setting([("theirs", theirs)])))
    hand.tab(1)

    def used_as() -> tuple[int, str, int]:
        press(hand, "anchors-use")
        kept = hand.window.session.document.anchors()
        return kept.input_px, kept.resize, kept.tiles

    hand.look_at("theirs")
    assert used_as() == (416, "letterbox", 640)
    drag(hand, 60, 70)
    assert used_as() == (416, "letterbox", 640)
    hand.look_at("YOLOv3")
    assert used_as() == (416, "stretch", 0), "of which nobody says it"
    hand.look_at("edited")
    assert used_as() == (416, "letterbox", 640)
    hand.look_at("clustered")
    assert used_as() == (416, "stretch", 0)


def test_anchors_moved_among_stretched_boxes_stay_such_once_the_page_has_letterboxed_ones(
    hand: AnchorsPageDriver,
) -> None:
    drag(hand, 60, 70)
    hand.page._form.choose_resize("letterbox")
    hand.qtbot.waitUntil(lambda: hand.page._choices.resize == "letterbox" and hand.page._job is None)
    hand.tab(1)
    for name, resize in (("edited", "stretch"), ("clustered", "letterbox")):
        hand.look_at(name)
        press(hand, "anchors-use")
        assert hand.window.session.document.anchors().resize == resize, name


def test_the_fit_the_moved_and_a_published_set_stand_side_by_side(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    fitted, curves = hand.rows(), hand.page._plots.curves
    assert SHOWN not in curves.steps.names()
    drag(hand, 60, 70)
    moved = hand.rows()
    assert "moved by hand" in curves.title.text() + curves.title.toolTip()
    hand.look_at("YOLOv3")
    assert "YOLOv3" in curves.title.text(), "the curve is not that of it, and says so"
    assert f"{curves.steps.data(SHOWN)[1][0]:.1f}" == hand.rows("anchors-sets")[hand.set_row("YOLOv3")][2]
    bold = [row[0] for n, row in enumerate(hand.rows("anchors-sets")) if is_bold(hand, n)]
    assert bold == ["YOLOv3"], "which one is shown"
    assert [row[0] for row in hand.rows("anchors-sets")][:3] == ["clustered", "edited", "shown"]
    hand.look_at("edited")
    assert hand.rows() == moved
    hand.look_at("clustered")
    assert hand.rows() == fitted
    assert SHOWN not in curves.steps.names()


def test_the_selected_set_stays_selected_when_others_come_and_go(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    hand.keep("b")
    hand.keep("c")
    sets = find(hand.window, QTableWidget, "anchors-sets")
    sets.selectRow(hand.set_row("c"))
    press(hand, "anchors-use")  # puts a row above it
    assert sets.item(sets.currentRow(), 0).text() == "c"
    press(hand, "anchors-forget")
    names = [row[0] for row in hand.rows("anchors-sets")]
    assert ("b" in names, "c" in names) == (True, False)
    assert not find(hand.window, QPushButton, "anchors-forget").isEnabled(), "none is selected now"


def test_names_of_other_sets_are_not_taken_and_an_own_one_is_said_to_be_replaced(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    hand.keep("mine")
    sets = find(hand.window, QTableWidget, "anchors-sets")
    assert not sets.item(hand.set_row("mine"), 0).icon().isNull(), "marked as kept"
    assert sets.item(hand.set_row("YOLOv3"), 0).icon().isNull()
    press(hand, "anchors-keep")
    field, ok = find(hand.window, QLineEdit, "keep-anchors-name"), find(hand.window, QPushButton, "keep-anchors-ok")
    told = find(hand.window, QLabel, "keep-anchors-told")
    for name in ("shown", "In use", "YOLOv3", "clustered", " "):
        field.setText(name)
        assert not ok.isEnabled(), name
        assert bool(told.text()) == bool(name.strip()), name
    field.setText("mine")
    assert ok.text() == "Replace"
    assert "would be replaced" in told.text()
    ok.click()
    assert [row[0] for row in hand.rows("anchors-sets")].count("mine") == 1


def test_an_edit_of_boxes_keeps_what_was_moved(hand: AnchorsPageDriver) -> None:
    drag(hand, 60, 70)
    document = hand.window.session.document
    box = Box(0, document.images()[0].id, document.labels()[0].id, (0, 0, 60, 70))
    hand.window.session.do(edits.AddBoxes((box,)))
    assert hand.rows()[0][:2] == ["60.0", "70.0"]
    act(hand, "undo")
    assert count(hand) == 26
    assert hand.rows()[0][:2] == ["60.0", "70.0"]
    act(hand, "undo")
    assert hand.rows()[0][:2] != ["60.0", "70.0"]


def is_bold(hand: AnchorsPageDriver, row: int) -> bool:
    return bool(find(hand.window, QTableWidget, "anchors-sets").item(row, 0).font().bold())


def test_what_was_moved_stays_beside_a_new_fit_until_the_project_closes(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    drag(hand, 60, 70)
    press(hand, "anchors-use")
    find(hand.window, QSpinBox, "anchors-px").setValue(832)
    hand.qtbot.waitUntil(lambda: hand.page._choices.px == 832)
    hand.wait()
    assert [row[0] for row in hand.rows("anchors-sets")][:4] == ["in use", "clustered", "edited", "shown"]
    hand.look_at("edited")
    assert hand.rows()[0][:2] == ["120.0", "140.0"], "the same share of the image"
    hand.window.session.close()
    assert hand.page._editor._edited is None


def test_the_fit_goes_on_with_edits_while_another_set_is_shown(hand: AnchorsPageDriver) -> None:
    hand.tab(1)
    hand.look_at("YOLOv3")
    document = hand.window.session.document
    image, label = document.images()[0].id, document.labels()[0].id
    hand.window.session.do(edits.AddBoxes(tuple(Box(0, image, label, (0, 0, 300, 300)) for _ in range(40))))
    assert len(hand.rows()) == 9, "still those of YOLOv3"
    hand.look_at("clustered")
    assert [row[:2] for row in hand.rows()][1] == ["300.0", "300.0"]


def test_a_fit_after_a_move_was_taken_back_is_shown_to_its_end(hand: AnchorsPageDriver) -> None:
    """The move had paused the film; a start is no answer, and could have been used in training."""
    drag(hand, 60, 70)
    act(hand, "undo")
    find(hand.window, QSpinBox, "anchors-k").setValue(3)
    hand.wait()
    assert len(hand.rows()) == 3
    steps = hand.page._playback.steps
    assert steps[-1].done
    press(hand, "anchors-use")
    document = hand.window.session.document
    assert document is not None
    kept = document.anchors()
    assert kept is not None
    assert sorted(kept.sizes) == sorted((round(w, 3), round(h, 3)) for w, h in steps[-1].centres.tolist())


def test_what_an_undo_elsewhere_takes_back_unseen_is_said(hand: AnchorsPageDriver) -> None:
    press(hand, "anchors-use")
    hand.window.show_page("label")
    act(hand, "undo")
    assert used(hand) == ""
    assert find(hand.window, QLabel, "message-text").text() == "Taken back: Change the anchors in training."
    act(hand, "redo")
    assert used(hand).startswith(FIT)
    assert find(hand.window, QLabel, "message-text").text() == "Done again: Change the anchors in training."


def test_damaged_sets_are_left_out_and_the_page_goes_on() -> None:
    """A side of the input of 0 or in quotes, as a merge of label files by hand may leave, was an error at each look."""
    mine = {"name": "mine", "sizes": [[10, 12]], "input_px": 416}
    damaged: list[dict[str, object]] = [
        {"input_px": 0}, {"input_px": "416"}, {"sizes": []}, {"sizes": [[0, 5]]}, {"sizes": [[float("nan"), 5]]},
        {"sizes": 3}, {"more": 1}, {"tiles": "640"}, {"tiles": -1}, {"resize": 5}, {"resize": "crop"},
    ]  # fmt: skip
    found = kept_sets([*({**mine, "name": f"{one}", **one} for one in damaged), "text", mine])
    assert [name for name, _ in found] == ["mine"]
