"""The left side of the Train page: what recipes and detectors promise, what a training begins from, refused starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from PySide6.QtWidgets import QComboBox, QFileDialog, QLabel, QPushButton, QTabWidget, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.test_accessible import controls, nameless, unreachable
from tests.ui.train.form.test_starting_weights import choose, entries
from tests.ui.train.preflight.preflight_driver import typed
from tests.ui.train.train_page_driver import label_all, press, ready, session, text
from tests.ui.window_driver import find, shown_page
from workbench import settings
from workbench.core import edits
from workbench.core.project import AnchorSet
from workbench.training import recipes
from workbench.training.checkpoints.checkpoint import CheckpointHeader, save_detector
from workbench.training.recipes import Recipe
from workbench.training.records.runs import RunInfo
from workbench.training.settings import TrainingSettings
from workbench.ui.session import Session
from workbench.ui.train.form import recipe_about
from workbench.ui.train.form.fetch_window import FetchWindow
from workbench.ui.train.form.form_order import FIRST_GROUP, rows_of
from workbench.ui.train.form.setup_panel import SetupPanel
from workbench.ui.train.form.start_from import FRESH, OTHER, PUBLISHED, StartFrom
from workbench.ui.train.page import TrainPage
from workbench.ui.train.work import PublishedWeights

__all__ = ["session"]  # the fixture


@pytest.fixture
def page(qtbot: QtBot, session: Session) -> Iterator[TrainPage]:
    label_all(session)
    for page in shown_page(qtbot, TrainPage(session), session):
        ready(qtbot, page)
        yield page


def combo(page: QWidget, name: str) -> QComboBox:
    found = page.findChild(QComboBox, name)
    assert isinstance(found, QComboBox), name
    return found


def test_a_recipe_promises_nothing_of_a_detector_that_it_was_not_made_for(page: TrainPage) -> None:
    choose(combo(page, "train-preset"), "quick-cpu")
    assert "five minutes" in text(page, "train-about")
    choose(combo(page, "train-detector"), "faster-rcnn")
    said = "The training of “Quick, on a processor”, which was made for YOLOv4-tiny, here with width 0.25."
    assert text(page, "train-about") == said
    assert "Two stages" in text(page, "train-detector-about")


def test_what_the_recipe_is_stands_there_where_there_is_room_or_a_person_wants_it(qtbot: QtBot) -> None:
    setup = SetupPanel()
    qtbot.addWidget(setup)
    setup.about.say("For few images.", "Small and fast.")
    head = setup.findChild(QToolButton, "train-about-head")
    words = [setup.findChild(QLabel, f"train-{name}") for name in ("about", "detector-about", "size")]
    setup.show()

    def seen(height: int) -> bool:
        setup.resize(320, height)
        assert len({word.isVisible() for word in words}) == 1
        return words[0].isVisible()

    assert seen(recipe_about.HIGH)
    assert not seen(recipe_about.HIGH - 1)
    assert head.toolTip() == "For few images.\nSmall and fast."
    head.click()
    assert seen(recipe_about.HIGH - 2)
    assert "Small" not in head.toolTip()
    head.click()
    assert not seen(recipe_about.HIGH)


def test_a_recipe_for_every_detector_leaves_the_chosen_one(page: TrainPage) -> None:
    choose(combo(page, "train-detector"), "fcos")
    choose(combo(page, "train-preset"), "published")
    assert combo(page, "train-detector").currentData() == "fcos"
    choose(combo(page, "train-preset"), "yolov4-paper")
    assert combo(page, "train-detector").currentData() == "yolov4"


def test_published_weights_are_taken_whole_or_the_width_is_set_so(page: TrainPage, tmp_path: Path) -> None:
    choose(combo(page, "train-preset"), "quick-cpu")
    choose(combo(page, "train-detector"), "ssd300")
    said: list[str] = []
    page.session.message.connect(lambda _kind, sentence: said.append(sentence))
    start = page.findChild(StartFrom, "train-start-from")
    assert isinstance(start, StartFrom)
    file = tmp_path / "there.pth"
    file.touch()
    start.offer(PublishedWeights("ssd300", "https://example.org/a.pth", 1.0, "somebody", "BSD", file), "ssd300")
    assert page._setup.form.text("width") == "0.25"
    choose(start, PUBLISHED)
    assert page._setup.form.values()["width"] == 1.0
    assert said == ["The published weights are of the whole network, so its width was set to 1."]
    choose(start, FRESH)
    page._setup.form.set_values({"width": 0.5})
    choose(start, FRESH)
    assert page._setup.form.values()["width"] == 0.5


def test_published_weights_can_be_chosen_before_they_are_fetched(page: TrainPage, tmp_path: Path) -> None:
    choose(combo(page, "train-detector"), "ssd300")
    start, before = page._setup.start_from, text(page, "train-data")
    weights = PublishedWeights("ssd300", "https://example.org/a.pth", 1.0, "somebody", "BSD", tmp_path / "none.pth")
    start.offer(weights, "ssd300")
    choose(start, PUBLISHED)  # an error in a slot fails the test
    assert text(page, "train-data") == before
    estimate = find(page, QPushButton, "train-estimate")
    assert not estimate.isEnabled()
    find(page, FetchWindow, "fetch-window").reject()
    assert start.currentData() == FRESH
    assert estimate.isEnabled()


def info(folder: Path, detector: str, best: bool = True) -> RunInfo:
    folder.mkdir()
    if best:
        (folder / "best.safetensors").touch()
    return RunInfo(folder.name, folder, detector, "", "finished", 0.0, 1, 1, 1, 0.5, 0.5)


def test_runs_of_the_same_detector_can_be_begun_from(qtbot: QtBot, tmp_path: Path) -> None:
    start = StartFrom()
    qtbot.addWidget(start)
    start.offer(None, "yolov3")
    runs = [("yolov3-1", "yolov3", True), ("ssd300-1", "ssd300", True), ("yolov3-2", "yolov3", False)]
    start.set_runs([info(tmp_path / name, detector, best) for name, detector, best in runs])
    assert entries(start) == ["Fresh weights", "Run yolov3-1", "A file…"]
    file = tmp_path / "yolov3-1" / "best.safetensors"
    choose(start, file)
    assert start.file == file
    start.set_runs(())  # as after another project was opened
    assert (entries(start), start.file) == (["Fresh weights", "A file…"], None)


def test_a_run_to_start_from_that_has_gone_is_told(page: TrainPage, tmp_path: Path) -> None:
    """Fresh weights were chosen instead without a word, and the line above Start was still about the run."""
    setup, said, changes = page._setup, list[str](), list[bool]()
    page.session.message.connect(lambda _kind, sentence: said.append(sentence))
    assert setup.choice is not None
    run = info(tmp_path / "first", setup.choice.name)
    setup.offer_runs([run])
    assert run.best is not None
    choose(setup.start_from, run.best)
    setup.changed.connect(lambda: changes.append(True))
    setup.offer_runs([run])
    assert (said, changes) == ([], [])
    setup.offer_runs(())
    assert said == ["Run first is gone, so the training in the form starts from fresh weights."]
    assert changes == [True]
    assert setup.start_from.currentData() == FRESH


def test_who_gives_up_choosing_a_file_does_not_begin_from_a_run_that_was_not_chosen_any_more(
    qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came back, though fresh weights had been shown since another detector was chosen."""
    start, run = StartFrom(), info(tmp_path / "first", "yolov3")
    qtbot.addWidget(start)
    start.offer(None, "yolov3")
    start.set_runs([run])
    assert run.best is not None
    choose(start, run.best)
    start.offer(None, "ssd300")
    start.offer(None, "yolov3")
    assert start.currentData() == FRESH
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    choose(start, OTHER)
    assert (start.file, start.currentData()) == (None, FRESH)


