"""Boxes that are too small or too large for the anchors that a detector brings with it are told before the training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.training.toys import make_snapshot
from workbench.core.project import Snapshot
from workbench.training import recipes
from workbench.training.checks.findings import WARNING, Finding
from workbench.training.checks.preflight_boxes import of_boxes

PX = 320  # of the input, where the snapshot's 64 pixels are five times as large


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """40 boxes of 32 x 32 pixels, half of either label."""
    return make_snapshot(tmp_path, 40, 0)


def sized(snapshot: Snapshot, sides: np.ndarray) -> Snapshot:
    """With boxes of these sides, in pixels of the input."""
    low = snapshot.boxes[:, :2]
    return replace(snapshot, boxes=np.concatenate([low, low + sides[:, None] * 64 / PX], axis=1))


def found(snapshot: Snapshot, detector: str, px: int = PX, **settings: Any) -> list[Finding]:
    recipe = recipes.default_recipe(detector).changed({"input_px": px, **settings})
    return [one for one in of_boxes(snapshot, recipe, None, None) if one.kind == "own anchors"]


# the smallest anchor's side times the root of the overlap below which anchors learn background
@pytest.mark.parametrize(
    ("detector", "least"),
    [
        ("retinanet", 32 * 0.4**0.5), ("faster-rcnn", 32 * 0.3**0.5), ("ssd300", 0.07 * PX * 0.5**0.5),
        ("ssdlite", 0.2 * PX * 0.5**0.5), ("fcos", 0.0), ("yolov3-tiny", 0.0),
    ],
)  # fmt: skip
def test_boxes_below_a_detector_s_own_anchors_are_told(snapshot: Snapshot, detector: str, least: float) -> None:
    for factor, said in ((0.95, least > 0), (1.05, False)):
        told = found(sized(snapshot, np.full(40, (least or 20) * factor)), detector)
        assert bool(told) == said
    if least:
        (finding,) = found(sized(snapshot, np.full(40, least * 0.95)), detector)
        assert finding.level == WARNING
        assert finding.count == len(finding.boxes) == 40
        assert f"smaller than {least:.0f} × {least:.0f} pixels at 320 px" in finding.sentence


def test_a_tenth_of_the_boxes_is_told_though_it_is_most_of_no_label(snapshot: Snapshot) -> None:
    sides = np.full(40, 100.0)
    sides[:4] = 10
    (finding,) = found(sized(snapshot, sides), "retinanet")
    assert finding.sentence.startswith("4 of 40 boxes (10.0 %) are smaller than 20 × 20 pixels")


def test_a_label_that_is_mostly_so_small_is_named_however_rare_it_is(snapshot: Snapshot) -> None:
    """One of 40 boxes is no word worth, if it is not most of its label."""
    sides = np.full(40, 100.0)
    sides[0] = 10
    assert found(sized(snapshot, sides), "retinanet") == []
    alone = replace(snapshot, label_index=np.where(np.arange(40) == 0, 1, 0))
    (told,) = found(sized(alone, sides), "retinanet")
    assert told.sentence.startswith(f"1 of 40 boxes (2.5 %), most of {snapshot.labels[1].name} among them, ")


def test_a_larger_input_side_makes_them_large_enough_for_anchors_in_pixels_alone(snapshot: Snapshot) -> None:
    """Default boxes of SSD are shares of the image; what it says to change is their setting."""
    retina, lite = sized(snapshot, np.full(40, 15.0)), sized(snapshot, np.full(40, 30.0))
    assert "larger input side" in found(retina, "retinanet")[0].advice
    assert found(retina, "retinanet", 640) == []
    assert "smallest_boxes" in found(lite, "ssdlite")[0].advice
    assert found(lite, "ssdlite", 640) != []


@pytest.mark.parametrize("detector", ["retinanet", "retinanet-v2", "faster-rcnn"])
def test_smaller_anchors_which_the_advice_names_are_enough_for_them(snapshot: Snapshot, detector: str) -> None:
    small = sized(snapshot, np.full(40, 12.0))
    (told,) = found(small, detector)
    assert "a smaller anchor_scale" in told.advice
    half = recipes.default_recipe(detector).detector_settings.anchor_scale / 2  # type: ignore[attr-defined]
    assert found(small, detector, anchor_scale=half) == []


# the largest anchor's side over the root of that overlap
@pytest.mark.parametrize(
    ("detector", "settings", "most", "advice"),
    [
        ("retinanet", {"anchor_scale": 0.5}, 64 * 2 ** (2 / 3) / 0.4**0.5, "a larger anchor_scale"),
        ("retinanet-v2", {"anchor_scale": 0.5}, 64 * 2 ** (2 / 3) / 0.4**0.5, "a larger anchor_scale"),
        ("faster-rcnn", {"anchor_scale": 1.0}, 64 / 0.3**0.5, "a larger anchor_scale"),
        ("ssd300", {"box_scales": (0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.27)}, 0.18 * PX / 0.5**0.5, "box_scales"),
        ("ssdlite", {"largest_boxes": 0.25}, 0.5 * PX / 0.5**0.5, "a larger largest_boxes"),
    ],
)
def test_boxes_above_a_detector_s_own_anchors_are_told(
    snapshot: Snapshot, detector: str, settings: dict[str, Any], most: float, advice: str
) -> None:
    corner = replace(snapshot, boxes=np.zeros_like(snapshot.boxes))  # where they are not cut off
    assert found(sized(corner, np.full(40, most * 0.95)), detector, **settings) == []
    (told,) = found(sized(corner, np.full(40, most * 1.05)), detector, **settings)
    assert (told.level, told.count) == (WARNING, 40)
    assert f"larger than {most:.0f} × {most:.0f} pixels at 320 px, too large for" in told.sentence
    assert advice in told.advice


@pytest.mark.parametrize("detector", ["retinanet", "retinanet-v2", "faster-rcnn", "ssd300", "ssd512", "ssdlite"])
def test_at_a_detector_s_usual_settings_no_box_is_too_large(snapshot: Snapshot, detector: str) -> None:
    px = recipes.default_recipe(detector).detector_settings.input_px
    whole = replace(snapshot, boxes=np.tile([0.0, 0, 64, 64], (40, 1)))
    assert found(whole, detector, px) == []


def test_anchors_that_never_learn_background_are_too_small_for_no_box(snapshot: Snapshot) -> None:
    big = sized(snapshot, np.full(40, 300.0))
    assert found(big, "retinanet", anchor_scale=0.5, negative_iou=0.0) == []
