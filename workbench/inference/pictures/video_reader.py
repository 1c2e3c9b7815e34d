"""Random access to the frames of a video, in any order.

The next frames are read one after the other, which is exact. For others it seeks, and compressed videos may then give
a neighbouring frame: `VideoFrame.seconds` is the time that the video states for the returned frame. What must be exact
(the frames of a project, predictions that are written) is read from the beginning instead: core/decoding/video.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from workbench.core.decoding import video as videos
from workbench.core.decoding.video import VideoFrame
from workbench.errors import WorkbenchError

NEAR = 40  # up to this many frames ahead are read: faster than seeking, and exact
RATE = 25.0  # frames per second if a video does not say


class VideoReader:
    """Open until `close`. Refused if the file can't be opened."""

    def __init__(self, file: Path) -> None:
        self.file, self.length = file, videos.frame_count(file)  # refuses files that are not videos
        self.rate = videos.frame_rate(file) or RATE
        self._capture = videos.open_video(file)
        self._next = 0
        self._last: VideoFrame | None = None

    def frame(self, index: int) -> VideoFrame:
        """The frame at this index, or the next one if it is damaged. WorkbenchError if the video ends before it."""
        if self._last is not None and self._last.index <= index < self._next:
            return replace(self._last, index=index)  # the same frame again, or one of the damaged ones before it
        if not self._next <= index <= self._next + NEAR:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            self._next = index
        step = 0
        while self._next <= index and (step := videos.advance(self._capture)):
            self._next += step
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        decoded, image = self._capture.retrieve() if step else (False, None)
        if not decoded or image is None:
            self._capture.release()  # after the end of some videos seeking no longer works
            self._capture, self._next, self._last = videos.open_video(self.file), 0, None
            raise WorkbenchError(f"Frame {index:,} of {self.file.name} can't be read. Go back a little.")
        rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        self._last = VideoFrame(index, seconds, rgb)
        return self._last

    def close(self) -> None:
        self._capture.release()
