"""What a network's backbone sees, by the network's own code, and how doubtful it is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from workbench import detectors, plugins
from workbench.core import image_queue
from workbench.core.resize import fit
from workbench.core.tiling import Tiling
from workbench.inference.predict import Predictor
from workbench.inference.suggesting.features import extract_features

PICTURES = [np.random.default_rng(i).integers(0, 255, (40, 60, 3), np.uint8) for i in range(3)]
CFG = """[net]
width=32
height=32
channels=3
[convolutional]
filters=6
size=3
stride=4
pad=1
activation=leaky
[convolutional]
filters=18
size=1
activation=linear
[yolo]
anchors=8,8
classes=1
num=1
"""


def test_features_are_the_mean_of_the_backbones_last_map_and_doubt_is_of_what_nms_leaves(predictor: Predictor) -> None:
    seen = extract_features(predictor, PICTURES)
    squares = np.stack([fit(one, 160, "stretch")[0] for one in PICTURES])
    maps: list[Any] = []
    hook = predictor.detector.block3.register_forward_hook(lambda _, __, out: maps.append(out))  # type: ignore[union-attr]
    with torch.no_grad():
        predictor.detector(torch.from_numpy(squares).permute(0, 3, 1, 2) / 255)
    hook.remove()
    last = maps[0][-1] if isinstance(maps[0], tuple) else maps[0]
    assert np.stack([one.features for one in seen]) == pytest.approx(last.mean((2, 3)).numpy(), abs=1e-4)
    kind, iou = predictor.detector.published_nms
    left = predictor.candidates(PICTURES[:1])[0].detections(0.001, iou, kind, 300)
    assert seen[0].uncertain == pytest.approx(image_queue.uncertainty(left.scores))
    assert seen[0].uncertain > 0


def test_a_network_that_learnt_from_tiles_doubts_what_it_finds_in_them_too(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small objects in large photographs are found in tiles alone; the photograph as a whole says what it is like."""
    wide = np.random.default_rng(5).integers(0, 255, (64, 256, 3), np.uint8)
    pictures = [PICTURES[0], wide, PICTURES[1], wide[:, ::-1].copy()]
    whole = extract_features(predictor, pictures)
    monkeypatch.setattr(predictor, "tiling", Tiling(64, 0.5))
    monkeypatch.setattr(predictor, "batch", 3)
    seen, (kind, iou) = extract_features(predictor, pictures), predictor.detector.published_nms
    for one, other in zip(whole, seen, strict=True):
        assert one.features == pytest.approx(other.features, abs=1e-4)
    left = [one.detections(0.001, iou, kind, 300) for one in predictor.candidates(pictures)]
    assert [one.uncertain for one in seen] == pytest.approx([image_queue.uncertainty(one.scores) for one in left])
    assert seen[1].uncertain > 2 * whole[1].uncertain


def test_it_does_not_matter_how_many_are_looked_at_together(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [extract_features(predictor, [one])[0] for one in PICTURES]
    monkeypatch.setattr(predictor, "batch", 2)
    for one, other in zip(alone, extract_features(predictor, PICTURES), strict=True):
        assert one.features == pytest.approx(other.features, abs=1e-4)


def test_a_module_that_is_called_for_several_maps_of_an_image_counts_once(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a plugin whose levels share their head the images were looked at again and again, without end."""
    again = Predictor(predictor.detector, predictor.labels, 160, "stretch", device="cpu")
    forward = again.running.forward
    monkeypatch.setattr(again.running, "forward", lambda images: [forward(images) for _ in range(3)][-1])
    for one, other in zip(extract_features(predictor, PICTURES), extract_features(again, PICTURES), strict=True):
        assert one.features == pytest.approx(other.features, abs=1e-4)


def test_where_memory_does_not_suffice_every_image_still_has_its_own(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first try ends after the network has run."""
    expected, best = extract_features(predictor, PICTURES), predictor.best
    failed: list[int] = []

    def fails_once(squares: np.ndarray) -> tuple[torch.Tensor, ...]:
        answer = best(squares)
        if not failed:
            failed.append(True)
            raise torch.OutOfMemoryError
        return answer

    monkeypatch.setattr(predictor, "batch", 2)
    monkeypatch.setattr(predictor, "best", fails_once)
    for one, other in zip(expected, extract_features(predictor, PICTURES), strict=True):
        assert one.features == pytest.approx(other.features, abs=1e-4)
    assert failed


def test_where_the_processor_goes_on_for_a_full_card_every_image_still_has_its_own(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card does not get as far as the backbone's end."""
    expected, best = extract_features(predictor, PICTURES), predictor.best

    def fails_there(squares: np.ndarray) -> tuple[torch.Tensor, ...]:
        if predictor.device.type != "cpu":
            raise torch.OutOfMemoryError
        return best(squares)

    for name, value in (("device", torch.device("meta")), ("_cpu_fallback", True), ("best", fails_there)):
        monkeypatch.setattr(predictor, name, value)
    for one, other in zip(expected, extract_features(predictor, PICTURES), strict=True):
        assert one.features == pytest.approx(other.features, abs=1e-4)
    assert predictor.device.type == "cpu"


def test_a_network_of_a_cfg_has_the_features_before_its_first_head() -> None:
    plugins.loaded()
    chosen: Any = detectors.load_all().get("darknet-cfg").settings_class()
    settings = replace(chosen, cfg=CFG).resolved(("a",))
    detector = detectors.build("darknet-cfg", settings, 1, None)
    small = Predictor(detector, ("a",), settings.input_px, "stretch", device="cpu")
    assert [one.features.shape for one in extract_features(small, PICTURES[:2])] == [(6,), (6,)]


def test_of_a_plugin_that_names_its_backbone_the_last_module_that_is_called_counts(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torchvision's ssdlite does, it walks through what it never calls as a whole."""
    running: Any = predictor.running
    whole = torch.nn.Sequential(torch.nn.Identity(), torch.nn.Sequential(running.block3))
    running.walked = whole
    monkeypatch.setattr(type(running), "backbone_parts", ("walked",))
    by_name = extract_features(predictor, PICTURES[:1])[0].features
    monkeypatch.undo()
    del running.walked
    assert by_name == pytest.approx(extract_features(predictor, PICTURES[:1])[0].features)
