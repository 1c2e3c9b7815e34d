"""What is shown of a training image is what a real training computes, bit for bit, and no box goes without a word."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.training.toys import CALM, Toy, ToySettings
from workbench import detectors
from workbench.core.metrics import SIZES
from workbench.core.project import FLAGS, Image, Label, Snapshot, Split, State
from workbench.core.resize import FIT_MODES, fit
from workbench.detectors.parts.detector import Targets
from workbench.errors import WorkbenchError
from workbench.training import recipes, run
from workbench.training.batches import augment
from workbench.training.batches.augment import Batch
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.recipes import Recipe
from workbench.training.request import RunRequest
from workbench.training.trainer_view.box_coverage import Coverage, count_coverage, find_learnt_boxes
from workbench.training.trainer_view.input_assignment import assign_input, build_detector
from workbench.training.trainer_view.network_input import (
    InputSequence,
    NetworkInput,
    make_input_sequence,
    unaugmented_input,
)

PX = 64
EVERYTHING = {
    "batch": 5, "epochs": 3, "mosaic": 0.5, "cutmix": 0.5, "jitter": 0.2, "zoom_out": 0.2, "overlap_crop": 0.3,
    "scale": 0.6, "translate": 0.4, "flip": 0.5, "flip_vertical": 0.3, "sizes": 0.4, "contrast": 1.3, "calm_share": 0.2,
    "evaluate_every": 0,
}  # fmt: skip


def coverages(*asked: Any) -> list[Coverage]:
    """What count_coverage() comes to."""
    return [one for one in count_coverage(*asked) if isinstance(one, Coverage)]


def photographs(folder: Path, count: int = 11) -> Snapshot:
    """Noise of several sizes with up to six boxes each, some of them crowds or difficult."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = np.random.default_rng(0)
    images, files, boxes = [], [], []
    for number in range(count):
        width, height = (int(side) for side in draw.integers(40, 140, 2))
        file = folder / f"{number}.png"
        file.write_bytes(cv2.imencode(".png", draw.integers(0, 255, (height, width, 3), np.uint8))[1].tobytes())
        split = Split.VALIDATION if number % 5 == 4 else Split.TRAIN
        images.append(Image(number + 1, file.name, width, height, State.DONE, split))
        files.append(file)
        corners = np.sort(draw.uniform(0, 1, (number % 7, 2, 2)), axis=1).reshape(-1, 4)
        boxes.append(corners * [width, height, width, height])
    counts = [len(some) for some in boxes]
    flags = draw.random((sum(counts), len(FLAGS))) < 0.1
    return Snapshot(
        (Label(1, "a", position=0), Label(2, "b", position=1)), tuple(images), tuple(files),
        np.concatenate([[0], np.cumsum(counts)]), np.concatenate(boxes), draw.integers(0, 2, sum(counts)), flags,
        np.arange(1, sum(counts) + 1),
    )  # fmt: skip


def recipe(**changes: Any) -> Recipe:
    return Recipe("test", "Test", "", "toy", ToySettings(input_px=PX), replace(CALM, **{**EVERYTHING, **changes}))


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return photographs(tmp_path / "images")


