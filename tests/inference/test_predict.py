"""Predicting: boxes come back to the pixels of each picture, and the fast copy finds what the plain network finds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from workbench.core import images
from workbench.core.resize import fit
from workbench.core.tiling import Tiling
from workbench.detectors import DetectorSettings
from workbench.detectors.parts.detector import Candidates, Detector, Raw
from workbench.errors import WorkbenchError
from workbench.inference import predict
from workbench.inference.predict import Predictor, has_fast_bfloat16
from workbench.training.hardware import gpu, machine


class Fixed(Detector):
    """Answers with the same boxes whatever it is shown."""

    name = "fixed"

    full: RuntimeError = torch.OutOfMemoryError()

    def __init__(self, boxes: list[list[float]], scores: list[list[float]], memory: int = 1000) -> None:
        super().__init__(DetectorSettings(input_px=64), len(scores[0]))
        self.boxes, self.scores = torch.tensor(boxes), torch.tensor(scores)
        self.memory = memory
        self.batches: list[int] = []

    def __deepcopy__(self, _: object) -> Fixed:
        return self

    def forward(self, images: Tensor) -> Raw:
        self.batches.append(len(images))
        if len(images) > self.memory:
            raise self.full
        return (images,)

    def candidates(self, raw: Raw) -> Candidates:
        many = len(raw[0])
        return Candidates(self.boxes.expand(many, -1, -1), self.scores.expand(many, -1, -1))


def blank(height: int, width: int) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_stretched_boxes_come_back_to_the_picture_and_are_cut_at_its_edges() -> None:
    predictor = Predictor(Fixed([[32, 0, 80, 64]], [[0.5, 0.0]]), "ab", 64, "stretch", device="cpu")
    found = predictor.candidates([blank(100, 200)])[0]
    assert found.boxes.tolist() == [[100, 0, 200, 100]]
    assert (found.scores.tolist(), found.labels.tolist()) == ([0.5], [0])


def test_letterboxed_boxes_come_back_and_those_in_the_grey_are_none() -> None:
    # 200 x 100 becomes 64 x 32 with 16 px of grey above and below
    fixed = Fixed([[0, 16, 32, 48], [0, 0, 64, 15]], [[0.5], [0.9]])
    found = Predictor(fixed, "a", 64, "letterbox", device="cpu").candidates([blank(100, 200)])[0]
    assert found.boxes.tolist() == [[0, 0, 100, 100]]


def test_each_label_of_a_box_is_a_candidate_and_those_below_the_floor_are_none() -> None:
    fixed = Fixed([[0, 0, 64, 64]], [[0.2, 0.0009, 0.7]])
    found = Predictor(fixed, "abc", 64, "stretch", device="cpu").candidates([blank(64, 64)])[0]
    assert found.labels.tolist() == [2, 0]


def test_at_most_a_thousand_unlikely_candidates_are_kept() -> None:
    fixed = Fixed([[0.0, 0, 64, 64]] * 1500, [[i / 40_000] for i in range(1500)])
    found = Predictor(fixed, "a", 64, "stretch", device="cpu").candidates([blank(64, 64)])[0]
    assert len(found) == 1000
    assert found.scores[0] == np.float32(1499 / 40_000)


@pytest.mark.parametrize("full", [torch.OutOfMemoryError(), RuntimeError("MPS backend out of memory")])
def test_too_little_memory_makes_the_batch_smaller(full: RuntimeError) -> None:
    fixed = Fixed([[0, 0, 64, 64]], [[0.5]], memory=2)
    fixed.full = full
    predictor = Predictor(fixed, "a", 64, "stretch", device="cpu")
    assert len(predictor.candidates([blank(64, 64)] * 5)) == 5
    assert fixed.batches == [5, 4, 2, 2, 1]


def test_too_little_memory_for_one_image_is_said() -> None:
    predictor = Predictor(Fixed([[0, 0, 64, 64]], [[0.5]], memory=0), "a", 64, "stretch", device="cpu")
    with pytest.raises(WorkbenchError, match="not enough memory"):
        predictor.candidates([blank(64, 64)])


def test_a_network_that_does_not_fit_onto_its_device_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def folded(*_: Any) -> Any:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(predict, "fold_batch_norms", folded)
    with pytest.raises(WorkbenchError, match="The memory of cpu is full"):
        Predictor(Fixed([[0, 0, 64, 64]], [[0.5]]), "a", 64, "stretch", device="cpu")


@pytest.mark.parametrize("full", ["the card", "of the network", "of an image"])
def test_where_nobody_chooses_a_device_a_full_card_gives_way_to_the_processor(
    full: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As beside a training on a small card: suggestions and what Inspect looks at are late then, and not refused."""
    fixed, before = Fixed([[0, 0, 64, 64]], [[0.5]]), predict.fold_batch_norms

    def chosen(name: str, patience: float) -> torch.device:
        if name != "cpu" and full == "the card":
            raise WorkbenchError("The memory of cuda is full.") from torch.OutOfMemoryError()
        return torch.device("cpu" if name == "cpu" else "meta")

    def folded(detector: Detector, device: torch.device) -> Detector:
        if device.type != "cpu" and full == "of the network":
            raise torch.OutOfMemoryError
        fixed.memory = 0 if device.type != "cpu" else 1000
        return before(detector, device)

    monkeypatch.setattr(machine, "choose_device", chosen)
    monkeypatch.setattr(predict, "fold_batch_norms", folded)
    predictor = Predictor(fixed, "a", 64, "stretch", cpu_fallback=True)
    assert len(predictor.candidates([blank(64, 64)] * 3)) == 3
    assert predictor.device.type == "cpu"
    with pytest.raises(WorkbenchError, match="is full|not enough memory"):
        Predictor(fixed, "a", 64, "stretch").candidates([blank(64, 64)])


