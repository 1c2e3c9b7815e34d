"""The Export page with a made-up exporter: choosing, progress, results, failures, missing packages, empty state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from pathlib import Path

import PIL.Image
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.ui.inspect.inspect_page_driver import make_run
from tests.ui.test_accessible import controls, nameless, unreachable
from tests.ui.widgets.test_tab_order import reached
from tests.ui.window_driver import find, shown_page
from workbench.core.document import Document
from workbench.core.extras import install_command
from workbench.errors import WorkbenchError
from workbench.inference.events import Agreement, ExportDone, Exported, ExportEvent, ExportProgress, NotExported
from workbench.training.records.runs import info
from workbench.ui import theme
from workbench.ui.export import page as export_page
from workbench.ui.export import work
from workbench.ui.export.page import ExportPage
from workbench.ui.export.work import ExportRequest, FormatChoice, FormatsLoaded
from workbench.ui.job import Job
from workbench.ui.session import Session

CHOICES = (
    FormatChoice("safetensors", "Safetensors", "The weights alone.", "model.safetensors", ()),
    FormatChoice("onnx", "ONNX", "Runs almost everywhere.", "model.onnx", ()),
    FormatChoice("rare", "Rare", "For few.", "model.rare", ("rarelib", "more", "most")),
)


class FakeExport:
    def __init__(self) -> None:
        self.requests: list[ExportRequest] = []
        self.fails_with = ""
        self.refused: dict[str, str] = {}  # format -> sentence

    def __call__(self, request: ExportRequest) -> Iterator[ExportEvent]:
        self.requests.append(request)
        results: list[Exported] = []
        failed: list[NotExported] = []
        for number, name in enumerate(request.formats):
            yield ExportProgress(name, f"Writing {name}", 2 * number, 2 * len(request.formats))
            if self.fails_with:
                raise WorkbenchError(self.fails_with)
            if name in self.refused:
                failed.append(NotExported(name, self.refused[name]))
                yield failed[-1]
                continue
            agreed = Agreement(40, 39) if name == "onnx" else None
            file = request.folder / name / f"model.{name}"
            results.append(Exported(name, file.parent, file, 23_600_000, 8 if agreed else 0, agreed, ""))
            yield results[-1]
        yield ExportDone(request.folder, tuple(results), tuple(failed))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    PIL.Image.new("RGB", (64, 64), (90, 120, 60)).save(photographs / "a.png")
    session = Session()
    session.open(Document.create(tmp_path / "project", photographs))
    yield session
    session.close()


@pytest.fixture
def export() -> FakeExport:
    return FakeExport()


@pytest.fixture
def page(qtbot: QtBot, session: Session, export: FakeExport, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExportPage]:
    monkeypatch.setattr(work, "load", lambda: iter([FormatsLoaded(CHOICES)]))
    yield from shown_page(qtbot, ExportPage(session, export=export), session)


def ready(qtbot: QtBot, page: ExportPage, session: Session) -> Path:
    folder = make_run(session)
    page.shown()
    qtbot.waitUntil(lambda: page.findChild(QCheckBox, "export-format-onnx") is not None)
    qtbot.waitUntil(lambda: not session.jobs)
    return folder


def box(page: QWidget, name: str) -> QCheckBox:
    return find(page, QCheckBox, f"export-format-{name}")


def start(qtbot: QtBot, page: QWidget) -> QPushButton:
    return find(page, QPushButton, "export-start")


def press(qtbot: QtBot, page: QWidget, name: str) -> None:
    button = find(page, QPushButton, name)
    qtbot.waitUntil(button.isEnabled)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def text(page: QWidget, name: str) -> str:
    return find(page, QLabel, name).text()


def results(page: QWidget) -> list[list[str]]:
    table = find(page, QTableWidget, "export-results")
    return [[table.item(r, c).text() for c in range(table.columnCount())] for r in range(table.rowCount())]


def test_the_run_that_was_looked_at_last_is_offered_until_another_is_chosen(
    qtbot: QtBot, page: ExportPage, session: Session
) -> None:
    folder = make_run(session, "first")
    make_run(session, "second")
    session.inspected = info(folder)
    run = find(page, QComboBox, "export-run")
    page.shown()
    qtbot.waitUntil(lambda: run.currentText() == "first (finished)")
    run.setCurrentIndex(run.findText("second (finished)"))
    with qtbot.waitSignal(page._runs.read):
        page.shown()
    assert run.currentText() == "second (finished)"
    session.inspected = info(folder)  # looked at again
    page.shown()
    qtbot.waitUntil(lambda: run.currentText() == "first (finished)")


def test_without_a_run_the_page_offers_to_train_one(qtbot: QtBot, page: ExportPage, session: Session) -> None:
    page.shown()
    qtbot.waitUntil(lambda: "once it is trained" in text(page, "export-empty-sentence"))
    with qtbot.waitSignal(session.page_requested) as asked:
        press(qtbot, page, "export-empty-button")
    assert asked.args == ["train"]
    other = find(page, QPushButton, "export-empty-other")
    assert not other.isHidden()
    with qtbot.waitSignal(session.weights_import_requested):
        press(qtbot, page, "export-empty-other")


def test_while_the_first_run_is_trained_the_page_says_so(qtbot: QtBot, page: ExportPage, session: Session) -> None:
    job = session.start(Job("Training", lambda job: iter([job.stop.wait(20)]), page, is_training=True))
    page.shown()
    qtbot.waitUntil(lambda: "after its first evaluation" in text(page, "export-empty-sentence"))
    job.stop.set()
    qtbot.waitUntil(lambda: not session.jobs)
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: "once it is trained" in text(page, "export-empty-sentence"))


def test_what_was_exported_before_is_listed_and_gives_way_to_what_is_exported_now(
    qtbot: QtBot, page: ExportPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = make_run(session) / "export" / "onnx" / "model.onnx"
    before.parent.mkdir(parents=True)
    before.write_bytes(b"x" * 2_000)
    page.shown()
    qtbot.waitUntil(lambda: len(results(page)) == 1)
    assert results(page)[0][:3] == ["ONNX", str(before), "2.0 kB"]
    assert results(page)[0][3].startswith("written before, on 2")
    shown: list[Path] = []
    monkeypatch.setattr(export_page, "open_folder", lambda folder: shown.append(folder) or True)
    press(qtbot, page, "export-open")
    assert shown == [before.parents[1]]
    find(page, QLineEdit, "export-folder").setText(str(before.parents[3]))
    assert results(page) == []
    press(qtbot, page, "export-start")
    qtbot.waitUntil(lambda: "agree" in results(page)[0][3] if results(page) else False)
    said = "1 format written and verified, with a model card and an example."
    qtbot.waitUntil(lambda: text(page, "export-words") == said)


def test_the_chosen_formats_are_written_and_their_check_is_shown(
    qtbot: QtBot, page: ExportPage, session: Session, export: FakeExport
) -> None:
    folder = ready(qtbot, page, session)
    box(page, "safetensors").setChecked(True)
    press(qtbot, page, "export-start")
    qtbot.waitUntil(lambda: "2 formats written and verified" in text(page, "export-words"))
    target = folder / "export"
    assert results(page) == [
        ["ONNX", str(target / "onnx" / "model.onnx"), "24 MB", "39 of 40 detections agree on 8 images"],
        ["Safetensors", str(target / "safetensors" / "model.safetensors"), "24 MB", "not verified: can't be read back"],
    ]
    request = export.requests[0]
    assert (request.checkpoint, request.folder) == (folder / "best.safetensors", target)
    assert [image.name for image in request.images] == ["a.png"]


def test_the_last_checkpoint_and_another_folder_can_be_chosen(
    qtbot: QtBot, page: ExportPage, session: Session, export: FakeExport, tmp_path: Path
) -> None:
    folder = ready(qtbot, page, session)
    checkpoint = find(page, QComboBox, "export-checkpoint")
    target = find(page, QLineEdit, "export-folder")
    checkpoint.setCurrentText("last")
    target.setText(str(tmp_path / "elsewhere"))
    press(qtbot, page, "export-start")
    qtbot.waitUntil(lambda: bool(export.requests))
    assert export.requests[0].checkpoint == folder / "last.safetensors"
    assert export.requests[0].folder == tmp_path / "elsewhere"


def test_a_format_whose_package_is_missing_says_how_to_get_it(qtbot: QtBot, page: ExportPage, session: Session) -> None:
    ready(qtbot, page, session)
    assert not box(page, "rare").isEnabled()
    missing = find(page, QLabel, "export-missing-rare")
    assert missing.text().startswith(
        f"Needs rarelib, more, most. Run in a terminal: {escape(install_command('[export]'))} (<a href='#'>copy"
    )
    missing.linkActivated.emit("#")
    assert "(copied, " in missing.text()
    assert QGuiApplication.clipboard().text() == install_command("[export]")


def test_tab_comes_to_the_formats_where_they_are_seen_though_they_are_made_last(
    qtbot: QtBot, page: ExportPage, session: Session
) -> None:
    ready(qtbot, page, session)
    combo = find(page, QComboBox, "export-run")
    qtbot.waitUntil(box(page, "onnx").isVisible)
    order = reached(combo)
    assert order.index("export-choose") < order.index("export-format-onnx") < order.index("export-start")


def test_what_keeps_export_from_being_pressed_is_told_on_it_and_to_who_presses_its_key(
    qtbot: QtBot, page: ExportPage, session: Session
) -> None:
    """It was grey, and its key did nothing, without a word."""
    ready(qtbot, page, session)
    told: list[str] = []
    session.message.connect(lambda _level, sentence: told.append(sentence))
    folder, confidence = find(page, QLineEdit, "export-folder"), find(page, QLineEdit, "export-form-score")
    usual = folder.text()
    for why, wrong, mended in (
        ("Tick a format first.", box(page, "onnx").click, box(page, "onnx").click),
        ("Name the folder to write to first.", folder.clear, lambda: folder.setText(usual)),
        ("Suggested confidence must be", lambda: confidence.setText("high"), lambda: confidence.setText("0.3")),
    ):
        assert start(qtbot, page).isEnabled()
        wrong()
        assert not start(qtbot, page).isEnabled()
        assert start(qtbot, page).toolTip().startswith(why)
        find(page, QAction, "action-export").trigger()
        assert told.pop() == start(qtbot, page).toolTip().splitlines()[0]
        mended()
    assert "Ctrl+Return" in start(qtbot, page).toolTip()


def test_a_failure_is_said_in_its_words_and_one_can_try_again(
    qtbot: QtBot, page: ExportPage, session: Session, export: FakeExport
) -> None:
    export.fails_with = "The disk is full. Make room and try again."
    ready(qtbot, page, session)
    press(qtbot, page, "export-start")
    qtbot.waitUntil(lambda: text(page, "export-words") == "The disk is full. Make room and try again.")
    qtbot.waitUntil(start(qtbot, page).isEnabled)


def test_a_format_that_fails_stands_in_red_with_its_sentence_and_the_others_are_listed(
    qtbot: QtBot, page: ExportPage, session: Session, export: FakeExport
) -> None:
    said = "The file written as ONNX does not find the same as this program: 3 of 40 detections match."
    export.refused["onnx"] = said
    ready(qtbot, page, session)
    box(page, "safetensors").setChecked(True)
    with qtbot.assertNotEmitted(session.message):  # the page itself says it, once
        press(qtbot, page, "export-start")
        qtbot.waitUntil(lambda: "1 format written" in text(page, "export-words"))
    words = find(page, QLabel, "export-words")
    assert words.text() == "1 format written and verified. Not exported: ONNX; the list says why."
    assert words.property("role") == "", "what was written is no failure"
    assert results(page)[0][:2] == ["ONNX", said]
    assert results(page)[1][0] == "Safetensors"
    table = find(page, QTableWidget, "export-results")
    assert table.columnSpan(0, 1) == 3
    before = theme.theme().dark
    try:
        for dark in (not before, before):
            theme.theme().dark = dark
            theme.theme().changed.emit()
            assert table.item(0, 1).foreground().color() == theme.colour("error")
    finally:
        theme.theme().dark = before
        theme.theme().changed.emit()


def test_a_format_that_can_not_hold_the_detector_is_not_offered(
    qtbot: QtBot, page: ExportPage, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    why = "YOLOv4-tiny is too round for ONNX."
    unfit = work.UnfitFormats({"yolov4-tiny": {"onnx": why}})
    monkeypatch.setattr(work, "load", lambda: iter([FormatsLoaded(CHOICES), unfit]))
    ready(qtbot, page, session)
    qtbot.waitUntil(lambda: not box(page, "onnx").isEnabled())
    assert (box(page, "onnx").toolTip(), box(page, "onnx").isChecked()) == (why, False)
    assert box(page, "safetensors").isEnabled()
    assert not box(page, "rare").isEnabled(), "a package is missing"


def test_what_the_file_gives_is_chosen_in_the_form(
    qtbot: QtBot, page: ExportPage, session: Session, export: FakeExport
) -> None:
    ready(qtbot, page, session)
    output = find(page, QComboBox, "export-form-output")
    batch = find(page, QLineEdit, "export-form-batch")
    output.setCurrentText("raw")
    batch.setText("0")
    press(qtbot, page, "export-start")
    qtbot.waitUntil(lambda: bool(export.requests))
    settings = export.requests[0].settings
    assert (settings.output, settings.batch, settings.size) == ("raw", 0, "fixed")
    assert export.requests[0].snapshot is not None


def test_the_confidence_that_inspecting_found_best_is_suggested(
    qtbot: QtBot, page: ExportPage, session: Session, export: FakeExport
) -> None:
    folder = make_run(session)
    (folder / "evaluation.json").write_text(
        json.dumps({"best_confidence": 0.42, "rules": {"iou": 0.6, "kind": "diou", "limit": 300}}), "utf-8"
    )
    page.shown()
    press(qtbot, page, "export-start")
    qtbot.waitUntil(lambda: bool(export.requests))
    settings = export.requests[0].settings
    assert (settings.score, settings.iou, settings.nms_kind) == (0.42, 0.6, "diou"), "as on the Inspect page"


def test_what_was_typed_stays_and_each_checkpoint_shows_its_own_point(
    qtbot: QtBot, page: ExportPage, session: Session
) -> None:
    one, two = make_run(session, "one"), make_run(session, "two")
    judged = {"best_confidence": 0.42, "rules": {"iou": 0.6, "kind": "diou", "limit": 300}}
    (one / "evaluation.json").write_text(json.dumps({**judged, "checkpoint": "best.safetensors"}), "utf-8")
    (two / "evaluation-test.json").write_text(json.dumps({**judged, "split": "test"}), "utf-8")
    run = find(page, QComboBox, "export-run")

    def choose(name: str) -> None:
        run.setCurrentIndex(next(row for row in range(run.count()) if run.itemData(row).name == name))

    def score() -> str:
        return str(page._form.text("score"))

    page.shown()
    qtbot.waitUntil(lambda: run.count() == 2)
    choose("one")
    assert score() == "0.42"
    assert "have not been evaluated" not in text(page, "export-words")
    page._form.set_values({"score": 0.9})
    page.shown()  # somebody comes back to the page
    qtbot.wait(50)
    assert score() == "0.9"
    choose("two")
    assert score() == "0.25", "and not that of the other run"
    assert "not been evaluated on validation images, or those held out, so" in text(page, "export-words")
    (two / "evaluation.json").write_text(json.dumps(judged), "utf-8")
    session.runs_changed.emit()
    qtbot.waitUntil(lambda: score() == "0.42")
    assert "have not been evaluated" not in text(page, "export-words")


def test_every_control_of_the_filled_page_has_a_name_and_is_reached_by_tab(
    qtbot: QtBot, page: ExportPage, session: Session
) -> None:
    ready(qtbot, page, session)
    assert len(controls(page)) > 8
    assert nameless(page) == []
    assert unreachable(page) == []


def test_the_bar_moves_until_something_is_done(qtbot: QtBot, page: ExportPage, session: Session) -> None:
    """The first format can take a minute."""
    ready(qtbot, page, session)
    bar = find(page, QProgressBar, "export-progress")
    shown = []
    for done in (0, 1):
        page._reported(ExportProgress("onnx", "Writing ONNX", done, 2))
        shown.append((bar.value(), bar.maximum()))
    assert shown == [(0, 0), (1, 2)]
