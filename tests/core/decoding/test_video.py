"""Frames of a video as images of a project: in order, with index and time, written once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.generators import close
from workbench.core import images
from workbench.core.decoding import video
from workbench.errors import Refused, WorkbenchError

FRAMES, RATE = 12, 4


def write_clip(file: Path, frames: int = FRAMES) -> Path:
    """Each frame of its own grey, four a second."""
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), RATE, (64, 48))
    for shade in range(frames):
        writer.write(np.full((48, 64, 3), shade * 20 % 256, np.uint8))
    writer.release()
    return file


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "ride ü 1.avi")


def test_every_third_frame_is_kept_with_its_time(clip: Path, tmp_path: Path) -> None:
    folder = video.folder_of(tmp_path / "project", clip)
    events = list(video.extract(clip, folder, 3))
    assert [(event.done, event.total) for event in events] == [(1, 12), (4, 12), (7, 12), (10, 12)]
    found = [event.image for event in events if event.image is not None]
    assert [image.path for image in found] == [f"ride ü 1_{i:06d}.jpg" for i in (0, 3, 6, 9)]
    assert [image.note for image in found][1] == "frame 3, 0.750 s of ride ü 1.avi"
    for image, index in zip(found, (0, 3, 6, 9), strict=True):
        assert (image.width, image.height) == (64, 48)
        assert abs(float(images.read(folder / image.path).mean()) - 20 * index) < 4


def test_frames_that_are_there_are_not_written_again(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    half = video.extract(clip, folder, 1)
    for _ in range(5):
        next(half)
    close(half)
    times = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert len(times) == 5
    list(video.extract(clip, folder, 1))
    assert len(list(folder.iterdir())) == FRAMES
    assert all((folder / name).stat().st_mtime_ns == kept for name, kept in times.items())


def test_another_video_of_the_same_name_has_a_folder_of_its_own(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_clip(tmp_path / "other" / clip.name)
    assert video.folder_of(tmp_path, other) == video.folder_of(tmp_path, clip)  # the same, in another place
    other.write_bytes(other.read_bytes() + b" ")
    assert video.folder_of(tmp_path, other) != video.folder_of(tmp_path, clip)
    assert video.folder_of(tmp_path, clip).parent == tmp_path / "frames"


def test_of_a_broken_video_nothing_is_said_but_in_words(tmp_path: Path) -> None:
    data = bytearray(write_clip(tmp_path / "damaged.avi", 40).read_bytes())
    for at in range(2000, len(data) - 2000, 900):
        data[at : at + 300] = bytes(range(50)) * 6
    (tmp_path / "damaged.avi").write_bytes(data)
    (tmp_path / "none.mp4").write_bytes(b"no video")
    program = f"""
from pathlib import Path
from workbench.core.decoding import video
from workbench.errors import WorkbenchError
for name in ("damaged.avi", "none.mp4"):
    try:
        print(len(list(video.frames(Path({str(tmp_path)!r}) / name))) > 0)
    except WorkbenchError as error:
        print(error.sentence)
"""
    quiet = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"True\n.*none\.mp4: this video could not be opened\..*\n", quiet.stdout)
    assert quiet.stderr == ""
    loud = {**os.environ, "OPENCV_FFMPEG_LOGLEVEL": "16"}
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=loud).stdout
    assert said.count("FFMPEG") > 10, "there was something to say, and who wants to hear it can"


def test_damaged_frames_are_passed_over_and_those_behind_them_keep_their_numbers(tmp_path: Path) -> None:
    """cv2 ends there, as if that were the video's end: a third was all that was seen."""
    file, noise = tmp_path / "a.mp4", np.random.default_rng(0)
    writer = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), 10, (64, 48))
    for _ in range(60):
        writer.write(noise.integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    data = bytearray(file.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    file.write_bytes(data)
    found = [(frame.index, frame.seconds) for frame in video.frames(file)]
    assert 50 < len(found) < 60
    assert found[-1][0] == 59
    assert all(seconds == pytest.approx(index / 10) for index, seconds in found)
    assert [frame.index for frame in video.frames(file, 10)] == [i for i, _ in found if i % 10 == 0]


def test_frames_of_a_video_that_breaks_off_are_kept_and_the_rest_is_told(tmp_path: Path) -> None:
    whole = write_clip(tmp_path / "whole.avi", 20 * RATE).read_bytes()
    (tmp_path / "half.avi").write_bytes(whole[: len(whole) // 2])
    *_, last = video.extract(tmp_path / "whole.avi", tmp_path / "frames of the whole", 5)
    assert (last.image is not None, last.remark) == (True, "")
    *some, last = video.extract(tmp_path / "half.avi", tmp_path / "frames", 5)
    assert len(some) == len(list((tmp_path / "frames").iterdir()))
    assert all(event.image is not None and not event.remark for event in some)
    assert "of 20.0 seconds could be read; the rest is damaged or missing" in last.remark


def test_what_the_header_says(clip: Path) -> None:
    assert (video.frame_count(clip), video.frame_rate(clip)) == (FRAMES, RATE)


def test_what_is_no_video_is_refused_and_a_folder_that_can_not_be_made_is_said(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(Refused, match="could not be opened"):
        list(video.extract(tmp_path / "a.mp4", tmp_path / "x"))
    with pytest.raises(Refused, match="does not exist"):
        video.frame_count(tmp_path / "b.mp4")
    with pytest.raises(Refused, match=r"this video could not be read: .+"):  # as where nobody may look
        video.frame_count(tmp_path / ("x" * 300) / "c.mp4")
    assert video.is_video(tmp_path / ("x" * 300) / "c.mp4")
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkbenchError, match="can't be kept"):
        list(video.extract(clip, tmp_path / "file" / "frames"))