def test_exact_is_whole_float32_on_graphics_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """For torch lets them cut it, unless told."""
    seen: list[bool] = []
    fixed = Fixed([[0, 0, 64, 64]], [[0.5]])
    fixed.register_forward_pre_hook(lambda *_: seen.append(torch.backends.cudnn.allow_tf32))
    before = torch.backends.cudnn.allow_tf32
    Predictor(fixed, "a", 64, "stretch", device="cpu").candidates([blank(64, 64)])
    assert seen == [False]
    assert torch.backends.cudnn.allow_tf32 == before is True


def test_folded_batch_norms_change_nothing_and_leave_the_owners_network_alone(
    detector: Detector, photographs: list[Path]
) -> None:
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    picture = images.read(photographs[0])
    found = Predictor(detector, "abc", 160, "stretch", device="cpu").candidates([picture])[0]
    square, _ = fit(picture, 160, "stretch")
    with torch.no_grad():
        plain = detector.candidates(detector(torch.from_numpy(square).permute(2, 0, 1)[None].float() / 255))
    best = plain.scores.flatten().sort(descending=True).values[:50].numpy()
    np.testing.assert_allclose(found.scores[:50], best, atol=1e-4)
    assert all(torch.equal(tensor, before[name]) for name, tensor in detector.state_dict().items())


def test_several_pictures_at_once_give_what_each_gives_alone(predictor: Predictor, photographs: list[Path]) -> None:
    pictures = [images.read(file) for file in photographs]
    together = predictor.candidates(pictures)
    for picture, found in zip(pictures, together, strict=True):
        alone = predictor.candidates([picture])[0]
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-5)


def test_no_picture_gives_no_candidates(predictor: Predictor) -> None:
    assert predictor.candidates([]) == []


@pytest.mark.skipif(not has_fast_bfloat16(torch.device("cpu")), reason="this CPU has no bfloat16 instructions")
def test_fast_finds_nearly_the_same(detector: Detector, photographs: list[Path]) -> None:
    square, _ = fit(images.read(photographs[0]), 160, "stretch")
    exact = Predictor(detector, "abc", 160, "stretch", device="cpu").best(square[None])[1]
    fast = Predictor(detector, "abc", 160, "stretch", device="cpu", precision="fast").best(square[None])[1]
    assert 0 < (exact - fast).abs().mean() < 0.02


