"""The review queue by hand, and that each decision takes its item out, is undone as one, and stays in the project."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from tests.core.test_metrics import found_of, truth_of
from workbench.core import edits
from workbench.core.boxes import iou
from workbench.core.detections import Detections
from workbench.core.document import Document
from workbench.core.evaluation.evaluation_data import DetectionSet, GroundTruth
from workbench.core.evaluation.matching import Matching, match
from workbench.core.project import Box, Label, Snapshot, State
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import review, review_decisions
from workbench.inference.evaluating.review import Prediction, ReviewItem, ReviewKind, ReviewOrder
from workbench.inference.evaluating.review_decisions import Decision

SQUARE = [10.0, 10, 20, 20]
THIRD = [15.0, 10, 25, 20]  # on SQUARE by a third
FAR = [60.0, 60, 70, 70]
LOOSE = [10.0, 10, 20, 26]  # on SQUARE by 10 of 16


def listed(
    boxes: list[tuple[int, list[float]]], found: list[tuple[int, list[float], float]], poor: float = 0.5
) -> list[tuple[str, int, float | None, float | None]]:
    """(kind, box, score, IoU) of all but likely errors; one image, labels 0 and 1."""
    truth = truth_of([(0, label, box, False) for label, box in boxes], 1, 2)
    matching = matching_of(truth, found_of([(0, *row) for row in found], 1))
    return [
        (
            str(item.kind),
            item.box,
            round(item.prediction.score, 3) if item.prediction else None,
            None if math.isnan(item.iou) else round(item.iou, 3),
        )
        for item in review.find_items(truth, matching, 0.5, poor=poor)
        if item.kind is not ReviewKind.LABEL_ERROR
    ]


def matching_of(truth: Snapshot, detections: Sequence[Detections]) -> Matching:
    return match(GroundTruth.of(truth), DetectionSet.of(detections))


def test_what_is_right_is_not_listed() -> None:
    assert listed([(0, SQUARE)], [(0, SQUARE, 0.75)]) == []
    assert listed([], []) == []


def test_misses_and_false_alarms_at_the_confidence() -> None:
    assert listed([(0, SQUARE)], [(0, SQUARE, 0.25), (0, FAR, 0.75)]) == [
        ("miss", 1, None, None),
        ("false alarm", 0, 0.75, None),
    ]


def test_a_wrong_label_is_one_item_and_so_is_a_poor_box() -> None:
    assert listed([(0, SQUARE)], [(1, SQUARE, 0.75)]) == [("wrong label", 1, 0.75, 1.0)]
    assert listed([(0, SQUARE)], [(0, THIRD, 0.75)]) == [("poor box", 1, 0.75, 0.333)]
    assert listed([(0, SQUARE)], [(1, THIRD, 0.75)]) == [("miss", 1, None, None), ("false alarm", 0, 0.75, None)]


def test_a_right_box_may_be_poor_too() -> None:
    assert listed([(0, SQUARE)], [(0, LOOSE, 0.75)]) == []
    assert listed([(0, SQUARE)], [(0, LOOSE, 0.75)], poor=0.7) == [("poor box", 1, 0.75, 0.625)]


def test_two_that_lie_off_one_box_are_a_poor_box_and_a_false_alarm() -> None:
    assert listed([(0, SQUARE)], [(0, [10, 10, 20, 14], 0.9), (0, THIRD, 0.75)]) == [
        ("false alarm", 0, 0.75, None),
        ("poor box", 1, 0.9, 0.4),
    ]


def test_the_surest_errors_come_first_and_mistakes_know_how_likely_they_are_one() -> None:
    truth = truth_of([(0, 0, SQUARE, False)], 1, 2)
    matching = matching_of(truth, found_of([(0, 1, SQUARE, 0.75), (0, 0, FAR, 0.9)], 1))
    items = review.sort_items(review.find_items(truth, matching, 0.5), ReviewOrder.DOUBT)
    assert [(item.kind.value, item.reason, round(item.doubt, 3)) for item in items] == [
        ("wrong label", "label", 0.75),
        ("likely label error", "label", 0.75),
        ("false alarm", "missing", 0.208),  # 0.9 * 0.3 / 1.3, as the only one of its label has no box
        ("likely label error", "missing", 0.208),
    ]


def test_what_is_said_of_one_false_alarm_is_not_said_of_another() -> None:
    found = [(0, 0, FAR, 0.9), (0, 0, [80.0, 80, 90, 90], 0.6), (0, 0, [30.0, 80, 40, 90], 0.25)]
    matching = matching_of(truth_of([], 1, 1), found_of(found, 1))
    items = review.sort_items(review.find_items(truth_of([], 1, 1), matching, 0.2), ReviewOrder.DOUBT)
    assert [round(item.doubt, 3) for item in items if item.kind is ReviewKind.FALSE_ALARM] == [0.208, 0.138, 0]


def test_orders_put_what_an_item_lacks_last() -> None:
    seen = Prediction((0, 0, 1, 1), 1, 0.5)
    bare = ReviewItem(ReviewKind.MISS, 1, 1, 1, (0, 0, 1, 1), loss=2.0)
    low = ReviewItem(ReviewKind.POOR_BOX, 2, 2, 1, (0, 0, 1, 1), seen, iou=0.2)
    high = ReviewItem(ReviewKind.POOR_BOX, 3, 3, 1, (0, 0, 1, 1), replace(seen, score=0.75), iou=0.4, loss=3.0)
    items = [bare, high, low]
    assert review.sort_items(items, ReviewOrder.CONFIDENCE) == [high, low, bare]
    assert review.sort_items(items, ReviewOrder.IOU) == [low, high, bare]
    assert review.sort_items(items, ReviewOrder.LOSS) == [high, bare, low]


def test_losses_are_those_of_the_images() -> None:
    truth = truth_of([(1, 0, SQUARE, False)], 2, 1)
    (item,) = (
        item
        for item in review.find_items(truth, matching_of(truth, found_of([], 2)), 0.5, losses={2: 7.5})
        if item.kind is ReviewKind.MISS
    )
    assert (item.image, item.loss) == (2, 7.5)


# --- decisions ---

# boxes of the two images, and what a network sees there
BOXES = ((0, SQUARE), (0, [40.0, 10, 50, 20]), (1, [40.0, 40, 50, 50]))
SEEN: list[tuple[int, int, list[float], float]] = [
    (0, 0, THIRD, 0.9), (0, 1, [40.0, 10, 50, 20.5], 0.8), (0, 0, FAR, 0.7), (1, 0, [90, 90, 104, 104], 0.6)
]  # fmt: skip


class Desk:
    """A project and what a network sees in it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.detections = found_of(SEEN, 2)
        self.truth = document.snapshot()

    def queue(self) -> list[ReviewItem]:
        """What is left, after the labels as they are now."""
        self.truth = review_decisions.replace_images(self.truth, self.document.snapshot())
        found = review.find_items(self.truth, matching_of(self.truth, self.detections), 0.5)
        known = review_decisions.memory(self.document)
        return [item for item in found if not review_decisions.is_settled(item, known)]

    def one(self, kind: ReviewKind) -> ReviewItem:
        return next(item for item in self.queue() if item.kind is kind)

    def do(self, item: ReviewItem, decision: Decision) -> None:
        self.document.do(review_decisions.edit(item, decision, self.document))

    def boxes(self) -> list[tuple[int, list[float], bool]]:
        """(label, xyxy, crowd) of the first image."""
        image = self.document.images()[0].id
        return [(box.label, [round(x, 3) for x in box.xyxy], box.crowd) for box in self.document.boxes(image)]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    (tmp_path / "photographs").mkdir()
    for name in "ab":
        PIL.Image.new("RGB", (100, 100)).save(tmp_path / "photographs" / f"{name}.png")
    with Document.create(tmp_path / "project", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"), Label(0, "plate"))))
        labels, image = [label.id for label in document.labels()], document.images()[0].id
        boxes = tuple(Box(0, image, labels[label], (x0, y0, x1, y1), note="mine") for label, (x0, y0, x1, y1) in BOXES)
        document.do(edits.AddBoxes(boxes))
        yield Desk(document)


def test_taking_the_prediction(desk: Desk) -> None:
    desk.do(desk.one(ReviewKind.POOR_BOX), Decision.TAKE)
    desk.do(desk.one(ReviewKind.WRONG_LABEL), Decision.TAKE)
    desk.do(desk.one(ReviewKind.FALSE_ALARM), Decision.TAKE)
    desk.do(desk.one(ReviewKind.MISS), Decision.TAKE)  # nothing was predicted there
    assert desk.boxes() == [(1, THIRD, False), (2, [40, 10, 50, 20.5], False), (1, FAR, False)]
    assert {box.note for box in desk.document.boxes(desk.document.images()[0].id)[:2]} == {"mine"}


def test_taking_or_ignoring_a_prediction_that_lies_on_another_object_leaves_the_label_of_its_neighbour(
    desk: Desk,
) -> None:
    beside = [16.0, 10, 26, 20]  # on SQUARE by a quarter, each centre beyond the other
    desk.detections = found_of([(0, 0, beside, 0.9)], 2)
    item = desk.one(ReviewKind.POOR_BOX)
    assert "beside yours" in review_decisions.words(item, Decision.TAKE)
    before = desk.boxes()
    desk.do(item, Decision.TAKE)
    assert desk.boxes() == [*before, (1, beside, False)]
    assert next(one.box for one in desk.queue() if one.kind is ReviewKind.MISS) == item.box, "it is asked about alone"
    desk.document.undo()
    assert desk.boxes() == before
    assert "Your box stays" in review_decisions.words(item, Decision.IGNORE)
    desk.do(item, Decision.IGNORE)
    assert desk.boxes() == [*before, (1, beside, True)]


def test_my_label_was_wrong(desk: Desk) -> None:
    desk.do(desk.one(ReviewKind.POOR_BOX), Decision.WRONG)
    desk.do(desk.one(ReviewKind.WRONG_LABEL), Decision.WRONG)
    desk.do(desk.one(ReviewKind.MISS), Decision.WRONG)
    assert desk.boxes() == [(2, [40, 10, 50, 20], False)]
    desk.do(desk.one(ReviewKind.FALSE_ALARM), Decision.WRONG)
    assert desk.boxes()[1:] == [(1, FAR, False)]


def test_ignoring_makes_a_crowd_region_that_counts_for_nobody(desk: Desk) -> None:
    desk.do(desk.one(ReviewKind.POOR_BOX), Decision.IGNORE)
    desk.do(desk.one(ReviewKind.FALSE_ALARM), Decision.IGNORE)
    assert desk.boxes()[0] == (1, SQUARE, True)
    assert desk.boxes()[3] == (1, FAR, True)


def test_keeping_changes_no_label_and_is_remembered_for_the_next_run_too(desk: Desk) -> None:
    before = desk.boxes()
    desk.do(desk.one(ReviewKind.FALSE_ALARM), Decision.KEEP)
    assert desk.boxes() == before
    desk.detections = found_of([(0, 0, [61, 60, 71, 70], 0.9), (0, 1, FAR, 0.8)], 2)  # another run
    assert [item.labels for item in desk.queue() if item.kind is ReviewKind.FALSE_ALARM] == [{2}]  # a new label


def test_a_box_that_was_changed_since_is_looked_at_again(desk: Desk) -> None:
    item = desk.one(ReviewKind.MISS)
    desk.do(item, Decision.KEEP)
    assert ReviewKind.MISS not in {one.kind for one in desk.queue()}
    (box,) = (box for box in desk.document.boxes(item.image) if box.id == item.box)
    desk.document.do(edits.ReplaceBoxes((replace(box, xyxy=(41.0, 40, 51, 50)),)))
    assert desk.one(ReviewKind.MISS).box == item.box


@pytest.mark.parametrize("kind", list(ReviewKind))
def test_every_decision_takes_its_item_out_and_one_undo_brings_it_back(desk: Desk, kind: ReviewKind) -> None:
    before = desk.queue()
    for decision in Decision:
        item = desk.one(kind)
        desk.do(item, decision)
        after = desk.queue()
        assert item.key not in {one.key for one in after}
        fresh = {one.key for one in after} - {one.key for one in before}
        assert not [one for one in after if one.key in fresh and overlap(one, item)], "nothing comes up instead"
        desk.document.undo()
        assert [one.key for one in desk.queue()] == [one.key for one in before]
        desk.document.redo()
        assert [one.key for one in desk.queue()] == [one.key for one in after]
        desk.document.undo()


def overlap(one: ReviewItem, other: ReviewItem) -> bool:
    a, b = (np.array([item.around]) for item in (one, other))
    return one.image == other.image and float(iou(a, b)[0, 0]) > 0


def test_what_was_decided_is_known_after_a_restart(desk: Desk) -> None:
    desk.do(desk.one(ReviewKind.FALSE_ALARM), Decision.KEEP)
    desk.do(desk.one(ReviewKind.MISS), Decision.KEEP)
    left = [item.key for item in desk.queue()]
    desk.document.close()
    with Document.open(desk.document.folder) as document:
        assert [item.key for item in Desk(document).queue()] == left
        document.undo()
        assert ReviewKind.MISS in {item.kind for item in Desk(document).queue()}


def test_what_is_predicted_beyond_the_image_is_cut_and_an_unlabelled_image_is_in_work(desk: Desk) -> None:
    image = desk.document.images()[1]
    assert image.state is State.UNLABELLED
    desk.do(next(item for item in desk.queue() if item.image == image.id), Decision.TAKE)
    assert desk.document.boxes(image.id)[0].xyxy == (90, 90, 100, 100)
    assert desk.document.image(image.id).state is State.IN_WORK
    desk.document.undo()
    assert desk.document.image(image.id).state is State.UNLABELLED


def test_a_box_that_is_gone_is_said_to_be(desk: Desk) -> None:
    item = desk.one(ReviewKind.WRONG_LABEL)
    desk.document.do(edits.RemoveBoxes((item.box,)))
    with pytest.raises(WorkbenchError):
        desk.do(item, Decision.TAKE)


def test_every_deed_is_said_before_it_is_done() -> None:
    seen = Prediction((0, 0, 1, 1), 2, 0.5)
    pair = ReviewItem(ReviewKind.WRONG_LABEL, 1, 1, 1, (0, 0, 1, 1), seen, 1.0)
    alone, alarm = replace(pair, prediction=None), ReviewItem(ReviewKind.FALSE_ALARM, 1, prediction=seen)
    same = replace(pair, prediction=replace(seen, label=1))
    said = [[review_decisions.words(item, decision) for decision in Decision] for item in (pair, same, alone, alarm)]
    assert "keeps its place" in said[0][1]
    assert ["removed" in row[1] for row in said] == [False, True, True, False]
    assert said[2][0] == said[2][1]
    assert "Not an object" in said[3][3]


def test_a_box_that_was_left_as_it_is_comes_again_when_it_is_moved_or_called_otherwise() -> None:
    item = ReviewItem(ReviewKind.POOR_BOX, 1, 5, 2, (0, 0, 10, 10))
    known = {1: [[2, 5, 0, 0, 10, 10]]}
    assert review_decisions.is_settled(item, known)
    for other in (
        replace(item, label=3),
        replace(item, box=6),
        replace(item, xyxy=(0, 0, 10, 14)),
        replace(item, image=2),
    ):
        assert not review_decisions.is_settled(other, known)


# --- the labels after an edit ---


def test_the_images_that_changed_are_taken_anew_and_all_others_stay() -> None:
    truth = truth_of([(0, 0, SQUARE, False), (1, 1, FAR, False), (2, 0, THIRD, True)], 3, 2)
    fresh = truth_of([(1, 0, SQUARE, False), (1, 1, THIRD, False)], 3, 2).take([1])
    made = review_decisions.replace_images(truth, replace(fresh, box_ids=np.array([8, 9])))
    assert made.offsets.tolist() == [0, 1, 3, 4]
    assert made.box_ids.tolist() == [1, 8, 9, 3]
    assert made.boxes.tolist() == [SQUARE, SQUARE, THIRD, THIRD]
    assert made.label_index.tolist() == [0, 0, 1, 0]
    assert made.crowd.tolist() == [False, False, False, True]
    assert made.notes == ()


def test_notes_come_along_and_images_of_neither_are_left_out() -> None:
    truth = truth_of([(0, 0, SQUARE, False)], 2, 1)
    fresh = replace(truth_of([(0, 0, FAR, False), (2, 0, FAR, False)], 3, 1).take([0, 2]), notes=(("a", ""), ("b", "")))
    made = review_decisions.replace_images(truth.take([0]), fresh)
    assert (made.boxes.tolist(), made.notes, len(made)) == ([FAR], (("a", ""),), 1)
    empty = truth.take([])
    assert review_decisions.replace_images(truth, empty).boxes.tolist() == [SQUARE]
    assert len(review_decisions.replace_images(empty, fresh)) == 0


def test_other_labels_need_another_look() -> None:
    truth = truth_of([(0, 0, SQUARE, False)], 1, 2)
    with pytest.raises(ValueError, match="labels"):
        review_decisions.replace_images(truth, truth_of([], 1, 1))
