"""Why AP is zero: hand-made boxes and detections, one case for each reason."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from workbench.core.project import Image, Label, Snapshot
from workbench.training.checks.why_zero import LABEL_MORE, MOVE, Learning, gather_facts, remarks

NAMES = ("ant", "bee", "cat")
GOING = Learning(500, 1000, 100, [4.0] * 5 + [2.0] * 5, 0.001)
PLENTY = np.array([100, 100, 100])


@dataclass(frozen=True)
class Found:
    boxes: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def truth(images: int = 10, crowd: bool = False) -> Snapshot:
    """Each image has a box of 40 x 20 of every label, side by side."""
    count = 3 * images
    boxes = np.tile([[0, 0, 40, 20], [100, 0, 140, 20], [200, 0, 240, 20]], (images, 1))
    flags = np.zeros((count, 4), bool)
    flags[:, 3] = crowd
    return Snapshot(
        labels=tuple(Label(n, name) for n, name in enumerate(NAMES, 1)),
        images=tuple(Image(n, f"{n}.png", 300, 100) for n in range(1, images + 1)),
        files=(), offsets=np.arange(0, count + 1, 3), boxes=boxes.astype(float),
        label_index=np.tile([0, 1, 2], images), flags=flags, box_ids=np.arange(count),
    )  # fmt: skip


def moved(change: Callable[[np.ndarray], np.ndarray], labels: Any = (0, 1, 2), score: float = 0.5) -> list[Found]:
    """In each image a detection of each box, changed."""
    one = change(truth(1).boxes.copy())
    return [Found(one, np.full(len(one), score), np.array(labels)) for _ in range(10)]


def same(boxes: np.ndarray) -> np.ndarray:
    return boxes


def said(detections: list[Found], ap50: float = 0.0, learning: Learning = GOING, **more: Any) -> tuple[str, ...]:
    per_label = more.pop("per_label", dict.fromkeys(NAMES, ap50))
    remedy = more.pop("remedy", MOVE)
    return remarks(
        more.pop("truth", truth()), detections, more.pop("learnt", PLENTY), ap50, per_label, learning, remedy
    )


NOTHING = [Found(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))] * 10


def test_where_something_is_found_nothing_is_said() -> None:
    assert said(moved(same), 0.3) == ()
    assert said(NOTHING, 0.01) == ()


def test_without_validation_boxes_ap_can_not_be_told() -> None:
    assert said(NOTHING, math.nan, truth=truth(crowd=True), per_label={})[0].startswith("AP can't be measured")


def test_not_a_single_detection() -> None:
    (only,) = said(NOTHING)
    assert only.startswith("Next to nothing is found right (AP50 0.000): there are no detections at all")


def test_label_ids_that_are_shifted_by_one() -> None:
    later, earlier = said(moved(same, (1, 2, 0))), said(moved(same, (2, 0, 1)))
    assert "100 % of the boxes are found, but under other labels, each the one that comes 1 later" in later[0]
    assert "1 earlier in the list. The label ids look shifted" in earlier[0]


def test_everything_is_called_by_the_name_of_one() -> None:
    """Boxes of bee and cat only, so that none is right."""
    some = truth()
    rows = np.flatnonzero(some.label_index > 0)
    without = replace(
        some, boxes=some.boxes[rows], label_index=some.label_index[rows], flags=some.flags[rows],
        box_ids=some.box_ids[rows], offsets=np.arange(0, 21, 2),
    )  # fmt: skip
    (only,) = said(moved(lambda boxes: boxes[1:], (0, 0)), truth=without)
    assert "nearly all are called 'ant'" in only


def test_two_labels_that_are_taken_for_each_other_are_named() -> None:
    """Bee and cat are exchanged, and ants are not found."""
    (only,) = said(moved(lambda boxes: boxes[1:], (2, 1)))
    assert "67 % of the boxes are found, but under other labels; most often 'bee' is called 'cat'" in only


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda b: np.column_stack([b[:, :2] - [20, 0], b[:, 2:] + [20, 0]]),
            "2.0 times as wide and 1.0 times as high",
        ),
        (lambda b: np.add(b, [20, 0, 20, 0]), "off by +0.50 of a box's width and +0.00 of its height"),
        (lambda b: np.add(b, [0, -8, 0, -8]), "off by +0.00 of a box's width and -0.40 of its height"),
        (lambda b: np.add(b, [6, 3, -6, -3]), "overlap them by 0.49 only. Positions"),
    ],
)
def test_detections_that_lie_on_the_boxes_and_do_not_fit(
    change: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    """Twice as wide: IoU 0.5, less a little; half a width beside: 1/3; 0.4 of a height: 3/7; 0.7 by 0.7."""
    squeezed = moved(lambda boxes: np.add(change(boxes), [0, 0.1, 0, 0]))
    (only,) = said(squeezed)
    assert only.startswith("Next to nothing is found right (AP50 0.000): the detections lie on the boxes, but overlap")
    assert words in only


def test_boxes_that_are_off_in_every_direction_have_no_common_offset() -> None:
    """Half a width to the left in every second image, to the right in the others: the boxes may be others'."""
    left = moved(lambda boxes: np.add(boxes, [-20, 0, -20, 0]))
    right = moved(lambda boxes: np.add(boxes, [20, 0, 20, 0]))
    (only,) = said([*left[:6], *right[:4]])
    assert "overlap them by 0.33 only. Positions are learnt last" in only
    wide = moved(lambda boxes: np.add(boxes, [-25, 0, 25, 0]))
    narrow = moved(lambda boxes: np.add(boxes, [14, 0, -14, 0]))
    (only,) = said([*wide[:6], *narrow[:4]])
    assert "Positions are learnt last" in only


