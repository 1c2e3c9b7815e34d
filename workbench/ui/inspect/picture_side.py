"""The middle of the Inspect page: an image with its labels and detections, which follow the sliders at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSizeF, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.core.detections import Candidates
from workbench.core.matching import Confidence, Matching
from workbench.core.sliders import Sliders
from workbench.core.window import Window
from workbench.core.words import count
from workbench.errors import WorkbenchError
from workbench.ui import pictures, theme
from workbench.ui.background import Background
from workbench.ui.inspect.chosen import Chosen
from workbench.ui.inspect.compare.work import Compared
from workbench.ui.inspect.picture import ONE_RUN, TWO_RUNS, WRONG, Group, InspectPicture, Legend
from workbench.ui.inspect.shown import OVERLAP
from workbench.ui.inspect.work import Found, Nms
from workbench.ui.pictures import Picture
from workbench.ui.widgets.file_names import NamedLine


class PictureSide(QWidget):
    """`show_image`, then `show_boxes` whenever a slider moves."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._found: Found | None = None
        self.image = -1  # index in the evaluated snapshot
        self._alone: Sliders | None = None  # for this image alone
        self._chosen: Chosen | None = None
        self._reading: tuple[Path, Window | None] | None = None
        self._reader: Background | None = None
        self.picture = InspectPicture()
        self._caption = NamedLine()
        self._caption.setObjectName("inspect-caption")
        self._caption.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._caption)
        column.addWidget(self.picture, 1)
        self._legends = Legend(self.picture, ONE_RUN), Legend(self.picture, TWO_RUNS)
        for legend in self._legends:
            column.addWidget(legend)
        self._legends[1].hide()

    def clear(self) -> None:
        self._found, self.image, self._alone, self._chosen = None, -1, None, None
        self._reading = None
        self._show_legend(0)
        self.picture.set_groups(())
        self.picture.set_marked(np.zeros((0, 4)))
        self.picture.show_picture(None, QSizeF())
        self._caption.setText("")

    def show_image(self, found: Found, index: int) -> None:
        """Read the image; `show_boxes` brings its boxes."""
        self._found, self.image, self._alone = found, index, None
        image = found.truth.images[index]
        self.picture.set_groups(())
        self.picture.show_picture(None, QSizeF(image.width, image.height))
        self._reading = found.truth.files[index], found.truth.window
        if self._reader is None:
            self._reader = Background("Pictures", lambda wish: pictures.load(*wish), self)
            self._reader.done.connect(self._read)
        self._reader.ask([self._reading])
        self._show_marks()

    def follow(self, found: Found) -> None:
        """The images' labels have changed; `show_boxes` brings the boxes."""
        self._found, self._alone = found, None

    @Slot(object, object)
    def _read(self, wish: object, result: object) -> None:
        if wish != self._reading:
            return
        if isinstance(result, Picture):
            self.picture.show_picture(result, QSizeF(result.width, result.height), keep_view=True)
        elif isinstance(result, WorkbenchError):
            self.picture.say(result.sentence)

    def mark(self, chosen: Chosen | None) -> None:
        """Frame what is behind a bar, a cell or a point, in this image and those shown later."""
        self._chosen = chosen
        self._show_marks()

    def _show_marks(self) -> None:
        none = self._chosen is None or self.image < 0
        self.picture.set_marked(np.zeros((0, 4)) if none else self._chosen.of_image(self.image))  # type: ignore[union-attr]

    def show_ahead(self, nms: Nms, confidence: Confidence) -> None:
        """The boxes with this NMS, before the whole split is matched with it."""
        if self._found is None:
            return
        if self._alone is None:
            self._alone = self._found.alone(self.image)
        self._show(nms.of(self._alone), 0, confidence)

    def show_boxes(self, matching: Matching, confidence: Confidence) -> None:
        """The boxes according to the split's matching."""
        if self._found is not None:
            self._show(matching, self.image, confidence)

    def show_pair(self, both: Compared) -> bool:
        """The boxes of two runs; False if they are not compared in this image."""
        row = both.row_of(self.image)
        if self._found is None or row < 0:
            return False
        found, counted = self._found, both.first.matching.counted
        rows = slice(*np.searchsorted(both.first.matching.truth.images, [row, row + 1]))
        groups = [Group("truth", both.first.matching.truth.boxes[rows][counted[rows]], ())]
        places = both.wanted.in_time(self.image, int(both.pair.seconds[row]))
        counts = []
        for kind, state, place in zip(("first", "second"), (both.first, both.second), places, strict=True):
            match = state.matching.of_image(row, state.wanted, OVERLAP)
            seen = state.found.candidates[place]
            names = _named(found.names, seen, _scores(state.matching, row, len(seen)))
            groups.append(Group(kind, seen.boxes[match.right], names(match.right)))
            groups.append(Group(f"{kind}_wrong", seen.boxes[match.wrong], names(match.wrong, f"{WRONG} ")))
            counts.append((len(match.right), len(match.wrong), len(match.missed)))
        words = ", ".join(
            f"{before:,} → {after:,} {what}"
            for what, before, after in zip(("right", "false", "missed"), *counts, strict=True)
        )
        self._show_legend(1)
        self.picture.set_groups(tuple(groups))
        self._caption.set_named(found.truth.images[self.image].path, f": {words}")
        return True

    def _show_legend(self, which: int) -> None:
        if self._legends[which].isHidden():
            self._legends[1 - which].hide()
            self._legends[which].show()
            self._legends[which].apply()

    def _show(self, matching: Matching, row: int, confidence: Confidence) -> None:
        """Show the boxes of image `row` of `matching`, which is the image on display."""
        assert self._found is not None
        self._show_legend(0)
        found, names = self._found, self._found.names
        match = matching.of_image(row, confidence, OVERLAP)
        seen, truth = found.candidates[self.image], found.truth.boxes[found.truth.rows(self.image)]
        truth_labels = found.truth.label_index[found.truth.rows(self.image)]
        words = _named(names, seen, _scores(matching, row, len(seen)))
        groups = [Group("label", truth[match.partner], ())]
        for kind, rows in (("hit", match.right), ("false_alarm", match.wrong)):
            groups.append(Group(kind, seen.boxes[rows], words(rows)))
        missed = tuple(names[label] for label in truth_labels[match.missed])
        groups.append(Group("miss", truth[match.missed], missed))
        self.picture.set_groups(tuple(groups))
        self._caption.set_named(
            found.truth.images[self.image].path,
            f": {len(match.right):,} right, {count(len(match.wrong), 'false alarm')}, {len(match.missed):,} missed",
        )

    def close_down(self) -> None:
        """Wait for the thread; the page is being closed."""
        if self._reader is not None:
            self._reader.close()
            self._reader.deleteLater()
            self._reader = None


def _named(names: Sequence[str], seen: Candidates, scores: np.ndarray) -> Callable[..., tuple[str, ...]]:
    """(rows, before="") -> each candidate's label and score."""

    def words(rows: np.ndarray, before: str = "") -> tuple[str, ...]:
        some = zip(seen.labels[rows].tolist(), scores[rows].tolist(), strict=True)
        return tuple(f"{before}{names[label]} {score:.2f}" for label, score in some)

    return words


def _scores(matching: Matching, row: int, count: int) -> np.ndarray:
    """(count,) scores of the image's candidates after NMS: soft NMS lowers some."""
    span = slice(*np.searchsorted(matching.found.images, [row, row + 1]))
    scores = np.zeros(count)
    scores[matching.found.source[span]] = matching.found.scores[span]
    return scores
