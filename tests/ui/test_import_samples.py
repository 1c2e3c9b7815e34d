"""Which boxes of the project a sample image of an import shows beside those of the files."""

from __future__ import annotations

import tracemalloc

from workbench.core.project import Box
from workbench.ui.data.importing.samples import _without_match


def box(id: int, x: float, y: float, label: int = 1) -> Box:
    return Box(id, 1, label, (x, y, x + 8, y + 8))


def test_boxes_that_are_alike_but_for_what_a_format_rounds_are_not_shown_twice() -> None:
    theirs = (box(1, 10, 10), box(2, 30, 10), box(3, 50, 10, label=2), box(4, 70, 30))
    ours = (box(5, 10.5, 9.5), box(6, 30.6, 10), box(7, 50, 10), box(8, 70, 10))
    assert [one.id for one in _without_match(ours, theirs)] == [6, 7, 8]
    assert _without_match(ours, ()) == ours
    assert _without_match((), theirs) == ()


def test_an_image_with_thousands_of_boxes_takes_no_gigabytes() -> None:
    """Each was compared with each: 800 MB for an aerial photograph with five thousand."""
    theirs = tuple(box(n, 10.0 * (n % 70), 10.0 * (n // 70)) for n in range(5000))
    ours = (*theirs, box(5000, 3, 3))
    tracemalloc.start()
    assert [one.id for one in _without_match(ours, theirs)] == [5000]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50 << 20
