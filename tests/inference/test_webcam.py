"""A webcam: what it shows is predicted and recorded until it is stopped; one that is not there is a sentence."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.inference.stub import stub
from workbench.core import video as videos
from workbench.errors import WorkbenchError
from workbench.inference import webcam
from workbench.inference.events import Predicted, PredictionsSaved
from workbench.inference.predict_files import Asked
from workbench.inference.webcam import Webcam, predict_webcam


class Camera:
    """Nine frames, of the size 64 x 48, as cv2.VideoCapture gives them."""

    def __init__(self, number: int) -> None:
        self.number, self.left, self.released = number, 9, False

    def isOpened(self) -> bool:
        return self.number == 1

    def set(self, what: int, value: float) -> bool:
        return True

    def get(self, what: int) -> float:
        return 10.0

    def read(self) -> tuple[bool, np.ndarray | None]:
        self.left -= 1
        return (True, np.full((48, 64, 3), 3, np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


class WithCameras:
    """cv2 with such cameras, and as it is."""

    def __init__(self) -> None:
        self.made: list[Camera] = []
        self.endless = False

    def VideoCapture(self, number: int) -> Camera:
        self.made.append(Camera(number))
        if self.endless:
            self.made[-1].left = 1_000_000
        return self.made[-1]

    def __getattr__(self, name: str) -> object:
        return getattr(cv2, name)


@pytest.fixture
def cameras(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Camera]]:
    """The clock goes on by a tenth of a second each time that it is looked at: once for each frame."""
    ours, clock = WithCameras(), itertools.count()
    monkeypatch.setattr(webcam, "cv2", ours)
    monkeypatch.setattr(webcam, "time", SimpleNamespace(monotonic=lambda: next(clock) / 10))
    yield ours.made
    assert all(camera.released for camera in ours.made)


def watch(out: Path, stop: threading.Event, frames: int = 0, **told: bool) -> list[object]:
    asked = Asked(formats=("json", "video"))
    return list(predict_webcam(stub(), 1, out, asked, stop, frames=frames, **told))


def test_a_webcam_that_is_not_there_is_a_sentence(cameras: list[Camera]) -> None:
    with pytest.raises(WorkbenchError, match="There is no webcam 0, or another program is using it"):
        Webcam(0)


def test_no_camera_of_this_machine_has_so_high_a_number(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkbenchError, match="There is no webcam 93"):
        Webcam(93)
    assert capfd.readouterr().err == "", "what cv2 says of it is said in words"


def test_so_many_frames_are_predicted_and_recorded(cameras: list[Camera], tmp_path: Path) -> None:
    *_, last = watch(tmp_path, threading.Event(), frames=4)
    assert isinstance(last, PredictionsSaved)
    assert last.files == (tmp_path / "predictions.json", tmp_path / "videos" / "webcam1.mp4")
    rows = json.loads((tmp_path / "predictions.json").read_text())
    assert [(row["file"], row["frame"]) for row in rows] == [("webcam1", n) for n in range(4)]
    assert len(list(videos.frames(last.files[1]))) == 4, "at ten a second, as the camera says"


def test_a_stop_ends_it_and_what_was_found_is_written(cameras: list[Camera], tmp_path: Path) -> None:
    stop, done = threading.Event(), 0
    for event in predict_webcam(stub(), 1, tmp_path, Asked(formats=("json",)), stop):
        done += isinstance(event, Predicted)
        if done == 3:
            stop.set()
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 3


def test_a_camera_that_is_unplugged_ends_it_too(cameras: list[Camera], tmp_path: Path) -> None:
    *_, last = watch(tmp_path, threading.Event())
    assert isinstance(last, PredictionsSaved)
    assert last.images == 9


def test_results_that_are_there_are_not_replaced_unless_told(cameras: list[Camera], tmp_path: Path) -> None:
    watch(tmp_path, threading.Event(), frames=2)
    with pytest.raises(WorkbenchError, match="holds results already.*--fresh"):
        watch(tmp_path, threading.Event(), frames=1)
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 2
    watch(tmp_path, threading.Event(), frames=1, fresh=True)
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 1
