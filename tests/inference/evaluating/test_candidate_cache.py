"""What is kept beside a run is what was predicted, bit for bit, in few bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from workbench.core.detections import Candidates
from workbench.inference.evaluating import candidate_cache


def candidates(count: int, labels: list[int]) -> Candidates:
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 5000, (count, 4)).astype(np.float32)
    scores = np.sort(rng.beta(0.5, 0.5, count).astype(np.float32))[::-1]
    return Candidates(boxes, scores, np.resize(np.array(labels, np.int32), count))


@pytest.mark.parametrize(("labels", "stored"), [([0, 255], np.uint8), ([3, 9417], np.uint16), ([0, 70_000], np.uint32)])
def test_candidates_come_back_bit_for_bit_with_labels_in_as_few_bytes_as_they_take(
    tmp_path: Path, labels: list[int], stored: type
) -> None:
    file = tmp_path / "run" / "candidates" / "x.npz"
    file.parent.mkdir(parents=True)
    seen_in_tiles = replace(candidates(7, labels[:1]), views=9)
    known = {"a": (candidates(100, labels), (4, 3)), "b": (Candidates.none(), (1, 2)), "c": (seen_in_tiles, (640, 480))}
    candidate_cache.save(file, known)
    back = candidate_cache.load(file)
    assert list(back) == ["a", "b", "c"]
    for name, (one, size) in known.items():
        found, kept_size = back[name]
        assert (found.views, kept_size) == (one.views, size)
        for column in ("boxes", "scores", "labels"):
            kept, given = getattr(found, column), getattr(one, column)
            assert kept.dtype == given.dtype
            assert np.array_equal(kept, given)
    with np.load(file) as data:
        assert data["labels"].dtype == stored


def test_a_file_that_lacks_something_is_as_none(tmp_path: Path) -> None:
    """Of an earlier version, which did not keep the sizes of images."""
    file = tmp_path / "run" / "candidates" / "x.npz"
    file.parent.mkdir(parents=True)
    candidate_cache.save(file, {"a": (candidates(5, [1]), (4, 3))})
    with np.load(file) as data:
        earlier = {name: data[name] for name in data.files if name != "sizes"}
    np.savez(file, **earlier)
    assert candidate_cache.load(file) == {}
