"""Runs beside one another: what is read of them, which settings differ, AP of each label, and the window."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyqtgraph as pg
import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QTableWidget, QWidget
from pytestqt.qtbot import QtBot
from safetensors.numpy import save_file

from tests.training.records.test_runs import STARTED, leave
from tests.ui.train.train_page_driver import label_all, session
from tests.ui.window_driver import find
from workbench.core.project import FormerName, Label
from workbench.training.checkpoints.header import KEY, CheckpointHeader
from workbench.training.events import Evaluated, Event, Finished, Progress, to_json
from workbench.training.records import run_actions, runs
from workbench.ui import theme
from workbench.ui.plots.plot import Plot
from workbench.ui.session import Session
from workbench.ui.train.compare import differences
from workbench.ui.train.compare.differences import best_of
from workbench.ui.train.compare.run_reader import POINTS, ComparedRun, RunReader
from workbench.ui.train.compare.window import CompareWindow
from workbench.ui.train.runs import runs_table
from workbench.ui.train.runs.runs_table import COLUMNS

__all__ = ["session"]  # the fixture
NAN = math.nan
RECIPE = """name = "quick"
detector = "{detector}"
[detector_settings]
{own}
[training]
epochs = {epochs}
step_at = [0.8, 0.9]
"""


def progress(step: int, loss: float) -> Progress:
    return Progress(step, 6, step // 2, 3, {"box": loss}, loss, 0.1, 10.0, 1.0)


def evaluated(epoch: int, ap50: float, best: bool, **labels: float) -> Evaluated:
    each = {name: value / 2 for name, value in labels.items()}
    return Evaluated(epoch, 2 * epoch, ap50 / 2, ap50, 0.0, labels, 2, 0.1, best, each)


FIRST = (
    STARTED, progress(1, 9.0), progress(2, 8.0), evaluated(1, 0.2, True, cell=0.3), progress(4, 7.0),
    evaluated(2, 0.6, True, cell=0.8, spot=0.4), progress(6, 5.0), evaluated(3, 0.5, False, cell=0.9),
    Finished(6, 3, False, 0.6, 65.0, "/x"),
)  # fmt: skip
SECOND = (STARTED, progress(2, 4.0), evaluated(1, 0.4, True, spot=0.5, dust=0.1))


def left(
    folder: Path, events: Sequence[Event], digest: str = "", *, detector: str = "toy", own: str = "", epochs: int = 4
) -> Path:
    leave(folder, *events)
    (folder / "settings.toml").write_text(RECIPE.format(detector=detector, own=own, epochs=epochs), "utf-8")
    if digest:
        (folder / "data.json").write_text(json.dumps({"digest": digest}), "utf-8")
    return folder


def known(folder: Path) -> ComparedRun:
    found = RunReader().read(folder)
    assert found is not None
    return found


# --- reading ---


def test_a_run_is_read_with_its_curves_and_its_best_evaluation(tmp_path: Path) -> None:
    run = known(left(tmp_path / "a", FIRST, "ab" * 32))
    assert (run.step.tolist(), run.loss.tolist()) == ([1, 2, 4, 6], [9, 8, 7, 5])
    assert (run.epochs, [one.ap50 for one in run.evaluations]) == ([1, 2, 3], [0.2, 0.6, 0.5])
    assert run.best is not None
    assert (run.best.epoch, run.best.per_label) == (2, {"cell": 0.8, "spot": 0.4})
    assert (run.seconds, run.info.digest) == (65.0, "ab" * 32)
    assert RunReader().read(tmp_path / "absent") is None


def test_what_a_killed_run_did_after_its_last_save_is_left_out(tmp_path: Path) -> None:
    resumed = dataclasses.replace(STARTED, resumed_step=2)
    events = (STARTED, progress(1, 9.0), progress(2, 8.0), progress(3, 99.0), evaluated(2, 0.9, True), resumed)
    run = known(left(tmp_path / "a", (*events, progress(3, 7.0), evaluated(2, 0.3, True))))
    assert (run.step.tolist(), run.loss.tolist()) == ([1, 2, 3], [9, 8, 7])
    assert [one.ap50 for one in run.evaluations] == [0.3]


def test_a_long_loss_is_averaged(tmp_path: Path) -> None:
    run = known(left(tmp_path / "a", (STARTED, *(progress(step, step % 2) for step in range(4 * POINTS)))))
    assert len(run.step) == POINTS
    assert run.step[:2].tolist() == [1.5, 5.5]
    assert set(run.loss.tolist()) == {0.5}


def test_only_events_that_are_new_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a run that trains were read after each of its evaluations."""
    first, second = left(tmp_path / "a", FIRST), left(tmp_path / "b", SECOND)
    counted, tail, reader = list[int](), runs.tail, RunReader()

    def counting(folder: Path, start: int = 0) -> tuple[tuple[Event, ...], int]:
        events, end = tail(folder, start)
        counted.append(len(events))
        return events, end

    monkeypatch.setattr(runs, "tail", counting)

    def read() -> list[int]:
        counted.clear()
        for folder in (first, second):
            reader.read(folder)
        return counted

    assert read() == [9, 3]
    assert read() == [0, 0]
    with open(second / "events.jsonl", "a", encoding="utf-8") as file:
        file.write(f"{to_json(progress(4, 3.0))}\n")
    assert read() == [0, 1]
    run_actions.write_note(first, "a note is no event")
    assert read() == [0, 0]
    found = [one for folder in (first, second) if (one := reader.read(folder))]
    assert [(one.info.note, len(one.loss), one.loss[-1]) for one in found] == [("a note is no event", 4, 5), ("", 2, 3)]
    assert first.rename(tmp_path / "c").is_dir()
    second.rename(first)  # another run has the name now
    assert read() == [4]
    assert reader.read(second) is None


