"""Imports that take long, are given up, come as a zip, or go wrong: the window lives and nothing is left behind."""

from __future__ import annotations

import threading
import weakref
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from tests.formats.making import picture
from tests.ui.data.import_window_driver import FIRST, Importing, come_in, draw, folder, importing, write
from tests.ui.window_driver import Open, boxes_on_disk
from workbench import exchange
from workbench.core.document import Document
from workbench.formats.parts import reading_progress
from workbench.ui.data.importing import work
from workbench.ui.garbage_collector import collection_paused

__all__ = ["folder", "importing"]  # fixtures

# --- reading for long ---


def test_a_long_reading_is_told_and_stopped(
    importing: Importing, folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, seen = threading.Event(), threading.Event()

    def endless(*_: object) -> None:
        try:
            while True:
                reading_progress.step("annotation files read")
                seen.wait(0.001)
        except reading_progress.ReadingStopped:
            stopped.set()
            raise

    monkeypatch.setattr(exchange, "plan_import", endless)
    importing.part("path").setText(str(folder))
    QTest.keyClick(importing.part("path"), Qt.Key.Key_Return)
    assert importing.part("progress").isVisible(), "at once"
    importing.qtbot.waitUntil(lambda: "annotation files read" in importing.sentence)
    importing.part("stop").click()
    assert importing.sentence == "Stopped. Nothing was changed."
    assert stopped.wait(10)
    importing.qtbot.waitUntil(lambda: not importing.window.session.jobs)
    assert not importing.part("progress").isVisible()
    assert len(boxes_on_disk(project)) == 3


def test_a_comparison_that_is_stopped_leaves_no_plan_that_is_for_other_choices(
    importing: Importing, folder: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    come_in(importing, folder)
    draw(importing, "n", 2, 20, 9, 29)
    importing.read(folder)
    importing.choose("existing", "replace")
    assert importing.part("apply").text() == "Import 1 change"
    go, compared = threading.Event(), work.compare
    monkeypatch.setattr(work, "compare", lambda *given: go.wait(10) and compared(*given))
    existing = importing.part("existing")
    existing.setCurrentIndex(existing.findData("update"))
    existing.activated.emit(existing.currentIndex())
    importing.part("stop").click()
    assert not importing.part("apply").isEnabled(), "it would take away what was drawn here"
    assert importing.sentence == "Stopped. Nothing was changed."
    go.set()
    importing.qtbot.waitUntil(lambda: not importing.window.session.jobs)
    assert not importing.part("apply").isEnabled()
    assert len(boxes_on_disk(project)["n.jpg"]) == 3


def test_what_a_given_up_reading_found_is_not_shown(
    importing: Importing, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    planned = exchange.plan_import

    def held(document: Document, path: Path, *others: Any) -> exchange.ImportPlan:
        if path == folder:
            go.wait(10)
        return planned(document, path, *others)

    monkeypatch.setattr(exchange, "plan_import", held)
    importing.part("path").setText(str(folder))
    QTest.keyClick(importing.part("path"), Qt.Key.Key_Return)
    write(tmp_path / "other", "z", FIRST[0])
    picture(tmp_path / "other" / "JPEGImages" / "z.jpg")
    importing.read(tmp_path / "other")
    go.set()
    importing.qtbot.waitUntil(lambda: not importing.window.session.jobs)
    assert importing.part("apply").text() == "Import 1 box"


def test_closing_forgets_what_was_read(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    QTest.keyClick(importing.dialog, Qt.Key.Key_Escape)
    assert not importing.dialog.isVisible()
    importing.show()
    assert not importing.part("apply").isEnabled()
    importing.read(folder)
    assert importing.part("apply").isEnabled()


def test_with_its_project_what_was_read_goes_too(importing: Importing, folder: Path, project: Path) -> None:
    """Also where the start page has put the window aside; the next project is not told of it."""
    importing.read(folder)
    importing.window.close_project()
    assert importing.window.open(project)
    importing.show()
    assert not importing.part("apply").isEnabled()


# --- zips ---


def zipped(folder: Path) -> Path:
    file = folder.with_suffix(".zip")
    with zipfile.ZipFile(file, "w") as packed:
        for inside in sorted(folder.rglob("*.*")):
            packed.write(inside, inside.relative_to(folder))
    return file


def test_a_zip_is_imported_with_its_images_which_stay(importing: Importing, folder: Path, project: Path) -> None:
    importing.read(zipped(folder))
    assert importing.part("apply").text() == "Import 13 boxes"
    importing.apply()
    importing.dialog.close()
    importing.qtbot.waitUntil(lambda: not importing.window.session.jobs)
    with Document.open(project, read_only=True) as opened:
        files = [opened.file(image) for image in opened.images() if opened.boxes(image.id)]
    assert len(files) == 6
    assert all(file.is_file() and file.is_relative_to(project) for file in files)


def test_a_zip_that_is_only_looked_at_leaves_nothing(importing: Importing, folder: Path, project: Path) -> None:
    importing.read(zipped(folder))
    assert list((project / "imports").rglob("*.jpg"))
    importing.dialog.close()
    importing.qtbot.waitUntil(lambda: not importing.window.session.jobs)
    assert not list((project / "imports").rglob("*.jpg"))


def test_what_is_damaged_in_a_zip_can_be_left_out(importing: Importing, folder: Path, project: Path) -> None:
    """It was offered for folders only."""
    file = folder / "Annotations" / "k.xml"
    file.write_text(file.read_text().replace("<xmin>1<", "<xmin>x<"))
    importing.read(zipped(folder))
    assert [line.split("|")[1] for line in importing.lines("damage")] == ["Annotations/k.xml:3"]
    assert importing.part("leave-out").isVisible()
    importing.part("leave-out").click()
    importing.wait()
    assert importing.part("apply").text() == "Import 12 boxes"
    importing.dialog.close()
    (folder.parent / "no.zip").write_text("no zip")
    importing.show()
    importing.read(folder.parent / "no.zip")
    assert not importing.part("leave-out").isVisible(), "nothing would be left"


def test_a_project_that_is_read_only_is_compared_and_not_changed(
    qtbot: QtBot, open_window: Open, project: Path, folder: Path
) -> None:
    with Document.open(project):
        importing = Importing(qtbot, open_window(project, "data"))
        importing.read(folder)
        assert importing.part("apply").text() == "Import 13 boxes"
        assert not importing.part("apply").isEnabled()
        assert "reading only" in importing.part("apply").toolTip()


def test_a_fault_of_a_format_is_told_and_the_window_lives(
    importing: Importing, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(exchange, "plan_import", fail)
    importing.read(folder)
    assert "because of an error in Workbench" in importing.lines("damage")[0]
    assert importing.part("format").isEnabled()


def test_garbage_is_collected_again_after_the_last_of_several_readings() -> None:
    with collection_paused:
        with collection_paused:
            assert collection_paused.is_held
        assert collection_paused.is_held, "the other one reads on"
    assert not collection_paused.is_held


def test_plans_go_when_the_window_is_closed(importing: Importing, folder: Path) -> None:
    importing.read(folder)
    plans = []
    for _ in range(2):
        assert importing.dialog._found is not None
        plans.append(weakref.ref(importing.dialog._found.plan))
        importing.dialog._compare()
        importing.wait()
    importing.dialog.close()
    importing.qtbot.waitUntil(lambda: [plan() for plan in plans] == [None, None])
