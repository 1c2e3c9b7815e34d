"""What a training begins from: the choice on the Train page, the download after a yes, weights of other programs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFileDialog,
    QLabel,
    QLineEdit,
    QPushButton,
    QTextBrowser,
    QToolButton,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import Open, find
from workbench.core.document import Document
from workbench.core.project import Image
from workbench.errors import WorkbenchError
from workbench.training.records import runs
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.train import work
from workbench.ui.train.form.fetch_window import FetchWindow
from workbench.ui.train.form.start_from import FRESH, PUBLISHED, StartFrom
from workbench.ui.train.runs.weights_window import WeightsWindow
from workbench.ui.train.work import PublishedWeights
from workbench.ui.window.main_window import MainWindow


@pytest.fixture
def published(tmp_path: Path) -> PublishedWeights:
    file = tmp_path / "cache" / "ssd300_vgg16-abc.pth"
    return PublishedWeights("ssd300", "https://example.org/a.pth", 136.0, "somebody", "BSD", file)


def choose(combo: QComboBox, data: object) -> None:
    """As by mouse: the row is set and `activated` follows."""
    rows = [row for row in range(combo.count()) if combo.itemData(row) == data]
    assert rows, data
    combo.setCurrentIndex(rows[0])
    combo.activated.emit(rows[0])


def entries(combo: QComboBox) -> list[str]:
    return [combo.itemText(row) for row in range(combo.count())]


def test_published_weights_are_offered_with_their_size_and_asked_for_when_chosen(
    qtbot: QtBot, published: PublishedWeights
) -> None:
    combo = StartFrom()
    qtbot.addWidget(combo)
    assert entries(combo) == ["Fresh weights", "A file…"]
    combo.offer(published)
    assert entries(combo) == ["Fresh weights", "Published weights, 136 MB to fetch", "A file…"]
    with qtbot.waitSignal(combo.fetch_requested) as asked:
        choose(combo, PUBLISHED)
    assert asked.args == [published]
    with pytest.raises(WorkbenchError, match="are not on this machine"):
        _ = combo.file
    combo.fetched()  # they did not come
    assert combo.currentData() == FRESH
    assert combo.file is None

    published.file.parent.mkdir()
    published.file.touch()
    combo.offer(published)
    with qtbot.assertNotEmitted(combo.fetch_requested):
        choose(combo, PUBLISHED)
    assert combo.currentText() == "Published weights"
    assert combo.file == published.file


def test_a_file_stays_chosen_when_the_detector_changes(
    qtbot: QtBot, published: PublishedWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    combo = StartFrom()
    qtbot.addWidget(combo)
    file = tmp_path / "darknet53.conv.74"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    choose(combo, "other")
    assert combo.currentText() == "darknet53.conv.74"
    assert combo.file == file
    combo.offer(published)
    assert combo.file == file


def test_who_gives_up_choosing_begins_from_what_was_chosen_before(
    qtbot: QtBot, published: PublishedWeights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh weights were chosen instead, which costs a whole training if it is not seen."""
    combo, file = StartFrom(), tmp_path / "darknet53.conv.74"
    qtbot.addWidget(combo)
    combo.offer(published)
    combo.begin_from(file)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    choose(combo, "other")
    assert combo.file == file
    choose(combo, PUBLISHED)
    combo.fetched()  # without the file
    assert combo.file == file
    choose(combo, FRESH)
    choose(combo, "other")
    assert combo.file is None
    published.file.parent.mkdir()
    choose(combo, PUBLISHED)
    published.file.touch()
    combo.fetched()
    choose(combo, "other")
    assert combo.file == published.file


def test_another_project_begins_from_fresh_weights(qtbot: QtBot, published: PublishedWeights) -> None:
    combo = StartFrom()
    qtbot.addWidget(combo)
    published.file.parent.mkdir()
    published.file.touch()
    combo.offer(published)
    choose(combo, PUBLISHED)
    combo.forget()
    assert (combo.file, combo.currentData()) == (None, FRESH)


