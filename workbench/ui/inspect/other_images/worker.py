"""What the window "Other images" does in its thread: open a folder, a video or a webcam, read a picture, detect.

PyTorch is loaded here. One network and one source are open at a time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench.core import images
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.decoding.video import is_video, printable
from workbench.core.detections import Candidates, NmsKind
from workbench.core.files import scan_images, stamp
from workbench.core.former_names import FormerNames
from workbench.core.project import Label
from workbench.core.tiling import candidates_in_tiles
from workbench.errors import WorkbenchError
from workbench.ui.images import pictures
from workbench.ui.images.pictures import Picture

if TYPE_CHECKING:
    from workbench.inference.pictures.video_reader import VideoReader
    from workbench.inference.pictures.webcam import Webcam
    from workbench.inference.predict import Precision, Predictor


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request to find out what `path` holds: a folder, an image or a video; or, if there is no path, a camera."""

    path: Path | None = None
    camera: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PictureSource:
    """What was opened. `names` of a folder's images; `frames` of a video according to its header, `rate` per second.

    Hashed by identity: comparing requests must not go through a hundred thousand names.
    """

    opened: OpenRequest
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
    def precision(self) -> Precision:
        """Of pictures, all confidences are those that files get. A film that plays needs the quicker arithmetic more:
        it is twice as fast on processors with bfloat16, and shifts confidences (see `Predictor`).
        """
        return "fast" if self.is_video or self.is_live else "exact"

    @property
    def count(self) -> int:
        """The number of pictures; 0 for a webcam."""
        return self.frames if self.is_video else len(self.names)


@dataclass(frozen=True, slots=True, eq=False)
class DetectionRequest:
    """A request for picture `index` of `source`, detected by `checkpoint`.

    In tiles of `tiles` pixels; 0: none, None: as it was trained.
    """

    source: PictureSource
    index: int
    checkpoint: Path
    tiles: int | None = None
    former: FormerNames = ()  # former names of the project's labels


@dataclass(frozen=True, slots=True, eq=False)
class DetectionResult:
    """The answer. `seconds` from the start of a video; `took`: the network's time."""

    request: DetectionRequest
    name: str
    picture: Picture
    found: Candidates
    labels: tuple[Label, ...]
    kind: NmsKind  # of NMS, by the detector's authors, and its overlap
    iou: float
    seconds: float = 0.0
    took: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class ReleaseRequest:
    """Release the webcam, so that its light goes out; with `network`, that and its memory, too."""

    network: bool = False


Pixels = np.ndarray[Any, np.dtype[np.uint8]]


class DetectionWorker:
    """For one thread at a time. `open_predictor` is Predictor.open, or a fake in tests."""

    def __init__(self, open_predictor: Callable[[Path, Precision], Predictor] | None = None) -> None:
        self._open_predictor = open_predictor or _open_predictor
        self._predictor: tuple[object, Predictor] | None = None
        self._reader: tuple[PictureSource, VideoReader] | None = None
        self._camera: tuple[PictureSource, Webcam] | None = None

    def do(self, request: OpenRequest | DetectionRequest | ReleaseRequest) -> PictureSource | DetectionResult | None:
        """WorkbenchError: it can't be opened, or read."""
        if isinstance(request, DetectionRequest):
            return self._detect(request)
        self.close()
        if isinstance(request, OpenRequest):
            return _open_source(request)
        if request.network:
            self._predictor = None
        return None

    def close(self) -> None:
        """Release video and camera; they are reopened when a picture of them is requested."""
        for kept in (self._reader, self._camera):
            if kept is not None:
                kept[1].close()
        self._reader = self._camera = None

    def _detect(self, request: DetectionRequest) -> DetectionResult:
        from workbench.inference.predict_files import chosen_tiling, predictor_labels

        predictor = self._predictor_of(request.checkpoint, request.former, request.source.precision)
        name, pixels, seconds = self._read(request, predictor.window)
        tiling = chosen_tiling(predictor.tiling, request.tiles, None)
        begun = time.perf_counter()
        (found,) = candidates_in_tiles(predictor.candidates_of_views, [pixels], tiling)
        took = time.perf_counter() - begun
        kind, iou = predictor.detector.published_nms
        labels = predictor_labels(predictor)
        return DetectionResult(request, name, pictures.picture(pixels), found, labels, kind, iou, seconds, took)

    def _predictor_of(self, checkpoint: Path, former: FormerNames, precision: Precision) -> Predictor:
        try:
            key = checkpoint, stamp(checkpoint), former, precision
        except OSError as error:
            raise WorkbenchError(f"{checkpoint} no longer exists. Choose another run.", error) from error
        if self._predictor is None or self._predictor[0] != key:
            predictor = self._open_predictor(checkpoint, precision)
            predictor.rename_labels(former)
            self._predictor = key, predictor
        return self._predictor[1]

    def _read(self, request: DetectionRequest, window: IntensityWindow | None) -> tuple[str, Pixels, float]:
        """Name, (H, W, 3) RGB, and seconds from the start."""
        source = request.source
        path = source.opened.path
        if path is None:
            frame = self._live(source).read()
            if frame is None:
                self.close()
                raise WorkbenchError(f"{source.title} no longer sends pictures. Is it still connected?")
            return source.title, frame.image, frame.seconds
        if source.is_video:
            frame = self._frames(source, path).frame(request.index)
            return f"frame {request.index + 1:,}", frame.image, frame.seconds
        name = source.names[request.index]
        return name, images.read(path / name if os.path.isdir(path) else path, window), 0.0

    def _live(self, source: PictureSource) -> Webcam:
        from workbench.inference.pictures.webcam import Webcam

        if self._camera is None or self._camera[0] is not source:
            self.close()
            self._camera = source, Webcam(source.opened.camera)
        return self._camera[1]

    def _frames(self, source: PictureSource, file: Path) -> VideoReader:
        from workbench.inference.pictures.video_reader import VideoReader

        if self._reader is None or self._reader[0] is not source:
            self.close()
            self._reader = source, VideoReader(file)
        return self._reader[1]


def _open_source(request: OpenRequest) -> PictureSource:
    path = request.path
    if path is None:
        return PictureSource(request, f"Webcam {request.camera}", rate=1.0)
    title = printable(path.name) or str(path)
    if os.path.isdir(path):
        names = tuple(scan_images(path))
        if not names:
            raise WorkbenchError(f"There is no image in {path}. Choose another folder.")
        return PictureSource(request, title, names)
    if is_video(path):
        from workbench.inference.pictures.video_reader import VideoReader

        reader = VideoReader(path)
        reader.close()
        return PictureSource(request, title, frames=reader.length, rate=reader.rate)
    return PictureSource(request, title, (title,))


def _open_predictor(checkpoint: Path, precision: Precision) -> Predictor:
    from workbench import plugins
    from workbench.inference.predict import Predictor

    plugins.loaded()
    return Predictor.open(checkpoint, precision=precision, cpu_fallback=True)
