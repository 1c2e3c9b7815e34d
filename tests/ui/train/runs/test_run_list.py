"""The list of runs: sorted, chosen, renamed and noted in place, deleted and taken back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from tests.training.records.test_runs import STARTED, leave
from tests.ui.test_held_keys import hold
from tests.ui.train.runs.run_list_driver import Bench, bench
from tests.ui.train.train_page_driver import label_all, press, session, text
from tests.ui.window_driver import find
from workbench.core.formatting import size
from workbench.core.storage.lock import Lock
from workbench.registry import Registry
from workbench.training.records import run_actions, runs
from workbench.ui.train import titles
from workbench.ui.train.runs.runs_table import AP, AP50, DATA, DETECTOR, LEAST_NAME, MOST_NAME, NAME, NOTE, STATE
from workbench.ui.train.runs.runs_table import STARTED as STARTED_COLUMN

__all__ = ["bench", "session"]  # fixtures


def test_the_newest_run_is_first_and_any_column_sorts(bench: Bench) -> None:
    assert bench.listed() == ["other", "tiny-10", "tiny-2"]
    bench.runs.table.sortByColumn(NAME, Qt.SortOrder.DescendingOrder)
    assert bench.listed() == ["tiny-10", "tiny-2", "other"]  # ten comes after two
    bench.runs.table.sortByColumn(AP50, Qt.SortOrder.AscendingOrder)
    assert [bench.cell(name, AP50) for name in bench.listed()] == ["–", "newest: 0.250", "newest: 0.500"]
    bench.run_actions.note(runs.info(bench.folder / "other"), "a note")  # listed again: the order stays
    bench.qtbot.waitUntil(lambda: bench.cell("other", NOTE) == "a note")
    assert bench.listed() == ["tiny-10", "other", "tiny-2"]
    bench.runs.table.sortByColumn(STARTED_COLUMN, Qt.SortOrder.AscendingOrder)
    assert bench.listed() == ["tiny-2", "tiny-10", "other"]


def test_one_run_is_shown_and_several_are_for_comparing(bench: Bench) -> None:
    shown: list[str] = []
    compared: list[list[str]] = []
    bench.runs.chosen.connect(lambda run: shown.append(run.name))
    bench.run_actions.compare = lambda chosen: None  # type: ignore[method-assign]
    bench.runs.compare_requested.connect(lambda chosen: compared.append([run.name for run in chosen]))
    bench.click("tiny-10")
    assert shown == ["tiny-10"]
    assert (bench.is_on("rename-run"), bench.is_on("compare-runs")) == (True, False)
    bench.key(Qt.Key.Key_Return)
    assert shown == ["tiny-10", "tiny-10"]
    bench.click("tiny-2", Qt.KeyboardModifier.ControlModifier)
    assert shown == ["tiny-10", "tiny-10"]
    assert bench.runs.selected is None
    assert (bench.is_on("rename-run"), bench.is_on("compare-runs"), bench.is_on("delete-runs")) == (False, True, True)
    for ask in (
        lambda: press(bench.qtbot, bench.runs, "train-compare"),
        lambda: bench.key(Qt.Key.Key_M, Qt.KeyboardModifier.ControlModifier),
        lambda: bench.key(Qt.Key.Key_Return),
    ):
        ask()
    assert compared == [["tiny-10", "tiny-2"]] * 3
    bench.click("other", Qt.KeyboardModifier.ShiftModifier)
    assert len(bench.runs.table.chosen) > 1


def test_a_name_is_typed_in_place(bench: Bench) -> None:
    bench.click("tiny-10")
    with bench.qtbot.waitSignal(bench.run_actions.renamed) as renamed:
        bench.key(Qt.Key.Key_F2)
        bench.type("fifth try")
    assert renamed.args == [bench.folder / "tiny-10", bench.folder / "fifth try"]
    bench.wait_for("tiny-2", "fifth try", "other")
    assert bench.runs.selected is not None
    assert bench.runs.selected.name == "fifth try"
    assert bench.on_disk() == ["fifth try", "other", "tiny-2"]


def test_tab_ends_the_typing_and_begins_none_in_the_cell_beside(bench: Bench) -> None:
    bench.click("tiny-10")
    with bench.qtbot.waitSignal(bench.run_actions.renamed) as renamed:
        bench.key(Qt.Key.Key_F2)
        bench.editor.setText("fifth try")
        QTest.keyClick(bench.editor, Qt.Key.Key_Tab)
    assert renamed.args == [bench.folder / "tiny-10", bench.folder / "fifth try"]
    assert not bench.runs.table.is_editing


def test_a_name_that_is_taken_is_refused_and_the_old_one_stands_there_again(bench: Bench) -> None:
    bench.click("tiny-10")
    bench.key(Qt.Key.Key_F2)
    bench.type("Other")
    bench.qtbot.waitUntil(lambda: bool(bench.told))
    assert bench.told == ["There is a run called 'Other' already. Choose another name."]
    assert bench.listed() == ["other", "tiny-10", "tiny-2"]


def test_what_is_typed_is_not_lost_to_a_listing_that_comes_meanwhile(bench: Bench) -> None:
    bench.click("tiny-10")
    bench.key(Qt.Key.Key_F2)
    leave(bench.folder / "fresh", STARTED)
    with bench.qtbot.waitSignal(bench.run_actions.listed):
        bench.run_actions.list_runs()
    assert bench.runs.table.is_editing
    bench.type("mine")
    bench.wait_for("fresh", "mine", "other", "tiny-2")


def test_a_listing_that_comes_meanwhile_leaves_the_place_and_the_keys_where_they_are(bench: Bench) -> None:
    """While a run is trained they are listed every few seconds: who read further down was taken back each time."""
    for number in range(40):
        leave(bench.folder / f"old-{number:02d}", replace(STARTED, time=1.0 + number))
    with bench.qtbot.waitSignal(bench.run_actions.listed):
        bench.run_actions.list_runs()
    table = bench.runs.table
    bench.click("other")
    table.setFocus()
    bench.key(Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    bar = table.verticalScrollBar()
    bar.setValue(bar.maximum())
    with bench.qtbot.waitSignal(bench.run_actions.listed):
        bench.run_actions.list_runs()
    assert bar.value() == bar.maximum() > 0
    bench.key(Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert [run.name for run in table.chosen] == ["other", "tiny-10", "tiny-2"]


def test_notes_are_typed_in_a_column_that_is_there_when_it_is_needed(bench: Bench) -> None:
    table = bench.runs.table
    assert table.isColumnHidden(NOTE)
    bench.click("other")
    bench.key(Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert not table.isColumnHidden(NOTE)
    bench.type("worse ü ↵ on platelets")
    bench.qtbot.waitUntil(lambda: bench.cell("other", NOTE) == "worse ü ↵ on platelets")
    assert runs.note(bench.folder / "other") == "worse ü\non platelets"
    assert bench.tip("other", NAME).startswith("other\nworse ü\non platelets\n")
    at = table.visualItemRect(table.item(bench.row("other"), NOTE)).center()
    for click in (bench.qtbot.mouseClick, bench.qtbot.mouseDClick):
        click(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    bench.type(" ")
    bench.qtbot.waitUntil(lambda: bench.cell("other", NOTE) == "")
    assert table.isColumnHidden(NOTE)


def test_a_name_is_typed_after_a_note_that_was_not_ended(bench: Bench) -> None:
    bench.click("other")
    find(bench.runs, QAction, "action-note-run").trigger()
    bench.editor.insert("half a note")
    find(bench.runs, QAction, "action-rename-run").trigger()
    assert bench.editor.text() == "other"
    bench.type("another")
    bench.wait_for("another", "tiny-2", "tiny-10")
    assert runs.note(bench.folder / "another") == "half a note"


def test_a_note_that_is_given_up_leaves_no_column(bench: Bench) -> None:
    bench.click("other")
    find(bench.runs, QAction, "action-note-run").trigger()
    bench.qtbot.keyClick(bench.editor, Qt.Key.Key_Escape)
    assert bench.runs.table.isColumnHidden(NOTE)


@pytest.mark.parametrize("by_key", [False, True])
def test_deleted_runs_come_back_by_undo(bench: Bench, by_key: bool) -> None:
    before = bench.session.undo_title
    bench.window.addAction(undo := QAction("Undo", bench.window, shortcut=QKeySequence("Ctrl+Z")))
    undo.triggered.connect(bench.session.undo_last)  # as in the whole window
    bench.click("tiny-10")
    bench.click("tiny-2", Qt.KeyboardModifier.ControlModifier)
    with bench.qtbot.waitSignal(bench.session.runs_changed):
        bench.key(Qt.Key.Key_Delete)
    bench.wait_for("other")
    assert text(bench.runs, "train-runs-told") == "Deleted 2 runs. In the trash for 30 days."
    if by_key:
        bench.runs.table.setFocus()
        bench.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    else:
        press(bench.qtbot, bench.runs, "train-runs-undo")
    bench.wait_for("other", "tiny-10", "tiny-2")
    assert bench.on_disk() == ["other", "tiny-10", "tiny-2"]
    assert not find(bench.runs, QPushButton, "train-runs-undo").isVisible()
    assert bench.session.undo_title == before


def test_ctrl_z_in_the_list_undoes_what_the_window_says(bench: Bench) -> None:
    """It took back the last deletion, though Edit > Undo named a later edit."""
    bench.window.addAction(undo := QAction("Undo", bench.window, shortcut=QKeySequence("Ctrl+Z")))
    undo.triggered.connect(bench.session.undo_last)
    bench.run_actions.delete([runs.info(bench.folder / "other")])
    bench.wait_for("tiny-10", "tiny-2")
    label_all(bench.session)
    before = bench.session.undo_title
    bench.runs.table.setFocus()
    bench.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert bench.on_disk() == ["tiny-10", "tiny-2"]
    assert bench.session.undo_title != before


def test_a_held_key_deletes_once(bench: Bench) -> None:
    asked: list[object] = []
    bench.runs.delete_requested.connect(asked.append)
    bench.click("tiny-10")
    hold(bench.table, find(bench.runs, QAction, "action-delete-runs"))
    assert len(asked) == 1
    bench.wait_for("other", "tiny-2")


def test_a_run_that_is_trained_is_neither_renamed_nor_deleted(bench: Bench) -> None:
    lock = Lock(bench.folder / "other")
    bench.click("other")
    bench.key(Qt.Key.Key_Delete)
    assert bench.told[0].startswith("The run 'other' is in use by process")
    assert bench.on_disk() == ["other", "tiny-10", "tiny-2"]
    lock.release()
    bench.runs.show_training("other")
    assert not any(bench.is_on(name) for name in ("rename-run", "delete-runs", "resume-run"))
    assert bench.is_on("note-run")
    bench.runs.show_training("")
    assert bench.is_on("delete-runs")


def test_a_window_that_may_only_read_neither_renames_notes_nor_deletes_runs(bench: Bench) -> None:
    bench.run_actions.delete([runs.info(bench.folder / "tiny-2")])
    bench.wait_for("other", "tiny-10")
    document, why = bench.session.document, "It is being edited elsewhere."
    assert document is not None
    document.store.read_only, document.store.why_read_only = True, why
    bench.click("other")
    bench.key(Qt.Key.Key_Delete)
    for name in ("rename-run", "note-run"):
        find(bench.runs, QAction, f"action-{name}").trigger()
        assert not bench.runs.table.is_editing
    press(bench.qtbot, bench.runs, "train-runs-undo")
    bench.runs.trash.actions()[0].trigger()
    find(bench.runs.menu, type(bench.runs.menu), "train-runs-empty").actions()[0].trigger()
    assert bench.told == [why] * 6
    assert bench.on_disk() == ["other", "tiny-10"]
    assert [one.name for one in run_actions.deleted_runs(bench.folder)] == ["tiny-2"]
    document.store.read_only = False


def test_a_run_that_another_program_trains_is_read_as_such_and_its_row_with_it(bench: Bench) -> None:
    read: list[tuple[str, bool]] = []
    bench.run_actions.history_read.connect(
        lambda folder, history: read.append((folder.name, history.trained_elsewhere))
    )
    lock = Lock(leave(bench.folder / "zoo", replace(STARTED, run="zoo", time=9e9)))
    bench.run_actions.read(bench.folder / "zoo")
    bench.wait_for("other", "tiny-10", "tiny-2", "zoo")  # nobody has told that there is another
    assert bench.cell("zoo", STATE) == "running"
    lock.release()
    bench.run_actions.read(bench.folder / "zoo")
    bench.qtbot.waitUntil(lambda: len(read) == 2)
    bench.run_actions.read(bench.folder / "other")
    bench.qtbot.waitUntil(lambda: len(read) == 3)
    assert read == [("zoo", True), ("zoo", False), ("other", False)]


def test_the_trash_is_in_the_menu(bench: Bench) -> None:
    bench.run_actions.delete([runs.info(bench.folder / "other")])
    bench.run_actions.delete([runs.info(bench.folder / "tiny-2")])
    bench.wait_for("tiny-10")
    assert bench.runs.trash.isEnabled()
    first, second = bench.runs.trash.actions()[:2]
    (kept,) = (one for one in run_actions.deleted_runs(bench.folder) if one.name == "tiny-2")
    assert [entry.text().split(",")[0] for entry in (first, second)] == ["Take back 'tiny-2'", "Take back 'other'"]
    second.trigger()
    bench.wait_for("tiny-10", "other")
    empty = find(bench.runs.menu, type(bench.runs.menu), "train-runs-empty").actions()[0]
    assert empty.text() == f"Delete 1 run, {size(run_actions.size_of(kept))}: there is no undo"
    empty.trigger()
    bench.qtbot.waitUntil(lambda: not bench.runs.trash.isEnabled())
    assert run_actions.deleted_runs(bench.folder) == ()
    assert not find(bench.runs, QPushButton, "train-runs-undo").isVisible()


def test_it_is_told_whether_the_data_is_that_of_today(bench: Bench) -> None:
    document = bench.session.document
    assert document is not None
    digest = document.snapshot().digest
    (bench.folder / "other" / "data.json").write_text(json.dumps({"digest": digest}), "utf-8")
    (bench.folder / "tiny-2" / "data.json").write_text(json.dumps({"digest": "0123456789abcdef" * 4}), "utf-8")
    bench.run_actions.list_runs()
    bench.qtbot.waitUntil(lambda: "It is the same today." in bench.tip("other", DATA))
    assert bench.cell("tiny-2", DATA) == "8 images (0123)"
    assert bench.tip("tiny-2", DATA) == (
        "6 images to learn from, 2 to validate on.\n"
        "Fingerprint of the project's data then: 0123456789abcdef\nIt has changed since."
    )
    assert bench.tip("tiny-10", DATA) == "6 images to learn from, 2 to validate on."
    label_all(bench.session)
    assert "today" not in bench.tip("other", DATA)  # not known any more
    bench.run_actions.list_runs()
    bench.qtbot.waitUntil(lambda: "It has changed since." in bench.tip("other", DATA))


def test_an_ap_of_few_images_says_so(bench: Bench) -> None:
    tip = "Judged by {} only: this is largely chance, so the newest weights count as the best.\n"
    runs_ = [replace(runs.info(bench.folder / "other"), validation_images=number) for number in (1, 9, 10)]
    for run, by in zip(runs_, ("1 image", "9 images", ""), strict=True):
        bench.runs.table.set_runs((run,))
        assert bench.cell("other", AP50) == ("newest: 0.250" if by else "0.250")
        assert bench.cell("other", AP) == "0.125"
        assert bench.tip("other", AP50).startswith(tip.format(by)) == bool(by)
    bench.runs.table.set_runs((replace(runs_[0], best_ap50=math.nan),))
    assert (bench.cell("other", AP50), "Judged" in bench.tip("other", AP50)) == ("–", False)


def test_a_detector_is_called_by_its_title_once_that_is_known(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench.cell("other", DETECTOR) == "toy"
    known: Registry[SimpleNamespace] = Registry("detector")
    known.register("toy")(SimpleNamespace(title="Toy v2"))
    monkeypatch.setattr(titles, "detectors", known)
    bench.run_actions.list_runs()
    bench.qtbot.waitUntil(lambda: bench.cell("other", DETECTOR) == "Toy v2")


def test_names_have_the_room_first_and_a_cut_one_is_told_whole(bench: Bench) -> None:
    table, long = bench.runs.table, replace(runs.info(bench.folder / "other"), name="one more with strong augmentation")
    room = table.viewport().width()
    table.set_runs((long,))
    longest = table.sizeHintForColumn(NAME)
    assert table.columnWidth(NAME) >= longest
    assert table.horizontalHeader().length() == room  # what is left is the names', and no more is taken
    others = table.horizontalHeader().length() - table.columnWidth(NAME)
    for width in (400, 620):  # the other columns alone are wider
        table.resize(width, 200)
        assert table.columnWidth(NAME) == min(longest, int(MOST_NAME * table.viewport().width()))
    frame = table.width() - table.viewport().width()
    table.resize(others + LEAST_NAME + frame, 200)
    assert table.columnWidth(NAME) == LEAST_NAME < longest
    assert table.horizontalHeader().length() == table.viewport().width()  # so that "started" can be read
    table.resize(1500, 200)
    table.set_runs((replace(long, note="on platelets"),))
    assert table.columnWidth(NAME) == longest
    assert table.horizontalHeader().length() == table.viewport().width()
    assert bench.tip(long.name, NAME).startswith(f"{long.name}\n")
    table.resize(300, 200)
    assert table.horizontalScrollBar().isVisible()
    table.set_runs(())
    assert not table.horizontalScrollBar().isVisible()  # of nothing


def test_a_button_that_is_off_says_why(bench: Bench) -> None:
    buttons = {name: find(bench.runs, QPushButton, f"train-{name}") for name in ("resume", "inspect")}

    def told() -> list[str]:
        assert not any(button.isEnabled() for button in buttons.values())
        return [button.toolTip().splitlines()[0] for button in buttons.values()]

    bench.runs.clear_selection()
    assert told() == ["Choose one run first."] * 2
    bench.click("other")
    assert told() == ["This run is finished.", "This run has no checkpoint: it ended before one."]
    bench.runs.show_training("other")
    assert told()[0] == "A training is running: wait until it ends, or stop it."
    bench.runs.show_training("")
    for name in ("last.state.pt", "data.npz", "last.safetensors"):
        (bench.folder / "other" / name).touch()
    bench.run_actions.list_runs()
    bench.qtbot.waitUntil(buttons["inspect"].isEnabled)
    assert buttons["inspect"].toolTip() == "See what this run finds in the images."
    assert buttons["resume"].toolTip().startswith("This run is finished. More > Extend goes on from its end.\n")
    bench.runs.menu.popup(QPoint(0, 0))
    entries = {entry.text(): entry.toolTip() for entry in bench.runs.menu.actions() if entry.text()}
    bench.runs.menu.close()
    assert entries["Resume the run"] == buttons["resume"].toolTip()


def test_the_menu_explains_what_it_offers(bench: Bench) -> None:
    bench.runs.menu.popup(QPoint(0, 0))
    entries = {entry.text(): entry.toolTip() for entry in bench.runs.menu.actions() if entry.text()}
    bench.runs.menu.close()
    assert "this one stays as it is" in entries["Extend the run by more epochs…"]
    assert "form at the left" in entries["Fork: copy the run's settings into the form"]
    assert isinstance(find(bench.runs, QLabel, "train-runs-told"), QLabel)
