"""Split by rules in the real window: what would come of it is shown, and only Apply changes anything."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QTextDocumentFragment
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QToolButton,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find, write_photographs
from workbench.core import edits, splits
from workbench.core.decoding import fingerprint
from workbench.core.document import Document
from workbench.core.project import Box, Image, Label, Snapshot, Split
from workbench.ui.data import split_window
from workbench.ui.data.split_window import STOPPED, SplitWindow
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def rides(tmp_path: Path) -> Path:
    """Five frames of each of four rides, each with a box; the last ride's also with a rare one."""
    write_photographs(tmp_path / "photographs", [f"ride {r}_{f}.png" for r in range(4) for f in range(5)])
    with Document.create(tmp_path / "rides", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "rare"))))
        common, rare = (label.id for label in document.labels())
        for number, image in enumerate(document.images()):
            document.draw((Box(0, image.id, common if number < 15 else rare, (0, 0, 9, 9)),))
    return tmp_path / "rides"


def opened(window: MainWindow) -> SplitWindow:
    QTest.mouseClick(find(window, QToolButton, "button-split"), Qt.MouseButton.LeftButton)
    split: SplitWindow = find(window, SplitWindow, "split-window")
    return split


def choose(split: SplitWindow, way: str) -> None:
    box = find(split, QComboBox, "split-way")
    box.setCurrentIndex(box.findData(way))


def on_disk(project: Path) -> list[Split]:
    with Document.open(project, read_only=True) as document:
        return [image.split for image in document.images()]


def words(split: SplitWindow) -> str:
    text: str = find(split, QLabel, "split-words").text()
    return text


def row(split: SplitWindow, number: int) -> list[str]:
    table = find(split, QTableWidget, "split-table")
    return [table.item(number, column).text() for column in range(4)]


def apply(split: SplitWindow) -> None:
    QTest.mouseClick(find(split, QPushButton, "split-apply"), Qt.MouseButton.LeftButton)


def test_what_would_come_of_it_is_shown_before_it_is_done(qtbot: QtBot, open_window: Open, rides: Path) -> None:
    window = open_window(rides, "data")
    split = opened(window)
    assert words(split) == "20 images would change."
    assert row(split, 0) == ["Images", "16  (80 %)", "2  (10 %)", "2  (10 %)"]
    assert row(split, 2)[0] == "rare"
    assert on_disk(rides) == [Split.NONE] * 20
    apply(split)
    assert sorted(on_disk(rides).count(part) for part in Split) == [0, 2, 2, 16]
    assert not split.isVisible(), "it is done"
    opened(window)
    qtbot.waitUntil(lambda: "nothing would change" in words(split))
    assert not find(split, QPushButton, "split-apply").isEnabled()
    window.session.undo()
    assert on_disk(rides) == [Split.NONE] * 20


def test_the_tooltip_of_a_label_that_is_html_shows_it_as_it_is_written(open_window: Open, rides: Path) -> None:
    with Document.open(rides) as document:
        document.do(edits.ChangeLabel(replace(document.labels()[1], name="<img>")))
    table = find(opened(open_window(rides, "data")), QTableWidget, "split-table")
    assert QTextDocumentFragment.fromHtml(table.item(2, 0).toolTip()).toPlainText() == "<img>"


def test_one_image_of_hundreds_is_not_none_and_the_others_not_all(open_window: Open, rides: Path) -> None:
    split = opened(open_window(rides, "data"))
    images = tuple(Image(i, f"{i}.jpg", split=Split.TRAIN if i else Split.VALIDATION) for i in range(300))
    nothing = np.zeros(0, np.int64)
    split._edit = None
    split._show(
        Snapshot((), images, (Path(),) * 300, np.zeros(301, np.int64), np.zeros((0, 4)), nothing,
                 np.zeros((0, 4), bool), nothing), None,
    )  # fmt: skip
    assert row(split, 0) == ["Images", "299  (99 %)", "1  (1 %)", "0  (0 %)"]


