"""Videos: reads their frames in order, and extracts them as images of a project."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.core.files import atomic_write, safe_name
from workbench.core.project import Image
from workbench.errors import Refused, WorkbenchError

# FFmpeg prints a line for each broken piece of a video, thousands that hide our own sentences; -8 is "quiet"
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

VIDEO_SUFFIXES = frozenset((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"))
QUALITY = 95
"""JPEG quality of kept frames: the video itself has lost more."""

_DAMAGED = 100
"""Most undecodable frames in a row that are skipped."""
_LENIENT, _LENIENT_SHARE = 1.0, 0.05
"""Seconds, and share of a video, by which it may end before its header says."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoFrame:
    """One frame. `seconds` from the beginning, by the video's own clock."""

    index: int
    seconds: float
    image: NDArray[np.uint8]  # (H, W, 3) RGB, upright


@dataclass(frozen=True, slots=True)
class Extracted:
    """Progress of extract(): `done` of `total` frames read (0: the video does not say), and the image that was kept.

    `remark`: comes alone and last, if the video is cut off.
    """

    done: int
    total: int
    image: Image | None = None  # id 0, path within the folder
    remark: str = ""


@contextlib.contextmanager
def silence_cv2() -> Iterator[None]:
    """Suppress what cv2 would print to stderr about a video or camera: the caller reports it in words."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def is_video(path: Path) -> bool:
    return path.suffix.lower() in VIDEO_SUFFIXES and not os.path.isdir(path)


def printable(name: str) -> str:
    """`name` as text that UTF-8 can hold."""
    return os.fsencode(name).decode("utf-8", "replace")


def frames(file: Path, every: int = 1) -> Iterator[VideoFrame]:
    """Every `every`-th frame in order. Reading is sequential: seeking in compressed videos lands on wrong frames.

    Damaged frames are skipped but counted. Refused if the file can't be opened or holds no frame.
    """
    capture = open_video(file)
    index = -1
    try:
        while step := advance(capture):
            index += step
            if index % every == 0:
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                decoded, image = capture.retrieve()
                if decoded:
                    rgb = np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
                    yield VideoFrame(index, seconds, rgb)
        if index < 0:
            raise Refused(file, "this video holds no frame that can be read. Convert it to MP4 (H.264) first.")
    finally:
        capture.release()


def advance(capture: cv2.VideoCapture) -> int:
    """Move to the next frame that can be decoded; by how many frames, 0 at the end. (cv2 reports a damaged frame as the
    end.)
    """
    return next((step for step in range(1, _DAMAGED + 2) if capture.grab()), 0)


def frame_count(file: Path) -> int:
    """The number of frames by the video's header; 0 if it does not say."""
    capture = open_video(file)
    try:
        return max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
    finally:
        capture.release()


def frame_rate(file: Path) -> float:
    """Frames per second by the video's header; 0 if it does not say."""
    capture = open_video(file)
    try:
        found = float(capture.get(cv2.CAP_PROP_FPS))
        return found if np.isfinite(found) and found > 0 else 0.0
    finally:
        capture.release()


def cut_off(file: Path, last: VideoFrame, every: int = 1) -> str:
    """A sentence if the video ends, at frame `last`, long before its header says; "" otherwise.

    `every`: only every n-th frame was read. Headers are not exact, and sound may go on after the pictures, so a second
    and a twentieth are tolerated.
    """
    there = frame_rate(file)
    if not there or not frame_count(file):
        return ""
    full = frame_count(file) / there
    read = max(last.seconds, last.index / there) + every / there
    if full - read <= max(_LENIENT, full * _LENIENT_SHARE):
        return ""
    return (
        f"{file}: only the first {read:,.1f} of {full:,.1f} seconds could be read; the rest is damaged or missing. Copy"
        " the video again."
    )


def folder_of(project: Path, file: Path) -> Path:
    """The folder in which a project keeps the frames of a video. Different videos never share one, whatever their
    names; a video that was moved keeps its own. Refused if the file can't be read.
    """
    return project / "frames" / f"{safe_name(printable(file.stem))} {fingerprint(file)}"


def fingerprint(file: Path) -> str:
    """Six letters that identify a video, from its size and first megabyte. Refused if it can't be read."""
    try:
        with open(file, "rb") as stream:
            head = stream.read(1 << 20)
        return hashlib.blake2b(head + str(file.stat().st_size).encode(), digest_size=3).hexdigest()
    except OSError as error:
        raise Refused(
            printable(os.fspath(file)), f"this video could not be read: {error.strerror or error}."
        ) from error


def extract(file: Path, folder: Path, every: int = 1) -> Iterator[Extracted]:
    """Keep every `every`-th frame as a JPEG in `folder`; existing frames are not written again.

    Names and notes give index and time: "ride_000120.jpg", "frame 120, 4.000 s of ride.mp4". Closing it early keeps
    what was written. Refused like frames(); WorkbenchError if the folder can't be written.
    """
    total = frame_count(file)
    stem = safe_name(printable(file.stem))
    frame: VideoFrame | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for frame in frames(file, every):
            name = f"{stem}_{frame.index:06d}.jpg"
            if not os.path.exists(folder / name):
                _, data = cv2.imencode(
                    ".jpg", cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
                )
                atomic_write(folder / name, data.tobytes())
            height, width = frame.image.shape[:2]
            note = f"frame {frame.index}, {frame.seconds:.3f} s of {printable(file.name)}"
            image = Image(0, name, width, height, note=note)
            yield Extracted(min(frame.index + 1, total) if total else frame.index + 1, total, image)
    except OSError as error:
        raise WorkbenchError(f"Frames can't be kept in {folder}: {error.strerror or error}.", error) from error
    if frame is not None and (remark := cut_off(file, frame, every)):
        yield Extracted(frame.index + 1, frame.index + 1, remark=remark)


def open_video(file: Path) -> cv2.VideoCapture:
    try:
        os.fspath(file).encode("utf-8")  # cv2 crashes the process on a name that is not UTF-8
    except UnicodeEncodeError as error:
        raise Refused(printable(os.fspath(file)), "rename this video: its name is not UTF-8.") from error
    if os.path.isdir(file):
        raise Refused(file, "this is a folder. Name a video in it.")
    try:
        size = file.stat().st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refused(file, "this video does not exist.") from error
    except OSError as error:
        raise Refused(file, f"this video could not be read: {error.strerror or error}.") from error
    if size == 0:
        raise Refused(file, "this video is empty.")
    # FFmpeg only: another backend would take a name with %d in it for a series of pictures
    with silence_cv2():
        capture = cv2.VideoCapture(os.fspath(file.resolve()), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        capture.release()
        raise Refused(file, "this video could not be opened. Convert it to MP4 (H.264) first.")
    return capture
