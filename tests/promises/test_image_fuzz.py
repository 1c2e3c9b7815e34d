"""Damaged images give an image or a sentence, the same for training and the screen, and end no process.

Control: torchvision's decoder, which dies of a damaged PNG.
"""

from __future__ import annotations

import sys

import pytest

from tests.core.awkward_files import seeds
from tests.promises.form import times
from tests.promises.fuzzing_child import fuzz

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="forks")]


@pytest.mark.parametrize("format", seeds())
def test_damaged_images_end_no_process_and_are_seen_alike(format: str) -> None:
    count = times(300, 10_000)
    found = fuzz("ours", format, count)
    print(f"\n{count:,} damaged {format}: {found}")
    assert found.deaths == []
    assert found.wrong == []
    assert found.read + found.refused == count
    assert found.read > count / 50, "else nothing but headers was tried"
    assert found.refused > count / 50
    assert found.peak < 1 << 30


def test_a_decoder_that_dies_of_damaged_images_is_noticed() -> None:
    found = fuzz("torchvision", "PNG", 300, deaths=3)
    print(f"\ntorchvision.io: {found}, of the first {found.read + found.refused + len(found.deaths)} damaged PNGs")
    assert len(found.deaths) == 3
