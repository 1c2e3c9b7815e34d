"""The kinds of NMS on the screen: one name each, on the Inspect page as in the form of an export."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from tests.ui.window_driver import find
from workbench.inference.exporters import ExportSettings
from workbench.settings import rows
from workbench.ui import theme
from workbench.ui.inspect.detection_controls import DetectionControls
from workbench.ui.widgets.elided import ElidedCombo
from workbench.ui.widgets.forms import Form


@pytest.fixture
def controls(qtbot: QtBot) -> DetectionControls:
    controls = DetectionControls()
    qtbot.addWidget(controls)
    controls.show_published("darknet diou")
    controls.show_nms(controls.nms, kind_too=True)
    return controls


def names(combo: QComboBox) -> list[str]:
    return [combo.itemText(row) for row in range(combo.count())]


def test_kinds_are_called_the_same_where_a_run_is_looked_at_and_where_it_is_exported(
    qtbot: QtBot, controls: DetectionControls
) -> None:
    form = Form("export-form")
    qtbot.addWidget(form)
    form.set_rows(rows(ExportSettings))
    theirs, ours = find(controls, QComboBox, "inspect-kind"), find(form, QComboBox, "export-form-nms_kind")
    assert names(theirs) == [
        "published: Darknet DIoU", "per label", "across labels", "DIoU", "Darknet DIoU", "soft",
    ]  # fmt: skip
    assert names(ours) == ["published", *names(theirs)[1:-1]], "a file can't do soft"
    ours.setCurrentText("Darknet DIoU")
    assert form.values()["nms_kind"] == "darknet diou", "as files and the command line have it"
    form.set_values({"nms_kind": "diou"})
    assert ours.currentText() == "DIoU"


def test_which_one_is_published_is_read_whole_in_a_window_of_1024_pixels(qtbot: QtBot) -> None:
    theme.apply("light")  # with the paddings that people see
    controls = DetectionControls()
    qtbot.addWidget(controls)
    controls.show_published("darknet diou")
    controls.resize(326, controls.sizeHint().height())  # what it has there
    controls.show()
    assert find(controls, ElidedCombo, "inspect-kind").shown_text() == "published: Darknet DIoU"


def test_the_limit_says_that_it_is_one_of_each_view(controls: DetectionControls) -> None:
    """In tiles more detections than it stay: an image in 13 views had 499 beside "max 300"."""
    assert controls.limit.toolTip().endswith("With tiles: so many for the whole and for each tile.")
