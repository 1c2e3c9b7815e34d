"""Trainings that see large images in tiles: what is read, learnt, evaluated, kept and said, and that they resume."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from torch import Tensor

from tests.calls import calls_of
from tests.training.run_results import MakeRequest, only, same, weights
from tests.training.test_validate import Knowing
from tests.training.tiled import TILES, recipe, wide, wide_photographs
from tests.training.toys import CALM, Toy, make_snapshot
from workbench import detectors
from workbench.core import files, tiling
from workbench.core.detections import Candidates
from workbench.core.project import Snapshot, Split
from workbench.detectors.parts.detector import Assignment, Raw, Targets
from workbench.inference.evaluating.evaluate import evaluate_run
from workbench.inference.events import EvaluationDone
from workbench.inference.predict import Predictor
from workbench.training import loop, prepare, run, validate
from workbench.training.batches import data, pixel_cache
from workbench.training.batches.data import Dataset
from workbench.training.batches.file_index import FileIndex, FileInfo
from workbench.training.batches.image_views import learnt_views
from workbench.training.batches.pixelless_data import load_without_pixels
from workbench.training.checkpoints import checkpoint
from workbench.training.events import Control, Evaluated, Finished, Message, Started
from workbench.training.monitoring import image_losses, monitor, watched_images
from workbench.training.monitoring.meter import Meter
from workbench.training.request import RunRequest
from workbench.training.schedule import Plan
from workbench.training.trainer_view.network_input import make_input_sequence

__all__ = ["wide"]  # a fixture


class Seeing(Knowing):
    """Finds squares of 32 px exactly, if they are seen at that size, whatever it learns."""

    def forward(self, images: Tensor) -> Raw:
        return (super().forward(images)[0] + 0 * Toy.forward(self, images)[0],)


@pytest.fixture
def seeing(toy: type[Toy]) -> None:
    """In place of the toy."""
    registry = detectors.load_all()
    registry.unregister_owner("tests")
    with registry.owned_by("tests"):
        registry.register("toy")(Seeing)


def test_a_training_goes_through_tiles_and_counts_images(request_of: MakeRequest, wide: Snapshot) -> None:
    request = request_of(snapshot=wide, epochs=2, **TILES)
    events = list(run.train(request))
    started = only(events, Started)[0]
    sentences = [event.sentence for event in only(events, Message)]
    assert "Images larger than 64 px are seen as a whole and in tiles: 2 images and 14 tiles." in sentences
    assert (started.images, started.views, started.validation_images) == (2, 16, 1)
    assert started.steps == 2 * 16 // 4
    assert only(events, Evaluated)[-1].images == 1
    header = checkpoint.read_header(request.folder / "last.safetensors")
    assert (header.tiles, header.tile_overlap) == (64, 0.5)
    assert header.provenance["images"] == 2
    assert header.data_digest == wide.digest


def test_what_is_told_before_and_during_a_training_says_whether_tiles_are_counted(
    request_of: MakeRequest, wide: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Images per second are whole ones, as in evaluations; steps are of images and tiles."""
    counted: list[tuple[int, int]] = []

    def metered(plan: Plan, device: Any, images: int) -> Meter:
        counted.append((plan.images, images))
        return Meter(plan, device, images)

    def learnt(detector: Toy, targets: Targets, size: tuple[int, int]) -> Assignment:
        every = assignment(detector, targets, size)
        return Assignment(*(one[:1] for one in dataclasses.astuple(every)))

    assignment = Toy.assignment
    monkeypatch.setattr(loop, "Meter", metered)
    monkeypatch.setattr(Toy, "assignment", learnt)
    monkeypatch.setattr(prepare, "LOOKED_AT", 9)  # of 10 in which each box counts once
    request = request_of(snapshot=wide, epochs=1, least_steps=6, batch=4, **TILES)
    sentences = " ".join(event.sentence for event in only(list(run.train(request)), Message))
    assert counted == [(16, 2)]
    assert "16 images and tiles would make 4 steps" in sentences
    assert "boxes of 9 images and tiles that were looked at" in sentences


def test_images_that_fit_into_a_tile_are_seen_as_without_tiles(request_of: MakeRequest, tmp_path: Path) -> None:
    small = make_snapshot(tmp_path / "images")
    plain, tiled = request_of("plain", small), request_of("tiled", small, **TILES)
    events = list(run.train(tiled))
    list(run.train(plain))
    assert "No training image is larger than a tile of 64 px: all are seen only as a whole." in [
        event.sentence for event in only(events, Message)
    ]
    assert same(weights(plain.folder), weights(tiled.folder))


