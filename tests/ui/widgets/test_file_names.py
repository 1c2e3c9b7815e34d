"""Names of files in little room: what tells them apart stays."""

from __future__ import annotations

from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from workbench.core.folders.name_forms import forms, short
from workbench.ui.widgets.file_names import NamedLine, cut_name, in_two_lines


def test_of_a_name_with_a_checksum_what_tells_it_stays_and_a_date_is_none(qapp: QApplication) -> None:
    metrics = QFontMetrics(qapp.font())
    frames = [f"PIR-206_8_mov-{n}_jpg.rf.6cda65b2863d3ef50e8f1ad167eff63a.jpg" for n in range(10, 16)]
    room = metrics.horizontalAdvance("PIR-206_8_mov-15…")
    assert [cut_name(name, metrics, room) for name in frames] == [f"PIR-206_8_mov-{n}…" for n in range(10, 16)]
    assert "".join(in_two_lines(frames[5], metrics, room)) == "PIR-206_8_mov-15_jpg.rf.6cda….jpg"
    assert in_two_lines("a.jpg", metrics, room) == ("a.jpg", "")
    whole = "photograph-001"
    assert in_two_lines(f"{whole}.jpg", metrics, metrics.horizontalAdvance(whole)) == (whole, "")
    assert cut_name(f"{whole}.jpg", metrics, metrics.horizontalAdvance(whole)) == whole
    assert forms("20240131123000123456.jpg") == ("20240131123000123456.jpg",)
    assert short(frames[5]) == "PIR-206_8_mov-15_jpg.rf.6cda….jpg"
    assert short("a.jpg") == "a.jpg"
    alone = "0d6ae2d84de5f4040d7f7bf05d7f7bf0"
    assert forms(f"{alone}.png")[-1] == "0d6a….png"
    for name in (*frames, f"{alone}{alone}.png", "x" * 90):
        assert all(metrics.horizontalAdvance(line) <= room for line in in_two_lines(name, metrics, room))


def test_what_is_said_of_a_file_stays_while_its_name_is_cut(qtbot: QtBot) -> None:
    line = NamedLine()
    qtbot.addWidget(line)
    line.set_named("IMG_0042_jpeg.rf.0d6ae2d84de5f4040d7f7bf05d7f7bf0.jpg", ": 3 right, 1 false alarm")
    width = line.fontMetrics().horizontalAdvance("IMG_0042….jpg: 3 right, 1 false alarm")
    assert line.cut(width) == "IMG_0042…: 3 right, 1 false alarm"
    assert line.cut(10 * width) == line.text()
    line.setText("Looking …")
    assert line.cut(width) == "Looking …"


def test_a_name_alone_is_cut_once_however_little_room_there_is(qtbot: QtBot) -> None:
    line = NamedLine()
    qtbot.addWidget(line)
    room = line.fontMetrics().horizontalAdvance("Bloo…000…")
    shown = []
    for number in range(10, 14):
        line.set_named(f"BloodImage_000{number}.jpg")
        shown.append(line.cut(room))
    assert [name.count("…") for name in shown] == [1] * 4, shown
    assert [name[-3:] for name in shown] == ["010", "011", "012", "013"], "not .jpg in their place"


def test_a_long_name_keeps_its_beginning_and_more_of_its_end(qapp: QApplication) -> None:
    metrics = QFontMetrics(qapp.font())
    for room in (90, 105, 300):
        many = {cut_name(f"cam{n}_{'x' * 140}.jpg", metrics, room) for n in range(6)}
        assert len(many) == 6
        frames = {cut_name(f"BloodImage_000{n}.jpg", metrics, room) for n in range(50, 56)}
        assert len(frames) == 6
        assert all(metrics.horizontalAdvance(name) <= room for name in many | frames)
