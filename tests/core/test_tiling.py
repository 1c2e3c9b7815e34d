"""Tiles: where they lie, and that an object at a seam is found once and whole. Small enough to be checked by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from workbench.core import boxes as geometry
from workbench.core.detections import MOST, Candidates
from workbench.core.tiling import Tiling, candidates_in_tiles, cut_out, merge, tiling
from workbench.inference.evaluating.operating_point import OperatingPoint

POINT = OperatingPoint(0.25, iou=0.5)
TWO = [(0, 0, 100, 100), (80, 0, 180, 100)]  # of a picture of 180 x 100: they share 80 to 100


def found(*rows: tuple[Sequence[float], float, int]) -> Candidates:
    """Of (box, score, label)."""
    boxes, scores, labels = zip(*rows) if rows else ((), (), ())
    return Candidates.of_arrays(np.array(boxes), np.array(scores), np.array(labels))


def merged(whole: Candidates, left: Candidates, right: Candidates, point: OperatingPoint = POINT) -> list[list[float]]:
    return point.detections(merge(whole, [left, right], TWO, 180, 100), ("cat", "dog")).boxes.tolist()


@pytest.mark.parametrize(
    ("size", "overlap", "across"),
    [
        (100, 0.2, []),  # fits into one
        (101, 0.2, [0, 1]),
        (180, 0.2, [0, 80]),
        (181, 0.2, [0, 40, 81]),  # three are needed, at even distances
        (260, 0.2, [0, 80, 160]),
        (200, 0.0, [0, 100]),
    ],
)
def test_tiles_cover_the_picture_with_at_least_the_overlap(size: int, overlap: float, across: list[int]) -> None:
    places = Tiling(100, overlap).places(size, 60)
    assert [place[0] for place in places] == across
    assert all(place[1:4:2] == (0, 60) and place[2] - place[0] == 100 for place in places)


def test_tiles_go_row_by_row_and_stay_in_the_picture() -> None:
    assert Tiling(100, 0.2).places(180, 180) == [
        (0, 0, 100, 100), (80, 0, 180, 100), (0, 80, 100, 180), (80, 80, 180, 180),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("size", "count"),
    [((100, 100), 0), ((60, 100), 0), ((100, 60), 0), ((60, 101), 2), ((101, 60), 2), ((180, 101), 4)],
)
def test_only_pictures_that_are_larger_than_a_tile_have_some(size: tuple[int, int], count: int) -> None:
    assert len(Tiling(100, 0.2).places(*size)) == count


def test_tiles_are_as_asked_for_and_may_be_of_the_least_side_or_the_largest_overlap() -> None:
    assert tiling(64, 0.9) == Tiling(64, 0.9)
    assert tiling(640) == Tiling(640)


@pytest.mark.parametrize(("side", "overlap"), [(10, 0.2), (640, 1.0), (640, -0.1)])
def test_tiles_that_cannot_be_are_refused(side: int, overlap: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        Tiling(side, overlap)


def test_the_half_of_a_cut_object_loses_against_the_whole_of_the_neighbour_though_it_scores_higher() -> None:
    """An object from x = 85 to 105: the left tile sees 85 to 100 of it, the right one all (at 5 to 25 of its own)."""
    left, right = found(([85, 20, 100, 40], 0.9, 0)), found(([5, 20, 25, 40], 0.6, 0))
    assert merged(found(), left, right) == [[85, 20, 105, 40]]


def test_a_half_stays_if_nothing_sees_more_of_it() -> None:
    left = found(([85, 20, 100, 40], 0.9, 0))
    assert merged(found(), left, found()) == [[85, 20, 100, 40]]


def test_a_half_stays_beside_a_whole_of_another_label_or_one_of_less_than_half_its_score() -> None:
    left = found(([85, 20, 100, 40], 0.9, 0))
    assert len(merged(found(), left, found(([5, 20, 25, 40], 0.6, 1)))) == 2
    assert merged(found(), left, found(([5, 20, 25, 40], 0.44, 0)))[0] == [85, 20, 100, 40]
    assert merged(found(), left, found(([5, 20, 25, 40], 0.46, 0))) == [[85, 20, 105, 40]]


def test_which_halves_go_does_not_depend_on_the_confidence() -> None:
    """So the sliders need not look again: what is left at a confidence is the beginning of what is left below it."""
    left, right = found(([85, 20, 100, 40], 0.9, 0), ([85, 60, 100, 80], 0.3, 0)), found(([5, 20, 25, 40], 0.6, 0))
    low, high = (merged(found(), left, right, OperatingPoint(least, iou=0.5)) for least in (0.1, 0.5))
    assert low == [[85, 20, 105, 40], [85, 60, 100, 80]]
    assert high == low[:1]


def test_a_half_stays_if_less_than_half_of_it_lies_in_the_other() -> None:
    """Two objects side by side: of the cut one, 85 to 100, the other covers 95 to 100."""
    left, right = found(([85, 20, 100, 40], 0.9, 0)), found(([15, 20, 35, 40], 0.6, 0))
    assert len(merged(found(), left, right)) == 2


def test_an_object_larger_than_a_tile_is_that_of_the_look_at_the_whole() -> None:
    """From 20 to 160: the tiles see 20 to 100 and 80 to 160 of it."""
    left, right = found(([20, 20, 100, 80], 0.9, 0)), found(([0, 20, 80, 80], 0.9, 0))
    assert merged(found(([20, 20, 160, 80], 0.5, 0)), left, right) == [[20, 20, 160, 80]]


def test_of_two_pieces_the_smaller_goes_where_it_lies_in_the_larger() -> None:
    """Both are cut: 10 to 100 of it in the left tile, 80 to 120 in the right, half of which is in the left one's."""
    left, right = found(([10, 20, 100, 80], 0.5, 0)), found(([0, 20, 40, 80], 0.9, 0))
    assert merged(found(), left, right) == [[10, 20, 100, 80]]


