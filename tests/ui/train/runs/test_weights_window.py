"""Import weights: what is filled in from a file, which labels are taken, and what is said about them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QFileDialog, QLabel, QLineEdit, QPushButton, QScrollArea
from pytestqt.qtbot import QtBot

from tests.ui.widgets.test_tab_order import reached
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.project import Label
from workbench.training.records import runs
from workbench.ui.train.runs.weights_window import HINT, WeightsWindow
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def main_window(open_window: Open, project: Path) -> MainWindow:
    window = open_window(project, "data")
    window.session.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
    return window


@pytest.fixture
def window(qtbot: QtBot, main_window: MainWindow) -> WeightsWindow:
    main_window.session.weights_import_requested.emit()
    opened: WeightsWindow = find(main_window, WeightsWindow, "weights-window")
    qtbot.waitUntil(find(opened, QPushButton, "weights-apply").isEnabled, timeout=60_000)
    return opened


def type_path(window: WeightsWindow, text: str, name: str = "weights-path") -> None:
    """And Enter, which ends it like a click elsewhere."""
    line = find(window, QLineEdit, name)
    line.selectAll()
    QTest.keyClicks(line, text)
    QTest.keyClick(line, Qt.Key.Key_Return)


def detector(window: WeightsWindow) -> str:
    return str(find(window, QComboBox, "weights-detector").currentData())


def names(window: WeightsWindow) -> str:
    return str(find(window, QLineEdit, "weights-names").text())


def words(window: WeightsWindow, name: str = "weights-words") -> str:
    return str(find(window, QLabel, name).text())


def test_a_typed_path_fills_the_form_as_a_chosen_file_does(
    window: WeightsWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine.weights", "mine.cfg", "mine.names"):
        (tmp_path / name).touch()
    type_path(window, str(tmp_path / "mine.weights"))
    assert detector(window) == "darknet-cfg"
    assert find(window, QLineEdit, "weights-form-cfg").text() == str(tmp_path / "mine.cfg")
    assert names(window) == str(tmp_path / "mine.names")

    other = tmp_path / "other" / "yolov3-tiny.weights"
    other.parent.mkdir()
    other.touch()
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(other), ""))
    find(window, QPushButton, "weights-choose").click()
    assert detector(window) == "yolov3-tiny"
    assert names(window) == ""  # the names that were beside the other file are not this one's


def test_tab_comes_to_the_settings_before_the_button_below_them(window: WeightsWindow) -> None:
    order = reached(find(window, QLineEdit, "weights-path"))
    assert order.index("weights-detector") < order.index("weights-form-input_px") < order.index("weights-apply")


def test_a_published_file_is_known_by_its_name(window: WeightsWindow, tmp_path: Path) -> None:
    published = tmp_path / "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth"
    for file, known_as in ((tmp_path / "yolov2.weights", "yolov2"), (published, "faster-rcnn")):
        file.touch()
        type_path(window, str(file))
        assert detector(window) == known_as


def test_what_a_person_chose_after_a_guess_is_not_guessed_away(window: WeightsWindow, tmp_path: Path) -> None:
    (tmp_path / "yolov2.weights").touch()
    type_path(window, str(tmp_path / "yolov2.weights"))
    combo = find(window, QComboBox, "weights-detector")
    combo.setCurrentIndex(combo.findData("yolo9000"))
    combo.activated.emit(combo.currentIndex())
    type_path(window, "my.names", "weights-names")
    line = find(window, QLineEdit, "weights-path")
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert (detector(window), names(window)) == ("yolo9000", "my.names")


@pytest.mark.parametrize("text", ["~nobody-of-this-name/a.weights", "x" * 5000, "no/such/file.weights", "."])
def test_what_is_no_file_is_told_and_guesses_nothing(qtbot: QtBot, window: WeightsWindow, text: str) -> None:
    before = detector(window)
    line = find(window, QLineEdit, "weights-path")
    line.setText(text)
    QTest.keyClick(line, Qt.Key.Key_Return)
    assert detector(window) == before


def test_an_error_goes_with_the_first_change(window: WeightsWindow) -> None:
    def change_detector() -> None:
        combo = find(window, QComboBox, "weights-detector")
        combo.activated.emit(combo.currentIndex())

    for change in (
        lambda: find(window, QLineEdit, "weights-path").setText("a"),
        lambda: find(window, QLineEdit, "weights-names").setText("b"),
        change_detector,
    ):
        find(window, QLineEdit, "weights-path").clear()
        find(window, QPushButton, "weights-apply").click()
        assert words(window) == "Choose the file of weights first."
        change()
        assert words(window) == HINT


def test_labels_that_nobody_chose_are_named_as_the_projects(
    qtbot: QtBot, main_window: MainWindow, window: WeightsWindow, test_data: Path, tmp_path: Path
) -> None:
    assert "the project's 2" in find(window, QLineEdit, "weights-names").placeholderText()
    for suffix in (".weights", ".cfg"):
        (tmp_path / f"net{suffix}").write_bytes((test_data / "weights" / f"yolo-fastest-1.1{suffix}").read_bytes())
    type_path(window, str(tmp_path / "net.weights"))
    apply = find(window, QPushButton, "weights-apply")
    apply.click()
    qtbot.waitUntil(lambda: "does not fit" in words(window) and apply.isEnabled(), timeout=60_000)
    assert "The 2 labels are the project's, as no others were named: under Labels, choose the file" in words(window)

    (tmp_path / "one.names").write_text("cell\n", "utf-8")
    type_path(window, str(tmp_path / "one.names"), "weights-names")
    apply.click()
    qtbot.waitUntil(lambda: "does not fit" in words(window) and apply.isEnabled(), timeout=60_000)
    assert "are the project's" not in words(window)


def test_without_its_labels_the_window_says_what_inspect_can_not_show(
    qtbot: QtBot, main_window: MainWindow, window: WeightsWindow, test_data: Path
) -> None:
    tick = find(window, QCheckBox, "weights-add-labels")
    assert tick.isChecked()
    assert "so that Inspect has something to compare with" in words(window, "weights-add-help")
    tick.setChecked(False)
    assert "compares labels by name" in words(window, "weights-add-help")
    type_path(window, str(test_data / "weights" / "yolo-fastest-1.1.weights"))
    with qtbot.waitSignal(
        main_window.session.message, timeout=60_000, check_params_cb=lambda _, told: told.startswith("Imported")
    ) as said:
        find(window, QPushButton, "weights-apply").click()
    assert "The project has none of its labels, so Inspect can't compare yet" in said.args[1]
    document = main_window.session.document
    assert document is not None
    assert len(document.labels()) == 2
    assert len(runs.runs(document.runs_folder)) == 1


def test_each_tab_in_the_window_is_seen(window: WeightsWindow) -> None:
    """What scrolls took one, and nothing showed it."""
    scroll = find(window, QScrollArea, "")
    assert not scroll.focusPolicy() & Qt.FocusPolicy.TabFocus
