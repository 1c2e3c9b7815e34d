"""What is told beside the masks: boxes that are too small, what a training may choose otherwise, which weights."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.trainer_view.test_network_input import coverages, photographs, quick
from workbench.core.project import Snapshot
from workbench.training import recipes, run
from workbench.training.events import Control, Progress
from workbench.training.request import RunRequest
from workbench.training.step import Stepper
from workbench.training.trainer_view.input_assignment import (
    DRAWN,
    FIRST_STEP,
    NORMS,
    OF_RUN,
    TWO_STAGES,
    assign_input,
    build_detector,
)
from workbench.training.trainer_view.network_input import make_input_sequence, unaugmented_input

LABELS = ("a", "b")


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return photographs(tmp_path / "images")


def with_small_ones(snapshot: Snapshot) -> Snapshot:
    """Image 2 with boxes of 3 x 3, 0.4 x 8 and 0 x 4 of its pixels in place of its only one."""
    image, row = snapshot.images[1], int(snapshot.offsets[1])
    small = np.array([(10, 10, 13, 13), (20, 10, 20.4, 18), (5, 5, 5, 9)], np.float64)
    assert min(image.width, image.height) > 30
    assert len(snapshot.boxes[snapshot.rows(1)]) == 1
    offsets = snapshot.offsets + np.where(np.arange(len(snapshot.offsets)) > 1, 2, 0)

    def spread(array: Any, middle: Any) -> Any:
        return np.concatenate([array[:row], middle, array[row + 1 :]])

    return replace(
        snapshot, offsets=offsets, boxes=spread(snapshot.boxes, small),
        flags=spread(snapshot.flags, np.zeros((3, 4), bool)), label_index=spread(snapshot.label_index, [0, 0, 0]),
        box_ids=np.arange(len(snapshot.boxes) + 2) + 1,
    )  # fmt: skip


def test_boxes_that_are_too_small_are_told_apart_from_ignored_ones(snapshot: Snapshot) -> None:
    snapshot = with_small_ones(snapshot)
    wanted = quick("yolov4", 32, mosaic=0.0)
    seen = unaugmented_input(snapshot, 2, wanted)
    assert seen.ignore.tolist() == [True, True]  # as training has them
    small = seen.ignored_as()
    assert [small[m].small for m in (0, 1)] == [True, True]
    (gone,) = (one for one in seen.lost if one.gone)
    assert (gone.small, gone.reason) == (True, "it has no area in its image")
    found = assign_input(seen, build_detector(wanted, LABELS, None, None), answers=False)
    reasons = dict(found.unmatched)
    told = r"too small: [0-9.]+ × [0-9.]+ px of the input, and nothing below 2 px is learnt"
    assert all(re.fullmatch(told, reasons[number]) for number in (0, 1))


def test_the_whole_set_and_an_image_agree_on_boxes_that_are_too_small(snapshot: Snapshot) -> None:
    snapshot = with_small_ones(snapshot)
    wanted = recipes.preset("quick-cpu").changed({"input_px": 32}).with_detector("yolov4")
    (found,) = coverages(snapshot, wanted, None, ("yolov4",))
    missed = {id: int((found.boxes[:, 0] == id).sum()) for id in found.images}
    detector = build_detector(wanted.changed({"width": 0.05}), LABELS, None, None)
    for id in (2, 3):
        seen = unaugmented_input(snapshot, id, wanted)
        told = seen.ignored_as()
        red = [
            m for m, _ in assign_input(seen, detector, answers=False).unmatched if not seen.ignore[m] or told[m].small
        ]
        assert len(red) + sum(one.gone and one.small for one in seen.lost) == missed.get(id, 0)
    assert missed[2] == 3


def test_what_augmentation_cut_off_is_ignored_as_was_wished(snapshot: Snapshot) -> None:
    plan = make_input_sequence(snapshot, quick("yolov4", 32, scale=0.9, translate=0.9))
    lost = [one for index in range(len(plan.data)) for one in plan.in_epoch(index, 0).lost]
    assert any(one.small for one in lost)
    assert any(not one.small and "visible" in one.reason for one in lost)
    assert not any(one.small for one in lost if "in sight" in one.reason or "marked" in one.reason)


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("ssdlite", [FIRST_STEP, NORMS]),
        ("ssd300", [FIRST_STEP]),
        ("yolov4", [FIRST_STEP, NORMS]),
        ("fcos", []),
        ("faster-rcnn", [DRAWN, TWO_STAGES]),
    ],
)
def test_it_says_where_a_training_may_choose_otherwise(snapshot: Snapshot, name: str, notes: list[str]) -> None:
    wanted = quick(name, mosaic=0.0)
    detector = build_detector(wanted, LABELS, None, None)
    seen = unaugmented_input(snapshot, 2, wanted)
    assert assign_input(seen, detector).note == " ".join(notes)
    without = assign_input(seen, detector, answers=False).note
    assert ("choose weights" in without) == bool(notes)
    assert not any(note in without for note in (FIRST_STEP, NORMS, DRAWN))
    if name == "ssd300":
        assert assign_input(seen, detector.eval()).note == OF_RUN


def test_the_weights_are_those_that_a_training_begins_with(
    snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fresh ones, and those of a file to start from; the network answers as in training."""
    begun: list[dict[str, torch.Tensor]] = []
    plain = Stepper.__init__

    def recording(self: Stepper, detector: Any, *others: Any) -> None:
        begun.append({name: value.clone() for name, value in detector.state_dict().items()})
        plain(self, detector, *others)

    monkeypatch.setattr(Stepper, "__init__", recording)
    wanted = quick("yolov2-tiny", 64, epochs=1, batch=9, evaluate_every=0, precision="fp32")
    file = tmp_path / "first" / "last.safetensors"
    for name, start in (("first", None), ("second", file)):
        control = Control()
        for event in run.train(RunRequest(tmp_path / name, snapshot, wanted, start=start), control):
            if isinstance(event, Progress):
                control.stop.set()
    fresh = build_detector(wanted, LABELS, None, None)
    started = build_detector(wanted, LABELS, None, file, begun=True)
    of_run = build_detector(wanted, LABELS, None, file)
    for state, detector in zip(begun, (fresh, started), strict=True):
        now = detector.state_dict()
        assert all(torch.equal(value, now[name]) for name, value in state.items() if "label_weights" not in name)
        assert detector.training
    assert not all(torch.equal(value, begun[1][name]) for name, value in begun[0].items())
    assert not of_run.training
    frozen = build_detector(wanted.changed({"freeze": 0.3}), LABELS, None, file, begun=True)
    norms = [one.training for one in frozen.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(norms)  # a backbone that rests counts nothing
