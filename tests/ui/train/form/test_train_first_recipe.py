"""Which recipe stands in the form of the Train page before a person has chosen one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QComboBox, QLineEdit
from pytestqt.qtbot import QtBot
from pytestqt.wait_signal import SignalBlocker

from tests.training.records.test_runs import STARTED, leave
from tests.ui.train.form.test_starting_weights import choose
from tests.ui.train.preflight.preflight_driver import combo, typed
from tests.ui.train.runs.run_list_driver import ENDED
from tests.ui.train.train_page_driver import FakeTraining, label_all, ready, session
from tests.ui.window_driver import find, shown_page
from workbench.core import edits
from workbench.core.document import Document
from workbench.core.project import FIRST_RECIPE, State
from workbench.training import recipes
from workbench.training.records import record, runs
from workbench.training.request import RunRequest
from workbench.ui.job import Job
from workbench.ui.session import Session
from workbench.ui.train.form import first_recipe
from workbench.ui.train.form.start_from import FRESH
from workbench.ui.train.page import TrainPage
from workbench.ui.train.runs.run_actions import RunActions

__all__ = ["session"]  # a fixture

STARTED_TINY = replace(STARTED, detector=recipes.preset("quick-cpu").detector)
NAMES = ("quick-cpu", "small-data", "fine-tune")


@pytest.fixture
def page(qtbot: QtBot, session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainPage]:
    """Of a project with 3 done images, which are no longer few."""
    monkeypatch.setattr(first_recipe, "FEW_IMAGES", 3)
    label_all(session)
    yield from shown_page(qtbot, TrainPage(session, train=FakeTraining()), session)


def recipe(page: TrainPage) -> str:
    return str(combo(page, "train-preset").currentData())


def listed(qtbot: QtBot, page: TrainPage) -> SignalBlocker:
    """Waits until the runs of the project are known."""
    return qtbot.waitSignal(find(page, RunActions, "").listed)


def set_done(session: Session, number: int) -> None:
    assert session.document is not None
    ids = [image.id for image in session.document.images()]
    for state, some in ((State.DONE, ids[:number]), (State.IN_WORK, ids[number:])):
        session.do(edits.SetState(tuple(some), state))


def run(folder: Path, recipe: str) -> runs.RunInfo:
    leave(folder, STARTED, ENDED)
    (folder / runs.RECIPE).write_text(f'name = "{recipe}"\n')
    return runs.info(folder)


def test_few_images_are_fewer_than_two_hundred_and_a_run_counts_for_more(tmp_path: Path) -> None:
    past = [run(tmp_path / name, name) for name in ("my own", "fine-tune", "quick-cpu")]
    fitting = first_recipe.suggested_recipe
    assert [fitting(images, (), NAMES) for images in (0, 199, 200)] == ["small-data", "small-data", "quick-cpu"]
    assert fitting(10, past, NAMES) == "fine-tune"  # the newest that there is a recipe of
    assert fitting(10, past[:1], NAMES) == "small-data"


def test_the_recipe_follows_the_images_until_a_person_chose_something(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    with listed(qtbot, page):
        ready(qtbot, page)
    assert recipe(page) == "quick-cpu"
    set_done(session, 2)
    assert recipe(page) == "small-data"
    set_done(session, 3)
    assert recipe(page) == "quick-cpu"
    qtbot.waitUntil(lambda: len(page.findChildren(QLineEdit, "train-form-epochs")) == 1)  # earlier forms are gone
    typed(page, "epochs", "7")
    set_done(session, 2)
    assert (recipe(page), page._setup.form.text("epochs")) == ("quick-cpu", "7")


def test_a_project_may_name_the_recipe_of_its_first_training(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    session.do(edits.ChangeSetting(FIRST_RECIPE, "demo"))
    with listed(qtbot, page):
        ready(qtbot, page)
    assert recipe(page) == "demo"
    assert session.document is not None
    run(session.document.runs_folder / "first", "fine-tune")
    page.shown()
    qtbot.waitUntil(lambda: recipe(page) == "fine-tune")


def test_each_choice_in_the_form_settles_the_recipe_for_this_project(
    qtbot: QtBot, page: TrainPage, session: Session, tmp_path: Path
) -> None:
    with listed(qtbot, page):
        ready(qtbot, page)
    for name, chosen in (("preset", "fine-tune"), ("detector", "fcos"), ("start-from", FRESH)):
        page._setup.settled = False
        choose(find(page, QComboBox, f"train-{name}"), chosen)
        assert page._setup.settled, name
    assert session.document is not None
    photographs = Path(session.document.images()[0].path).parent
    session.open(Document.create(tmp_path / "another", photographs))
    with listed(qtbot, page):
        label_all(session)
    assert recipe(page) == "quick-cpu"


def test_the_newest_runs_recipe_stands_there_and_then_stays(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    assert session.document is not None
    folder = session.document.runs_folder
    run(folder / "first", "fine-tune")
    with listed(qtbot, page):
        ready(qtbot, page)
    assert recipe(page) == "fine-tune"
    run(folder / "second", "small-data")
    with listed(qtbot, page):
        page.shown()
    set_done(session, 2)
    assert recipe(page) == "fine-tune"


def test_the_newest_runs_settings_stand_there_too(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    assert session.document is not None
    folder = run(session.document.runs_folder / "first", "fine-tune").folder
    recipes.write(recipes.preset("quick-cpu").changed({"epochs": 7, "input_px": 96}), folder / runs.RECIPE)
    with listed(qtbot, page):
        ready(qtbot, page)
    form = page._setup.form
    assert (recipe(page), form.text("epochs"), form.text("input_px"), form.text("batch")) == (
        "quick-cpu",
        "7",
        "96",
        "8",
    )


def test_after_a_cross_validation_the_next_training_is_not_one_of_its_folds(tmp_path: Path) -> None:
    """The form said "Folds 2, Fold 2" after a restart, and the training for use left out half of the images."""
    past = run(tmp_path / "cells-fold-2", "quick-cpu")
    used = recipes.preset("quick-cpu").changed({"folds": 2, "fold": 2, "epochs": 7, "fold_by": "folder"})
    recipes.write(used, past.folder / runs.RECIPE)
    last = first_recipe.last_settings([past], NAMES)
    assert last is not None
    assert last[0] == used.changed({"folds": 0, "fold": 0})
    assert (last[0].training.folds, last[0].training.fold, last[0].training.epochs) == (0, 0, 7)


@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_training_resumed_before_the_form_is_there_settles_nothing(
    qtbot: QtBot, page: TrainPage, session: Session, is_loaded: bool
) -> None:
    assert session.document is not None
    if is_loaded:
        with listed(qtbot, page):
            ready(qtbot, page)
    folder = run(session.document.runs_folder / "first", "quick-cpu").folder
    recipes.write(recipes.preset("quick-cpu").changed({"epochs": 7}), folder / runs.RECIPE)
    session.job_started.emit(Job("Training first", lambda _: iter(()), page, is_training=True))
    with listed(qtbot, page):
        page.shown() if is_loaded else ready(qtbot, page)
    assert (page._setup.form.text("epochs") == "7") is not is_loaded


@pytest.mark.parametrize("there", [True, False])
def test_the_newest_runs_first_weights_stand_there_too_while_they_are_there(
    qtbot: QtBot, page: TrainPage, session: Session, there: bool
) -> None:
    assert session.document is not None
    start = session.document.folder / "of mine.safetensors"
    if there:
        start.write_bytes(b"weights")
    folder = run(session.document.runs_folder / "second", "quick-cpu").folder
    record.write_request(RunRequest(folder, session.document.snapshot(), recipes.preset("quick-cpu"), start=start))
    with listed(qtbot, page):
        ready(qtbot, page)
    assert page._setup.start_from.file == (start if there else None)


def begun_from(session: Session, name: str, start: Path) -> Path:
    """A run of one second later than those of before, not evaluated yet; returns where its best will be."""
    assert session.document is not None
    folder = leave(session.document.runs_folder / name, replace(STARTED_TINY, time=STARTED.time + 1), ENDED)
    request = RunRequest(folder, session.document.snapshot(), recipes.preset("quick-cpu"), start=start)
    record.write_request(request)
    return folder / "best.safetensors"


@pytest.fixture
def first_best(session: Session) -> Path:
    assert session.document is not None
    best = leave(session.document.runs_folder / "first", STARTED_TINY, ENDED) / "best.safetensors"
    best.write_bytes(b"weights")
    return best


def test_after_a_run_that_went_on_from_another_one_the_next_goes_on_from_it(
    qtbot: QtBot, page: TrainPage, session: Session, first_best: Path
) -> None:
    """The form named the first run, and Start training left out what the second had learnt."""
    best = begun_from(session, "second", first_best)
    best.write_bytes(b"weights")
    with listed(qtbot, page):
        ready(qtbot, page)
    assert page._setup.start_from.file == best


def test_a_run_that_is_not_evaluated_yet_is_gone_on_from_once_it_is(
    qtbot: QtBot, page: TrainPage, session: Session, first_best: Path
) -> None:
    best = begun_from(session, "second", first_best)
    with listed(qtbot, page):
        ready(qtbot, page)
    assert page._setup.start_from.file == first_best
    best.write_bytes(b"weights")
    page.shown()
    qtbot.waitUntil(lambda: page._setup.start_from.file == best)


@pytest.mark.parametrize("chosen", ["the same", "another"])
def test_the_form_moves_on_with_train_and_suggest_unless_it_starts_from_something_else(
    qtbot: QtBot, page: TrainPage, session: Session, first_best: Path, chosen: str
) -> None:
    with listed(qtbot, page):
        ready(qtbot, page)
    assert session.document is not None
    choose(find(page, QComboBox, "train-start-from"), first_best if chosen == "the same" else FRESH)
    folder = session.document.runs_folder / "second"
    request = RunRequest(folder, session.document.snapshot(), recipes.preset("quick-cpu"), start=first_best)
    session.training_requested.emit(request)
    best = begun_from(session, "second", first_best)
    best.write_bytes(b"weights")
    page.shown()
    offered = page._setup.start_from
    qtbot.waitUntil(lambda: any(offered.itemData(row) == best for row in range(offered.count())))
    assert page._setup.start_from.file == (best if chosen == "the same" else None)


def test_another_project_has_nothing_of_the_form_of_the_one_before(
    qtbot: QtBot, page: TrainPage, session: Session, tmp_path: Path
) -> None:
    assert session.document is not None
    begun = run(session.document.runs_folder / "first", "quick-cpu").folder
    start = begun / "best.safetensors"
    start.write_bytes(b"weights")
    folder = run(session.document.runs_folder / "second", "quick-cpu").folder
    own = recipes.preset("quick-cpu").changed({"input_px": 96})
    record.write_request(RunRequest(folder, session.document.snapshot(), own, start=start))
    with listed(qtbot, page):
        ready(qtbot, page)
    setup = page._setup
    setup.run_name.setText("mine")
    assert (setup.start_from.file, setup.form.text("input_px")) == (start, "96")
    Document.create(tmp_path / "other", session.document.roots()[1]).close()
    session.open(Document.open(tmp_path / "other"))
    page.shown()
    usual = str(recipes.preset(recipe(page)).detector_settings.input_px)
    assert (setup.start_from.file, setup.form.text("input_px"), setup.run_name.text()) == (None, usual, "")
    assert setup.start_from.findData(start) == -1


def test_a_training_that_starts_leaves_its_recipe_there(qtbot: QtBot, page: TrainPage, session: Session) -> None:
    with listed(qtbot, page):
        ready(qtbot, page)
    page.start()
    set_done(session, 2)
    assert recipe(page) == "quick-cpu"
