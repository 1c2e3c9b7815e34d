"""One window for all images of more than 8 bits of a project: kept, measured, and part of the data's identity."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Picture

from workbench.core import edits, images
from workbench.core.decoding.intensity_window import IntensityWindow, from_setting
from workbench.core.document import Document
from workbench.errors import Refused


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [
        ([0, 4095], IntensityWindow(0, 4095)),
        ((1.5, 2), IntensityWindow(1.5, 2)),
        (None, None),
        ([1], None),
        ([5, 5], None),
        ([0, float("nan")], None),
        (["a", 3], None),
        ("ab", None),
        ({"low": 1}, None),
    ],
)
def test_a_window_is_read_or_there_is_none(kept: object, wanted: IntensityWindow | None) -> None:
    assert from_setting(kept) == wanted


def test_the_range_of_an_image_leaves_out_single_hot_pixels(tmp_path: Path) -> None:
    samples = np.linspace(100, 4000, 100 * 100).reshape(100, 100).astype(np.uint16)
    samples[0, 0], samples[5, 5] = 65535, 0
    cv2.imwrite(str(tmp_path / "a.png"), samples)
    low, high = images.value_range(tmp_path / "a.png") or (0, 0)
    assert 100 <= low < 120
    assert 3980 < high <= 4000
    floats = np.linspace(-2, 2, 10_000, dtype=np.float32).reshape(100, 100)
    floats[0, 0] = np.nan
    Picture.fromarray(floats).save(tmp_path / "a.tif")
    low, high = images.value_range(tmp_path / "a.tif") or (0, 0)
    assert (round(low, 1), round(high, 1)) == (-2, 2)


def test_an_image_of_8_bits_has_no_range_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((10, 10), 7, np.uint8))
    assert images.value_range(tmp_path / "a.png") is None
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(Refused):
        images.value_range(tmp_path / "b.png")


def test_a_project_keeps_its_window_and_its_data_are_others_by_it(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    cv2.imwrite(str(tmp_path / "photographs" / "a.png"), np.full((10, 10), 700, np.uint16))
    with Document.create(tmp_path / "p", tmp_path / "photographs") as document:
        before = document.snapshot()
        assert (document.window(), before.window) == (None, None)
        applied = document.do(edits.ChangeSetting("window", [0, 4095]))
        assert applied.changes("window")
        assert not applied.changes("anchors")
    with Document.open(tmp_path / "p") as document:
        after = document.snapshot()
        assert document.window() == after.window == after.take([0]).window == IntensityWindow(0, 4095)
        assert after.digest != before.digest
        document.undo()
        assert document.snapshot().digest == before.digest
