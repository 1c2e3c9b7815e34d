"""Three images of an import to look at, with the boxes as they would come in, and where the project differs its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QSizeF, Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.core.intensity_window import IntensityWindow
from workbench.core.project import Box, Label
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.data.importing.sample_picture import SamplePicture
from workbench.ui.images.pictures import Picture
from workbench.ui.widgets.elided import ElidedLabel

SHOWN = 3
_SIDE = 640
"""Pixels of the longer side that are read for the small pictures."""
_LEGEND = "Solid: as they would come in, in white what is not so here. Dashed: as they are here, where that differs."


@dataclass(frozen=True, slots=True)
class Sample:
    """An image with the boxes of the files and those of the project that are otherwise, by label ids.

    `size` in pixels, (0, 0) where it is unknown; `words`: what is to be said of it.
    """

    name: str
    file: Path | None
    size: tuple[int, int]
    boxes: tuple[Box, ...]
    project_boxes: tuple[Box, ...]
    labels: tuple[Label, ...]
    words: str
    window: IntensityWindow | None
    differing: frozenset[int] = frozenset()  # ids of those boxes of the files that are not so here


@dataclass(frozen=True, slots=True)
class _PictureRequest:
    file: Path
    window: IntensityWindow | None
    is_large: bool


class _Tile(QWidget):
    """A picture, its name, and what is to be said of it. A click opens it large."""

    opened = Signal()

    def __init__(self, number: int) -> None:
        super().__init__()
        self.picture = SamplePicture(f"import-sample-{number}")
        self.picture.setAccessibleName(f"Sample image {number}")
        self.picture.setCursor(Qt.CursorShape.PointingHandCursor)
        self.picture.opened.connect(self.opened)
        self.name, self.words = ElidedLabel(), ElidedLabel()
        self.name.setObjectName(f"import-sample-{number}-name")
        self.words.setObjectName(f"import-sample-{number}-words")
        self.words.setProperty("role", "muted")
        for line in (self.name, self.words):
            line.setFont(theme.font(theme.SMALL))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.name)
        layout.addWidget(self.words)


class LargeSample(QDialog):
    """One of them in a window of its own: the wheel zooms, a drag moves, a double click fits."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("import-large")
        self.picture = SamplePicture("import-large-picture", large=True)
        self.picture.setAccessibleName("The image, large")
        self._words = ElidedLabel()
        self._words.setProperty("role", "muted")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, theme.GRID)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self._words)
        self._words.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        self.resize(960, 720)

    def show_sample(self, sample: Sample) -> None:
        self.setWindowTitle(sample.name)
        self._words.setText(f"{sample.words}. {_LEGEND}" if sample.project_boxes or sample.differing else sample.words)
        self.picture.show_sample(sample.boxes, sample.project_boxes, sample.labels, sample.size, sample.differing)


class Samples(QWidget):
    """`show_samples` puts up to three there; pictures come in the background. `close_down` before its owner goes."""

    others_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.samples: tuple[Sample, ...] = ()
        self.setObjectName("import-samples")
        self._background = Background("Sample pictures", _read_picture, self)
        self._background.done.connect(self._picture_read)
        self._large: LargeSample | None = None
        self._large_sample: Sample | None = None
        self._tiles = tuple(_Tile(number + 1) for number in range(SHOWN))
        self._others = QPushButton("Three others", autoDefault=False)
        self._others.setObjectName("import-others")
        self._others.setToolTip("Look at three other images of this import")
        self._others.clicked.connect(self.others_requested)
        self._legend = QLabel(_LEGEND)
        self._legend.setObjectName("import-legend")
        self._legend.setProperty("role", "muted")
        self._legend.setFont(theme.font(theme.SMALL))
        row = QHBoxLayout()
        row.setSpacing(theme.GRID)
        for number, tile in enumerate(self._tiles):
            row.addWidget(tile, 1)
            tile.opened.connect(lambda number=number: self.open_large(number))
        foot = QHBoxLayout()
        foot.addWidget(self._legend, 1)
        foot.addStretch()
        foot.addWidget(self._others)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, theme.GRID // 2, 0, 0)
        layout.setSpacing(theme.GRID // 2)
        layout.addLayout(row, 1)
        layout.addLayout(foot)

    def show_samples(self, samples: Sequence[Sample], *, more: bool) -> None:
        """`more`: there are others."""
        self.samples = tuple(samples[:SHOWN])
        self._others.setVisible(more)
        self._legend.setVisible(any(sample.project_boxes or sample.differing for sample in self.samples))
        for number, tile in enumerate(self._tiles):
            tile.setVisible(number < len(self.samples))
            if number < len(self.samples):
                sample = self.samples[number]
                tile.name.setText(sample.name)
                tile.name.setToolTip(str(sample.file or sample.name))
                tile.words.setText(sample.words)
                tile.picture.show_sample(
                    sample.boxes, sample.project_boxes, sample.labels, sample.size, sample.differing
                )
                if sample.file is None:
                    tile.picture.say("Its image file is missing.")
        self._ask()

    def _ask(self) -> None:
        requests = [
            _PictureRequest(one.file, one.window, is_large=False) for one in self.samples if one.file is not None
        ]
        large = self._large_sample
        if large is not None and large.file is not None:
            requests.insert(0, _PictureRequest(large.file, large.window, is_large=True))
        self._background.ask(requests)

    @Slot(object, object)
    def _picture_read(self, request: object, result: object) -> None:
        assert isinstance(request, _PictureRequest)
        if request.is_large:
            if self._large is not None and self._large_sample is not None and self._large_sample.file == request.file:
                _put(self._large.picture, self._large_sample, result)
            return
        for tile, sample in zip(self._tiles, self.samples, strict=False):
            if sample.file == request.file:
                _put(tile.picture, sample, result)

    def open_large(self, number: int) -> None:
        """A window of its own for one of those shown."""
        if number >= len(self.samples) or self.samples[number].file is None:
            return
        if self._large is None:
            self._large = LargeSample(self.window())
        self._large_sample = self.samples[number]
        self._large.show_sample(self._large_sample)
        self._large.show()
        self._large.raise_()
        self._ask()

    def is_idle(self) -> bool:
        """True when no picture is on its way."""
        return self._background.is_idle()

    def close_down(self) -> None:
        """Show nothing, and wait for the picture that is being read."""
        self.samples, self._large_sample = (), None
        if self._large is not None:
            self._large.close()
        self._background.settle()


def _put(view: SamplePicture, sample: Sample, result: object) -> None:
    if isinstance(result, WorkbenchError):
        view.say(getattr(result, "reason", result.sentence))
    elif isinstance(result, Picture):
        width, height = sample.size if all(sample.size) else (result.width, result.height)
        view.show_picture(result, QSizeF(width, height), keep_view=True)


def _read_picture(request: _PictureRequest) -> Picture:
    """In the background's thread."""
    from workbench.core import images
    from workbench.ui.images import pictures

    if request.is_large:
        return pictures.load(request.file, request.window)
    about = images.info(request.file)
    small = pictures.to_qimage(images.thumbnail(request.file, _SIDE, request.window))
    return Picture((small,), (about.width, about.height))