def test_of_two_equal_pieces_one_stays() -> None:
    """Two tiles, one above the other, end at x = 100, and what crosses that lies in both of them."""
    upper, lower = found(([85, 85, 100, 95], 0.9, 0)), found(([85, 5, 100, 15], 0.8, 0))
    both = merge(found(), [upper, lower], [(0, 0, 100, 100), (0, 80, 100, 180)], 200, 180)
    assert POINT.detections(both, ("cat",)).boxes.tolist() == [[85, 85, 100, 95]]


def test_a_box_at_the_border_of_the_picture_is_not_cut() -> None:
    """The picture ends at x = 0, at x = 180 (100 in the right tile) and at y = 100. A larger box takes none."""
    left, whole = found(([0, 20, 15, 40], 0.9, 0)), found(([0, 10, 40, 60], 0.6, 0))
    assert len(merged(whole, left, found())) == 2
    right, whole = found(([85, 20, 100, 40], 0.9, 0)), found(([140, 10, 180, 60], 0.6, 0))
    assert len(merged(whole, found(), right)) == 2
    low, whole = found(([20, 90, 40, 100], 0.9, 0)), found(([10, 60, 50, 100], 0.6, 0))
    assert len(merged(whole, low, found())) == 2


def test_a_box_that_ends_just_before_a_border_is_cut_too() -> None:
    """Networks are not that exact: 98.5 of 100 pixels."""
    left, right = found(([85, 20, 98.5, 40], 0.9, 0)), found(([5, 20, 25, 40], 0.6, 0))
    assert merged(found(), left, right) == [[85, 20, 105, 40]]
    left = found(([85, 20, 97.5, 40], 0.9, 0))
    assert len(merged(found(), left, right, OperatingPoint(0.25, iou=0.9))) == 2


def test_the_half_of_an_object_at_a_seam_below_or_above_loses_too() -> None:
    """An object from y = 85 to 105, of which the upper tile sees 85 to 100; one from 75 to 95, the lower 80 to 95."""
    tiles = [(0, 0, 100, 100), (0, 80, 100, 180)]
    upper, lower = found(([20, 85, 40, 100], 0.9, 0)), found(([20, 5, 40, 25], 0.6, 0))
    both = merge(found(), [upper, lower], tiles, 100, 180)
    assert POINT.detections(both, ("cat",)).boxes.tolist() == [[20, 85, 40, 105]]
    upper, lower = found(([20, 75, 40, 95], 0.6, 0)), found(([20, 0, 40, 15], 0.9, 0))
    both = merge(found(), [upper, lower], tiles, 100, 180)
    assert POINT.detections(both, ("cat",)).boxes.tolist() == [[20, 75, 40, 95]]


def test_an_object_that_two_tiles_see_whole_is_found_once() -> None:
    left, right = found(([82, 20, 98, 40], 0.9, 0)), found(([2, 20, 17, 40], 0.8, 0))
    assert merged(found(), left, right) == [[82, 20, 98, 40]]


def test_a_crowd_is_not_cut_to_the_limit_of_one_picture() -> None:
    """Three in each view at a limit of two: as many as the views may show together."""
    left = found(*(([10 * n, 0, 10 * n + 5, 5], 0.9 - n / 10, 0) for n in range(1, 4)))
    right = found(*(([10 * n + 20, 50, 10 * n + 25, 55], 0.9 - n / 10, 0) for n in range(1, 4)))
    point = OperatingPoint(0.25, iou=0.5, limit=2)
    assert len(merged(found(), left, right, point)) == 6


