"""The start page: projects that were moved, second thoughts about a new one, and how many photographs it would have."""

from __future__ import annotations

import threading
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QFileDialog, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.data.data_page_driver import press
from tests.ui.window_driver import Open, WindowDriver, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import State
from workbench.errors import WorkbenchError
from workbench.ui import preferences
from workbench.ui.page_specs import PAGE_SPECS
from workbench.ui.project import photograph_count, recent
from workbench.ui.project.auto_backup import AutoBackup
from workbench.ui.project.recent import RecentProject
from workbench.ui.project.recent_menu import RecentMenu
from workbench.ui.start import recent_cards
from workbench.ui.start.new_project_form import NewProjectForm
from workbench.ui.start.page import StartPage
from workbench.ui.start.page_overview import WORDS
from workbench.ui.start.recent_cards import RecentCard
from workbench.ui.start.welcome_cards import WelcomeCard
from workbench.ui.widgets.file_dialogs import ask_for_folder
from workbench.ui.window.main_window import MainWindow


def cards(window: MainWindow) -> dict[str, RecentCard]:
    """By the name of the project's folder."""
    there = (card for card in window.findChildren(RecentCard) if card.isVisible())
    return {card.recent.folder.name: card for card in there}


@pytest.fixture
def gone(qtbot: QtBot, open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    """The window without a project; the only recent one was moved from project to moved."""
    monkeypatch.setattr(recent_cards, "CHECK_EVERY", 20)
    for one in recent.projects():
        recent.forget(one.folder)
    window = open_window(project, "data")
    window.close_project()
    qtbot.waitUntil(window.findChild(AutoBackup)._work.is_idle)  # its text is written as it is closed
    project.rename(project.parent / "moved")
    qtbot.waitUntil(lambda: cards(window)["project"].is_missing)
    return window


def test_a_project_that_is_not_there_stays_in_the_list_and_comes_back_by_itself(
    qtbot: QtBot, gone: MainWindow, project: Path
) -> None:
    assert cards(gone)["project"].accessibleName() == f"project, not found at {project}"
    assert cards(gone)["project"].find_it.isVisible()
    QTest.mouseClick(cards(gone)["project"], Qt.MouseButton.LeftButton)
    assert find(gone, QWidget, "messages").isHidden()  # nothing was tried
    (project.parent / "moved").rename(project)  # the drive is back
    qtbot.waitUntil(lambda: not cards(gone)["project"].is_missing)
    assert not cards(gone)["project"].find_it.isVisible()
    QTest.mouseClick(cards(gone)["project"], Qt.MouseButton.LeftButton)
    assert gone.session.document is not None


def test_a_project_that_was_moved_is_found_again_and_another_does_not_take_its_place(
    gone: MainWindow, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Document.create(tmp_path / "another", tmp_path / "photographs").close()
    for there, left in ((tmp_path / "another", ["another", "project"]), (tmp_path / "moved", ["moved", "another"])):
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, there=there: str(there))
        press(cards(gone)["project"], "recent-find")
        assert gone.session.document is not None
        assert gone.session.document.folder == there
        assert [one.folder.name for one in recent.projects()] == left
        if there.name == "another":
            assert "'project' stays among the recent ones" in find(gone, QLabel, "message-text").text()
        gone.close_project()


def test_a_project_that_is_not_there_is_forgotten_only_when_one_says_so(gone: MainWindow, project: Path) -> None:
    recent.remember(RecentProject(project.parent / "b", "b"))
    press(cards(gone)["project"], "recent-forget")
    assert [one.folder.name for one in recent.projects()] == ["b"]
    assert [*cards(gone)] == ["b"]


@pytest.mark.parametrize(
    ("opened", "words"),
    [
        ("2026-03-01", "today"), ("2026-02-28", "yesterday"), ("2026-02-27", "27 February"),
        ("2025-03-01", "1 March 2025"), ("", ""), ("soon", ""),
    ],
)  # fmt: skip
def test_a_recent_project_says_when_it_was_open(opened: str, words: str) -> None:
    assert RecentProject(Path("p"), "p", "", opened).when(date(2026, 3, 1)) == words


def test_the_day_is_kept_with_a_recent_project_and_an_older_list_is_read(tmp_path: Path) -> None:
    preferences.put("recent", [f"{tmp_path}\told\tpicture.jpg"])
    recent.remember(RecentProject(tmp_path / "b", "b"))
    assert recent.projects() == (
        RecentProject(tmp_path / "b", "b", "", date.today().isoformat()), RecentProject(tmp_path, "old", "picture.jpg"),
    )  # fmt: skip


def test_the_way_through_the_pages_is_told_to_who_has_no_project_yet(open_window: Open, tmp_path: Path) -> None:
    preferences.put("recent", [])
    window = open_window()
    assert find(window, QWidget, "start-way").isVisible()
    assert set(WORDS) == {place.name for place in PAGE_SPECS}
    recent.remember(RecentProject(tmp_path, "p"))
    find(window, StartPage, "page-start").refresh()
    assert not find(window, QWidget, "start-way").isVisible()


def test_the_card_of_the_sample_says_how_far_it_is_made(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.ui.project.sample_project.IMAGES", 2)
    monkeypatch.setattr("workbench.ui.project.sample_project.UNLABELLED", 1)
    monkeypatch.setenv("XDG_DOCUMENTS_DIR", str(tmp_path))
    window = open_window()
    card, seen = find(window, WelcomeCard, "start-sample"), []
    usual = card.words
    window._projects.sample_progress.connect(lambda *_: seen.append(card.words))
    press(window, "start-sample")
    qtbot.waitUntil(lambda: card.words == usual and len(seen) > 2, timeout=20_000)
    assert seen[0] == "Making photograph 0 of 2 …"
    assert "Making photograph 2 of 2 …" in seen


@pytest.mark.parametrize("is_missing", [False, True])
def test_the_card_that_has_the_keyboard_looks_other_than_the_one_under_the_mouse(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, is_missing: bool
) -> None:
    """Both were lit alike, and a missing project's not at all: which of them Enter opens could not be seen."""
    recent = RecentCard(RecentProject(Path("/p"), "p"))
    recent.is_missing = is_missing
    for card in (recent, WelcomeCard("start-tour", "Tour", "One minute", icon="mdi6.map-marker-path")):
        qtbot.addWidget(card)
        card.resize(240, 176)
        monkeypatch.setattr(card, "hasFocus", lambda: False)
        monkeypatch.setattr(card, "underMouse", lambda: False)
        plain = card.grab().toImage()
        monkeypatch.setattr(card, "underMouse", lambda: True)
        under = card.grab().toImage()
        monkeypatch.setattr(card, "underMouse", lambda: False)
        monkeypatch.setattr(card, "hasFocus", lambda: True)
        assert card.grab().toImage() not in (plain, under)


def test_who_thinks_better_of_a_new_project_is_where_he_was(
    qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path
) -> None:
    window = open_window(project, "label")
    WindowDriver(qtbot, window).key(Qt.Key.Key_D)
    document, image = window.session.document, window.session.image_id
    undo = find(window, QAction, "action-undo")
    window.session.do(edits.SetState((image,), State.DONE))
    for way in ("new-project-cancel", "rail-label"):
        window.offer(tmp_path)
        assert find(window, QWidget, "page-start").isVisible()
        assert not find(window, QAbstractButton, "rail-label").isChecked()
        assert not undo.isEnabled()  # of a project that is not in sight
        press(window, way)
        assert undo.isEnabled()
        assert find(window, QWidget, "page-label").isVisible()
        assert find(window, QAbstractButton, "rail-label").isChecked()
        assert find(window, QWidget, "new-project-form").isHidden()
        assert (window.session.document, window.session.image_id) == (document, image)
    window.offer(tmp_path / "photographs")
    press(window, "new-project-create")
    qtbot.waitUntil(lambda: find(window, QLabel, "project-name").text() == "photographs project")
    assert window.session.document is not document
    assert find(window, QWidget, "page-data").isVisible()


def test_the_keyboard_is_back_where_the_form_of_a_new_project_came_from(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    window.offer(tmp_path)
    assert QApplication.focusWidget().objectName() == "new-project-folder"
    QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Escape)
    assert find(window, QWidget, "new-project-form").isHidden()
    assert QApplication.focusWidget() is find(window, QPushButton, "start-new")


def test_the_form_of_a_new_project_says_how_many_photographs_there_are(
    qtbot: QtBot, open_window: Open, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "holiday" / "below", ["a.png", "b.JPG"])
    for name in ("notes.txt", ".hidden", "clip.mp4"):
        (tmp_path / "holiday" / name).touch()
    window = open_window()
    said = find(window, QLabel, "new-project-count")
    for folder, sentence in (
        (tmp_path / "holiday", "2 photographs, and 2 other files."),
        (tmp_path / "holiday" / "below", "2 photographs."),
        (tmp_path / "nowhere", "This folder can't be read: No such file or directory."),
    ):
        window.offer(folder)
        assert said.text() == "Counting the photographs …"
        qtbot.waitUntil(partial(lambda wanted: said.text() == wanted, sentence))


def test_a_new_project_without_a_folder_is_told_that_it_needs_one(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    window.offer(tmp_path / "photographs")
    folder, there = find(window, QLineEdit, "new-project-folder"), find(window, QLabel, "new-project-there")
    folder.clear()
    press(window, "new-project-create")
    assert there.isVisible()
    assert there.text() == "The project needs a folder of its own: type one below."
    assert find(window, QWidget, "new-project-form").isVisible()
    assert QApplication.focusWidget() is folder


def test_the_form_of_a_new_project_tells_of_one_that_is_there(open_window: Open, tmp_path: Path) -> None:
    window = open_window()
    there = find(window, QLabel, "new-project-there")
    write_photographs(tmp_path / "cells", ["a.png"])
    window.offer(tmp_path / "cells")
    assert not there.isVisible()
    Document.create(tmp_path / "cells project", tmp_path / "cells").close()
    window.offer(tmp_path / "cells")
    assert "is a project already, 'cells project'" in there.text()
    window.offer(tmp_path / "cells project")
    assert there.text().startswith("This folder is a project already")
    assert there.isVisible()
    window.offer(tmp_path / "other")
    assert not there.isVisible()


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (photograph_count.PhotographCount(1, 0), "1 photograph."),
        (photograph_count.PhotographCount(152, 3), "152 photographs, and 3 other files."),
        (photograph_count.PhotographCount(0, 1), "No photographs, only 1 other file."),
        (photograph_count.PhotographCount(0, 0), "There is nothing in this folder."),
        (photograph_count.PhotographCount(10_001, 5, whole=False), "More than 10,000 photographs."),
        (
            photograph_count.PhotographCount(7, 99_993, whole=False),
            "Among the first 100,000 files at least 7 photographs.",
        ),
        (photograph_count.PhotographCount(0, 100_000, whole=False), "Among the first 100,000 files no photographs."),
    ],
)
def test_what_is_said_of_the_photographs_of_a_folder(found: photograph_count.PhotographCount, sentence: str) -> None:
    assert found.sentence == sentence


def test_counting_ends_at_a_number_and_when_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        (tmp_path / f"{number}.jpg").touch()
    monkeypatch.setattr(photograph_count, "MOST", 2)
    assert photograph_count.count_photographs(
        photograph_count.CountRequest(tmp_path)
    ) == photograph_count.PhotographCount(3, 0, whole=False)
    monkeypatch.setattr(photograph_count, "NAMES", 2)
    assert photograph_count.count_photographs(
        photograph_count.CountRequest(tmp_path)
    ) == photograph_count.PhotographCount(2, 0, whole=False)
    stopped = photograph_count.CountRequest(tmp_path)
    stopped.stop.set()
    assert photograph_count.count_photographs(stopped) is None
    with pytest.raises(WorkbenchError):
        photograph_count.count_photographs(photograph_count.CountRequest(tmp_path / "nowhere"))


def test_counting_a_slow_folder_is_stopped_by_cancel_and_its_number_is_not_said_of_the_next(
    qtbot: QtBot, open_window: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, counted = threading.Event(), []

    def slow(wish: photograph_count.CountRequest) -> photograph_count.PhotographCount | None:
        counted.append(wish)
        begun.set()
        assert wish.stop.wait(20)
        return photograph_count.PhotographCount(99, 0)

    window = open_window()
    form = find(window, NewProjectForm, "new-project-form")
    monkeypatch.setattr(form._counting, "_work", slow)
    window.offer(tmp_path)
    qtbot.waitUntil(begun.is_set)
    window.offer(tmp_path / "next")  # stops the first
    qtbot.waitUntil(lambda: len(counted) == 2)
    assert find(window, QLabel, "new-project-count").text() == "Counting the photographs …"
    QTest.mouseClick(find(window, QPushButton, "new-project-cancel"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(form._counting.is_idle)
    window.offer(tmp_path)
    qtbot.waitUntil(lambda: len(counted) == 3)
    window.close()  # waits for the thread
    assert form._counting._job is None or form._counting._job.isFinished()


def test_a_folder_is_looked_for_at_home_and_then_beside_the_last(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun: list[str] = []

    def asked(_parent: object, _title: str, begin: str) -> str:
        begun.append(begin)
        return str(tmp_path / "photographs")

    monkeypatch.setattr(QFileDialog, "getExistingDirectory", asked)
    parent = QWidget()
    qtbot.addWidget(parent)
    for _ in range(2):
        assert ask_for_folder(parent, "Where?") == tmp_path / "photographs"
    assert begun == [str(Path.home()), str(tmp_path)]


def test_the_project_menu_opens_a_recent_one(open_window: Open, project: Path, tmp_path: Path) -> None:
    for one in recent.projects():
        recent.forget(one.folder)
    another = tmp_path / "another"
    Document.create(another, tmp_path / "photographs", "Füchse & Luchse").close()
    recent.remember(RecentProject(another, "Füchse & Luchse"))
    window = open_window(project)
    menu = find(window, RecentMenu, "menu-recent")
    menu.aboutToShow.emit()
    (only,) = menu.actions()
    assert only.text() == f"Füchse && Luchse    {tmp_path.name}/another"
    assert only.toolTip() == str(another)
    assert only.menuRole() is QAction.MenuRole.NoRole, "a Mac would take one called Settings for the program's own"
    only.trigger()
    assert window.session.document is not None
    assert window.session.document.folder == another
    menu.aboutToShow.emit()
    assert [one.toolTip() for one in menu.actions()] == [str(project)]
