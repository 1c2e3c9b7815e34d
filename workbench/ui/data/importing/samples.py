"""Three images of an import to look at, with the boxes as they would come in, and where the project differs its own."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSizeF, Qt, Signal, Slot
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from workbench.core import formatting
from workbench.core.decoding.intensity_window import IntensityWindow
from workbench.core.document import Document
from workbench.core.project import Box, Label
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.background import Background
from workbench.ui.data.importing.findings import OUTCOMES, ImportFindings
from workbench.ui.data.importing.sample_picture import SamplePicture
from workbench.ui.images.pictures import Picture
from workbench.ui.widgets.elided import ElidedLabel

SHOWN = 3
_ALIKE = 0.51
"""Pixels that edges may be apart where a format rounds to whole ones."""
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


def make_sample(document: Document, found: ImportFindings, row: int) -> Sample:
    """Of `found.plan.compared[row]`, beside the project as it is now."""
    one = found.plan.compared[row]
    label_of = found.label_of
    boxes = tuple(
        dataclasses.replace(box, id=number, label=label_of[name].id) for number, (name, box) in enumerate(one.boxes)
    )
    file = document.file(one.image) if one.image.id else one.read.file
    words = [formatting.count(len(boxes), "box") if one.labelled else "not labelled in the files"]
    place = np.flatnonzero(found.differences.rows == row)
    project_boxes: tuple[Box, ...] = ()
    differing = frozenset[int]()
    if len(place):
        differing = frozenset(found.differences.items[place[0]].others)
        own = document.boxes(one.image.id)
        project_boxes = _without_match(own, boxes)
        words = [f"{words[0]}, {len(own):,} here", OUTCOMES[found.differences.outcomes[place[0]]]]
    elif one.image.id and one.labelled:
        words.append("as it is here already" if document.boxes(one.image.id) else "not labelled here yet")
    if one.image.orientation != 1:
        words.append(f"turned by EXIF orientation {one.image.orientation}")
    labels = {label.id: label for label in (*document.labels(), *label_of.values())}
    return Sample(
        name=one.image.name if one.image.id else one.image.path,
        file=file if file is not None and os.path.isfile(file) else None,
        size=(one.image.width, one.image.height),
        boxes=boxes,
        project_boxes=project_boxes,
        labels=tuple(labels.values()),
        words="; ".join(words),
        window=document.window(),
        differing=differing,
    )


def _without_match(project_boxes: tuple[Box, ...], file_boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """Those of `project_boxes` that have no like among the files' boxes."""
    if not project_boxes or not file_boxes:
        return project_boxes
    theirs, labels = np.array([box.xyxy for box in file_boxes], float), np.array([box.label for box in file_boxes])
    order = np.argsort(theirs[:, 0])  # only those that begin near a box are compared with it
    theirs, labels = theirs[order], labels[order]
    ours = np.array([box.xyxy for box in project_boxes], float)
    begin, end = (np.searchsorted(theirs[:, 0], ours[:, 0] + away) for away in (-1, 1))

    def has_like(box: Box, xyxy: np.ndarray, near: slice) -> bool:
        alike = (np.abs(theirs[near] - xyxy) <= _ALIKE).all(1) & (labels[near] == box.label)
        return bool(alike.any())

    near = map(slice, begin.tolist(), end.tolist())
    return tuple(
        box for box, xyxy, some in zip(project_boxes, ours, near, strict=True) if not has_like(box, xyxy, some)
    )


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
