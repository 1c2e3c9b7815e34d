"""Pictures that are nearly the same are found, and different photographs are not taken for them."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from workbench.core import images
from workbench.core.decoding.fingerprint import NEAR, fingerprint, near_groups, of_files
from workbench.core.decoding.intensity_window import IntensityWindow


def again(pixels: np.ndarray, how: str) -> np.ndarray:
    """The picture as somebody else keeps it."""
    if how == "jpeg":
        return np.asarray(cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1))
    if how == "small":
        return cv2.resize(pixels, None, fx=0.3, fy=0.3, interpolation=cv2.INTER_AREA)
    if how == "bright":
        return np.clip(pixels.astype(int) * 1.1 + 8, 0, 255).astype(np.uint8)
    noise = np.random.default_rng(0).normal(0, 6, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("how", ["jpeg", "small", "bright", "noise"])
def test_a_photograph_is_known_again(how: str, test_data: Path) -> None:
    files = sorted((test_data / "images").glob("*.jpg"))
    pictures = [images.read(file) for file in files]
    prints = [fingerprint(picture) for picture in [*pictures, *(again(picture, how) for picture in pictures)]]
    assert near_groups(prints) == [[i, i + len(files)] for i in range(len(files))]


def test_photographs_of_one_kind_are_not_taken_for_the_same(test_data: Path) -> None:
    """364 of the same microscope, 64 of the same enclosure: what is grouped must really be alike."""
    files = sorted((test_data / "data" / "bccd" / "BCCD" / "JPEGImages").glob("*.jpg"))
    pictures = [images.thumbnail(file, 160) for file in files]
    groups = near_groups([fingerprint(picture) for picture in pictures])
    grouped = sum(map(len, groups))
    print(f"{grouped} of {len(files)} are grouped, in {len(groups)} groups")
    for rows in groups:
        first = pictures[rows[0]].astype(float)
        for other in rows[1:]:
            same = cv2.resize(pictures[other], first.shape[1::-1]).astype(float)
            assert np.corrcoef(first.ravel(), same.ravel())[0, 1] > 0.8


def test_one_colour_resembles_nothing() -> None:
    assert fingerprint(np.full((40, 60, 3), 90, np.uint8)) is None
    assert near_groups([None, None]) == []


def test_groups_are_all_that_lie_within_the_distance() -> None:
    """Against every pair, on prints that are near by design."""
    rng = np.random.default_rng(0)
    prints: list[int | None] = []
    for _ in range(60):
        base = int.from_bytes(rng.bytes(16), "big")
        for flips in (0, NEAR, NEAR + 1, 40):
            bits = rng.choice(128, flips, replace=False).tolist()
            prints.append(base ^ sum(1 << bit for bit in bits))
    wanted = {
        (a, b)
        for a in range(len(prints)) for b in range(a + 1, len(prints))
        if (prints[a] ^ prints[b]).bit_count() <= NEAR
    }  # fmt: skip
    grouped = {frozenset(rows) for rows in near_groups(prints)}
    assert len(wanted) >= 60
    for a, b in wanted:
        assert any({a, b} <= rows for rows in grouped)
    assert sum(len(rows) for rows in grouped) == len({row for pair in wanted for row in pair})


def test_a_camera_that_stands_still_takes_no_longer() -> None:
    """Thousands of prints that all share most of their parts are one group, about as quickly as as many that don't."""
    rng = np.random.default_rng(0)
    base = int.from_bytes(rng.bytes(16), "big")
    still: list[int | None] = [base ^ (1 << int(bit)) for bit in rng.integers(0, 128, 8_000)]
    apart: list[int | None] = [int.from_bytes(rng.bytes(16), "big") for _ in range(8_000)]
    took = []
    for prints in (still, apart):
        start = time.perf_counter()
        found = near_groups(prints)
        took.append(time.perf_counter() - start)
        if prints is still:
            assert [len(rows) for rows in found] == [8_000]
    assert took[0] < 20 * took[1]


def test_images_of_12_bits_are_told_apart_by_the_projects_window(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(100, 900, (64, 64)).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "a.png"), cv2.resize(samples[:6, :6], (64, 64), interpolation=cv2.INTER_LINEAR))
    ((_, plain),) = of_files([tmp_path / "a.png"])
    ((_, by_window),) = of_files([tmp_path / "a.png"], IntensityWindow(100, 900))
    assert plain is None  # all but black
    assert by_window is not None


def test_ten_times_as_many_take_not_a_hundred_times_as_long() -> None:
    rng = np.random.default_rng(0)
    took = []
    for count in (2_000, 20_000):
        prints = [int.from_bytes(rng.bytes(16), "big") for _ in range(count)]
        start = time.perf_counter()
        near_groups(prints)
        took.append(time.perf_counter() - start)
    assert took[1] < 60 * took[0]


class Counted(int):
    """A print that counts how often it is compared."""

    times = 0

    def __xor__(self, other: int) -> int:
        Counted.times += 1
        return int(self) ^ other


def test_pictures_on_a_white_background_are_not_all_compared_with_each_other() -> None:
    """A field as bright as its neighbours is not darker: where all have a white margin, their bits are 0 alike."""
    rng = np.random.default_rng(0)
    content = np.zeros((2, 8, 8), bool)  # right and below
    content[:, 3:, 2:7] = True
    bits = rng.integers(0, 2, (2_000, 2, 8, 8)).astype(bool) & content
    prints = [Counted(int.from_bytes(np.packbits(one).tobytes(), "big")) for one in bits]
    Counted.times = 0
    near_groups(prints)
    assert Counted.times < 2_000 * 1_999 / 2 / 4
