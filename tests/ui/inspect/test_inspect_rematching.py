"""The Inspect page follows what changes beside it: runs that come and are renamed, splits, states and boxes."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator

import pytest
from PySide6.QtWidgets import QComboBox, QSlider
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (
    FakeEvaluator,
    evaluate_fixture,
    keep_candidates,
    make_run,
    page_fixture,
    press,
    rows,
    run_evaluation,
    session_fixture,
    text,
)
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.evaluation.evaluation_data import Confidence
from workbench.core.evaluation.matching import Counts, Matching
from workbench.core.project import Label, Snapshot, Split, State
from workbench.ui.inspect.evaluation_job import EvaluationRequest, EvaluationResult
from workbench.ui.inspect.page import InspectPage
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "page_fixture", "session_fixture"]  # fixtures


def test_a_run_that_was_renamed_stays_chosen(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    run_evaluation(qtbot, page, session)
    folder = make_run(session, "newest", 2.0).with_name("first")
    folder.rename(folder.with_name("renamed"))
    session.runs_changed.emit()
    run = page.findChild(QComboBox, "inspect-run")
    assert isinstance(run, QComboBox)
    qtbot.waitUntil(lambda: run.count() == 2)
    assert run.currentText() == "renamed (finished)"


def test_a_run_that_comes_while_another_page_is_shown_is_looked_at_on_the_split_that_is_named(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    run_evaluation(qtbot, page, session)
    session.document_changed.emit()  # another project, where a run is deleted and brought back on the Train page
    page.hide()
    assert session.document is not None
    keep_candidates(session.document.runs_folder / "first", 2)
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: len(evaluate.requests) == 2)
    assert evaluate.requests[1].split is Split.VALIDATION
    ids = tuple(image.id for image in session.document.images())
    session.do(edits.SetSplit(ids, Split.TRAIN))
    page.show()
    page.shown()
    qtbot.waitUntil(lambda: len(evaluate.requests) == 3)
    assert evaluate.requests[2].split is None, "all images: there are no validation images any more"


def test_another_split_asks_for_another_look_and_another_state_only_where_it_matters(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    first, second = (image.id for image in session.document.images())
    page.findChild(QSlider, "inspect-confidence-slider").setValue(35)
    session.do(edits.SetSplit((first,), Split.TEST))
    assert text(page, "inspect-words") == "Other images belong to these now. Look again to count them."
    session.do(edits.RemoveBoxes((session.document.boxes(second)[0].id,)))
    qtbot.waitUntil(lambda: text(page, "inspect-recall") == "1.000")  # followed, and it is still said
    assert "Look again" in text(page, "inspect-words")
    session.undo()
    session.undo()
    qtbot.waitUntil(lambda: text(page, "inspect-words") == "2 images, 2 labelled boxes.")
    session.do(edits.SetState((first,), State.VERIFIED))  # done before
    assert text(page, "inspect-words") == "2 images, 2 labelled boxes."
    session.do(edits.SetState((first,), State.IN_WORK))
    assert "Look again" in text(page, "inspect-words")


def test_an_edit_of_boxes_is_followed_and_the_sliders_stay(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    page.findChild(QSlider, "inspect-confidence-slider").setValue(35)
    assert text(page, "inspect-recall") == "0.500"
    missed = session.document.boxes(session.document.images()[1].id)[0]
    session.do(edits.RemoveBoxes((missed.id,)))
    qtbot.waitUntil(lambda: text(page, "inspect-recall") == "1.000")
    assert text(page, "inspect-words") == "2 images, 1 labelled box."
    assert page.findChild(QSlider, "inspect-confidence-slider").value() == 35
    session.undo()
    qtbot.waitUntil(lambda: text(page, "inspect-recall") == "0.500")


def test_what_is_edited_and_chosen_while_another_page_is_shown_is_followed_on_coming_back(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    """It was at once: each box drawn on the Label page had the whole split matched, each image there was read twice."""
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    second = session.document.images()[1].id
    page.findChild(QSlider, "inspect-confidence-slider").setValue(35)
    page.hide()
    session.select_image(second)
    session.do(edits.RemoveBoxes((session.document.boxes(second)[0].id,)))
    session.do(edits.SetState((second,), State.IN_WORK))
    assert page._rematcher._background.is_idle()
    assert page._middle.image == 0
    page.show()
    page.shown()
    assert page._middle.image == 1
    qtbot.waitUntil(lambda: text(page, "inspect-recall") == "1.000")
    assert text(page, "inspect-words") == "Other images belong to these now. Look again to count them."


def test_after_an_edit_the_mistakes_of_all_images_are_counted_in_a_thread(
    qtbot: QtBot, page: InspectPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window stood still for it at each decision of a review: a third of a second with 100,000 images."""
    in_window: list[bool] = []
    counts = Matching.counts

    def watched(matching: Matching, confidence: Confidence, iou: float = 0.5) -> Counts:
        in_window.append(threading.current_thread() is threading.main_thread())
        return counts(matching, confidence, iou)

    monkeypatch.setattr(Matching, "counts", watched)
    run_evaluation(qtbot, page, session)
    assert in_window == [True], "at once after a look: the list is sorted by them"
    assert session.document is not None
    session.do(edits.RemoveBoxes((session.document.boxes(session.document.images()[1].id)[0].id,)))
    qtbot.waitUntil(lambda: ("b.png", "0", "0", "0") in rows(page))
    assert in_window[1:] == [False]