@pytest.mark.usefixtures("seeing")
def test_ap_is_that_of_whole_images_with_what_their_tiles_show_merged(request_of: MakeRequest, wide: Snapshot) -> None:
    """As a whole the squares are 8 px wide, which this network can't see."""
    tiled, plain = (
        only(list(run.train(request_of(name, wide, epochs=1, **more))), Evaluated)[-1]
        for name, more in (("tiled", TILES), ("plain", {}))
    )
    assert (tiled.ap, tiled.ap50) == pytest.approx((1.0, 1.0))
    assert plain.ap50 < 0.1


@pytest.mark.parametrize("tiles", [TILES, {}])
def test_an_evaluation_later_gives_the_same_ap_without_being_told_of_the_tiles(
    request_of: MakeRequest, tmp_path: Path, tiles: dict[str, Any]
) -> None:
    wide = wide_photographs(tmp_path / "wide", 4, 4)
    request = request_of(snapshot=wide, epochs=12, **tiles)
    ap = only(list(run.train(request)), Evaluated)[-1].ap
    predictor = Predictor.open(request.folder / checkpoint.LAST, "cpu")
    assert predictor.tiling == request.recipe.training.tiling
    done = [one for one in evaluate_run(predictor, wide, Split.VALIDATION) if isinstance(one, EvaluationDone)]
    assert done[0].evaluation.ap == pytest.approx(ap, abs=1e-6)
    if tiles:
        assert ap > 0
        assert {candidates.views for candidates in done[0].candidates} == {8}


def test_a_resumed_training_in_tiles_is_bit_identical(request_of: MakeRequest, wide: Snapshot) -> None:
    whole, cut = (request_of(name, wide, **TILES) for name in ("whole", "cut"))
    list(run.train(whole))
    control = Control()
    for event in run.train(cut, control):
        if isinstance(event, Evaluated):
            control.stop.set()
    events = list(run.resume(cut.folder))
    assert not only(events, Finished)[0].stopped
    assert same(weights(whole.folder), weights(cut.folder))
    assert not [event for event in only(events, Message) if "can be read now" in event.sentence], "tiles are no images"


