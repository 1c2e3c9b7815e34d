"""Annotated videos: detections drawn on the frames that were predicted, as MP4.

They are drawn from the written results once a whole video is done: an interrupted video file can't be continued, so the
frames are read a second time instead.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.decoding import video as videos
from workbench.core.detections import Detections
from workbench.core.files import atomic_path, unfinished_prefix
from workbench.core.windows_files import retry_while_in_use
from workbench.errors import WorkbenchError
from workbench.inference.writing.draw import draw_detections
from workbench.inference.writing.result_parts import ResultRow
from workbench.inference.writing.results import Progress, ResultsInfo, Written

RATE = 25.0  # frames per second if a video does not say
UNFINISHED = ".unfinished.mkv"  # after a webcam's name: the recording until it was interrupted


def write_videos(rows: Iterable[ResultRow], info: ResultsInfo, folder: Path) -> Progress:
    """videos/NAME.mp4 for each video among the sources; one in `every` frames, at the original speed."""
    files, done = dict(info.videos), 0
    written: list[Path] = []
    for place, some in groupby(rows, key=lambda row: row.place if row.frame >= 0 else ""):
        if not place or place not in files:
            for _ in some:
                done += 1
                yield done
            continue
        rate = (videos.frame_rate(files[place]) or RATE) / info.every
        name = place if place.lower().endswith(".mp4") else f"{place}.mp4"
        with Recorder(folder / "videos" / name, rate) as recorder:
            for picture in _drawn(some, videos.frames(files[place], info.every), info):
                if picture is not None:
                    recorder.write(picture)
                done += 1
                yield done
        written += [folder / "videos" / name] if recorder.frames else []
    yield Written(tuple(written), "" if written else "There is no video among the sources to draw on.")


def _drawn(
    rows: Iterable[ResultRow], frames: Iterator[videos.VideoFrame], info: ResultsInfo
) -> Iterator[NDArray[np.uint8] | None]:  # fmt: skip
    """The frames that have a row, with its boxes; None for frames that could not be read."""
    with contextlib.closing(frames):  # type: ignore[type-var]
        for row in rows:
            if row.skipped:
                yield None
                continue
            frame = next((frame for frame in frames if frame.index >= row.frame), None)
            if frame is None or frame.index != row.frame:
                raise WorkbenchError(f"{row.name} has changed since it was predicted. Start over with --fresh.")
            yield draw_detections(frame.image, detections(row), info.labels)


def detections(row: ResultRow) -> Detections:
    """The row's detections as arrays."""
    return Detections(
        np.array([box for _, _, box in row.found], np.float32).reshape(-1, 4),
        np.array([score for _, score, _ in row.found], np.float32),
        np.array([label for label, _, _ in row.found], np.int32),
    )


class Recorder:
    """An MP4 that exists, complete, after the `with` block, and not at all if that fails or there was no frame.

    `aside`: an .mkv file that has the same frames until then. An MP4 can only be opened once complete; an MKV can be
    viewed except for its last seconds, whatever happened to the process or the disk.
    """

    def __init__(self, file: Path, rate: float, aside: Path | None = None) -> None:
        self._file, self._rate, self._aside = file, rate, aside
        self._second: cv2.VideoWriter | None = None
        self._stack = contextlib.ExitStack()
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self.frames = 0

    def __enter__(self) -> Recorder:
        return self

    def write(self, picture: NDArray[np.uint8]) -> None:
        """Add a frame (H, W, 3) RGB; it is resized if its size is not that of the first.
        WorkbenchError if no MP4 can be written.
        """
        if self._writer is None:
            self._open(picture.shape[1], picture.shape[0])
        assert self._writer is not None
        if (picture.shape[1], picture.shape[0]) != self._size:
            picture = np.asarray(cv2.resize(picture, self._size), np.uint8)
        bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        with videos.silence_cv2():
            self._writer.write(bgr)
            if self._second is not None:
                self._second.write(bgr)
        self.frames += 1

    def write_until(self, seconds: float, picture: NDArray[np.uint8]) -> None:
        """Add the frame as often as it takes for the video to last `seconds`: cameras give frames
        at uneven intervals.
        """
        while self.frames < max(1, round(seconds * self._rate)):
            self.write(picture)

    def _open(self, width: int, height: int) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        for left in self._file.parent.glob(
            f".{glob.escape(unfinished_prefix(self._file.name))}.*.tmp*"
        ):  # left by a killed process
            left.unlink(missing_ok=True)
        temporary = self._stack.enter_context(atomic_path(self._file))
        # cv2 chooses the format by the suffix
        self._inner, self._temporary = temporary.with_name(f"{temporary.name}.mp4"), temporary
        self._size = (width, height)
        code = cv2.VideoWriter.fourcc(*"mp4v")
        self._writer = cv2.VideoWriter(os.fspath(self._inner.resolve()), cv2.CAP_FFMPEG, code, self._rate, self._size)
        if not self._writer.isOpened():
            raise WorkbenchError(
                f"{self._file.name} can't be written as MP4 of {width} x {height} at {self._rate:.3g} frames a second."
                " Choose pictures instead of a video."
            )
        if self._aside is not None:
            place = os.fspath(self._aside.resolve())
            self._second = cv2.VideoWriter(place, cv2.CAP_FFMPEG, code, self._rate, self._size)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is None:
            return
        with videos.silence_cv2():
            self._writer.release()
            if self._second is not None:
                self._second.release()
        try:
            if kind is None:
                self._check_whole()
                retry_while_in_use(os.replace, self._inner, self._temporary)
        except BaseException:
            self._stack.__exit__(*sys.exc_info())
            raise
        else:
            self._stack.__exit__(kind, error, trace)
            if self._aside is not None and kind is None:
                self._aside.unlink(missing_ok=True)
        finally:
            self._inner.unlink(missing_ok=True)

    def _check_whole(self) -> None:
        """cv2 does not report that a frame, or the end without which an MP4 can't be opened, found
        no room on the disk.
        """
        try:
            there = videos.frame_count(self._inner)
        except WorkbenchError:
            there = 0
        if there != self.frames:
            raise WorkbenchError(
                f"{self._file} could not be written completely: the disk is full or was removed. Make room and run the"
                " same command again; the results are kept."
            )
