"""What "as published" trains with is what was published: the numbers of the cfg files and papers, copied by hand.

Sources: Darknet's cfg files (A = AlexeyAB's line, P = pjreddie's), SSD's ssd_coco.py, torchvision's reference scripts.
Darknet's `decay` is weight_decay, `burn_in` with its fourth power warm_up, `saturation = .75` a factor of 1 / .75,
`resize` scale, `random=1` sizes 0.4. Steps are shares of max_batches; epochs are max_batches * 64 / 117,264 images.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.training.toys import make_snapshot
from workbench import detectors
from workbench.detectors.parts.detector import Detector
from workbench.detectors.parts.region_head import RegionHead
from workbench.detectors.parts.yolo_head import YoloHead
from workbench.training import recipes, schedule
from workbench.training.recipes import Recipe
from workbench.training.request import RunRequest

Numbers = dict[str, Any]

# [net] of P's cfgs for COCO of version 2 and 3: 500,200 steps, falling after 400,000 and 450,000
PJREDDIE: Numbers = {
    "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 1000,
    "warm_up_power": 4.0, "schedule": "step", "step_at": (400_000 / 500_200, 450_000 / 500_200), "hue": 0.1,
    "saturation": 1.5, "exposure": 1.5, "optimizer": "sgd", "mosaic": 0.0, "flip": 0.5, "ema": 0.0,
}  # fmt: skip
# torchvision: 8 cards with 2 images each, --epochs 26 --lr-steps 16 22, mirroring alone
TORCHVISION: Numbers = {
    "epochs": 26, "batch": 16, "momentum": 0.9, "weight_decay": 0.0001, "schedule": "step",
    "step_at": (16 / 26, 22 / 26), "warm_up": 1000, "warm_up_power": 1.0, "flip": 0.5, "hue": 0.0, "saturation": 1.0,
    "exposure": 1.0, "jitter": 0.0, "scale": 0.0, "optimizer": "sgd", "input_px": 800,
}  # fmt: skip
# 0.00004 * 25, 280,000 and 360,000 of 400,000 steps of 32 images; distortions of 18 / 180, 32 / 256 and 0.5 .. 1.5
SSD: Numbers = {
    "batch": 32, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.001, "warm_up": 0, "schedule": "step",
    "step_at": (0.7, 0.9), "zoom_out": 0.5, "overlap_crop": 6 / 7, "colour_rule": "ssd", "hue": 0.1, "saturation": 1.5,
    "contrast": 1.5, "brightness": 0.125, "exposure": 1.0, "flip": 0.5, "match_iou": 0.5, "jitter": 0.0, "scale": 0.0,
}  # fmt: skip

PUBLISHED: dict[str, Numbers] = {
    "yolov1": {  # 5e-4 * 2.5 * 2 * 2 after 600 steps; falls after 20,000 and 30,000 of 40,000; epochs are the paper's
        "input_px": 448, "epochs": 135, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.005,
        "warm_up": 600, "schedule": "step", "step_at": (0.5, 0.75), "jitter": 0.2, "hue": 0.1, "saturation": 1.5,
        "exposure": 1.5, "sizes": 0.0, "mosaic": 0.0, "side": 7, "boxes": 2, "rescore": True, "box_weight": 5.0,
        "background_weight": 0.5, "dropout": 0.5,
    },
    "yolov1-tiny": {  # 5e-4 * 2.5 * 2 * 2 * 2 after 800 steps
        "input_px": 448, "epochs": 135, "batch": 64, "momentum": 0.9, "weight_decay": 0.0005, "learning_rate": 0.01,
        "warm_up": 800,
        "schedule": "step", "step_at": (0.5, 0.75), "jitter": 0.2, "hue": 0.1, "saturation": 1 / 0.75,
        "exposure": 1 / 0.75, "sizes": 0.0, "side": 7, "boxes": 2, "rescore": True, "box_weight": 5.0,
        "background_weight": 0.5,
    },
    "yolov2": PJREDDIE | {
        "input_px": 416, "epochs": 273, "whole_jitter": 0.3, "rescore": True, "ignore_iou": 0.6,
        "warm_up_images": 12800,
        "objectness_prior": 0.5,
    },
    "yolov2-tiny": PJREDDIE | {
        "input_px": 416, "epochs": 273, "whole_jitter": 0.2, "rescore": False, "ignore_iou": 0.6,
        "warm_up_images": 12800,
        "objectness_prior": 0.5,
    },
    "yolo9000": PJREDDIE | {  # epochs are those of YOLOv2 in the paper
        "input_px": 544, "epochs": 160, "whole_jitter": 0.2, "saturation": 1 / 0.75, "exposure": 1 / 0.75,
        "rescore": True, "ignore_iou": 0.6, "objectness_prior": 0.5,
    },
    "yolov3": PJREDDIE | {
        "input_px": 416, "epochs": 273, "whole_jitter": 0.3, "ignore_iou": 0.7, "match_iou": 1.0, "rescore": False,
        "rules": "pjreddie", "objectness_prior": 0.5,
    },
    "yolov3-spp": PJREDDIE | {
        "input_px": 608, "epochs": 273, "whole_jitter": 0.3, "ignore_iou": 0.7, "match_iou": 1.0, "rescore": False,
        "rules": "pjreddie", "objectness_prior": 0.5,
    },
    "yolov3-tiny": PJREDDIE | {
        "input_px": 416, "epochs": 273, "whole_jitter": 0.3, "ignore_iou": 0.7, "match_iou": 1.0, "rescore": False,
        "rules": "pjreddie", "objectness_prior": 0.5,
    },
    "yolov4": PJREDDIE | {  # 500,500 steps; mosaic in half of the chunks, CutMix commented out
        "input_px": 608, "epochs": 273, "momentum": 0.949, "learning_rate": 0.0013, "jitter": 0.3, "sizes": 0.4,
        "scale": 0.0, "mosaic": 0.5, "cutmix": 0.0, "label_smoothing": 0.0, "self_adversarial": 0.0,
        "cross_norm": False, "box_loss": "ciou", "box_gradient": "darknet", "match_iou": 0.213, "ignore_iou": 0.7,
        "objectness_prior": 0.5, "attention": False, "weighted_residuals": "off", "dropblock": 0.0,
    },
    "yolov4-tiny": PJREDDIE | {  # 2,000,200 steps, falling after 1,600,000 and 1,800,000; no iou_thresh
        "input_px": 416, "epochs": 1092, "learning_rate": 0.00261, "jitter": 0.3, "scale": 0.5, "sizes": 0.0,
        "box_loss": "ciou", "box_gradient": "darknet", "match_iou": 1.0, "ignore_iou": 0.7, "objectness_prior": 0.5,
        "masks": "published",
    },
    "yolov4-tiny-3l": PJREDDIE | {
        "input_px": 608, "epochs": 273, "learning_rate": 0.00261, "jitter": 0.3, "scale": 0.5, "sizes": 0.0,
        "box_loss": "ciou", "box_gradient": "darknet", "match_iou": 1.0, "ignore_iou": 0.7, "objectness_prior": 0.5,
    },
    "yolov4-csp": PJREDDIE | {  # 500,500 steps; random=1 commented out
        "input_px": 512, "epochs": 273, "momentum": 0.949, "jitter": 0.1, "scale": 0.5, "sizes": 0.0, "mosaic": 0.5,
        "ema": 0.9998, "box_loss": "ciou", "box_gradient": "darknet", "match_iou": 0.2, "ignore_iou": 0.7,
        "objectness_weights": (4.0, 1.0, 0.4), "smooth_objectness": "medium, coarse", "objectness_prior": 0.5,
    },
    "ssd300": SSD | {
        "input_px": 300, "epochs": 109, "box_scales": (0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05),
    },
    "ssd512": SSD | {"input_px": 512, "epochs": 109, "box_scales": (0.04, 0.1, 0.26, 0.42, 0.58, 0.74, 0.9, 1.06)},
    "ssdlite": {  # 8 cards with 24 images each; crops and mirroring
        "input_px": 320, "epochs": 660, "batch": 192, "momentum": 0.9, "weight_decay": 0.00004, "learning_rate": 0.15,
        "schedule": "cosine", "final_rate": 0.0, "overlap_crop": 6 / 7, "zoom_out": 0.0, "hue": 0.0, "flip": 0.5,
        "saturation": 1.0, "exposure": 1.0, "smallest_boxes": 0.2, "largest_boxes": 0.95, "match_iou": 0.5,
    },
    "retinanet": TORCHVISION | {
        "learning_rate": 0.01, "positive_iou": 0.5, "negative_iou": 0.4, "focal_alpha": 0.25, "focal_gamma": 2.0,
        "anchor_scale": 4.0,
    },
    "retinanet-v2": TORCHVISION | {  # --opt adamw --norm-weight-decay 0.0 --sync-bn; its multiscale is said to lack
        "optimizer": "adamw", "learning_rate": 0.0001, "weight_decay": 0.05, "positive_iou": 0.5, "negative_iou": 0.4,
        "focal_alpha": 0.25, "focal_gamma": 2.0, "sync_norm": True, "anchor_scale": 4.0,
    },
    "fcos": TORCHVISION | {"learning_rate": 0.01, "centre_radius": 1.5},
    "faster-rcnn": TORCHVISION | {"learning_rate": 0.02, "proposals": 1000, "anchor_scale": 8.0},
}  # fmt: skip
EVERY = [(name, key, value) for name, numbers in PUBLISHED.items() for key, value in numbers.items()]


def recipe(name: str) -> Recipe:
    return recipes.preset("published").with_detector(name)


def built(name: str) -> Detector:
    made = recipe(name).detector_settings
    return detectors.build(name, dataclasses.replace(made, input_px=64, width=0.05), 2)


def agree(key: str, found: Any, value: Any) -> bool:
    """Shares may be rounded to three digits."""
    rounded = isinstance(value, float | tuple) and key not in ("learning_rate", "weight_decay", "momentum", "ema")
    return bool(found == (pytest.approx(value, rel=1e-3) if rounded else value))


@pytest.mark.parametrize(("name", "key", "value"), EVERY, ids=[f"{name}-{key}" for name, key, _ in EVERY])
def test_the_published_recipe_has_the_published_number(name: str, key: str, value: Any) -> None:
    made = recipe(name)
    holders = [one for one in (made.training, made.detector_settings) if hasattr(one, key)]
    assert len(holders) == 1
    assert agree(key, getattr(holders[0], key), value)


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_begun_from_weights_torchvisions_first_versions_freeze_their_norms(name: str, tmp_path: Path) -> None:
    """torchvision builds them with FrozenBatchNorm2d wherever weights are given; RetinaNet v2 is built with others."""
    asked = RunRequest(tmp_path, make_snapshot(tmp_path, 1, 0), recipe(name), start=tmp_path / "resnet50.pth")
    frozen = getattr(asked.as_its_authors().recipe.detector_settings, "frozen_norms", False)
    assert frozen == (name in ("retinanet", "fcos", "faster-rcnn"))
    for other in (
        dataclasses.replace(asked, start=None),
        dataclasses.replace(asked, resume=True),
        dataclasses.replace(asked, recipe=recipes.preset("quick-cpu").with_detector(name)),
    ):
        assert other.as_its_authors() is other


def test_every_built_in_detector_is_in_the_table() -> None:
    names = {name for name, kind in detectors.load_all() if kind.__module__.startswith("workbench.detectors.")}
    odd = sorted(names ^ set(PUBLISHED))
    assert not odd, f"{', '.join(odd)}: put its authors' training, with its source, into PUBLISHED; {{}} if it has none"


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_a_detector_calls_published_is_a_setting_and_the_table_agrees_with_it(name: str) -> None:
    """Also where the mapping names what the recipe has anyway."""
    published = detectors.load_all().get(name).published
    shared = set(published) & set(PUBLISHED[name])
    assert len(shared) >= 7
    wrong = {
        key: (published[key], PUBLISHED[name][key])
        for key in shared
        if not agree(key, published[key], PUBLISHED[name][key])
    }
    assert wrong == {}


# Anchors are the published ones' at this side
SIDES = {
    "yolov1": 448, "yolov1-tiny": 448, "yolov2": 416, "yolov2-tiny": 416, "yolo9000": 544, "yolov3": 416,
    "yolov3-spp": 608, "yolov3-tiny": 416, "yolov4": 608, "yolov4-tiny": 416, "yolov4-tiny-3l": 608, "yolov4-csp": 512,
    "ssd300": 300, "ssd512": 512, "ssdlite": 320,
}  # fmt: skip


@pytest.mark.parametrize("name", SIDES)
def test_the_published_side_is_that_of_the_published_file(name: str) -> None:
    assert detectors.load_all().get(name).published_px == SIDES[name]


# What images were brought to the square by in training: P pads and A stretches, but for letter_box=1
RESIZES = {
    "yolov1": "stretch", "yolov1-tiny": "stretch", "yolov2": "letterbox", "yolov2-tiny": "letterbox",
    "yolo9000": "letterbox", "yolov3": "letterbox", "yolov3-spp": "letterbox", "yolov3-tiny": "letterbox",
    "yolov4": "stretch", "yolov4-tiny": "stretch", "yolov4-tiny-3l": "stretch", "yolov4-csp": "letterbox",
    "ssd300": "stretch", "ssd512": "stretch", "ssdlite": "stretch", "retinanet": "letterbox",
    "retinanet-v2": "letterbox", "fcos": "letterbox", "faster-rcnn": "letterbox",
}  # fmt: skip


@pytest.mark.parametrize("name", RESIZES)
def test_images_become_square_as_published(name: str) -> None:
    assert detectors.load_all().get(name).published_resize == RESIZES[name]


# How what was found is thinned out: Darknet's `test` and torchvision's post-processing. Rule 25 for YOLOv4's
DARKNETS, YOLOV4S = ("per label", 0.45), ("darknet diou", 0.45)
THINNED = {
    **dict.fromkeys(("yolov1", "yolov1-tiny", "yolov2", "yolov2-tiny", "yolo9000"), DARKNETS),
    **dict.fromkeys(("yolov3", "yolov3-spp", "yolov3-tiny"), DARKNETS),
    **dict.fromkeys(("yolov4", "yolov4-csp", "yolov4-tiny", "yolov4-tiny-3l"), YOLOV4S),
    "ssd300": ("per label", 0.45), "ssd512": ("per label", 0.45), "ssdlite": ("per label", 0.55),
    "retinanet": ("per label", 0.5), "retinanet-v2": ("per label", 0.5), "fcos": ("per label", 0.6),
    "faster-rcnn": ("per label", 0.5),
}  # fmt: skip


@pytest.mark.parametrize("name", RESIZES)
def test_what_is_found_is_thinned_out_as_published(name: str) -> None:
    assert detectors.load_all().get(name).published_nms == THINNED[name]


# Rule 7. As A draws: 416 -> 320 .. 608, 608 -> 480 .. 896; random=0: the cfg's side. P draws 320 .. 608 whatever the
# cfg's side, so those of its cfgs that are larger (yolo9000, yolov3-spp) vary around their own here.
RANGES = {
    "yolov1": (448, 448), "yolov1-tiny": (448, 448), "yolov2": (320, 608), "yolov2-tiny": (320, 608),
    "yolo9000": (416, 800), "yolov3": (320, 608), "yolov3-spp": (480, 896), "yolov3-tiny": (320, 608),
    "yolov4": (480, 896), "yolov4-tiny": (416, 416), "yolov4-tiny-3l": (608, 608), "yolov4-csp": (512, 512),
}  # fmt: skip


@pytest.mark.parametrize("name", RANGES)
def test_input_sides_vary_over_the_published_range(name: str) -> None:
    made = recipe(name)
    sides = [
        schedule.input_side(made.training, step, 1_000_000, made.detector_settings.input_px, 32)
        for step in range(0, 20_000, 10)
    ]
    assert (min(sides), max(sides)) == RANGES[name]


V2_ANCHORS = (0.57273, 0.677385, 1.87446, 2.06253, 3.33843, 5.47434, 7.88282, 3.52778, 9.77052, 9.16828)  # cells
V3_ANCHORS = (10, 13, 16, 30, 33, 23, 30, 61, 62, 45, 59, 119, 116, 90, 156, 198, 373, 326)
V3_TINY_ANCHORS = (10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319)
V4_ANCHORS = (12, 16, 19, 36, 40, 28, 36, 75, 76, 55, 72, 146, 142, 110, 192, 243, 459, 401)
ANCHORS = {
    "yolov2": (32, V2_ANCHORS),
    "yolov2-tiny": (32, V2_ANCHORS),
    "yolo9000": (32, (0.77871, 1.14074, 3.00525, 4.31277, 9.22725, 9.61974)),
    "yolov3": (1, V3_ANCHORS),
    "yolov3-spp": (1, V3_ANCHORS),
    "yolov3-tiny": (1, V3_TINY_ANCHORS),
    "yolov4": (1, V4_ANCHORS),
    "yolov4-tiny": (1, V3_TINY_ANCHORS),
    "yolov4-tiny-3l": (1, V4_ANCHORS),
    "yolov4-csp": (1, V4_ANCHORS),
}


@pytest.mark.parametrize("name", ANCHORS)
def test_anchors_are_those_of_the_cfg(name: str) -> None:
    unit, expected = ANCHORS[name]
    found = [side / unit for size in detectors.load_all().get(name).published_anchors for side in size]
    assert found == pytest.approx(list(expected), rel=1e-6)
    made = dataclasses.replace(recipe(name).detector_settings, width=0.05)
    trained = detectors.build(name, made, 1).anchors
    assert [side / unit for size in trained for side in size] == pytest.approx(list(expected), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "normaliser", "largest", "scales"),
    [
        ("yolov4", 0.07, (5.0, 5.0, 5.0), (1.2, 1.1, 1.05)),
        ("yolov4-tiny", 0.07, (), (1.05, 1.05)),
        ("yolov4-tiny-3l", 0.07, (), (1.05, 1.05, 1.05)),
        ("yolov4-csp", 0.05, (5.0, 5.0, 2.0), (2.0, 2.0, 2.0)),
    ],
)
def test_yolov4s_heads_have_the_cfgs_iou_normalizer_max_delta_and_scale_x_y(
    name: str, normaliser: float, largest: tuple[float, ...], scales: tuple[float, ...]
) -> None:
    head = built(name).head
    assert isinstance(head, YoloHead)
    assert (head.rules.box_weight, head.rules.largest_delta, head.scales) == (normaliser, largest, scales)
    assert head.rules.darknet_gradient


@pytest.mark.parametrize("name", ["yolov3", "yolov3-spp", "yolov3-tiny"])
def test_yolov3s_boxes_weigh_one_and_any_label_excuses_a_prediction(name: str) -> None:
    """Rules 17 and 19, P's line."""
    head = built(name).head
    assert isinstance(head, YoloHead)
    assert (head.rules.box, head.rules.box_weight, head.rules.ignore_label) == ("mse", 1.0, 0.0)


@pytest.mark.parametrize("name", ["yolov2", "yolov2-tiny", "yolo9000"])
def test_yolov2s_objects_weigh_five_and_backgrounds_one(name: str) -> None:
    head = built(name).head
    assert isinstance(head, RegionHead)
    assert (head.region.object_weight, head.region.background_weight, head.region.warm_up_weight) == (5.0, 1.0, 0.01)
