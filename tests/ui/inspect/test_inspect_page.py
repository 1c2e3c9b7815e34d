"""The Inspect page with candidates made by hand: before a look, what its numbers leave out, what makes it stale."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QPushButton, QTabWidget
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (
    SEEN,
    FakeEvaluator,
    evaluate_fixture,
    keep_candidates,
    make_run,
    page_fixture,
    press,
    run_evaluation,
    session_fixture,
    text,
)
from tests.ui.test_accessible import controls, nameless, unreachable
from tests.ui.window_driver import find
from workbench.core import edits
from workbench.core.detections import Candidates
from workbench.core.former_names import SAID
from workbench.core.project import Label, Snapshot, Split, State
from workbench.core.storage.image_table import ImageTable
from workbench.inference.evaluating import scoring
from workbench.inference.evaluating.scoring import ScoringRules
from workbench.inference.events import EvaluationDone
from workbench.training.records.runs import RunInfo
from workbench.ui.inspect import evaluation_job, rematcher
from workbench.ui.inspect.evaluation_job import EvaluationRequest
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.inspect.results_pane import ResultsPane
from workbench.ui.inspect.run_picker import RunPicker
from workbench.ui.inspect.state import initial_state
from workbench.ui.job import Job
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session

__all__ = ["evaluate_fixture", "page_fixture", "session_fixture"]  # fixtures


def test_without_a_run_the_page_offers_to_train_one(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    page.shown()
    qtbot.waitUntil(lambda: "Train one first" in text(page, "inspect-empty-sentence"))
    with qtbot.waitSignal(session.page_requested) as asked:
        press(qtbot, page, "inspect-empty-button")
    assert asked.args == ["train"]
    with qtbot.waitSignal(session.weights_import_requested):
        press(qtbot, page, "inspect-empty-other")


def test_while_the_first_run_is_trained_the_page_says_so(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    job = session.start(Job("Training", lambda job: iter([job.stop.wait(20)]), page, is_training=True))
    page.shown()
    qtbot.waitUntil(lambda: "after its first evaluation" in text(page, "inspect-empty-sentence"))
    job.stop.set()
    qtbot.waitUntil(lambda: not session.jobs)
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: "Train one first" in text(page, "inspect-empty-sentence"))


def test_before_looking_the_page_says_what_to_do_and_why_it_failed(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    make_run(session)
    page.shown()
    picture = page.findChild(InspectPicture, "inspect-picture")
    assert isinstance(picture, InspectPicture)
    qtbot.waitUntil(lambda: picture.sentence.startswith("Press Look"))
    evaluate.fails_with = "This checkpoint is damaged. Use another one of the run."
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: picture.sentence == evaluate.fails_with)
    assert text(page, "inspect-words") == evaluate.fails_with
    qtbot.waitUntil(lambda: not session.jobs)
    evaluate.fails_with = ""
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: bool(picture.groups) and picture.sentence == "")


def test_a_look_stopped_in_the_status_bar_says_again_what_to_do(
    qtbot: QtBot, page: InspectPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(_: EvaluationRequest) -> Iterator[JobProgress]:
        while True:
            yield JobProgress(1, 2, "images")
            time.sleep(0.01)

    monkeypatch.setattr(page, "_evaluate", endless)
    make_run(session)
    page.shown()
    picture = page.findChild(InspectPicture, "inspect-picture")
    assert isinstance(picture, InspectPicture)
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: picture.sentence == "Looking …")
    session.jobs[0].stop.set()
    qtbot.waitUntil(lambda: picture.sentence.startswith("Press Look"))
    assert text(page, "inspect-words") == "Stopped. What was found so far is kept."
    assert not page.findChild(QPushButton, "inspect-stop").isVisible()


def test_who_presses_the_key_of_look_while_it_looks_is_told_where_stop_is(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    look, told = find(page, QPushButton, "inspect-look"), list[str]()
    session.message.connect(lambda _level, sentence: told.append(sentence))
    assert look.toolTip().startswith("Look: run the detector on these images  (Ctrl+Return)\n")
    page._header.show_busy(True)
    find(page, QAction, "action-look").trigger()
    assert told == ["It is looking: Stop is beside this button."]
    assert look.toolTip().splitlines()[:2] == [told[0], "Look: run the detector on these images  (Ctrl+Return)"]
    page._header.show_busy(False)
    assert look.isEnabled()


def test_the_keyboard_is_on_look_again_when_a_look_has_ended(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    """Qt had handed it on while Look was switched off, and Space opened the window of other images."""
    make_run(session)
    page.shown()
    button = page.findChild(QPushButton, "inspect-look")
    qtbot.waitUntil(button.isEnabled)
    button.setFocus()
    QTest.keyClick(button, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")
    qtbot.waitUntil(lambda: not session.jobs)
    qtbot.waitUntil(button.isEnabled)
    assert page.window().focusWidget() is button


def test_images_that_a_run_may_have_learnt_from_are_counted(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    assert session.document is not None
    ids = tuple(image.id for image in session.document.images())
    session.do(edits.SetSplit(ids, Split.NONE))
    run_evaluation(qtbot, page, session)
    assert text(page, "inspect-words") == "2 images, 2 of them perhaps trained on, 2 labelled boxes."


def test_images_that_a_run_has_learnt_from_are_told_by_its_own_record(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    evaluate.trained_on = 1  # these are in the validation split now
    run_evaluation(qtbot, page, session)
    assert text(page, "inspect-words") == "2 images, 1 of them trained on, 2 labelled boxes."


def test_what_is_to_be_known_of_the_numbers_is_a_warning_too(
    qtbot: QtBot, page: InspectPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation_job, "kept_point", lambda _: (None, "1 image has another size now."))
    with qtbot.waitSignal(session.message) as told:
        run_evaluation(qtbot, page, session)
    assert told.args == ["warning", "1 image has another size now."]
    assert text(page, "inspect-words").endswith("1 image has another size now.")


def test_test_images_are_shown_at_the_confidence_that_validation_images_chose(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.document is not None
    folder, snapshot = make_run(session), session.document.snapshot()
    rules = {"iou": 0.45, "kind": "per label", "limit": 300}
    (folder / "evaluation.json").write_text(
        json.dumps({"split": "validation", "best_confidence": 0.42, "rules": rules}), "utf-8"
    )

    def evaluated(_: object, truth: Snapshot, split: Split, folder: Path) -> Iterator[EvaluationDone]:
        found = tuple(Candidates.of_arrays(*map(np.array, one)) for one in SEEN)
        yield EvaluationDone(
            scoring.score(truth, found, ScoringRules()), truth, found, ScoringRules(), 0, None, 0, "1 has changed."
        )

    monkeypatch.setattr(
        "workbench.inference.predict.Predictor.open", lambda file, **_: SimpleNamespace(labels=("cell",))
    )
    monkeypatch.setattr("workbench.inference.evaluating.evaluate.evaluate_run", evaluated)
    for split, is_chosen in ((Split.TEST, True), (Split.VALIDATION, False)):
        *_, found = evaluation_job.evaluate_split(
            EvaluationRequest(folder, folder / "best.safetensors", snapshot, split)
        )
        assert isinstance(found, evaluation_job.EvaluationResult)
        assert (found.confidence == 0.42) is is_chosen
        pane = ResultsPane()
        qtbot.addWidget(pane)
        pane.set_evaluation(found)
        whose = "validation's" if is_chosen else "the"
        assert text(pane, "inspect-kept") == f"at {whose} highest F1, not kept"
        assert rematcher.summary(found) == "2 images, 2 labelled boxes. 1 has changed."


def test_what_was_looked_at_in_tiles_says_so(session: Session) -> None:
    """Also the limit: it is one for each view."""
    assert session.document is not None
    snapshot = session.document.snapshot()
    said = []
    for views in (1, 21):
        seen = [Candidates.of_arrays(*(np.array(part) for part in SEEN[i])) for i in range(2)]
        found = tuple(replace(one, views=views) for one in seen)
        result = evaluation_job.EvaluationResult.of(snapshot, found, ScoringRules(), 0.5)
        said.append((rematcher.summary(result), initial_state(result).rule))
    (plain, per_image), (tiled, per_view) = said
    assert plain.startswith("2 images, ")
    assert tiled.startswith("2 images in 40 tiles, ")
    assert per_image.endswith("at most 300 per image")
    assert per_view.endswith("at most 300 per image, and per tile")


def test_images_that_are_not_done_are_left_out_unless_wanted(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    assert session.document is not None
    session.do(edits.SetState((session.document.images()[1].id,), State.IN_WORK))
    run_evaluation(qtbot, page, session)
    assert len(evaluate.requests[0].snapshot) == 1
    assert evaluate.requests[0].split is Split.VALIDATION
    done_only = page.findChild(QCheckBox, "inspect-done-only")
    assert isinstance(done_only, QCheckBox)
    done_only.setChecked(False)
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: len(evaluate.requests) == 2)
    assert len(evaluate.requests[1].snapshot) == 2


def test_the_run_that_is_asked_for_is_chosen_before_and_after_it_is_listed(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    make_run(session, "first")
    make_run(session, "second")
    run = page.findChild(QComboBox, "inspect-run")
    assert isinstance(run, QComboBox)
    session.run_requested.emit("first")
    page.shown()
    qtbot.waitUntil(lambda: run.count() == 2 and run.currentText().startswith("first"))
    session.run_requested.emit("second")
    assert run.currentText().startswith("second")


def test_candidates_that_are_kept_are_shown_without_asking(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    keep_candidates(make_run(session), 2)
    page.shown()
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")


def test_a_look_that_was_stopped_is_not_begun_again_without_asking(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """What it had found was kept: as soon as another run was chosen and that one again, it went on by itself."""
    keep_candidates(make_run(session), 1)  # of two images
    page.shown()
    picture = page.findChild(InspectPicture, "inspect-picture")
    assert isinstance(picture, InspectPicture)
    qtbot.waitUntil(lambda: picture.sentence.startswith("Press Look"))
    assert evaluate.requests == []


def test_a_look_with_weights_of_which_nothing_is_kept_is_not_begun_without_asking(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: FakeEvaluator
) -> None:
    """What was kept of the best weights began a look with the last ones, which may take hours."""
    keep_candidates(make_run(session), 2)
    page.shown()
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")
    checkpoint, picture = find(page, QComboBox, "inspect-checkpoint"), find(page, InspectPicture, "inspect-picture")
    checkpoint.setCurrentIndex(1)
    qtbot.waitUntil(lambda: picture.sentence.startswith("Press Look"))
    assert [request.checkpoint.stem for request in evaluate.requests] == ["best"]
    checkpoint.setCurrentIndex(0)
    qtbot.waitUntil(lambda: text(page, "inspect-ap50") != "–")


def test_an_edit_makes_the_comparison_stale(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    run_evaluation(qtbot, page, session)
    session.do(edits.AddLabels((Label(0, "another"),)))
    assert "Labels have changed since" in text(page, "inspect-words")
    session.select_image(session.document.images()[1].id if session.document else 0)
    assert "Labels have changed since" in text(page, "inspect-words")


def test_weights_that_the_training_has_saved_since_make_it_stale_and_keep_no_point_for_them(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    folder = session.document.runs_folder / "first"
    (folder / "best.safetensors").write_bytes(b"better weights")
    press(qtbot, page, "inspect-keep")  # before the page is told
    assert not (folder / "operating_point.json").exists()
    assert "The weights have changed since" in text(page, "inspect-words")
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: text(page, "inspect-words") == "2 images, 2 labelled boxes.")
    (folder / "best.safetensors").write_bytes(b"the best weights")
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: "The weights have changed since" in text(page, "inspect-words"))


def test_weights_stay_new_when_a_look_at_them_is_stopped(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    """What is shown is of those before: its point was kept, and nothing was said."""
    run_evaluation(qtbot, page, session)
    assert session.document is not None
    folder = session.document.runs_folder / "first"
    (folder / "best.safetensors").write_bytes(b"better weights")
    page.evaluate()
    page._stop_evaluation()
    qtbot.waitUntil(lambda: not session.jobs)
    session.select_image(session.document.images()[1].id)
    assert "The weights have changed since" in text(page, "inspect-words")
    press(qtbot, page, "inspect-keep")
    assert not (folder / "operating_point.json").exists()


def test_what_is_said_of_the_networks_labels_makes_the_comparison_stale(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    session.do(edits.ChangeSetting("another", {}))
    assert "Labels have changed since" not in text(page, "inspect-words")
    session.do(edits.ChangeSetting(SAID, {"person": 1}))
    assert "Labels have changed since" in text(page, "inspect-words")


def test_every_control_of_the_filled_page_has_a_name_and_is_reached_by_tab(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    run_evaluation(qtbot, page, session)
    for tab in range(page.findChild(QTabWidget, "inspect-tabs").count()):
        page.findChild(QTabWidget, "inspect-tabs").setCurrentIndex(tab)
        assert len(controls(page)) > 15
        assert nameless(page) == []
        assert unreachable(page) == []


def test_counting_the_images_of_each_split_makes_none_of_them(
    qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 20,000 images the page stood still for a third of a second each time that it was shown."""
    monkeypatch.setattr(ImageTable, "__iter__", lambda _: pytest.fail("images were made"))
    choice = RunPicker()
    qtbot.addWidget(choice)
    assert session.document is not None
    choice.list_splits(session.document.images())
    combo = choice.findChild(QComboBox, "inspect-split")
    assert [combo.itemText(row) for row in range(combo.count())] == ["validation (2)", "all images (2)", "held out"]


def test_a_finished_run_is_chosen_before_one_that_is_being_trained(qtbot: QtBot, tmp_path: Path) -> None:
    def run(name: str, state: str) -> RunInfo:
        return RunInfo(name, tmp_path / name, "yolov4-tiny", "small-data", state, 1.0, 5, 10, 50, 0.5, 0.7)

    choice = RunPicker()
    qtbot.addWidget(choice)
    choice.list_runs((run("second", "running"), run("first", "stopped")))
    assert choice.run.name == "first"
    choice.choose_run("second")
    choice.list_runs((run("second", "paused"), run("first", "stopped")))
    assert choice.run.name == "second"
    choice.clear()
    choice.list_runs((run("second", "running"),))
    assert choice.run.name == "second", "there is no other"
