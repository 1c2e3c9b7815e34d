"""A webcam: what it shows is predicted and recorded until it is stopped; one that is not there is a sentence."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tests.inference.stub import stub
from workbench.core.decoding import video as videos
from workbench.errors import WorkbenchError
from workbench.inference.events import Predicted, PredictionsSaved
from workbench.inference.pictures import webcam
from workbench.inference.pictures.webcam import Webcam, predict_webcam
from workbench.inference.predict_files import PredictionSettings, merge
from workbench.inference.writing import result_parts


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
    settings = PredictionSettings(formats=("json", "video"))
    return list(predict_webcam(stub(), 1, out, settings, stop, frames=frames, **told))


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
    for event in predict_webcam(stub(), 1, tmp_path, PredictionSettings(formats=("json",)), stop):
        done += isinstance(event, Predicted)
        if done == 3:
            stop.set()
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 3


def test_a_camera_that_is_unplugged_ends_it_too(cameras: list[Camera], tmp_path: Path) -> None:
    *_, last = watch(tmp_path, threading.Event())
    assert isinstance(last, PredictionsSaved)
    assert last.images == 9
    assert "ended because webcam 1 no longer sends pictures" in last.remark
    *_, enough = watch(tmp_path, threading.Event(), frames=9, fresh=True)
    assert isinstance(enough, PredictionsSaved)
    assert "ended because" not in enough.remark


def test_a_camera_that_sends_nothing_is_told_and_nothing_is_written(
    cameras: list[Camera], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Camera, "read", lambda _: (False, None))
    with pytest.raises(WorkbenchError, match="Webcam 1 is there but sends no pictures"):
        watch(tmp_path, threading.Event())
    assert list(tmp_path.rglob("*.json*")) == []


def test_what_was_found_before_a_kill_is_written_by_merge(cameras: list[Camera], tmp_path: Path) -> None:
    program = f"""
import os, signal, tests.inference.pictures.test_webcam as test, threading
from workbench.inference.writing import result_parts
from workbench.inference.pictures import webcam
webcam.cv2, settings = test.WithCameras(), test.PredictionSettings()
for event in webcam.predict_webcam(test.stub(), 1, test.Path({str(tmp_path)!r}), settings, threading.Event()):
    if event.index == 4:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    with pytest.raises(WorkbenchError, match="already has results.*--merge"):
        watch(tmp_path, threading.Event())
    *_, last = merge(tmp_path, ["json"])
    assert isinstance(last, PredictionsSaved)
    assert last.images == 5


def test_what_was_recorded_before_a_kill_can_be_looked_at(cameras: list[Camera], tmp_path: Path) -> None:
    """An MP4 without its end opens nowhere. What of the other file was still in memory is lost: it is given some."""
    program = f"""
import itertools, os, signal, numpy as np, tests.inference.pictures.test_webcam as test, threading, types
from workbench.inference.pictures import webcam
webcam.cv2, settings = test.WithCameras(), test.PredictionSettings()
webcam.cv2.endless = True
noise, clock = np.random.default_rng(0), itertools.count()
webcam.time = types.SimpleNamespace(monotonic=lambda: next(clock) / 10)
test.Camera.read = lambda self: (True, noise.integers(0, 256, (480, 640, 3), np.uint8))
asked = test.PredictionSettings(formats=("json", "video"))
for event in webcam.predict_webcam(test.stub(), 1, test.Path({str(tmp_path)!r}), asked, threading.Event()):
    if event.index == 120:
        os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -9
    file = tmp_path / "videos" / "webcam1.unfinished.mkv"
    *_, last = merge(tmp_path, ["json"])
    assert isinstance(last, PredictionsSaved)
    assert last.remark == f"{file} has the recording."
    assert 60 < len(list(videos.frames(file))) <= 121 == last.images
    settings = PredictionSettings(formats=("json",))
    *_, last = predict_webcam(stub(), 1, tmp_path, settings, threading.Event(), frames=2, fresh=True)
    assert isinstance(last, PredictionsSaved)
    assert (last.remark, file.exists()) == ("", False)
    watch(tmp_path, threading.Event(), fresh=True)
    assert [file.name for file in (tmp_path / "videos").iterdir() if file.suffix != ".tmp"] == ["webcam1.mp4"]


def test_a_full_disk_leaves_whole_lines_for_merge(
    cameras: list[Camera], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small(io.FileIO):
        """Has room for a thousand bytes."""

        def write(self, data: bytes) -> int:  # type: ignore[override]
            return super().write(data[: 1000 - os.fstat(self.fileno()).st_size])

    monkeypatch.setattr(result_parts, "open", lambda file, mode, **_: Small(file, mode), raising=False)
    with pytest.raises(WorkbenchError, match="No space left on device. Make room; earlier results are kept"):
        watch(tmp_path, threading.Event())
    monkeypatch.delattr(result_parts, "open")
    *_, last = merge(tmp_path, ["json"])
    assert isinstance(last, PredictionsSaved)
    assert 0 < last.images < 9


def test_results_that_are_there_are_not_replaced_unless_told(cameras: list[Camera], tmp_path: Path) -> None:
    watch(tmp_path, threading.Event(), frames=2)
    with pytest.raises(WorkbenchError, match="already has results.*--fresh"):
        watch(tmp_path, threading.Event(), frames=1)
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 2
    watch(tmp_path, threading.Event(), frames=1, fresh=True)
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 1


def test_a_mac_is_asked_for_its_webcam_where_that_can_be(
    cameras: list[Camera], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A camera that it does not allow looks to OpenCV like none."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(WorkbenchError, match="There is no webcam 0.* Or macOS does not allow it yet: run"):
        Webcam(0)
