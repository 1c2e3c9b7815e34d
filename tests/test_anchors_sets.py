"""Published sets are the detectors' own, texts can be read back, levels and augmented sizes follow training's rules."""

from __future__ import annotations

import ast
import json
import math
from pathlib import Path

import numpy as np
import pytest

from workbench import anchors, detectors
from workbench.anchors import sizes as seen_sizes
from workbench.core.project import AnchorSet, Image, Label, Snapshot

CHOSEN = AnchorSet(((10.26, 13.0), (0.3, 119.5), (156.0, 198.0)), 416, "letterbox", 0.81234, 0.95, "IoU k-means,\nk 3")


def snapshot(width: int, height: int, *boxes: tuple[float, float, float, float]) -> Snapshot:
    return Snapshot(
        labels=(Label(1, "cell"),),
        images=(Image(1, "0.jpg", width, height),),
        files=(Path("/0.jpg"),),
        offsets=np.array([0, len(boxes)]),
        boxes=np.array(boxes, float).reshape(-1, 4),
        label_index=np.zeros(len(boxes), np.int64),
        flags=np.zeros((len(boxes), 4), bool),
        box_ids=np.arange(1, len(boxes) + 1),
    )


def published(name: str) -> tuple[tuple[float, float], ...]:
    return tuple(sorted(detectors.load_all().get(name).published_anchors, key=lambda size: size[0] * size[1]))


@pytest.mark.parametrize(
    "name", [name for name in anchors.PUBLISHED if name not in ("ssd300", "ssd300-voc", "yolov2-voc")]
)
def test_published_sets_are_those_of_the_detectors(name: str) -> None:
    kind, one = detectors.load_all().get(name), anchors.PUBLISHED[name]
    np.testing.assert_allclose(one.sizes, published(name), rtol=1e-12)
    assert one.px == kind.published_px
    assert one.paper == kind.paper
    assert one.sizes != anchors.PUBLISHED["ssd300"].sizes


def test_ssds_default_boxes_are_those_of_its_generator() -> None:
    from torchvision.models.detection.anchor_utils import DefaultBoxGenerator

    kind = detectors.load_all().get("ssd300")
    for name, scales in (
        ("ssd300", kind.settings_class().box_scales),  # type: ignore[attr-defined]
        ("ssd300-voc", (0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05)),  # named in the help of box_scales
    ):
        generator = DefaultBoxGenerator(kind.ratios, scales=list(scales))  # type: ignore[attr-defined]
        sizes = np.concatenate([pairs.numpy() for pairs in generator._wh_pairs]) * kind.published_px
        found = np.array(anchors.PUBLISHED[name].sizes)
        np.testing.assert_allclose(np.sort(found, axis=0), np.sort(sizes, axis=0), rtol=1e-6)
        assert (np.diff(found.prod(axis=1)) >= -1e-9).all()


def test_the_voc_set_of_yolov2_fits_boxes_otherwise_than_the_one_of_coco() -> None:
    voc, coco = (np.array(anchors.PUBLISHED[name].sizes) for name in ("yolov2-voc", "yolov2"))
    assert voc[0] == pytest.approx((1.3221 * 32, 1.73145 * 32))
    assert voc[0].prod() > 4 * coco[0].prod()


def test_a_set_at_another_side_stays_the_same_share_of_the_image() -> None:
    one = anchors.PUBLISHED["yolov4"]
    assert one.at(304)[0] == (6, 8)
    assert one.at(one.px) == one.sizes


def test_cfg_lines_can_be_read_back() -> None:
    line = anchors.as_cfg(anchors.PUBLISHED["yolov3"].sizes)
    assert line == "anchors = 10,13,  16,30,  33,23,  30,61,  62,45,  59,119,  116,90,  156,198,  373,326"
    numbers = [float(text) for text in line.partition("=")[2].split(",")]
    assert list(zip(numbers[::2], numbers[1::2], strict=True)) == list(anchors.PUBLISHED["yolov3"].sizes)
    line = anchors.as_cfg(anchors.PUBLISHED["yolov2"].sizes, 32)
    cells = [float(text) for text in line.partition("=")[2].split(",")]
    np.testing.assert_allclose(np.reshape(cells, (-1, 2)) * 32, anchors.PUBLISHED["yolov2"].sizes, atol=32 * 5.1e-5)
    assert anchors.as_cfg([(64, 48)], 32) == "anchors = 2.0000,1.5000"


def test_no_side_in_a_cfg_is_nothing() -> None:
    assert anchors.as_cfg(CHOSEN.sizes) == "anchors = 10,13,  1,120,  156,198"


def test_json_can_be_read_back() -> None:
    read = json.loads(anchors.as_json(CHOSEN))
    assert read["anchors"] == [list(size) for size in CHOSEN.sizes]
    assert (read["input_px"], read["resize"], read["source"]) == (416, "letterbox", CHOSEN.source)