@pytest.fixture
def session(qtbot: QtBot) -> Iterator[Session]:
    session = Session()
    yield session
    assert session.end_jobs()


def test_nothing_is_fetched_before_yes_and_the_file_is_there_after(
    qtbot: QtBot, session: Session, published: PublishedWeights
) -> None:
    def fetch(weights: PublishedWeights) -> Iterator[JobProgress]:
        yield JobProgress(68_000_000, 136_000_000, "")
        weights.file.parent.mkdir()
        weights.file.touch()

    owner = QWidget()
    qtbot.addWidget(owner)
    window = FetchWindow(session, published, owner, fetch=fetch)
    window.show()
    words = " ".join(label.text() for label in window.findChildren(QLabel))
    for fact in ("https://example.org/a.pth", "136 MB", "somebody", "BSD", "nothing of yours is sent"):
        assert fact in words
    assert not session.jobs
    assert not published.file.parent.exists()
    with qtbot.waitSignal(window.finished):
        qtbot.mouseClick(find(window, QPushButton, "fetch-go"), Qt.MouseButton.LeftButton)
    assert published.file.is_file()


def test_a_download_that_fails_says_why_and_can_be_tried_again(
    qtbot: QtBot, session: Session, published: PublishedWeights
) -> None:
    def fetch(_: PublishedWeights) -> Iterator[JobProgress]:
        yield JobProgress(0, 1, "")
        raise WorkbenchError("https://example.org could not be fetched: no route.")

    owner = QWidget()
    qtbot.addWidget(owner)
    window = FetchWindow(session, published, owner, fetch=fetch)
    window.show()
    qtbot.mouseClick(find(window, QPushButton, "fetch-go"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "no route" in find(window, QLabel, "fetch-words").text())
    qtbot.waitUntil(find(window, QPushButton, "fetch-go").isEnabled)
    assert window.isVisible()
    window.reject()


def test_cancel_ends_a_download(qtbot: QtBot, session: Session, published: PublishedWeights) -> None:
    closed: list[bool] = []

    def fetch(_: PublishedWeights) -> Iterator[JobProgress]:
        try:
            while True:
                yield JobProgress(1, 100, "")
        finally:
            closed.append(True)

    owner = QWidget()
    qtbot.addWidget(owner)
    window = FetchWindow(session, published, owner, fetch=fetch)
    window.show()
    qtbot.mouseClick(find(window, QPushButton, "fetch-go"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "1 byte of 100 bytes" in find(window, QLabel, "fetch-words").text())
    with qtbot.waitSignal(window.finished):
        qtbot.mouseClick(find(window, QPushButton, "fetch-cancel"), Qt.MouseButton.LeftButton)
    assert closed == [True]
    assert not session.jobs


# --- in the whole window ---


def weights_window(qtbot: QtBot, window: MainWindow) -> WeightsWindow:
    window.session.weights_import_requested.emit()
    opened: WeightsWindow = find(window, WeightsWindow, "weights-window")
    qtbot.waitUntil(find(opened, QPushButton, "weights-apply").isEnabled, timeout=60_000)
    return opened


def words(window: QWidget) -> str:
    text: str = find(window, QLabel, "weights-words").text()
    return text


@pytest.mark.slow
def test_darknet_weights_with_a_cfg_become_a_run_and_the_window_finds_what_darknet_finds(
    qtbot: QtBot, open_window: Open, test_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Document.create(tmp_path / "project", test_data / "images").close()
    window = open_window(tmp_path / "project", "inspect")
    opened = weights_window(qtbot, window)
    file = test_data / "weights" / "yolo-fastest-1.1.weights"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    qtbot.mouseClick(find(opened, QPushButton, "weights-choose"), Qt.MouseButton.LeftButton)
    assert find(opened, QComboBox, "weights-detector").currentData() == "darknet-cfg"
    assert find(opened, QLineEdit, "weights-form-cfg").text().endswith("yolo-fastest-1.1.cfg")
    assert find(opened, QLineEdit, "weights-names").text().endswith("coco.names")
    qtbot.mouseClick(find(opened, QPushButton, "weights-apply"), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: window.findChild(WeightsWindow) is None, timeout=60_000)
    document = window.session.document
    assert document is not None
    (run,) = runs.runs(document.runs_folder)
    assert [label.name for label in document.labels()][:3] == ["person", "bicycle", "car"]
    assert len(document.labels()) == 80

    qtbot.waitUntil(lambda: find(window, QComboBox, "inspect-run").currentText().startswith(run.name))
    qtbot.mouseClick(find(window, QCheckBox, "inspect-done-only"), Qt.MouseButton.LeftButton)
    qtbot.mouseClick(find(window, QPushButton, "inspect-look"), Qt.MouseButton.LeftButton)
    picture = find(window, InspectPicture, "inspect-picture")
    qtbot.waitUntil(lambda: bool(picture.groups), timeout=60_000)
    golden = json.loads((test_data / "weights" / "yolo-fastest-1.1.json").read_text())
    find(window, QDoubleSpinBox, "inspect-iou-spin").setValue(golden["nms_iou"])
    find(window, QDoubleSpinBox, "inspect-confidence-spin").setValue(golden["threshold"])
    qtbot.wait(100)
    for image in document.images():
        window.session.select_image(image.id)
        found = next(group for group in picture.groups if group.kind == "false_alarm")
        wanted = {
            f"{one['label']} {one['score']:.2f}": _pixels(image, *one["box_cxcywh_rel"])
            for one in golden["images"][image.name]["detections"]
        }
        assert sorted(found.names) == sorted(wanted)
        for name, box in zip(found.names, found.boxes, strict=True):
            assert box == pytest.approx(wanted[name], abs=0.5)


def _pixels(image: Image, x: float, y: float, w: float, h: float) -> list[float]:
    """Darknet's box, shares of the image, as ours."""
    edges = np.clip([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 0, 1)
    pixels: list[float] = (edges * [image.width, image.height, image.width, image.height]).tolist()
    return pixels


@pytest.mark.slow
def test_weights_that_do_not_fit_are_refused_in_the_window(
    qtbot: QtBot, open_window: Open, project: Path, test_data: Path, tmp_path: Path
) -> None:
    window = open_window(project, "train")
    opened = weights_window(qtbot, window)
    apply = find(opened, QPushButton, "weights-apply")
    qtbot.mouseClick(apply, Qt.MouseButton.LeftButton)
    assert words(opened) == "Choose the file of weights first."
    find(opened, QLineEdit, "weights-path").setText(str(tmp_path / "nothing.weights"))
    qtbot.mouseClick(apply, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "nothing.weights" in words(opened) and apply.isEnabled())
    find(opened, QLineEdit, "weights-path").setText(str(test_data / "weights" / "yoloface-50k.weights"))
    choose(find(opened, QComboBox, "weights-detector"), "yolov4-tiny")
    find(opened, QLineEdit, "weights-names").setText(str(test_data / "weights" / "coco.names"))
    qtbot.mouseClick(apply, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "yoloface-50k.weights" in words(opened) and apply.isEnabled())
    assert window.session.document is not None
    assert not runs.runs(window.session.document.runs_folder)
    assert not window.session.document.labels()


def test_import_can_be_pressed_once_that_does_something(qtbot: QtBot, open_window: Open, project: Path) -> None:
    """Pressed just when PyTorch was loaded, it did nothing."""
    window = open_window(project, "data")
    window.session.weights_import_requested.emit()
    opened = find(window, WeightsWindow, "weights-window")
    *_, loaded = work.load()
    opened._reported(loaded)  # its job has not ended yet
    assert not find(opened, QPushButton, "weights-apply").isEnabled()
    qtbot.waitUntil(find(opened, QPushButton, "weights-apply").isEnabled, timeout=60_000)


def test_what_is_imported_is_told_and_its_labels_are_added_though_the_window_was_closed(
    qtbot: QtBot, open_window: Open, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run came without its labels and without a word."""
    going_on = threading.Event()

    def imported(_: work.WeightsImportRequest) -> Iterator[str]:
        going_on.wait(20)
        yield "theirs"

    monkeypatch.setattr(work, "import_weights", imported)
    window = open_window(project, "data")
    opened, said = weights_window(qtbot, window), list[str]()
    window.session.message.connect(lambda _kind, sentence: said.append(sentence))
    (tmp_path / "theirs.names").write_text("cat\n")
    find(opened, QLineEdit, "weights-path").setText(str(tmp_path / "theirs.weights"))
    find(opened, QLineEdit, "weights-names").setText(str(tmp_path / "theirs.names"))
    qtbot.mouseClick(find(opened, QPushButton, "weights-apply"), Qt.MouseButton.LeftButton)
    opened.close()
    assert not opened.isVisible()
    window.session.weights_import_requested.emit()  # for other weights, meanwhile
    going_on.set()
    qtbot.waitUntil(lambda: said == ["Imported as run 'theirs'."])
    assert window.session.document is not None
    assert [label.name for label in window.session.document.labels()] == ["cat"]
    assert window.session.page == "data", "who closed it works on elsewhere"
    qtbot.waitUntil(lambda: len(window.findChildren(WeightsWindow)) == 1)
    qtbot.waitUntil(find(window, QPushButton, "weights-apply").isEnabled)


def test_the_train_page_says_how_large_the_network_is_and_explains_the_choice(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    window = open_window(project, "label")
    label_one(window)
    window.show_page("train")
    size = find(window, QLabel, "train-size")
    detector = find(window, QComboBox, "train-detector")
    qtbot.waitUntil(detector.isEnabled, timeout=60_000)
    qtbot.waitUntil(lambda: "multiply-adds per image" in size.text())
    choose(detector, "yolov3-tiny")
    preset = find(window, QComboBox, "train-preset")
    choose(preset, "published")
    choose(detector, "yolov2")
    qtbot.waitUntil(lambda: size.text().startswith("50.6 million weights, 14.7 billion"), timeout=20_000)
    QTest.mouseClick(find(window, QToolButton, "train-detector-help"), Qt.MouseButton.LeftButton)
    text = find(window, QTextBrowser, "help-text").toPlainText()
    assert "Choosing a detector" in text
    assert "RetinaNet" in text


def label_one(window: MainWindow) -> None:
    from workbench.core import edits
    from workbench.core.project import Box, Label, State

    document = window.session.document
    assert document is not None
    window.session.do(edits.AddLabels((Label(0, "cell"),)))
    image = document.images()[0].id
    window.session.do(edits.AddBoxes((Box(0, image, document.labels()[0].id, (8, 8, 40, 48)),)))
    window.session.do(edits.SetState((image,), State.DONE))


@pytest.mark.parametrize("number", [900, 1_234_567, 12_345, 999_600, 5e9])
def test_numbers_are_told_with_three_digits(number: float) -> None:
    told = {900: "900", 1_234_567: "1.23 million", 12_345: "12.3 thousand", 999_600: "1 million", 5e9: "5 billion"}
    assert work.NetworkCost(int(number), 1).sentence.startswith(f"{told[number]} weights,")


def test_a_training_begins_from_the_chosen_file(
    qtbot: QtBot, open_window: Open, project: Path, published: PublishedWeights
) -> None:
    window = open_window(project, "label")
    label_one(window)
    window.show_page("train")
    detector = find(window, QComboBox, "train-detector")
    qtbot.waitUntil(detector.isEnabled, timeout=60_000)
    combo: StartFrom = find(window, StartFrom, "train-start-from")
    combo.offer(published)
    choose(combo, PUBLISHED)
    fetch = window.findChild(FetchWindow)
    assert fetch is not None
    assert fetch.isVisible()
    fetch.reject()
    assert combo.currentData() == FRESH
    missing = replace(published, file=published.file.parent / "not there.pth").file
    combo.begin_from(missing)
    with qtbot.waitSignal(window.session.message, timeout=60_000) as told:
        qtbot.mouseClick(find(window, QPushButton, "train-start"), Qt.MouseButton.LeftButton)
    assert "not there.pth" in told.args[1]
