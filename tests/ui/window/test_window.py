"""The window as a whole: start page, opening, pages, finder, keys, messages, and how it starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialog,
    QLabel,
    QLineEdit,
    QListView,
    QPushButton,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Label, State
from workbench.ui import app
from workbench.ui.colours import DARK, LIGHT
from workbench.ui.commands import COMMANDS
from workbench.ui.job import Job
from workbench.ui.keys import PROFILES, conflicts, in_force
from workbench.ui.page import Page

CTRL = Qt.KeyboardModifier.ControlModifier


def press(window: QWidget, name: str) -> None:
    QTest.mouseClick(find(window, QAbstractButton, name), Qt.MouseButton.LeftButton)


def test_without_a_project_the_start_page_is_shown_and_the_rail_waits(open_window: Open) -> None:
    window = open_window()
    assert find(window, QWidget, "page-start").isVisible()
    assert not find(window, QAbstractButton, "rail-label").isEnabled()


def test_a_new_project_is_made_from_a_folder_of_photographs(qtbot: QtBot, open_window: Open, tmp_path: Path) -> None:
    write_photographs(tmp_path / "holiday", ["b.png", "a.png"])
    window = open_window()
    window.offer(tmp_path / "holiday")
    folder = find(window, QLineEdit, "new-project-folder")
    assert folder.text() == str(tmp_path / "holiday project")
    assert window.focusWidget() is folder
    QTest.keyClick(folder, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "holiday project")
    assert find(window, QToolButton, "project-images").text() == "2 images"
    assert find(window, QToolButton, "project-boxes").text() == "0 boxes"
    with Document.open(tmp_path / "holiday project", read_only=True) as document:
        assert [image.path for image in document.images()] == ["a.png", "b.png"]


def test_a_folder_without_images_is_refused_with_a_sentence(qtbot: QtBot, open_window: Open, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    window = open_window()
    window.offer(tmp_path / "nothing")
    press(window, "new-project-create")
    qtbot.waitUntil(lambda: "There are no images in" in find(window, QLabel, "message-text").text())
    assert find(window, QWidget, "page-start").isVisible()


def test_a_folder_that_is_no_project_is_refused_with_a_sentence(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    assert not window.open(tmp_path)
    assert "There is no project in" in find(window, QLabel, "message-text").text()


def test_a_project_that_was_open_is_among_the_recent_ones(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    window.close_project()
    press(window, "recent-card")
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "project")


def test_the_image_that_was_shown_last_is_shown_again(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    WindowDriver(qtbot, window).key(Qt.Key.Key_D)
    window.close()
    window = open_window(project)
    assert find(window, QLabel, "image-name").text() == "b.png"


def test_each_project_opens_on_its_own_last_page_and_a_new_one_on_data(
    open_window: Open, project: Path, tmp_path: Path
) -> None:
    Document.create(tmp_path / "other", tmp_path / "photographs").close()
    window = open_window(project, "label")
    assert window.open(tmp_path / "other")
    assert find(window, QWidget, "page-data").isVisible()
    window.close()
    window = open_window()
    assert window.open(project)
    assert find(window, QWidget, "page-label").isVisible()


def test_ctrl_and_a_number_changes_the_page_and_the_rail_tells_it(open_window: Open, project: Path) -> None:
    window = open_window(project)
    for key, name in ((Qt.Key.Key_1, "data"), (Qt.Key.Key_2, "label")):
        QTest.keyClick(window, key, CTRL)
        assert find(window, QWidget, f"page-{name}").isVisible()
        assert find(window, QAbstractButton, f"rail-{name}").isChecked()


class Windows(QObject):
    """Those that are shown while it is installed on the application."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[QWidget] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(watched)
        return False


def test_every_page_opens_and_no_part_of_it_is_seen_as_a_window_of_its_own(
    qapp: QApplication, open_window: Open, project: Path
) -> None:
    windows = Windows()
    qapp.installEventFilter(windows)
    window = open_window(project)
    for name in ("data", "label", "anchors", "train", "inspect", "export"):
        press(window, f"rail-{name}")
        assert find(window, QWidget, f"page-{name}").isVisible(), name
    assert windows.shown == [window]