def test_a_label_of_its_own_confidence_keeps_it() -> None:
    left = found(([10, 20, 30, 40], 0.5, 0), ([50, 20, 70, 40], 0.5, 1))
    point = OperatingPoint(0.25, (("dog", 0.6),), iou=0.5)
    assert merged(found(), left, found(), point) == [[10, 20, 30, 40]]


def test_of_many_candidates_the_sure_ones_of_all_views_stay_and_few_of_the_rest() -> None:
    some = (
        [([n, 0.0, n + 0.5, 0.5], 0.06, 0) for n in range(1500)],
        [([n, 4.0, n + 0.5, 4.5], 0.04, 0) for n in range(90)],
    )
    sure, unsure = (found(*rows) for rows in some)
    two = [(0, 0, 1600, 60), (0, 40, 1600, 100)]
    assert len(merge(sure, [sure, unsure], two, 1600, 100)) == 3000
    assert len(merge(found(), [unsure, unsure], two, 1600, 100)) == 180
    crowd = found(*(([n % 1000, n // 1000, n % 1000 + 0.5, n // 1000 + 0.5], 0.5, 0) for n in range(3000)))
    every = merge(crowd, [crowd] * 3, [(0, 0, 4000, 9), (4000, 0, 8000, 9), (8000, 0, 12000, 9)], 12_000, 9)
    assert len(every) == 4 * MOST
    assert every.views == 4


class Eye:
    """Finds white where it is: one box around all of it."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def candidates(self, images: Sequence[np.ndarray]) -> list[Candidates]:
        self.sizes += [image.shape[:2] for image in images]
        return [self._of(image) for image in images]

    def _of(self, image: np.ndarray) -> Candidates:
        rows, columns = np.nonzero(image[..., 0])
        if not len(rows):
            return found()
        return found(([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], 0.8, 0))


def test_pictures_are_looked_at_as_a_whole_and_in_tiles_and_small_ones_as_a_whole_alone() -> None:
    large, small = np.zeros((100, 180, 3), np.uint8), np.zeros((50, 60, 3), np.uint8)
    large[20:40, 85:105] = 255
    small[5:10, 5:10] = 255
    eye = Eye()
    one, two = candidates_in_tiles(eye.candidates, [large, small], Tiling(100, 0.2))
    assert eye.sizes == [(100, 180), (100, 100), (100, 100), (50, 60)]
    assert POINT.detections(one, ("cat",)).boxes.tolist() == [[85, 20, 105, 40]]
    assert POINT.detections(two, ("cat",)).boxes.tolist() == [[5, 5, 10, 10]]
    assert (one.views, two.views) == (3, 1)


@pytest.mark.parametrize("turned", [False, True])
def test_the_size_of_a_picture_tells_which_borders_of_its_tiles_cut(turned: bool) -> None:
    """Of 180 x 100, or turned: the first tile ends inside it, and what the whole would show is not seen there."""
    order = [1, 0, 3, 2] if turned else [0, 1, 2, 3]
    half, all_of_it = ([[85, 20, 100, 40][i] for i in order], 0.9, 0), ([[5, 20, 25, 40][i] for i in order], 0.6, 0)
    picture = np.zeros((180, 100, 3) if turned else (100, 180, 3), np.uint8)
    (one,) = candidates_in_tiles(lambda _: [found(), found(half), found(all_of_it)], [picture], Tiling(100, 0.2))
    assert one.boxes.tolist() == [[[85, 20, 105, 40][i] for i in order]]


def test_without_tiles_every_picture_is_looked_at_as_a_whole() -> None:
    eye = Eye()
    assert tiling(0) is None
    candidates_in_tiles(eye.candidates, [np.zeros((100, 180, 3), np.uint8)], None)
    assert eye.sizes == [(100, 180)]


def test_a_part_that_a_picture_does_not_have_any_more_is_all_of_it() -> None:
    """The file was replaced by a smaller one: that is told elsewhere."""
    picture = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    assert cut_out(picture, (2, 1, 5, 3)).tolist() == picture[1:3, 2:5].tolist()
    assert cut_out(picture, (8, 0, 9, 4)) is picture
    assert cut_out(picture, None) is picture


def test_a_label_with_its_own_confidence_comes_out_the_same_with_and_without_tiles() -> None:
    """A cat of 0.6, who needs 0.9, lies on a dog of 0.5."""
    place = [10.0, 20.0, 60.0, 70.0]
    point = OperatingPoint(0.25, (("cat", 0.9),), 0.5, "across labels")
    seen_there = found((place, 0.6, 0), (place, 0.5, 1))
    alone = point.detections(seen_there, ("cat", "dog"))
    tiled = point.detections(merge(seen_there, [found(), found()], TWO, 180, 100), ("cat", "dog"))
    assert alone.labels.tolist() == tiled.labels.tolist() == [1]


def test_labels_of_their_own_confidence_do_not_cut_a_crowd_across_labels_to_the_limit_of_one_picture() -> None:
    """A cat in each of three views, at one detection of each; dogs need 0.9."""
    point = OperatingPoint(0.25, (("dog", 0.9),), 0.5, "across labels", limit=1)
    whole, left, right = (found(([place, 20, place + 9, 40], 0.6, 0)) for place in (50, 10, 70))
    assert len(merged(whole, left, right, point)) == 3


def seen_in(view: tuple[int, int, int, int], count: int, random: np.random.Generator) -> Candidates:
    """Random boxes of two labels in the pixels of a view, a third of them at its right border."""
    wide, tall = view[2] - view[0], view[3] - view[1]
    low = random.uniform(0, (0.9 * wide, 0.9 * tall), (count, 2))
    boxes = np.hstack([low, np.minimum(low + random.uniform(4, 40, (count, 2)), (wide, tall))])
    boxes[::3, 2] = wide
    return Candidates.of_arrays(boxes, random.uniform(0.1, 1, count), random.integers(0, 2, count))


def slowly_merged(views: Sequence[Candidates], places: Sequence[tuple[int, int, int, int]]) -> set[tuple[float, ...]]:
    """The rule of the first lines of tiling.py, one pair of boxes after the other. The first view is the whole."""
    width, height = places[0][2:]
    rows: list[tuple[int, list[float], float, int]] = [
        (number, np.array([x0 + left, y0 + top, x1 + left, y1 + top], np.float32).tolist(), float(score), int(label))
        for number, ((left, top, _, _), view) in enumerate(zip(places, views, strict=True))
        for (x0, y0, x1, y1), score, label in zip(view.boxes.tolist(), view.scores, view.labels, strict=True)
    ]

    def area(box: Sequence[float]) -> float:
        return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])

    def is_cut(number: int, box: Sequence[float]) -> bool:
        x0, y0, x1, y1 = places[number]
        near = max(1.0, 0.02 * max(x1 - x0, y1 - y0))
        return number > 0 and (
            (x0 > 0 and box[0] <= x0 + near) or (y0 > 0 and box[1] <= y0 + near)
            or (x1 < width and box[2] >= x1 - near) or (y1 < height and box[3] >= y1 - near)
        )  # fmt: skip

    def is_half(number: int, box: Sequence[float], score: float, label: int) -> bool:
        for other, its, its_score, its_label in rows:
            if other == number or its_label != label or its_score < score / 2:
                continue
            shared = [max(box[0], its[0]), max(box[1], its[1]), min(box[2], its[2]), min(box[3], its[3])]
            better = not is_cut(other, its) or area(its) > area(box)
            if better and area(shared) >= area(box) / 2:
                return True
        return False

    kept = [row for row in rows if not (is_cut(row[0], row[1]) and is_half(*row))]
    return {(*box, score, label) for _, box, score, label in kept}


@pytest.mark.parametrize("tiles", [Tiling(100, 0.2), Tiling(64, 0.75), Tiling(100, 0.0)])
@pytest.mark.parametrize("size", [(181, 100), (101, 101), (230, 170), (1, 300)])
def test_merging_follows_its_rule_pair_by_pair(tiles: Tiling, size: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(size))
    places = [(0, 0, *size), *tiles.places(*size)]
    views = [seen_in(place, 12, random) for place in places]
    fast = merge(views[0], views[1:], places[1:], *size)
    rows = np.column_stack([fast.boxes, fast.scores, fast.labels]).tolist()
    wanted = slowly_merged(views, places)
    assert set(map(tuple, rows)) == wanted


def test_boxes_are_compared_with_those_of_neighbouring_tiles_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 x 100 boxes, a third cut: all against all would be some 1,300,000 pairs."""
    compared, intersections = [], geometry.intersections

    def counted(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        compared.append(len(first) * second.shape[1])
        return intersections(first, second)

    monkeypatch.setattr(geometry, "intersections", counted)
    random = np.random.default_rng(0)
    places = Tiling(100, 0.2).places(1620, 100)
    assert len(places) == 20
    merge(found(), [seen_in(place, 100, random) for place in places], places, 1620, 100)
    assert sum(compared) < 200_000