def test_of_a_large_project_it_is_worked_out_behind_the_window_for_what_was_chosen_last(
    qtbot: QtBot, open_window: Open, rides: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(split_window, "_LARGE", 1)
    threads: list[object] = []
    divided = splits.divide
    monkeypatch.setattr(
        splits, "divide", lambda *a, **k: threads.append(threading.current_thread()) or divided(*a, **k)
    )
    window = open_window(rides, "data")
    split = opened(window)
    assert words(split) == "Working it out …"
    assert not find(split, QPushButton, "split-apply").isEnabled()
    choose(split, "folder")
    split.renew()
    qtbot.waitUntil(lambda: words(split).startswith("1 group. 20 images would change."))
    choose(split, "name")
    find(split, QLineEdit, "split-pattern").setText("ride (")
    qtbot.waitUntil(lambda: "not a regular expression" in words(split))
    choose(split, "image")
    qtbot.waitUntil(lambda: words(split) == "20 images would change.")
    assert threading.main_thread() not in threads
    apply(split)
    assert sorted(on_disk(rides).count(part) for part in Split) == [0, 2, 2, 16]
    opened(window)
    window.session.close()  # while it is being worked out
    assert not split.isVisible()


def test_hundreds_of_labels_are_not_measured_anew_for_each_cell(
    qtbot: QtBot, open_window: Open, rides: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Columns that fit themselves took three seconds for 300 labels whenever the table was filled in sight."""
    with Document.open(rides) as document:
        document.do(edits.AddLabels(tuple(Label(0, f"part {number}") for number in range(300))))
    split = opened(open_window(rides, "data"))
    table = find(split, QTableWidget, "split-table")
    measured: list[int] = []
    monkeypatch.setattr(table, "sizeHintForColumn", lambda column: measured.append(column) or 120)
    qtbot.wait(300)  # not until it was laid out does a table measure itself at each change
    split.renew()
    qtbot.wait(50)
    assert len(measured) < 20
    assert [table.columnWidth(column) for column in (1, 2, 3)] == [120] * 3


def test_in_a_project_that_may_only_be_read_the_window_says_why_it_applies_nothing(
    open_window: Open, rides: Path
) -> None:
    window = open_window(rides, "data")
    store = window.session.document.store
    store.read_only, store.why_read_only = True, "It is being edited elsewhere."
    apply = find(opened(window), QPushButton, "split-apply")
    assert (apply.isEnabled(), apply.toolTip()) == (False, "It is being edited elsewhere.")
    store.read_only = False


def test_the_blue_button_is_pressed_by_ctrl_return_from_any_field(qtbot: QtBot, open_window: Open, rides: Path) -> None:
    split = opened(open_window(rides, "data"))
    split.activateWindow()
    qtbot.waitUntil(split.isActiveWindow)
    field = split.findChildren(QSpinBox)[0]
    field.setFocus()
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert on_disk(rides) == [Split.NONE] * 20, "Enter alone is the field's"
    qtbot.waitUntil(find(split, QPushButton, "split-apply").isEnabled)  # a field tells of Enter as of another number
    QTest.keyClick(field, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert on_disk(rides).count(Split.TRAIN) == 16


@pytest.mark.parametrize(
    ("command", "window_name", "blue"),
    [
        ("split", "split-window", "split-apply"),
        ("check-data", "health-window", "health-repair"),
        ("export-labels", "export-window", "export-write"),
    ],
)
def test_the_windows_of_the_page_end_alike(
    qtbot: QtBot, open_window: Open, rides: Path, command: str, window_name: str, blue: str
) -> None:
    window = open_window(rides, "data")
    find(window, QAction, f"action-{command}").trigger()
    dialog = find(window, QDialog, window_name)
    close = find(dialog, QPushButton, f"{window_name.removesuffix('-window')}-close")
    qtbot.waitUntil(lambda: close.isVisible() and 0 < close.geometry().right() < find(dialog, QPushButton, blue).x())
    assert not any(button.autoDefault() for button in dialog.findChildren(QPushButton))
    QTest.mouseClick(close, Qt.MouseButton.LeftButton)
    assert not dialog.isVisible()


def test_frames_of_a_ride_stay_together(qtbot: QtBot, open_window: Open, rides: Path) -> None:
    split = opened(open_window(rides, "data"))
    for part, share in (("train", 50), ("validation", 25), ("test", 25)):
        find(split, QSpinBox, f"split-{part}").setValue(share)
    choose(split, "name")
    qtbot.waitUntil(lambda: words(split).startswith("4 groups."))
    apply(split)
    found = on_disk(rides)
    assert [found.count(part) for part in (Split.TRAIN, Split.VALIDATION, Split.TEST)] == [10, 5, 5]
    assert all(len(set(found[5 * ride : 5 * ride + 5])) == 1 for ride in range(4))


def test_a_split_that_would_stay_without_boxes_and_shares_of_another_sum_are_told(
    qtbot: QtBot, open_window: Open, rides: Path
) -> None:
    split = opened(open_window(rides, "data"))
    assert find(split, QLabel, "split-sum").text() == "%"
    choose(split, "folder")
    qtbot.waitUntil(
        lambda: words(split) == "1 group. 20 images would change. No box would be in validation and in test."
    )
    find(split, QSpinBox, "split-test").setValue(0)
    qtbot.waitUntil(lambda: words(split).endswith("No box would be in validation."))
    assert find(split, QLabel, "split-sum").text() == "parts of 90"


def test_a_pattern_that_is_none_is_said_and_nothing_can_be_applied(
    qtbot: QtBot, open_window: Open, rides: Path
) -> None:
    split = opened(open_window(rides, "data"))
    choose(split, "name")
    find(split, QLineEdit, "split-pattern").setText("ride (")
    qtbot.waitUntil(lambda: "not a regular expression" in words(split))
    assert not find(split, QPushButton, "split-apply").isEnabled()
    find(split, QLineEdit, "split-pattern").setText(r"_(\d)")
    qtbot.waitUntil(lambda: words(split).startswith("5 groups. 20 images"))
    find(split, QLineEdit, "split-pattern").setText("(.+)")
    qtbot.waitUntil(lambda: words(split).startswith("20 groups. No two images belong together by this"))


def test_pictures_nearly_alike_stay_together(qtbot: QtBot, open_window: Open, rides: Path) -> None:
    folder = rides.parent / "photographs"
    (folder / "ride 3_4.png").write_bytes((folder / "ride 0_0.png").read_bytes())
    window = open_window(rides, "data")
    split = opened(window)
    choose(split, "similar")
    qtbot.waitUntil(lambda: words(split).startswith("19 groups."))
    assert not window.session.jobs
    find(split, QCheckBox, "split-again").setChecked(True)
    qtbot.waitUntil(find(split, QPushButton, "split-apply").isEnabled)
    apply(split)
    assert on_disk(rides)[0] == on_disk(rides)[19]


def test_a_comparison_that_is_stopped_does_not_begin_again_by_itself(
    qtbot: QtBot, open_window: Open, rides: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It did so for ever where pictures had been compared before; else a number of pictures stood there for ever."""
    window = open_window(rides, "data")
    split = opened(window)
    choose(split, "similar")
    qtbot.waitUntil(lambda: words(split).startswith("20 groups."))
    begun: list[int] = []

    def endless(files: Sequence[Path], _window: object) -> Iterator[tuple[int, None]]:
        begun.append(len(files))
        while True:
            time.sleep(0.005)
            yield 0, None

    monkeypatch.setattr(fingerprint, "of_files", endless)
    window.session.do(edits.RemoveImages((window.session.image_id,)))
    qtbot.waitUntil(lambda: words(split).endswith("pictures compared"))
    window.session.jobs[0].stop.set()
    qtbot.waitUntil(lambda: words(split) == STOPPED and not window.session.jobs)
    assert begun == [19]
    find(split, QSpinBox, "split-seed").setValue(5)
    qtbot.waitUntil(lambda: words(split).endswith("pictures compared"))
    choose(split, "image")
    qtbot.waitUntil(lambda: words(split) == "19 images would change.")
    window.session.jobs[0].stop.set()
    qtbot.waitUntil(lambda: not window.session.jobs)
    assert words(split) == "19 images would change.", "what is told is of what is shown"


def test_no_split_is_applied_that_was_worked_out_for_other_choices(
    qtbot: QtBot, open_window: Open, rides: Path
) -> None:
    """It was worked out anew after as many milliseconds as the seed says; until then, Apply took the one before."""
    window = open_window(rides, "data")
    split = opened(window)
    button, seed = find(split, QPushButton, "split-apply"), find(split, QSpinBox, "split-seed")
    assert button.isEnabled()
    seed.setValue(100_000)
    assert not button.isEnabled()
    qtbot.waitUntil(button.isEnabled)
    apply(split)
    at_100_000 = on_disk(rides)
    window.session.undo()
    opened(window)
    seed.setValue(0)
    qtbot.waitUntil(button.isEnabled)
    window.session.do(edits.SetSplit((window.session.image_id,), Split.TEST))
    assert not button.isEnabled(), "nor for an earlier project"
    window.session.undo()
    qtbot.waitUntil(button.isEnabled)
    apply(split)
    assert on_disk(rides) != at_100_000
