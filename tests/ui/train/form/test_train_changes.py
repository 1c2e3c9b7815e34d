"""Below the form of the Train page: what was changed of a recipe, and how it is put back."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.train.form.test_starting_weights import choose
from tests.ui.train.preflight.preflight_driver import SMALL, Fakes, combo, fakes, show_findings, shown, tool, typed
from tests.ui.train.train_page_driver import button, session, text
from workbench.training import recipes
from workbench.ui.session import Session
from workbench.ui.train.page import TrainPage

__all__ = ["fakes", "session", "shown"]  # fixtures


def test_changes_are_counted_listed_and_put_back(shown: TrainPage) -> None:
    head = tool(shown, "train-changes-head")
    assert text(shown, "train-changes-none") == "As in “Few images”"
    assert head.isHidden()
    assert tool(shown, "train-changes-all").isHidden()
    typed(shown, "evaluate_every", "4")
    assert head.text() == "1 setting differs from the recipe"
    typed(shown, "mini_batch", "2")
    assert head.text() == "2 settings differ from the recipe"
    assert head.toolTip().startswith("2 settings differ from “Few images”")
    head.click()
    assert text(shown, "train-change-evaluate_every") == "Evaluate every: 5 → 4"
    assert text(shown, "train-change-mini_batch") == "Mini batch: auto → 2"
    tool(shown, "train-back-mini_batch").click()
    assert shown._setup.form.text("mini_batch") == "auto"
    combo(shown, "train-form-resize").setCurrentText("letterbox")
    assert head.text().startswith("2 settings differ")
    tool(shown, "train-back-resize").click()
    assert combo(shown, "train-form-resize").currentText() == "auto"
    assert head.text() == "1 setting differs from the recipe"
    typed(shown, "evaluate_every", "many")  # not valid: what is known stays
    assert head.text() == "1 setting differs from the recipe"
    tool(shown, "train-changes-all").click()
    assert shown._setup.form.text("evaluate_every") == "5"
    assert head.isHidden()
    assert not shown.findChild(QLabel, "train-changes-none").isHidden()


def test_no_field_moves_at_the_first_change(qtbot: QtBot, shown: TrainPage) -> None:
    size, epochs = shown.findChild(QLabel, "train-size"), shown.findChild(QLineEdit, "train-form-epochs")
    assert isinstance(size, QLabel)
    assert isinstance(epochs, QLineEdit)

    def place(words: str) -> int:
        qtbot.waitUntil(lambda: words in size.text())
        for _ in range(3):  # layouts within layouts
            QApplication.processEvents()
        return epochs.mapTo(shown, QPoint()).y()

    before = place("multiply-adds")
    typed(shown, "input_px", "64")
    assert [place("Counting"), place("multiply-adds")] == [before, before]


def test_who_says_how_long_gets_no_least_number_of_steps(shown: TrainPage, session: Session) -> None:
    said: list[str] = []
    session.message.connect(lambda _level, sentence: said.append(sentence))
    head, form = tool(shown, "train-changes-head"), shown._setup.form
    typed(shown, "epochs", "7")
    assert (form.text("least_steps"), len(said)) == ("0", 1)
    assert "as long as you say" in said[0]
    assert head.text() == "2 settings differ from the recipe"
    rows = [label.text() for label in shown.findChild(QWidget, "train-changes").findChildren(QLabel)]
    assert "Least steps: 1200 → 0, as you set the length" in rows
    typed(shown, "least_steps", "50")  # and who wants both has both
    typed(shown, "epochs", "8")
    assert (form.text("least_steps"), len(said)) == ("50", 1)
    tool(shown, "train-changes-all").click()
    assert (form.text("epochs"), form.text("least_steps")) == ("300", "1200")
    typed(shown, "batch", "2")
    assert form.text("least_steps") == "0"
    recipe = recipes.preset("small-data")
    assert recipe.changed({"epochs": 7}).training.least_steps == 0
    assert recipe.changed({"seed": 7}).training.least_steps == 1200
    assert recipe.changed({"epochs": 7, "least_steps": 9}).training.least_steps == 9


def test_a_recipe_for_every_detector_keeps_it_and_says_what_is_other_for_it(shown: TrainPage) -> None:
    choose(combo(shown, "train-detector"), "ssd512")
    choose(combo(shown, "train-preset"), "fine-tune")
    assert combo(shown, "train-detector").currentData() == "ssd512"
    assert text(shown, "train-changes-none") == "As in “Fine-tune”"
    choose(combo(shown, "train-preset"), "quick-cpu")
    about = text(shown, "train-about")
    assert about.endswith("which was made for YOLOv4-tiny, here with input px 512, width 0.25.")


def test_every_button_has_a_name_to_be_read_out(qtbot: QtBot, shown: TrainPage, fakes: Fakes) -> None:
    show_findings(qtbot, shown, fakes, SMALL)
    for name in ("train-check-0-images", "train-changes-all"):
        assert tool(shown, name).accessibleName()
        assert tool(shown, name).toolTip()
    assert isinstance(shown.findChild(QPushButton, "train-estimate"), QPushButton)
    assert button(shown, "train-estimate").toolTip()
    assert button(shown, "train-estimate").focusPolicy() & Qt.FocusPolicy.TabFocus