def test_the_finder_finds_a_command_an_image_and_a_label(qtbot: QtBot, open_window: Open, project: Path) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
    window = open_window(project)
    WindowDriver(qtbot, window)

    def look_for(text: str) -> None:
        QTest.keyClick(window, Qt.Key.Key_K, CTRL)
        finder = QApplication.activePopupWidget()
        assert finder is not None
        QTest.keyClicks(find(finder, QLineEdit, "finder-field"), text)
        assert find(finder, QListView, "finder-list").model().rowCount() >= 1
        QTest.keyClick(find(finder, QLineEdit, "finder-field"), Qt.Key.Key_Return)

    look_for("c.png")
    assert find(window, QLabel, "image-name").text() == "c.png"
    look_for("plate")
    assert window.session.label is not None
    assert window.session.label.name == "plate"
    look_for("go to data")
    assert find(window, QWidget, "page-data").isVisible()
    look_for("next image")  # of another page: it is done there
    assert find(window, QWidget, "page-label").isVisible()


def test_the_finder_does_a_command_of_a_page_that_was_not_shown_yet(open_window: Open, project: Path) -> None:
    window = open_window(project, "data")
    find_and_press("exactly what nobody has called anything", window, rows=0)
    find_and_press("compute the anchors", window)
    assert find(window, QWidget, "page-anchors").isVisible()


def test_without_a_project_the_finder_has_commands_and_recent_projects(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project)
    window.close_project()
    find_and_press("compute the anchors", window, rows=0)
    find_and_press("about workbench", window)
    find(window, QDialog, "about").close()
    window.activateWindow()
    find_and_press("open project", window, rows=2)  # it is called so; "Open a project…" comes after it
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "project")


def find_and_press(text: str, window: QWidget, rows: int = 1) -> None:
    QTest.keyClick(window, Qt.Key.Key_K, CTRL)
    finder = QApplication.activePopupWidget()
    assert finder is not None
    field = find(finder, QLineEdit, "finder-field")
    QTest.keyClicks(field, text)
    assert find(finder, QListView, "finder-list").model().rowCount() == rows
    QTest.keyClick(field, Qt.Key.Key_Return)
    finder.close()


def test_a_project_without_boxes_opens_where_there_is_something_to_do(open_window: Open, project: Path) -> None:
    window = open_window(project, "train")
    window.close_project()
    assert window.open(project)
    assert find(window, QWidget, "page-data").isVisible()


def test_enter_presses_the_button_that_has_the_keyboard(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project, "train")
    button = find(window, QPushButton, "train-empty-button")
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: find(window, QWidget, "page-label").isVisible())


def test_labels_can_be_imported_from_where_a_training_misses_them(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "train")
    press(window, "train-empty-other")
    qtbot.waitUntil(lambda: find(window, QWidget, "import-window").isVisible())
    assert find(window, QWidget, "page-data").isVisible()


