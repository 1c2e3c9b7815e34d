"""The review gallery after labels were deleted since the detector looked."""

from __future__ import annotations

from PySide6.QtCore import Qt

from tests.ui.inspect import test_review as driver
from workbench.core import edits
from workbench.inference.evaluating.review import ReviewKind

bench, session = driver.bench, driver.session  # fixtures


def test_a_prediction_of_a_label_that_was_deleted_is_not_taken_and_asks_for_another_look(bench: driver.Bench) -> None:
    """The person was told of a FOREIGN KEY constraint of the project's file."""
    bench.shown()
    assert bench.kind() is ReviewKind.WRONG_LABEL
    said: list[str] = []
    bench.session.message.connect(lambda _kind, words: said.append(words))
    bench.session.do(edits.RemoveLabel(bench.document.labels()[1].id))
    before = bench.document.snapshot().boxes.tolist()
    for key in (Qt.Key.Key_T, Qt.Key.Key_W):
        bench.press(key)
        assert said.pop().startswith("This label was deleted or merged since the detector looked.")
    assert bench.document.snapshot().boxes.tolist() == before
    assert bench.count == "4 left of 4"
    bench.press(Qt.Key.Key_N)
    assert bench.kind() is ReviewKind.FALSE_ALARM, "what needs no label is decided"