def test_weights_are_cast_to_bfloat16_once_and_not_at_each_look(
    detector: Detector, photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predict, "has_fast_bfloat16", lambda _: True)
    square, _ = fit(images.read(photographs[0]), 160, "stretch")
    fast = Predictor(detector, "abc", 160, "stretch", device="cpu", precision="fast")
    assert {weight.dtype for weight in fast.running.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in detector.parameters()} == {torch.float32}
    once = fast.best(square[None])
    fast.running = predict.fold_batch_norms(detector, fast.device).to(memory_format=torch.channels_last)
    assert all(map(torch.equal, once, fast.best(square[None])))


def test_the_network_runs_in_the_order_in_memory_that_its_device_needs(
    detector: Detector, photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    square, _ = fit(images.read(photographs[0]), 160, "stretch")
    usual = Predictor(detector, "abc", 160, "stretch", device="cpu").best(square[None])
    monkeypatch.setattr(machine, "memory_format", lambda device: torch.contiguous_format)
    plain = Predictor(detector, "abc", 160, "stretch", device="cpu")
    seen: list[bool] = []
    plain.running.register_forward_pre_hook(lambda _, given: seen.append(given[0].is_contiguous()))
    assert all(weight.is_contiguous() for weight in plain.running.parameters())
    found = plain.best(square[None])
    assert seen == [True]
    assert torch.allclose(found[1], usual[1], atol=1e-5)


def test_the_processor_computes_while_a_training_has_apples_gpu(
    detector: Detector, photographs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    square, _ = fit(images.read(photographs[0]), 160, "stretch")
    predictor = Predictor(detector, "abc", 160, "stretch", device="cpu", cpu_fallback=True)
    usual = predictor.best(square[None])
    monkeypatch.setattr(predict, "PATIENCE", 0.0)
    predictor.device = torch.device("mps")  # as on a Mac, before the training began
    with gpu.alone_on(predictor.device):
        found = predictor.best(square[None])
    assert predictor.device.type == "cpu"
    assert all(map(torch.equal, found, usual))


def test_a_checkpoint_opens_with_labels_and_gives_the_same(
    checkpoint: Path, predictor: Predictor, photographs: list[Path]
) -> None:
    opened = Predictor.open(checkpoint, device="cpu")
    assert opened.labels == predictor.labels
    picture = images.read(photographs[0])
    ours, theirs = opened.candidates([picture])[0], predictor.candidates([picture])[0]
    assert np.array_equal(ours.scores, theirs.scores)
    assert np.array_equal(ours.boxes, theirs.boxes)


def test_a_device_that_is_not_there_is_said(checkpoint: Path) -> None:
    with pytest.raises(WorkbenchError, match="no device 'quantum'"):
        Predictor.open(checkpoint, device="quantum")


def test_bfloat16_is_slow_where_the_cpu_does_not_say_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> bool:
        return False

    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", absent, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", absent, raising=False)
    assert not has_fast_bfloat16(torch.device("cpu"))
    fast = Predictor(Fixed([[0, 0, 64, 64]], [[0.5]]), "a", 64, "stretch", device="cpu", precision="fast")
    assert fast.precision == "exact"


def test_bfloat16_is_used_where_the_cpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "has_fast_bfloat16", lambda _: True)
    for precision in ("fast", "exact"):
        seen: list[bool] = []
        fixed = Fixed([[0, 0, 64, 64]], [[0.5]])
        fixed.register_forward_pre_hook(lambda *_, seen=seen: seen.append(torch.is_autocast_enabled("cpu")))
        Predictor(fixed, "a", 64, "stretch", device="cpu", precision=precision).candidates([blank(64, 64)])
        assert seen == [precision == "fast"]


def test_large_pictures_are_seen_in_the_tiles_of_the_training_or_in_those_chosen_later() -> None:
    detector = Fixed([[16, 16, 32, 32]], [[0.5, 0.0]])
    predictor = Predictor(detector, "ab", 64, "stretch", device="cpu")
    assert predictor.tiling is None
    predictor.candidates([blank(64, 160)])
    predictor.tiling = Tiling(64, 0.0)
    large, small = predictor.candidates([blank(64, 160), blank(64, 64)])
    assert detector.batches == [1, 5]
    assert (large.views, small.views) == (4, 1)
    assert large.boxes.tolist() == [[40, 16, 80, 32], [16, 16, 32, 32], [64, 16, 80, 32], [112, 16, 128, 32]]
    assert len(predictor.candidates_of_views([blank(64, 160)])[0]) == 1
