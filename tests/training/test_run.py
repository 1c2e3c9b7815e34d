"""The whole training as a generator: the events it tells, the files it leaves, and how its settings are followed."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.run_results import STEPS, MakeRequest, logged, only
from tests.training.toys import Toy, ToySettings, make_snapshot
from workbench import detectors
from workbench.core.project import AnchorSet
from workbench.detectors.parts.detector import Raw
from workbench.training import loop, prepare, validate
from workbench.training.batches import data, dataset_loading
from workbench.training.checkpoints import checkpoint
from workbench.training.events import Control, Evaluated, Finished, Message, Progress, Saved, Started
from workbench.training.hardware import gpu
from workbench.training.hardware.runtime import Runtime
from workbench.training.records import record
from workbench.training.run import train
from workbench.training.settings import FEW_JUDGES


def test_a_run_tells_its_story_and_leaves_its_files(request_of: MakeRequest) -> None:
    request = request_of()
    events = list(train(request))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Finished)
    assert (events[0].images, events[0].validation_images, events[0].steps) == (6, 2, STEPS)
    assert (events[-1].step, events[-1].epoch, events[-1].stopped) == (STEPS, 4, False)
    assert only(events, Progress)[-1].step == STEPS
    assert [event.epoch for event in only(events, Evaluated)] == [1, 2, 3, 4]
    assert only(events, Saved)[-1].kind == "last"
    names = {file.name for file in request.folder.iterdir()}
    assert {"settings.toml", "events.jsonl", "last.safetensors", "last.state.pt", "best.safetensors"} <= names
    assert not [name for name in names if name.endswith(".tmp")]


def test_every_event_is_also_a_line_of_the_record(request_of: MakeRequest) -> None:
    request = request_of()
    assert list(train(request)) == logged(request)


def test_the_loss_falls(request_of: MakeRequest) -> None:
    events = list(train(request_of(epochs=60, mosaic=0.0, hue=0.0)))
    losses = [event.loss for event in only(events, Progress)]
    assert losses[-1] < losses[0] / 2


def test_no_validation_split_holds_images_out_by_the_seed(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=8, validation=0)
    events = list(train(request_of(snapshot=snapshot, hold_out=0.25)))
    assert (only(events, Started)[0].images, only(events, Started)[0].validation_images) == (6, 2)
    assert "held out" in only(events, Message)[0].sentence


def test_input_sides_may_vary(request_of: MakeRequest) -> None:
    assert isinstance(list(train(request_of(sizes=0.5, epochs=30)))[-1], Finished)


def test_large_input_sides_show_more_of_the_images_and_evaluation_keeps_its_own(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    real = data.load

    def load(part: Any, px: int, *args: Any, **more: Any) -> Any:
        kept.append(px)
        return real(part, px, *args, **more)

    monkeypatch.setattr(dataset_loading, "load", load)
    assert isinstance(list(train(request_of(sizes=1.0)))[-1], Finished)
    assert kept == [160, 64]


@pytest.mark.parametrize(("multiple", "sides"), [(64, {64, 128, 192}), (32, {64, 96, 128, 160})])
def test_input_sides_vary_by_what_the_network_needs(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch, multiple: int, sides: set[int]
) -> None:
    seen: set[int] = set()
    real = Toy.forward

    def forward(self: Toy, images: Tensor) -> Raw:
        seen.update(images.shape[2:])
        return real(self, images)

    monkeypatch.setattr(Toy, "forward", forward)
    monkeypatch.setattr(Toy, "multiple", multiple)
    assert isinstance(list(train(request_of(sizes=1.0, epochs=200, evaluate_every=0)))[-1], Finished)
    assert seen == sides


def test_a_network_of_one_size_keeps_it_and_says_so(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[tuple[int, ...]] = set()
    real = Toy.forward

    def forward(self: Toy, images: Tensor) -> Raw:
        seen.add(tuple(images.shape[2:]))
        return real(self, images)

    monkeypatch.setattr(Toy, "forward", forward)
    monkeypatch.setattr(Toy, "fixed_size", True)
    events = list(train(request_of(sizes=0.5, epochs=30)))
    assert any("one size only" in event.sentence for event in only(events, Message))
    assert len(seen) == 1


def test_a_training_whose_ap_can_not_be_measured_does_not_end_early(request_of: MakeRequest, tmp_path: Path) -> None:
    """Of validation images without boxes AP had "not risen" either."""
    whole = make_snapshot(tmp_path / "images", validation=FEW_JUDGES)
    boxless = dataclasses.replace(
        whole, offsets=np.minimum(whole.offsets, 6), boxes=whole.boxes[:6], label_index=whole.label_index[:6],
        flags=whole.flags[:6], box_ids=whole.box_ids[:6],
    )  # fmt: skip
    assert only(list(train(request_of(snapshot=boxless, patience=1))), Finished)[0].step == STEPS


@pytest.mark.parametrize("judges", [FEW_JUDGES - 1, FEW_JUDGES])
def test_an_early_end_when_ap_does_not_rise_and_images_enough_judge_it(
    request_of: MakeRequest, tmp_path: Path, judges: int
) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=8, validation=judges)
    events = list(train(request_of(snapshot=snapshot, epochs=20, patience=2, learning_rate=0.0, ema=0.0)))
    end = events[-1]
    assert isinstance(end, Finished)
    assert not end.stopped
    is_told = any("does not end early" in event.sentence for event in only(events, Message))
    assert (end.epoch < 20, is_told) == ((True, False) if judges == FEW_JUDGES else (False, True))


@pytest.mark.parametrize(("judges", "best"), [(FEW_JUDGES - 1, 4), (FEW_JUDGES, 2)])
def test_the_best_weights_are_those_of_the_highest_ap_but_the_newest_where_few_images_judge(
    request_of: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, judges: int, best: int
) -> None:
    real, aps = validate.evaluate, iter([0.1, 0.4, 0.2, 0.3])

    def evaluate(*given: Any) -> Any:
        return dataclasses.replace(real(*given), ap=next(aps), ap50=0.5)

    monkeypatch.setattr(validate, "evaluate", evaluate)
    snapshot = make_snapshot(tmp_path / "images", train=8, validation=judges)
    request = request_of(snapshot=snapshot, epochs=4)
    events = list(train(request))
    assert checkpoint.load_detector(request.folder / checkpoint.BEST)[1].epoch == best
    assert [one.epoch for one in only(events, Evaluated) if one.best][-1] == best


def test_a_run_goes_back_to_the_threads_that_were_set(request_of: MakeRequest) -> None:
    before = torch.get_num_threads()
    list(train(request_of(threads=1)))
    assert torch.get_num_threads() == before


def test_a_training_has_its_device_for_itself_from_its_network_to_its_end(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Apple's GPU, whose second user ends the process."""
    users: list[torch.device] = []
    begun: list[int] = []

    @contextlib.contextmanager
    def alone_on(device: torch.device, patience: float = -1) -> Iterator[bool]:
        users.append(device)
        yield True
        users.remove(device)

    monkeypatch.setattr(gpu, "alone_on", alone_on)
    made = prepare.build
    monkeypatch.setattr(prepare, "build", lambda *given: (begun.append(len(users)), made(*given))[1])
    events = [(event, len(users)) for event in train(request_of(epochs=1))]
    assert begun == [1]
    told = [count for event, count in events if isinstance(event, Started | Progress | Evaluated | Saved | Finished)]
    assert set(told) == {1}
    assert users == []


