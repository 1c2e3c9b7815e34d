"""The evaluation between epochs: perfect boxes score 1, and it is the project's own evaluator that says so."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.toys import Toy, ToySettings, make_snapshot
from workbench import detectors
from workbench.core.detections import NmsKind
from workbench.core.project import Snapshot
from workbench.core.resize import Fit
from workbench.detectors.parts.detector import Raw
from workbench.training import validate
from workbench.training.batches import data
from workbench.training.batches.data import Dataset
from workbench.training.events import Control, Finished
from workbench.training.hardware.runtime import Runtime
from workbench.training.run import train


class Knowing(Toy):
    """Answers from the brightness of each quarter: right boxes at score 0.9, the label by the row."""

    def forward(self, images: Tensor) -> Raw:
        bright = torch.nn.functional.avg_pool2d(images.mean(1, keepdim=True), 32) > 0.4  # (B, 1, 2, 2)
        score = torch.where(bright, 2.0, -9.0)
        rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]]).view(1, 2, 2, 1)  # label of each row
        return (torch.where(rows > 0, score, -9.0),)


def load(snapshot: Snapshot, folder: Path) -> Dataset:
    reading = data.load(snapshot, 64, "stretch", ignore_difficult=False, threads=1, scratch=folder, control=Control())
    with pytest.raises(StopIteration) as end:
        next(reading)
    result: Dataset = end.value.value
    return result


def test_perfect_boxes_score_one(tmp_path: Path) -> None:
    detector = Knowing(ToySettings(input_px=64), 2).eval()
    scores = validate.evaluate(detector, load(make_snapshot(tmp_path), tmp_path), Runtime(), 3, Control())
    assert scores is not None
    assert (scores.ap, scores.ap50, scores.ap75, scores.images) == (1.0, 1.0, 1.0, 8)
    assert scores.per_label == {"top": 1.0, "bottom": 1.0}


def test_boxes_are_scored_in_the_pixels_of_the_original(tmp_path: Path) -> None:
    """The same images, labelled at twice their size: detections must come back at that size."""
    import cv2

    snapshot = make_snapshot(tmp_path)
    for file in snapshot.files:
        pixels = cv2.resize(cv2.imdecode(np.fromfile(file, np.uint8), 1), (128, 128), interpolation=cv2.INTER_NEAREST)
        file.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
    from dataclasses import replace

    images = tuple(replace(image, width=128, height=128) for image in snapshot.images)
    double = replace(snapshot, images=images, boxes=snapshot.boxes * 2)
    detector = Knowing(ToySettings(input_px=64), 2).eval()
    scores = validate.evaluate(detector, load(double, tmp_path), Runtime(), 3, Control())
    assert scores is not None
    assert scores.ap == 1.0


class Torn(Knowing):
    """Believes even more in the wrong label of each box."""

    def forward(self, images: Tensor) -> Raw:
        (right,) = super().forward(images)
        return (torch.where(right.amax(1, keepdim=True) > 0, right.clamp(min=3 - right.clamp(min=0)), right),)


@pytest.mark.parametrize(("kind", "ap50"), [("per label", 0.5), ("across labels", 0.0)])
def test_boxes_are_thinned_out_as_published(kind: NmsKind, ap50: float, tmp_path: Path) -> None:
    detector = Torn(ToySettings(input_px=64), 2).eval()
    detector.published_nms = (kind, 0.45)
    scores = validate.evaluate(detector, load(make_snapshot(tmp_path), tmp_path), Runtime(), 3, Control())
    assert scores is not None
    assert scores.ap50 == pytest.approx(ap50, abs=0.02)


def test_a_label_without_boxes_has_no_number(tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path).take([0, 1])
    scores = validate.evaluate(
        Knowing(ToySettings(input_px=64), 2).eval(), load(snapshot, tmp_path), Runtime(), 3, Control()
    )
    assert scores is not None
    assert scores.per_label == {"top": 1.0}


def test_an_evaluation_stops_when_asked(tmp_path: Path) -> None:
    dataset = load(make_snapshot(tmp_path), tmp_path)
    control = Control()
    control.stop.set()
    assert validate.evaluate(Knowing(ToySettings(input_px=64), 2).eval(), dataset, Runtime(), 3, control) is None


def test_a_card_computes_a_batch_while_another_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both, control = threading.Barrier(2, timeout=30), Control()

    def found(*_: object) -> list[object]:
        both.wait()
        control.stop.set()
        return []

    monkeypatch.setattr(validate, "_found", found)
    detector, card = Toy(ToySettings(input_px=64), 2), Runtime(torch.device("cuda"))
    assert validate.evaluate(detector, load(make_snapshot(tmp_path), tmp_path), card, 2, control) is None


class Large(Knowing):
    """Memory holds one image of it."""

    def __init__(self) -> None:
        super().__init__(ToySettings(input_px=64), 2)
        self.memory, self.refused = threading.Lock(), threading.Event()

    def forward(self, images: Tensor) -> Raw:
        if len(images) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if not self.memory.acquire(blocking=False):
            self.refused.set()
            raise torch.OutOfMemoryError("CUDA out of memory")
        try:
            self.refused.wait(30)
            return super().forward(images)
        finally:
            self.memory.release()


def test_images_that_memory_holds_only_one_at_a_time_are_evaluated_one_after_the_other(tmp_path: Path) -> None:
    """The second thread took all halvings of its batch while the first one computed, and the training failed."""
    dataset = load(make_snapshot(tmp_path), tmp_path)
    scores = validate.evaluate(Large().eval(), dataset, Runtime(), 2, Control(), threads=2)
    assert scores is not None
    assert scores.ap == 1.0
    every = np.arange(len(dataset))
    each = validate.losses(Large().eval(), dataset, every, Runtime(), 2, Control(), threads=2)
    assert each is not None
    assert each.tolist() == scores.losses.tolist()


def test_losses_of_a_detector_that_draws_are_the_same_on_any_number_of_cores_and_leave_the_training_its_numbers() -> (
    None
):
    kind = detectors.load_all().get("faster-rcnn")
    settings = kind.settings_class(input_px=64, width=0.05, proposals=20)  # type: ignore[call-arg]  # of the subclass
    torch.manual_seed(0)
    detector = detectors.build("faster-rcnn", settings, 2).eval()
    count = 12
    data = Dataset(
        None,  # not looked at
        np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), np.uint8), np.arange(count), (Fit(1, 1),) * count,
        np.tile(np.array([[10, 10, 50, 50]], np.float32), (count, 1)), np.zeros(count, np.int64), np.zeros(count, bool),
        np.arange(count + 1),
    )  # fmt: skip
    before = torch.get_rng_state()
    found = [validate.losses(detector, data, np.arange(count), Runtime(), 1, Control(), n) for n in (1, 4, 4)]
    assert torch.equal(torch.get_rng_state(), before)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


def test_a_training_leaves_no_network_and_no_images_to_the_garbage_collector(request_of: Any) -> None:
    """A window collects what is in cycles late, or never: until then its network would fill a graphics card."""
    gc.collect()
    gc.disable()
    try:
        before = [one for one in gc.get_objects() if type(one) in (Toy, Dataset)]  # other tests' may still be there
        events = list(train(request_of()))
        now = [one for one in gc.get_objects() if type(one) in (Toy, Dataset)]
        left = [type(one).__name__ for one in now if not any(one is other for other in before)]
    finally:
        gc.enable()
    assert isinstance(events[-1], Finished)
    assert left == []