def test_a_checkpoint_of_another_project_is_named_with_its_run(qtbot: QtBot, tmp_path: Path) -> None:
    """Each run has a best.safetensors: that alone told nothing."""
    start = StartFrom()
    qtbot.addWidget(start)
    start.begin_from(tmp_path / "other project" / "runs" / "yolov3-7" / "best.safetensors")
    assert start.currentText() == "yolov3-7/best.safetensors"


def test_the_line_above_start_follows_the_detector_and_its_input_side(page: TrainPage, session: Session) -> None:
    nine = AnchorSet(tuple((8.0 * n, 8.0 * n) for n in range(1, 10)), 416)
    choose(combo(page, "train-detector"), "yolov4-tiny")
    session.do(edits.ChangeSetting("anchors", nine.to_setting()))
    page._setup.form.set_values({"input_px": 416})
    page._setup.changed.emit()
    dealt = "YOLOv4-tiny was published with 6 anchors, and uses these 9 instead."
    assert text(page, "train-data").endswith(f"Anchors: the project's 9, made for 416 px. {dealt}")
    page._setup.form.set_values({"input_px": 320})
    page._setup.changed.emit()
    assert text(page, "train-data").endswith(f"made for 416 px, scaled to 320. {dealt}")
    choose(combo(page, "train-detector"), "yolov3")
    other = "YOLOv3 learns from letterboxed images, but these sizes are from stretched ones: choose letterbox"
    assert f"made for 416 px, scaled to 320. {other}" in text(page, "train-data")
    session.do(edits.ChangeSetting("anchors", dataclasses.replace(nine, resize="letterbox").to_setting()))
    assert text(page, "train-data").endswith("made for 416 px, scaled to 320.")
    choose(combo(page, "train-detector"), "ssd300")
    assert "Anchors" not in text(page, "train-data")


