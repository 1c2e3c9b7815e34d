"""The list of runs: sorted, chosen, renamed and noted in place, deleted and taken back, extended, used again."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QMainWindow, QPushButton, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from tests.training.test_runs import PROGRESS, STARTED, leave
from tests.ui.hand import find
from tests.ui.test_train_page import FakeTraining, label_all, press, ready, session, shown_page, text
from workbench.core import edits
from workbench.core.lock import Lock
from workbench.core.project import AnchorSet
from workbench.core.words import size
from workbench.training import extending, kept_runs, recipes, record, runs
from workbench.training.events import Evaluated, Finished
from workbench.training.request import RunRequest
from workbench.ui.session import Session
from workbench.ui.train.extend_window import ExtendWindow, sentences
from workbench.ui.train.page import TrainPage
from workbench.ui.train.run_deeds import RunDeeds
from workbench.ui.train.run_list import RunList
from workbench.ui.train.run_work import List, listed
from workbench.ui.train.runs_table import AP50, DATA, NAME, NOTE
from workbench.ui.train.runs_table import STARTED as STARTED_COLUMN
from workbench.ui.train.setup import Setup
from workbench.ui.train.start_from import FRESH

__all__ = ["session"]  # the fixture
ENDED = Finished(6, 4, False, 0.5, 1.0, "/x")


def evaluated(ap50: float) -> Evaluated:
    return Evaluated(1, 2, ap50 / 2, ap50, 0.0, {}, 2, 0.1, best=True)


@dataclasses.dataclass
class Bench:
    """The list and what does its deeds, on a project with the runs tiny-2, tiny-10 and other (the newest)."""

    qtbot: QtBot
    session: Session
    runs: RunList
    deeds: RunDeeds
    window: QMainWindow
    folder: Path
    told: list[str]

    @property
    def table(self) -> QWidget:
        return self.runs.table

    def listed(self) -> list[str]:
        return [self.runs.table.item(row, NAME).text() for row in range(self.runs.table.rowCount())]

    def row(self, name: str) -> int:
        return self.listed().index(name)

    def cell(self, name: str, column: int) -> str:
        return self.runs.table.item(self.row(name), column).text()

    def tip(self, name: str, column: int) -> str:
        return self.runs.table.item(self.row(name), column).toolTip()

    def click(self, name: str, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        at = self.runs.table.visualItemRect(self.runs.table.item(self.row(name), AP50)).center()
        self.qtbot.mouseClick(self.runs.table.viewport(), Qt.MouseButton.LeftButton, modifier, at)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(self.runs.table, key, modifier)

    @property
    def editor(self) -> QLineEdit:
        (editor,) = (one for one in self.runs.table.findChildren(QLineEdit) if one.isVisible())
        return editor

    def type(self, words: str) -> None:
        editor = self.editor
        editor.selectAll()
        editor.insert(words)
        self.qtbot.keyClick(editor, Qt.Key.Key_Return)

    def wait_for(self, *names: str) -> None:
        self.qtbot.waitUntil(lambda: sorted(self.listed()) == sorted(names))

    def is_on(self, name: str) -> bool:
        return bool(find(self.runs, QAction, f"action-{name}").isEnabled())

    def on_disk(self) -> list[str]:
        return sorted(run.name for run in runs.runs(self.folder))


@pytest.fixture
def bench(qtbot: QtBot, session: Session) -> Iterator[Bench]:
    assert session.document is not None
    folder = session.document.runs_folder
    for seconds, (name, ap50) in enumerate((("tiny-2", 0.5), ("tiny-10", math.nan), ("other", 0.25))):
        started = dataclasses.replace(STARTED, run=name)
        scored = [] if math.isnan(ap50) else [evaluated(ap50)]
        file = leave(folder / name, started, PROGRESS, *scored, ENDED) / "events.jsonl"
        lines = [json.loads(line) | {"time": 1e9 + 60 * seconds} for line in file.read_text("utf-8").splitlines()]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    window, list_, setup = QMainWindow(), RunList(), Setup()
    deeds = RunDeeds(session, list_, setup)
    both = QWidget()
    row = QHBoxLayout(both)
    row.addWidget(setup)
    row.addWidget(list_, 1)
    window.setCentralWidget(both)
    qtbot.addWidget(window)
    window.resize(1200, 600)
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    told: list[str] = []
    session.message.connect(lambda _level, sentence: told.append(sentence))
    made = Bench(qtbot, session, list_, deeds, window, folder, told)
    deeds.list_runs()
    made.wait_for("tiny-2", "tiny-10", "other")
    yield made
    deeds.close()
    setup.network_size.close_down()


def test_the_newest_run_is_first_and_any_column_sorts(bench: Bench) -> None:
    assert bench.listed() == ["other", "tiny-10", "tiny-2"]
    bench.runs.table.sortByColumn(NAME, Qt.SortOrder.DescendingOrder)
    assert bench.listed() == ["tiny-10", "tiny-2", "other"]  # ten comes after two
    bench.runs.table.sortByColumn(AP50, Qt.SortOrder.AscendingOrder)
    assert [bench.cell(name, AP50) for name in bench.listed()] == ["–", "0.250", "0.500"]
    bench.deeds.note(runs.info(bench.folder / "other"), "a note")  # listed again: the order stays
    bench.qtbot.waitUntil(lambda: bench.cell("other", NOTE) == "a note")
    assert bench.listed() == ["tiny-10", "other", "tiny-2"]
    bench.runs.table.sortByColumn(STARTED_COLUMN, Qt.SortOrder.AscendingOrder)
    assert bench.listed() == ["tiny-2", "tiny-10", "other"]


def test_one_run_is_shown_and_several_are_for_comparing(bench: Bench) -> None:
    shown: list[str] = []
    compared: list[list[str]] = []
    bench.runs.chosen.connect(lambda run: shown.append(run.name))
    bench.deeds.compare = lambda chosen: None  # type: ignore[method-assign]
    bench.runs.compare_asked.connect(lambda chosen: compared.append([run.name for run in chosen]))
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
    with bench.qtbot.waitSignal(bench.deeds.renamed) as renamed:
        bench.key(Qt.Key.Key_F2)
        bench.type("fifth try")
    assert renamed.args == [bench.folder / "tiny-10", bench.folder / "fifth try"]
    bench.wait_for("tiny-2", "fifth try", "other")
    assert bench.runs.selected is not None
    assert bench.runs.selected.name == "fifth try"
    assert bench.on_disk() == ["fifth try", "other", "tiny-2"]


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
    with bench.qtbot.waitSignal(bench.deeds.listed):
        bench.deeds.list_runs()
    assert bench.runs.table.is_editing
    bench.type("mine")
    bench.wait_for("fresh", "mine", "other", "tiny-2")


def test_notes_are_typed_in_a_column_that_is_there_when_it_is_needed(bench: Bench) -> None:
    table = bench.runs.table
    assert table.isColumnHidden(NOTE)
    bench.click("other")
    bench.key(Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert not table.isColumnHidden(NOTE)
    bench.type("worse ü ↵ on platelets")
    bench.qtbot.waitUntil(lambda: bench.cell("other", NOTE) == "worse ü ↵ on platelets")
    assert runs.note(bench.folder / "other") == "worse ü\non platelets"
    assert bench.tip("other", NAME).startswith("worse ü\non platelets\n")
    at = table.visualItemRect(table.item(bench.row("other"), NOTE)).center()
    for click in (bench.qtbot.mouseClick, bench.qtbot.mouseDClick):
        click(table.viewport(), Qt.MouseButton.LeftButton, pos=at)
    bench.type(" ")
    bench.qtbot.waitUntil(lambda: bench.cell("other", NOTE) == "")
    assert table.isColumnHidden(NOTE)


def test_a_note_that_is_given_up_leaves_no_column(bench: Bench) -> None:
    bench.click("other")
    find(bench.runs, QAction, "action-note-run").trigger()
    bench.qtbot.keyClick(bench.editor, Qt.Key.Key_Escape)
    assert bench.runs.table.isColumnHidden(NOTE)


@pytest.mark.parametrize("by_key", [False, True])
def test_deleted_runs_come_back_by_undo(bench: Bench, by_key: bool) -> None:
    undone: list[bool] = []
    bench.window.addAction(undo := QAction("Undo", bench.window, shortcut="Ctrl+Z"))
    undo.triggered.connect(lambda: undone.append(True))
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
    assert undone == []  # what the window undoes are labels
    bench.runs.table.setFocus()
    bench.key(Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert undone == [True]


def test_a_run_that_is_trained_is_neither_renamed_nor_deleted(bench: Bench) -> None:
    lock = Lock(bench.folder / "other")
    bench.click("other")
    bench.key(Qt.Key.Key_Delete)
    assert bench.told[0].startswith("The run 'other' is in use by process")
    assert bench.on_disk() == ["other", "tiny-10", "tiny-2"]
    lock.release()
    bench.runs.allow_resume(False, "other")
    assert not any(bench.is_on(name) for name in ("rename-run", "delete-runs", "resume-run"))
    assert bench.is_on("note-run")
    bench.runs.allow_resume(True)
    assert bench.is_on("delete-runs")


def test_the_trash_is_in_the_menu(bench: Bench) -> None:
    bench.deeds.delete([runs.info(bench.folder / "other")])
    bench.deeds.delete([runs.info(bench.folder / "tiny-2")])
    bench.wait_for("tiny-10")
    assert bench.runs.trash.isEnabled()
    first, second = bench.runs.trash.actions()[:2]
    (kept,) = (one for one in kept_runs.deleted_runs(bench.folder) if one.name == "tiny-2")
    assert [entry.text().split(",")[0] for entry in (first, second)] == ["Take back 'tiny-2'", "Take back 'other'"]
    second.trigger()
    bench.wait_for("tiny-10", "other")
    empty = find(bench.runs.menu, type(bench.runs.menu), "train-runs-empty").actions()[0]
    assert empty.text() == f"Delete 1 run, {size(kept_runs.size_of(kept))}: there is no undo"
    empty.trigger()
    bench.qtbot.waitUntil(lambda: not bench.runs.trash.isEnabled())
    assert kept_runs.deleted_runs(bench.folder) == ()
    assert not find(bench.runs, QPushButton, "train-runs-undo").isVisible()


def test_what_is_in_the_trash_for_thirty_days_goes_with_a_listing(bench: Bench) -> None:
    deleted = kept_runs.delete(bench.folder / "other")
    old = bench.folder / ".trash" / "1000000000000000000"  # of 2001
    deleted.folder.parent.rename(old)
    bench.deeds.list_runs()
    bench.wait_for("tiny-10", "tiny-2")
    bench.qtbot.waitUntil(lambda: not old.exists())


def test_what_was_listed_before_a_deletion_is_not_shown_after_it(bench: Bench) -> None:
    wish = List(bench.folder, False, 1)
    before = listed(wish)
    heard: list[object] = []
    bench.deeds.listed.connect(heard.append)
    bench.deeds.delete([runs.info(bench.folder / "other")])
    bench.deeds._list.done.emit(wish, before)
    assert heard == []
    bench.wait_for("tiny-10", "tiny-2")


def test_it_is_told_whether_the_data_is_that_of_today(bench: Bench) -> None:
    document = bench.session.document
    assert document is not None
    digest = document.snapshot().digest
    (bench.folder / "other" / "data.json").write_text(json.dumps({"digest": digest}), "utf-8")
    (bench.folder / "tiny-2" / "data.json").write_text(json.dumps({"digest": "0123456789abcdef" * 4}), "utf-8")
    bench.deeds.list_runs()
    bench.qtbot.waitUntil(lambda: "It is the same today." in bench.tip("other", DATA))
    assert bench.cell("tiny-2", DATA) == "0123456 · 8"
    assert bench.tip("tiny-2", DATA) == (
        "6 images to learn from, 2 to validate on.\nThe project's data then: 0123456789abcdef\nIt has changed since."
    )
    assert bench.tip("tiny-10", DATA) == "6 images to learn from, 2 to validate on."
    label_all(bench.session)
    assert "today" not in bench.tip("other", DATA)  # not known any more
    bench.deeds.list_runs()
    bench.qtbot.waitUntil(lambda: "It has changed since." in bench.tip("other", DATA))


# --- going on for longer ---


@pytest.fixture
def whole(bench: Bench) -> Path:
    """A run that can be extended: 6 images in batches of 4 for 4 epochs, at a rate that falls from 0.1 to 0.001."""
    folder = bench.folder / "tiny-2"
    for name in ("last.state.pt", "data.npz", "best.safetensors"):
        (folder / name).write_bytes(name.encode())
    settings = "epochs = 4\nbatch = 4\nlearning_rate = 0.1\nwarm_up = 0\n"
    (folder / "settings.toml").write_text(f'detector = "toy"\n[training]\n{settings}', "utf-8")
    with bench.qtbot.waitSignal(bench.deeds.listed):
        bench.deeds.list_runs()
    return folder


def test_a_run_is_extended_after_it_was_told_what_that_means(bench: Bench, whole: Path) -> None:
    bench.click("tiny-10")
    assert not bench.is_on("extend-run")
    bench.click("tiny-2")
    find(bench.runs, QAction, "action-extend-run").trigger()
    bench.qtbot.waitUntil(lambda: bench.window.findChild(ExtendWindow) is not None)
    window = find(bench.window, ExtendWindow, "extend-window")
    assert find(window, QSpinBox, "extend-epochs").value() == 2
    find(window, QSpinBox, "extend-epochs").setValue(4)
    # 6 of 6 steps, then 6 of 12: a cosine of 0.1 to 0.001
    rates = "ended at 0.00763; in a run of this length it goes on at 0.0505 and ends at 0.00269. As it is higher"
    assert rates in text(window, "extend-words")
    with bench.qtbot.waitSignal(bench.deeds.go_on_asked) as asked:
        press(bench.qtbot, window, "extend-go")
    assert asked.args == [bench.folder / "tiny-2-to-8"]
    bench.wait_for("other", "tiny-10", "tiny-2", "tiny-2-to-8")
    assert (bench.folder / "tiny-2-to-8" / "last.state.pt").read_bytes() == b"last.state.pt"


def test_the_words_on_an_extension_fit_the_schedule(bench: Bench, whole: Path) -> None:
    def words(**changes: object) -> str:
        basis = extending.basis(whole)
        early = bool(changes.pop("early", False))
        training = dataclasses.replace(basis.training, **changes)  # type: ignore[arg-type]
        basis = dataclasses.replace(basis, training=training, early=early)
        return sentences(basis, basis.extended(8))

    assert "The learning rate stays at 0.1." in words(schedule="constant")
    one_cycle = words(schedule="one-cycle")
    assert ", rises to " not in one_cycle
    assert "did not stop early" not in one_cycle
    assert "'tiny-2' ended early because AP no longer rose." in words(early=True)
    assert "As it is higher than at the end" not in words(schedule="constant", early=True)


# --- with the page ---


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[TrainPage]:
    label_all(session)
    yield from shown_page(qtbot, TrainPage(session, train=FakeTraining()), session)


def title_is(page: TrainPage, words: str) -> Callable[[], bool]:
    return lambda: text(page, "train-title") == words


def test_the_page_follows_a_run_that_is_renamed_deleted_and_taken_back(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    assert session.document is not None
    folder = session.document.runs_folder
    leave(folder / "first", STARTED, ENDED)
    leave(folder / "second", STARTED, ENDED)
    page.shown()
    qtbot.waitUntil(title_is(page, "second: finished"))
    deeds = find(page, RunDeeds, "")
    deeds.rename(runs.info(folder / "second"), "better")
    assert title_is(page, "better: finished")()
    deeds.delete([runs.info(folder / "better")])
    qtbot.waitUntil(title_is(page, "first: finished"))
    press(qtbot, page, "train-runs-undo")
    qtbot.waitUntil(title_is(page, "better: finished"))


def test_a_fork_fills_the_form_and_brings_the_anchors_back(
    qtbot: QtBot, page: TrainPage, session: Session, tmp_path: Path
) -> None:
    document = session.document
    assert document is not None
    ready(qtbot, page)
    anchors = AnchorSet(((10.0, 12.0), (30.0, 20.0)), 320)
    recipe = recipes.preset("quick-cpu").changed({"epochs": 7, "input_px": 96, "width": 0.25})
    weights = tmp_path / "begun.safetensors"
    weights.touch()
    folder = leave(document.runs_folder / "first", STARTED, ENDED)
    request = RunRequest(folder, document.snapshot(), recipe, anchors, start=weights)
    record.write_request(request)
    page.shown()
    find(page, RunList, "")
    qtbot.waitUntil(lambda: find(page, RunList, "").table.rowCount() == 1)
    find(page, RunList, "").table.selectRow(0)
    told: list[str] = []
    session.message.connect(lambda _level, sentence: told.append(sentence))
    find(page, QAction, "action-fork-run").trigger()
    qtbot.waitUntil(lambda: bool(told))
    setup = find(page, Setup, "")
    assert setup.recipe() == recipe
    assert setup.start_from.file == weights
    assert document.anchors() == anchors
    assert told == [
        "The settings of 'first' are in the form: change what you like and start. The project's anchors are those of"
        " that run now; Undo (Ctrl+Z) takes this back."
    ]
    assert session.undo() is not None
    assert document.anchors() is None
    assert told.pop() == "Taken back: Change the anchors in training."

    weights.unlink()
    session.do(edits.ChangeSetting("anchors", anchors.to_setting()))
    find(page, QAction, "action-fork-run").trigger()
    qtbot.waitUntil(lambda: len(told) == 2)
    assert told[1].endswith("which is not there any more: fresh weights are chosen.")  # and nothing about anchors
    assert setup.start_from.currentData() == FRESH


def test_the_menu_explains_what_it_offers(bench: Bench) -> None:
    bench.runs.menu.popup(QPoint(0, 0))
    entries = {entry.text(): entry.toolTip() for entry in bench.runs.menu.actions() if entry.text()}
    bench.runs.menu.close()
    assert "this one stays as it is" in entries["Extend the run by more epochs…"]
    assert "form at the left" in entries["Fork: the run's settings into the form"]
    assert isinstance(find(bench.runs, QLabel, "train-runs-told"), QLabel)