def test_an_edit_is_followed_without_reading_what_was_edited_before_it(
    qtbot: QtBot, page: InspectPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All images that had been edited since the look were read each time: a review became slower with each decision."""
    run_evaluation(qtbot, page, session)
    document, read = session.document, list[int]()
    assert document is not None
    snapshot = Document.snapshot

    def watched(document: Document, ids: Collection[int] | None = None) -> Snapshot:
        read.append(len(ids or ()))
        return snapshot(document, ids)

    monkeypatch.setattr(Document, "snapshot", watched)
    for image, left in zip(document.images(), ("1 labelled box", "0 labelled boxes"), strict=True):
        session.do(edits.RemoveBoxes((document.boxes(image.id)[0].id,)))
        qtbot.waitUntil(lambda: text(page, "inspect-words") == f"2 images, {left}.")  # noqa: B023 - waited for here
    for left in ("1 labelled box", "2 labelled boxes"):
        session.undo()
        qtbot.waitUntil(lambda: text(page, "inspect-words") == f"2 images, {left}.")  # noqa: B023 - waited for here
    assert read == [1, 1, 1, 1]


class SlowLook:
    """Begins with the labels as they are, and ends once it may."""

    def __init__(self, evaluate: FakeEvaluator) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()
        self._evaluate = evaluate

    def __call__(self, request: EvaluationRequest) -> Iterator[JobProgress | EvaluationResult]:
        self.began.set()
        assert self.may_end.wait(30)
        yield from self._evaluate(request)


@pytest.fixture
def slow_look(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[SlowLook]:
    """A look that is under way."""
    look = SlowLook(evaluate)
    monkeypatch.setattr(page, "_evaluate", look)
    make_run(session)
    page.shown()
    press(qtbot, page, "inspect-look")
    assert look.began.wait(30)
    yield look
    look.may_end.set()


def test_boxes_that_are_edited_during_a_look_count_as_they_are_when_it_ends(
    qtbot: QtBot, page: InspectPage, session: Session, slow_look: SlowLook
) -> None:
    """It takes minutes, in which a person labels on; the box that is removed would be a mistake to review."""
    assert session.document is not None
    session.do(edits.RemoveBoxes((session.document.boxes(session.document.images()[1].id)[0].id,)))
    slow_look.may_end.set()
    qtbot.waitUntil(lambda: text(page, "inspect-words") == "2 images, 1 labelled box.")
    page.findChild(QSlider, "inspect-confidence-slider").setValue(35)
    qtbot.waitUntil(lambda: text(page, "inspect-recall") == "1.000")


def test_labels_that_are_edited_during_a_look_ask_for_another_one(
    qtbot: QtBot, page: InspectPage, session: Session, slow_look: SlowLook
) -> None:
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    slow_look.may_end.set()
    qtbot.waitUntil(lambda: text(page, "inspect-words").startswith("Labels have changed since."))
    qtbot.waitUntil(lambda: not session.jobs)
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-words") == "2 images, 2 labelled boxes.")


def test_boxes_that_are_edited_after_the_labels_wait_for_another_look(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    """They were matched with labels of which the evaluation knows nothing, and each edit left an error in the log."""
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    session.do(edits.RemoveBoxes((session.document.boxes(session.document.images()[1].id)[0].id,)))
    assert page._rematcher._background.is_idle()
    assert text(page, "inspect-words").startswith("Labels have changed since.")
