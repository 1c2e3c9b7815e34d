"""The line below a tile of the review gallery."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication

from workbench.ui.inspect.review.tile import cut_words


@pytest.mark.parametrize(
    ("mine", "theirs", "begins", "ends"),
    [
        ("red blood cell with a nucleus", "white blood cell with granules", ("red", "white"), ("eus", "les")),
        ("RBC", "white blood cell with granules, large", ("RBC", "white b"), ("RBC", "large")),
        ("white blood cell with granules, large", "RBC", ("white b", "RBC"), ("large", "RBC")),
    ],
)
def test_of_two_long_names_each_is_cut_for_itself(
    qapp: QApplication, mine: str, theirs: str, begins: tuple[str, str], ends: tuple[str, str]
) -> None:
    """Cut in the middle of both, neither name could be told from others."""
    metrics = QFontMetrics(qapp.font())
    cut = cut_words(f"{mine} → {theirs} 0.93", metrics, width := metrics.horizontalAdvance("m" * 18))
    assert metrics.horizontalAdvance(cut) <= width
    assert cut.endswith(" 0.93")
    for name, begin, end in zip(cut.removesuffix(" 0.93").split(" → "), begins, ends, strict=True):
        assert name.startswith(begin)
        assert name.endswith(end)
    assert cut_words(f"{mine} 0.93", metrics, 10_000) == f"{mine} 0.93"
