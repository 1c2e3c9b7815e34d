"""Where pictures to predict come from: single files, folders and videos, one picture in memory at a time.

A picture that can't be read is handed on as `Skipped` and the rest goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core import images
from workbench.core.files import IMAGE_SUFFIXES, scan_images
from workbench.core.window import Window
from workbench.errors import Refused, WorkbenchError
from workbench.inference.events import Skipped

VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture. `name` is relative to the folder that was given; a video's frames share their file's name."""

    name: str
    index: int  # of the picture among all, or of the frame in its video
    image: NDArray[np.uint8]  # (H, W, 3) RGB, upright
    file: Path
    is_video: bool = False


def frames(paths: Sequence[Path], every: int = 1, window: Window | None = None) -> Iterator[Frame | Skipped]:
    """The pictures of files, folders (and folders within) and videos, of videos every `every`-th frame.

    WorkbenchError if a path does not exist or is neither an image nor a video.
    """
    index = 0
    for path in paths:
        if is_video(path):
            yield from video(path, every)
            continue
        prefix = f"{path.name}/" if len(paths) > 1 and path.is_dir() else ""
        for name, file in listed(path):
            yield _picture(prefix + name, index, file, window)
            index += 1


def count(paths: Sequence[Path], every: int = 1) -> int:
    """How many pictures frames() will yield; for videos what their headers say, which may be wrong."""
    return sum(-(-video_length(path) // every) if is_video(path) else len(listed(path)) for path in paths)


def listed(path: Path) -> list[tuple[str, Path]]:
    """(name, file) of an image, or of all images in a folder and below."""
    if path.is_dir():
        return [(name, path / name) for name in scan_images(path)]
    if not path.exists():
        raise WorkbenchError(f"{path} does not exist. Check the name.")
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise WorkbenchError(f"{path} is neither a folder nor an image nor a video by its name.")
    return [(printable(path.name), path)]


def printable(name: str) -> str:
    """`name` as text that UTF-8 can hold."""
    return os.fsencode(name).decode("utf-8", "replace")


def is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def _picture(name: str, index: int, file: Path, window: Window | None) -> Frame | Skipped:
    try:
        return Frame(name, index, images.read(file, window), file)
    except WorkbenchError as error:
        return Skipped(name, index, error.sentence)


def video(file: Path, every: int = 1) -> Iterator[Frame]:
    """Frames in order. Reading is sequential: seeking in compressed videos lands on wrong frames.

    Refused if the file can't be opened or holds no frame.
    """
    capture = _opened(file)
    try:
        index = 0
        while capture.grab():
            if index % every == 0:
                decoded, image = capture.retrieve()
                if not decoded:
                    break
                rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
                yield Frame(file.name, index, rgb, file, is_video=True)
            index += 1
        if index == 0:
            raise Refused(file, "this video holds no frame that can be read. Convert it to MP4 (H.264) first.")
    finally:
        capture.release()


def video_length(file: Path) -> int:
    """Frames by the video's header; 0 if it does not say."""
    capture = _opened(file)
    try:
        return max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
    finally:
        capture.release()


def _opened(file: Path) -> cv2.VideoCapture:
    try:
        os.fspath(file).encode("utf-8")  # cv2 ends the process for a name that is not UTF-8
    except UnicodeEncodeError as error:
        raise Refused(printable(os.fspath(file)), "rename this video: its name is not UTF-8.") from error
    if not file.is_file():
        raise Refused(file, "there is no such video.")
    if file.stat().st_size == 0:
        raise Refused(file, "this video is empty.")
    # FFmpeg alone: another backend would read a name with %d in it as a row of pictures
    capture = cv2.VideoCapture(os.fspath(file.resolve()), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        raise Refused(file, "this video could not be opened. Convert it to MP4 (H.264) first.")
    return capture
