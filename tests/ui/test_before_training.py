"""Below the form of the Train page, before a training starts: what is odd, what it costs, what was changed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.training.test_estimate import MEASURED, made
from tests.ui.test_starting_weights import choose
from tests.ui.test_train_page import FakeTraining, button, label_all, press, ready, session, shown_page, text
from workbench.core import edits
from workbench.core.child import Ended
from workbench.core.project import State
from workbench.errors import WorkbenchError
from workbench.training import recipes
from workbench.training.estimate import Estimate
from workbench.training.findings import INFO, STOPS, WARNING, Finding
from workbench.ui import theme
from workbench.ui.session import Session
from workbench.ui.train import before, before_work, page
from workbench.ui.train.before import HINT
from workbench.ui.train.before_work import Plan
from workbench.ui.train.page import TrainPage

__all__ = ["session"]  # the fixture
SMALL = Finding(WARNING, "small", "2 boxes are too small.", "Choose a larger side.", 2, (1, 3))
NOTE = Finding(INFO, "class ids", "The file has another order.")
HOPELESS = Finding(STOPS, "learning rate", "Nothing would be learnt.", "Choose another.")


class Fakes:
    """What looks at the training and what measures it, as the page calls them."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.findings: tuple[Finding, ...] = ()
        self.looks = threading.Event()  # unset: whoever looks takes long
        self.looks.set()
        self.estimate: Estimate | None = made(replace(MEASURED))
        self.held = threading.Event()  # set: the estimate goes on until it is stopped
        self.error: WorkbenchError | None = None

    def look(self, plan: Plan) -> tuple[Finding, ...]:
        found = self.findings
        self.plans.append(plan)
        self.looks.wait(10)
        return found

    def measure(self, plan: Plan, stopped: Callable[[], bool]) -> Estimate | None:
        if self.error is not None:
            raise self.error
        while self.held.is_set() and not stopped():
            threading.Event().wait(0.005)
        return None if stopped() else self.estimate


@pytest.fixture
def fakes() -> Fakes:
    return Fakes()


@pytest.fixture
def shown(qtbot: QtBot, session: Session, fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainPage]:
    """The page with a project that can be trained on."""

    def with_fakes(session: Session, setup: Any) -> before.Before:
        return before.Before(session, setup, look=fakes.look, measure=fakes.measure)

    monkeypatch.setattr(page, "Before", with_fakes)
    monkeypatch.setattr(before, "PATIENCE", 10)
    label_all(session)
    for one in shown_page(qtbot, TrainPage(session, train=FakeTraining()), session):
        ready(qtbot, one)
        yield one


def tool(page: QWidget, name: str) -> QToolButton:
    found = page.findChild(QToolButton, name)
    assert isinstance(found, QToolButton), name
    return found


def typed(page: QWidget, name: str, words: str) -> None:
    line = page.findChild(QLineEdit, f"train-form-{name}")
    assert isinstance(line, QLineEdit), name
    line.setText(words)


def told(qtbot: QtBot, page: QWidget, fakes: Fakes, *findings: Finding) -> None:
    """Change a setting so that these are found."""
    fakes.findings = findings
    typed(page, "epochs", str(len(fakes.plans) + 50))
    checks = page.findChild(QWidget, "train-checks")
    assert checks is not None
    qtbot.waitUntil(lambda: checks.found == findings)


# --- what is odd ---


