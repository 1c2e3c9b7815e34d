"""What a drag that has picked nothing is told."""

from __future__ import annotations

from workbench.ui.annotate import gestures


def test_a_drag_on_a_suggestion_says_how_it_becomes_a_box() -> None:
    suggested = [(10.0, 10.0, 40.0, 30.0), (100.0, 50.0, 120.0, 70.0)]
    for start in ((10, 10), (40, 30), (37, 20), (101, 69), (44, 33)):
        assert gestures.none_there(start, suggested) == gestures.SUGGESTED
    for start in ((60, 20), (0, 0), (110, 90)):
        assert gestures.none_there(start, suggested) == gestures.NO_BOX_THERE
    assert gestures.none_there((10, 10), []) == gestures.NO_BOX_THERE
