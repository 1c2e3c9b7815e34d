"""Videos and webcams in the window "Other images": scrubbed, played, written and let go."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QToolButton
from pytestqt.qtbot import QtBot

from tests.inference.pictures.test_webcam import WithCameras
from tests.ui.inspect.other_images_driver import boxes, clip, folder, grey, network, opened, session, window, words
from tests.ui.window_driver import find
from workbench.inference.pictures import webcam
from workbench.training.records import runs
from workbench.ui.inspect.other_images.window import OtherImagesWindow
from workbench.ui.inspect.other_images.worker import OpenRequest as OpenSource

__all__ = ["clip", "folder", "network", "session", "window"]  # fixtures


def test_any_frame_of_a_video_is_shown_and_it_plays_to_its_end(
    qtbot: QtBot, window: OtherImagesWindow, clip: Path
) -> None:
    opened(qtbot, window, clip)
    assert window.transport.slider.maximum() == 7
    for index in (5, 1, 6, 2):
        window.transport.slider.setValue(index)
        qtbot.waitUntil(lambda: f"frame {index + 1}" in words(window, "place"))  # noqa: B023 - waited for here
        assert grey(window) == index
    assert words(window, "place") == "0:00.1 of 0:00.4, frame 3"
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert window.player.on
    qtbot.waitUntil(lambda: not window.player.on)
    qtbot.waitUntil(lambda: grey(window) == 7)
    qtbot.keyClick(window, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: grey(window) in (0, 1, 2))
    qtbot.keyClick(window, Qt.Key.Key_P)
    assert not window.player.on


def test_of_a_video_a_video_is_written_unless_told_otherwise(
    qtbot: QtBot, window: OtherImagesWindow, clip: Path, folder: Path
) -> None:
    opened(qtbot, window, folder)
    assert window.side.formats == ("json", "pictures")
    opened(qtbot, window, clip)
    assert window.side.formats == ("json", "video")
    opened(qtbot, window, folder)
    assert window.side.formats == ("json", "pictures")


def test_a_webcam_is_watched_until_it_is_paused_and_let_go_then(
    qtbot: QtBot, window: OtherImagesWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = WithCameras()
    monkeypatch.setattr(webcam, "cv2", cameras)
    find(window, QToolButton, "looking-webcam").click()
    qtbot.waitUntil(lambda: "There is no webcam 0" in window.picture.sentence)
    window.open_source(OpenSource(None, 1))
    qtbot.waitUntil(lambda: len(cameras.made) == 2 and cameras.made[1].left < 7)
    qtbot.waitUntil(lambda: boxes(window) == 3)  # a frame that was read is not shown at once
    assert not window.transport.slider.isEnabled()
    if window.player.on:
        qtbot.keyClick(window, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: all(camera.released for camera in cameras.made))


def test_a_closed_window_lets_the_webcam_go(
    qtbot: QtBot, window: OtherImagesWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    cameras = WithCameras()
    cameras.endless = True
    monkeypatch.setattr(webcam, "cv2", cameras)
    window.open_source(OpenSource(None, 1))
    qtbot.waitUntil(lambda: bool(cameras.made) and window.picture.picture is not None)
    window.close()
    qtbot.waitUntil(lambda: cameras.made[0].released)


def test_a_closed_window_lets_the_network_go_and_opens_it_again_for_the_next_picture(
    qtbot: QtBot, window: OtherImagesWindow, folder: Path
) -> None:
    """It stayed in the graphics card's memory until the project was closed, beside a training."""
    opened(qtbot, window, folder)
    assert window._worker._predictor is not None
    window.close()
    qtbot.waitUntil(lambda: window._worker._predictor is None)
    window.show()
    window.transport.step(1)
    qtbot.waitUntil(lambda: boxes(window) == 2)


def test_another_run_that_is_chosen_turns_on_nothing_in_a_closed_window(
    qtbot: QtBot, window: OtherImagesWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its network was loaded, and the webcam went on, with nobody to see it."""
    cameras = WithCameras()
    cameras.endless = True
    monkeypatch.setattr(webcam, "cv2", cameras)
    window.open_source(OpenSource(None, 1))
    qtbot.waitUntil(lambda: bool(cameras.made) and window.picture.picture is not None)
    window.close()
    qtbot.waitUntil(window._background.is_idle)
    assert window._checkpoint is not None
    last = Path(shutil.copy(window._checkpoint, window._checkpoint.with_name("last.safetensors")))
    run = runs.info(last.parent)
    window.set_run(run, last)
    qtbot.waitUntil(window._background.is_idle)
    assert window._worker._predictor is None
    assert len(cameras.made) == 1
    window.show()
    window.set_run(run, last)
    qtbot.waitUntil(lambda: window.picture.picture is not None)
    qtbot.waitUntil(lambda: [camera.released for camera in cameras.made] == [True, True])
