"""What can go wrong in a training: numbers that are none, too little memory, files, and data that teaches nothing."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.generators import close
from tests.training.run_results import MakeRequest, only, weights
from tests.training.toys import Toy, make_snapshot
from workbench.core import images
from workbench.core.project import Split
from workbench.detectors.parts.detector import Raw, Targets
from workbench.errors import WorkbenchError
from workbench.training.checkpoints import checkpoint
from workbench.training.events import Evaluated, Event, Failed, Finished, Message, Started
from workbench.training.prepare import select_images
from workbench.training.records import runs
from workbench.training.run import train
from workbench.training.schedule import Plan
from workbench.training.settings import TrainingSettings


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
    with pytest.raises(WorkbenchError, match="None of the 8 images is verified"):
        list(train(request_of(states="verified")))


@pytest.mark.parametrize(
    ("tested", "said"),
    [
        (2, "None of the 6 images outside the test split is ver"),
        (7, "The only image outside the test split is not ver"),
    ],
)
def test_images_of_the_test_split_are_not_counted_among_those_outside_it(
    tmp_path: Path, tested: int, said: str
) -> None:
    snapshot = make_snapshot(tmp_path)
    parts = [Split.TEST] * tested + [Split.TRAIN] * (8 - tested)
    images = tuple(dataclasses.replace(one, split=part) for one, part in zip(snapshot.images, parts, strict=True))
    with pytest.raises(WorkbenchError, match=said):
        select_images(dataclasses.replace(snapshot, images=images), TrainingSettings(states="verified"))


def test_a_device_that_is_not_there_is_refused_before_the_images_are_read(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "read", lambda *_: pytest.fail("reading many images takes minutes"))
    with pytest.raises(WorkbenchError, match="no device 'cuda:77'"):
        list(train(request_of(device="cuda:77")))


def test_two_trainings_do_not_share_a_folder(request_of: MakeRequest) -> None:
    request = request_of()
    first = train(request)
    next(first)
    with pytest.raises(WorkbenchError, match="in use"):
        next(train(request))
    close(first)


def _replaced(snapshot: Any, **changes: Any) -> Any:
    import dataclasses

    return dataclasses.replace(snapshot, **changes)


def _without_boxes(snapshot: Any) -> Any:
    count = len(snapshot)
    return _replaced(
        snapshot, offsets=np.zeros(count + 1, np.int64), boxes=np.zeros((0, 4)), label_index=np.zeros(0, np.int64),
        flags=np.zeros((0, 4), bool), box_ids=np.zeros(0, np.int64),
    )  # fmt: skip


def test_a_held_out_image_that_cannot_be_read_does_not_stop_the_training(
    request_of: MakeRequest, tmp_path: Path
) -> None:
    snapshot = make_snapshot(tmp_path / "images", train=10, validation=0)
    _, held_out, _ = select_images(snapshot, request_of("b", snapshot).recipe.training)
    for file in held_out.files:
        file.write_bytes(b"")
    events = list(train(request_of("a", snapshot)))
    assert isinstance(events[-1], Finished)
    assert any("None of the images held out could be read" in note.sentence for note in only(events, Message))


def test_a_validation_split_that_cannot_be_read_is_named(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images")
    for file in snapshot.files[6:]:
        file.unlink()
    with pytest.raises(WorkbenchError, match=r"None of the 2 validation images could be read\..*find-images"):
        list(train(request_of("a", snapshot)))


def test_a_disk_without_room_for_the_checkpoints_is_found_before_the_first_step(
    request_of: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was found at the first save, after up to five minutes, and a short training was lost."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    events: list[Event] = []
    with pytest.raises(WorkbenchError, match=r"take up to 788 kB, and the disk of .* has room for 1\.0 kB\. Make room"):
        events += train(request_of())
    assert not only(events, Started)


def _in_folders(snapshot: Any, folders: list[Path]) -> Any:
    """The images in these folders, one for each; only those of "here" have files."""
    roots = {folder: number for number, folder in enumerate(dict.fromkeys(folders), 1)}
    images = [dataclasses.replace(one, root=roots[f]) for one, f in zip(snapshot.images, folders, strict=True)]
    files = [file if f.name == "here" else f / file.name for file, f in zip(snapshot.files, folders, strict=True)]
    return _replaced(snapshot, images=tuple(images), files=tuple(files))


def test_a_missing_folder_is_one_line_and_no_list_of_its_files(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "here")
    here, away, far = tmp_path / "here", tmp_path / "away", tmp_path / "far"
    moved = _in_folders(snapshot, [away, away, here, here, here, far, here, away])
    events = list(train(request_of("a", moved)))
    told = [event.sentence for event in only(events, Message) if "left out" in event.sentence]
    assert [line.partition(". If")[0] for line in told] == [
        f"3 images (1 of them to validate on) are left out because their folder is not there: {away}",
        f"1 image is left out because its folder is not there: {far}",
    ]
    assert "workbench find-images" in told[0]
    started = only(events, Started)[0]
    assert (started.images, started.validation_images) == (3, 1)
    with pytest.raises(
        WorkbenchError, match=r"^6 images are left out because their folder is not there: .*find-images"
    ):
        list(train(request_of("b", _in_folders(snapshot, [away] * 6 + [here] * 2))))


def test_a_project_of_test_images_alone_is_told_to_move_some(request_of: MakeRequest, tmp_path: Path) -> None:
    snapshot = make_snapshot(tmp_path / "images")
    images = tuple(dataclasses.replace(image, split=Split.TEST) for image in snapshot.images)
    with pytest.raises(WorkbenchError, match="All 8 images are in the test split"):
        list(train(request_of("a", dataclasses.replace(snapshot, images=images))))
    with pytest.raises(WorkbenchError, match="The only image is in the test split"):
        list(train(request_of("a", dataclasses.replace(snapshot, images=images).take([0]))))
