"""What the window "Other images" does in its thread: open a folder, a video or a webcam, read a picture, detect.

PyTorch is loaded here. One network and one source are open at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import images
from workbench.core.detections import Candidates, Kind
from workbench.core.files import scan_images, stamp
from workbench.core.former_names import Former
from workbench.core.project import Label
from workbench.core.video import is_video, printable
from workbench.core.window import Window
from workbench.errors import WorkbenchError
from workbench.ui import pictures
from workbench.ui.pictures import Picture

if TYPE_CHECKING:
    from workbench.inference.film import Film
    from workbench.inference.predict import Predictor
    from workbench.inference.tiles import Views
    from workbench.inference.webcam import Webcam


@dataclass(frozen=True, slots=True)
class Open:
    """A request to find out what `path` holds: a folder, an image or a video; or, if there is no path, a camera."""

    path: Path | None = None
    camera: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """What was opened. `names` of a folder's images; `frames` of a video according to its header, `rate` per second.

    Hashed by identity: comparing requests must not go through a hundred thousand names.
    """

    opened: Open
    title: str
    names: tuple[str, ...] = ()
    frames: int = 0
    rate: float = 0.0

    @property
    def is_live(self) -> bool:
        return self.opened.path is None

    @property
    def is_video(self) -> bool:
        return self.rate > 0 and not self.is_live

    @property
    def count(self) -> int:
        """The number of pictures; 0 for a webcam."""
        return self.frames if self.is_video else len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A request for picture `index` of `source`, detected by `checkpoint`, in tiles of `tiles` pixels (0: none)."""

    source: Source
    index: int
    checkpoint: Path
    tiles: int = 0
    overlap: float = 0.2
    former: Former = ()  # former names of the project's labels


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The answer. `seconds` from the start of a video; `took`: the network's time."""

    look: Look
    name: str
    picture: Picture
    found: Candidates | Views
    labels: tuple[Label, ...]
    kind: Kind  # of NMS, by the detector's authors, and its overlap
    iou: float
    seconds: float = 0.0
    took: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Rest:
    """Release the webcam, so that its light goes out."""


Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class Eyes:
    """For one thread at a time. `open_predictor` is Predictor.open, or a fake in tests."""

    def __init__(self, open_predictor: Callable[[Path], Predictor] | None = None) -> None:
        self._open_predictor = open_predictor
        self._predictor: tuple[object, Predictor] | None = None
        self._film: tuple[Source, Film] | None = None
        self._camera: tuple[Source, Webcam] | None = None

    def do(self, wish: Open | Look | Rest) -> Source | Seen | None:
        """WorkbenchError: it can't be opened, or read."""
        if isinstance(wish, Look):
            return self._look(wish)
        self.close()
        return _opened(wish) if isinstance(wish, Open) else None

    def close(self) -> None:
        """Release video and camera; they are reopened when a picture of them is requested."""
        for kept in (self._film, self._camera):
            if kept is not None:
                kept[1].close()
        self._film = self._camera = None

    def _look(self, look: Look) -> Seen:
        from workbench.inference import tiles
        from workbench.inference.predict_files import predictor_labels

        predictor = self._network(look.checkpoint, look.former)
        name, pixels, seconds = self._read(look, predictor.window)
        try:
            tiling = tiles.tiling(look.tiles, look.overlap)
        except ValueError as error:
            raise WorkbenchError(f"These tiles can't be: {error}.") from error
        begun = time.perf_counter()
        (found,) = tiles.seen(predictor, [pixels], tiling)
        took = time.perf_counter() - begun
        kind, iou = predictor.detector.published_nms
        labels = predictor_labels(predictor)
        return Seen(look, name, pictures.picture(pixels), found, labels, kind, iou, seconds, took)

    def _network(self, checkpoint: Path, former: Former) -> Predictor:
        try:
            key = checkpoint, stamp(checkpoint), former
        except OSError as error:
            raise WorkbenchError(f"{checkpoint} no longer exists. Choose another run.", error) from error
        if self._predictor is None or self._predictor[0] != key:
            predictor = (self._open_predictor or _predictor)(checkpoint)
            predictor.call_labels(former)
            self._predictor = key, predictor
        return self._predictor[1]

    def _read(self, look: Look, window: Window | None) -> tuple[str, Pixels, float]:
        """Name, (H, W, 3) RGB, and seconds from the start."""
        source = look.source
        path = source.opened.path
        if path is None:
            frame = self._live(source).read()
            if frame is None:
                self.close()
                raise WorkbenchError(f"{source.title} no longer sends pictures. Is it still connected?")
            return source.title, frame.image, frame.seconds
        if source.is_video:
            frame = self._frames(source, path).frame(look.index)
            return f"frame {look.index + 1:,}", frame.image, frame.seconds
        name = source.names[look.index]
        return name, images.read(path / name if path.is_dir() else path, window), 0.0

    def _live(self, source: Source) -> Webcam:
        from workbench.inference.webcam import Webcam

        if self._camera is None or self._camera[0] is not source:
            self.close()
            self._camera = source, Webcam(source.opened.camera)
        return self._camera[1]

    def _frames(self, source: Source, file: Path) -> Film:
        from workbench.inference.film import Film

        if self._film is None or self._film[0] is not source:
            self.close()
            self._film = source, Film(file)
        return self._film[1]


def _opened(wish: Open) -> Source:
    path = wish.path
    if path is None:
        return Source(wish, f"Webcam {wish.camera}", rate=1.0)
    title = printable(path.name) or str(path)
    if path.is_dir():
        names = tuple(scan_images(path))
        if not names:
            raise WorkbenchError(f"There is no image in {path}. Choose another folder.")
        return Source(wish, title, names)
    if is_video(path):
        from workbench.inference.film import Film

        film = Film(path)
        film.close()
        return Source(wish, title, frames=film.length, rate=film.rate)
    return Source(wish, title, (title,))


def _predictor(checkpoint: Path) -> Predictor:
    from workbench import plugins
    from workbench.inference.predict import Predictor

    plugins.loaded()
    # precise enough for viewing; files are written exactly
    return Predictor.open(checkpoint, precision="fast", gives_way=True)
