"""Counting boxes for the Anchors page: each once, whole numbers, shares, cells that meet, fall-backs. No window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

from workbench import anchors
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Label, Snapshot, Split
from workbench.core.resize import FitMode
from workbench.ui.anchors import computation, details, provenance, rules
from workbench.ui.anchors.incremental_fit import merge_boxes


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (1.0, "100.0 %"),
        (0.99964, "99.9 %"),
        (0.9994, "99.9 %"),
        (0.5, "50.0 %"),
        (0.0, "0.0 %"),
        (0.00004, "0.1 %"),
    ],
)
def test_only_all_is_100_percent_and_only_nothing_is_0(share: float, words: str) -> None:
    assert anchors.percent(share) == words


def test_whole_numbers_add_up_to_the_total() -> None:
    assert anchors.whole_numbers([1, 1, 1], 10).tolist() == [4, 3, 3]
    assert anchors.whole_numbers([15, 5, 0], 4).tolist() == [3, 1, 0]
    assert anchors.whole_numbers([0, 0], 0).tolist() == [0, 0]


def test_boxes_that_meet_in_a_cell_are_named() -> None:
    images = np.array([1, 1, 1, 2])
    centres = np.array([[5.0, 5], [30, 5], [9, 9], [5, 5]])
    places = anchors.cell_numbers(images, centres, 10.0)
    assert anchors.shared_cells(places).tolist() == [0, 2]


def boxes(rows: list[tuple[int, int, float, float, float]], label: int = 0) -> computation.Boxes:
    """Rows of (box id, image, side, centre x, centre y)."""
    values = np.array(rows, float).reshape(-1, 5)
    ids, images = values[:, 0].astype(int), values[:, 1].astype(int)
    labels = np.full(len(rows), label)
    names = (Label(1, "cell"),)
    nothing = labels * 0
    return computation.Boxes(values[:, [2, 2]], ids, images, nothing, labels, nothing, values[:, 3:], names)


SCALED = boxes([(7, 1, 8, 50, 50), (7, 1, 10, 50, 50), (7, 1, 12, 50, 50), (9, 1, 40, 200, 200), (9, 1, 44, 200, 200)])
"""Two boxes far apart, the first in three sizes, the second in two."""


def need(name: str = "some", count: int = 2, published: int = 2, cells: int = 0) -> rules.Need:
    levels = () if cells else ((16, (1,)), (8, tuple(n for n in range(count) if n != 1)))
    return rules.Need(name, "Some", count, published, levels, cells)


def test_sizes_of_one_box_do_not_share_its_cell() -> None:
    request = details.DetailsRequest(SCALED, np.array([[10.0, 10], [42, 42]]), need(cells=7), 416)
    (sentence,) = details.compute_details(request).sentences
    assert "no two boxes of an image have their middles in one cell" in sentence.text
    request = details.DetailsRequest(SCALED, np.array([[10.0, 10], [42, 42]]), need(), 416)
    found = details.compute_details(request)
    assert [(level.stride, len(level.boxes.ids), level.share) for level in found.levels] == [(8, 1, 0.5), (16, 1, 0.5)]
    assert not [sentence.text for sentence in found.sentences if "can't be learnt" in sentence.text]


@pytest.mark.parametrize(("wanted", "made", "says"), [
    ("letterbox", "stretch", "Choose letterbox"), ("darknet letterbox", "letterbox", ""), ("stretch", "stretch", ""),
    ("stretch", "letterbox", "Choose stretch"),
])  # fmt: skip
def test_boxes_that_training_resizes_otherwise_are_warned_of_with_a_link(
    wanted: FitMode, made: FitMode, says: str
) -> None:
    detector = replace(need(), resize=wanted)
    request = details.DetailsRequest(SCALED, np.array([[10.0, 10], [42, 42]]), detector, 416, resize=made)
    told = [one for one in details.compute_details(request).sentences if one.resize]
    assert [one.link for one in told] == ([says] if says else [])
    assert all(one.link in one.text and one.is_warning for one in told)


def test_labels_count_each_box_once_and_name_them() -> None:
    (label,) = details.compute_details(
        details.DetailsRequest(SCALED, np.array([[10.0, 10], [10, 10]]), None, 416)
    ).labels
    assert label.boxes.ids.tolist() == [7, 9]
    assert label.below.ids.tolist() == label.worst_box.ids.tolist() == [9]
    assert label.below.images.tolist() == [1]
    assert label.mean_iou == pytest.approx(((0.64 + 1 + 100 / 144) / 3 + (1 / 16 + 100 / 44**2) / 2) / 2)


def test_boxes_that_a_detector_loses_can_be_shown() -> None:
    crowd = boxes([(1, 1, 40, 50, 50), (2, 1, 40, 51, 51), (3, 1, 40, 200, 200)])
    found = details.compute_details(details.DetailsRequest(crowd, np.array([[10.0, 10], [40, 40]]), need(), 416))
    (lost,) = [sentence for sentence in found.sentences if "can't be learnt" in sentence.text]
    assert lost.text.startswith("1 box (33.3 %) can't be learnt: it wants the same anchor of the same cell as another")
    assert (lost.link, lost.chosen.ids.tolist()) == ("1 box", [1, 2])
    (one,) = details.compute_details(
        details.DetailsRequest(crowd, np.array([[10.0, 10]]), need(cells=7), 416)
    ).sentences
    assert one.link == "2 of 3 boxes"
    assert one.chosen.ids.tolist() == [1, 2]


def test_another_number_of_anchors_is_dealt_as_training_deals_it() -> None:
    centres = np.array([[10.0, 10], [40, 40], [80, 80]])
    found = details.compute_details(details.DetailsRequest(SCALED, centres, need(count=3), 416))
    assert [level.anchors for level in found.levels] == [((10.0, 10.0), (80.0, 80.0)), ((40.0, 40.0),)]
    told = "Some was published with 2 anchors, and uses these 3 instead, shared out among its scales as above."
    assert found.sentences[-1].text == told


@pytest.mark.parametrize(("name", "count"), [("yolov4-tiny", 9), ("yolov2", 7)])
def test_the_rule_is_that_of_the_detector_which_training_builds(name: str, count: int) -> None:
    from workbench import detectors

    found = rules.need_of(name, count)
    kind = detectors.load_all().get(name)
    sizes = tuple((10.0 * n, 10.0 * n) for n in range(1, count + 1))
    made = detectors.build(name, kind.settings_class(width=0.1), 3, sizes)
    assert made.anchor_need is not None
    assert tuple(mask for _, mask in found.levels) == made.anchor_need.masks
    assert (found.count, found.published) == (count, len(kind.published_anchors))


def test_too_few_anchors_are_a_problem_in_words() -> None:
    assert "at least 3 anchors" in rules.need_of("yolov3", 2).problem


def test_a_detector_with_points_shows_where_it_learns() -> None:
    some = boxes([(1, 1, 40, 100, 100), (2, 1, 300, 208, 208), (3, 2, 0.5, 50, 50)])
    own = rules.own_levels(rules.OwnLevelsRequest(some, "fcos", 416))
    assert own.strides[:4] == (8, 16, 32, 64)
    assert own.learnt.any(axis=0).tolist() == [True, True, False]
    assert own.learnt[0].tolist() == [True, False, False], "small boxes at the finest"
    fcos = rules.need_of("fcos")
    found = details.compute_details(details.DetailsRequest(some, np.zeros((0, 2)) + 1, fcos, 416, own, "letterbox"))
    assert found.sentences[1].text == "1 box (33.3 %) is learnt nowhere: none of its points answers for it."
    assert found.sentences[1].chosen.ids.tolist() == [3]


def test_a_detector_that_needs_a_file_is_not_offered() -> None:
    assert "darknet-cfg" not in dict(rules.detectors())


@pytest.mark.parametrize(("split", "fell_back"), [(Split.TEST, True), (Split.TRAIN, False)])
def test_that_all_images_stand_in_for_the_training_images_is_known(
    split: Split, fell_back: bool, tmp_path: Path
) -> None:
    (tmp_path / "photographs").mkdir()
    PillowImage.new("RGB", (100, 100)).save(tmp_path / "photographs" / "a.png")
    with Document.create(tmp_path / "p", tmp_path / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        (image,) = document.images()
        document.do(edits.AddBoxes((Box(0, image.id, document.labels()[0].id, (0, 0, 10, 20)),)))
        document.do(edits.SetSplit((image.id,), split))
    choices = computation.AnchorChoices(1, 416, "stretch", "train", 0.0, "median", False, 0)
    events = list(computation.compute(tmp_path / "p", choices))
    (taken,) = [event for event in events if isinstance(event, computation.PreparedBoxes)]
    assert (taken.count, taken.fell_back) == (1, fell_back)


def test_too_few_boxes_are_an_event_and_no_error(tmp_path: Path) -> None:
    Document.create(tmp_path / "p").close()
    events = list(
        computation.compute(
            tmp_path / "p", computation.AnchorChoices(9, 416, "stretch", "all", 0.0, "median", False, 0)
        )
    )
    assert isinstance(events[-1], computation.Failed)
    assert events[-1].sentence


def test_boxes_that_share_an_anchor_which_learns_from_both_are_not_lost() -> None:
    crowd = boxes([(1, 1, 40, 50, 50), (2, 1, 40, 51, 51), (3, 1, 40, 200, 200)])
    request = details.DetailsRequest(crowd, np.array([[10.0, 10], [40, 40]]), replace(need(), adds_up=True), 416)
    found = details.compute_details(request)
    assert not [sentence.text for sentence in found.sentences if "can't be learnt" in sentence.text]
    (shared,) = [sentence for sentence in found.sentences if "share an anchor" in sentence.text]
    assert shared.text.startswith("2 boxes (66.7 %) share an anchor of a cell with another: it learns from all of them")
    assert shared.chosen.ids.tolist() == [1, 2]


@pytest.mark.parametrize(("name", "adds_up"), [("yolov2-tiny", False), ("yolov3-tiny", True), ("yolov4-csp", True)])
def test_whether_an_anchor_learns_from_several_boxes_is_what_the_loss_does(name: str, adds_up: bool) -> None:
    """Darknet's region layer writes over what it wrote; its yolo layer adds."""
    assert rules.need_of(name).adds_up is adds_up


