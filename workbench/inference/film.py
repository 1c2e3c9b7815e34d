"""A video to be looked at here and there: any frame, in any order.

The next frames are read one after the other, which is exact. Anything else is sought, and compressed videos may then
give a neighbour: `VideoFrame.seconds` is what the video itself says of the frame that came. What must be exact (the
frames of a project, predictions that are written) is read from the beginning instead: core/video.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from workbench.core import video as videos
from workbench.core.video import VideoFrame
from workbench.errors import WorkbenchError

NEAR = 40  # frames ahead that are read through: that is quicker than seeking, and exact
RATE = 25.0  # frames a second where a video does not say


class Film:
    """Open until `close`. Refused if the file can't be opened."""

    def __init__(self, file: Path) -> None:
        self.file, self.length = file, videos.length(file)  # refuses what is no video
        self.rate = videos.rate(file) or RATE
        self._capture = videos.opened(file)
        self._next = 0
        self._last: VideoFrame | None = None

    def frame(self, index: int) -> VideoFrame:
        """The frame at this index, or the next one if it is damaged. WorkbenchError if the video ends before it."""
        if self._last is not None and self._last.index <= index < self._next:
            return replace(self._last, index=index)  # the same again, or damaged too
        if not self._next <= index <= self._next + NEAR:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            self._next = index
        step = 0
        while self._next <= index and (step := videos.gone_on(self._capture)):
            self._next += step
        seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        decoded, image = self._capture.retrieve() if step else (False, None)
        if not decoded or image is None:
            self._capture.release()  # behind the end of some videos nothing can be sought any more
            self._capture, self._next, self._last = videos.opened(self.file), 0, None
            raise WorkbenchError(f"{self.file.name} has no frame {index:,} that can be read. Go back a little.")
        rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        self._last = VideoFrame(index, seconds, rgb)
        return self._last

    def close(self) -> None:
        self._capture.release()
