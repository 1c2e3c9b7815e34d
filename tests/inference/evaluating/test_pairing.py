"""Two looks are compared on the images, boxes and labels that they have in common, and what is left out is said."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from workbench.core.detections import Candidates
from workbench.core.evaluation.evaluation_data import GroundTruth
from workbench.core.evaluation.sliders import Sliders
from workbench.core.project import Image, Label, Snapshot, State
from workbench.errors import WorkbenchError
from workbench.inference.evaluating import scoring
from workbench.inference.evaluating.pairing import pair
from workbench.inference.evaluating.scoring import ScoringRules

NAMES = ("one", "two")


@dataclass
class FakeResult:
    truth: Snapshot
    candidates: tuple[Candidates, ...]
    labels: tuple[str, ...] = ()
    rules: ScoringRules = field(default_factory=ScoringRules)
    trained_on: int | None = 0

    @property
    def sliders(self) -> Sliders:
        return scoring.sliders(self.truth, self.candidates)


def result_of(ids: list[int], labels: tuple[str, ...] = (), shift: float = 0.0, part: float = 0.1) -> FakeResult:
    """Each image has a cat, found where it is, with a score of `part` of its id."""
    count, boxes = len(ids), np.array([[i + shift, 0, i + 20, 20] for i in ids])
    truth = Snapshot(
        (Label(1, "cat"), Label(2, "dog", position=1)), tuple(Image(i, f"{i}.jpg", 50, 50, State.DONE) for i in ids),
        tuple(Path(f"/{i}.jpg") for i in ids), np.arange(count + 1), boxes,
        np.zeros(count, np.int64), np.zeros((count, 4), bool), np.array(ids),
    )  # fmt: skip
    found = tuple(
        Candidates.of_arrays(np.array([[i, 0, i + 20, 20]]), np.array([i * part]), np.array([0])) for i in ids
    )
    return FakeResult(truth, found, labels)


def test_the_same_images_are_taken_as_they_are_with_the_boxes_of_the_first() -> None:
    first = result_of([1, 2, 3], shift=1.0)
    both = pair(first, result_of([1, 2, 3]), NAMES)
    assert (both.first_rows.tolist(), both.second_rows.tolist(), both.notes) == ([0, 1, 2], [0, 1, 2], ())
    expected = GroundTruth.of(first.truth)
    for one in (both.first, both.second):
        np.testing.assert_array_equal(one.truth.boxes, expected.boxes)


def test_images_that_one_of_them_lacks_are_left_out_of_both() -> None:
    both = pair(result_of([1, 2, 3]), result_of([3, 4, 1], part=0.2), NAMES)
    assert (both.first_rows.tolist(), both.second_rows.tolist()) == ([0, 2], [2, 0])
    assert both.notes == ("2 images that only one of the runs could read are left out.",)
    assert [image.id for image in both.truth.images] == [1, 3]
    for one, scores in ((both.first, [0.1, 0.3]), (both.second, [0.2, 0.6])):
        np.testing.assert_allclose(one.found.scores, scores, atol=1e-7)
        assert one.matching_at(0.5).counts(0.0).total == (2, 0, 0)


def test_labels_that_one_of_them_does_not_know_are_not_compared() -> None:
    both = pair(result_of([1], labels=("Cat", "dog")), result_of([1], labels=("cat", "cow")), NAMES)
    assert both.use.tolist() == [True, False]
    assert both.notes == ("Not compared, because two doesn't know them: dog.",)
    assert pair(result_of([1]), result_of([1]), NAMES).use.all()


def test_what_has_nothing_in_common_is_refused() -> None:
    with pytest.raises(WorkbenchError, match="different images"):
        pair(result_of([1]), result_of([2]), NAMES)
    with pytest.raises(WorkbenchError, match="no label in common"):
        pair(result_of([1], labels=("cat",)), result_of([1], labels=("dog",)), NAMES)
    changed = result_of([1])
    changed.truth = replace(changed.truth, labels=(Label(1, "cat"), Label(3, "cow", position=1)))
    with pytest.raises(WorkbenchError, match="labels have changed"):
        pair(result_of([1]), changed, NAMES)


def test_what_both_have_learnt_from_is_told_once() -> None:
    first, second = result_of([1, 2]), result_of([1, 2])
    first.trained_on, second.trained_on = 2, 1
    (note,) = pair(first, second, NAMES).notes
    assert note.startswith("one was trained on 2 of 2 images here, two on 1 of 2, so")
