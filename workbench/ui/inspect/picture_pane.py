"""The middle of the Inspect page: an image with its labels and detections, which follow the sliders at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PySide6.QtCore import QSizeF, Slot
from PySide6.QtWidgets import QVBoxLayout, QWidget

from workbench.core.detections import Candidates
from workbench.core.evaluation.evaluation_data import Confidence
from workbench.core.evaluation.matching import Matching
from workbench.core.evaluation.sliders import Sliders
from workbench.core.formatting import count
from workbench.errors import WorkbenchError
from workbench.ui import theme
from workbench.ui.images.box_names import BoxGroup
from workbench.ui.images.picture_loader import PictureLoader, PictureRequest
from workbench.ui.images.pictures import Picture
from workbench.ui.inspect.box_selection import BoxSelection
from workbench.ui.inspect.compare.comparer import Comparison
from workbench.ui.inspect.evaluation_job import EvaluationResult, Nms
from workbench.ui.inspect.picture import ONE_RUN, TWO_RUNS, WRONG, BoxLegend, InspectPicture
from workbench.ui.inspect.state import OVERLAP
from workbench.ui.widgets.file_names import NamedLine


class PicturePane(QWidget):
    """`show_image`, then `show_boxes` whenever a slider moves."""

    def __init__(self) -> None:
        super().__init__()
        self._evaluation: EvaluationResult | None = None
        self.image = -1  # index in the evaluated snapshot
        self._image_sliders: Sliders | None = None  # for this image alone
        self._selection: BoxSelection | None = None
        self.loader = PictureLoader(self)
        self.loader.loaded.connect(self._came)
        self.picture = InspectPicture()
        self._caption = NamedLine()
        self._caption.setObjectName("inspect-caption")
        self._caption.setContentsMargins(theme.GRID, 0, theme.GRID, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._caption)
        column.addWidget(self.picture, 1)
        self._legends = BoxLegend(self.picture, ONE_RUN), BoxLegend(self.picture, TWO_RUNS)
        for legend in self._legends:
            column.addWidget(legend)
        self._legends[1].hide()

    def clear(self) -> None:
        self._evaluation, self.image, self._image_sliders, self._selection = None, -1, None, None
        self.loader.want(())
        self._show_legend(0)
        self.picture.set_groups(())
        self.picture.set_marked(np.zeros((0, 4)))
        self.picture.show_picture(None, QSizeF())
        self._caption.setText("")

    def show_image(self, evaluation: EvaluationResult, index: int, around: Sequence[int], cache: Path | None) -> None:
        """Read the image; `show_boxes` brings its boxes. `around` are read in advance; `cache`: the project's."""
        self._evaluation, self.image, self._image_sliders = evaluation, index, None
        truth, image = evaluation.truth, evaluation.truth.images[index]
        self.picture.set_groups(())
        picture = self.loader.want(
            [PictureRequest(truth.images[one].id, truth.files[one], truth.window, cache) for one in (index, *around)]
        )
        size = picture or image  # boxes are drawn in pixels of the file, also if its size was changed since
        self.picture.show_picture(picture, QSizeF(size.width, size.height))
        self._show_marks()

    def update_labels(self, evaluation: EvaluationResult) -> None:
        """The images' labels have changed; `show_boxes` brings the boxes."""
        self._evaluation, self._image_sliders = evaluation, None

    @Slot(int, object)
    def _came(self, id: int, result: object) -> None:
        if self._evaluation is None or self.image < 0 or self._evaluation.truth.images[self.image].id != id:
            return
        if isinstance(result, Picture):
            self.picture.show_picture(result, QSizeF(result.width, result.height), keep_view=True)
        elif isinstance(result, WorkbenchError):
            self.picture.say(result.sentence)

    def mark(self, selection: BoxSelection | None) -> None:
        """Frame what is behind a bar, a cell or a point, in this image and those shown later."""
        self._selection = selection
        self._show_marks()

    def _show_marks(self) -> None:
        none = self._selection is None or self.image < 0
        self.picture.set_marked(np.zeros((0, 4)) if none else self._selection.of_image(self.image))  # type: ignore[union-attr]

    def preview_nms(self, nms: Nms, confidence: Confidence) -> None:
        """The boxes with this NMS, before the whole split is matched with it."""
        if self._evaluation is None:
            return
        if self._image_sliders is None:
            self._image_sliders = self._evaluation.sliders_of_image(self.image)
        self._show(nms.of(self._image_sliders), 0, confidence)

    def show_boxes(self, matching: Matching, confidence: Confidence) -> None:
        """The boxes according to the split's matching."""
        if self._evaluation is not None:
            self._show(matching, self.image, confidence)

    def show_pair(self, both: Comparison) -> bool:
        """The boxes of two runs; False if they are not compared in this image."""
        row = both.row_of(self.image)
        if self._evaluation is None or row < 0:
            return False
        evaluation, counted = self._evaluation, both.first.matching.counted
        truth = both.first.matching.truth
        rows = slice(*np.searchsorted(truth.images, [row, row + 1]))
        labelled = tuple(evaluation.names[label] for label in truth.labels[rows][counted[rows]].tolist())
        groups = [BoxGroup("truth", truth.boxes[rows][counted[rows]], labelled)]
        places = both.request.oldest_first(self.image, int(both.pair.second_rows[row]))
        counts = []
        for kind, state, place in zip(("first", "second"), (both.first, both.second), places, strict=True):
            match = state.matching.of_image(row, state.confidences, OVERLAP)
            candidates = state.evaluation.candidates[place]
            scores = _scores(state.matching, row, len(candidates))
            groups.append(_detected(kind, candidates, match.right, evaluation.names, scores))
            groups.append(_detected(f"{kind}_wrong", candidates, match.wrong, evaluation.names, scores, f"{WRONG} "))
            counts.append((len(match.right), len(match.wrong), len(match.missed)))
        words = ", ".join(
            f"{before:,} → {after:,} {what}"
            for what, before, after in zip(("right", "false", "missed"), *counts, strict=True)
        )
        self._show_legend(1)
        self.picture.set_groups(tuple(groups))
        self._caption.set_named(evaluation.truth.images[self.image].path, f": {words}")
        return True

    def _show_legend(self, which: int) -> None:
        if self._legends[which].isHidden():
            self._legends[1 - which].hide()
            self._legends[which].show()
            self._legends[which].apply()

    def _show(self, matching: Matching, row: int, confidence: Confidence) -> None:
        """Show the boxes of image `row` of `matching`, which is the image on display."""
        assert self._evaluation is not None
        self._show_legend(0)
        evaluation, names = self._evaluation, self._evaluation.names
        match = matching.of_image(row, confidence, OVERLAP)
        candidates, truth = evaluation.candidates[self.image], evaluation.truth.boxes[evaluation.truth.rows(self.image)]
        truth_labels = evaluation.truth.label_index[evaluation.truth.rows(self.image)]
        scores = _scores(matching, row, len(candidates))
        labelled = tuple(names[label] for label in truth_labels.tolist())
        groups = [BoxGroup("label", truth[match.partner], tuple(labelled[box] for box in match.partner.tolist()))]
        for kind, rows in (("hit", match.right), ("false_alarm", match.wrong)):
            groups.append(_detected(kind, candidates, rows, names, scores))
        groups.append(BoxGroup("miss", truth[match.missed], tuple(labelled[box] for box in match.missed.tolist())))
        self.picture.set_groups(tuple(groups))
        self._caption.set_named(
            evaluation.truth.images[self.image].path,
            f": {len(match.right):,} right, {count(len(match.wrong), 'false alarm')}, {len(match.missed):,} missed",
        )

    def close_down(self) -> None:
        """Wait for the threads; the page is being closed."""
        self.loader.close()


def _detected(
    kind: str, candidates: Candidates, rows: np.ndarray, names: Sequence[str], scores: np.ndarray, before: str = ""
) -> BoxGroup:
    """These candidates, each called `before`, its label and its score; `scores` (n,) of all candidates."""
    some = zip(candidates.labels[rows].tolist(), scores[rows].tolist(), strict=True)
    words = tuple(f"{before}{names[label]} {score:.2f}" for label, score in some)
    return BoxGroup(kind, candidates.boxes[rows], words, scores[rows])


def _scores(matching: Matching, row: int, count: int) -> np.ndarray:
    """(count,) scores of the image's candidates after NMS: soft NMS lowers some."""
    span = slice(*np.searchsorted(matching.found.images, [row, row + 1]))
    scores = np.zeros(count)
    scores[matching.found.source[span]] = matching.found.scores[span]
    return scores