def test_the_best_weights_that_a_kill_left_are_told_by_their_own_evaluation(tmp_path: Path) -> None:
    again = dataclasses.replace(STARTED, resumed_step=2)  # saved then; the second evaluation came behind it
    run = known(
        left(
            tmp_path / "a", (STARTED, evaluated(1, 0.2, True), evaluated(2, 0.6, True), again, evaluated(2, 0.5, False))
        )
    )
    assert [one.ap50 for one in run.evaluations] == [0.2, 0.5]
    assert run.best is not None
    assert (run.best.epoch, run.best.ap50) == (2, run.info.best_ap50) == (2, 0.6)


# --- what differs ---


def rows(*compared: ComparedRun) -> dict[str, tuple[str, ...]]:
    return {row.title: row.values for row in differences.run_differences(compared)}


def test_only_settings_that_differ_are_told(tmp_path: Path) -> None:
    one = known(left(tmp_path / "a", FIRST, "ab" * 32, own="width = 0.5\nresize = 'stretch'", epochs=4))
    other = known(left(tmp_path / "b", SECOND, "cd" * 32, own="width = 1\nresize = 'stretch'", epochs=30))
    assert rows(one, other) == {"Data": ("abababa", "cdcdcdc"), "Width": ("0.5", "1"), "Epochs": ("4", "30")}
    assert rows(one, one) == {}
    assert "different data" in differences.warning([one, other])
    assert differences.warning([one, one]) == ""


def test_runs_of_the_same_data_that_other_images_judge_are_told(tmp_path: Path) -> None:
    """Held-out images are chosen by the seed: as many of the same data, but others."""
    one, other, old = (known(left(tmp_path / name, FIRST, "ab" * 32)) for name in ("a", "b", "old"))
    first = dataclasses.replace(one, info=dataclasses.replace(one.info, judged_by="12" * 32))
    second = dataclasses.replace(other, info=dataclasses.replace(other.info, judged_by="34" * 32))
    assert "judged on different images" in differences.warning([first, second])
    assert differences.warning([first, dataclasses.replace(second, info=first.info), old]) == ""
    fewer = dataclasses.replace(old, info=dataclasses.replace(old.info, validation_images=1))
    assert "judged on different images" in differences.warning([one, fewer])  # of which only the number is known


