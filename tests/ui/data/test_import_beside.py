"""An import of tens of thousands of boxes is made beside the window, which told nothing for ten seconds and more."""

from __future__ import annotations

import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel, QPushButton

from tests.formats.making import text, voc_file, voc_object
from tests.ui.data.import_window_driver import NAMES, Importing, document, folder, importing
from tests.ui.window_driver import boxes_on_disk, find
from workbench.core import edits
from workbench.core.parsing import archives
from workbench.core.project import State
from workbench.core.storage import long_steps
from workbench.errors import WorkbenchError
from workbench.exchange import apply_import
from workbench.ui.data.importing import applying

__all__ = ["folder", "importing"]  # fixtures


class Gate:
    """Holds the making of the import's edit, in its thread, until `open`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails = False
        self.begun, self._open = threading.Event(), threading.Event()
        monkeypatch.setattr(applying, "apply_import", self._apply)
        monkeypatch.setattr(long_steps, "MANY_BOXES", 0)

    def _apply(self, *of: Any) -> object:
        assert threading.current_thread() is not threading.main_thread()
        self.begun.set()
        assert self._open.wait(20)
        if self.fails:
            raise WorkbenchError("The disk is full.")
        return apply_import(*of)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def words(importing: Importing) -> str:
    return find(importing.window, QLabel, "message-text").text()


def wait(importing: Importing) -> None:
    importing.qtbot.waitUntil(lambda: not importing.window.session.jobs)


def test_the_window_lives_meanwhile_and_is_told_at_the_end(
    importing: Importing, folder: Path, project: Path, gate: Gate
) -> None:
    session = importing.window.session
    importing.read(folder)
    importing.part("apply").click()
    assert not importing.dialog.isVisible()
    assert [job.title for job in session.jobs] == [f"Importing from {folder.name}"]
    assert gate.begun.wait(20)
    assert session.do(edits.SetState((1,), State.DONE)) is None
    assert "another step is still going on" in words(importing)
    assert len(document(importing).images()) == 3
    gate.open()
    wait(importing)
    assert {name: len(boxes) for name, boxes in boxes_on_disk(project).items() if boxes} == {
        f"{name}.jpg": 3 if name == "m" else 2 for name in NAMES
    }
    assert (len(document(importing).images()), document(importing).counts().total) == (9, 13)
    assert all(document(importing).file(image).exists() for image in document(importing).images())
    assert len(list((project / "imports").glob("*.zip"))) == 1
    assert words(importing).startswith("Imported. Pascal VOC XML: 13 boxes")
    find(importing.window, QPushButton, "message-button").click()
    wait(importing)
    assert len(document(importing).images()) == 3


@pytest.mark.parametrize("new_images", [True, False])
@pytest.mark.parametrize("how", ["fails", "is stopped"])
def test_one_that_does_not_come_to_its_end_leaves_nothing(
    importing: Importing,
    folder: Path,
    project: Path,
    gate: Gate,
    how: str,
    new_images: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(long_steps, "_OFTEN", 1)
    if not new_images:
        shutil.rmtree(folder)
        for name in ("a.png", "b.png"):
            box = voc_file(voc_object("cat", (1, 2, 10, 12)), size=(200, 100), filename=name)
            text(folder / "Annotations" / f"{name[0]}.xml", box)
    with zipfile.ZipFile(folder.parent / "set.zip", "w") as packed:
        for file in folder.rglob("*.xml"):
            packed.write(file, file.relative_to(folder))
        for file in folder.rglob("*.jpg"):
            packed.write(file, file.relative_to(folder))
    importing.read(folder.parent / "set.zip")
    importing.part("apply").click()
    assert gate.begun.wait(20)
    assert (project / archives.FOLDER / "set").exists()
    if how == "fails":
        gate.fails = True
    else:
        importing.window.session.jobs[0].stop.set()
    gate.open()
    wait(importing)
    assert (len(boxes_on_disk(project)), len(document(importing).images())) == (3, 3)
    assert len(document(importing).roots()) == 1
    assert new_images or not (project / archives.FOLDER / "set").exists(), "what was unpacked goes"
    if how == "fails":
        assert words(importing) == "The disk is full."
    assert importing.window.session.do(edits.SetState((1,), State.DONE)) is not None


def test_closing_the_project_waits_for_it(importing: Importing, folder: Path, project: Path, gate: Gate) -> None:
    importing.read(folder)
    importing.part("apply").click()
    assert gate.begun.wait(20)
    threading.Timer(0.2, gate.open).start()
    importing.window.session.close()
    assert len(boxes_on_disk(project)) in (3, 9), "all of it or nothing"
