"""In which order Ctrl+K lists what it finds, and by what it finds it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QObject
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication

from workbench.ui.actions import escape_mnemonics
from workbench.ui.commands import BY_NAME, COMMANDS
from workbench.ui.window import finder_entries
from workbench.ui.window.finder import HELP, IMAGE, LABEL, SETTING, FinderEntry, _matching


def nothing() -> None:
    """What choosing does here."""


THINGS = [
    FinderEntry("Quit", "Ctrl+Q", nothing),
    FinderEntry("Undo", "Ctrl+Z", nothing),
    FinderEntry("Retrain from here", "", nothing),
    FinderEntry("Go to Train", "Ctrl+4", nothing),
    FinderEntry("Start training", "Ctrl+Return", nothing),
    FinderEntry("Training on several cards", HELP, nothing),
    FinderEntry("train", LABEL, nothing),
    FinderEntry("trains/0001.jpg", IMAGE, nothing),
]
IN_ORDER = [THINGS[row].words for row in (6, 7, 3, 4, 2, 5)]


@pytest.mark.parametrize(("text", "expected"), [
    ("ctrl", []),
    ("tr", IN_ORDER),
    ("train", IN_ORDER),
    ("start tr", ["Start training"]),
    ("help", ["Training on several cards"]),
    ("label tr", ["train"]),
    ("qu", ["Quit"]),
])  # fmt: skip
def test_names_are_searched_and_not_keys(text: str, expected: list[str]) -> None:
    found = [thing.words for thing in _matching(THINGS, text)]
    assert found == expected


def test_settings_of_a_training_are_found_by_what_explains_them_after_all_that_is_called_so() -> None:
    """ "folds" and "cross-validation" found nothing, and the help told of a setting that one had to look for."""
    things = [*finder_entries.training_settings(lambda name: name), FinderEntry("cross-validation.jpg", IMAGE, nothing)]
    assert next((one.words, one.beside) for one in _matching(things, "folds")) == ("Folds", SETTING)
    assert [one.words for one in _matching(things, "cross-val")] == ["cross-validation.jpg", "Folds"]
    assert _matching(things, "cross-val")[1].act() == "folds"


def test_without_a_word_all_stand_in_their_order() -> None:
    assert _matching(THINGS, " ") == THINGS


def test_who_wants_to_predict_finds_where() -> None:
    """It was called "Look" everywhere, and nobody who searched for it had that word."""
    commands = [FinderEntry(one.text, HELP if one.name.startswith("help-") else "", nothing) for one in COMMANDS]
    assert [thing.words for thing in _matching(commands, "predict")][:1] == [BY_NAME["look-elsewhere"].text]


@pytest.mark.parametrize("runs", [False, True])
def test_to_stop_means_what_runs_while_something_runs(qapp: QApplication, runs: bool) -> None:
    """ "Stop drawing" stood first, and Enter left the page on which a training was to be stopped."""
    keep = QObject()
    for name in ("cancel", "anchors-play", "stop-job", "pause-job"):
        action = QAction(BY_NAME[name].text, keep, enabled=runs or not name.endswith("-job"))
        action.setObjectName(f"action-{name}")
    found = list(finder_entries.commands(keep.findChildren(QAction), lambda action: action))
    for text, name in (("stop", "stop-job"), ("pause", "pause-job")):
        assert (_matching(found, text)[0].words == BY_NAME[name].text) == runs


def test_a_name_with_an_ampersand_is_listed_as_it_is(qapp: QApplication) -> None:
    keep = QObject()
    action = QAction(escape_mnemonics("Undo: Add label R&D"), keep)
    action.setObjectName("action-undo")
    assert [one.words for one in finder_entries.commands([action], lambda action: action)] == ["Undo: Add label R&D"]


@pytest.mark.parametrize(("typed", "expected"), [
    ("rename class", "Rename the chosen label…"),
    ("categories", "Change the label of the selected boxes…"),
    ("anno", "Draw boxes"),
    ("delete annotation", "Delete the selected boxes"),
    ("bounding box", "Draw boxes"),
    ("dataset", "Check the data…"),
    ("inference", BY_NAME["look-elsewhere"].text),
    ("evaluate", BY_NAME["look"].text),
    ("accuracy", BY_NAME["look"].text),
])  # fmt: skip
def test_words_of_other_programs_find_what_is_called_otherwise_here(typed: str, expected: str) -> None:
    """A newcomer who typed them read that nothing is called that."""
    things = [FinderEntry(one.text, "", nothing) for one in COMMANDS if not one.name.startswith("help-")]
    assert expected in [thing.words for thing in _matching(things, typed)][:5]


def test_what_has_the_typed_word_stands_before_what_is_meant_by_it() -> None:
    things = [FinderEntry("Label", "", nothing), FinderEntry("first class", LABEL, nothing)]
    assert [thing.words for thing in _matching(things, "class")] == ["first class", "Label"]
    assert [thing.words for thing in _matching(things, "cla")] == ["first class"], "too short to be taken for it"


def test_where_nothing_is_called_so_help_pages_are_found_by_their_texts(qapp: QApplication) -> None:
    """ "threshold" found nothing, though pages tell of it."""
    owner = QObject()
    for command in (one for one in COMMANDS if not one.by_hand):
        QAction(command.text, owner).setObjectName(f"action-{command.name}")
    things = [*finder_entries.commands(owner.findChildren(QAction), lambda _: None)]
    found = _matching(things, "threshold")
    assert found[0].words == BY_NAME["help-reading-the-inspect-page"].text, "it tells most of confidences"
    assert BY_NAME["help-predicting"].text in [one.words for one in found]
    assert {one.beside for one in found} == {HELP}
    assert HELP not in {one.beside for one in _matching(things, "draw")}, "though the page on labelling tells of that"
    assert _matching(things, "mos") == [], "a short word is in every page"


def test_a_help_page_that_a_person_gave_a_key_is_found_as_the_others_are(qapp: QApplication) -> None:
    """It was listed for nearly every word, as its text has most, and kept other pages from being found."""
    owner = QObject()
    for command in (one for one in COMMANDS if not one.by_hand):
        action = QAction(command.text, owner)
        action.setObjectName(f"action-{command.name}")
        if command.name == "help-label-fast":
            action.setShortcut("F1")
    things = [*finder_entries.commands(owner.findChildren(QAction), lambda _: None)]
    assert BY_NAME["help-label-fast"].text not in [one.words for one in _matching(things, "draw")]
    assert {one.beside for one in _matching(things, "threshold")} == {HELP}