def test_what_only_one_detector_has_comes_last_and_a_setting_that_is_missing_had_its_default(tmp_path: Path) -> None:
    one = known(left(tmp_path / "a", FIRST, own="match_iou = 0.5\nmasks = 'fixed'\nwidth = 0.5"))
    other = known(left(tmp_path / "b", SECOND, detector="dream", own="width = 1"))
    (tmp_path / "b" / "settings.toml").write_text("[detector_settings]\nwidth = 1\n[training]\nbatch = 8", "utf-8")
    other = known(tmp_path / "b")
    found = rows(one, other)
    assert list(found)[-2:] == ["Match IoU", "Masks"], "as the form has them"
    assert found["Masks"] == ("fixed", "–")
    assert (found["Batch"], found["Epochs"]) == (("16", "8"), ("4", "100"))
    (tmp_path / "b" / "settings.toml").write_text("torn", "utf-8")
    assert rows(one, known(tmp_path / "b"))["Batch"] == ("16", "–")


def test_each_label_has_its_ap_of_the_best_epoch_in_the_order_of_the_project(tmp_path: Path) -> None:
    compared = [known(left(tmp_path / "a", FIRST)), known(left(tmp_path / "b", SECOND))]
    compared.append(known(left(tmp_path / "c", (STARTED,))))
    found = differences.label_scores(compared, ["spot", "other"])
    assert [row.label for row in found] == ["all labels", "spot", "cell", "dust"]
    assert str(found[0].ap50) == "(0.6, 0.4, nan)"
    assert str(found[1].ap50) == "(0.4, 0.5, nan)"
    assert str(found[1].ap) == "(0.2, 0.25, nan)"
    assert str(found[2].ap50) == "(0.8, nan, nan)"
    assert differences.label_scores(compared[2:], ["spot"]) == ()


def test_a_label_that_was_renamed_between_two_runs_has_one_row(tmp_path: Path) -> None:
    compared = [known(left(tmp_path / "a", FIRST)), known(left(tmp_path / "b", SECOND))]
    plain = differences.label_scores(compared, [])
    assert [(row.label, str(row.ap50)) for row in plain[1:]] == [
        ("cell", "(0.8, nan)"), ("spot", "(0.4, 0.5)"), ("dust", "(nan, 0.1)"),
    ]  # fmt: skip
    found = differences.label_scores(compared, ["dust", "spot"], [FormerName("cell", "dust")])
    assert [(row.label, str(row.ap50)) for row in found[1:]] == [("dust", "(0.8, 0.1)"), ("spot", "(0.4, 0.5)")]
    of_ids = differences.label_scores(
        compared, ["dust", "cell"], [FormerName("spot", "cell", 1), FormerName("cell", "spot", 2)]
    )
    assert [row.label for row in of_ids[1:]] == ["dust", "cell", "spot"], "their ids are not known"
    labels = (Label(1, "spot"), Label(2, "cell"))
    header = CheckpointHeader("toy", {}, labels, (), 64, "stretch")
    save_file({}, tmp_path / "a" / "last.safetensors", {KEY: header.to_json()})
    compared[0] = known(tmp_path / "a")
    of_ids = differences.label_scores(compared, [], [FormerName("spot", "cell", 1), FormerName("cell", "spot", 2)])
    assert [(row.label, str(row.ap50)) for row in of_ids[1:]] == [
        ("spot", "(0.8, 0.5)"), ("cell", "(0.4, nan)"), ("dust", "(nan, 0.1)"),
    ]  # fmt: skip
    merged = differences.label_scores(compared, ["spot"], [FormerName("cell", "spot"), FormerName("dust", "spot")])
    assert [row.label for row in merged[1:]] == ["spot", "cell", "dust"], "what was measured of one is not the other's"


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ((0.5, 0.7), {1}),
        ((0.7, 0.2, 0.7), {0, 2}),
        ((0.5, NAN), set()),
        ((NAN,), set()),
        ((0.5004, 0.5001), set()),
        ((0.5004, 0.5001, 0.2), {0, 1}),
        ((0.0003, 0.0), {0}),  # 0.001 and 0.000
    ],
)
def test_the_best_is_marked_where_there_is_something_to_be_better_than(values: tuple[float], best: set[int]) -> None:
    assert best_of(values) == best


