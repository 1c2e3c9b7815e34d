"""After an edit, matches the same candidates with the current labels, in a thread. No network is run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from PySide6.QtCore import QObject, Signal, Slot

from workbench.core.applied import Applied
from workbench.core.document import Document
from workbench.core.former_names import SAID
from workbench.core.matching import Truth
from workbench.core.project import Image, Snapshot, Split
from workbench.core.words import count
from workbench.inference import review_deeds
from workbench.ui.background import Background
from workbench.ui.inspect.shown import moved
from workbench.ui.inspect.work import Found, Nms
from workbench.ui.widgets.image_filter import split_word


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """`fresh`: the current state of the images changed since `found` was computed. Compared by identity."""

    found: Found
    nms: Nms
    fresh: Snapshot


class Follower(QObject):
    """`followed(Found)` with the new truth, matched with NMS as in its `nms`. Call `close_down` before it goes."""

    followed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._found: Found | None = None  # as evaluated
        self._ids: frozenset[int] = frozenset()
        self._touched: set[int] = set()  # ids of images edited since then
        self._behind: Background | None = None

    def begin(self, found: Found | None) -> None:
        """Edits from now on concern these images; None: none."""
        self._found = found
        self._ids = frozenset(image.id for image in found.truth.images) if found is not None else frozenset()
        self._touched.clear()

    def follow(self, document: Document | None, applied: Applied, nms: Nms) -> bool:
        """Match again if the edit's images were evaluated. False: a new evaluation is needed for all that it changed,
        as the labels no longer correspond to the detector's.
        """
        if document is None or self._found is None or applied.labels_changed or applied.changes(SAID):
            return False
        touched = self._ids.intersection(applied.images)
        if touched:
            self._touched |= touched
            self._ask(_Wish(self._found, nms, document.snapshot(self._touched)))
        return True

    def _ask(self, wish: _Wish) -> None:
        if self._behind is None:
            self._behind = Background("Following the labels", _followed, self)
            self._behind.done.connect(self._came)
        self._behind.ask([wish])

    @Slot(object, object)
    def _came(self, wish: object, result: object) -> None:
        if isinstance(wish, _Wish) and wish.found is self._found and isinstance(result, Found):
            self.followed.emit(result)

    def close_down(self) -> None:
        """Wait for the thread."""
        if self._behind is not None:
            self._behind.close()
            self._behind.deleteLater()
            self._behind = None


def summary(found: Found) -> str:
    """What was evaluated, in words. Whether it was learnt comes early: in a narrow window the end is cut off."""
    skipped = f" {found.skipped:,} could not be read." if found.skipped else ""
    remark = f" {found.remark}" if found.remark else ""
    crowds = int(found.truth.crowd.sum())
    boxes = count(len(found.truth.boxes) - crowds, "labelled box")
    boxes += f", {count(crowds, 'region')} to ignore" if crowds else ""
    known, perhaps = found.trained_on, ""
    if known is None:
        known, perhaps = sum(image.split in (Split.TRAIN, Split.NONE) for image in found.truth.images), "perhaps "
    which = f"{known:,} of them " if len(found.truth) > 1 else ""
    learnt = f", {which}{perhaps}trained on" if known else ""
    return f"{count(len(found.truth), 'image')}{learnt}, {boxes}.{skipped}{remark}"


def told(found: Found, image: Image | None, *, is_stale: bool, has_others: bool) -> str:
    """The text above the page: what was evaluated, and that `image`, the one chosen elsewhere, is not among it; or that
    a new evaluation is needed, as labels or images have changed since.
    """
    if is_stale:
        return "Labels have changed since. Look again to compare with them."
    if has_others:
        return "Other images belong to these now. Look again to count them."
    if image is None or any(one.id == image.id for one in found.truth.images):
        return summary(found)
    return f"{summary(found)} {image.name} ({split_word(image.split).lower()}, {image.state}) is not among them."


def _followed(wish: _Wish) -> Found:
    """Runs in the thread."""
    truth = review_deeds.renewed(wish.found.truth, wish.fresh)
    sliders = wish.found.sliders.with_truth(Truth.of(truth, wish.found.rules.difficult))
    found = replace(wish.found, truth=truth, sliders=sliders, nms=wish.nms)
    return replace(found, matching=moved((found, wish.nms)))
