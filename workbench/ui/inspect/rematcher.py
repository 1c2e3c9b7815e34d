"""After an edit, matches the same candidates with the current labels, in a thread. No network is run."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.applied_edit import AppliedEdit
from workbench.core.document import Document
from workbench.core.evaluation.evaluation_data import GroundTruth
from workbench.core.formatting import count
from workbench.core.former_names import SAID
from workbench.core.project import Image, Snapshot, Split
from workbench.inference.evaluating import review_decisions
from workbench.ui.background import Background
from workbench.ui.inspect.evaluation_job import EvaluationResult, Nms
from workbench.ui.inspect.state import rematch


@dataclass(frozen=True, slots=True, eq=False)
class _RematchRequest:
    """`fresh`: the current state of the images changed since `evaluation` was computed. Compared by identity."""

    evaluation: EvaluationResult
    nms: Nms
    fresh: Snapshot


class Rematcher(QObject):
    """`rematched(EvaluationResult)` with the new truth and NMS as in its `nms`. Call `close_down` before it goes.

    `is_stale`: labels have changed since the evaluation, so that they no longer correspond to the detector's. It can't
    be matched again, and a new one is needed.
    """

    rematched = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.is_stale = False
        self._evaluation: EvaluationResult | None = None  # as evaluated, or matched last
        self._ids: frozenset[int] = frozenset()
        self._touched: set[int] = set()  # ids of images edited since then
        self._unasked: set[int] = set()  # those of them that were edited since the last request
        self._latest: _RematchRequest | None = None
        self._meanwhile: set[int] = set()  # ids of images edited since an evaluation began that is not here yet
        self._has_other_labels = False  # since then
        self._background = Background("Following the labels", _rematch_labels, self)
        self._background.done.connect(self._received)

    def watch(self) -> None:
        """An evaluation begins, of the labels as they are now: see `catch_up`."""
        self._meanwhile.clear()
        self._has_other_labels = False

    def begin(self, evaluation: EvaluationResult | None) -> None:
        """Edits from now on concern these images; None: none."""
        self._evaluation, self.is_stale, self._latest = evaluation, False, None
        self._ids = frozenset(image.id for image in evaluation.truth.images) if evaluation is not None else frozenset()
        self._touched, self._unasked = set(), set()

    def note(self, applied: AppliedEdit) -> None:
        """An edit was made: `match` follows it if its images were evaluated, unless it makes the evaluation stale."""
        self._meanwhile |= applied.images
        if applied.labels_changed or applied.changes(SAID):
            self._has_other_labels = self.is_stale = True
        self._touch(applied.images)

    def catch_up(self) -> None:
        """The evaluation that has come is to be matched with what was edited since `watch`."""
        self.is_stale = self._has_other_labels
        self._touch(self._meanwhile)

    def _touch(self, images: Collection[int]) -> None:
        touched = self._ids.intersection(images)
        self._touched |= touched
        self._unasked |= touched

    def match(self, document: Document | None, nms: Nms) -> None:
        """Match with the labels as they are now, if they have changed since the last time."""
        if self._unasked and not self.is_stale and document is not None and self._evaluation is not None:
            self._unasked = set()
            self._latest = _RematchRequest(self._evaluation, nms, document.snapshot(self._touched))
            self._background.ask([self._latest])

    @Slot(object, object)
    def _received(self, request: object, result: object) -> None:
        if (
            isinstance(request, _RematchRequest)
            and request.evaluation is self._evaluation
            and isinstance(result, EvaluationResult)
        ):
            if request is self._latest:  # the next one begins there, without what was edited before
                self._evaluation, self._touched = result, set(self._unasked)
            self.rematched.emit(result)

    def close_down(self) -> None:
        """Wait for the thread."""
        self._background.close()


def summary(evaluation: EvaluationResult) -> str:
    """What was evaluated, in words. Whether it was learnt comes early: in a narrow window the end is cut off."""
    skipped = f" {evaluation.skipped:,} could not be read." if evaluation.skipped else ""
    remark = f" {evaluation.remark}" if evaluation.remark else ""
    crowds = int(evaluation.truth.crowd.sum())
    boxes = count(len(evaluation.truth.boxes) - crowds, "labelled box")
    boxes += f", {count(crowds, 'region')} to ignore" if crowds else ""
    known, perhaps = evaluation.trained_on, ""
    if known is None:
        known, perhaps = sum(image.split in (Split.TRAIN, Split.NONE) for image in evaluation.truth.images), "perhaps "
    which = f"{known:,} of them " if len(evaluation.truth) > 1 else ""
    learnt = f", {which}{perhaps}trained on" if known else ""
    tiles = f" in {count(evaluation.tiles, 'tile')}" if evaluation.tiles else ""
    return f"{count(len(evaluation.truth), 'image')}{tiles}{learnt}, {boxes}.{skipped}{remark}"


def status_text(
    evaluation: EvaluationResult, other: Image | None, *, is_stale: bool, has_others: bool, has_new_weights: bool
) -> str:
    """The text above the page: what was evaluated, and that `other`, an image chosen elsewhere, is not among it; or
    that a new evaluation is needed, as labels, images or the checkpoint's weights have changed since.
    """
    if has_new_weights:
        return "The weights have changed since. Look again to use them."
    if is_stale:
        return "Labels have changed since. Look again to compare with them."
    if has_others:
        return "Other images belong to these now. Look again to count them."
    if other is None:
        return summary(evaluation)
    return f"{summary(evaluation)} {other.name} ({other.split.words}, {other.state}) is not among them."


def _rematch_labels(request: _RematchRequest) -> EvaluationResult:
    """Runs in the thread."""
    truth = review_decisions.replace_images(request.evaluation.truth, request.fresh)
    sliders = request.evaluation.sliders.with_truth(GroundTruth.of(truth))
    evaluation = replace(request.evaluation, truth=truth, sliders=sliders, nms=request.nms, folds=())
    return replace(evaluation, matching=rematch((evaluation, request.nms)))
