"""A video looked at here and there: damaged frames and an end that comes too early hold nobody up."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from workbench.errors import WorkbenchError
from workbench.inference.pictures.video_reader import VideoReader


def write(file: Path, code: str) -> bytearray:
    """Sixty frames, ten a second."""
    noise = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(file), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*code), 10, (64, 48))
    for _ in range(60):
        writer.write(noise.integers(0, 256, (48, 64, 3), np.uint8))
    writer.release()
    return bytearray(file.read_bytes())


def test_a_damaged_frame_shows_the_next_one_and_playing_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    data = write(file, "mp4v")
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    file.write_bytes(data)
    reader = VideoReader(file)
    times = [round(10 * reader.frame(index).seconds) for index in range(60)]
    reader.close()
    assert times[0] == 0
    assert times[-1] == 59
    assert 0 < sum(time != index for index, time in enumerate(times)) < 10
    assert all(time >= index for index, time in enumerate(times))


def test_behind_an_early_end_one_can_go_back(tmp_path: Path) -> None:
    file = tmp_path / "a.avi"
    data = write(file, "MJPG")
    file.write_bytes(data[: len(data) // 2])
    reader = VideoReader(file)
    assert reader.length == 60
    assert reader.frame(10).seconds == pytest.approx(1.0)
    with pytest.raises(WorkbenchError, match="Frame 40 of .* can't be read. Go back a little"):
        reader.frame(40)
    assert reader.frame(10).seconds == pytest.approx(1.0)
    reader.close()
