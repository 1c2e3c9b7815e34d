"""The whole set: which images are behind a number, how far the counting is, and that it ends when it is asked to."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.trainer_view.test_network_input import coverages, photographs, quick
from workbench.core.project import Snapshot, Split
from workbench.training import prepare, recipes
from workbench.training.batches.file_index import FileIndex
from workbench.training.events import Control
from workbench.training.stop_mode import StopMode, Stopped
from workbench.training.trainer_view.box_coverage import Coverage, CoverageProgress, count_coverage


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return photographs(tmp_path / "images")


def test_each_number_knows_its_images_those_with_the_most_first() -> None:
    nothing = np.zeros((2, 3), np.int64)
    boxes = np.array([(7, 0, 0), (5, 0, 1), (5, 1, 1), (9, 1, 1), (9, 1, 1), (9, 1, 0)])  # image, label, size
    found = Coverage("yolov1", "YOLOv1", 96, nothing, nothing, boxes)
    assert found.images == (9, 5, 7)
    assert found.images_of(label=0) == (7, 5)
    assert found.images_of(label=1) == (9, 5)
    assert found.images_of(size=1) == (5, 9)
    assert found.images_of(1, 0) == (9,)
    assert found.images_of(0, 2) == ()


def test_the_boxes_that_are_missed_are_those_that_are_counted(snapshot: Snapshot) -> None:
    wanted = recipes.preset("quick-cpu").changed({"input_px": 160})
    (found,) = coverages(snapshot, wanted, None, ("yolov1",))
    for label in range(2):
        for size in range(3):
            assert ((found.boxes[:, 1:] == (label, size)).all(axis=1)).sum() == found.missed[label, size]
    trained = {image.id for image in snapshot.images if image.split is Split.TRAIN}
    assert set(found.images) <= trained
    assert len(found.boxes) > 0


def test_files_that_cant_be_read_are_left_out_as_in_training(snapshot: Snapshot) -> None:
    wanted, files = recipes.preset("quick-cpu").changed({"input_px": 160}), FileIndex()
    (before,) = coverages(snapshot, wanted, None, ("yolov3",), files)
    snapshot.files[6].write_bytes(b"no picture")
    files.read(snapshot.files[6], None)
    (after,) = coverages(snapshot, wanted, None, ("yolov3",), files)
    ignored = snapshot.crowd[snapshot.rows(6)].sum()
    assert before.total.sum() - after.total.sum() == 6 - ignored


def test_it_tells_how_far_it_is_and_stops_between_chunks(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.training.trainer_view.box_coverage.MOST_IMAGES", 1)
    wanted = recipes.preset("quick-cpu").changed({"input_px": 160})
    shares = [
        one.share for one in count_coverage(snapshot, wanted, None, ("yolov3",)) if isinstance(one, CoverageProgress)
    ]
    assert shares[0] == 0
    assert shares[-1] == 1
    assert len(shares) == 1 + sum(
        image.split is Split.TRAIN and len(snapshot.boxes[snapshot.rows(k)]) > 0
        for k, image in enumerate(snapshot.images)
    )
    control = Control()
    work = count_coverage(snapshot, wanted, None, ("yolov3", "yolov4"), None, control)
    assert next(work) == CoverageProgress("YOLOv3", 0.0)
    assert next(work).share > 0
    control.stop.set()
    with pytest.raises(Stopped):
        next(work)


def test_a_stop_leaves_torch_as_it_was() -> None:
    """Leaving no_grad and its like are operations, too, but none that may be stopped."""
    control, state = Control(), torch.get_rng_state()
    with pytest.raises(Stopped), StopMode(control), torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        control.stop.set()
        torch.zeros(1).add_(1)
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_network_that_is_being_built_stops_too(snapshot: Snapshot) -> None:
    """Building Faster R-CNN takes a second or two, in which closing a project would wait."""
    control = Control()
    control.stop.set()
    began = time.monotonic()
    with pytest.raises(Stopped), StopMode(control):
        prepare.build(quick("faster-rcnn", 320), 2, None)
    stopped = time.monotonic() - began
    with StopMode(Control()):
        prepare.build(quick("faster-rcnn", 320), 2, None)
    assert stopped < (time.monotonic() - began - stopped) / 2
