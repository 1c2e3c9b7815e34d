"""The loss of each image by itself."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests import networks
from tests.training.run_results import MakeRequest, only
from tests.training.toys import make_snapshot
from workbench import detectors
from workbench.core.project import Image
from workbench.detectors.parts.detector import Detector, Raw, Targets
from workbench.training import run, validate
from workbench.training.events import Control, Evaluated, Message
from workbench.training.hardware.runtime import Runtime
from workbench.training.monitoring import image_losses, watched_images
from workbench.training.monitoring.image_losses import NONE
from workbench.training.monitoring.monitor import TrainingMonitor
from workbench.training.settings import TrainingSettings


def test_newer_losses_take_the_place_of_older_ones_and_what_is_no_number_is_left_out() -> None:
    first = NONE.with_new(np.array([4, 5]), np.array([1.0, 2.0], np.float32), 1)
    both = first.with_new(np.array([5, 6, 7]), np.array([3.0, 4.0, np.nan], np.float32), 2)
    assert [tuple(row) for row in zip(both.images, both.losses, both.epochs, strict=True)] == [
        (4, 1.0, 1), (5, 3.0, 2), (6, 4.0, 2),
    ]  # fmt: skip


def test_losses_come_back_and_a_damaged_file_is_none(tmp_path: Path) -> None:
    losses = NONE.with_new(np.array([4, 5]), np.array([1.5, 2.0], np.float32), 3)
    image_losses.write(tmp_path, losses)
    again = image_losses.read(tmp_path)
    assert again.images.tolist() == [4, 5]
    assert again.losses.tolist() == [1.5, 2.0]
    (tmp_path / image_losses.FILE).write_bytes((tmp_path / image_losses.FILE).read_bytes()[:100])
    assert len(image_losses.read(tmp_path)) == 0


@pytest.mark.parametrize(("mean", "expected"), [(False, [6.0, 2.0, 6.0]), (True, [6.0, 6.0, 6.0])])
def test_a_sum_over_boxes_is_divided_by_those_that_are_learnt_and_a_mean_is_not(
    mean: bool, expected: list[float]
) -> None:
    """Images with one box, with three and a region to ignore, and with such a region alone."""
    images = tuple(Image(id, f"{id}.jpg") for id in (1, 2, 3))
    data: Any = SimpleNamespace(
        snapshot=SimpleNamespace(images=images),
        offsets=np.array([0, 1, 5, 6]),
        ignore=np.array([0, 0, 0, 0, 1, 1], bool),
    )
    monitor = TrainingMonitor.__new__(TrainingMonitor)
    monitor._losses = NONE
    detector: Any = SimpleNamespace(loss_per_positive=mean)
    monitor._take(detector, data, np.arange(3), np.full(3, 6.0), 1)
    assert monitor._losses.losses.tolist() == expected


def test_of_faster_rcnn_the_second_stage_judges_an_image() -> None:
    """The first knows no labels, and both draw as many anchors and proposals, however many boxes there are."""
    kind = detectors.load_all().get("faster-rcnn")
    detector = networks.build("faster-rcnn", kind.settings_class(input_px=64, width=0.1), 2).eval()
    boxes, none = torch.tensor([[[8.0, 8, 40, 40], [20, 4, 60, 30]]]), torch.zeros(1, 2, dtype=torch.bool)
    wanted = Targets(boxes, torch.tensor([[0, 1]]), none)
    with torch.inference_mode():
        raw = detector(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
        (judged,) = validate._each_loss(detector, raw, wanted)
        torch.manual_seed(0)
        terms = detector.loss(raw, wanted)
    assert judged == pytest.approx(float(terms["box"] + terms["label"]), rel=1e-5)
    assert judged < float(sum(terms.values()))
    assert detector.loss_per_positive


class WholeImages:
    """10,000 images, none of them in tiles."""

    originals = None

    def __len__(self) -> int:
        return 10_000


@pytest.mark.parametrize(("device", "expected"), [("cpu", [1500, 1500, 750]), ("cuda", [64, 640, 750])])
def test_looking_at_training_images_takes_a_card_a_twentieth_of_the_time(
    device: str, expected: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However fast it learns: an image by itself takes it as long as it takes the processor to order it, here 8 ms."""
    clock, looked = [0.0], list[int]()

    def losses(_: object, data: object, at: np.ndarray, *more: object) -> np.ndarray:
        looked.append(len(at))
        clock[0] += len(at) / 128
        return np.zeros(len(at))

    monkeypatch.setattr("workbench.training.monitoring.monitor.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(validate, "losses", losses)
    monkeypatch.setattr(TrainingMonitor, "_take", lambda *_: None)
    runtime: Any = Runtime(torch.device(device))
    request: Any = SimpleNamespace(folder=tmp_path, resume=False)
    data: Any = WholeImages()
    detector: Any = None
    monitor = TrainingMonitor(request, TrainingSettings(batch=100), data, data, runtime, 1, Control())
    for seconds, step in ((10.0, 100), (100.0, 200), (1000.0, 250)):
        clock[0] += seconds
        monitor._judge(detector, 1, step)
    assert looked == expected


def test_a_run_keeps_the_losses_of_all_its_images_and_its_pictures(request_of: MakeRequest) -> None:
    request = request_of(epochs=12)
    list(run.train(request))
    losses = image_losses.read(request.folder)
    assert set(losses.images.tolist()) == {1, 2, 3, 4, 5, 6, 7, 8}  # six are learnt, two evaluated
    assert np.isfinite(losses.losses).all()
    assert set(losses.epochs[losses.images > 6].tolist()) == {12}
    evaluations = watched_images.read(request.folder)
    assert [look.epoch for look in evaluations] == list(range(1, 13))
    assert [picture.image for picture in evaluations[-1].pictures] == [7, 8]


def test_an_image_whose_box_is_on_nothing_has_the_highest_loss(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "more", train=12, validation=2)
    snapshot.boxes[12] = (32, 32, 64, 64)  # the square is in the opposite corner
    request = request_of(snapshot=snapshot, epochs=40, evaluate_every=20, mosaic=0.0)
    list(run.train(request))
    losses = image_losses.read(request.folder)
    assert losses.images[np.argmax(losses.losses)] == 13


def test_a_full_disk_for_pictures_does_not_end_a_training(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watched_images, "append_detections", full)
    events = list(run.train(request_of()))
    assert only(events, Evaluated)[-1].epoch == 4
    assert any("No space left" in message.sentence for message in only(events, Message))


def test_all_processes_look_at_training_images_also_where_one_can_not_write(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait for each other there: what fails in one alone must come later."""
    looked: list[int] = []
    losses = validate.losses
    monkeypatch.setattr(validate, "losses", lambda *given: looked.append(1) or losses(*given))
    monkeypatch.setattr(
        watched_images, "append_detections", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    evaluations = only(list(run.train(request_of())), Evaluated)
    assert len(looked) == len(evaluations) == 4


def test_images_that_are_kept_larger_are_looked_at_at_the_input_side(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells: set[tuple[int, ...]] = set()
    each = validate._each_loss

    def watching(detector: Detector, raw: Raw, targets: Targets) -> list[float]:
        cells.add(tuple(raw[0].shape[2:]))
        assert float(targets.boxes.max()) <= 64
        return each(detector, raw, targets)

    monkeypatch.setattr(validate, "_each_loss", watching)
    list(run.train(request_of(sizes=0.4)))
    assert cells == {(2, 2)}  # 64 px in cells of 32
