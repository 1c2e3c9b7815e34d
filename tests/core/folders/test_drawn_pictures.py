"""Pictures on which predictions were drawn are found in their results only, not among the photographs around these."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.core.files import scan_images
from workbench.core.folders.drawn_pictures import is_drawn
from workbench.ui.project.photograph_count import CountRequest as Count
from workbench.ui.project.photograph_count import PhotographCount, count_photographs


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two photographs, one of them in a folder called pictures, and results with two drawn pictures."""
    for name in ("a.png", "pictures/b.png", "found/pictures/a.jpg", "found/pictures/pictures/b.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "found" / "parts").mkdir()
    (tmp_path / "found" / "parts" / "folders.json").write_text('["pictures", "predictions.json"]')
    return tmp_path


def test_a_walk_through_photographs_passes_them_over(photographs: Path) -> None:
    assert scan_images(photographs) == ["a.png", "pictures/b.png"]
    assert count_photographs(Count(photographs)) == PhotographCount(2, 1)
    assert scan_images(photographs / "found") == ["pictures/a.jpg", "pictures/pictures/b.jpg"]
    assert count_photographs(Count(photographs / "found")) == PhotographCount(2, 1)
    assert scan_images(photographs / "found" / "pictures") == ["a.jpg", "pictures/b.jpg"]


@pytest.mark.parametrize("said", ['["yolo"]', '["pictures?"]', "7", "{", None])
def test_pictures_that_results_do_not_say_they_drew_are_photographs(photographs: Path, said: str | None) -> None:
    claim = photographs / "found" / "parts" / "folders.json"
    assert is_drawn(photographs / "found", "pictures")
    claim.unlink() if said is None else claim.write_text(said)
    assert not is_drawn(photographs / "found", "pictures")
    assert len(scan_images(photographs)) == 4
