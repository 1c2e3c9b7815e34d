"""A network from a file suggests boxes in the real window; labels that the project lacks are added or told apart."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QFileDialog, QMenu, QPushButton, QSlider
from pytestqt.qtbot import QtBot

from tests.ui.annotate.suggestions_driver import Hand, fake
from tests.ui.window_driver import Open, find
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import FormerName, Label
from workbench.errors import WorkbenchError
from workbench.inference.suggesting.model_files import PreparedModel
from workbench.ui.annotate import suggest_bar, suggest_files
from workbench.ui.annotate.page import AnnotatePage
from workbench.ui.widgets.elided import ElidedLabel
from workbench.ui.window.main_window import MainWindow


def choose_a_file(window: MainWindow, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    run = find(window, QComboBox, "suggest-run")
    run.setCurrentIndex(run.findText("A file…"))
    run.activated.emit(run.currentIndex())


def actions_of(window: MainWindow) -> dict[str, QAction]:
    """What the button of labels offers, with what its menus do."""
    menu = find(window, QMenu, "suggest-labels-menu")
    menu.aboutToShow.emit()
    found: dict[str, QAction] = {}
    for action in menu.actions():
        found[action.text()] = action
        inner = action.menu()
        for choice in inner.actions() if isinstance(inner, QMenu) else ():
            found[f"{action.text()} {choice.text()}"] = choice
    return found


@pytest.fixture
def hand(qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hand:
    """Two runs of made-up suggestions: cells, and in the third place a moon, which the project doesn't have."""

    def ready(wish: tuple[Path, Path]) -> PreparedModel:
        if wish[0].suffix != ".weights":
            raise WorkbenchError(f"{wish[0].name} is no network.")
        return PreparedModel(wish[0], wish[0])

    with Document.open(project) as document:
        document.do(edits.AddLabels((Label(0, "Cell"), Label(0, "plate"))))
        for name in ("one", "two"):
            folder = document.runs_folder / name
            folder.mkdir(parents=True)
            (folder / "best.safetensors").write_bytes(b"weights")
            (folder / "events.jsonl").write_text("", "utf-8")
    (tmp_path / "their.weights").write_bytes(b"weights")
    monkeypatch.setattr(suggest_bar, "SuggestionWorker", lambda: fake)
    monkeypatch.setattr(suggest_files, "prepare_file", ready)
    return Hand(qtbot, open_window(project, "label"))


