"""Keys after other programs and one's own: what a key does in the real window afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QKeySequenceEdit,
    QLabel,
    QPushButton,
    QScrollArea,
    QTextBrowser,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, WindowDriver, find, key_of
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.ui import keys
from workbench.ui.actions import native_keys
from workbench.ui.commands import BY_NAME
from workbench.ui.widgets.rows import RowsView
from workbench.ui.window.help_window import HelpWindow
from workbench.ui.window.keys_sheet import KeyDialog, KeysSheet
from workbench.ui.window.main_window import MainWindow

CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


@pytest.fixture(autouse=True)
def as_delivered() -> Iterator[None]:
    keys.use("labelImg", {})
    yield
    keys.use("labelImg", {})


def sheet(window: MainWindow) -> KeysSheet:
    window.show_keys()
    found: KeysSheet = find(window, KeysSheet, "keys-sheet")
    return found


def ask(keys_sheet: KeysSheet, name: str, key: str | Qt.Key, modifier: Qt.KeyboardModifier = CTRL) -> KeyDialog:
    QTest.mouseClick(find(keys_sheet, QPushButton, f"key-{name}"), Qt.MouseButton.LeftButton)
    asking: KeyDialog = find(keys_sheet, KeyDialog, "ask-key")
    QTest.keyClick(find(asking, QKeySequenceEdit, "ask-key-edit"), key_of(key), modifier)
    return asking


def press(asking: KeyDialog, name: str) -> None:
    QTest.mouseClick(find(asking, QPushButton, name), Qt.MouseButton.LeftButton)


def words(keys_sheet: KeysSheet, name: str) -> str:
    text: str = find(keys_sheet, QPushButton, f"key-{name}").text()
    return text


def states(project: Path) -> list[State]:
    with Document.open(project, read_only=True) as document:
        return [image.state for image in document.images()]


def test_another_programs_keys_act_at_once_and_are_kept(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    opened = sheet(window)
    find(opened, QComboBox, "keys-profile").setCurrentText("CVAT")
    assert (words(opened, "next-image"), words(opened, "previous-image")) == ("F", "D")
    opened.close()
    hand.canvas.setFocus()
    hand.key(Qt.Key.Key_F)
    hand.key(Qt.Key.Key_F)
    hand.key(Qt.Key.Key_D)
    assert window.session.image is not None
    assert window.session.image.name == "b.png"
    hand.key(Qt.Key.Key_N)
    assert hand.canvas.is_drawing
    assert find(window, QAction, "action-draw").toolTip().endswith("(N)")
    keys.forget()
    assert keys.of("draw") == ("N",)


def test_verifying_may_have_another_key_than_space(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    hand.key(Qt.Key.Key_Space)
    assert states(project)[0] is State.VERIFIED
    find(sheet(window), QComboBox, "keys-profile").setCurrentText("X-AnyLabeling")
    window.show_keys()
    hand.canvas.setFocus()
    hand.settle()
    hand.key(Qt.Key.Key_Space)
    assert states(project)[1] is State.UNLABELLED
    hand.key(Qt.Key.Key_K, CTRL | ALT)
    assert states(project)[1] is State.VERIFIED
    assert "Ctrl+Alt+K" in find(window, QPushButton, "verify-button").toolTip()


def test_a_key_of_ones_own(qtbot: QtBot, open_window: Open, project: Path) -> None:
    window = open_window(project)
    hand = WindowDriver(qtbot, window)
    opened = sheet(window)
    press(ask(opened, "draw", "j"), "ask-key-use")
    assert words(opened, "draw") == "Ctrl+J"
    assert find(opened, QLabel, "keys-mine").text() == "1 of your own, in bold"
    hand.canvas.setFocus()
    hand.key(Qt.Key.Key_W)
    by_w = hand.canvas.is_drawing
    hand.key(Qt.Key.Key_J, CTRL)
    assert (by_w, hand.canvas.is_drawing) == (False, True)
    find(opened, QComboBox, "keys-profile").setCurrentText("labelme")
    assert words(opened, "draw") == "Ctrl+J"  # own ones go along
    QTest.mouseClick(find(opened, QPushButton, "keys-reset"), Qt.MouseButton.LeftButton)
    assert words(opened, "draw") == "Ctrl+R"


@pytest.mark.parametrize(
    ("page", "button", "command"),
    [
        ("label", "rail-train", "page-train"),
        ("label", "find-button", "find"),
        ("label", "show-keys", "keys"),
        ("label", "job-stop", "stop-job"),
        ("label", "verify-button", "verify"),
        ("label", "loop-train", "train-and-suggest"),
        ("anchors", "anchors-run", "anchors-compute"),
        ("anchors", "anchors-log", "anchors-log"),
        ("anchors", "anchors-use", "anchors-use"),
        ("inspect", "inspect-look", "look"),
        ("inspect", "inspect-elsewhere", "look-elsewhere"),
        ("inspect", "review-take", "review-take"),
        ("export", "export-start", "export"),
    ],
)
def test_a_button_tells_the_key_that_is_in_force(
    open_window: Open, project: Path, page: str, button: str, command: str
) -> None:
    window = open_window(project, page)
    opened = sheet(window)
    press(ask(opened, command, "j"), "ask-key-use")
    shown = find(window, QAbstractButton, button)
    assert "Ctrl+J" in f"{shown.toolTip()} {shown.text()}"
    assert not any(f"({key})" in f"{shown.toolTip()} {shown.text()}" for key in BY_NAME[command].keys)


def test_hints_and_messages_tell_the_key_that_is_in_force(qtbot: QtBot, open_window: Open, project: Path) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        document.draw((Box(0, document.images()[0].id, document.labels()[0].id, (20, 20, 80, 60)),))
    window = open_window(project)
    said: list[str] = []
    window.session.message.connect(lambda _kind, words: said.append(words))
    hand = WindowDriver(qtbot, window)
    hint = find(window, RowsView, "box-list").hint
    assert hint == "None here. Drag on the picture (W), or let a trained run suggest some (G)."
    opened = sheet(window)
    for command, key in (("draw", "j"), ("paste-boxes", "u"), ("change-label", "y")):
        press(ask(opened, command, key, ALT), "ask-key-use")
        qtbot.waitUntil(lambda: opened.findChild(KeyDialog) is None)
    opened.close()
    assert find(window, RowsView, "box-list").hint == hint.replace("(W)", "(Alt+J)")
    with qtbot.waitActive(window):
        window.activateWindow()
    hand.canvas.setFocus()
    hand.click(50, 40)
    hand.key(Qt.Key.Key_C, CTRL)
    hand.key(Qt.Key.Key_7)
    assert said == [
        "1 box copied. Alt+U puts it in any image.",
        "No label has the key 7. Add labels at the right, or press Alt+Y.",
    ]


def test_what_is_written_on_a_button_follows_the_keys_too(open_window: Open, project: Path) -> None:
    window = open_window(project)
    opened, button = sheet(window), find(window, QAbstractButton, "find-button")
    assert button.text() == native_keys("Find anything   Ctrl+K")
    press(ask(opened, "find", "j"), "ask-key-use")
    assert button.text() == native_keys("Find anything   Ctrl+J")
    press(ask(opened, "find", "u"), "ask-key-none")
    assert button.text() == "Find anything"


def test_a_key_that_is_taken_is_refused_with_its_owner(qtbot: QtBot, open_window: Open, project: Path) -> None:
    opened = sheet(open_window(project))
    none = Qt.KeyboardModifier.NoModifier
    for key, held, sentence in (
        ("d", none, "Next image"),
        ("5", none, "digits"),
        (" ", none, "Space is kept"),
        ("z", CTRL, "Undo"),
        (Qt.Key.Key_Right, none, "arrow keys"),
    ):
        asking = ask(opened, "draw", key, held)
        assert sentence in find(asking, QLabel, "ask-key-words").text()
        assert not find(asking, QPushButton, "ask-key-use").isEnabled()
        asking.close()
        asking.deleteLater()
        qtbot.waitUntil(lambda: opened.findChild(KeyDialog) is None)
    press(ask(opened, "draw", "j"), "ask-key-none")
    assert words(opened, "draw") == "–"
    qtbot.waitUntil(lambda: opened.findChild(KeyDialog) is None)
    press(ask(opened, "draw", "j"), "ask-key-back")
    assert words(opened, "draw") == "W"
    keys.use("labelImg", {"draw": ("Q",), "next-image": ("W",)})
    qtbot.waitUntil(lambda: opened.findChild(KeyDialog) is None)
    asking = ask(opened, "draw", "j")
    press(asking, "ask-key-back")
    assert "“Next image” has that key now" in find(asking, QLabel, "ask-key-words").text()
    assert keys.of("draw") == ("Q",)


def test_own_keys_that_would_mean_two_things_in_another_profile_are_dropped(open_window: Open, project: Path) -> None:
    keys.use("labelImg", {"hide-boxes": ("F",)})
    opened = sheet(open_window(project))
    assert words(opened, "hide-boxes") == "F"
    find(opened, QComboBox, "keys-profile").setCurrentText("CVAT")
    assert words(opened, "next-image") == "F"
    assert words(opened, "hide-boxes") == "T  or  H"


def test_what_was_kept_by_no_program_of_ours_is_passed_over(open_window: Open) -> None:
    from workbench.ui import preferences

    for nonsense in ("[", "[1]", '{"draw": 3}', '{"fly": ["F"]}'):
        preferences.put("keys/changes", nonsense)
        keys.forget()
        assert keys.of("draw") == ("W",)
    preferences.put("keys/profile", "emacs")
    assert keys.profile() == "labelImg"


def test_a_key_that_was_given_away_stays_so_when_a_new_command_has_it(open_window: Open) -> None:
    from workbench.ui import preferences

    preferences.put("keys/changes", '{"done": ["Z"], "split": ["Ctrl+S"]}')
    keys.forget()
    assert (keys.of("done"), keys.of("zoom-boxes")) == (("Z",), ())
    assert (keys.of("split"), keys.of("save")) == (("Ctrl+S",), ())
    assert words(sheet(open_window()), "zoom-boxes") == "–"


def test_a_key_that_was_given_to_a_command_of_the_window_is_its_own_on_every_page(open_window: Open) -> None:
    from workbench.ui import preferences

    preferences.put("keys/changes", '{"log": ["Del"]}')
    keys.forget()
    assert keys.of("log") == ("Del",)
    for name in ("delete-boxes", "boxes-delete", "delete-runs"):
        assert "Del" in BY_NAME[name].keys
        assert "Del" not in keys.of(name)


def test_a_key_that_a_command_has_no_longer_is_not_called_its_own(open_window: Open, project: Path) -> None:
    keys.use("labelImg", {"done": ("Z",), "split": ("Ctrl+S",)})
    opened = sheet(open_window(project))
    asking = ask(opened, "done", "z", Qt.KeyboardModifier.NoModifier)
    assert find(asking, QLabel, "ask-key-words").text() == "Z is free."
    assert KeyDialog("draw", opened)._problem("Ctrl+S").startswith("Ctrl+S is “Split")


@pytest.mark.parametrize("width", [1024, 1600])
def test_every_key_is_in_sight_in_a_small_window_and_words_are_one_line_where_there_is_room(
    qtbot: QtBot, open_window: Open, project: Path, width: int
) -> None:
    window = open_window(project)
    window.resize(width, 700)
    opened = sheet(window)
    scroll = find(opened, QScrollArea, "")
    qtbot.waitUntil(lambda: opened.width() <= width)
    assert scroll.horizontalScrollBar().maximum() == 0
    heights = {label.height() for label in opened.findChildren(QLabel, "keys-words")}
    assert (max(heights) > 24) is (width == 1024)


@pytest.fixture
def on_a_mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(keys, "MAC", True)
        keys.forget()
        yield
    keys.forget()


@pytest.mark.parametrize("profile", list(keys.PROFILES))
def test_a_mac_without_del_deletes_and_no_key_is_the_systems(profile: str, on_a_mac: None) -> None:
    """⌘H hides the program before it is asked."""
    given = keys.in_force(profile, {})
    assert "Backspace" in given["delete-runs"]
    assert "Backspace" in given["delete-boxes"]
    assert "Ctrl+Backspace" in given["remove-images"]
    assert "Ctrl+H" not in {key for some in given.values() for key in some}
    assert keys.conflicts(given) == {}
    assert keys.in_force(profile, {"delete-runs": ("Del",)})["delete-runs"] == ("Del",), "what a person set stays"


@pytest.mark.parametrize(
    ("words", "own"),
    [
        ("Find anything   Ctrl+K", "Find anything   ⌘K"),
        ("Ctrl+click", "⌘click"),
        ("Undo (Ctrl+Z), redo (Ctrl+Shift+Z)", "Undo (⌘Z), redo (⇧⌘Z)"),
        ("hold Ctrl.", "hold ⌘."),
        ("**Alt+drag**", "**⌥drag**"),
        ("After Ctrl-C, a checkpoint", "After Ctrl-C, a checkpoint"),
    ],
)
def test_keys_are_called_as_on_the_system(words: str, own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAC", False)
    assert native_keys(words) == words
    monkeypatch.setattr(keys, "MAC", True)
    assert native_keys(words) == own


def test_the_window_and_its_help_speak_of_a_macs_keys(
    qtbot: QtBot, open_window: Open, project: Path, on_a_mac: None
) -> None:
    window = open_window(project)
    assert find(window, QPushButton, "find-button").text().endswith("⌘K")
    told = [label.text() for label in sheet(window).findChildren(QLabel)]
    assert "⌘click" in told
    assert not [words for words in told if "Ctrl" in words]
    window.show_help("label-fast")
    page = find(window, QTextBrowser, "help-text").toPlainText()
    assert "⌘B" in page
    assert "Ctrl+" not in page


def test_the_keys_of_pages_also_work_in_the_programs_other_windows(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project)
    window.show_help("start-here")
    beside = find(window, HelpWindow, "help-window")
    with qtbot.waitActive(beside):
        beside.activateWindow()
    QTest.keyClick(beside, Qt.Key.Key_1, CTRL)
    assert find(window, QWidget, "page-data").isVisible()
    qtbot.waitUntil(window.isActiveWindow)
    assert beside.isVisible()
    window.show_keys()
    question = ask(find(window, KeysSheet, "keys-sheet"), "draw", Qt.Key.Key_2)  # here it is the key that is asked for
    assert not find(window, QWidget, "page-label").isVisible()
    question.reject()