def test_the_line_above_start_says_the_rate_at_which_a_run_is_gone_on_from(
    page: TrainPage, session: Session, tmp_path: Path
) -> None:
    import torch

    recipe, document = page._setup.recipe(), session.document
    assert recipe is not None
    assert document is not None
    header = CheckpointHeader(
        recipe.detector, {"width": recipe.detector_settings.width}, tuple(document.labels()), (), 320, "stretch"
    )
    file = tmp_path / "best.safetensors"
    save_detector(file, {"weight": torch.zeros(1)}, header)
    assert "It goes on" not in text(page, "train-data")
    page._setup.start_from.begin_from(file)
    page._setup.start_from.activated.emit(0)
    rate = f"{recipe.training.learning_rate * 0.3:.3g}"
    assert text(page, "train-data").endswith(f" It goes on from a run: learning rate {rate} (Going on rate).")
    choose(page._setup.start_from, FRESH)
    assert "It goes on" not in text(page, "train-data")


def test_a_change_makes_the_recipe_once_for_its_changes_once_for_the_checks_and_once_for_the_line_above_start(
    page: TrainPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All 75 values are checked for each: six took 7 ms at every keystroke."""
    made: list[object] = []

    def changed(recipe: Recipe, values: Mapping[str, object]) -> Recipe:
        made.append(values)
        return real(recipe, values)

    real = Recipe.changed
    page._setup.settled = True
    monkeypatch.setattr(Recipe, "changed", changed)
    typed(page, "seed", "7")
    assert len(made) == 3


def test_a_start_that_is_refused_leaves_no_run_but_its_sentence(
    qtbot: QtBot, page: TrainPage, session: Session
) -> None:
    choose(combo(page, "train-detector"), "darknet-cfg")
    said: list[str] = []
    session.message.connect(lambda _kind, sentence: said.append(sentence))
    press(qtbot, page, "train-start")
    qtbot.waitUntil(lambda: bool(said), timeout=30_000)
    assert said[0].startswith("Choose the .cfg file")
    qtbot.waitUntil(lambda: text(page, "train-data") == said[0])
    assert session.document is not None
    folder = session.document.runs_folder
    assert not folder.is_dir() or list(folder.iterdir()) == []


def test_the_size_line_says_what_is_wrong_with_a_cfg_and_counts_a_good_one(
    qtbot: QtBot, page: TrainPage, test_data: Path
) -> None:
    choose(combo(page, "train-detector"), "darknet-cfg")
    size = page.findChild(QLabel, "train-size")
    assert isinstance(size, QLabel)
    assert not {"input_px", "width"} & set(page._setup.form.names())  # the cfg's
    for cfg, words in (
        ("/no/such.cfg", "could not be read"),
        (str(test_data / "weights" / "yolo-fastest-1.1.cfg"), "thousand weights"),
    ):
        page._setup.form.set_values({"cfg": cfg})
        page._setup.changed.emit()
        qtbot.waitUntil(lambda words=words: words in size.text(), timeout=30_000)  # type: ignore[misc]


def test_every_control_of_the_filled_page_has_a_name_and_is_reached_by_tab(page: TrainPage) -> None:
    for tab in range(page.findChild(QTabWidget, "train-tabs").count()):
        page.findChild(QTabWidget, "train-tabs").setCurrentIndex(tab)
        assert len(controls(page)) > 25
        assert nameless(page) == []
        assert unreachable(page) == []


def test_tab_leads_from_the_name_of_the_run_into_the_form_and_on_to_the_start(page: TrainPage) -> None:
    setup = page._setup
    chain: list[QWidget] = [setup.run_name]
    while chain[-1] is not setup.buttons.start:
        chain.append(chain[-1].nextInFocusChain())
        assert len(chain) < 500
    names = [widget.objectName() for widget in chain]
    assert names.index("train-form-epochs") < names.index("train-form-input_px") < names.index("train-estimate")


@pytest.mark.parametrize("detector", ["yolov1", "yolov4-csp", "ssd300", "faster-rcnn"])
def test_what_is_changed_most_stands_first_in_the_form_and_nothing_is_lost(detector: str) -> None:
    recipe = recipes.default_recipe(detector)
    rows = rows_of(recipe)
    for row, name in zip(rows, ("epochs", "batch", "input_px", "learning_rate"), strict=False):
        assert (row.name, row.group) == (name, FIRST_GROUP)
    known = [*settings.rows(type(recipe.detector_settings)), *settings.rows(TrainingSettings)]
    assert sorted(row.name for row in rows) == sorted(row.name for row in known)