def test_a_chosen_file_suggests_and_labels_that_the_project_lacks_are_added_or_told_apart(
    hand: Hand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = find(hand.window, QComboBox, "suggest-run")
    choose_a_file(hand.window, monkeypatch, tmp_path / "their.weights")
    hand.qtbot.waitUntil(lambda: run.currentText() == "their.weights")
    hand.wait(2)  # "Cell" is its "cell"
    choose_a_file(hand.window, monkeypatch, tmp_path / "no.txt")
    hand.qtbot.waitUntil(lambda: hand.words == "no.txt is no network.")
    assert run.currentText() == "their.weights", "what was chosen before still is"
    hand.window.session.runs_changed.emit()
    hand.qtbot.waitUntil(hand.page._suggest_bar._runs_background.is_idle)
    assert run.currentText() == "their.weights"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    run.setCurrentIndex(run.findText("A file…"))
    run.activated.emit(run.currentIndex())
    assert run.currentText() == "their.weights", "nothing was chosen"
    hand.window.session.close()
    assert hand.window.open(tmp_path / "project")
    hand.window.show_page("label")
    hand.qtbot.waitUntil(lambda: run.count() == 4 and run.itemText(2) == "their.weights")
    assert run.currentText() in ("one", "two"), "it is offered, not chosen"
    run.setCurrentIndex(2)
    run.activated.emit(2)
    hand.qtbot.waitUntil(lambda: run.currentText() == "their.weights" and len(hand.canvas.suggestions) == 2)
    labels_are_added_in_one_step_or_are_one_of_the_projects(hand)


def labels_are_added_in_one_step_or_are_one_of_the_projects(hand: Hand) -> None:
    """Of the same window: making another takes half a second."""
    button, session = find(hand.window, QPushButton, "suggest-labels"), hand.window.session
    document = session.document
    assert document is not None
    assert button.isVisible()
    assert list(actions_of(hand.window))[:2] == ["Add “moon”, seen here", ""]
    actions_of(hand.window)["“moon” is plate"].trigger()
    hand.wait(3)
    assert not button.isVisible()
    assert {ghost.label for ghost in hand.canvas.suggestions} == {label.id for label in document.labels()}
    assert document.snapshot().former_names == (FormerName("moon", "plate"),), (
        "evaluations count its moons as plates, too"
    )
    session.undo()
    hand.wait(2)
    hand.qtbot.waitUntil(button.isVisible)
    actions_of(hand.window)["Add “moon”, seen here"].trigger()
    hand.wait(3)
    assert [label.name for label in document.labels()] == ["Cell", "plate", "moon"]
    session.undo()
    assert [label.name for label in document.labels()] == ["Cell", "plate"]
    hand.wait(2)
    find(hand.window, QSlider, "suggest-confidence").setValue(70)
    assert "Add “moon”" in actions_of(hand.window), "not seen at this confidence"
    menu = find(hand.window, QMenu, "suggest-labels-menu")
    hand.qtbot.waitUntil(lambda: len(menu.findChildren(QMenu)) == 1)  # nothing of what it offered before


@pytest.mark.slow
def test_weights_of_darknet_suggest_labels_which_are_taken_by_key_and_on_disk(
    qtbot: QtBot, open_window: Open, test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """YOLO-Fastest, trained on COCO, on photographs of a project without a label or a run."""
    weights, folder = test_data / "weights" / "yolo-fastest-1.1.weights", tmp_path / "p"
    Document.create(folder, test_data / "images").close()
    window = open_window(folder, "label")
    session = window.session
    document = session.document
    assert document is not None
    image = next(one for one in document.images() if one.name == "dog.jpg")
    session.select_image(image.id)
    canvas = find(window, AnnotatePage, "page-label").canvas
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_G)
    words = find(window, ElidedLabel, "suggest-words")
    qtbot.waitUntil(lambda: words.text().startswith("No run yet"))
    choose_a_file(window, monkeypatch, weights)
    qtbot.waitUntil(lambda: words.text().startswith("No label here for"), timeout=60_000)
    golden = json.loads(weights.with_suffix(".json").read_text("utf-8"))
    find(window, QSlider, "suggest-confidence").setValue(round(100 * golden["threshold"]))
    next(action for text, action in actions_of(window).items() if text.endswith("seen here")).trigger()
    assert {"dog", "bicycle", "car"} <= {label.name for label in document.labels()}
    assert len(document.labels()) < 10, "not COCO's eighty"
    qtbot.waitUntil(lambda: len(canvas.suggestions) > 2)
    number = len(canvas.suggestions)
    QTest.keyClick(canvas, Qt.Key.Key_Return)
    QTest.keyClick(canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert not canvas.suggestions
    first = golden["images"]["dog.jpg"]["detections"][0]
    with Document.open(folder, read_only=True) as kept:
        names = {label.id: label.name for label in kept.labels()}
        boxes = kept.boxes(image.id)
    assert len(boxes) == number
    x, y, w, h = first["box_cxcywh_rel"]
    wanted = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1) * np.tile([image.width, image.height], 2)
    assert names[boxes[0].label] == first["label"] == "car"
    assert boxes[0].xyxy == pytest.approx(wanted.tolist(), abs=0.5)
    window.close()
    lines = (folder / "labels" / "000.jsonl").read_text("utf-8").splitlines()
    (mirrored,) = [json.loads(line) for line in lines if '"dog.jpg"' in line]
    assert len(mirrored["boxes"]) == number, "and in the mirror"
    assert not list((folder / "runs").glob("*")), "no run was made of it"