def test_right_ones_that_drown_in_wrong_ones_with_higher_scores() -> None:
    wrong = np.tile([150.0, 50, 190, 90], (5, 1))
    one = Found(
        np.concatenate([truth(1).boxes, wrong]), np.array([0.05] * 3 + [0.4] * 5), np.array([0, 1, 2, *[0] * 5])
    )
    (only,) = said([one] * 10)
    assert "100 % of the boxes are found, but wrong detections have higher scores (0.40 against 0.05)" in only


def test_what_lies_beyond_the_best_of_an_image_is_not_asked() -> None:
    """The boxes' own detections come after forty better ones elsewhere."""
    wrong = np.tile([150.0, 50, 190, 90], (40, 1))
    scores = np.array([0.4] * 40 + [0.05] * 3)
    one = Found(np.concatenate([wrong, truth(1).boxes]), scores, np.array([0] * 40 + [0, 1, 2]))
    assert "the detections lie where no boxes are" in said([one] * 10)[0]


def test_before_the_learning_rate_is_at_its_height_it_is_too_early() -> None:
    early = replace(GOING, step=150, warm_up=300)
    assert said(NOTHING, learning=early) == (
        "It is too early to find anything: the learning rate rises until step 300, this is step 150.",
    )
    assert (
        "this is step 60 and the run has no more; at least" in said(NOTHING, learning=Learning(60, 60, 0, [], 0.1))[0]
    )
    assert "no detection" in said(NOTHING, learning=replace(early, step=300))[0]


@pytest.mark.parametrize(
    ("losses", "falls"),
    [([4, 4, 1, 1, 1, 1, 1, 1, 3.9, 3.9], False), ([4, 4, 9, 9, 9, 9, 9, 9, 3.7, 3.7], True), ([4.0] * 9, True),
     ([math.nan] * 4 + [4.0] * 9, True)],
)  # fmt: skip
def test_a_loss_that_does_not_fall_is_named(losses: list[float], falls: bool) -> None:
    """The means of the first and of the last fifth; fewer than ten losses say nothing."""
    found = said(NOTHING, learning=replace(GOING, losses=losses))
    assert any(one.startswith("The loss does not fall: 4 at the beginning, 3.9 now") for one in found) != falls


@pytest.mark.parametrize(
    ("optimizer", "rate", "tiny"), [("adamw", 1e-7, True), ("adamw", 2e-6, False), ("sgd", 2e-6, True)]
)
def test_a_tiny_learning_rate_is_named(optimizer: str, rate: float, tiny: bool) -> None:
    found = said(NOTHING, learning=replace(GOING, optimizer=optimizer, learning_rate=rate))
    assert any(one.startswith("The learning rate is tiny") for one in found) == tiny


# --- one label of several ---

CAT_IS_BAD = {"ant": 0.6, "bee": 0.6, "cat": 0.0}


def cat(detections: list[Found], **more: Any) -> str:
    (only,) = said(detections, 0.4, per_label=CAT_IS_BAD, **more)
    assert only.startswith("Nothing of 'cat' ")
    return only


def test_a_label_that_is_not_in_the_training_images() -> None:
    assert "10 are in the validation images and none in the training images" in cat(
        moved(same), learnt=np.array([9, 9, 0])
    )
    assert "only 3 in the training images" in cat(moved(same), learnt=np.array([90, 90, 3]))
    early = replace(GOING, step=1)
    (one,) = said(moved(same), 0.4, early, per_label=CAT_IS_BAD, learnt=np.array([9, 9, 0]))
    assert "Move some there." in one, "and not that it is too early for others, which are found"
    (one,) = said(moved(same), 0.4, early, per_label=CAT_IS_BAD, learnt=np.array([9, 9, 0]), remedy=LABEL_MORE)
    assert one.endswith("none in the training images. Label it in more images."), "in cross-validation"
    (one,) = said(moved(same), 0.4, early, per_label=CAT_IS_BAD, learnt=np.array([90, 90, 90]))
    assert one.startswith("It is too early to find 'cat': ")


def test_a_label_that_is_called_by_another_name() -> None:
    assert "(10 boxes) is found right: 10 of them are found, but most are called 'ant'" in cat(moved(same, (0, 1, 0)))


def test_a_label_that_nothing_is_called_by() -> None:
    assert "nothing that is found on its boxes has this label" in cat(moved(lambda boxes: boxes[:2], (0, 1)))


def test_a_label_whose_detections_fit_badly_or_lie_elsewhere() -> None:
    assert "overlaps its boxes by 0.33 only" in cat(moved(lambda boxes: np.add(boxes, [20, 0, 20, 0])))
    assert "lies elsewhere" in cat(moved(lambda boxes: np.add(boxes, [38, 0, 38, 0])))


def test_a_label_of_few_boxes_is_not_worth_a_word() -> None:
    few = [Found(one.boxes, one.scores, one.labels) for one in moved(same)[:9]]
    assert said(few, 0.4, per_label=CAT_IS_BAD, truth=truth(9)) == ()


def test_facts_of_an_image_without_boxes_or_without_detections_are_empty_not_an_error() -> None:
    some = truth(2)
    empty = replace(
        some, boxes=some.boxes[:3], label_index=some.label_index[:3], flags=some.flags[:3], offsets=np.array([0, 3, 3])
    )
    facts = gather_facts(empty, [NOTHING[0], moved(same)[0]])
    assert facts.near.tolist() == [0, 0, 0]
    assert (facts.called.tolist(), facts.detections, facts.wrong) == ([-1, -1, -1], 3, 0.25)
