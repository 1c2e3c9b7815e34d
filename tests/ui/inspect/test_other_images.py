"""The window "Other images": what a run finds in folders of pictures, its sliders, and what is written of it."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton, QSlider, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.generators import close
from tests.inference.stub import Stub, stub, write_pictures
from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.inspect.other_images_driver import Writer, boxes, clip, folder, network, opened, session, window, words
from tests.ui.test_accessible import controls, described
from tests.ui.window_driver import Open, find
from workbench import plugins
from workbench.core.detections import Detections, NmsKind
from workbench.core.edits import AddLabels, ChangeLabel
from workbench.core.project import FormerName, Label
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.training.checkpoints.checkpoint import CheckpointHeader, save_detector
from workbench.training.records import runs
from workbench.ui.images import named_boxes_view, pictures
from workbench.ui.images.box_names import COVERED, LISTED
from workbench.ui.images.view_transform import ViewTransform
from workbench.ui.inspect.other_images import picture, results_job
from workbench.ui.inspect.other_images.results_job import PredictionRequest, PredictionsWritten
from workbench.ui.inspect.other_images.side_pane import FORMATS
from workbench.ui.inspect.other_images.window import FIRST, OtherImagesWindow
from workbench.ui.inspect.other_images.worker import DetectionRequest, DetectionWorker, PictureSource
from workbench.ui.inspect.other_images.worker import OpenRequest as OpenSource
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session
from workbench.ui.widgets.elided import ElidedCombo

Key = Qt.Key

__all__ = ["clip", "folder", "network", "session", "window"]  # fixtures


def test_it_says_first_what_to_do(window: OtherImagesWindow) -> None:
    assert window.picture.sentence == FIRST
    assert not find(window, QPushButton, "looking-write").isEnabled()
    assert "first" in words(window, "run")


def test_the_images_of_a_folder_are_gone_through_by_key_and_slider(
    qtbot: QtBot, window: OtherImagesWindow, folder: Path
) -> None:
    opened(qtbot, window, folder)
    assert boxes(window) == 1
    assert words(window, "place") == "1 of 4: 1.png"
    assert words(window, "caption").startswith("1 object in 1.png")
    qtbot.keyClick(window, Key.Key_Right)
    qtbot.waitUntil(lambda: boxes(window) == 2)
    window.transport.slider.setValue(3)
    qtbot.waitUntil(lambda: "broken.png" in window.picture.sentence)
    assert words(window, "place") == "4 of 4: broken.png"
    qtbot.keyClick(window, Key.Key_Left)
    qtbot.waitUntil(lambda: boxes(window) == 3 and not window.picture.sentence)


def test_a_press_on_the_slider_goes_there(qtbot: QtBot, window: OtherImagesWindow, folder: Path) -> None:
    opened(qtbot, window, folder)
    slider = find(window, QSlider, "looking-slider")
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton, pos=slider.rect().center())
    assert slider.value() in (1, 2)


def test_the_sliders_move_boxes_and_never_run_the_network(
    qtbot: QtBot, window: OtherImagesWindow, folder: Path, network: Stub
) -> None:
    opened(qtbot, window, folder)
    window.transport.step(2)
    qtbot.waitUntil(lambda: boxes(window) == 3)
    calls = network.calls
    spin = window.side.controls.confidence.spin
    spin.setValue(0.75)
    assert boxes(window) == 2
    window.side.controls.limit.setValue(1)
    assert boxes(window) == 1
    assert network.calls == calls


@pytest.mark.parametrize("kind", ["soft", "per label", "diou"])
def test_the_run_s_operating_point_is_where_the_sliders_begin(
    qtbot: QtBot, session: Session, window: OtherImagesWindow, folder: Path, network: Stub, kind: NmsKind
) -> None:
    """Also where its NMS is, or is not, what the authors of the network do."""
    network.detector = SimpleNamespace(published_nms=("diou", 0.6))  # type: ignore[assignment]
    run = make_run(session, "second")
    point = OperatingPoint(0.75, (("dog", 0.8),), 0.3, kind, 7)
    operating_point.write(run, replace(point, checkpoint="best.safetensors"))
    info = next(one for one in runs.runs(run.parent) if one.name == "second")
    window.set_run(info, run / "best.safetensors")
    opened(qtbot, window, folder)
    assert window.side.point == point
    window.side.controls.iou.spin.setValue(0.4)
    qtbot.keyClick(window, Key.Key_Right)
    qtbot.waitUntil(lambda: "2 of 4" in words(window, "place"))
    assert window.side.point == replace(point, iou=0.4), "another picture changes nothing"


def test_the_kind_of_nms_is_read_whole(qtbot: QtBot, window: OtherImagesWindow, folder: Path, network: Stub) -> None:
    network.detector = SimpleNamespace(published_nms=("darknet diou", 0.6))  # type: ignore[assignment]
    opened(qtbot, window, folder)
    assert find(window, ElidedCombo, "inspect-kind").shown_text() == "published: Darknet DIoU"


def test_the_arrows_move_a_knob_that_has_the_keyboard_and_after_a_drag_still_the_pictures(
    qtbot: QtBot, window: OtherImagesWindow, folder: Path
) -> None:
    opened(qtbot, window, folder)
    with qtbot.waitActive(window):
        window.activateWindow()
    slider, pictures = window.side.controls.confidence.slider, window.transport.slider
    slider.setFocus(Qt.FocusReason.TabFocusReason)
    before = slider.value()
    qtbot.keyClick(slider, Key.Key_Right)
    assert (slider.value(), pictures.value()) == (before + 1, 0)
    window.picture.setFocus()
    qtbot.mouseClick(slider, Qt.MouseButton.LeftButton)
    assert not slider.hasFocus()
    qtbot.keyClick(window, Key.Key_Right)
    assert pictures.value() == 1


def test_without_one_they_begin_as_the_authors_do(qtbot: QtBot, window: OtherImagesWindow, folder: Path) -> None:
    opened(qtbot, window, folder)
    assert window.side.point == OperatingPoint(0.25, (), 0.45, "per label", 300)


def test_a_tick_hides_the_boxes_of_a_label_and_counts_stay(
    qtbot: QtBot, window: OtherImagesWindow, folder: Path
) -> None:
    opened(qtbot, window, folder)
    labels = window.side.labels
    assert [labels.item(row, 1).text() for row in range(2)] == ["0", "1"], "red is 13: a dog"
    labels.item(1, 0).setCheckState(Qt.CheckState.Unchecked)
    assert boxes(window) == 0
    assert labels.item(1, 1).text() == "1"


def test_tiles_are_looked_at_with_the_network(
    qtbot: QtBot, window: OtherImagesWindow, tmp_path: Path, network: Stub
) -> None:
    _, data = cv2.imencode(".png", np.zeros((100, 150, 3), np.uint8))
    (tmp_path / "large.png").write_bytes(data.tobytes())
    opened(qtbot, window, tmp_path / "large.png")
    assert network.pictures == 1
    window.side.tiles.stepUp()
    assert window.side.tiles.value() == 64
    qtbot.waitUntil(lambda: network.pictures == 8)  # 3 x 2 tiles, and the whole


def test_what_can_not_be_opened_is_a_sentence(qtbot: QtBot, window: OtherImagesWindow, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    window.open_source(OpenSource(tmp_path / "empty"))
    qtbot.waitUntil(lambda: "There is no image in" in window.picture.sentence)
    (tmp_path / "broken.avi").write_bytes(b"no video")
    window.open_source(OpenSource(tmp_path / "broken.avi"))
    qtbot.waitUntil(lambda: "could not be opened" in window.picture.sentence)
    assert not window.transport.play.isEnabled()


def test_where_nothing_can_be_shown_no_label_has_a_count(
    qtbot: QtBot, window: OtherImagesWindow, folder: Path, tmp_path: Path
) -> None:
    opened(qtbot, window, folder)
    rows = range(window.side.labels.rowCount())
    assert any(window.side.labels.item(row, 1).text() not in ("", "0") for row in rows)
    (tmp_path / "empty").mkdir()
    window._open_path(tmp_path / "empty")
    qtbot.waitUntil(lambda: "There is no image in" in window.picture.sentence)
    assert [window.side.labels.item(row, 1).text() for row in rows] == [""] * len(rows)


def test_everything_opened_is_written_in_the_formats_ticked(
    qtbot: QtBot, session: Session, window: OtherImagesWindow, folder: Path, tmp_path: Path
) -> None:
    opened(qtbot, window, folder)
    formats = {name: find(window, QAction, f"looking-format-{name}") for name in FORMATS}
    formats["pictures"].setChecked(False)
    formats["yolo"].setChecked(True)
    window.side.controls.confidence.spin.setValue(0.4)
    window.write_into(tmp_path)
    qtbot.waitUntil(lambda: words(window, "said") == "3 objects found in 2 images.")
    writer = window._write
    assert isinstance(writer, Writer)
    assert [(request.source, request.formats, request.point.confidence) for request in writer.requests] == [
        (folder, ("json", "yolo"), 0.4)
    ]
    qtbot.waitUntil(lambda: not session.jobs)
    assert find(window, QToolButton, "looking-open-results").isVisible()
    assert find(window, QPushButton, "looking-write").isEnabled()
    writer.fails_with = "The disk is full."
    window.write_into(tmp_path)
    qtbot.waitUntil(lambda: words(window, "said") == "The disk is full." and not session.jobs)
    for action in formats.values():
        action.setChecked(False)
    assert not find(window, QPushButton, "looking-write").isEnabled()


def test_labels_that_were_renamed_since_are_called_as_they_are_now(
    qtbot: QtBot, session: Session, window: OtherImagesWindow, folder: Path, tmp_path: Path
) -> None:
    assert session.document is not None
    session.do(AddLabels((Label(0, "cat"),)))
    session.do(ChangeLabel(replace(session.document.labels()[-1], name="Katze")))
    opened(qtbot, window, folder)
    assert window._result is not None
    assert [label.name for label in window._result.labels] == ["Katze", "dog"]
    window.write_into(tmp_path)
    qtbot.waitUntil(lambda: not session.jobs)
    (request,) = window._write.requests  # type: ignore[attr-defined]
    assert tuple(request.former) == (FormerName("cat", "Katze"),)


def test_results_go_into_a_folder_of_their_own_and_what_was_stopped_is_gone_on_with(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = SimpleNamespace(Predictor=SimpleNamespace(open=lambda _, **more: stub()))
    monkeypatch.setitem(sys.modules, "workbench.inference.predict", network)  # the real one loads PyTorch
    monkeypatch.setattr(plugins, "loaded", lambda: None)
    request = PredictionRequest(
        tmp_path / "best.safetensors", folder, tmp_path, OperatingPoint(0.25, iou=0.45), ("json",)
    )
    job = results_job.write_results(request)
    assert next(job) == JobProgress(0, 0, "4 images found")
    next(job)
    close(job)
    *events, last = results_job.write_results(request)
    assert events[0] == JobProgress(4, 4, "images")
    assert isinstance(last, PredictionsWritten)
    assert last.folder == tmp_path / "predictions of in"
    assert last.sentence.startswith("6 objects found in 3 images. 1 picture could not be read")
    *_, other = results_job.write_results(request)
    assert isinstance(other, PredictionsWritten)
    assert other.folder == tmp_path / "predictions of in 2"


def test_the_button_and_its_key_open_one_window_with_the_run_that_is_chosen(
    qtbot: QtBot, open_window: Open, project: Path
) -> None:
    main = open_window(project, "data")
    make_run(main.session)
    main.show_page("inspect")
    button = find(main, QPushButton, "inspect-elsewhere")
    qtbot.waitUntil(button.isVisible)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    window = find(main, OtherImagesWindow, "looking-window")
    assert words(window, "run") == "Run first, best"
    window.close()
    main.activateWindow()
    page = find(main, QWidget, "page-inspect")
    page.setFocus()
    qtbot.keyClick(page, Key.Key_L, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert window.isVisible()
    assert main.findChildren(OtherImagesWindow) == [window]
    assert "Ctrl+Shift+L" in button.toolTip()


def test_every_control_has_a_name(qtbot: QtBot, window: OtherImagesWindow, folder: Path) -> None:
    opened(qtbot, window, folder)
    nameless = [
        described(widget)
        for widget in controls(window)
        if not (widget.accessibleName() or getattr(widget, "text", str)()) and widget.objectName() != "looking-picture"
    ]
    assert nameless == []


def test_pictures_are_computed_as_they_are_written_and_films_as_fast_as_they_can(
    session: Session, network: Stub, folder: Path, clip: Path
) -> None:
    asked = []

    def opened(_: Path, precision: str) -> Stub:
        asked.append(precision)
        return network

    worker = DetectionWorker(opened)  # type: ignore[arg-type]
    checkpoint = make_run(session) / "best.safetensors"
    for path in (folder, folder / "1.png", clip, folder):
        source = worker.do(OpenSource(path))
        assert isinstance(source, PictureSource)
        worker.do(DetectionRequest(source, 0, checkpoint))
    worker.close()
    assert asked == ["exact", "fast", "exact"]


def test_pictures_that_were_written_into_the_folder_itself_are_not_among_its_images(folder: Path) -> None:
    parts, drawn = folder / "predictions of in" / "parts", folder / "predictions of in" / "pictures"
    parts.mkdir(parents=True)
    (parts / "folders.json").write_text('["pictures", "predictions.json"]')
    write_pictures(drawn, ["1.jpg"])
    worker = DetectionWorker()
    for path, names in ((folder, ("1.png", "2.png", "3.png", "broken.png")), (drawn, ("1.jpg",))):
        source = worker.do(OpenSource(path))
        assert isinstance(source, PictureSource)
        assert source.names == names


def test_tiles_begin_as_the_run_was_trained(
    qtbot: QtBot, session: Session, window: OtherImagesWindow, tmp_path: Path, network: Stub
) -> None:
    _, data = cv2.imencode(".png", np.zeros((100, 150, 3), np.uint8))
    (tmp_path / "large.png").write_bytes(data.tobytes())
    run = make_run(session, "second")
    header = CheckpointHeader("toy", {}, (Label(1, "cat"),), (), 64, "stretch", tiles=64)
    save_detector(run / "best.safetensors", {"w": torch.zeros(1)}, header)
    info = next(one for one in runs.runs(run.parent) if one.name == "second")
    window.set_run(info, run / "best.safetensors")
    assert window.side.tiles.value() == 64
    opened(qtbot, window, tmp_path / "large.png")
    assert network.pictures == 7


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> dict[str, QRectF]:
    """The names that were painted, and where."""
    plates: dict[str, QRectF] = {}

    def noted(_painter: object, area: QRectF, name: str, *_: object) -> None:
        plates[name] = QRectF(area)

    monkeypatch.setattr(named_boxes_view, "name_plate", noted)
    return plates


@pytest.fixture
def shown(qtbot: QtBot) -> picture.DetectionPicture:
    made = picture.DetectionPicture()
    qtbot.addWidget(made)
    made.resize(300, 300)
    made.show_picture(pictures.picture(np.full((300, 300, 3), 200, np.uint8)), QSizeF(300, 300))
    QTest.mouseClick(QWidget(), Qt.MouseButton.LeftButton)  # a double click of an earlier test leaves a button held
    return made


def test_only_boxes_in_sight_have_names(shown: picture.DetectionPicture, named: dict[str, QRectF]) -> None:
    """Of thousands in a photograph in tiles, a second and a half for each time that it was painted."""
    places = np.array([(100, 100, 140, 140), (0, 0, 90, 90), (0, 200, 90, 290), (160, 160, 290, 290)], np.float32)
    found = Detections(places, np.array([0.9, 0.8, 0.7, 0.6], np.float32), np.zeros(4, np.int32))
    shown.set_detections(found, (Label(1, "a"),))
    shown.set_view(ViewTransform(6.0, -600.0, -600.0))  # from 100 to 150
    named.clear()
    shown.grab()
    assert list(named) == ["a 0.90"]


def test_two_detections_of_one_object_have_both_their_names_and_none_covers_another(
    shown: picture.DetectionPicture, named: dict[str, QRectF]
) -> None:
    places = np.array([(20, 20, 200, 200), (20, 22, 200, 200), (20, 20, 200, 50)], np.float32)
    found = Detections(places, np.array([0.9, 0.5, 0.4], np.float32), np.array([0, 1, 1], np.int32))
    shown.set_detections(found, (Label(1, "ball", "#d55e00"), Label(2, "star", "#cc79a7")))
    shown.grab()
    assert list(named) == ["ball 0.90", "star 0.50"], "in the third box there is no room beside theirs"
    assert not named["ball 0.90"].intersects(named["star 0.50"])


def test_hundreds_of_names_leave_most_of_the_photograph_visible_and_are_told_at_the_pointer(
    shown: picture.DetectionPicture, named: dict[str, QRectF]
) -> None:
    """As on the Inspect page."""
    corners = np.random.default_rng(0).uniform(0, 240, (400, 2))
    places, scores = np.hstack([corners, corners + 60]).astype(np.float32), np.linspace(0.9, 0.01, 400)
    places[-1] = 200, 200, 204, 204
    shown.set_detections(Detections(places, scores.astype(np.float32), np.zeros(400, np.int32)), (Label(1, "cell"),))
    shown.show()
    shown.grab()
    assert 0 < sum(plate.width() * plate.height() for plate in named.values()) <= COVERED * 300 * 300
    named.clear()
    QTest.mouseMove(shown, shown.view.to_widget(QPointF(202, 202)).toPoint())
    shown.grab()
    assert next(iter(named)) == "cell 0.01", "the smallest first"
    assert len(named) == LISTED + 1
