"""Images cut into views: which boxes each shows, in its own pixels. Small enough to be checked by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.calls import calls_of
from workbench.core.project import FLAGS, Image, Label, Snapshot
from workbench.core.snapshot_views import FULLEST, cut_into_views, find_view
from workbench.core.tiling import Tiling

TILING = Tiling(100, 0.2)
"""Of an image of 180 x 100: 0 to 100 and 80 to 180."""
LARGE, SMALL = Image(7, "large.jpg", 180, 100), Image(8, "small.jpg", 90, 60)


def snapshot_of(
    *images: tuple[Image, list[tuple[float, float, float, float]]], crowd: tuple[int, ...] = ()
) -> Snapshot:
    boxes = [box for _, some in images for box in some]
    flags = np.zeros((len(boxes), len(FLAGS)), bool)
    flags[list(crowd), FLAGS.index("crowd")] = True
    return Snapshot(
        labels=(Label(1, "cat"),),
        images=tuple(image for image, _ in images),
        files=tuple(Path("/photographs") / image.path for image, _ in images),
        offsets=np.cumsum([0, *(len(some) for _, some in images)]),
        boxes=np.array(boxes, np.float64).reshape(-1, 4),
        label_index=np.zeros(len(boxes), np.int64), flags=flags, box_ids=np.arange(len(boxes)) + 100,
    )  # fmt: skip


def view(cut: Snapshot, index: int) -> list[tuple[int, list[float], bool]]:
    """(id, box, whether it is a crowd) of each box of a view."""
    rows = cut.rows(index)
    return list(zip(cut.box_ids[rows].tolist(), cut.boxes[rows].tolist(), cut.crowd[rows].tolist(), strict=True))


def test_a_large_image_comes_as_a_whole_and_in_tiles_and_a_small_one_as_it_is() -> None:
    cut = cut_into_views(snapshot_of((LARGE, [(10, 20, 30, 40)]), (SMALL, [(1, 2, 3, 4)])), TILING, 0.25)
    assert cut.places == (None, (0, 0, 100, 100), (80, 0, 180, 100), None)
    assert [(image.id, image.width, image.height) for image in cut.images] == [
        (7, 180, 100), (7, 100, 100), (7, 100, 100), (8, 90, 60),
    ]  # fmt: skip
    assert [file.name for file in cut.files] == ["large.jpg"] * 3 + ["small.jpg"]
    assert view(cut, 0) == view(cut, 1) == [(100, [10, 20, 30, 40], False)]
    assert view(cut, 2) == []
    assert view(cut, 3) == [(101, [1, 2, 3, 4], False)]


def test_a_box_at_a_seam_is_cut_in_one_tile_and_whole_in_the_other() -> None:
    cut = cut_into_views(snapshot_of((LARGE, [(85, 20, 105, 40)])), TILING, 0.25)
    assert view(cut, 1) == [(100, [85, 20, 100, 40], False)]  # three quarters of it
    assert view(cut, 2) == [(100, [5, 20, 25, 40], False)]


def test_a_box_that_only_touches_a_tile_is_not_in_it() -> None:
    cut = cut_into_views(snapshot_of((LARGE, [(100, 20, 120, 40), (60, 20, 80, 40)])), TILING, 0.25)
    assert view(cut, 1) == [(101, [60, 20, 80, 40], False)]
    assert view(cut, 2) == [(100, [20, 20, 40, 40], False)]


def test_an_image_as_large_as_a_tile_has_none() -> None:
    cut = cut_into_views(snapshot_of((Image(7, "tile.jpg", 100, 100), [(10, 20, 30, 40)])), TILING, 0.25)
    assert (cut.places, view(cut, 0)) == ((None,), [(100, [10, 20, 30, 40], False)])


def test_images_of_any_number_of_sizes_show_their_boxes_in_tiles() -> None:
    images = [(Image(n, f"{n}.jpg", 180 + 20 * n, 180 + 30 * n), [(110.0, 20.0, 130.0, 40.0)]) for n in range(4)]
    cut = cut_into_views(snapshot_of(*images), TILING, 0.25)
    for image in range(4):
        shown = [row for row, one in enumerate(cut.images) if one.id == image and len(view(cut, row))]
        assert len(shown) > 1, "the whole, and a tile at least"


def test_what_shows_too_little_of_a_box_is_neither_object_nor_background() -> None:
    cut = cut_into_views(snapshot_of((LARGE, [(96, 20, 116, 40)])), TILING, 0.25)
    assert view(cut, 1) == [(100, [96, 20, 100, 40], True)]  # a fifth of it
    assert view(cut, 2) == [(100, [16, 20, 36, 40], False)]
    cut = cut_into_views(snapshot_of((LARGE, [(95, 20, 115, 40)])), TILING, 0.25)
    assert view(cut, 1) == [(100, [95, 20, 100, 40], False)], "a quarter is not less than a quarter"


def test_only_what_lies_in_the_image_counts_as_the_box() -> None:
    """60 of its 80 pixels lie outside; of the 20 others the left tile shows all."""
    cut = cut_into_views(snapshot_of((LARGE, [(-60, 20, 20, 40)])), TILING, 0.25)
    assert view(cut, 1) == [(100, [0, 20, 20, 40], False)]


def test_a_crowd_stays_one_and_boxes_without_area_stay_in_the_whole_alone() -> None:
    cut = cut_into_views(snapshot_of((LARGE, [(10, 20, 30, 40), (50, 50, 50, 60)]), crowd=(0,)), TILING, 0.25)
    assert view(cut, 0) == [(100, [10, 20, 30, 40], True), (101, [50, 50, 50, 60], False)]
    assert view(cut, 1) == [(100, [10, 20, 30, 40], True)]


def test_each_box_counts_once_where_most_of_it_is_seen() -> None:
    """The first is whole in both tiles, the second in the right one, the third in neither."""
    boxes = [(82.0, 20.0, 98.0, 40.0), (85.0, 20.0, 105.0, 40.0), (20.0, 20.0, 160.0, 40.0)]
    cut = cut_into_views(snapshot_of((LARGE, boxes)), TILING, 0.25, once=True)
    counted = [[id for id, _, crowd in view(cut, index) if not crowd] for index in range(3)]
    assert counted == [[102], [100], [101]]


def test_of_tiles_without_boxes_as_many_stay_as_there_are_with_some_evenly_spread() -> None:
    wide = Image(9, "wide.jpg", 820, 100)  # tiles at 0, 80 ... 720
    thin = cut_into_views(snapshot_of((wide, [(10, 20, 30, 40), (90, 20, 99, 40)])), TILING, 0.25, thin=True)
    assert [place and place[0] for place in thin.places] == [None, 0, 80, 160, 480]
    assert len(cut_into_views(snapshot_of((wide, [])), TILING, 0.25, thin=True)) == 1
    assert len(cut_into_views(snapshot_of((wide, [])), TILING, 0.25)) == 11
    small = cut_into_views(snapshot_of((wide, []), (SMALL, []), (SMALL, [])), TILING, 0.25, thin=True)
    assert small.places == (None, None, None), "whole images are no tiles, whatever is in them"


def test_a_part_of_the_views_keeps_their_places_and_the_digest_tells_them_apart() -> None:
    cut = cut_into_views(snapshot_of((LARGE, [(10, 20, 30, 40)]), (SMALL, [])), TILING, 0.25)
    part = cut.take([2, 3])
    assert part.places == ((80, 0, 180, 100), None)
    assert (part.place(0), part.place(1)) == ((80, 0, 180, 100), None)
    left, right = (cut.take([index]) for index in (1, 2))
    assert left.digest != right.digest


def test_without_tiles_and_without_images_nothing_changes() -> None:
    whole = snapshot_of((LARGE, [(10, 20, 30, 40)]))
    assert cut_into_views(whole, None, 0.25) is whole
    assert whole.place(0) is None
    assert len(cut_into_views(snapshot_of(), TILING, 0.25)) == 0
    unknown = cut_into_views(snapshot_of((Image(1, "a.jpg"), [(1, 2, 3, 4)])), TILING, 0.25)
    assert view(unknown, 0) == [(100, [1, 2, 3, 4], False)]


def test_views_show_what_lies_in_them_box_by_box() -> None:
    """Random boxes, some outside the image or without area, at seams of a quarter and of three quarters."""
    random = np.random.default_rng(3)
    low = random.uniform(-40, 260, (60, 2))
    boxes = np.hstack([low, low + random.uniform(0, 90, (60, 2)) * random.integers(0, 6, (60, 1)).clip(0, 1)])
    image = Image(1, "a.jpg", 250, 130)
    whole = snapshot_of((image, [tuple(box) for box in boxes.tolist()]), crowd=(3, 7))
    for tiling in (TILING, Tiling(64, 0.75), Tiling(100, 0)):
        cut = cut_into_views(whole, tiling, 0.25)
        for index, place in enumerate(cut.places[1:], start=1):
            assert place is not None
            wanted = []
            for number, (x0, y0, x1, y1) in enumerate(boxes.clip(0, [250, 130, 250, 130]).tolist()):
                left, top, right, bottom = max(x0, place[0]), max(y0, place[1]), min(x1, place[2]), min(y1, place[3])
                if left < right and top < bottom:
                    little = (right - left) * (bottom - top) < 0.25 * (x1 - x0) * (y1 - y0)
                    moved = [left - place[0], top - place[1], right - place[0], bottom - place[1]]
                    wanted.append((100 + number, moved, little or number in (3, 7)))
            assert view(cut, index) == wanted
            size = cut.images[index].width, cut.images[index].height
            assert size == (place[2] - place[0], place[3] - place[1])
        assert len({id(one) for one in cut.images[1:]}) == 1  # of many tiles not as many equal values


def test_a_view_is_found_by_its_number_also_where_some_were_left_out() -> None:
    tiles = [(0, 0, 100, 100), (80, 0, 180, 100), (160, 0, 260, 100)]
    kept, boxes = [None, tiles[0], tiles[2]], [9, 6, 5]
    assert [find_view(kept, boxes, tiles, number) for number in range(4)] == [0, 1, None, 2]
    assert [find_view(kept, boxes, tiles, number) for number in (FULLEST, 4)] == [1, 1], "the tile with most boxes"
    assert find_view([None], [4], [], FULLEST) == 0


@pytest.mark.parametrize("options", [{}, {"thin": True}, {"once": True}])
def test_many_images_are_cut_at_once(options: dict[str, bool]) -> None:
    """Image by image and tile by tile it took 1,700 calls of each, and of 20,000 seconds before each training."""
    many = [(Image(n, f"{n}.jpg", 1800 + 100 * (n % 3), 1000), [(10.0, 20.0, 30.0, 40.0)] * 9) for n in range(300)]
    whole = snapshot_of(*many)
    assert calls_of(lambda: cut_into_views(whole, TILING, 0.25, **options)) < 50 * len(many)