def test_the_window_answers_before_a_page_is_made(
    open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Making a page for the first time takes up to seconds: what was pressed is marked until then."""
    window = open_window(project, "data")
    make, seen = window._page, []

    def slow(name: str) -> Page:
        marked = find(window, QAbstractButton, f"rail-{name}").isChecked()
        seen.append((marked, find(window, QLabel, "page-opening").isVisible()))
        return make(name)

    monkeypatch.setattr(window, "_page", slow)
    for name in ("export", "data", "export"):
        window.show_page(name)
    assert seen == [(True, True), (True, False), (True, False)]
    assert find(window, QWidget, "page-export").isVisible()


def test_the_sheet_of_keys_names_every_command_that_has_one(open_window: Open, project: Path) -> None:
    window = open_window(project)
    QTest.keyClick(window, Qt.Key.Key_F1)
    words = {label.text() for label in find(window, QWidget, "keys-sheet").findChildren(QLabel)}
    assert {command.text.rstrip("…") for command in COMMANDS if command.keys} <= words
    window.show_keys()  # the key once more puts it away
    assert not any(sheet.isVisible() for sheet in window.findChildren(QWidget, "keys-sheet"))


def test_no_key_means_two_things_in_one_place() -> None:
    assert conflicts(in_force("labelImg", {"draw": ("D",)})) == {"D": ("draw", "next-image")}
    for profile in PROFILES:
        assert conflicts(in_force(profile, {})) == {}
        assert set(PROFILES[profile]) <= {command.name for command in COMMANDS}
        for own in in_force(profile, {}).values():  # Shift+Tab is Backtab to Qt: of two of one action it does neither
            assert len({key.replace("Backtab", "Shift+Tab") for key in own}) == len(own)


def test_every_action_of_the_window_tells_its_key(open_window: Open, project: Path) -> None:
    window = open_window(project)
    window.show_page("data")
    actions = [a for a in window.findChildren(QAction) if a.objectName().startswith("action-")]
    assert len(actions) > 30
    for action in actions:
        key = action.shortcut().toString(action.shortcut().SequenceFormat.NativeText)
        assert key in action.toolTip(), action.objectName()


def test_undo_in_the_menu_names_what_it_takes_back(open_window: Open, project: Path) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "R&D"),)))
    window = open_window(project)
    undo = find(window, QAction, "action-undo")
    assert undo.text() == "Undo: Add label 'R&&D'"
    undo.trigger()
    assert not undo.isEnabled()
    assert find(window, QAction, "action-redo").text() == "Redo: Add label 'R&&D'"


def test_the_theme_changes_at_once_and_is_kept(open_window: Open, project: Path) -> None:
    window = open_window(project)
    find(window, QAction, "action-theme-dark").trigger()
    assert QApplication.palette().window().color().name() == DARK.window
    assert not window.grab().isNull()
    find(window, QAction, "action-theme-light").trigger()
    assert QApplication.palette().window().color().name() == LIGHT.window


def test_log_and_about_open_and_the_licence_is_named(open_window: Open) -> None:
    window = open_window()
    find(window, QAction, "action-log").trigger()
    assert find(window, QWidget, "log-window").isVisible()
    find(window, QAction, "action-about").trigger()
    texts = " ".join(label.text() for label in find(window, QWidget, "about").findChildren(QLabel))
    assert "MIT licence" in texts


def test_the_sample_project_is_made_and_opened(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.project.sample_project.IMAGES", 6)
    monkeypatch.setattr("workbench.ui.project.sample_project.UNLABELLED", 2)
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path))
    window = open_window()
    press(window, "start-sample")
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "Sample project", timeout=20_000)
    assert find(window, QToolButton, "project-images").text() == "6 images"
    assert str(tmp_path / "Workbench sample") in find(window, QLabel, "message-text").text()


_FIRST_PAINT = """
import sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from workbench.ui import theme
from workbench.ui.window.main_window import MainWindow
app = QApplication([])
theme.apply("light")
window = MainWindow()
window.show()
app.processEvents()
first = [m for m in ("torch", "torchvision", "pyqtgraph", "cv2") if m in sys.modules]
window.open(Path(sys.argv[1]))
window.show_page("label")
app.processEvents()
print(first, "torch" in sys.modules, "pyqtgraph" in sys.modules)
window.close()
"""


def test_the_window_opens_before_torch_pyqtgraph_and_opencv_are_imported(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FIRST_PAINT, str(project)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[] False False", done.stderr[-500:]


def run_without(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    code = "from workbench.ui.app import run; raise SystemExit(run(None))"
    return subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be absent")
def test_without_a_display_one_sentence_offers_the_command_line() -> None:
    done = run_without()
    assert done.returncode == 1
    assert "no display" in done.stderr
    assert "workbench --help" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be absent")
def test_a_display_that_does_not_answer_is_said_in_one_sentence() -> None:
    done = run_without(DISPLAY=":987")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="Debian's packages")
def test_a_missing_system_library_is_said_with_the_packages_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    monkeypatch.setattr(app, "_loads", lambda library: library != "libxcb-cursor.so.0")
    sentence = app.startup_problem()
    assert "libxcb-cursor.so.0 is missing" in sentence
    assert "sudo apt install libegl1" in sentence
    assert "\n" not in sentence


def test_a_page_can_ask_for_the_import_of_weights(open_window: Open, project: Path) -> None:
    window = open_window(project, "data")
    window.session.weights_import_requested.emit()
    assert find(window, QWidget, "weights-window").isVisible()


def test_a_training_that_closing_stopped_is_told_of_at_the_next_opening(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project)
    window.session.start(Job("Training tiny-1", lambda job: iter([job.stop.wait(20)]), window, is_training=True))
    window.close_project()
    window.open(project)
    told = find(window, QLabel, "message-text").text()
    assert told == "Training tiny-1 was stopped when the project was closed. To go on, press Resume on the Train page."
    window.close_project()
    window.open(project)
    assert find(window, QWidget, "messages").isHidden()


def test_what_is_taken_back_out_of_sight_is_said(open_window: Open, project: Path) -> None:
    window = open_window(project)
    window.session.do(edits.SetState((window.session.image_id,), State.DONE))
    window.session.undo_last()
    assert find(window, QLabel, "message-text").text().startswith("Taken back: ")