def test_tiles_do_not_make_images_enough_for_the_best_weights_to_stay(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two images to validate on, in 16 views: the newest weights count as the best, also after a kill."""
    real, aps = validate.evaluate, iter((0.1, 0.4, 0.3, 0.2))
    monkeypatch.setattr(validate, "evaluate", lambda *given: replace(real(*given), ap=(ap := next(aps)), ap50=ap))
    request, control = request_of(snapshot=wide_photographs(tmp_path / "wide", 2, 2), epochs=3, **TILES), Control()
    for event in run.train(request, control):
        if isinstance(event, Evaluated):
            control.stop.set()
    saved = (request.folder / checkpoint.STATE).read_bytes()
    control = Control()
    for event in run.resume(request.folder, control):
        if isinstance(event, Evaluated):
            control.stop.set()
    (request.folder / checkpoint.STATE).write_bytes(saved)  # as if it had been killed
    events = list(run.resume(request.folder))
    assert not [event for event in only(events, Message) if "best weights are those" in event.sentence]
    assert [event.best for event in only(events, Evaluated)] == [True, True]


def test_each_file_is_decoded_once_for_all_its_tiles_and_kept_for_the_next_training(
    request_of: MakeRequest, wide: Snapshot, tmp_path: Path, reads: list[str]
) -> None:
    found = []
    for name, keep in (("memory", "memory"), ("first", "disk"), ("second", "disk")):
        request = replace(request_of(name, wide, keep_images=keep, **TILES), folder=tmp_path / "p" / "runs" / name)
        reads.clear()
        list(run.train(request))
        found.append((sorted(reads), weights(request.folder)))
    each = ["wide-0.png", "wide-1.png", "wide-2.png"]
    assert [names for names, _ in found] == [each, each, []]
    assert same(found[0][1], found[1][1])
    assert same(found[0][1], found[2][1])


def test_of_kept_tiles_each_file_is_asked_once_whether_it_changed(
    request_of: MakeRequest, wide: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a network drive it takes a millisecond, and of 37 tiles each asked twice before the second training."""
    asked: list[str] = []

    def counted(file: Path) -> tuple[int, int]:
        asked.append(file.name)
        return files.stamp(file)

    def prepare(name: str) -> RunRequest:
        request = request_of(name, wide, keep_images="disk", epochs=1, **TILES)
        return replace(request, folder=tmp_path / "p" / "runs" / name)

    list(run.train(prepare("first")))
    monkeypatch.setattr(pixel_cache, "stamp", counted)
    list(run.train(prepare("second")))
    assert sorted(asked) == [f"wide-{n}.png" for n in (0, 0, 1, 1, 2, 2)]  # what is kept, and each that is taken


@pytest.mark.usefixtures("toy")
def test_a_plan_asks_each_file_once_whether_it_is_known(wide: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    known = FileIndex.known

    def counted(index: FileIndex, file: Path, window: Any) -> FileInfo | None:
        asked.append(file.name)
        return known(index, file, window)

    monkeypatch.setattr(FileIndex, "known", counted)
    assert len(make_input_sequence(wide, recipe(**TILES)).data) == 16
    assert sorted(asked) == ["wide-0.png", "wide-1.png"]


def test_boxes_of_many_tiles_are_moved_at_once(wide: Snapshot) -> None:
    """Tile by tile it took longer than cutting them, silently after the last image was read."""
    many = learnt_views(wide.take([0, 1] * 100), recipe(**TILES).training)
    load_without_pixels(many, 64, "stretch", CALM)
    assert calls_of(lambda: load_without_pixels(many, 64, "stretch", CALM)) < 20 * len(many)


def test_a_file_that_cannot_be_read_takes_all_its_tiles_with_it(request_of: MakeRequest, wide: Snapshot) -> None:
    wide.files[0].write_bytes(b"no image")
    events = list(run.train(request_of(snapshot=wide, **TILES)))
    started = only(events, Started)[0]
    assert (started.images, started.views) == (1, 8)
    assert any(str(wide.files[0].name) in event.sentence for event in only(events, Message))


def test_files_are_counted_and_decoded_once_whatever_their_tiles(
    request_of: MakeRequest, wide: Snapshot, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where many tiles come together, and where a file can't be read or has another size by now."""
    monkeypatch.setattr(data, "READ_AHEAD", 2)
    monkeypatch.setattr(data, "TELL_EVERY", -1.0)
    wide.files[0].write_bytes(b"no image")
    wide.files[2].write_bytes(cv2.imencode(".png", np.zeros((64, 300, 3), np.uint8))[1].tobytes())
    events = list(run.train(request_of(snapshot=wide, keep_images="memory", **TILES)))
    told = " ".join(event.sentence for event in only(events, Message))
    assert sorted(reads) == ["wide-0.png", "wide-1.png", "wide-2.png"]
    assert "Read 2 of 2 images." in told
    assert {(2, 2), (1, 1)} <= {(one.done, one.total) for one in only(events, Message)}
    assert "1 image is left out because it could not be read. " in told
    assert "1 image has a different size" in told


def test_the_tiles_of_an_image_are_merged_before_the_next_image_is_evaluated(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept until the end, the candidates of 2,000 images in 25 tiles took gigabytes."""
    order: list[str] = []
    found = validate._candidates

    def seen(data: Dataset, index: int, *rest: Any) -> Candidates:
        order.append(data.snapshot.images[index].name)
        return found(data, index, *rest)

    def merged(*parts: Any) -> Candidates:
        order.append("merged")
        return tiling.merge(*parts)

    monkeypatch.setattr(validate, "_candidates", seen)
    monkeypatch.setattr(validate, "merge", merged)
    wide = wide_photographs(tmp_path / "wide", 2, 3)
    list(run.train(request_of(snapshot=wide, epochs=1, threads=1, **TILES)))
    assert order == [one for n in (2, 3, 4) for one in [*[f"wide-{n}.png"] * 8, "merged"]]


def test_an_image_is_judged_in_all_its_tiles_at_once(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kept is the highest loss of its views: the others of an image begun before were forgotten."""
    judged: list[list[int]] = []
    losses = validate.losses

    def noted(detector: Any, data: Dataset, at: np.ndarray, *rest: Any) -> np.ndarray | None:
        judged.append([data.snapshot.images[int(index)].id for index in at])
        return losses(detector, data, at, *rest)

    monkeypatch.setattr(validate, "losses", noted)
    monkeypatch.setattr(monitor, "JUDGED", 0.1)
    wide = wide_photographs(tmp_path / "wide", 5, 1)
    list(run.train(request_of(snapshot=wide, epochs=4, **TILES)))
    assert len([ids for ids in judged if ids]) > 1
    assert all(ids.count(one) == 8 for ids in judged for one in ids)


@pytest.mark.usefixtures("seeing")
def test_what_is_kept_of_images_is_kept_by_image(request_of: MakeRequest, wide: Snapshot) -> None:
    request = request_of(snapshot=wide, epochs=8, **TILES)
    list(run.train(request))
    losses = image_losses.read(request.folder)
    assert sorted(losses.images.tolist()) == [1, 2, 3]
    (picture,) = watched_images.read(request.folder)[-1].pictures
    assert picture.image == 3
    wanted = wide.boxes[wide.rows(2)].tolist()
    assert sorted(picture.boxes[picture.scores > 0.5].tolist()) == sorted(wanted)