def test_a_detector_from_a_checkpoint_detects_as_it_was_evaluated(request_of: MakeRequest) -> None:
    request = request_of()
    list(train(request))
    detector, header = checkpoint.load_detector(request.folder / "best.safetensors")
    assert not detector.training
    assert [label.name for label in header.labels] == ["top", "bottom"]
    assert (header.detector, header.input_px, header.resize) == ("toy", 64, "stretch")
    assert header.data_digest == request.snapshot.digest
    assert set(header.metrics) == {"ap", "ap50", "ap75"}


def test_the_toy_is_registered_only_in_these_tests() -> None:
    assert "toy" not in detectors.load_all()


def test_a_training_that_finds_nothing_says_why_after_its_evaluation(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = Toy.candidates
    monkeypatch.setattr(Toy, "candidates", lambda self, raw: candidates(self, tuple(level * 0 - 99 for level in raw)))
    events = list(train(request_of()))
    first = next(i for i, event in enumerate(events) if isinstance(event, Evaluated))
    said = [event.sentence for event in events[first : first + 3] if isinstance(event, Message)]
    assert any("too early" in sentence.lower() or "nothing" in sentence.lower() for sentence in said), said


def test_a_run_says_and_keeps_where_its_anchors_came_from(request_of: MakeRequest) -> None:
    chosen = AnchorSet(((10.0, 12.0), (20.0, 18.0)), 64, source="IoU k-means, median, seed 0, then moved by hand")
    request = dataclasses.replace(request_of(epochs=1), anchors=chosen)
    list(train(request))
    header = checkpoint.read_header(request.folder / checkpoint.LAST)
    with_anchors = detectors.build("yolov4-tiny", detectors.load_all().get("yolov4-tiny").settings_class(width=0.1), 1)
    (said,) = prepare.anchors_from(with_anchors, chosen)
    assert said.sentence == f"Anchors: 2, made for 64 px: {chosen.source}."
    boxed = prepare.anchors_from(with_anchors, dataclasses.replace(chosen, resize="letterbox"))
    assert [message.level for message in boxed] == ["info", "warning"]
    assert "--resize stretch --use" in boxed[1].sentence
    tiled = dataclasses.replace(chosen, tiles=416)
    assert all(len(prepare.anchors_from(with_anchors, one, 416)) == 1 for one in (tiled, chosen))
    for tiles, seen in ((832, "in tiles of 832 px"), (0, "only as a whole")):
        warning = prepare.anchors_from(with_anchors, tiled, tiles)[1].sentence
        start = "Anchors: they were made for tiles of 416 px, but this training sees photographs"
        assert warning.startswith(f"{start} {seen}. ")
        assert f"workbench anchors --tiles {tiles} --use" in warning
    (said,) = prepare.anchors_from(with_anchors, None)
    assert said.sentence == "Anchors: the 6 published ones."
    assert prepare.anchors_from(Toy(ToySettings(), 1), chosen) == [], "it has none"
    assert header.provenance["anchors from"] == chosen.source
    assert record.read_request(request.folder).anchors == chosen


def test_a_stop_that_comes_while_the_processes_agree_is_that_of_the_next_step(request_of: MakeRequest) -> None:
    """The one that it came to stopped alone, and the others waited for its part of the step."""
    control, asked = Control(), list[int]()

    class Several(Runtime):
        def agree(self, value: int) -> int:
            if not isinstance(value, bool):  # the question before each step
                asked.append(value)
                control.stop.set()
            return value

    *_, end = train(request_of(evaluate_every=0), control, Several())
    assert isinstance(end, Finished)
    assert (end.step, end.stopped, asked) == (1, True, [0, loop.STOP])
