"""Which boxes of the project a sample image of an import shows beside those of the files."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

from tests.formats.making import voc_file, voc_object
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import Box, Image
from workbench.exchange import plan_import
from workbench.ui.data.importing.findings import make_findings
from workbench.ui.data.importing.samples import _without_match, make_sample


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


def test_a_photograph_that_nobody_may_look_at_is_a_sample_without_picture(tmp_path: Path) -> None:
    """The system refuses this name as it does a folder without permission, or a share that does not answer."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.xml").write_text(voc_file(voc_object("cat", (1, 1, 9, 9))))
    with Document.create(tmp_path / "p") as document:
        root = document.add_root(tmp_path / ("x" * 300))
        document.do(edits.AddImages((Image(0, "a.jpg", 40, 30, root=root),)))
        sample = make_sample(document, make_findings(document, plan_import(document, tmp_path / "set")), 0)
    assert (sample.name, sample.file, len(sample.boxes)) == ("a.jpg", None, 1)