def photograph(folder: Path, *boxes: tuple[float, float, float, float]) -> Snapshot:
    """A photograph of 832 x 416 with these boxes; tiles of 416 begin at 0, 208 and 416."""
    (folder / "photographs").mkdir()
    PillowImage.new("RGB", (832, 416)).save(folder / "photographs" / "a.png")
    with Document.create(folder / "p", folder / "photographs") as document:
        document.do(edits.AddLabels((Label(0, "cell"),)))
        (image,), (label,) = document.images(), document.labels()
        document.do(edits.AddBoxes(tuple(Box(0, image.id, label.id, one) for one in boxes)))
        return document.snapshot()


WHOLE = computation.AnchorChoices(1, 416, "stretch", "all", 0.0, "median", False, 0)


def test_in_tiles_each_box_counts_once_at_the_size_that_a_tile_shows(tmp_path: Path) -> None:
    snapshot, choices = photograph(tmp_path, (400, 0, 410, 20)), WHOLE
    whole, tiled = (computation.boxes_of(snapshot, replace(choices, tiles=side)) for side in (0, 416))
    assert (whole.sizes.tolist(), tiled.sizes.tolist()) == ([[5, 20]], [[10, 20]])
    assert whole.ids.tolist() == tiled.ids.tolist()
    step = anchors.best(tiled.sizes, 1, 0)
    assert provenance.as_set(step, replace(choices, tiles=416), "").tiles == 416