def computed(
    snapshot: Snapshot, wanted: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[int, Batch]:  # fmt: skip
    """The batches of a real training, by step."""
    made: dict[int, Batch] = {}
    plain = augment.augmented

    def recording(
        data: Any, indices: Any, settings: Any, step: int, side: int, *, calm: bool, part: slice = slice(None)
    ) -> Batch:
        made[step] = plain(data, indices, settings, step, side, calm=calm, part=part)
        return made[step]

    with monkeypatch.context() as patch:
        patch.setattr(augment, "augmented", recording)
        for _ in run.train(RunRequest(folder, snapshot, wanted)):
            pass
    return made


def assert_equal(seen: NetworkInput, batch: Batch) -> None:
    there = batch.labels[seen.place] >= 0
    assert np.array_equal(seen.pixels, batch.images[seen.place])
    assert np.array_equal(seen.boxes, batch.boxes[seen.place][there])
    assert np.array_equal(seen.labels, batch.labels[seen.place][there])
    assert np.array_equal(seen.ignore, batch.ignore[seen.place][there])


@pytest.mark.parametrize("change", [{}, {"mixup": 0.6}, {"difficult": "ignore", "batch": 9, "mosaic": 1.0}])
def test_what_is_seen_is_what_a_training_computes(
    snapshot: Snapshot, toy: type[Toy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    wanted = recipe(**change)
    batches = computed(snapshot, wanted, tmp_path / "run", monkeypatch)
    plan = make_input_sequence(snapshot, wanted)
    looked = 0
    for epoch in range(wanted.training.epochs):
        for index in range(len(plan.data)):
            seen = plan.in_epoch(index, epoch)
            assert_equal(seen, batches[seen.step])
            looked += 1
    assert looked == 27
    other = plan.in_epoch(0, 0, seed=wanted.training.seed + 1)
    with pytest.raises(AssertionError):
        assert_equal(replace(other, place=plan.position(0, 0)[1]), batches[plan.position(0, 0)[0]])


@pytest.mark.parametrize("how", FIT_MODES)
def test_every_way_to_resize_gives_the_same(
    snapshot: Snapshot, toy: type[Toy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    wanted = recipe(sizes=0.0, epochs=1)
    wanted = replace(wanted, detector_settings=ToySettings(input_px=PX, resize=how))
    batches = computed(snapshot, wanted, tmp_path / "run", monkeypatch)
    plan = make_input_sequence(snapshot, wanted)
    for index in range(len(plan.data)):
        seen = plan.in_epoch(index, 0)
        assert_equal(seen, batches[seen.step])


def test_an_image_comes_once_in_every_epoch(snapshot: Snapshot, toy: type[Toy]) -> None:
    plan = make_input_sequence(snapshot, recipe())
    for epoch in range(3):
        turns = [plan.position(index, epoch) for index in range(len(plan.data))]
        assert len(set(turns)) == len(turns)
        for index, (step, place) in enumerate(turns):
            assert plan.plan().indices(step)[place] == index
            assert (step * 5 + place) // len(turns) == epoch


def unaccounted(plan: InputSequence, seen: NetworkInput) -> list[int]:
    """Boxes of the image's parts of which nothing is shown or told, and shown ones that are ignored without a word."""
    told = [lost.row for lost in seen.lost]
    rows = [row for part in seen.parts for row in range(plan.data.offsets[part], plan.data.offsets[part + 1])]
    silent = [row for row in rows if row not in seen.rows and row not in told]
    ignored = [row for row, ignore in zip(seen.rows.tolist(), seen.ignore.tolist(), strict=True) if ignore]
    kept = [lost.row for lost in seen.lost if not lost.gone]
    return silent + [row for row in ignored if row not in kept]


def test_every_box_is_seen_or_its_loss_is_told(snapshot: Snapshot, toy: type[Toy]) -> None:
    plan, reasons, untold = make_input_sequence(snapshot, recipe(batch=3)), set(), 0
    for seed in range(20):
        for index in range(len(plan.data)):
            seen = plan.in_epoch(index, 0, seed)
            assert unaccounted(plan, seen) == []
            assert sum(not lost.gone for lost in seen.lost) == int(seen.ignore.sum())
            assert [int(plan.data.labels[row]) for row in seen.rows] == seen.labels.tolist()
            reasons |= {lost.reason.split(" of ")[0][:24] for lost in seen.lost}
            untold += bool(unaccounted(plan, replace(seen, lost=())))
    assert untold > 50  # without what is told, that many have boxes that nobody accounts for
    text = " ".join(sorted(reasons))
    for words in (
        "it lies outside",
        "it lies behind",
        "it is marked as",
        "its centre was cut off",
        "only ",
        "too small: ",
    ):
        assert words in text, (words, text)


def test_an_image_as_it_is_needs_no_training(snapshot: Snapshot, toy: type[Toy]) -> None:
    held_out = snapshot.images[4]
    plan = make_input_sequence(snapshot, recipe())
    with pytest.raises(WorkbenchError, match="not trained on"):
        plan.index(held_out.id)
    seen = unaugmented_input(snapshot, held_out.id, recipe())
    image = cv2.imread(str(snapshot.files[4]))
    assert image is not None
    pixels, moved = fit(np.ascontiguousarray(image[..., ::-1]), PX, "stretch")
    assert np.array_equal(seen.pixels, pixels)
    whole = [i for i, row in enumerate(range(*snapshot.offsets[4:6])) if row in seen.rows]
    np.testing.assert_allclose(seen.boxes, moved.forward(snapshot.boxes[snapshot.rows(4)])[whole], rtol=1e-5)
    assert seen.labels.tolist() == snapshot.label_index[seen.rows].tolist()


def test_an_image_that_cant_be_read_is_refused_with_its_name(snapshot: Snapshot, toy: type[Toy]) -> None:
    plan = make_input_sequence(snapshot, recipe(mosaic=0.0, cutmix=0.0))
    snapshot.files[2].write_bytes(b"no picture")
    index = plan.index(3)
    with pytest.raises(WorkbenchError, match=r"2\.png"):
        plan.in_epoch(index, 0)
    with pytest.raises(WorkbenchError, match=r"2\.png"):
        unaugmented_input(snapshot, 3, recipe())
    assert len(plan.in_epoch(plan.index(1), 0).pixels)


# --- what the detectors make of it ---


def quick(detector: str, px: int = 128, **changes: Any) -> Recipe:
    wanted = recipes.preset("quick-cpu").changed({"input_px": px, "width": 0.05, "mosaic": 1.0, **changes})
    return wanted.with_detector(detector)


@pytest.mark.parametrize("name", ["yolov1", "yolov3", "yolov4", "ssd300", "fcos", "faster-rcnn"])
def test_an_assignment_is_that_of_the_detector_on_the_seen_boxes(snapshot: Snapshot, name: str) -> None:
    wanted = quick(name)
    seen = make_input_sequence(snapshot, wanted).in_epoch(3, 0)
    detector = build_detector(wanted, ("a", "b"), None, None)
    found = assign_input(seen, detector)
    boxes, labels, ignore = (torch.from_numpy(a[None]) for a in (seen.boxes, seen.labels, seen.ignore))
    table = detector.assignment(Targets(boxes, labels, ignore), (seen.side, seen.side))
    learnt = set(table.target.tolist())
    assert {row for row, _ in found.unmatched} == set(range(len(seen.boxes))) - learnt
    assert sum(sum(found.of_box(m)) for m in range(len(seen.boxes))) == len(found.explained.box) > 0
    assert found.explained.negative is not None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        again = assign_input(seen, build_detector(wanted, ("a", "b"), None, None))
    assert torch.equal(again.explained.negative, found.explained.negative)


def test_ignored_boxes_say_what_augmentation_made_of_them(snapshot: Snapshot) -> None:
    wanted = quick("yolov4", scale=0.9, translate=0.9)
    plan, detector = make_input_sequence(snapshot, wanted), build_detector(wanted, ("a", "b"), None, None)
    looked = [plan.in_epoch(index, 0) for index in range(len(plan.data))]
    said = [
        why for seen in looked for row, why in assign_input(seen, detector, answers=False).unmatched if seen.ignore[row]
    ]
    assert any("ignored below" in why or "nothing below" in why for why in said)
    assert not any("it is an ignored box" in why for why in said)


# --- the whole set ---


def test_the_whole_set_counts_what_has_no_positive(snapshot: Snapshot) -> None:
    """Against the assignment of one image after the other."""
    names = ("yolov1", "yolov2", "yolov4-tiny", "ssd300", "fcos")
    wanted = recipes.preset("quick-cpu").changed({"input_px": 160})
    for found in coverages(snapshot, wanted, None, names):
        own = wanted.with_detector(found.detector)
        detector = build_detector(own.changed({"width": 0.05}), ("a", "b"), None, None)
        total, missed, images = np.zeros((2, 3), int), np.zeros((2, 3), int), dict[int, int]()
        for image in (one for one in snapshot.images if one.split is Split.TRAIN):
            seen = unaugmented_input(snapshot, image.id, own)
            data = load_without_pixels(snapshot.take([image.id - 1]), 160, detector.resize, own.training)
            assert found.px == 160
            learnt = set(seen.rows.tolist()) - {
                int(seen.rows[m]) for m, _ in assign_input(seen, detector, answers=False).unmatched
            }
            for k, (x0, y0, x1, y1) in enumerate(data.boxes.tolist()):
                row, area = int(snapshot.offsets[image.id - 1]) + k, (x1 - x0) * (y1 - y0)
                where = int(snapshot.label_index[row]), int(area >= 32**2) + int(area >= 96**2)
                if not data.ignore[k]:
                    total[where] += 1
                    missed[where] += row not in learnt
                    images[image.id] = images.get(image.id, 0) + (row not in learnt)
        assert found.total.tolist() == total.tolist()
        assert found.missed.tolist() == missed.tolist()
        assert set(found.images) == {id for id, count in images.items() if count}
        assert found.problem == ""
    assert total.sum() > 10


def test_some_boxes_have_no_positive_with_one_cell_each(snapshot: Snapshot) -> None:
    wanted = recipes.preset("quick-cpu").changed({"input_px": 160})
    one, three = coverages(snapshot, wanted, None, ("yolov1", "yolov3"))
    assert one.missed.sum() > three.missed.sum()
    assert one.missed.shape == (2, len(SIZES))


def test_a_detector_that_cant_be_built_says_why_and_the_others_go_on(snapshot: Snapshot) -> None:
    wanted = recipes.preset("quick-cpu").changed({"input_px": 100})
    bad, good = coverages(snapshot, wanted, None, ("yolov3", "ssd300"))
    assert "multiple of 32" in bad.problem
    assert good.problem == ""
    assert good.total.sum() > 0


def test_dealing_images_out_changes_nothing(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    own = quick("yolov2", 160)
    detector = build_detector(own, ("a", "b"), None, None)
    data = load_without_pixels(snapshot, 160, "letterbox", own.training)
    together = find_learnt_boxes(detector, data)
    monkeypatch.setattr("workbench.training.trainer_view.box_coverage.MOST_IMAGES", 1)
    assert np.array_equal(find_learnt_boxes(detector, data), together)
    assert not together.all()
    assert set(detectors.load_all().names()) >= {"yolov2"}