def test_python_can_be_read_back() -> None:
    text = anchors.as_python(CHOSEN)
    (statement,) = ast.parse(text).body  # the source's second line is no code
    assert isinstance(statement, ast.Assign)
    assert ast.literal_eval(statement.value) == list(CHOSEN.sizes)
    assert "416 px, letterbox; IoU k-means, k 3" in text


def test_each_box_is_learnt_on_the_level_of_its_best_anchor_and_of_those_near_enough() -> None:
    centres = [(100, 100), (10, 10), (40, 40)]  # in any order: masks number them by area
    masks = ((2,), (0, 1))
    sizes = [(9, 9), (120, 90), (35, 50)]
    assert anchors.learnt_by_level(sizes, centres, masks).tolist() == [[False, True, False], [True, False, True]]
    assert anchors.learnt_by_level(sizes, centres, masks, 0.1).tolist() == [[False, True, True], [True, True, True]]


def test_an_anchor_of_no_level_teaches_nothing_and_one_of_two_levels_teaches_both() -> None:
    kind = detectors.load_all().get("yolov4-tiny")
    need = detectors.build("yolov4-tiny", kind.settings_class(masks="published", width=0.1), 1).anchor_need  # type: ignore[call-arg]
    assert need is not None
    centres = anchors.PUBLISHED["yolov4-tiny"].sizes
    learnt = anchors.learnt_by_level(centres, centres, need.masks)
    assert learnt.sum(axis=0).tolist() == [0, 1, 1, 2, 1, 1]  # no layer of yolov4-tiny.cfg uses its 10 x 14


def test_a_box_smaller_than_a_cell_is_smaller_both_ways() -> None:
    assert anchors.smaller_than_cell([(31, 31), (31, 33), (32, 4), (3, 2)], 32).tolist() == [True, False, False, True]


def test_a_box_in_the_middle_is_seen_at_five_scales() -> None:
    sizes, rows = anchors.sizes_and_rows(snapshot(100, 100, (40, 45, 60, 55)), 200, scale=0.5)
    assert rows.tolist() == [0] * 5
    expected = [(40 * 1.5**u, 20 * 1.5**u) for u in (-0.8, -0.4, 0, 0.4, 0.8)]
    np.testing.assert_allclose(sizes, expected)


def test_without_a_scale_each_box_is_given_once() -> None:
    data = snapshot(100, 100, (40, 45, 60, 55), (1, 1, 1, 9), (0, 0, 9, 9))
    sizes, rows = anchors.sizes_and_rows(data, 100)
    assert rows.tolist() == [0, 2]
    assert sizes.tolist() == [[20, 10], [9, 9]]


def test_what_an_enlarged_image_loses_at_its_border_is_cut_off() -> None:
    sizes, rows = anchors.sizes_and_rows(snapshot(100, 100, (0, 0, 100, 100), (0, 40, 9, 60)), 100, scale=0.9)
    whole, edge = sizes[rows == 0], sizes[rows == 1]
    assert whole.max() == 100
    assert whole.min() == pytest.approx(100 * 1.9**-0.8)
    assert len(edge) == 3  # the two largest are outside


def test_too_little_to_see_is_what_training_leaves_out() -> None:
    sizes = anchors.sizes_and_rows(snapshot(100, 100, (50, 50, 52.2, 70)), 100, scale=0.5)[0]
    assert (sizes >= seen_sizes.LEAST_SIDE).all()
    assert 0 < len(sizes) < 5


def test_scales_are_those_that_training_draws() -> None:
    from workbench.training.batches import placement
    from workbench.training.settings import TrainingSettings

    drawn, _ = placement.draw_scale_and_shift(
        np.random.default_rng(0), TrainingSettings(scale=0.5, aspect=0.0, translate=0.0, flip=0.0),
        np.tile(placement.WHOLE, (20_000, 1)), np.tile([0, 0, 100, 100], (20_000, 1)), np.zeros(20_000, bool), 100, 100,
    )  # fmt: skip
    sizes = anchors.sizes_and_rows(snapshot(100, 100, (49, 49, 51, 51)), 1000, scale=0.5)[0]
    np.testing.assert_allclose(sizes[:, 0] / 20, np.quantile(drawn[:, 0], anchors.QUANTILES), rtol=0.02)
    assert sizes[0, 0] / 20 != pytest.approx(np.quantile(drawn[:, 0], 0.3), rel=0.02)


def test_anchors_for_all_scales_reach_farther_than_those_for_one() -> None:
    boxes = [(40.0, 40.0, 40.0 + w, 40.0 + w) for w in (8, 9, 10, 11, 12)]
    near, far = (anchors.anchor_set(snapshot(100, 100, *boxes), 3, 416, scale=scale) for scale in (0.0, 0.9))
    assert far.sizes[-1][0] > 1.2 * near.sizes[-1][0]
    assert "5 boxes, scale 0.9" in far.source
    sizes, _ = anchors.sizes_and_rows(snapshot(100, 100, *boxes), 416)
    assert math.isclose(near.mean_iou, anchors.rate_anchors(sizes, near.sizes).mean_iou)