def test_boxes_at_the_same_place_of_different_tiles_do_not_meet(tmp_path: Path) -> None:
    """All tiles of a photograph counted as one input: thousands of small boxes seemed lost to each other."""
    snapshot = photograph(tmp_path, (218, 10, 238, 30), (426, 10, 446, 30))
    seen = computation.boxes_of(snapshot, replace(WHOLE, tiles=416))
    assert seen.centres[0].tolist() == seen.centres[1].tolist()
    for wanted in (need(), need(cells=7)):
        request = details.DetailsRequest(seen, np.array([[10.0, 10], [20, 20]]), wanted, 416)
        assert "same cell as another" not in " ".join(one.text for one in details.compute_details(request).sentences)
    own = rules.own_levels(rules.OwnLevelsRequest(seen, "fcos", 416))
    assert (own.learnt.any(axis=0).tolist(), own.images) == ([True, True], 1)
    together = replace(seen, views=seen.views * 0)
    assert rules.own_levels(rules.OwnLevelsRequest(together, "fcos", 416)).learnt.any(axis=0).tolist() == [True, False]


def test_many_edited_images_are_put_together_in_one_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each was a copy of all boxes: after edits in 500 images a million of them were copied 500 times."""
    before = boxes([(number, number // 2, 10, 50, 50) for number in range(1, 400)])
    since = {image: boxes([(1000 + image, image, 20, 60, 60)]) for image in range(150)}
    copies, concatenate = [], np.concatenate
    monkeypatch.setattr(np, "concatenate", lambda parts: copies.append(len(parts)) or concatenate(parts))
    merged = merge_boxes(before, since)
    assert len(copies) < 10, "one for each column"
    assert len(merged) == 150 + sum(image >= 150 for image in before.images.tolist())
    assert (np.unique(merged.images) == np.arange(200)).all()


def test_what_follows_edits_begins_with_the_refined_anchors(tmp_path: Path) -> None:
    """It searched anew, without refining: the first edit put worse anchors in the place of those in the film."""
    sides = np.random.default_rng(0).lognormal(3, 0.7, (60, 2)).clip(2, 400)
    photograph(tmp_path, *((0.0, 0.0, float(w), float(h)) for w, h in sides))
    choices = replace(WHOLE, k=3, update="mean", refines=True)
    events = list(computation.compute(tmp_path / "p", choices))
    steps = [event.step for event in events if isinstance(event, computation.StepComputed)]
    (fitted,) = [event for event in events if isinstance(event, computation.Fitted)]
    assert steps[-1].mean_iou > next(step for step in steps if step.iteration == 0).mean_iou
    assert fitted.fit.step.centres.tolist() == steps[-1].centres.tolist()
    assert fitted.fit.step.mean_iou == steps[-1].mean_iou
    followed = fitted.fit.refit(np.zeros((0, 2)), [[30.0, 40.0]])
    assert followed.mean_iou >= anchors.rate_anchors(fitted.fit.pool, steps[-1].centres).mean_iou


@pytest.mark.parametrize("name", ["yolov2", "yolov3", "yolov4", "yolov4-csp"])
def test_what_each_scale_learns_is_what_the_loss_gives_it(name: str) -> None:
    """YOLOv4 learns a box at all anchors that are near enough: its scales seemed to learn half of what they do."""
    from workbench import detectors

    sides = np.random.default_rng(0).uniform(8, 400, 80)
    some = boxes([(number, number, side, 208, 208) for number, side in enumerate(sides.tolist(), 1)])
    kind = detectors.load_all().get(name)
    centres = np.array(kind.published_anchors) * (416 / kind.published_px)
    found = details.compute_details(details.DetailsRequest(some, centres, rules.need_of(name), 416))
    own = rules.own_levels(rules.OwnLevelsRequest(some, name, 416))
    by_loss = {stride: some.ids[row].tolist() for stride, row in zip(own.strides, own.learnt, strict=True)}
    assert {level.stride: level.boxes.ids.tolist() for level in found.levels} == by_loss
    assert any("often at several scales" in one.text for one in found.sentences) is name.startswith("yolov4")
    assert (sum(level.share for level in found.levels) > 1.2) is name.startswith("yolov4")
