"""The Compare tab of the Inspect page: two runs whose candidates are made by hand, and what each number opens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import (  # noqa: F401 (fixtures)
    FakeEvaluator,
    drawn,
    evaluate_fixture,
    keep_candidates,
    make_run,
    page_fixture,
    press,
    rows,
    session_fixture,
    slide,
    text,
)
from tests.ui.inspect.inspect_tabs_driver import click, listed, marked, tab
from workbench.core import edits
from workbench.core.evaluation import bootstrap
from workbench.core.project import Label
from workbench.inference.evaluating import operating_point
from workbench.inference.evaluating.operating_point import OperatingPoint
from workbench.ui.inspect.compare.tab import OWN, SAME, CompareTab
from workbench.ui.inspect.compare.table import DIFFERENCE, FIXED, INTERVAL, LABEL, REGRESSED, ROW
from workbench.ui.inspect.evaluation_job import EvaluationRequest, EvaluationResult
from workbench.ui.inspect.page import InspectPage
from workbench.ui.inspect.picture import InspectPicture
from workbench.ui.job_progress import JobProgress
from workbench.ui.session import Session

# Each image has a cell at 10, 10. The first run finds a's and has a false alarm in a; b's it takes for a nucleus.
FIRST = (
    ([(10, 10, 30, 30), (40, 40, 60, 60)], [0.9, 0.6], [0, 1]),
    ([(10, 10, 30, 30)], [0.75], [1]),
)
# The second misses a's, has the same false alarm 1 px beside it, and finds b's at 0.7; one of 0.4 is below the slider.
SECOND = (
    ([(41, 40, 61, 60), (0, 0, 8, 8)], [0.8, 0.4], [1, 0]),
    ([(10, 10, 30, 30)], [0.7], [0]),
)
COUNTS = {
    "fixed": "1 fixed", "regressed": "1 regressed", "wrong-in-both": "0 wrong in both",
    "right-in-both": "0 right in both", "gone": "1 gone", "new": "0 new", "in-both": "1 in both",
}  # fmt: skip


class TwoEvaluators(FakeEvaluator):
    """What is seen depends on the run."""

    def __init__(self) -> None:
        super().__init__()
        self.of = {"first": FIRST, "second": SECOND}
        self.labels, self.views = dict[str, tuple[str, ...]](), {"first": 1, "second": 1}

    def __call__(self, request: EvaluationRequest) -> Iterator[JobProgress | EvaluationResult]:
        self.seen = self.of[request.run_folder.name]
        for event in super().__call__(request):
            if isinstance(event, EvaluationResult):
                rest = (event.rules, event.confidence, event.skipped, event.point, event.remark)
                seen = tuple(replace(one, views=self.views[request.run_folder.name]) for one in event.candidates)
                event = EvaluationResult.of(event.truth, seen, *rest, self.labels.get(request.run_folder.name, ()))
            yield event


@pytest.fixture(autouse=True)
def two_images_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "LEAST", 1)


@pytest.fixture(name="evaluate")
def two_looks() -> TwoEvaluators:
    return TwoEvaluators()


@pytest.fixture
def compared(qtbot: QtBot, page: InspectPage, session: Session) -> InspectPage:
    """The newer run, second, has looked, and the first, chosen, too; the tab is in sight, confidence 0.5."""
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    begin(qtbot, page, session, "first", "second")
    slide(page, "confidence", 50)
    settings(page).setCurrentText(SAME)
    choose_other(page, "first")
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: count(page, "fixed") == "1 fixed")
    return page


def settings(page: InspectPage) -> QComboBox:
    combo = page.findChild(QComboBox, "inspect-compare-settings")
    assert isinstance(combo, QComboBox)
    return combo


def begin(qtbot: QtBot, page: InspectPage, session: Session, *names: str) -> None:
    """Look with the run that was named last, and show the tab."""
    for started, name in enumerate(names):
        (make_run(session, name, 1.0 + started) / "last.safetensors").unlink()
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: len(rows(page)) == 2 and not session.jobs)
    tab(page, "Compare")


def choose_other(page: InspectPage, name: str) -> None:
    combo = page.findChild(QComboBox, "inspect-compare-run")
    assert isinstance(combo, QComboBox)
    combo.setCurrentIndex(combo.findText(name))


def count(page: QWidget, kind: str) -> str:
    button = page.findChild(QPushButton, f"inspect-compare-{kind}")
    assert isinstance(button, QPushButton)
    return button.text()


def counts(page: QWidget) -> dict[str, str]:
    return {kind: count(page, kind) for kind in COUNTS}


def numbers(page: InspectPage) -> list[tuple[str, ...]]:
    """Rows of the table: label, fixed, regressed, difference, and whether the interval is known."""
    model = page.findChild(CompareTab).table.differences
    return [
        (*(str(model.index(row, column).data()) for column in range(INTERVAL)),
         "?" if np.isnan(model.index(row, INTERVAL).data(ROW).low) else "known")
        for row in range(model.rowCount())
    ]  # fmt: skip


def measure(page: InspectPage, name: str) -> None:
    combo = page.findChild(QComboBox, "inspect-compare-measure")
    assert isinstance(combo, QComboBox)
    combo.setCurrentIndex(combo.findData(name))


def test_with_one_run_it_offers_to_train_another(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    tab(page, "Compare")
    begin(qtbot, page, session, "first")
    assert "Train another one" in text(page, "inspect-compare-empty-sentence")
    with qtbot.waitSignal(session.page_requested) as asked:
        press(qtbot, page, "inspect-compare-empty-button")
    assert asked.args == ["train"]
    make_run(session, "second")
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: not page.findChild(QWidget, "inspect-compare-empty").isVisible())


def test_a_run_that_has_not_looked_says_what_to_do(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: TwoEvaluators
) -> None:
    begin(qtbot, page, session, "first", "second")
    combo = page.findChild(QComboBox, "inspect-compare-run")
    assert [combo.itemText(row) for row in range(combo.count())] == ["choose a run …", "first"]
    assert combo.currentText() == "first", "the only one"
    qtbot.waitUntil(lambda: "Press Look: first is then run" in text(page, "inspect-compare-status"))
    assert set(counts(page).values()) == {"– " + kind.replace("-", " ") for kind in COUNTS}
    evaluate.fails_with = "This checkpoint is damaged. Use another one of the run."
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: text(page, "inspect-compare-status") == evaluate.fails_with)
    qtbot.waitUntil(lambda: not session.jobs)
    assert evaluate.requests[-1].run_folder.name == "first"
    assert evaluate.requests[-1].snapshot is evaluate.requests[0].snapshot


def test_candidates_that_are_kept_are_compared_without_asking(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    begin(qtbot, page, session, "first", "second")
    assert session.document is not None
    keep_candidates(session.document.runs_folder / "first", 2)
    for name in ("choose a run …", "first"):
        choose_other(page, name)
    qtbot.waitUntil(lambda: count(page, "in-both") == "1 in both")


def test_it_says_from_which_run_to_which(compared: InspectPage) -> None:
    assert text(compared, "inspect-compare-way") == "Labelled boxes, first → second"
    choose_other(compared, "choose a run …")
    assert text(compared, "inspect-compare-way") == "Labelled boxes"


def test_every_number_opens_its_images(qtbot: QtBot, compared: InspectPage) -> None:
    assert counts(compared) == COUNTS
    for kind, words, images, framed in (
        ("fixed", "1 image: fixed, all labels", ["b.png"], [[10, 10, 30, 30]]),
        ("regressed", "1 image: regressed, all labels", ["a.png"], [[10, 10, 30, 30]]),
        ("gone", "1 image: false alarms gone, all labels", ["b.png"], [[10, 10, 30, 30]]),
        ("in-both", "1 image: false alarms in both, all labels", ["a.png"], [[40, 40, 60, 60]]),
    ):
        press(qtbot, compared, f"inspect-compare-{kind}")
        assert (text(compared, "inspect-note"), listed(compared), marked(compared)) == (words, images, framed)

    # labels have their counts, and the difference of a number
    measure(compared, "recall")
    assert numbers(compared) == [
        ("all labels", "1", "1", "0.000", "known"), ("cell", "1", "1", "0.000", "known"),
        ("nucleus", "0", "0", "–", "?"),
    ]  # fmt: skip
    measure(compared, "precision")  # of all: 1 of 3 became 1 of 2
    assert [row[3] for row in numbers(compared)] == ["+0.167", "0.000", "0.000"]
    table = compared.findChild(CompareTab).table
    model = table.differences
    assert "1 fixed, 1 regressed" in model.index(1, LABEL).data(Qt.ItemDataRole.ToolTipRole)
    assert "0.333 became 0.500" in model.index(0, DIFFERENCE).data(Qt.ItemDataRole.ToolTipRole)
    for row, column, images in ((0, FIXED, ["b.png"]), (1, REGRESSED, ["a.png"]), (2, FIXED, [])):
        click(qtbot, table, row, column)
        assert listed(compared) == images
    click(qtbot, table, 0, DIFFERENCE)
    assert set(listed(compared)) == {"a.png", "b.png"}
    click(qtbot, table, 2, INTERVAL)
    assert (listed(compared), text(compared, "inspect-note")) == (["b.png"], "1 image: found differently, nucleus")


def test_the_sliders_move_both_runs_and_the_interval_of_ap_comes_from_a_job(
    qtbot: QtBot, compared: InspectPage
) -> None:
    slide(compared, "confidence", 72)  # above what the second finds in b
    qtbot.waitUntil(lambda: count(compared, "fixed") == "0 fixed")
    assert counts(compared)["wrong-in-both"] == "1 wrong in both"
    assert "Both: Confidence from 0.72" in text(compared, "inspect-compare-words")
    slide(compared, "confidence", 50)
    # the first: AP50 of the cell is 51/101, a's alone; the second finds b's alone
    qtbot.waitUntil(lambda: numbers(compared)[1][3:] == ("0.000", "known"))
    assert "95 % of 1,000 resamples" in text(compared, "inspect-compare-words")
    measure(compared, "ap")
    assert "Working out the interval" in text(compared, "inspect-compare-words")
    qtbot.waitUntil(lambda: numbers(compared)[1][4] == "known")
    measure(compared, "ap50")
    assert numbers(compared)[1][4] == "known"  # remembered


def test_a_run_that_sees_in_tiles_is_told_from_one_that_does_not(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: TwoEvaluators
) -> None:
    evaluate.views["first"] = 21
    begin(qtbot, page, session, "first", "second")
    choose_other(page, "first")
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: "seen in 40 tiles, too. second: conf" in text(page, "inspect-compare-words"))


def test_each_run_is_at_its_own_point_until_a_slider_moves_both(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    begin(qtbot, page, session, "first", "second")
    assert session.document is not None
    operating_point.write(session.document.runs_folder / "first", OperatingPoint(0.7, (("nucleus", 0.8),), iou=0.5))
    choose_other(page, "first")
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: count(page, "new") == "1 new")  # the first's, beside it, scores 0.6
    assert "first: confidence from 0.70 (nucleus 0.80), NMS" in text(page, "inspect-compare-words")
    assert "second: confidence from 0.50" in text(page, "inspect-compare-words")
    tab(page, "Numbers")
    slide(page, "confidence", 95)
    tab(page, "Compare")
    assert settings(page).currentText() == OWN, "the slider was not moved here"
    press(qtbot, page, "inspect-keep")  # the page's run's own is another now: nothing of it is found
    qtbot.waitUntil(lambda: "second: confidence from 0.95" in text(page, "inspect-compare-words"))
    assert counts(page)["fixed"] == "0 fixed"
    slide(page, "confidence", 60)
    qtbot.waitUntil(lambda: "Both: Confidence from 0.60" in text(page, "inspect-compare-words"))
    assert settings(page).currentText() == SAME


def test_a_change_is_told_from_the_older_run_to_the_newer_whichever_is_above(
    qtbot: QtBot, page: InspectPage, session: Session
) -> None:
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    begin(qtbot, page, session, "first", "second")
    run = page.findChild(QComboBox, "inspect-run")
    assert isinstance(run, QComboBox)
    run.setCurrentIndex(run.findText("first", Qt.MatchFlag.MatchStartsWith))
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: len(rows(page)) == 2 and not session.jobs)
    slide(page, "confidence", 50)
    choose_other(page, "second")
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: count(page, "fixed") == "1 fixed")
    assert counts(page) == COUNTS
    assert text(page, "inspect-compare-way") == "Labelled boxes, first → second"
    press(qtbot, page, "inspect-compare-fixed")
    assert (listed(page), marked(page)) == (["b.png"], [[10, 10, 30, 30]])
    measure(page, "precision")
    assert [row[3] for row in numbers(page)] == ["+0.167", "0.000", "0.000"]
    assert session.document is not None
    session.select_image(session.document.images()[0].id)
    assert (drawn(page)["first"], drawn(page)["second_wrong"]) == ([[10, 10, 30, 30]], [[41, 40, 61, 60]])
    assert text(page, "inspect-caption") == "a.png: 1 → 0 right, 1 → 1 false, 0 → 1 missed"
    slide(page, "confidence", 95)
    press(qtbot, page, "inspect-keep")  # of the older run, which is above
    settings(page).setCurrentText(OWN)
    qtbot.waitUntil(lambda: "first: confidence from 0.95" in text(page, "inspect-compare-words"))


def test_the_picture_shows_both_runs_while_the_tab_is_in_sight(
    qtbot: QtBot, compared: InspectPage, session: Session
) -> None:
    assert session.document is not None
    session.select_image(session.document.images()[0].id)
    assert drawn(compared) == {
        "truth": [[10, 10, 30, 30]], "first": [[10, 10, 30, 30]], "first_wrong": [[40, 40, 60, 60]],
        "second": [], "second_wrong": [[41, 40, 61, 60]],
    }  # fmt: skip
    assert text(compared, "inspect-caption") == "a.png: 1 → 0 right, 1 → 1 false, 0 → 1 missed"
    switch = compared.findChild(QCheckBox, "inspect-show-second")
    assert isinstance(switch, QCheckBox)
    assert switch.isVisible()
    switch.click()
    picture = compared.findChild(InspectPicture, "inspect-picture")
    assert picture._hidden == {"second", "second_wrong"}
    tab(compared, "Numbers")
    assert set(drawn(compared)) == {"label", "hit", "false_alarm", "miss"}
    assert (picture._hidden, switch.isVisible()) == (frozenset(), False)
    tab(compared, "Compare")
    assert "first" in drawn(compared)


def test_labels_that_a_run_does_not_know_and_other_data_are_told(
    qtbot: QtBot, page: InspectPage, session: Session, evaluate: TwoEvaluators
) -> None:
    session.do(edits.AddLabels((Label(0, "nucleus"),)))
    evaluate.labels["second"] = ("cell",)
    begin(qtbot, page, session, "first", "second")
    for name, digest in (("first", "1" * 64), ("second", "2" * 64)):
        write_digest(session, name, digest)
    session.runs_changed.emit()
    choose_other(page, "first")
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: "doesn't know" in text(page, "inspect-compare-status"))
    assert [row[0] for row in numbers(page)] == ["all labels", "cell"]
    qtbot.waitUntil(lambda: "trained on different data" in text(page, "inspect-compare-status"))
    assert count(page, "in-both") == "0 in both"  # a nucleus


def write_digest(session: Session, name: str, digest: str) -> None:
    from workbench.training.records import runs

    assert session.document is not None
    (session.document.runs_folder / name / runs.ABOUT).write_text(f'{{"digest": "{digest}"}}', "utf-8")


def test_an_edit_of_labels_is_followed_by_both(qtbot: QtBot, compared: InspectPage, session: Session) -> None:
    assert session.document is not None
    lost = session.document.boxes(session.document.images()[1].id)[0]
    session.do(edits.RemoveBoxes((lost.id,)))
    qtbot.waitUntil(lambda: count(compared, "fixed") == "0 fixed")
    assert count(compared, "new") == "1 new"  # what the second finds in b is now a false alarm
    session.undo()
    qtbot.waitUntil(lambda: counts(compared) == COUNTS)


def test_of_one_run_the_last_weights_are_the_newer(qtbot: QtBot, page: InspectPage, session: Session) -> None:
    folder = make_run(session, "first")
    (folder / "last.safetensors").write_bytes(b"weights")
    page.shown()
    press(qtbot, page, "inspect-look")
    qtbot.waitUntil(lambda: len(rows(page)) == 2 and not session.jobs)
    tab(page, "Compare")
    choose_other(page, "first, last")
    press(qtbot, page, "inspect-compare-look")
    qtbot.waitUntil(lambda: text(page, "inspect-compare-way").endswith("first → first, last"))


def test_another_run_above_takes_the_comparison_away(qtbot: QtBot, compared: InspectPage) -> None:
    run = compared.findChild(QComboBox, "inspect-run")
    assert isinstance(run, QComboBox)
    run.setCurrentIndex(run.findText("first", Qt.MatchFlag.MatchStartsWith))
    assert numbers(compared) == []
    assert "Let the run above look" in text(compared, "inspect-compare-empty-sentence")
    assert compared.findChild(CompareTab).second.evaluation is None  # it is of other images, for all we know
    assert drawn(compared) == {}


def test_whiskers_are_coloured_where_the_interval_leaves_out_zero() -> None:
    from workbench.ui.inspect.compare.table import DifferenceRow, DifferencesModel

    def row(low: float, high: float) -> DifferenceRow:
        return DifferenceRow(0, "cell", 0, 0, "", 0.5, 0.5 + (low + high) / 2, low, high)

    assert [one.ink for one in (row(0.1, 0.3), row(-0.3, -0.1), row(-0.1, 0.3), row(0, 0.2))] == [
        "ok", "error", "muted", "muted",
    ]  # fmt: skip
    model = DifferencesModel()
    for ends, scale in (((0.1, 0.3), 0.5), ((-0.02, 0.001), 0.02), ((0.0, 0.0), 0.01), ((-0.7, 0.6), 1.0)):
        model.show_rows((row(*ends),))
        assert model.scale == pytest.approx(scale)
        assert model.headerData(INTERVAL, Qt.Orientation.Horizontal) == f"±{scale:g}"