def test_the_training_that_stands_in_the_form_is_looked_at(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    qtbot.waitUntil(lambda: bool(fakes.plans))
    assert not shown.findChild(QWidget, "train-checks").isVisible()
    typed(shown, "batch", "3")
    qtbot.waitUntil(lambda: fakes.plans[-1].recipe.training.batch == 3)
    seen = len(fakes.plans)
    typed(shown, "batch", "three")
    typed(shown, "batch", "4")
    qtbot.waitUntil(lambda: fakes.plans[-1].recipe.training.batch == 4)
    assert len(fakes.plans) == seen + 1  # what is not valid is not looked at


def test_what_was_found_of_other_settings_than_now_is_not_shown(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    qtbot.waitUntil(lambda: bool(fakes.plans))
    fakes.findings = (HOPELESS,)
    fakes.looks.clear()
    typed(shown, "batch", "3")
    qtbot.waitUntil(lambda: fakes.plans[-1].recipe.training.batch == 3)
    typed(shown, "batch", "many")
    fakes.looks.set()
    before_it = shown.findChild(before.Before)
    qtbot.waitUntil(before_it._looking.is_idle)
    assert before_it.checks.found == ()
    assert shown._setup.hopeless == ""


def test_findings_are_counted_and_listed_and_what_stops_is_named_first(
    qtbot: QtBot, shown: TrainPage, fakes: Fakes
) -> None:
    told(qtbot, shown, fakes, SMALL, SMALL, NOTE)
    assert tool(shown, "train-checks-head").text() == "2 warnings, 1 note"
    assert text(shown, "train-check-0") == "2 boxes are too small. Choose a larger side."
    assert shown.findChild(QToolButton, "train-check-2-images") is None  # it is about no images
    told(qtbot, shown, fakes, HOPELESS, SMALL)
    assert tool(shown, "train-checks-head").text() == "Nothing can be learnt, 1 warning"
    area = shown.findChild(QWidget, "train-checks-list")
    tool(shown, "train-checks-head").click()
    assert area.isHidden()
    tool(shown, "train-checks-head").click()
    assert not area.isHidden()


def test_the_images_of_a_finding_are_shown_on_the_data_page(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    told(qtbot, shown, fakes, replace(SMALL, images=(3, 1, 99)))
    asked: list[object] = []
    session.page_asked.connect(asked.append)
    session.marked_asked.connect(lambda ids, why, _boxes: asked.append((ids, why)))
    tool(shown, "train-check-0-images").click()
    assert asked == ["data", (frozenset({1, 3}), "that the Train page names: 2 boxes are too small.")]
    assert session.image_id == 3


def test_images_that_their_state_leaves_out_are_marked_done_by_one_button_and_one_undo(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    document = session.document
    assert document is not None
    ids = [image.id for image in document.images()][:3]
    session.do(edits.SetState(tuple(ids), State.IN_WORK))
    session.do(edits.SetState((ids[2],), State.VERIFIED))
    button = shown.findChild(QPushButton, "train-mark-done")
    assert isinstance(button, QPushButton)
    assert button.isHidden()
    told(qtbot, shown, fakes, Finding(WARNING, "state", "3 images are left out.", images=(*ids, 99)))
    assert not button.isHidden()
    assert button.text() == "Mark 2 images with boxes as done"
    button.click()
    assert [document.image(id).state for id in ids] == [State.DONE, State.DONE, State.VERIFIED]
    assert button.isHidden()
    session.undo()
    assert [document.image(id).state for id in ids] == [State.IN_WORK, State.IN_WORK, State.VERIFIED]


def test_images_that_are_gone_are_said_to_be(qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes) -> None:
    told(qtbot, shown, fakes, replace(SMALL, images=(98, 99)))
    with qtbot.waitSignal(session.message) as said:
        tool(shown, "train-check-0-images").click()
    assert said.args == ["info", "These images are not in the project any more."]


def test_where_nothing_can_be_learnt_nothing_starts_and_it_is_said_why(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    told(qtbot, shown, fakes, HOPELESS)
    with qtbot.waitSignal(session.message) as said:
        press(qtbot, shown, "train-start")
    assert said.args == ["info", "Nothing would be learnt. Choose another."]
    assert not session.jobs
    fakes.findings = ()
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    qtbot.waitUntil(lambda: bool(session.jobs))


def test_a_start_waits_for_the_look_at_what_it_starts(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    fakes.looks.clear()
    fakes.findings = (HOPELESS,)
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    press(qtbot, shown, "train-start")  # once is enough
    assert button(shown, "train-start").text() == "Looking at it first …"
    qtbot.waitUntil(lambda: bool(fakes.plans) and fakes.plans[-1].recipe.training.epochs == 77)
    assert not session.jobs
    fakes.findings = ()
    typed(shown, "epochs", "78")  # meanwhile: it is this that is to start
    fakes.looks.set()
    qtbot.waitUntil(lambda: len(session.jobs) == 1)
    assert fakes.plans[-1].recipe.training.epochs == 78
    assert button(shown, "train-start").text() == "Start training"


def test_a_start_that_waits_is_given_up_where_a_value_becomes_invalid(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    fakes.looks.clear()
    typed(shown, "epochs", "77")
    press(qtbot, shown, "train-start")
    typed(shown, "epochs", "many")
    assert button(shown, "train-start").text() == "Start training"
    fakes.looks.set()
    typed(shown, "epochs", "78")
    qtbot.waitUntil(lambda: fakes.plans[-1].recipe.training.epochs == 78)
    qtbot.waitUntil(shown.findChild(before.Before)._looking.is_idle)
    assert not session.jobs


def test_marks_follow_the_theme(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    told(qtbot, shown, fakes, SMALL)
    theme.apply("light")  # whatever an earlier test left
    mark = shown.findChild(QLabel, "train-check-0-mark")
    light = mark.pixmap().toImage()
    theme.apply("dark")
    dark = mark.pixmap().toImage()
    theme.apply("light")
    assert light != dark


def test_the_real_look_reads_the_project(shown: TrainPage, session: Session) -> None:
    """Three images without a validation split, and three boxes of one label."""
    assert session.document is not None
    recipe = recipes.preset("quick-cpu")
    found = before_work.found(Plan(session.document.folder, recipe, None, 0))
    assert {"split", "rare label", "steps"} <= {one.kind for one in found}


# --- what it costs ---


def test_an_estimate_is_shown_until_something_is_changed(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    assert text(shown, "train-cost") == HINT
    press(qtbot, shown, "train-estimate")
    assert fakes.estimate is not None
    qtbot.waitUntil(lambda: text(shown, "train-cost") == fakes.estimate.words)  # type: ignore[union-attr]
    assert "made of noise" in shown.findChild(QLabel, "train-cost").toolTip()
    typed(shown, "batch", "3")
    assert text(shown, "train-cost") == HINT


def test_an_estimate_is_not_shown_of_what_was_changed_before_its_job_had_ended(
    qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes
) -> None:
    press(qtbot, shown, "train-estimate")
    (job,) = (job for job in session.jobs if job.title == "Estimating the training")
    job.reported.connect(lambda _: typed(shown, "batch", "3"))
    qtbot.waitUntil(lambda: not session.jobs)
    assert text(shown, "train-cost") == HINT


def test_an_estimate_can_be_stopped(qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes) -> None:
    fakes.held.set()
    press(qtbot, shown, "train-estimate")
    assert button(shown, "train-estimate").text() == "Stop"
    assert text(shown, "train-cost") == "Trying a few steps …"
    press(qtbot, shown, "train-estimate")
    qtbot.waitUntil(lambda: not session.jobs)
    assert (button(shown, "train-estimate").text(), text(shown, "train-cost")) == ("Estimate", HINT)


def test_an_estimate_of_other_settings_than_now_is_not_shown(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    fakes.held.set()
    press(qtbot, shown, "train-estimate")
    typed(shown, "batch", "3")
    fakes.held.clear()
    qtbot.waitUntil(lambda: text(shown, "train-cost") == "The settings were changed meanwhile.")


def test_a_training_has_the_machine_for_itself(qtbot: QtBot, shown: TrainPage, session: Session, fakes: Fakes) -> None:
    fakes.held.set()
    press(qtbot, shown, "train-estimate")
    press(qtbot, shown, "train-start")
    qtbot.waitUntil(lambda: [job.ends_itself for job in session.jobs] == [True])
    assert not button(shown, "train-estimate").isEnabled()
    press(qtbot, shown, "train-stop")
    qtbot.waitUntil(lambda: not session.jobs)
    qtbot.waitUntil(button(shown, "train-estimate").isEnabled)


def test_an_estimate_that_fails_says_why(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    fakes.error = WorkbenchError("There is no device 'cuda' on this machine.")
    press(qtbot, shown, "train-estimate")
    qtbot.waitUntil(lambda: text(shown, "train-cost") == "There is no device 'cuda' on this machine.")


class Mute:
    """A child that ends without a word, as one that the system ends for its memory."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def tell(self, _: object) -> None:
        pass

    def hear(self) -> object:
        raise Ended

    def close(self) -> None:
        pass


def test_a_child_that_is_ended_by_the_system_is_told_as_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before_work, "Child", Mute)
    plan = Plan(Path("project"), recipes.preset("quick-cpu"), None, 0)
    with pytest.raises(WorkbenchError, match="too little memory"):
        before_work.estimated(plan, lambda: False)
    assert before_work.estimated(plan, lambda: True) is None


def test_what_the_child_refuses_is_refused_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before_work, "Child", Mute)
    monkeypatch.setattr(Mute, "hear", lambda self: {"error": "There is no device 'cuda:99'.", "cause": "x"})
    with pytest.raises(WorkbenchError, match="There is no device 'cuda:99'"):
        before_work.estimated(Plan(Path("project"), recipes.preset("quick-cpu"), None, 0), lambda: False)


@pytest.mark.slow
def test_a_child_measures(session: Session) -> None:
    label_all(session)
    assert session.document is not None
    recipe = recipes.preset("quick-cpu").changed({"input_px": 64, "width": 0.05, "precision": "fp32", "device": "cpu"})
    found = before_work.estimated(Plan(session.document.folder, recipe, None, 0), lambda: False)
    assert isinstance(found, Estimate)
    assert (found.images, found.px, found.batch) == (3, 64, 8)


# --- what was changed ---


def test_changes_are_counted_listed_and_put_back(shown: TrainPage) -> None:
    head = tool(shown, "train-changes-head")
    assert text(shown, "train-changes-none") == "As in “Quick, on a processor”"
    assert head.isHidden()
    assert tool(shown, "train-changes-all").isHidden()
    typed(shown, "batch", "4")
    assert head.text() == "1 differs from “Quick, on a processor”"
    typed(shown, "mini_batch", "2")
    assert head.text() == "2 differ from “Quick, on a processor”"
    assert head.toolTip().startswith("2 settings differ from “Quick, on a processor”")
    head.click()
    assert text(shown, "train-change-batch") == "Batch: 8 → 4"
    assert text(shown, "train-change-mini_batch") == "Mini batch: auto → 2"
    tool(shown, "train-back-mini_batch").click()
    assert shown._setup.form.text("mini_batch") == "auto"
    combo(shown, "train-form-resize").setCurrentText("letterbox")
    assert head.text().startswith("2 differ")
    tool(shown, "train-back-resize").click()
    assert combo(shown, "train-form-resize").currentText() == "auto"
    assert head.text() == "1 differs from “Quick, on a processor”"
    typed(shown, "batch", "many")  # not valid: what is known stays
    assert head.text() == "1 differs from “Quick, on a processor”"
    tool(shown, "train-changes-all").click()
    assert shown._setup.form.text("batch") == "8"
    assert head.isHidden()
    assert not shown.findChild(QLabel, "train-changes-none").isHidden()


def test_a_recipe_for_every_detector_keeps_it_and_says_what_is_other_for_it(shown: TrainPage) -> None:
    choose(combo(shown, "train-detector"), "ssd512")
    choose(combo(shown, "train-preset"), "fine-tune")
    assert combo(shown, "train-detector").currentData() == "ssd512"
    assert text(shown, "train-changes-none") == "As in “Fine-tune”"
    choose(combo(shown, "train-preset"), "quick-cpu")
    about = text(shown, "train-about")
    assert about.endswith("which was made for YOLOv4-tiny, here with input px 512, width 0.25.")


def combo(page: QWidget, name: str) -> QComboBox:
    found = page.findChild(QComboBox, name)
    assert isinstance(found, QComboBox), name
    return found


def test_every_button_has_a_name_to_be_read_out(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    told(qtbot, shown, fakes, SMALL)
    for name in ("train-check-0-images", "train-changes-all"):
        assert tool(shown, name).accessibleName()
        assert tool(shown, name).toolTip()
    assert isinstance(shown.findChild(QPushButton, "train-estimate"), QPushButton)
    assert button(shown, "train-estimate").toolTip()
    assert button(shown, "train-estimate").focusPolicy() & Qt.FocusPolicy.TabFocus
