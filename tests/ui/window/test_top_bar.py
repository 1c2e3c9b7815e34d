"""The top line keeps its menus in a narrow window, and what Qt draws there follows the theme."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QAbstractItemView, QComboBox, QMenuBar, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find, write_photographs
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, State
from workbench.ui import theme
from workbench.ui.widgets.elided import ElidedLabel


def test_a_long_project_name_is_cut_before_menus_fold(qtbot: QtBot, open_window: Open, tmp_path: Path) -> None:
    write_photographs(tmp_path / "photographs", ["a.png"])
    folder = tmp_path / (
        "a project with a very long name that nobody would want to read in a title bar " + "2026 " * 20
    )
    Document.create(folder, tmp_path / "photographs").close()
    window = open_window(folder)
    window.resize(window.minimumSize())
    menus = find(window, QMenuBar, "menus")
    qtbot.waitUntil(lambda: window.width() == window.minimumWidth())
    assert not find(menus, QToolButton, "qt_menubar_ext_button").isVisible()
    assert all(menus.actionGeometry(action).width() > 0 for action in menus.actions())
    name = find(window, ElidedLabel, "project-name")
    assert name.fontMetrics().horizontalAdvance(name.text()) > name.width() > 0


def test_a_project_that_opens_has_its_whole_name_while_its_page_is_created(
    open_window: Open, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, painted = open_window(), []
    name = find(window, ElidedLabel, "project-name")
    monkeypatch.setattr(window, "repaint", lambda: painted.append(name.cut(name.width())))
    assert window.open(project.rename(project.with_name("Photographs of the second week")))
    assert painted == [name.text()]


def test_a_copy_of_a_project_is_told_from_it_by_its_folder(open_window: Open, project: Path) -> None:
    """Two windows had one title, and nothing that is always seen said which of the two was edited."""
    copy = shutil.copytree(project, project.with_name("a copy"))
    window = open_window(copy)
    assert find(window, ElidedLabel, "project-name").text() == f"{project.name} (a copy)"
    assert window.windowTitle() == f"{project.name} (a copy) \N{EM DASH} Workbench"


def test_the_window_is_titled_like_those_whose_title_qt_completes(open_window: Open, project: Path) -> None:
    assert open_window(project).windowTitle() == f"{project.name} \N{EM DASH} Workbench"


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_button_of_folded_menus_can_be_seen_in_both_themes(open_window: Open, mode: str) -> None:
    window = open_window()
    window.set_theme(mode)
    button = find(window, QToolButton, "qt_menubar_ext_button")
    picture = button.icon().pixmap(16, 16).toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    pixels = np.frombuffer(picture.constBits(), np.uint8).reshape(picture.height(), picture.width(), 4)
    ink = pixels[pixels[..., 3] > 200][:, :3].mean(axis=0)
    assert theme.contrast("#" + "".join(f"{round(part):02x}" for part in ink), theme.colours().window) >= 4.5
    window.set_theme("light")


def test_the_numbers_of_the_project_show_what_they_count(qtbot: QtBot, open_window: Open, project: Path) -> None:
    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "cat"),)))
        document.draw((Box(0, 2, 1, (0, 0, 50, 40)),))
    window = open_window(project, "label")
    boxes, images = find(window, QToolButton, "project-boxes"), find(window, QToolButton, "project-images")
    assert (images.text(), boxes.text()) == ("3 images", "1 box")
    boxes.click()
    listed = find(window, QAbstractItemView, "gallery").model()
    assert [listed.index(row, 0).data() for row in range(listed.rowCount())] == ["b.png"]
    assert find(window, ElidedLabel, "filter-why").text() == "Only those with boxes"
    window.show_page("label")
    images.click()
    assert listed.rowCount() == 3
    assert find(window, QWidget, "page-data").isVisible()
    done = find(window, QToolButton, "project-done")
    assert done.text() == "0 done"
    window.session.do(edits.SetState((1,), State.DONE))
    window.session.do(edits.SetState((3,), State.VERIFIED))
    qtbot.waitUntil(lambda: done.text() == "2 done")
    assert done.toolTip() == "Show the 1 image not done yet"
    done.click()
    assert [listed.index(row, 0).data() for row in range(listed.rowCount())] == ["b.png"]
    assert find(window, QComboBox, "filter-state").currentText() == "Not done yet"
    window.session.do(edits.SetState((2,), State.DONE))
    assert listed.rowCount() == 0, "it is done now"
    qtbot.waitUntil(lambda: done.property("role") == "ok")
    done.click()  # a number that counts things shows them, also the last one
    assert listed.rowCount() == 3
