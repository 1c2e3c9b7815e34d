"""The whole training as a generator: its events, stopping, resuming bit for bit, and everything that can go wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.toys import Toy, ToySettings, make_snapshot
from workbench import detectors
from workbench.core.project import AnchorSet, Split
from workbench.detectors.parts.detector import Raw, Targets
from workbench.errors import WorkbenchError
from workbench.training import checkpoint, prepare, reading, record, runs
from workbench.training.events import (
    Control,
    Evaluated,
    Event,
    Failed,
    Finished,
    Message,
    Paused,
    Progress,
    Saved,
    Started,
    from_json,
)  # fmt: skip
from workbench.training.prepare import parts
from workbench.training.run import RunRequest, resume, train
from workbench.training.schedule import Plan

MakeRequest = Callable[..., RunRequest]
STEPS = 6


def only(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def logged(request: RunRequest) -> list[Event]:
    return [from_json(line) for line in (request.folder / "events.jsonl").read_text().splitlines()]


def weights(folder: Path) -> dict[str, Tensor]:
    state = checkpoint.load_state(folder / "last.state.pt")
    return {**{f"now {n}": t for n, t in state.detector.items()}, **{f"mean {n}": t for n, t in state.average.items()}}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


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


def test_stop_and_resume_give_bit_for_bit_the_straight_run(request_of: MakeRequest) -> None:
    straight, broken = request_of("straight"), request_of("broken")
    list(train(straight))
    control = Control()
    for event in train(broken, control):
        if isinstance(event, Evaluated):
            control.stop.set()
    stopped = logged(broken)[-1]
    assert isinstance(stopped, Finished)
    assert stopped.stopped
    assert 0 < stopped.step < STEPS
    events = list(resume(broken.folder))
    assert only(events, Started)[0].resumed_step == stopped.step
    assert same(weights(straight.folder), weights(broken.folder))
    best = [[event.ap for event in logged(request) if isinstance(event, Evaluated)] for request in (straight, broken)]
    assert best[0] == best[1]


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_run_resumed_after_every_step_is_still_the_straight_run(request_of: MakeRequest, optimizer: str) -> None:
    straight, broken = (request_of(name, optimizer=optimizer, evaluate_every=0) for name in ("straight", "broken"))
    list(train(straight))
    stop_after_one_step(train, broken)
    for _ in range(STEPS - 1):
        stop_after_one_step(lambda request, control: resume(request.folder, control), broken)
    assert checkpoint.load_state(broken.folder / "last.state.pt").step == STEPS
    assert same(weights(straight.folder), weights(broken.folder))


def stop_after_one_step(start: Callable[..., Any], request: RunRequest) -> None:
    """Run until one step is done, seen from the detector's own loss."""
    control = Control()
    before = Toy.loss

    def loss(self: Toy, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        control.stop.set()
        return before(self, raw, targets)

    Toy.loss = loss  # type: ignore[method-assign]
    try:
        list(start(request, control))
    finally:
        Toy.loss = before  # type: ignore[method-assign]


def test_without_the_random_state_a_resumed_run_would_differ(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control: the comparison above can fail."""
    straight, broken = request_of("straight"), request_of("broken")
    list(train(straight))
    stop_after_one_step(train, broken)
    monkeypatch.setattr(torch, "set_rng_state", lambda state: torch.manual_seed(99))
    list(resume(broken.folder))
    assert not same(weights(straight.folder), weights(broken.folder))


def test_closing_the_generator_leaves_a_checkpoint_and_says_so_in_the_record(request_of: MakeRequest) -> None:
    request = request_of()
    events = train(request)
    for event in events:
        if isinstance(event, Evaluated):
            break
    events.close()  # type: ignore[attr-defined]
    end = logged(request)[-1]
    assert isinstance(end, Finished)
    assert end.stopped
    assert runs.info(request.folder).state == "stopped"
    assert only(list(resume(request.folder)), Finished)[0].step == STEPS


def test_ctrl_c_in_a_step_leaves_a_checkpoint(request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_of()

    def interrupted(self: Toy, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        raise KeyboardInterrupt

    events = train(request)
    for event in events:
        if isinstance(event, Evaluated):
            monkeypatch.setattr(Toy, "loss", interrupted)
            break
    with pytest.raises(KeyboardInterrupt):
        list(events)
    monkeypatch.undo()
    assert checkpoint.load_state(request.folder / "last.state.pt").step == 2
    assert only(list(resume(request.folder)), Finished)[0].step == STEPS


def test_a_full_disk_at_the_end_is_told_and_keeps_the_last_checkpoint(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    stop_after_one_step(train, request)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    end = list(resume(request.folder))[-1]
    assert isinstance(end, Failed)
    assert "disk is full" in end.sentence
    closed = resume(request.folder)
    next(closed)
    with pytest.raises(WorkbenchError, match="disk is full"):
        closed.close()  # type: ignore[attr-defined]
    monkeypatch.undo()
    assert only(list(resume(request.folder)), Started)[0].resumed_step == 1


def test_images_that_went_missing_before_a_resume_are_told(request_of: MakeRequest) -> None:
    request = request_of()
    stop_after_one_step(train, request)
    request.snapshot.files[0].unlink()
    messages = [event.sentence for event in only(list(resume(request.folder)), Message)]
    assert any("5 images can be read now, 6 could" in sentence for sentence in messages)


def test_pause_waits_and_goes_on(request_of: MakeRequest) -> None:
    control = Control()
    control.pause.set()
    seen: list[Event] = []
    for event in train(request_of(), control):
        seen.append(event)
        if isinstance(event, Paused) and event.paused:
            control.pause.clear()
    assert [(event.paused, event.step) for event in only(seen, Paused)] == [(True, 0), (False, 0)]
    assert only(seen, Finished)[0].step == STEPS


def test_stop_ends_a_pause(request_of: MakeRequest) -> None:
    control = Control()
    control.pause.set()
    for event in train(request_of(), control):
        if isinstance(event, Paused):
            control.stop.set()
    assert isinstance(event, Finished)
    assert event.stopped


def test_a_stop_before_the_first_step_ends_in_order(request_of: MakeRequest) -> None:
    control = Control()
    control.stop.set()
    events = list(train(request_of(), control))
    assert [type(event) for event in events] == [Finished]


def test_a_corrupt_image_is_reported_and_left_out(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images")
    snapshot.files[1].write_bytes(b"not a picture")
    events = list(train(request_of(snapshot=snapshot)))
    warnings = [event.sentence for event in only(events, Message) if event.level == "warning"]
    left_out, copies = warnings
    assert "1 image is left out" in left_out
    assert "1.png" in left_out
    assert "Nearly the same picture" in copies  # the toy's images are few of a kind
    assert only(events, Started)[0].images == 5


def test_no_validation_split_holds_images_out_by_the_seed(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=8, validation=0)
    events = list(train(request_of(snapshot=snapshot, hold_out=0.25)))
    assert (only(events, Started)[0].images, only(events, Started)[0].validation_images) == (6, 2)
    assert "held out" in only(events, Message)[0].sentence


def test_a_loss_that_is_no_number_ends_the_run_and_never_reaches_a_checkpoint(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of()
    before, calls = Toy.loss, [0]

    def loss(self: Toy, raw: Raw, targets: Targets) -> dict[str, Tensor]:
        calls[0] += self.training  # evaluation takes losses too
        factor = math.nan if calls[0] == 4 and self.training else 1.0
        return {name: term * factor for name, term in before(self, raw, targets).items()}

    monkeypatch.setattr(Toy, "loss", loss)
    events = list(train(request))
    assert isinstance(events[-1], Failed)
    assert "not a number" in events[-1].sentence
    step = [request.snapshot.images[i].name for i in Plan(6, 4, 4, 1).indices(3)]
    assert events[-1].sentence.endswith(f"It was at step 4, learning rate 0.0253, on {', '.join(step)}.")
    state = checkpoint.load_state(request.folder / "last.state.pt")
    assert state.step == 3
    assert all(
        torch.isfinite(tensor).all() for tensor in weights(request.folder).values() if tensor.is_floating_point()
    )
    assert runs.info(request.folder).state == "failed"
    assert runs.info(request.folder).resumable


def test_weights_that_are_no_numbers_never_reach_a_checkpoint(request_of: MakeRequest) -> None:
    request = request_of()
    list(train(request))
    best = request.folder / "best.safetensors"
    good = best.read_bytes()
    broken = {"w": torch.full((2,), math.nan)}
    with pytest.raises(checkpoint.NotFinite, match="not finite"):
        checkpoint.save_detector(best, broken, checkpoint.read_header(best))
    assert best.read_bytes() == good


def test_images_go_through_in_halves_when_memory_runs_out(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Toy.forward

    def forward(self: Toy, images: Tensor) -> Raw:
        if self.training and len(images) > 1:
            raise torch.OutOfMemoryError("too many")
        return before(self, images)

    monkeypatch.setattr(Toy, "forward", forward)
    events = list(train(request_of()))
    assert isinstance(events[-1], Finished)
    said = [event.sentence for event in only(events, Message)]
    assert "Memory ran out: images now go through 1 at a time, not 4." in said


def test_an_evaluation_goes_through_in_halves_when_memory_runs_out(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    straight = only(list(train(request_of(epochs=2))), Evaluated)
    before, seen = Toy.forward, set()

    def forward(self: Toy, images: Tensor) -> Raw:
        if not self.training:
            seen.add(len(images))
            if len(images) > 1:
                raise torch.OutOfMemoryError("too many")
        return before(self, images)

    monkeypatch.setattr(Toy, "forward", forward)
    halved = only(list(train(request_of("halved", epochs=2))), Evaluated)
    assert {1, 2} <= seen
    assert [(event.ap, event.ap50, event.images) for event in halved] == [
        (event.ap, event.ap50, event.images) for event in straight
    ]


def test_memory_that_does_not_hold_one_image_ends_the_run_with_a_sentence(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: Toy, images: Tensor) -> Raw:
        raise torch.OutOfMemoryError("too many")

    monkeypatch.setattr(Toy, "forward", forward)
    end = list(train(request_of()))[-1]
    assert isinstance(end, Failed)
    assert "single image" in end.sentence


def test_input_sides_may_vary(request_of: MakeRequest) -> None:
    assert isinstance(list(train(request_of(sizes=0.5, epochs=30)))[-1], Finished)


def test_large_input_sides_show_more_of_the_images_and_evaluation_keeps_its_own(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    real = reading.load

    def load(part: Any, px: int, *args: Any, **more: Any) -> Any:
        kept.append(px)
        return real(part, px, *args, **more)

    monkeypatch.setattr(reading, "load", load)
    assert isinstance(list(train(request_of(sizes=1.0)))[-1], Finished)
    assert kept == [160, 64]


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


def test_an_early_end_when_ap_does_not_rise(request_of: MakeRequest) -> None:
    events = list(train(request_of(epochs=100, patience=2, learning_rate=0.0, ema=0.0)))
    end = events[-1]
    assert isinstance(end, Finished)
    assert not end.stopped
    assert end.epoch < 20


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda s: _replaced(s, labels=()), "no labels"),
        (lambda s: s.take([]), "no images"),
        (lambda s: s.only(splits=(Split.VALIDATION,)), "training split"),
        (lambda s: _without_boxes(s), "not a single box"),
        (lambda s: _replaced(s, boxes=np.zeros_like(s.boxes)), "No box matches"),
    ],
)
def test_data_that_can_teach_nothing_is_refused_in_a_sentence(
    request_of: MakeRequest, tmp_path: Path, spoil: Callable[..., Any], sentence: str
) -> None:
    request = request_of(snapshot=spoil(make_snapshot(tmp_path / "images")))
    with pytest.raises(WorkbenchError, match=sentence):
        list(train(request))


def test_images_in_no_fitting_state_are_refused_in_a_sentence(request_of: MakeRequest, tmp_path: Path) -> None:
    with pytest.raises(WorkbenchError, match="None of the 8 images outside the test split is verified"):
        list(train(request_of(states="verified")))


def test_a_device_that_is_not_there_is_refused(request_of: MakeRequest) -> None:
    with pytest.raises(WorkbenchError, match="no device 'cuda:77'"):
        list(train(request_of(device="cuda:77")))


def test_two_trainings_do_not_share_a_folder(request_of: MakeRequest) -> None:
    request = request_of()
    first = train(request)
    next(first)
    with pytest.raises(WorkbenchError, match="in use"):
        next(train(request))
    first.close()  # type: ignore[attr-defined]


def test_a_run_goes_back_to_the_threads_that_were_set(request_of: MakeRequest) -> None:
    before = torch.get_num_threads()
    list(train(request_of(threads=1)))
    assert torch.get_num_threads() == before


def test_a_detector_from_a_checkpoint_detects_as_it_was_evaluated(request_of: MakeRequest) -> None:
    request = request_of()
    list(train(request))
    detector, header = checkpoint.load_detector(request.folder / "best.safetensors")
    assert not detector.training
    assert [label.name for label in header.labels] == ["top", "bottom"]
    assert (header.detector, header.input_px, header.resize) == ("toy", 64, "stretch")
    assert header.data_digest == request.snapshot.digest
    assert set(header.metrics) == {"ap", "ap50", "ap75"}


def _replaced(snapshot: Any, **changes: Any) -> Any:
    import dataclasses

    return dataclasses.replace(snapshot, **changes)


def _without_boxes(snapshot: Any) -> Any:
    count = len(snapshot)
    return _replaced(
        snapshot, offsets=np.zeros(count + 1, np.int64), boxes=np.zeros((0, 4)), label_index=np.zeros(0, np.int64),
        flags=np.zeros((0, 4), bool), box_ids=np.zeros(0, np.int64),
    )  # fmt: skip


def test_the_toy_is_registered_only_in_these_tests() -> None:
    assert "toy" not in detectors.load_all()


def test_a_held_out_image_that_cannot_be_read_does_not_stop_the_training(
    request_of: MakeRequest, tmp_path: Path
) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=10, validation=0)
    _, held_out, _ = parts(snapshot, request_of("b", snapshot).recipe.training)
    for file in held_out.files:
        file.write_bytes(b"")
    events = list(train(request_of("a", snapshot)))
    assert isinstance(events[-1], Finished)
    assert any("held out could be read" in note.sentence for note in only(events, Message))


def test_a_validation_split_that_cannot_be_read_is_named(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images")
    for file in snapshot.files[6:]:
        file.unlink()
    with pytest.raises(WorkbenchError, match="None of the 2 validation images could be read"):
        list(train(request_of("a", snapshot)))


def test_a_project_of_test_images_alone_is_told_to_move_some(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images")
    images = tuple(dataclasses.replace(image, split=Split.TEST) for image in snapshot.images)
    with pytest.raises(WorkbenchError, match="All 8 images are in the test split"):
        list(train(request_of("a", dataclasses.replace(snapshot, images=images))))


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
    (said,) = prepare.anchors_from(with_anchors, None)
    assert said.sentence == "Anchors: the 6 published ones."
    assert prepare.anchors_from(Toy(ToySettings(), 1), chosen) == [], "it has none"
    assert header.provenance["anchors from"] == chosen.source
    assert record.read_request(request.folder).anchors == chosen