# --- the window ---


def table(window: QWidget, name: str) -> list[list[str]]:
    found = find(window, QTableWidget, name)
    columns = [column for column in range(found.columnCount()) if not found.isColumnHidden(column)]
    return [[found.item(row, column).text() for column in columns] for row in range(found.rowCount())]


def heads(window: QWidget, name: str) -> list[str]:
    found = find(window, QTableWidget, name)
    return [found.horizontalHeaderItem(column).text() for column in range(found.columnCount())]


@pytest.fixture
def owner(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    widget.resize(1280, 720)
    qtbot.addWidget(widget)
    return widget


@pytest.fixture
def folders(session: Session) -> list[Path]:
    label_all(session)  # the label 'cell'
    assert session.document is not None
    runs = session.document.runs_folder
    return [left(runs / "first", FIRST, "ab" * 32), left(runs / "second", SECOND, "cd" * 32, epochs=30)]


@pytest.fixture
def window(qtbot: QtBot, session: Session, owner: QWidget, folders: list[Path]) -> Iterator[CompareWindow]:
    run_actions.write_note(folders[1], "another rate\nfor more epochs")
    window = CompareWindow(session, folders, owner)
    window.show()
    qtbot.waitUntil(lambda: len(table(window, "compare-runs")) == 2)
    yield window
    window.close()


def test_curves_lie_on_one_another_and_tables_beside(window: CompareWindow) -> None:
    for name, x, y in (
        ("compare-ap50", [1, 2, 3], [0.2, 0.6, 0.5]), ("compare-ap", [1, 2, 3], [0.1, 0.3, 0.25]),
        ("compare-loss", [1, 2, 4, 6], [9, 8, 7, 5]),
    ):  # fmt: skip
        plot = find(window, Plot, name)
        assert plot.names() == ("first", "second")
        assert [part.tolist() for part in plot.data("first")] == [x, y]
    first, second = table(window, "compare-runs")
    assert first[:8] == ["first", "toy", "finished", "3 / 4", "newest: 0.600", "0.300", "2", "1:05"]
    assert second[-1] == "another rate ↵ for more epochs"
    assert table(window, "compare-settings") == [["Data", "abababa", "cdcdcdc"], ["Epochs", "4", "30"]]
    assert heads(window, "compare-labels") == ["Label", "first", "second"]
    head = find(window, QTableWidget, "compare-labels").horizontalHeaderItem(1)
    assert head.textAlignment() & Qt.AlignmentFlag.AlignLeft, "beside its colour"
    beside = find(window, QTableWidget, "compare-labels").x()
    assert beside == 8, "off the line between the panes"
    labels = [["all labels", "0.600", "0.400"], ["cell", "0.800", "–"], ["spot", "0.400", "0.500"]]
    assert table(window, "compare-labels") == [*labels, ["dust", "–", "0.100"]]
    find(window, QComboBox, "compare-which").setCurrentText("AP")
    assert table(window, "compare-labels")[2] == ["spot", "0.200", "0.250"]
    bold = find(window, QTableWidget, "compare-labels").item(2, 2).font().bold()
    assert bold
    assert "began with different data" in find(window, QLabel, "compare-warning").text()
    find(window, QCheckBox, "compare-log").click()
    assert find(window, Plot, "compare-loss").is_log


def test_an_ap_that_is_next_to_nothing_is_what_the_list_of_runs_says(
    qtbot: QtBot, session: Session, owner: QWidget, folders: list[Path]
) -> None:
    assert session.document is not None
    poor = left(session.document.runs_folder / "poor", (STARTED, evaluated(1, 0.0006, True, cell=0.0006)), "ab" * 32)
    window = CompareWindow(session, [poor], owner)
    window.show()
    qtbot.waitUntil(lambda: bool(table(window, "compare-labels")))
    cells = dict(zip(COLUMNS, map(runs_table._text, [runs.info(poor)] * 9, range(9)), strict=True))
    assert table(window, "compare-runs")[0][4:6] == [cells["AP50"], cells["AP"]]
    assert cells["AP"] == "0.001"
    low, high = find(window, Plot, "compare-ap50").getPlotItem().vb.viewRange()[1]
    assert 0 < low < 0.0006 < high < 0.002, "and not from -0.5 to 0.5"
    window.close()


def test_short_names_of_runs_stand_above_their_curves(qtbot: QtBot, window: CompareWindow) -> None:
    for name in ("compare-ap50", "compare-ap", "compare-loss"):
        item = find(window, Plot, name).getPlotItem()

        def is_above(item: pg.PlotItem = item) -> bool:
            return bool(item.legend.sceneBoundingRect().bottom() <= item.vb.sceneBoundingRect().top() + 1)

        qtbot.waitUntil(is_above)


def test_a_run_has_one_colour_everywhere_in_either_theme(window: CompareWindow) -> None:
    for mode in ("dark", "light"):
        theme.apply(mode)
        colours = [theme.series_colour(number) for number in range(2)]
        runs = find(window, QTableWidget, "compare-runs")
        swatches = [runs.item(row, 0).icon().pixmap(12, 12).toImage().pixelColor(6, 6).name() for row in range(2)]
        assert swatches == colours
        head = find(window, QTableWidget, "compare-labels").horizontalHeaderItem(2)
        assert head.icon().pixmap(12, 12).toImage().pixelColor(6, 6).name() == colours[1]
        plot = find(window, Plot, "compare-loss")
        pens = [item.opts["pen"].color().name() for item in plot.getPlotItem().listDataItems()]
        assert colours == [pen for pen in pens if pen in colours]


def test_it_follows_runs_that_go_on_are_renamed_or_deleted(
    qtbot: QtBot, window: CompareWindow, session: Session, folders: list[Path]
) -> None:
    with open(folders[1] / "events.jsonl", "ab") as file:
        file.write(b'{"event": "Evaluated", "epoch": 2, "step": 4, "ap": 0.4, "ap50": 0.8, "ap75": 0.1,'
                   b' "per_label": {}, "images": 2, "seconds": 0.1, "best": true}\n')  # fmt: skip
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: table(window, "compare-runs")[1][4] == "newest: 0.800")
    window.renamed(folders[0], run_actions.rename(folders[0], "better"))
    qtbot.waitUntil(lambda: heads(window, "compare-settings") == ["Setting", "better", "second"])
    assert find(window, Plot, "compare-ap").names() == ("better", "second")
    run_actions.delete(folders[0].with_name("better"))
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: [row[0] for row in table(window, "compare-runs")] == ["second"])
    (curve,) = (item for item in find(window, Plot, "compare-ap").getPlotItem().listDataItems() if len(item.xData))
    assert curve.opts["pen"].color().name() == theme.series_colour(0)  # as the table has it


def test_it_shows_what_was_read_again_once(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, window: CompareWindow, session: Session
) -> None:
    shown: list[int] = []
    monkeypatch.setattr(window, "_draw", lambda compared: shown.append(len(compared)))
    session.runs_changed.emit()
    qtbot.waitUntil(window._reader.is_idle)
    assert shown == [2]


def test_runs_without_a_difference_and_without_an_evaluation_say_so(
    qtbot: QtBot, session: Session, owner: QWidget, tmp_path: Path
) -> None:
    window = CompareWindow(session, [left(tmp_path / name, (STARTED,)) for name in "ab"], owner)
    window.show()
    assert window.settings.words == "Reading the runs …"
    qtbot.waitUntil(lambda: len(table(window, "compare-runs")) == 2)
    assert (window.settings.words, window.labels.words) == (
        "These runs have the same settings and the same data.",
        "None of these runs has been evaluated yet.",
    )
    assert find(window, QLabel, "compare-warning").text() == ""
    window.close()


def test_it_goes_with_the_project(qtbot: QtBot, session: Session, owner: QWidget, folders: list[Path]) -> None:
    window = CompareWindow(session, folders, owner)
    window.show()
    with qtbot.waitSignal(window.destroyed):
        session.close()
